#include "catalog/list.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringmaster/catalog.h"

enum { PORT = 9097 };

/* One of them; without a port it has the usual one. */
static int read_one (rm_endpoint_t *self, const char *text, size_t size, rm_fault_t *fault)
{
    char one[RM_ENDPOINT_BYTES_MAX + 1], with_port[RM_ENDPOINT_BYTES_MAX + 16];
    if (size >= sizeof one)
        return rm_fault (fault, RM_EINVAL, "'%.60s…' is too long for a catalog", text);
    snprintf (one, sizeof one, "%.*s", (int)size, text);
    const char *port = getenv ("CATALOG_PORT");
    snprintf (with_port, sizeof with_port, "%s:%d", one, port && atoi (port) ? atoi (port) : PORT);
    if (!rm_endpoint_parse (self, one, NULL) || !rm_endpoint_parse (self, with_port, NULL))
        return 0;
    return rm_fault (fault, RM_EINVAL, "'%s' is not a catalog: write host or host:port, as in 127.0.0.1:%d", one, PORT);
}

int rm_catalog_list (rm_endpoint_t *list, const char *text, rm_fault_t *fault)
{
    int count = 0;
    if (!text)
        text = getenv ("CATALOG_HOST");
    if (!text || !*text)
        return rm_fault (fault, RM_EINVAL, "no catalog is said: give --catalog HOST[:PORT], or $CATALOG_HOST");
    for (const char *at = text;; at++) {
        size_t size = strcspn (at, ",");
        if (count == RM_ENDPOINTS_MAX)
            return rm_fault (fault, RM_EINVAL, "more than %d catalogs in a list", RM_ENDPOINTS_MAX);
        int rc = read_one (&list[count], at, size, fault);
        if (rc)
            return rc;
        count++;
        at += size;
        if (!*at)
            return count;
    }
}

int rm_catalog_check (const char *catalogs, char *why, size_t size)
{
    rm_endpoint_t list[RM_ENDPOINTS_MAX];
    rm_fault_t fault = {0};
    if (rm_catalog_list (list, catalogs, &fault) > 0)
        return 0;
    snprintf (why, size, "%s", fault.text);
    return RM_EINVAL;
}

/* A service that fits, in its place among `count` others. Of those heard of in the same second the last one in the list
 * is the newest. */
static int insert (rm_endpoint_t *list, json_int_t *heard, int count, const rm_endpoint_t *one, json_int_t when)
{
    int at = count < RM_ENDPOINTS_MAX ? count : RM_ENDPOINTS_MAX - 1;
    if (count == RM_ENDPOINTS_MAX && heard[at] > when)
        return count;
    for (; at && heard[at - 1] <= when; at--) {
        list[at] = list[at - 1];
        heard[at] = heard[at - 1];
    }
    list[at] = *one;
    heard[at] = when;
    return count < RM_ENDPOINTS_MAX ? count + 1 : count;
}

static bool says (const json_t *object, const char *name, const char *wanted)
{
    const char *text = json_string_value (json_object_get (object, name));
    return text && !strcmp (text, wanted);
}

/* Its endpoint, if it is what is looked for and has one. */
static bool fits (const json_t *object, const char *type, const char *project, rm_endpoint_t *one)
{
    const char *address = json_string_value (json_object_get (object, "address"));
    json_int_t port = json_integer_value (json_object_get (object, "port"));
    return says (object, "type", type) && says (object, "project", project) && address && port > 0 &&
           port <= UINT16_MAX && !rm_endpoint_set (one, address, (unsigned)port, NULL);
}

int rm_catalog_read (rm_endpoint_t *list, const char *json, size_t size, const char *type, const char *project)
{
    int count = 0;
    json_int_t heard[RM_ENDPOINTS_MAX];
    json_t *object, *array = json_loadb (json, size, 0, NULL);
    size_t i;
    bool good = json_is_array (array);
    json_array_foreach (array, i, object) {
        rm_endpoint_t one;
        if (fits (object, type, project, &one))
            count = insert (list, heard, count, &one, json_integer_value (json_object_get (object, "lastheardfrom")));
    }
    json_decref (array);
    return good ? count : RM_EPROTO;
}
