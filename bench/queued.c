/*  What jobs cost that nobody takes: memory beside the payload, how long a master needs to be back after kill -9, and how
 *  long the loop is held by a snapshot of all of them.
 */
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster.h"
#include "http.h"
#include "net/clock.h"
#include "net/options.h"
#include "net/poll.h"
#include "process.h"
#include "ringmaster/client.h"

enum { MANY = 2048, READY_MS = 120 * 1000, CALL_MS = 60 * 1000, FIRST = 10000, METRICS_BYTES = 64 << 10 };

static int64_t jobs = 1000000, size = 100, keys;
static char bin[512], data[600], endpoint[128];
static unsigned http_port;

static process_t *start_master (void)
{
    char program[600];
    snprintf (program, sizeof program, "%s/ringmaster", bin);
    char *argv[24] = {program, "--data", data, "--port", "0"};
    static char *const limits[] = {"--max-jobs",         "--max-bytes",      "--max-client-jobs",
                                   "--max-client-bytes", "--max-queue-jobs", "--max-queue-bytes"};
    for (int i = 0, used = 5; i < 6; i++) {
        argv[used++] = limits[i];
        argv[used++] = i % 2 ? "8000000000" : "20000000";
    }
    process_t *master = process_start ("master", argv, NULL);
    const char *line = process_line (master, "ready ", READY_MS);
    if (!line ||
        sscanf (line, "ready jobs=%127s work=%*s sync=%*s http=http://127.0.0.1:%u", endpoint, &http_port) != 2)
        harness_fail ("the master did not get ready");
    return master;
}

static uint64_t metric (const char *name)
{
    static char body[METRICS_BYTES];
    char wanted[128];
    unsigned long long value;
    snprintf (wanted, sizeof wanted, "\n%s ", name);
    if (!http_get ("127.0.0.1", (int)http_port, "/metrics", CALL_MS, body, sizeof body))
        harness_fail ("the master shows no metrics");
    const char *at = strstr (body, wanted);
    if (!at || sscanf (at + strlen (wanted), "%llu", &value) != 1)
        harness_fail ("there is no metric %s", name);
    return value;
}

static void submit (rm_client_t *client, int64_t count)
{
    static rm_spec_t specs[MANY];
    static char names[MANY][24];
    static uint64_t ids[MANY];
    char *payload = calloc (1, (size_t)size + 1);
    for (int64_t sent = 0; sent < count;) {
        size_t n = 0;
        for (; n < MANY && sent < count; n++, sent++) {
            specs[n] = (rm_spec_t){.queue = "nobody", .data = payload, .size = (size_t)size};
            snprintf (names[n], sizeof names[n], "key%lld", (long long)(keys ? sent % keys : 0));
            specs[n].key = keys ? names[n] : NULL;
        }
        if (rm_client_submit_many (client, specs, n, CALL_MS, ids))
            harness_fail ("%s", rm_client_error (client));
    }
    free (payload);
}

/* Jobs that come are noted in the log until a snapshot is taken, so a few more are sent until one was. */
static void until_snapshot (rm_client_t *client)
{
    for (int i = 0; i < 10000 && !metric ("ringmaster_ledger_snapshots_total"); i++)
        submit (client, MANY);
}

static double ready_again (process_t **master)
{
    process_signal (*master, SIGKILL);
    process_wait (*master, READY_MS);
    process_destroy (master);
    uint64_t begun_us = rm_clock_us ();
    *master = start_master ();
    return (double)(rm_clock_us () - begun_us) / 1e6;
}

static void measure (void)
{
    process_t *master = start_master ();
    rm_client_t *client = rm_client_new (endpoint);
    submit (client, FIRST); /* what any master needs */
    long before_kib = bench_resident_kib (master);
    uint64_t begun_us = rm_clock_us ();
    submit (client, jobs);
    double took = (double)(rm_clock_us () - begun_us) / 1e6;
    uint64_t turn_us = metric ("ringmaster_turn_longest_microseconds");
    until_snapshot (client);
    rm_client_destroy (&client);
    double back = ready_again (&master);
    if (metric ("ringmaster_jobs_waiting") < (uint64_t)jobs)
        harness_fail ("jobs are missing");
    long after_kib = bench_resident_kib (master);
    printf ("%lld jobs of %lld B%s: accepted in %.2f s (%.0f/s); longest turn meanwhile %.1f ms; back %.2f s after "
            "kill -9; "
            "%.0f B a job beside its payload\n",
            (long long)jobs, (long long)size, keys ? ", with keys" : "", took, (double)jobs / took,
            (double)turn_us / 1e3, back, (double)(after_kib - before_kib) * 1024 / (double)jobs - (double)size);
    process_destroy_all ();
}

int main (int argc, char **argv)
{
    const rm_option_t table[] = {
        RM_SECTION ("Options"),
        RM_NUMBER (0, "jobs", "N", 1000, 10000000, "jobs that wait (1000000)", &jobs),
        RM_NUMBER (0, "size", "BYTES", 0, 1 << 20, "payload of each (100)", &size),
        RM_NUMBER (0, "keys", "N", 0, 10000000, "spread over so many keys; 0: without keys (0)", &keys),
        RM_OPTIONS_END,
    };
    const rm_program_t program = {.self = {.name = "bench_queued",
                                           .about = "Measures what jobs cost that wait: memory, a restart, the loop.",
                                           .options = table},
                                  .version = RM_VERSION};
    rm_parsed_t parsed;
    int exit_code;
    if (!rm_options_parse (&parsed, &program, argc, argv, &exit_code))
        return exit_code;
    ssize_t length = readlink ("/proc/self/exe", bin, sizeof bin - 1);
    if (length < 0)
        harness_fail ("cannot find the programs");
    dirname (bin);
    snprintf (data, sizeof data, "%s/data", scratch_dir ());
    measure ();
    return 0;
}
