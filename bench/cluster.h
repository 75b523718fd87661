/*  A master or a group of them, and workers, for a benchmark, from the build's own bin/ folder.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include "process.h"

enum { BENCH_MASTERS_MAX = 5 };

typedef struct {
    unsigned keep_ms; /* for which outcomes are kept; 0: as usual. To be set before the start */
    process_t *masters[BENCH_MASTERS_MAX];
    process_t *leader; /* the one that led when all were ready */
    unsigned count;
    char jobs[128]; /* its endpoint */
    char bin[512];  /* folder of the programs */
} bench_cluster_t;

/* Starts so many masters with empty ledgers, all on this machine. */
void bench_cluster_start (bench_cluster_t *self, unsigned masters);

/* Starts a worker. `queues` are NAME=HANDLER, end in NULL. */
process_t *bench_cluster_start_worker (bench_cluster_t *self, const char *name, int threads, const char *const *queues);
/* The same, and waits until it has joined. */
process_t *bench_cluster_worker (bench_cluster_t *self, const char *name, int threads, const char *const *queues);

/* Ends everything, workers, too. */
void bench_cluster_stop (bench_cluster_t *self);

/* What a process has of the memory, in KiB; 0: it is gone. */
long bench_resident_kib (const process_t *process);
