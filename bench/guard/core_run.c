/*  A deterministic run of everything that decides, in one process and without a system call a job: messages are encoded
 *  and decoded as on the wire, batches are applied as from the log, and a leader, its state and two workers' halves do what
 *  they do in the daemons. bench/guard/guard counts its instructions.
 *
 *      core_run WORKLOAD JOBS      WORKLOAD: unkeyed | keyed | single
 *
 *  unkeyed, keyed: a window of 1024 jobs in messages of 64. single: one job at a time, its round trip to the end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/leader.h"
#include "core/work.h"
#include "proto/msg.h"

enum {
    WORKERS = 2,
    WINDOW = 1024,
    BATCH = 64,
    PAYLOAD_BYTES = 100,
    KEYS = 1000,
    QUEUE_FRAMES = 4096,
    STARTED_MAX = 8192
};

/* Frames on their way, in order. */
typedef struct {
    rm_buf_t frames[QUEUE_FRAMES];
    uint32_t first, count;
} pipe_t;

typedef struct {
    rm_work_t *half;
    pipe_t inbox;
    rm_address_t address;
    rm_work_job_t *started[STARTED_MAX];
    uint32_t started_count;
} worker_t;

static rm_state_t state;
static rm_leader_t leader;
static rm_now_t now = {.mono_ms = 1000, .wall_ms = 1700000000000};
static worker_t workers[WORKERS];
static pipe_t client_inbox;
static rm_address_t client_address = {.size = 6, .data = "client"};
static rm_session_id_t session = {.bytes = {1, 2, 3}};
static rm_buf_t frame;
static uint8_t payload[PAYLOAD_BYTES];
static uint64_t jobs_wanted, next_seq = 1, floor_seq, done;
static bool keyed;
static uint32_t batch_jobs = BATCH, window = WINDOW;

static void fail (const char *what)
{
    fprintf (stderr, "core_run: %s\n", what);
    exit (1);
}

/* ---- frames ---- */

static void push (pipe_t *pipe, const rm_buf_t *bytes)
{
    if (pipe->count == QUEUE_FRAMES)
        fail ("too many frames on their way");
    rm_buf_t *place = &pipe->frames[(pipe->first + pipe->count++) % QUEUE_FRAMES];
    rm_buf_clear (place);
    rm_buf_put (place, bytes->data, bytes->size);
}

static bool pull (pipe_t *pipe, rm_msg_t *msg)
{
    if (!pipe->count)
        return false;
    rm_buf_t *bytes = &pipe->frames[pipe->first];
    pipe->first = (pipe->first + 1) % QUEUE_FRAMES;
    pipe->count--;
    const char *why;
    if (rm_msg_decode (msg, bytes->data, bytes->size, &why) != 0)
        fail (why);
    return true;
}

static void to_client (void *arg, const rm_address_t *to, rm_msg_type_t type, rm_buf_t *bytes)
{
    (void)arg, (void)to, (void)type;
    push (&client_inbox, bytes);
}

static void to_worker (void *arg, const rm_address_t *to, rm_msg_type_t type, uint32_t phase, rm_buf_t *bytes)
{
    (void)arg, (void)type, (void)phase;
    push (&workers[to->data[0]].inbox, bytes);
}

static void publish (void *arg, uint32_t phase, rm_buf_t *bytes)
{
    (void)arg, (void)phase;
    for (unsigned i = 0; i < WORKERS; i++)
        push (&workers[i].inbox, bytes);
}

/* What a peer says arrives at the leader as it would over the wire. */
static void say (const rm_msg_t *msg, const rm_address_t *worker)
{
    rm_msg_t heard;
    const char *why;
    rm_buf_clear (&frame);
    if (rm_msg_encode (msg, &frame) != 0 || rm_msg_decode (&heard, frame.data, frame.size, &why) != 0)
        fail ("a message that cannot be said");
    if (worker)
        rm_leader_from_worker (&leader, now, worker, &heard);
    else
        rm_leader_from_client (&leader, now, &client_address, &heard);
    rm_msg_close (&heard);
}

/* ---- the client ---- */

static void submit (void)
{
    static rm_submit_job_t jobs[BATCH];
    static char keys[BATCH][16];
    uint32_t count = 0;
    rm_msg_t msg = {.type = RM_MSG_SUBMIT};
    for (; count < batch_jobs && next_seq <= jobs_wanted; count++, next_seq++) {
        jobs[count] = (rm_submit_job_t){.seq = next_seq, .queue = {"q", 1}, .data = {payload, PAYLOAD_BYTES}};
        if (keyed)
            jobs[count].key =
                (rm_bytes_t){keys[count], (uint32_t)snprintf (keys[count], 16, "key%" PRIu64, next_seq % KEYS)};
    }
    if (!count)
        return;
    msg.submit = (rm_msg_submit_t){.session = session, .floor = floor_seq, .jobs = jobs, .job_count = count};
    say (&msg, NULL);
}

static void wait_for (const rm_msg_accepted_t *accepted)
{
    static uint64_t ids[BATCH];
    for (uint32_t i = 0; i < accepted->job_count; i++)
        ids[i] = accepted->jobs[i].id;
    floor_seq = accepted->jobs[accepted->job_count - 1].seq;
    const rm_msg_t msg = {
        .type = RM_MSG_WAIT,
        .wait = {.session = session, .ids = ids, .id_count = accepted->job_count, .timeout_ms = 10000}};
    say (&msg, NULL);
}

