#include "fuzz_state.h" /* first: its parameters are called as the globals are */

#include "fuzz_cluster.h"

#include <stdlib.h>
#include <string.h>

enum { LOG_MAX = 4096, LOOK_EVERY = 16, QUEUES = 3 };

/* The books of tests/unit. */
void check_books (void);
void books_begin (void);

rm_state_t *state;
rm_leader_t *leader;
rm_now_t now;
worker_t workers[WORKERS];
client_t clients[CLIENTS];
bool lied, net_down;

static rm_state_t state_memory;
static rm_leader_t leader_memory;

static struct {
    rm_buf_t bytes;
    uint64_t number;
} entries[LOG_MAX]; /* the log */
static uint32_t entry_count, applied_count;

static uint64_t leaders, incarnations, looks, token;
static uint64_t results[JOBS_MAX * 4]; /* by id: what was said of its end, as a hash; 0: nothing yet */
static rm_buf_t phase_2;               /* the newest one published … */
static uint64_t phase_2_term, phase_2_epoch;
static uint64_t current_job; /* … the highest one answered in this (term, epoch) */
static uint64_t answer_term, answer_epoch;

/* ---- what the leader says ------------------------------------------------------------------------------------------- */

static rm_msg_t decoded (const rm_buf_t *frame, rm_msg_type_t type)
{
    rm_msg_t msg;
    const char *why = "";
    CLAIM (!rm_msg_decode (&msg, frame->data, frame->size, &why), "the leader sent what cannot be decoded: %s", why);
    CLAIM (msg.type == type);
    return msg;
}

/* Only what is applied is answered, and the answer stays the same. */
static void check_accepted (client_t *client, const rm_msg_accepted_t *accepted)
{
    if (memcmp (&accepted->session, &client->session, sizeof client->session))
        return; /* one it has given up */
    for (uint32_t i = 0; i < accepted->job_count; i++) {
        const rm_accepted_job_t *job = &accepted->jobs[i];
        CLAIM (job->id && job->id <= state->last_id, "accepted before it was applied");
        CLAIM (job->seq < SEQS_MAX && (!client->ids[job->seq] || client->ids[job->seq] == job->id),
               "the same request is another job");
        client->ids[job->seq] = job->id;
        const rm_ledger_session_t *session = rm_state_session (state, &client->session);
        const rm_request_t *request = session ? rm_session_request (session, job->seq) : NULL;
        CLAIM (request && request->id == job->id);
    }
}

static void begin_session (client_t *client)
{
    uint8_t number = client->session.bytes[0], generation = client->session.bytes[1];
    memset (client, 0, sizeof *client);
    client->session.bytes[0] = number;
    client->session.bytes[1] = generation + 1;
}

static uint64_t hash_of (const rm_result_job_t *job)
{
    uint64_t hash = 14695981039346656037u ^ job->outcome;
    for (uint32_t i = 0; i < job->data.size; i++)
        hash = (hash ^ ((const uint8_t *)job->data.data)[i]) * 1099511628211u;
    for (uint32_t i = 0; i < job->reason.size; i++)
        hash = (hash ^ ((const uint8_t *)job->reason.data)[i] ^ 256) * 1099511628211u;
    return hash | 1;
}

static void check_result (const rm_msg_result_t *result)
{
    for (uint32_t i = 0; i < result->job_count; i++) {
        const rm_result_job_t *job = &result->jobs[i];
        bool ended = job->outcome != RM_OUTCOME_NONE && job->outcome < RM_OUTCOME_GONE;
        if (!ended || job->id >= JOBS_MAX * 4)
            continue;
        uint64_t hash = hash_of (job);
        CLAIM (!results[job->id] || results[job->id] == hash, "job %lu has two outcomes", (unsigned long)job->id);
        results[job->id] = hash;
    }
}

