#include "alloc_world.h"

#include <stdlib.h>
#include <string.h>

#include "core/leader.h"
#include "core/work.h"
#include "ledger_check.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"
#include "sweep.h"

enum {
    WORKERS = 3,
    FRAMES_MAX = 64,
    LOG_MAX = 400,
    JOBS = 20,
    RUNNING_MAX = 32,
    TURN_MS = 100,
    PATIENCE_TURNS = 400, /* after which what is waited for will not come */
    DROUGHT_TURNS = 25    /* a worker is without memory for so long */
};

typedef struct {
    rm_work_t *half;
    rm_msg_t inbox[FRAMES_MAX];
    uint8_t *frames[FRAMES_MAX]; /* what the messages alias */
    uint32_t inbox_count;
    rm_work_job_t *offered[RUNNING_MAX], *running[RUNNING_MAX];
    uint32_t offered_count, running_count;
    bool wanted; /* its process is to be there */
} worker_t;

static rm_state_t state;
static rm_leader_t leader;
static rm_now_t now;
static worker_t workers[WORKERS];
static world_subject_t subject;
static uint64_t leaders, randoms;
static uint32_t turns, failed_turn;
static bool finishes; /* workers end what they run; until then each runs one job, and others wait there */

static struct {
    uint8_t *data;
    size_t size;
    uint64_t number;
} entries[LOG_MAX];
static uint32_t entry_count, applied_count;

static uint64_t ids[JOBS + 1]; /* the client's jobs by request number; 0: not accepted yet */
static uint32_t results;       /* of the long poll */

/* Whose requests for memory come next. */
static void in_leader (void)
{
    memory_counts (subject == WORLD_LEADER);
}

static void in_worker (const worker_t *worker)
{
    memory_counts (subject == WORLD_WORKER && worker == &workers[0]);
}

static void outside (void)
{
    memory_counts (false);
}

/* ---- messages ------------------------------------------------------------------------------------------------------- */

static void to_client (void *arg, const rm_address_t *to, rm_msg_type_t type, rm_buf_t *frame)
{
    (void)arg, (void)to;
    rm_msg_t msg;
    outside ();
    cr_assert_eq (rm_msg_decode (&msg, frame->data, frame->size, NULL), 0);
    for (uint32_t i = 0; type == RM_MSG_ACCEPTED && i < msg.accepted.job_count; i++) {
        uint64_t *id = &ids[msg.accepted.jobs[i].seq];
        cr_assert (!*id || *id == msg.accepted.jobs[i].id, "the same request is another job");
        *id = msg.accepted.jobs[i].id;
    }
    results += type == RM_MSG_RESULT;
    rm_msg_close (&msg);
    in_leader ();
}

static void put (worker_t *worker, const rm_buf_t *frame)
{
    uint32_t n = worker->inbox_count;
    if (!worker->half || n == FRAMES_MAX)
        return;
    worker->frames[n] = malloc (frame->size);
    memcpy (worker->frames[n], frame->data, frame->size);
    cr_assert_eq (rm_msg_decode (&worker->inbox[n], worker->frames[n], frame->size, NULL), 0);
    worker->inbox_count++;
}

static void to_worker (void *arg, const rm_address_t *to, rm_msg_type_t type, uint32_t phase, rm_buf_t *frame)
{
    (void)arg, (void)type, (void)phase;
    outside ();
    if (to->size)
        put (&workers[to->data[0]], frame);
    in_leader ();
}

static void publish (void *arg, uint32_t phase, rm_buf_t *frame)
{
    (void)arg, (void)phase;
    outside ();
    for (int i = 0; i < WORKERS; i++)
        put (&workers[i], frame);
    in_leader ();
}

static void from_client (const rm_msg_t *msg)
{
    static const rm_address_t client = {1, {'c'}};
    in_leader ();
    rm_leader_from_client (&leader, now, &client, msg);
    outside ();
}

/* ---- the master ----------------------------------------------------------------------------------------------------- */

static void stand (void)
{
    static const rm_leader_out_t out = {.to_client = to_client, .to_worker = to_worker, .publish = publish};
    rm_leader_config_t config = rm_leader_defaults ();
    config.session_ttl_ms = config.keep_ms = 6000;
    in_leader ();
    rm_leader_init (&leader, &state, &config, &out, ++leaders);
    rm_leader_stand (&leader, now);
    outside ();
}

