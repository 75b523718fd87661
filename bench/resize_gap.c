/*  What a resize costs keys that do not move: 1,000 keys flow, each with one short job at a time, while 8 other keys' long
 *  jobs run; then a worker joins. For each key whose slot stays, the longest time between two of its completions, during
 *  the resize and in a quiet time just before it, of the same length.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "core/ring.h"
#include "net/clock.h"
#include "net/options.h"
#include "net/poll.h"
#include "net/random.h"
#include "net/socket.h"
#include "proto/alloc.h"
#include "proto/msg.h"
#include "ringmaster/client.h"

enum { LONG_KEYS = 8, LONG_MS = 1500 };

typedef struct {
    char name[16];
    uint32_t slot;
    bool moves;
    uint64_t seq, id;   /* of its job under way */
    uint64_t done_us;   /* its newest completion */
    uint64_t gap_us[2]; /* the longest: before, during */
} flow_key_t;

typedef struct {
    int64_t keys, workers;
    rm_socket_t *socket;
    rm_session_id_t session;
    uint64_t next_seq;
    flow_key_t *list;
    rm_buf_t frame;
    uint64_t resize_us[2]; /* when it began and ended; 0: not yet */
} flow_t;

static void send_msg (flow_t *self, const rm_msg_t *msg)
{
    rm_buf_clear (&self->frame);
    if (rm_msg_encode (msg, &self->frame))
        harness_fail ("memory ran out");
    int rc;
    while ((rc = rm_socket_send (self->socket, NULL, self->frame.data, self->frame.size)) == RM_EBUSY)
        rm_poll (&(rm_poll_t){.socket = self->socket, .wants_write = true}, 1, 100);
    if (rc)
        harness_fail ("cannot send: %s", rm_strerror (rc));
}

static uint64_t lowest_seq (const flow_t *self)
{
    uint64_t lowest = self->next_seq;
    for (int64_t i = 0; i < self->keys; i++)
        if (self->list[i].seq && !self->list[i].id && self->list[i].seq < lowest)
            lowest = self->list[i].seq;
    return lowest;
}

static void submit (flow_t *self, flow_key_t *key)
{
    key->seq = self->next_seq++;
    key->id = 0;
    rm_submit_job_t job = {.seq = key->seq, .queue = {"flow", 4}, .key = {key->name, (uint32_t)strlen (key->name)}};
    job.data = (rm_bytes_t){"x", 1};
    rm_msg_t msg = {.type = RM_MSG_SUBMIT};
    msg.submit = (rm_msg_submit_t){self->session, lowest_seq (self) - 1, &job, 1};
    send_msg (self, &msg);
}

/* Which stretch of time a moment belongs to: 0 before the resize, 1 during it, -1 later. */
static int stretch (const flow_t *self)
{
    if (!self->resize_us[0])
        return 0;
    return self->resize_us[1] ? -1 : 1;
}

static void completed (flow_t *self, flow_key_t *key)
{
    uint64_t now = rm_clock_us ();
    int when = stretch (self);
    if (key->done_us && when >= 0 && now - key->done_us > key->gap_us[when])
        key->gap_us[when] = now - key->done_us;
    key->done_us = now;
    submit (self, key);
}

static void take (flow_t *self, const rm_msg_t *msg)
{
    if (msg->type != RM_MSG_ACCEPTED && msg->type != RM_MSG_RESULT)
        harness_fail ("the master answered %s", rm_msg_name (msg->type));
    bool accepted = msg->type == RM_MSG_ACCEPTED;
    uint64_t value = accepted ? msg->accepted.jobs[0].seq : msg->result.jobs[0].id;
    for (int64_t i = 0; i < self->keys; i++) {
        flow_key_t *key = &self->list[i];
        if ((accepted ? key->seq : key->id) != value)
            continue;
        if (!accepted && msg->result.jobs[0].outcome == RM_OUTCOME_DONE) {
            completed (self, key);
            return;
        }
        if (accepted)
            key->id = msg->accepted.jobs[0].id;
        rm_msg_t wait = {.type = RM_MSG_WAIT};
        wait.wait = (rm_msg_wait_t){self->session, &key->id, 1, 10000, 0, 0, 0, 0};
        send_msg (self, &wait);
        return;
    }
}

static void flow_for (flow_t *self, uint64_t ms)
{
    rm_frame_t frame = {{0}};
    uint64_t end = rm_clock_ms () + ms;
    while (rm_clock_ms () < end) {
        rm_poll_t item = {.socket = self->socket};
        rm_poll (&item, 1, 5);
        for (int i = 0; i < 256 && rm_socket_recv (self->socket, NULL, &frame) == 1; i++) {
            rm_msg_t msg;
            if (rm_msg_decode (&msg, rm_frame_data (&frame), rm_frame_size (&frame), NULL))
                harness_fail ("the master sent what is no message");
            take (self, &msg);
            rm_msg_close (&msg);
        }
    }
    rm_frame_close (&frame);
}

/* Owner of each slot, as `ring` answers it. */
static void read_ring (rm_client_t *client, char owners[RM_SLOTS][32], int *moving)
{
    const char *text;
    if (rm_client_query (client, "ring", 0, NULL, 0, 5000, &text))
        harness_fail ("no ring: %s", rm_client_error (client));
    json_t *ring = json_loads (text, 0, NULL);
    json_t *pool = json_array_get (json_object_get (ring, "pools"), 0), *range;
    size_t index;
    *moving = (int)json_integer_value (json_object_get (pool, "moving"));
    json_array_foreach (json_object_get (pool, "ranges"), index, range)
        for (json_int_t slot = json_integer_value (json_array_get (range, 0));
             slot <= json_integer_value (json_array_get (range, 1)); slot++)
            snprintf (owners[slot], sizeof owners[slot], "%s", json_string_value (json_array_get (range, 2)));
    json_decref (ring);
}

