/*  Many workers of a master that do nothing but give back what they get: the worker's own deciding half and sockets (two
 *  connections each), without threads for handlers, a hundred or so in a process.
 *
 *  Thread rule: one thread; before swarm_start the process must not have used the network, since it forks.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

enum {
    SWARM_WORKERS_MAX = 4000,
    SWARM_PROCESS_WORKERS = 125,
    SWARM_PROCESSES_MAX = SWARM_WORKERS_MAX / SWARM_PROCESS_WORKERS
};

typedef struct {
    struct swarm_shared *shared; /* with the processes */
    pid_t pids[SWARM_PROCESSES_MAX];
    uint32_t processes;
} swarm_t;

/* Begins; is back when all have joined. They serve the queue "crowd". */
void swarm_start (swarm_t *self, const char *master, uint32_t workers);
/* Ends them without a word to the master. */
void swarm_stop (swarm_t *self);
