/*  The masters that found a cluster together, as --peers says them: 1=HOST:PORT,2=HOST:PORT,3=HOST:PORT. The ports are those
 *  of the ledger (a master's base port + 4), so that a master's other sockets are known from there.
 *
 *  Thread rule: none of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/endpoint.h"

enum { RM_PEERS_PORT = 4 }; /* the ledger's port, from the base on */

typedef struct {
    uint32_t count;
    uint64_t ids[RM_ENDPOINTS_MAX];
    rm_endpoint_t endpoints[RM_ENDPOINTS_MAX]; /* tcp://HOST:PORT, of the ledger */
} rm_peers_t;

/* Reads such a list. 0, or RM_EINVAL with a sentence. */
int rm_peers_parse (rm_peers_t *self, const char *text, rm_fault_t *fault);

/* NULL: there is none of that id. */
const rm_endpoint_t *rm_peers_find (const rm_peers_t *self, uint64_t id);

/* HOST:PORT. */
const char *rm_peers_address (const rm_endpoint_t *endpoint);

/* The jobs endpoint of the master whose ledger is at `address` (HOST:PORT). False: it has none. */
bool rm_peers_jobs_endpoint (rm_endpoint_t *self, const char *address);