/* Applies what is in the log; RM_ENOMEM stops the node, and a leader without memory is told nothing more. */
static int catch_up (void)
{
    int rc = 0;
    in_leader ();
    while (!rc && !leader.out_of_memory && applied_count < entry_count) {
        rc = rm_state_apply (&state, entries[applied_count].data, entries[applied_count].size);
        uint64_t number = entries[applied_count++].number;
        if (!rc && number)
            rm_leader_applied (&leader, now, number);
    }
    outside ();
    return rc;
}

/* What the leader has to say goes into the log, and stays there. */
static void propose (void)
{
    in_leader ();
    for (rm_batch_t *batch; (batch = rm_leader_take_batch (&leader, now)); rm_batch_destroy (&batch)) {
        cr_assert_lt (entry_count, LOG_MAX);
        entries[entry_count].data = malloc (batch->bytes.size);
        memcpy (entries[entry_count].data, batch->bytes.data, batch->bytes.size);
        entries[entry_count].size = batch->bytes.size;
        entries[entry_count++].number = batch->number;
    }
    outside ();
}

/* The node stops, and starts again with its log. Nothing that was told to anybody may be missing. */
static void start_again (void)
{
    cr_assert (memory_failed ());
    in_leader ();
    rm_leader_close (&leader);
    rm_state_close (&state);
    memset (&leader, 0, sizeof leader);
    outside ();
    memory_returns ();
    cr_assert_eq (rm_state_init (&state), 0);
    applied_count = 0;
    for (uint32_t i = 0; i < entry_count; i++)
        entries[i].number = 0; /* of another leadership */
    cr_assert_eq (catch_up (), 0);
    for (int seq = 1; seq <= JOBS; seq++)
        cr_assert_leq (ids[seq], state.last_id, "accepted, and not in the log");
    stand ();
}

/* One turn of the daemon's loop: what came, the ledger, what goes out; then it looks whether it may go on. */
static void master_turn (void)
{
    in_leader ();
    rm_leader_tick (&leader, now);
    rm_leader_flush (&leader, now);
    propose ();
    int rc = catch_up ();
    in_leader ();
    rm_leader_flush (&leader, now);
    propose ();
    if (!rc && turns % 2) /* a disk that is slow now and then: batches are applied together */
        rc = catch_up ();
    cr_assert (rc == 0 || rc == RM_ENOMEM);
    bool failed = memory_failed () && subject == WORLD_LEADER;
    cr_assert_eq (failed && leaders == 1, rc != 0 || leader.out_of_memory, "no memory, and nobody was told");
    if (rc || leader.out_of_memory)
        start_again ();
}

/* ---- workers -------------------------------------------------------------------------------------------------------- */

static void tell (uint8_t number, const rm_msg_t *msg)
{
    rm_address_t from = {1, {number}};
    in_leader ();
    rm_leader_from_worker (&leader, now, &from, msg);
    outside ();
}

/* What a worker does not name it has handed back: a message for which there was no memory is better not sent at all. */
static void claim_tells_all (const worker_t *self, const rm_msg_t *msg)
{
    uint32_t held = rm_work_held_count (self->half);
    if (msg->type == RM_MSG_HEARTBEAT)
        cr_assert_eq (msg->heartbeat.report.held_count, held);
    if (msg->type == RM_MSG_DONE)
        cr_assert_eq (msg->done.report.held_count, held);
    if (msg->type == RM_MSG_SYNC && msg->sync.phase < 3)
        cr_assert_eq (msg->sync.report.held_count, held);
}

static void drop (rm_work_job_t **jobs, uint32_t *count, const rm_work_job_t *job)
{
    for (uint32_t i = 0; i < *count; i++)
        if (jobs[i] == job)
            jobs[i] = jobs[--*count];
}

static void lose (worker_t *self)
{
    outside ();
    for (; self->inbox_count; self->inbox_count--) {
        rm_msg_close (&self->inbox[self->inbox_count - 1]);
        free (self->frames[self->inbox_count - 1]);
    }
}

static void kill_worker (worker_t *self)
{
    lose (self);
    self->offered_count = self->running_count = 0;
    in_worker (self);
    rm_work_destroy (&self->half);
    outside ();
}

