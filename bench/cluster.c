#include "cluster.h"

#include <jansson.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ringmaster/client.h"

enum { READY_MS = 10000, PORTS = 5 /* of a master */, RAFT_PORT = 4 };

static process_t *start_master (const bench_cluster_t *self, unsigned number, int base)
{
    static unsigned starts;
    char program[600], data[600], name[16], id[16], keep[16], peers[256] = "";
    size_t used = 0;
    for (unsigned i = 0; i < self->count; i++)
        used += (size_t)snprintf (peers + used, sizeof peers - used, "%s%u=127.0.0.1:%d", i ? "," : "", i + 1,
                                  base + (int)i * PORTS + RAFT_PORT);
    snprintf (program, sizeof program, "%s/ringmaster", self->bin);
    snprintf (data, sizeof data, "%s/data%u", scratch_dir (), ++starts);
    snprintf (name, sizeof name, "master%u", number);
    snprintf (id, sizeof id, "%u", number);
    snprintf (keep, sizeof keep, "%u", self->keep_ms);
    bool alone = self->count == 1;
    char *argv[12] = {program, "--data", data, alone ? "--port" : "--id", alone ? "0" : id};
    int argc = 5;
    if (!alone) {
        argv[argc++] = "--peers";
        argv[argc++] = peers;
    }
    if (self->keep_ms) {
        argv[argc++] = "--keep";
        argv[argc++] = keep;
    }
    return process_start (name, argv, NULL);
}

/* Asks the master at `jobs`, and those it names, until one leads; its endpoint takes the place of that. */
static void find_leader (bench_cluster_t *self)
{
    const char *text;
    rm_client_t *client = rm_client_new (self->jobs);
    if (!client || rm_client_query (client, "masters", 0, NULL, 0, READY_MS, &text))
        harness_fail ("no master leads");
    json_t *answer = json_loads (text, 0, NULL), *master;
    size_t i;
    json_array_foreach (json_object_get (answer, "masters"), i, master) {
        const char *jobs = json_string_value (json_object_get (master, "jobs"));
        if (jobs && json_is_true (json_object_get (master, "leader")))
            snprintf (self->jobs, sizeof self->jobs, "%s", jobs);
    }
    json_decref (answer);
    rm_client_destroy (&client);
}

void bench_cluster_start (bench_cluster_t *self, unsigned masters)
{
    ssize_t size = readlink ("/proc/self/exe", self->bin, sizeof self->bin - 1);
    if (size < 0)
        harness_fail ("cannot find the programs");
    self->bin[size] = 0;
    dirname (self->bin);
    self->count = masters;
    char jobs[BENCH_MASTERS_MAX][sizeof self->jobs];
    int base = masters > 1 ? free_ports ((int)masters * PORTS) : 0;
    for (unsigned i = 0; i < masters; i++)
        self->masters[i] = start_master (self, i + 1, base);
    for (unsigned i = 0; i < masters; i++) {
        const char *line = process_line (self->masters[i], "ready ", READY_MS);
        if (!line || sscanf (line, "ready jobs=%127s", jobs[i]) != 1)
            harness_fail ("master %u did not get ready", i + 1);
    }
    snprintf (self->jobs, sizeof self->jobs, "%s", jobs[0]);
    if (masters > 1)
        find_leader (self);
    for (unsigned i = 0; i < masters; i++)
        if (!strcmp (jobs[i], self->jobs))
            self->leader = self->masters[i];
}

process_t *bench_cluster_start_worker (bench_cluster_t *self, const char *name, int threads, const char *const *queues)
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
    return process_start (name, argv, NULL);
}

process_t *bench_cluster_worker (bench_cluster_t *self, const char *name, int threads, const char *const *queues)
{
    process_t *worker = bench_cluster_start_worker (self, name, threads, queues);
    if (!process_line (worker, "ready ", READY_MS))
        harness_fail ("the worker %s did not join", name);
    return worker;
}

void bench_cluster_stop (bench_cluster_t *self)
{
    for (unsigned i = 0; i < self->count; i++)
        process_signal (self->masters[i], SIGTERM);
    for (unsigned i = 0; i < self->count; i++)
        if (process_wait (self->masters[i], READY_MS) != 0)
            harness_fail ("master %u did not end well", i + 1);
    process_destroy_all ();
}

long bench_resident_kib (const process_t *process)
{
    char path[64], line[256];
    long kib = 0;
    snprintf (path, sizeof path, "/proc/%d/status", (int)process_pid (process));
    FILE *file = fopen (path, "r");
    while (file && fgets (line, sizeof line, file))
        sscanf (line, "VmRSS: %ld", &kib);
    if (file)
        fclose (file);
    return kib;
}
