/*  How many durable jobs a second go all the way round: client → master → disk → worker → master → disk → client, with
 *  arrays of jobs on the wire; and how long one job takes when nothing else is going on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "net/clock.h"
#include "net/options.h"
#include "net/poll.h"
#include "net/random.h"
#include "net/socket.h"
#include "proto/alloc.h"
#include "proto/msg.h"
#include "ringmaster/client.h"

typedef struct {
    uint64_t seq; /* of its first job; 0: free */
    uint64_t sent_us;
    uint64_t first_id; /* 0: not accepted yet */
} batch_t;

enum { ROUNDS_MAX = 99 };

typedef struct {
    int64_t jobs, batch, window, workers, threads, size, keys, calls, masters, rounds;
} options_t;

typedef struct {
    const options_t *options;
    rm_socket_t *socket;
    rm_session_id_t session;
    batch_t *batches;
    uint64_t next_seq, done;
    uint8_t *payload;
    rm_submit_job_t *jobs;
    char (*keys)[16];
    uint64_t *ids;
    rm_buf_t frame;
} load_t;

static void send_msg (load_t *self, const rm_msg_t *msg)
{
    rm_buf_clear (&self->frame);
    if (rm_msg_encode (msg, &self->frame) || rm_socket_send (self->socket, NULL, self->frame.data, self->frame.size))
        harness_fail ("cannot send");
}

static void submit (load_t *self, batch_t *batch)
{
    const options_t *options = self->options;
    rm_msg_t msg = {.type = RM_MSG_SUBMIT};
    for (int64_t i = 0; i < options->batch; i++) {
        uint64_t seq = batch->seq + (uint64_t)i;
        self->jobs[i] = (rm_submit_job_t){.seq = seq, .queue = {"bench", 5}};
        self->jobs[i].data = (rm_bytes_t){self->payload, (uint32_t)options->size};
        if (options->keys) {
            int size = snprintf (self->keys[i], sizeof self->keys[i], "k%llu",
                                 (unsigned long long)(seq % (uint64_t)options->keys));
            self->jobs[i].key = (rm_bytes_t){self->keys[i], (uint32_t)size};
        }
    }
    uint64_t oldest = self->next_seq;
    for (int64_t i = 0; i < options->window; i++)
        if (self->batches[i].seq && !self->batches[i].first_id && self->batches[i].seq < oldest)
            oldest = self->batches[i].seq;
    msg.submit = (rm_msg_submit_t){self->session, oldest - 1, self->jobs, (uint32_t)options->batch};
    send_msg (self, &msg);
}

static void submit_next (load_t *self, batch_t *batch)
{
    *batch = (batch_t){0};
    if (self->next_seq > (uint64_t)self->options->jobs)
        return;
    batch->seq = self->next_seq;
    batch->sent_us = rm_clock_us ();
    self->next_seq += (uint64_t)self->options->batch;
    submit (self, batch);
}

static void wait_for (load_t *self, const batch_t *batch)
{
    rm_msg_t msg = {.type = RM_MSG_WAIT};
    for (int64_t i = 0; i < self->options->batch; i++)
        self->ids[i] = batch->first_id + (uint64_t)i;
    msg.wait = (rm_msg_wait_t){self->session, self->ids, (uint32_t)self->options->batch, 10000, 0, 0, 0, 0};
    send_msg (self, &msg);
}

static batch_t *find (load_t *self, bool by_id, uint64_t value)
{
    for (int64_t i = 0; i < self->options->window; i++)
        if (self->batches[i].seq && (by_id ? self->batches[i].first_id : self->batches[i].seq) == value)
            return &self->batches[i];
    harness_fail ("an answer to nothing we asked");
}

