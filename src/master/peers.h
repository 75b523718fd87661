/*  The masters that found a cluster together, as --peers says them: 1=HOST:PORT,2=HOST:PORT,3=HOST:PORT. The ports are those
 *  of Raft there, and are turned into those of clients as they are read (net/peer_address.h).
 *
 *  Thread rule: any thread.
 */
#pragma once

#include <stdint.h>

#include "net/endpoint.h"

typedef struct {
    uint32_t count;
    uint64_t ids[RM_ENDPOINTS_MAX];
    rm_endpoint_t endpoints[RM_ENDPOINTS_MAX]; /* jobs endpoints */
} rm_peers_t;

/* Reads such a list. 0, or RM_EINVAL with a sentence. */
int rm_peers_parse (rm_peers_t *self, const char *text, rm_fault_t *fault);

/* The jobs endpoint of that master; NULL: there is none. */
const rm_endpoint_t *rm_peers_find (const rm_peers_t *self, uint64_t id);
