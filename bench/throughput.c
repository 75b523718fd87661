/*  How many durable jobs a second go all the way round: client → master → disk → worker → master → disk → client, by a
 *  pipelined client that keeps so many under way; and how long one job takes when nothing else is going on.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cluster.h"
#include "net/clock.h"
#include "net/context.h"
#include "net/options.h"
#include "proto/alloc.h"
#include "ringmaster/stream.h"

enum { ROUNDS_MAX = 99, PATIENCE_MS = 120000 };

typedef struct {
    int64_t jobs, window, workers, threads, size, keys, calls, masters, rounds;
} options_t;

static void send_one (rm_stream_t *stream, const options_t *options, const char *payload, uint64_t number)
{
    char key[24];
    snprintf (key, sizeof key, "k%llu", (unsigned long long)(number % (uint64_t)(options->keys ? options->keys : 1)));
    if (rm_stream_send (stream, rm_spec ("bench", .key = options->keys ? key : NULL, .data = payload,
                                         .size = (size_t)options->size)))
        harness_fail ("cannot send: %s", rm_stream_error (stream));
}

/* Keeps the window full until all have ended. */
static double throughput (const options_t *options, const char *endpoint)
{
    rm_stream_t *stream = rm_stream_new (endpoint);
    char window[24], *payload = rm_calloc (1, (size_t)options->size + 1);
    snprintf (window, sizeof window, "%lld", (long long)options->window);
    rm_stream_set (stream, "window", window);
    uint64_t begun = rm_clock_us (), sent = 0, all = (uint64_t)options->jobs;
    for (uint64_t done = 0; done < all; done++) {
        for (; sent < all && sent < done + (uint64_t)options->window; sent++)
            send_one (stream, options, payload, sent);
        rm_result_t *result = rm_stream_next (stream, PATIENCE_MS);
        if (!result || rm_result_outcome (result) != RM_DONE)
            harness_fail ("a job was not done: %s", result ? rm_result_reason (result) : rm_stream_error (stream));
        rm_result_destroy (&result);
    }
    double seconds = (double)(rm_clock_us () - begun) / 1e6;
    rm_stream_destroy (&stream);
    rm_free (payload);
    return (double)options->jobs / seconds;
}

static int by_value (const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void latency (const options_t *options, const char *endpoint)
{
    rm_client_t *client = rm_client_new (endpoint);
    uint64_t *took = rm_calloc ((size_t)options->calls, sizeof *took);
    for (int64_t i = 0; i < options->calls; i++) {
        rm_result_t *result;
        uint64_t begun = rm_clock_us ();
        if (rm_client_call (client, rm_spec ("bench", .data = "x", .size = 1), 10000, &result))
            harness_fail ("a call failed: %s", rm_client_error (client));
        took[i] = rm_clock_us () - begun;
        rm_result_destroy (&result);
    }
    qsort (took, (size_t)options->calls, sizeof *took, by_value);
    printf ("unloaded latency of a call (submit and wait): median %llu us, p99 %llu us, %lld calls\n",
            (unsigned long long)took[options->calls / 2], (unsigned long long)took[options->calls * 99 / 100],
            (long long)options->calls);
    rm_free (took);
    rm_client_destroy (&client);
}

static double measure (const options_t *options, unsigned masters)
{
    bench_cluster_t cluster = {0};
    bench_cluster_start (&cluster, masters);
    for (int64_t i = 0; i < options->workers; i++) {
        char name[32];
        snprintf (name, sizeof name, "w%lld", (long long)i + 1);
        bench_cluster_worker (&cluster, name, (int)options->threads, (const char *const[]){"bench=builtin:echo", NULL});
    }
    double rate = throughput (options, cluster.jobs);
    printf ("durable jobs/s, end to end: %.0f (%u master%s, %lld jobs of %lld bytes, %lld under way, %lld workers of "
            "%lld threads, %lld keys)\n",
            rate, masters, masters > 1 ? "s" : "", (long long)options->jobs, (long long)options->size,
            (long long)options->window, (long long)options->workers, (long long)options->threads,
            (long long)options->keys);
    latency (options, cluster.jobs);
    bench_cluster_stop (&cluster);
    return rate;
}

static int by_rate (const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* One master and the group in turns, so that whatever else the machine does meets both. */
static void compare (const options_t *options)
{
    double alone[ROUNDS_MAX], group[ROUNDS_MAX];
    for (int64_t i = 0; i < options->rounds; i++) {
        alone[i] = measure (options, 1);
        group[i] = measure (options, (unsigned)options->masters);
    }
    qsort (alone, (size_t)options->rounds, sizeof *alone, by_rate);
    qsort (group, (size_t)options->rounds, sizeof *group, by_rate);
    double one = alone[options->rounds / 2], several = group[options->rounds / 2];
    printf (
        "%lld masters beside one, medians of %lld rounds: %.0f and %.0f durable jobs/s, a ratio of %.2f; all on this "
        "machine's processors and disk\n",
        (long long)options->masters, (long long)options->rounds, several, one, several / one);
}

int main (int argc, char **argv)
{
    options_t options = {.jobs = 400000,
                         .window = 8192,
                         .workers = 2,
                         .threads = 2,
                         .size = 64,
                         .calls = 1000,
                         .masters = 1,
                         .rounds = 3};
    const rm_option_t table[] = {
        RM_SECTION ("Options"),
        RM_NUMBER (0, "jobs", "N", 1, 100000000, "jobs in all (400000)", &options.jobs),
        RM_NUMBER (0, "window", "N", 1, RM_STREAM_WINDOW_MAX, "jobs under way (8192)", &options.window),
        RM_NUMBER (0, "workers", "N", 1, 16, "worker processes (2)", &options.workers),
        RM_NUMBER (0, "threads", "N", 1, 64, "threads of each (2)", &options.threads),
        RM_NUMBER (0, "size", "BYTES", 0, 1 << 20, "payload of a job (64)", &options.size),
        RM_NUMBER (0, "keys", "N", 0, 1000000, "spread over so many keys; 0: without keys (0)", &options.keys),
        RM_NUMBER (0, "calls", "N", 1, 1000000, "calls timed one at a time (1000)", &options.calls),
        RM_NUMBER (0, "masters", "N", 1, BENCH_MASTERS_MAX, "a group of so many beside one master, and the ratio (1)",
                   &options.masters),
        RM_NUMBER (0, "rounds", "N", 1, ROUNDS_MAX, "of both in turns, of which the medians count (3)",
                   &options.rounds),
        RM_OPTIONS_END,
    };
    const rm_program_t program = {.self = {.name = "bench_throughput",
                                           .about = "Measures durable jobs a second end to end, and latency.",
                                           .options = table},
                                  .version = RM_VERSION};
    rm_parsed_t parsed;
    int exit_code;
    if (!rm_options_parse (&parsed, &program, argc, argv, &exit_code))
        return exit_code;
    rm_net_init ();
    if (options.masters == 1)
        measure (&options, 1);
    else
        compare (&options);
    rm_net_term ();
    return 0;
}
