#include "master/peers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/peer_address.h"
#include "ringmaster/error.h"

static int add (rm_peers_t *self, const char *text, rm_fault_t *fault)
{
    char *end;
    errno = 0;
    uint64_t id = strtoull (text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '=' || errno || !id || id > UINT32_MAX)
        return rm_fault (fault, RM_EINVAL, "--peers takes 1=HOST:PORT,2=HOST:PORT,…, and '%.60s' is none of these",
                         text);
    if (self->count == RM_ENDPOINTS_MAX)
        return rm_fault (fault, RM_EINVAL, "--peers names more than %d masters", RM_ENDPOINTS_MAX);
    if (rm_peers_find (self, id))
        return rm_fault (fault, RM_EINVAL, "--peers names master %llu twice", (unsigned long long)id);
    rm_endpoint_t *endpoint = &self->endpoints[self->count];
    rm_fault_t why = {0};
    if (rm_peer_address_parse (endpoint, end + 1, &why))
        return rm_fault (fault, RM_EINVAL, "--peers: %s", why.text);
    for (uint32_t i = 0; i < self->count; i++)
        if (!strcmp (self->endpoints[i].text, endpoint->text))
            return rm_fault (fault, RM_EINVAL, "--peers names %s twice", end + 1);
    self->ids[self->count++] = id;
    return 0;
}

int rm_peers_parse (rm_peers_t *self, const char *text, rm_fault_t *fault)
{
    *self = (rm_peers_t){0};
    char *copy = strdup (text), *rest = copy, *item;
    int rc = copy ? 0 : rm_fault (fault, RM_ENOMEM, "memory ran out");
    while (!rc && (item = strsep (&rest, ",")))
        rc = add (self, item, fault);
    free (copy);
    return rc;
}

const rm_endpoint_t *rm_peers_find (const rm_peers_t *self, uint64_t id)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->ids[i] == id)
            return &self->endpoints[i];
    return NULL;
}