static void to_client (void *arg, const rm_address_t *to, rm_msg_type_t type, rm_buf_t *frame)
{
    (void)arg;
    rm_msg_t msg = decoded (frame, type);
    CLAIM (to->size == 2 && to->data[0] == 'c' && to->data[1] < CLIENTS);
    if (type == RM_MSG_ACCEPTED)
        check_accepted (&clients[to->data[1]], &msg.accepted);
    if (type == RM_MSG_RESULT)
        check_result (&msg.result);
    if (type == RM_MSG_ERROR && msg.error.code == RM_EEXPIRED)
        begin_session (&clients[to->data[1]]);
    rm_msg_close (&msg);
}

/* A dispatch goes to a member; tokens grow, but for those that are sent again. */
static void check_dispatch (const rm_msg_dispatch_t *dispatch)
{
    const rm_member_t *member = rm_state_member (state, dispatch->inc);
    CLAIM (member && !member->peer->removing, "dispatched to somebody who was removed");
    CLAIM (dispatch->term == state->term);
    CLAIM (dispatch->seq + dispatch->job_count - 1 <= member->peer->last_seq);
    for (uint32_t i = 0; i < dispatch->job_count; i++) {
        const rm_dispatch_job_t *job = &dispatch->jobs[i];
        CLAIM (job->token >> 40 == state->term);
        CLAIM (job->token <= (state->term << 40 | leader->dispatches));
        token = job->token > token ? job->token : token;
        CLAIM (token >> 40 <= state->term, "a token of a later term");
    }
}

static void check_sync (const rm_msg_sync_t *sync, const rm_buf_t *frame)
{
    if (sync->phase != 2)
        return;
    bool same = phase_2.size && phase_2_term == sync->term && phase_2_epoch == sync->epoch;
    CLAIM (!same || same_bytes (&phase_2, frame), "two phases 2 of one epoch differ");
    bool answered = answer_term == sync->term && answer_epoch == sync->epoch;
    CLAIM (lied || !answered || sync->sync_to >= current_job, "sync_to is below a current_job");
    rm_buf_clear (&phase_2);
    rm_buf_put (&phase_2, frame->data, frame->size);
    phase_2_term = sync->term;
    phase_2_epoch = sync->epoch;
}

static void put_in_inbox (worker_t *worker, const rm_buf_t *frame)
{
    if (!worker->half || worker->inbox_count == INBOX_MAX)
        return;
    rm_buf_put (&worker->inbox[worker->inbox_count++], frame->data, frame->size);
}

static void to_worker (void *arg, const rm_address_t *to, rm_msg_type_t type, uint32_t phase, rm_buf_t *frame)
{
    (void)arg;
    rm_msg_t msg = decoded (frame, type);
    CLAIM ((type == RM_MSG_SYNC ? msg.sync.phase : 0) == phase);
    if (type == RM_MSG_DISPATCH)
        check_dispatch (&msg.dispatch);
    if (type == RM_MSG_SYNC)
        check_sync (&msg.sync, frame);
    rm_msg_close (&msg);
    /* A new leader knows no way to a worker before it has heard from it. */
    CLAIM (!to->size || (to->size == 2 && to->data[0] == 'w' && to->data[1] < WORKERS));
    if (to->size)
        put_in_inbox (&workers[to->data[1]], frame);
}

static void publish (void *arg, uint32_t phase, rm_buf_t *frame)
{
    (void)arg;
    rm_msg_t msg = decoded (frame, RM_MSG_SYNC);
    CLAIM (msg.sync.phase == phase && msg.sync.from_master);
    check_sync (&msg.sync, frame);
    rm_msg_close (&msg);
    for (uint32_t i = 0; i < WORKERS; i++)
        put_in_inbox (&workers[i], frame);
}

/* ---- the master ----------------------------------------------------------------------------------------------------- */

void stand (void)
{
    static const rm_leader_out_t out = {.to_client = to_client, .to_worker = to_worker, .publish = publish};
    rm_leader_config_t config = rm_leader_defaults ();
    config.session_ttl_ms = SESSION_TTL_MS; /* so that a short story sees them end */
    config.keep_ms = 10000;
    config.queue_jobs_max = 40;
    config.client_jobs_max = 30;
    leader = &leader_memory;
    rm_leader_init (leader, state, &config, &out, ++leaders);
    rm_leader_stand (leader, now);
}

