/*  The master's command line.
 *
 *  Thread rule: at the start of the program.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/leader.h"

typedef struct {
    const char *data; /* the data directory */
    const char *bind; /* host */
    int64_t port;     /* of the jobs socket; +1 work, +2 sync, +3 http; 0: free ones */
    bool insecure;    /* bind to more than loopback without keys */
    bool repair;      /* accept what can be read of the ledger, and leave */
    bool list_failpoints;
    int64_t snapshot_bytes; /* of log between snapshots */
    rm_leader_config_t leader;
} rm_master_config_t;

/* True: go on. False: leave with *exit_code; everything has been said. */
bool rm_master_config_parse (rm_master_config_t *config, int argc, char **argv, int *exit_code);
