/*  The masters that found a cluster together, as --peers says them: 1=HOST:PORT,2=HOST:PORT,3=HOST:PORT. The ports are those
 *  that clients use; a master's others follow from it, the ledger's too, so that the address of one tells the other.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/endpoint.h"

enum { RM_PEERS_LEDGER_PORT = 4 }; /* the ledger's port, from the one of clients on */

typedef struct {
    uint32_t count;
    uint64_t ids[RM_ENDPOINTS_MAX];
    rm_endpoint_t endpoints[RM_ENDPOINTS_MAX]; /* jobs endpoints */
} rm_peers_t;

/* Reads such a list. 0, or RM_EINVAL with a sentence. */
int rm_peers_parse (rm_peers_t *self, const char *text, rm_fault_t *fault);

/* The jobs endpoint of that master; NULL: there is none. */
const rm_endpoint_t *rm_peers_find (const rm_peers_t *self, uint64_t id);

/* HOST:PORT of the ledger of the master that clients reach at `jobs`, and the other way round. False: it has none. */
bool rm_peers_ledger_address (const rm_endpoint_t *jobs, char *address, size_t size);
bool rm_peers_jobs_endpoint (const char *address, rm_endpoint_t *jobs);