static void client_takes (const rm_msg_t *msg)
{
    if (msg->type == RM_MSG_ACCEPTED) {
        wait_for (&msg->accepted);
        return;
    }
    if (msg->type != RM_MSG_RESULT)
        fail ("the client was told something else");
    for (uint32_t i = 0; i < msg->result.job_count; i++)
        if (msg->result.jobs[i].outcome != RM_OUTCOME_DONE || msg->result.jobs[i].data.size != PAYLOAD_BYTES)
            fail ("a job that was not done");
    done += msg->result.job_count;
    submit ();
}

/* ---- the workers: echo ---- */

static void act (worker_t *self)
{
    const rm_work_effects_t *effects = rm_work_effects (self->half, now.mono_ms);
    for (size_t i = 0; i < effects->send_count; i++)
        say (&effects->sends[i], &self->address);
    self->started_count = 0;
    for (rm_work_job_t *job = effects->starts, *next; job; job = next) {
        next = job->next_effect;
        if (self->started_count == STARTED_MAX)
            fail ("a worker that holds too much");
        self->started[self->started_count++] = job;
    }
    for (uint32_t i = 0; i < self->started_count; i++) {
        rm_work_job_t *job = self->started[i];
        if (!rm_work_try_start (self->half, job, now.mono_ms)) {
            rm_work_declined (self->half, job);
            continue;
        }
        job->result.verdict = RM_VERDICT_OK;
        job->result.ran_us = 10;
        rm_buf_put (&job->result.data, job->data.data, job->data.size);
        rm_work_finished (self->half, job);
    }
}

static bool worker_turn (worker_t *self)
{
    rm_msg_t msg;
    bool any = false;
    while (pull (&self->inbox, &msg)) {
        rm_work_receive (self->half, &msg, now.mono_ms);
        rm_msg_close (&msg);
        any = true;
    }
    rm_work_tick (self->half, now.mono_ms, now.mono_ms * WORKERS + self->address.data[0]);
    act (self);
    act (self); /* what follows from having run */
    return any;
}

/* ---- the master ---- */

static bool master_turn (void)
{
    bool any = false;
    rm_leader_flush (&leader, now);
    for (rm_batch_t *batch; (batch = rm_leader_take_batch (&leader, now)); any = true) {
        if (rm_state_apply (&state, batch->bytes.data, batch->bytes.size) != 0)
            fail ("a batch that does not apply");
        rm_leader_applied (&leader, now, batch->number);
        rm_batch_destroy (&batch);
    }
    return any;
}

/* Until nothing moves. */
static void turn (void)
{
    for (bool any = true; any;) {
        rm_msg_t msg;
        any = master_turn ();
        for (unsigned i = 0; i < WORKERS; i++)
            any |= worker_turn (&workers[i]);
        while (pull (&client_inbox, &msg)) {
            client_takes (&msg);
            rm_msg_close (&msg);
            any = true;
        }
    }
}

static void pass (uint64_t ms)
{
    now.mono_ms += ms;
    now.wall_ms += ms;
    rm_leader_tick (&leader, now);
    turn ();
}

static void begin (void)
{
    static const rm_leader_out_t out = {.to_client = to_client, .to_worker = to_worker, .publish = publish};
    static const char *const queues[] = {"q"};
    static const char *const names[WORKERS] = {"a", "b"};
    const rm_leader_config_t config = rm_leader_defaults ();
    if (rm_state_init (&state) != 0)
        fail ("no memory");
    rm_leader_init (&leader, &state, &config, &out, 1);
    rm_leader_stand (&leader, now);
    for (unsigned i = 0; i < WORKERS; i++) {
        const rm_work_config_t work = {
            .name = names[i], .pool = "default", .queues = queues, .queue_count = 1, .threads = 2};
        workers[i].address = (rm_address_t){.size = 1, .data = {(uint8_t)i}};
        workers[i].half = rm_work_new (&work);
        rm_work_connected (workers[i].half, now.mono_ms);
    }
    for (int i = 0; i < 100; i++) /* both join, and the ring is theirs */
        pass (10);
}

static void end (void)
{
    for (unsigned i = 0; i < WORKERS; i++)
        rm_work_destroy (&workers[i].half);
    rm_leader_close (&leader);
    rm_state_close (&state);
}

int main (int argc, char **argv)
{
    jobs_wanted = argc == 3 ? strtoull (argv[2], NULL, 10) : 0;
    keyed = argc == 3 && !strcmp (argv[1], "keyed");
    if (argc == 3 && !strcmp (argv[1], "single"))
        batch_jobs = window = 1;
    else if (argc != 3 || (!keyed && strcmp (argv[1], "unkeyed") != 0)) {
        fprintf (stderr, "usage: core_run unkeyed|keyed|single JOBS\n");
        return 2;
    }
    begin ();
    for (uint32_t i = 0; i < window / batch_jobs; i++)
        submit ();
    turn ();
    for (int stalls = 0; done < jobs_wanted; stalls++) {
        if (stalls == 1000)
            fail ("it stands still");
        pass (10);
    }
    end ();
    printf ("%s: %" PRIu64 " jobs done\n", argv[1], done);
    return 0;
}
