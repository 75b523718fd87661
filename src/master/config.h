/*  The master's command line.
 *
 *  Thread rule: at the start of the program.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/leader.h"
#include "master/peers.h"

typedef struct {
    const char *data;    /* the data directory */
    const char *bind;    /* host */
    int64_t port;        /* of the jobs socket; +1 work, +2 sync, +3 http, +4 ledger; 0: free ones */
    bool insecure;       /* bind to more than loopback without keys */
    const char *restore; /* a backup to begin a new generation with; NULL: none */
    bool repair;         /* accept what can be read of the ledger, and leave */
    bool list_failpoints;
    int64_t snapshot_bytes; /* of log between snapshots */
    uint64_t format_max;    /* of the ledger, for tests of an upgrade; 0: the newest */
    uint64_t digest_bytes;  /* of log between comparisons of the masters' states; 0: as the ledger does */
    int64_t id;             /* of this master in its group */
    rm_peers_t peers;       /* that found the group; none: a group of one, which nobody can join */
    uint8_t secret[4096];   /* that all masters of the group know */
    size_t secret_bytes;    /* 0: there is none */
    const char *project;    /* what it is announced as, at … */
    const char *catalog;    /* … these catalogs; NULL: the environment's */
    rm_leader_config_t leader;
} rm_master_config_t;

/* Where other masters would reach this one: HOST:PORT, with port 0 if it takes a free one, which nobody can know. */
void rm_master_config_address (const rm_master_config_t *config, char *address, size_t size);

/* True: go on. False: leave with *exit_code; everything has been said. */
bool rm_master_config_parse (rm_master_config_t *config, int argc, char **argv, int *exit_code);