void flush (void)
{
    rm_leader_flush (leader, now);
    for (rm_batch_t *batch; (batch = rm_leader_take_batch (leader, now)); rm_batch_destroy (&batch)) {
        CLAIM (entry_count < LOG_MAX, "the log grows without end");
        entries[entry_count].number = batch->number;
        entries[entry_count++].bytes = batch->bytes;
        batch->bytes = (rm_buf_t){0};
    }
    CLAIM (!leader->out_of_memory);
}

static void apply_next (rm_state_t *to)
{
    const rm_buf_t *bytes = &entries[applied_count++].bytes;
    CLAIM (!rm_state_apply (to, bytes->data, bytes->size), "an entry of the leader's is refused");
}

uint32_t unapplied (void)
{
    return entry_count - applied_count;
}

void apply (uint32_t most)
{
    while (most-- && unapplied ()) {
        uint64_t number = entries[applied_count].number;
        apply_next (state);
        rm_leader_applied (leader, now, number);
    }
}

static void lose_tail (uint32_t keep)
{
    while (unapplied () > keep)
        rm_buf_close (&entries[--entry_count].bytes);
}

void fail_over (uint32_t keep)
{
    lose_tail (keep);
    rm_leader_step_down (leader);
    look ();
    rm_leader_close (leader);
    leader = NULL;
    while (unapplied ())
        apply_next (state);
    stand ();
}

void crash_master (void)
{
    lose_tail (0);
    rm_buf_t before = bytes_of (state);
    rm_leader_close (leader);
    leader = NULL;
    rm_state_close (state);
    CLAIM (!rm_state_init (state));
    applied_count = 0;
    while (unapplied ())
        apply_next (state);
    rm_buf_t after = bytes_of (state);
    CLAIM (same_bytes (&before, &after), "the log makes another state");
    rm_buf_close (&before);
    rm_buf_close (&after);
    stand ();
}

void tick (uint64_t ms)
{
    now.mono_ms += ms;
    now.wall_ms += ms;
    rm_leader_tick (leader, now);
}

/* ---- workers -------------------------------------------------------------------------------------------------------- */

static rm_address_t address_of (char kind, uint8_t number)
{
    return (rm_address_t){2, {(uint8_t)kind, number}};
}

void tell (uint8_t number, const rm_msg_t *msg)
{
    rm_address_t from = address_of ('w', number);
    rm_buf_t frame = {0};
    rm_msg_t received;
    const char *why = "";
    CLAIM (!rm_msg_encode (msg, &frame));
    CLAIM (!rm_msg_decode (&received, frame.data, frame.size, &why), "a worker sent what cannot be decoded: %s", why);
    if (!net_down) {
        if (msg->type == RM_MSG_SYNC && msg->sync.phase == 1 && rm_state_member (state, msg->sync.report.inc)) {
            bool newer = msg->sync.term != answer_term || msg->sync.epoch != answer_epoch;
            current_job = newer || msg->sync.current_job > current_job ? msg->sync.current_job : current_job;
            answer_term = msg->sync.term;
            answer_epoch = msg->sync.epoch;
        }
        rm_leader_from_worker (leader, now, &from, &received);
    }
    rm_msg_close (&received);
    rm_buf_close (&frame);
}

static void drop (rm_work_job_t **jobs, uint32_t *count, const rm_work_job_t *job)
{
    for (uint32_t i = 0; i < *count; i++)
        if (jobs[i] == job) {
            jobs[i] = jobs[--*count];
            return;
        }
}

static void follow (worker_t *self, const rm_work_effects_t *effects)
{
    for (size_t i = 0; i < effects->send_count; i++)
        tell (self->number, &effects->sends[i]);
    bool reconnect = effects->reconnect, over = effects->end != RM_WORK_GOES_ON;
    for (rm_work_job_t *job = effects->starts, *next; job; job = next) {
        next = job->next_effect;
        CLAIM (self->offered_count < SHELL_JOBS_MAX);
        self->offered[self->offered_count++] = job;
    }
    for (rm_work_job_t *job = effects->withdrawn, *next; job; job = next) {
        next = job->next_effect;
        drop (self->offered, &self->offered_count, job);
        rm_work_declined (self->half, job);
    }
    if (reconnect)
        rm_work_connected (self->half, now.mono_ms);
    if (over)
        worker_kill (self);
}

