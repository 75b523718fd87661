/*  A master as masters and their operators know it: HOST:PORT of its raft port. So --peers, `ringctl master add` and `ringctl
 *  backup --from` name it, and the ledger keeps it. Its jobs endpoint, which is what clients know and messages carry,
 *  is 4 ports below, so that the one tells the other.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include "net/endpoint.h"

enum { RM_PEER_RAFT_PORT = 4 }; /* from the jobs port on */

/* Reads such an address into the jobs endpoint of that master. 0, or RM_EINVAL with a sentence. */
int rm_peer_address_parse (rm_endpoint_t *jobs, const char *text, rm_fault_t *fault);

/* Writes that of the master that clients reach at `jobs`; HOST:0 if that is at any free port. False: it has none. */
bool rm_peer_address_write (const rm_endpoint_t *jobs, char *address, size_t size);