static void start_worker (worker_t *self)
{
    static const char *const queues[] = {"q"};
    static const char *const names[] = {"w0", "w1", "w2"};
    rm_work_config_t config = {
        .name = names[self - workers], .pool = "default", .queues = queues, .queue_count = 1, .threads = 6};
    in_worker (self);
    self->half = rm_work_new (&config); /* NULL: there is no memory; in the next turn then */
    if (self->half)
        rm_work_connected (self->half, now.mono_ms);
    outside ();
}

static void follow (worker_t *self, const rm_work_effects_t *effects)
{
    bool over = effects->end != RM_WORK_GOES_ON, reconnect = effects->reconnect;
    for (rm_work_job_t *job = effects->starts, *next; job; job = next) {
        next = job->next_effect;
        cr_assert_lt (self->offered_count, RUNNING_MAX);
        self->offered[self->offered_count++] = job;
    }
    for (rm_work_job_t *job = effects->withdrawn, *next; job; job = next) {
        next = job->next_effect;
        drop (self->offered, &self->offered_count, job);
        rm_work_declined (self->half, job);
    }
    for (size_t i = 0; i < effects->send_count; i++) {
        claim_tells_all (self, &effects->sends[i]);
        tell ((uint8_t)(self - workers), &effects->sends[i]);
    }
    if (reconnect) {
        lose (self);
        rm_work_connected (self->half, now.mono_ms);
    }
    if (over)
        kill_worker (self);
}

static void run_jobs (worker_t *self)
{
    while (self->offered_count && (finishes || !self->running_count)) {
        rm_work_job_t *job = self->offered[--self->offered_count];
        if (rm_work_try_start (self->half, job, now.mono_ms))
            self->running[self->running_count++] = job;
        else
            rm_work_declined (self->half, job);
    }
    while (finishes && self->running_count) {
        rm_work_job_t *job = self->running[--self->running_count];
        bool fails = job->id == 3 && job->attempt == 1;
        job->result.verdict = fails ? RM_VERDICT_RETRY : RM_VERDICT_OK;
        rm_buf_put (fails ? &job->result.reason : &job->result.data, "result", 6);
        rm_work_finished (self->half, job);
    }
}

static void worker_turn (worker_t *self)
{
    if (!self->half && self->wanted)
        start_worker (self);
    if (!self->half)
        return;
    in_worker (self);
    for (uint32_t i = 0; i < self->inbox_count; i++)
        rm_work_receive (self->half, &self->inbox[i], now.mono_ms);
    lose (self);
    in_worker (self);
    run_jobs (self);
    rm_work_tick (self->half, now.mono_ms, ++randoms * 0x9e3779b97f4a7c15u);
    const rm_work_effects_t *effects = rm_work_effects (self->half, now.mono_ms);
    outside ();
    follow (self, effects);
}

/* ---- the client ----------------------------------------------------------------------------------------------------- */

/* One is at-most-once; retries outlast a worker without memory. */
static rm_submit_job_t job_of (uint64_t seq)
{
    static const rm_bytes_t keys[] = {{"bob", 3}, {"eve", 3}, {0}, {"mallory", 7}, {"trent", 5}, {"peggy", 5}};
    return (rm_submit_job_t){.seq = seq,
                             .queue = {"q", 1},
                             .key = keys[seq % 6],
                             .data = {"payload", 7},
                             .tries = 60,
                             .flags = seq == 5 && subject == WORLD_LEADER ? RM_JOB_AT_MOST_ONCE : 0};
}

/* Half of them before anybody serves their queue, the others in one batch with a worker's join. */
static void submit_missing (void)
{
    rm_submit_job_t jobs[JOBS];
    uint32_t count = 0;
    bool joins = !rm_list_empty (&leader.joins) || state.member_count;
    for (uint64_t seq = 1; seq <= JOBS; seq++)
        if (!ids[seq] && (seq <= JOBS / 2 || joins))
            jobs[count++] = job_of (seq);
    rm_msg_t msg = {.type = RM_MSG_SUBMIT};
    msg.submit = (rm_msg_submit_t){.session = {{7}}, .jobs = jobs, .job_count = count};
    if (count)
        from_client (&msg);
}

static bool all_accepted (void)
{
    for (int seq = 1; seq <= JOBS; seq++)
        if (!ids[seq])
            return false;
    return true;
}