void worker_turn (worker_t *self)
{
    if (!self->half)
        return;
    rm_work_tick (self->half, now.mono_ms, ++incarnations * 0x9e3779b97f4a7c15u);
    follow (self, rm_work_effects (self->half, now.mono_ms));
}

void worker_start (worker_t *self)
{
    static const char *const names[] = {"w0", "w1", "w2", "w3", "w1"};
    static const char *const queues[] = {"bank", "mail", "video"};
    if (self->half)
        return;
    bool green = self->number == WORKERS - 1; /* a pool of its own */
    rm_work_config_t config = {.name = names[self->number],
                               .pool = green ? "green" : "blue",
                               .queues = green ? queues + 2 : queues,
                               .queue_count = green ? 1 : 2,
                               .threads = 1 + self->number % 3u};
    self->half = rm_work_new (&config);
    CLAIM (self->half);
    rm_work_connected (self->half, now.mono_ms);
    worker_turn (self);
}

static void empty_inbox (worker_t *self)
{
    while (self->inbox_count)
        rm_buf_close (&self->inbox[--self->inbox_count]);
}

void worker_kill (worker_t *self)
{
    empty_inbox (self);
    self->offered_count = self->running_count = 0;
    rm_work_destroy (&self->half);
}

void worker_hear (worker_t *self, uint32_t most)
{
    uint32_t count = most < self->inbox_count ? most : self->inbox_count;
    for (uint32_t i = 0; i < count; i++) {
        rm_msg_t msg;
        CLAIM (!rm_msg_decode (&msg, self->inbox[i].data, self->inbox[i].size, NULL));
        rm_work_receive (self->half, &msg, now.mono_ms);
        rm_msg_close (&msg);
        rm_buf_close (&self->inbox[i]);
    }
    self->inbox_count -= count;
    memmove (self->inbox, self->inbox + count, self->inbox_count * sizeof *self->inbox);
    memset (self->inbox + self->inbox_count, 0, (INBOX_MAX - self->inbox_count) * sizeof *self->inbox);
    worker_turn (self);
}

void worker_lose (worker_t *self)
{
    if (!self->half)
        return;
    empty_inbox (self);
    rm_work_disconnected (self->half);
    rm_work_connected (self->half, now.mono_ms);
    worker_turn (self);
}

void worker_run (worker_t *self, uint32_t which)
{
    if (!self->offered_count)
        return;
    rm_work_job_t *job = self->offered[which % self->offered_count];
    drop (self->offered, &self->offered_count, job);
    if (rm_work_try_start (self->half, job, now.mono_ms))
        self->running[self->running_count++] = job;
    else
        rm_work_declined (self->half, job);
    worker_turn (self);
}

void worker_finish (worker_t *self, uint32_t which, uint32_t verdict)
{
    if (!self->running_count)
        return;
    rm_work_job_t *job = self->running[which % self->running_count];
    drop (self->running, &self->running_count, job);
    job->result.verdict = verdict;
    rm_buf_put (verdict == RM_VERDICT_OK ? &job->result.data : &job->result.reason, &job->token, sizeof job->token);
    rm_work_finished (self->half, job);
    worker_turn (self);
}

/* ---- clients -------------------------------------------------------------------------------------------------------- */

void ask (uint8_t client, const rm_msg_t *msg)
{
    rm_address_t from = address_of ('c', client);
    rm_leader_from_client (leader, now, &from, msg);
}

