/*  Many clients of a master, each with a pipelined client and a connection of its own, a few hundred in a process: they
 *  send jobs at a steady rate, each in turn, or as fast as there is room, and time every one.
 *
 *  Thread rule: one thread; before crowd_start the process must not have used the network, since it forks.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

enum {
    CROWD_CLIENTS_MAX = 20000,
    CROWD_PROCESS_CLIENTS = 400,
    CROWD_PROCESSES_MAX = CROWD_CLIENTS_MAX / CROWD_PROCESS_CLIENTS
};

typedef struct {
    const char *masters;
    uint32_t clients;
    uint32_t rate;    /* jobs a second of all together; 0: as many as there can be */
    uint32_t window;  /* jobs under way of one client, if rate is 0 */
    uint32_t keys;    /* that jobs are spread over; 0: jobs without keys */
    uint32_t seconds; /* measured … */
    uint64_t jobs;    /* … and at least so many jobs in all, if rate is 0 */
} crowd_options_t;

typedef struct {
    double rate, p50_ms, p99_ms; /* of jobs that ended; a wait counts from when the job was due */
} crowd_result_t;

typedef struct crowd_shared crowd_shared_t;

typedef struct {
    crowd_options_t options;
    crowd_shared_t *shared; /* with the processes */
    pid_t pids[CROWD_PROCESSES_MAX];
    uint32_t processes;
} crowd_t;

/* Begins; is back when every client has had a job done. */
void crowd_start (crowd_t *self, const crowd_options_t *options);
crowd_result_t crowd_measure (crowd_t *self);
void crowd_stop (crowd_t *self);