static void wait_for_all (void)
{
    rm_msg_t msg = {.type = RM_MSG_WAIT};
    msg.wait = (rm_msg_wait_t){{{7}}, ids + 1, JOBS, 2000, 0, 0, 0, 0};
    from_client (&msg);
}

/* ---- time ----------------------------------------------------------------------------------------------------------- */

static void turn (void)
{
    now.mono_ms += TURN_MS;
    now.wall_ms += TURN_MS;
    turns++;
    for (int i = 0; i < WORKERS; i++)
        worker_turn (&workers[i]);
    submit_missing ();
    master_turn ();
    if (subject == WORLD_WORKER && memory_failed ()) {
        failed_turn = failed_turn ? failed_turn : turns;
        if (turns > failed_turn + DROUGHT_TURNS)
            memory_returns ();
    }
}

static void until (bool (*comes_true) (void), const char *what)
{
    for (int left = PATIENCE_TURNS; !comes_true (); left--) {
        cr_assert (left, "it does not come about: %s", what);
        turn ();
    }
}

#define UNTIL(claim) until (claim, #claim)

static uint32_t member_count (void)
{
    uint32_t count = 0;
    for (int i = 0; i < WORKERS; i++)
        count += workers[i].half && rm_work_state (workers[i].half) == RM_WORK_LEASED;
    return count;
}

static uint32_t wanted_count (void)
{
    uint32_t count = 0;
    for (int i = 0; i < WORKERS; i++)
        count += workers[i].wanted;
    return count;
}

static bool all_joined (void)
{
    return member_count () == wanted_count () && state.member_count == wanted_count ();
}

static bool settled (void)
{
    return leader.leading && leader.resize.state == RM_RESIZE_IDLE && !leader.resize.wanted && all_joined ();
}

/* The job that is at most once may be lost with a worker or a master. */
static bool all_ended (void)
{
    return state.done_count + state.dead_count == JOBS && state.dead_count <= 1 && !state.waiting_count;
}

static bool something_runs (void)
{
    return workers[0].running_count > 0 || all_ended ();
}

static bool all_forgotten (void)
{
    return !state.sessions && !state.records.root;
}

/* ---- the story ------------------------------------------------------------------------------------------------------ */

static void begin (void)
{
    memset (workers, 0, sizeof workers);
    memset (ids, 0, sizeof ids);
    now = (rm_now_t){.mono_ms = 1000000, .wall_ms = 1700000000000};
    leaders = randoms = 0;
    turns = failed_turn = results = entry_count = applied_count = 0;
    finishes = false;
    cr_assert_eq (rm_state_init (&state), 0);
    stand ();
}

static void end (void)
{
    for (int i = 0; i < WORKERS; i++)
        kill_worker (&workers[i]);
    in_leader ();
    rm_leader_close (&leader);
    rm_state_close (&state);
    outside ();
    while (entry_count)
        free (entries[--entry_count].data);
}

/* What there was no memory for is behind it: the rest of the story would be told as in all other tellings. */
static bool recovered (void)
{
    return memory_failed () && (subject == WORLD_WORKER || leaders > 1);
}

/* Up to the moment in which memory runs out, and past it. */
static void tell_all (void)
{
    workers[0].wanted = true;
    UNTIL (settled);
    UNTIL (all_accepted);
    wait_for_all ();
    UNTIL (something_runs);
    workers[1].wanted = workers[2].wanted = true; /* a resize with jobs in flight */
    turn ();
    turn ();
    turn ();
    finishes = true;
    UNTIL (settled);
    if (recovered ())
        return;
    kill_worker (&workers[1]); /* dies, and comes again as another incarnation */
    UNTIL (settled);
    workers[2].wanted = false;
    if (workers[2].half)
        rm_work_stop (workers[2].half, now.mono_ms);
    UNTIL (settled);
    if (!recovered ())
        UNTIL (all_forgotten);
}

void world_story (world_subject_t whose)
{
    subject = whose;
    begin ();
    tell_all ();
    UNTIL (all_ended);
    cr_assert_eq (state.last_id, JOBS, "a job was accepted twice");
    cr_assert (memory_failed () || results, "the long poll was not answered");
    claim_t broken = check_state (&state);
    cr_assert_null (broken, "%s", broken);
    end ();
}