void submit (uint8_t number, uint64_t seq, uint8_t kind, uint32_t count)
{
    static const char *const queues[QUEUES] = {"bank", "mail", "video"};
    static const rm_bytes_t keys[] = {{0}, {"bob", 3}, {"eve", 3}, {"", 0}, {"mallory", 7}};
    client_t *client = &clients[number];
    rm_submit_job_t jobs[4];
    for (uint32_t i = 0; i < count; i++) {
        /* A number has one meaning: the same again is the same job. */
        if (!client->kinds[seq + i]) {
            client->kinds[seq + i] = (uint8_t)(kind + i) ? (uint8_t)(kind + i) : 1;
            client->sent_ms[seq + i] = now.mono_ms;
        }
        uint8_t what = client->kinds[seq + i];
        jobs[i] = (rm_submit_job_t){.seq = seq + i,
                                    .queue = rm_bytes (queues[what % QUEUES]),
                                    .key = keys[what / QUEUES % 5],
                                    .data = {"payload", what % 8u},
                                    .tries = what / 64u,
                                    .timeout_ms = what & 32 ? 1500 : 0,
                                    .flags = what & 16 ? RM_JOB_AT_MOST_ONCE : 0};
    }
    rm_msg_t msg = {.type = RM_MSG_SUBMIT};
    msg.submit =
        (rm_msg_submit_t){.session = client->session, .floor = client->floor, .jobs = jobs, .job_count = count};
    ask (number, &msg);
}

/* ---- the books ------------------------------------------------------------------------------------------------------ */

static bool holds_lease (const worker_t *worker)
{
    return worker->half && worker->half->state == RM_WORK_LEASED && now.mono_ms < worker->half->leased_until;
}

static rm_bytes_t queue_of (const worker_t *worker, const rm_work_job_t *job)
{
    return worker->half->queues[job->queue];
}

/* No two workers that hold their lease run one key, or one job, at a time; nor does one of them. */
static void check_alone (void)
{
    const rm_work_job_t *jobs[WORKERS * SHELL_JOBS_MAX];
    const worker_t *whose[WORKERS * SHELL_JOBS_MAX];
    uint32_t count = 0;
    for (uint32_t w = 0; w < WORKERS; w++)
        for (uint32_t i = 0; holds_lease (&workers[w]) && i < workers[w].running_count; i++) {
            const rm_work_job_t *job = workers[w].running[i];
            if (job->state != RM_WORK_JOB_RUNNING || !job->held || job->cancelled)
                continue;
            for (uint32_t j = 0; j < count; j++) {
                CLAIM (jobs[j]->id != job->id, "job %lu runs twice at once", (unsigned long)job->id);
                CLAIM (!job->key.data || !jobs[j]->key.data || !rm_bytes_equal (jobs[j]->key, job->key) ||
                           !rm_bytes_equal (queue_of (whose[j], jobs[j]), queue_of (&workers[w], job)),
                       "jobs %lu and %lu of one key run at once", (unsigned long)jobs[j]->id, (unsigned long)job->id);
            }
            jobs[count] = job;
            whose[count++] = &workers[w];
        }
}

void look (void)
{
    if (!lied)
        check_alone ();
    if (++looks % LOOK_EVERY == 0)
        check_books ();
}

void look_hard (void)
{
    check_books ();
    claim_sound (state);
    claim_restorable (state);
}

/* ---- life ----------------------------------------------------------------------------------------------------------- */

void cluster_begin (void)
{
    now = (rm_now_t){.mono_ms = 1000000, .wall_ms = 1700000000000};
    leaders = incarnations = looks = token = 0;
    entry_count = applied_count = 0;
    answer_term = answer_epoch = current_job = phase_2_term = phase_2_epoch = 0;
    lied = net_down = false;
    memset (results, 0, sizeof results);
    memset (clients, 0, sizeof clients);
    memset (workers, 0, sizeof workers);
    for (uint8_t i = 0; i < CLIENTS; i++)
        clients[i].session.bytes[0] = 0xc0 + i;
    for (uint8_t i = 0; i < WORKERS; i++)
        workers[i].number = i;
    books_begin ();
    state = &state_memory;
    CLAIM (!rm_state_init (state));
    stand ();
    flush ();
    apply (1);
    CLAIM (leader->leading);
}

void cluster_end (void)
{
    rm_leader_close (leader);
    leader = NULL;
    for (uint32_t i = 0; i < WORKERS; i++)
        worker_kill (&workers[i]);
    rm_state_close (state);
    lose_tail (0);
    while (entry_count)
        rm_buf_close (&entries[--entry_count].bytes);
    rm_buf_close (&phase_2);
}
