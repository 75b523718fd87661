/*  A master and workers for a benchmark, from the build's own bin/ folder.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include "process.h"

typedef struct {
    process_t *master;
    char jobs[128]; /* endpoint */
    char bin[512];  /* folder of the programs */
} bench_cluster_t;

/* Starts a master with an empty ledger. */
void bench_cluster_start (bench_cluster_t *self);

/* Starts a worker and waits until it has joined. `queues` are NAME=HANDLER, end in NULL. */
process_t *bench_cluster_worker (bench_cluster_t *self, const char *name, int threads, const char *const *queues);

/* Ends everything. */
void bench_cluster_stop (bench_cluster_t *self);