static void take (load_t *self, const rm_msg_t *msg)
{
    batch_t *batch;
    switch (msg->type) {
    case RM_MSG_ACCEPTED:
        batch = find (self, false, msg->accepted.jobs[0].seq);
        batch->first_id = msg->accepted.jobs[0].id;
        wait_for (self, batch);
        break;
    case RM_MSG_RESULT:
        batch = find (self, true, msg->result.jobs[0].id);
        for (uint32_t i = 0; i < msg->result.job_count; i++)
            if (msg->result.jobs[i].outcome == RM_OUTCOME_NONE) {
                wait_for (self, batch);
                return;
            } else if (msg->result.jobs[i].outcome != RM_OUTCOME_DONE) {
                harness_fail ("job %llu was not done", (unsigned long long)msg->result.jobs[i].id);
            }
        self->done += msg->result.job_count;
        submit_next (self, batch);
        break;
    case RM_MSG_ERROR:
        harness_fail ("the master refused: %.*s", (int)msg->error.text.size, (const char *)msg->error.text.data);
    default:
        harness_fail ("the master answered %s", rm_msg_name (msg->type));
    }
}

static void drive (load_t *self)
{
    rm_frame_t frame = {{0}};
    uint64_t give_up = rm_clock_ms () + 120000;
    for (int64_t i = 0; i < self->options->window; i++)
        submit_next (self, &self->batches[i]);
    while (self->done < (uint64_t)self->options->jobs) {
        rm_poll_t item = {.socket = self->socket, .readable = false};
        rm_poll (&item, 1, 1000);
        while (rm_socket_recv (self->socket, NULL, &frame) == 1) {
            rm_msg_t msg;
            if (rm_msg_decode (&msg, rm_frame_data (&frame), rm_frame_size (&frame), NULL))
                harness_fail ("the master sent what is no message");
            take (self, &msg);
            rm_msg_close (&msg);
        }
        if (rm_clock_ms () > give_up)
            harness_fail ("only %llu jobs ended in time", (unsigned long long)self->done);
    }
    rm_frame_close (&frame);
}

static double throughput (const options_t *options, const char *endpoint)
{
    rm_endpoint_t master;
    rm_endpoint_parse (&master, endpoint, NULL);
    load_t load = {.options = options, .next_seq = 1};
    load.socket = rm_socket_connect (RM_SOCKET_JOBS_DEALER, &master, NULL);
    rm_random_fill (load.session.bytes, sizeof load.session.bytes);
    load.batches = rm_calloc ((size_t)options->window, sizeof *load.batches);
    load.jobs = rm_calloc ((size_t)options->batch, sizeof *load.jobs);
    load.keys = rm_calloc ((size_t)options->batch, sizeof *load.keys);
    load.ids = rm_calloc ((size_t)options->batch, sizeof *load.ids);
    load.payload = rm_calloc (1, (size_t)options->size + 1);
    uint64_t begun = rm_clock_us ();
    drive (&load);
    double seconds = (double)(rm_clock_us () - begun) / 1e6;
    rm_socket_close (&load.socket);
    rm_free (load.batches);
    rm_free (load.jobs);
    rm_free (load.keys);
    rm_free (load.ids);
    rm_free (load.payload);
    rm_buf_close (&load.frame);
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
    printf ("durable jobs/s, end to end: %.0f (%u master%s, %lld jobs of %lld bytes, %lld a message, %lld workers of "
            "%lld threads, %lld keys)\n",
            rate, masters, masters > 1 ? "s" : "", (long long)options->jobs, (long long)options->size,
            (long long)options->batch, (long long)options->workers, (long long)options->threads,
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
                         .batch = 256,
                         .window = 32,
                         .workers = 2,
                         .threads = 2,
                         .size = 64,
                         .calls = 1000,
                         .masters = 1,
                         .rounds = 3};
    const rm_option_t table[] = {
        RM_SECTION ("Options"),
        RM_NUMBER (0, "jobs", "N", 1, 100000000, "jobs in all (400000)", &options.jobs),
        RM_NUMBER (0, "batch", "N", 1, RM_MESSAGE_JOBS_MAX, "jobs in a message (256)", &options.batch),
        RM_NUMBER (0, "window", "N", 1, 1024, "messages outstanding (32)", &options.window),
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
    options.jobs -= options.jobs % options.batch;
    if (!options.jobs)
        return rm_options_refuse (&program, NULL, "--jobs must be at least --batch");
    rm_net_init ();
    if (options.masters == 1)
        measure (&options, 1);
    else
        compare (&options);
    rm_net_term ();
    return 0;
}
