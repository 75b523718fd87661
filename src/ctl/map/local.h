/*  A master and a worker of one's own, for one run: started as processes that die with this one.
 *
 *  Their ledger and logs are in a directory of the caller's.
 *  Thread rule: the thread that started them must live as long as they shall (PR_SET_PDEATHSIG). In-place struct.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/endpoint.h"

typedef struct {
    pid_t master, worker;                 /* 0: none */
    char jobs[RM_ENDPOINT_BYTES_MAX + 1]; /* the master's jobs endpoint */
    char directory[4096];
    unsigned slots;
    unsigned port;     /* the first of the master's */
    unsigned restarts; /* of the master */
} rm_map_local_t;

/* Starts ringmaster and ringworker, found beside this program or in $PATH, with so many slots. 0, or RM_EIO with a sentence;
 * rm_map_local_stop in any case. */
int rm_map_local_start (rm_map_local_t *self, const char *directory, unsigned slots, rm_fault_t *fault);
/* Looks after them: what has died is started again, the master on its ledger and ports. 0, or RM_EIO with a sentence: that
 * did not help. */
int rm_map_local_check (rm_map_local_t *self, rm_fault_t *fault);
/* Ends both, and the commands that run. */
void rm_map_local_stop (rm_map_local_t *self);
