#include "net/peer_address.h"

#include <stdio.h>
#include <string.h>

#include "ringmaster/error.h"

int rm_peer_address_parse (rm_endpoint_t *jobs, const char *text, rm_fault_t *fault)
{
    rm_endpoint_t raft;
    if (rm_endpoint_parse (&raft, text, NULL))
        return rm_fault (fault, RM_EINVAL,
                         "'%.300s' is not where a master is: write HOST:PORT with its raft port, as in 127.0.0.1:5554",
                         text);
    if (raft.port <= RM_PEER_RAFT_PORT)
        return rm_fault (fault, RM_EINVAL,
                         "'%.300s' has no raft port: that is a master's base port plus %d, and so %d or more", text,
                         RM_PEER_RAFT_PORT, RM_PEER_RAFT_PORT + 1);
    return rm_endpoint_set (jobs, raft.host, raft.port - RM_PEER_RAFT_PORT, fault);
}

bool rm_peer_address_write (const rm_endpoint_t *jobs, char *address, size_t size)
{
    rm_endpoint_t raft;
    unsigned port = jobs->port ? jobs->port + RM_PEER_RAFT_PORT : 0;
    if (rm_endpoint_set (&raft, jobs->host, port, NULL))
        return false;
    return (size_t)snprintf (address, size, "%s", raft.text + strlen ("tcp://")) < size;
}
