/*  Endpoints and lists of them, as people write them and as a master sends them: what is taken is an address whose own
 *  text is taken for the same one.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "net/endpoint.h"
#include "ringmaster/error.h"

static void look (const rm_endpoint_t *endpoint)
{
    rm_endpoint_t again;
    rm_fault_t fault = {0};
    CLAIM (endpoint->port && *endpoint->host);
    CLAIM (strlen (endpoint->text) <= RM_ENDPOINT_BYTES_MAX && strlen (endpoint->host) <= RM_ENDPOINT_BYTES_MAX);
    CLAIM (!rm_endpoint_parse (&again, endpoint->text, &fault), "%s: %s", endpoint->text, fault.text);
    CLAIM (!strcmp (again.text, endpoint->text) && !strcmp (again.host, endpoint->host));
    CLAIM (again.port == endpoint->port);
    for (const char *at = endpoint->host; *at; at++)
        CLAIM ((unsigned char)*at > 0x20 && (unsigned char)*at < 0x7f, "'%s' is no host", endpoint->host);
    rm_endpoint_is_ipv6 (endpoint);
    rm_endpoint_is_loopback (endpoint);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    rm_endpoint_t one, list[RM_ENDPOINTS_MAX];
    rm_fault_t fault = {0};
    char *text = fuzz_text (data, size);
    int rc = rm_endpoint_parse (&one, text, &fault);
    CLAIM (!rc || (rc == RM_EINVAL && *fault.text));
    CLAIM (strlen (fault.text) < sizeof fault.text);
    if (!rc)
        look (&one);
    int count = rm_endpoint_parse_list (list, text, &fault);
    CLAIM (count == RM_EINVAL || (count >= 1 && count <= RM_ENDPOINTS_MAX));
    CLAIM (rc || count == 1, "an endpoint, but no list of one");
    for (int i = 0; i < count; i++)
        look (&list[i]);
    free (text);
    return 0;
}