static bool owns_any (char owners[RM_SLOTS][32], const char *worker)
{
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
        if (!strcmp (owners[slot], worker))
            return true;
    return false;
}

static void start_long_jobs (rm_client_t *client)
{
    for (int i = 0; i < LONG_KEYS; i++) {
        char key[16], ms[16];
        uint64_t id;
        snprintf (key, sizeof key, "long%d", i);
        int size = snprintf (ms, sizeof ms, "%d", LONG_MS);
        if (rm_client_submit (client, rm_spec ("long", .key = key, .data = ms, .size = (size_t)size), 5000, &id))
            harness_fail ("cannot submit: %s", rm_client_error (client));
    }
}

static void report (const flow_t *self)
{
    uint64_t gaps[2][2] = {{0}};
    int64_t counts[2] = {0};
    for (int64_t i = 0; i < self->keys; i++) {
        const flow_key_t *key = &self->list[i];
        counts[key->moves]++;
        for (int when = 0; when < 2; when++)
            if (key->gap_us[when] > gaps[key->moves][when])
                gaps[key->moves][when] = key->gap_us[when];
    }
    printf ("resize: %.0f ms from begin to commit, %lld keys stayed, %lld moved, %d long jobs of %d ms ran\n",
            (double)(self->resize_us[1] - self->resize_us[0]) / 1000, (long long)counts[0], (long long)counts[1],
            LONG_KEYS, LONG_MS);
    printf ("largest gap of a key that stayed: %.1f ms during the resize, %.1f ms before it\n",
            (double)gaps[0][1] / 1000, (double)gaps[0][0] / 1000);
    printf ("largest gap of a key that moved:  %.1f ms during the resize, %.1f ms before it\n",
            (double)gaps[1][1] / 1000, (double)gaps[1][0] / 1000);
}

static void run (flow_t *self, bench_cluster_t *cluster, rm_client_t *client)
{
    static char before[RM_SLOTS][32], after[RM_SLOTS][32];
    static const char *const queues[] = {"flow=builtin:echo", "long=builtin:sleep", NULL};
    int moving;
    for (int64_t i = 0; i < self->workers; i++) {
        char name[32];
        snprintf (name, sizeof name, "w%lld", (long long)i + 1);
        bench_cluster_worker (cluster, name, 8, queues);
    }
    do {
        sleep_ms (100);
        read_ring (client, before, &moving);
    } while (moving);
    for (int64_t i = 0; i < self->keys; i++)
        submit (self, &self->list[i]);
    flow_for (self, 1000);
    start_long_jobs (client);
    for (int64_t i = 0; i < self->keys; i++)
        self->list[i].gap_us[0] = 0;
    flow_for (self, LONG_MS);
    start_long_jobs (client);
    flow_for (self, 100);
    self->resize_us[0] = rm_clock_us ();
    bench_cluster_worker (cluster, "joiner", 8, queues);
    do {
        flow_for (self, 20);
        read_ring (client, after, &moving);
    } while (moving || !owns_any (after, "joiner"));
    self->resize_us[1] = rm_clock_us ();
    for (int64_t i = 0; i < self->keys; i++)
        self->list[i].moves = strcmp (before[self->list[i].slot], after[self->list[i].slot]) != 0;
    report (self);
}

int main (int argc, char **argv)
{
    flow_t flow = {.keys = 1000, .workers = 3, .next_seq = 1};
    const rm_option_t table[] = {
        RM_SECTION ("Options"),
        RM_NUMBER (0, "keys", "N", 1, 100000, "keys that flow (1000)", &flow.keys),
        RM_NUMBER (0, "workers", "N", 1, 16, "workers before the join (3)", &flow.workers),
        RM_OPTIONS_END,
    };
    const rm_program_t program = {.self = {.name = "bench_resize_gap",
                                           .about = "Measures how long a resize holds up keys that do not move.",
                                           .options = table},
                                  .version = RM_VERSION};
    rm_parsed_t parsed;
    int exit_code;
    if (!rm_options_parse (&parsed, &program, argc, argv, &exit_code))
        return exit_code;
    bench_cluster_t cluster = {0};
    rm_endpoint_t master;
    rm_net_init ();
    bench_cluster_start (&cluster, 1);
    rm_client_t *client = rm_client_new (cluster.jobs);
    rm_endpoint_parse (&master, cluster.jobs, NULL);
    flow.socket = rm_socket_connect (RM_SOCKET_JOBS_DEALER, &master, NULL);
    rm_random_fill (flow.session.bytes, sizeof flow.session.bytes);
    flow.list = rm_calloc ((size_t)flow.keys, sizeof *flow.list);
    for (int64_t i = 0; i < flow.keys; i++) {
        int size = snprintf (flow.list[i].name, sizeof flow.list[i].name, "key%lld", (long long)i);
        flow.list[i].slot = rm_ring_slot (flow.list[i].name, (size_t)size);
    }
    run (&flow, &cluster, client);
    rm_client_destroy (&client);
    rm_socket_close (&flow.socket);
    rm_free (flow.list);
    rm_buf_close (&flow.frame);
    bench_cluster_stop (&cluster);
    rm_net_term ();
    return 0;
}
