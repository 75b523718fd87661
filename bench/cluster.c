#include "cluster.h"

#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void bench_cluster_start (bench_cluster_t *self)
{
    char program[600], data[600];
    ssize_t size = readlink ("/proc/self/exe", self->bin, sizeof self->bin - 1);
    if (size < 0)
        harness_fail ("cannot find the programs");
    self->bin[size] = 0;
    dirname (self->bin);
    snprintf (program, sizeof program, "%s/ringmaster", self->bin);
    snprintf (data, sizeof data, "%s/data", scratch_dir ());
    char *argv[] = {program, "--data", data, "--port", "0", NULL};
    self->master = process_start ("master", argv, NULL);
    const char *line = process_line (self->master, "ready ", 10000);
    if (!line || sscanf (line, "ready jobs=%127s", self->jobs) != 1)
        harness_fail ("the master did not get ready");
}

process_t *bench_cluster_worker (bench_cluster_t *self, const char *name, int threads, const char *const *queues)
{
    char program[600], count[16];
    char *argv[64] = {program, "--master", self->jobs, "--name", (char *)name, "--threads", count};
    int used = 7;
    snprintf (program, sizeof program, "%s/ringworker", self->bin);
    snprintf (count, sizeof count, "%d", threads);
    for (; *queues; queues++) {
        argv[used++] = "--queue";
        argv[used++] = (char *)*queues;
    }
    process_t *worker = process_start (name, argv, NULL);
    if (!process_line (worker, "ready ", 10000))
        harness_fail ("the worker %s did not join", name);
    return worker;
}

void bench_cluster_stop (bench_cluster_t *self)
{
    process_signal (self->master, SIGTERM);
    if (process_wait (self->master, 10000) != 0)
        harness_fail ("the master did not end well");
    process_destroy (&self->master);
}
