#include "leader_fixture.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORKERS_MAX = 64 };

rm_state_t *state;
rm_leader_t *leader;
rm_leader_config_t config;
rm_now_t now;
client_t client;
uint32_t state_format = 1;
bool disk_slow;

static bool prepared;
static uint64_t leaders; /* so many have led */

typedef struct {
    rm_buf_t bytes;
    uint64_t number;
} logged_t;

static logged_t *ledger;
static size_t ledger_count, ledger_capacity, ledger_applied;

static frame_t **frames;
static size_t frame_count, frame_capacity, frame_mark;

static worker_t *workers[WORKERS_MAX];
static uint32_t worker_count;
static uint64_t incarnations;

/* ---- frames ----------------------------------------------------------------------------------------------------- */

static void keep_frame (const void *to, size_t to_size, rm_buf_t *bytes)
{
    if (frame_count == frame_capacity) {
        frame_capacity = frame_capacity ? frame_capacity * 2 : 1024;
        frames = realloc (frames, frame_capacity * sizeof *frames);
    }
    frame_t *frame = calloc (1, sizeof *frame);
    memcpy (frame->to, to, to_size);
    frame->bytes = *bytes;
    *bytes = (rm_buf_t){0};
    const char *why = NULL;
    int rc = rm_msg_decode (&frame->msg, frame->bytes.data, frame->bytes.size, &why);
    cr_assert_eq (rc, 0, "the leader sent what cannot be decoded: %s", why);
    frames[frame_count++] = frame;
}

static void to_peer (void *arg, const rm_address_t *to, rm_msg_type_t type, rm_buf_t *frame)
{
    (void)arg;
    keep_frame (to->data, to->size, frame);
    cr_assert_eq (frames[frame_count - 1]->msg.type, type);
}

static void to_worker (void *arg, const rm_address_t *to, rm_msg_type_t type, uint32_t phase, rm_buf_t *frame)
{
    to_peer (arg, to, type, frame);
    cr_assert_eq (type == RM_MSG_SYNC ? frames[frame_count - 1]->msg.sync.phase : 0, phase);
}

static void publish (void *arg, uint32_t phase, rm_buf_t *frame)
{
    (void)arg;
    keep_frame ("*", 1, frame);
    cr_assert_eq (frames[frame_count - 1]->msg.sync.phase, phase);
}

void mark (void)
{
    frame_mark = frame_count;
}

const rm_msg_t *sent_nth (const char *to, rm_msg_type_t type, uint32_t n)
{
    for (size_t i = frame_mark; i < frame_count; i++)
        if (frames[i]->msg.type == type && !strcmp (frames[i]->to, to) && !n--)
            return &frames[i]->msg;
    return NULL;
}

const rm_msg_t *sent (const char *to, rm_msg_type_t type)
{
    return sent_nth (to, type, 0);
}

uint32_t sent_count (const char *to, rm_msg_type_t type)
{
    uint32_t count = 0;
    while (sent_nth (to, type, count))
        count++;
    return count;
}

const frame_t *published (uint32_t phase)
{
    for (size_t i = frame_mark; i < frame_count; i++)
        if (!strcmp (frames[i]->to, "*") && frames[i]->msg.sync.phase == phase)
            return frames[i];
    return NULL;
}

uint32_t published_count (uint32_t phase)
{
    uint32_t count = 0;
    for (size_t i = frame_mark; i < frame_count; i++)
        count += !strcmp (frames[i]->to, "*") && frames[i]->msg.sync.phase == phase;
    return count;
}

uint32_t told_committed (const worker_t *worker, uint64_t id)
{
    const rm_msg_t *msg;
    uint32_t attempt = 0;
    for (uint32_t n = 0; (msg = sent_nth (worker->address, RM_MSG_COMMITTED, n)); n++)
        for (uint32_t i = 0; i < msg->committed.job_count; i++)
            if (msg->committed.jobs[i].id == id && msg->committed.jobs[i].attempt > attempt)
                attempt = msg->committed.jobs[i].attempt;
    return attempt;
}

size_t frame_index (const rm_msg_t *msg)
{
    for (size_t i = 0; i < frame_count; i++)
        if (&frames[i]->msg == msg)
            return i;
    return SIZE_MAX;
}

const frame_t *frame_at (size_t index)
{
    return index < frame_count ? frames[index] : NULL;
}

/* ---- the ledger ------------------------------------------------------------------------------------------------- */

static bool take_batches (void)
{
    bool any = false;
    for (rm_batch_t *batch; (batch = rm_leader_take_batch (leader, now)); any = true) {
        if (ledger_count == ledger_capacity) {
            ledger_capacity = ledger_capacity ? ledger_capacity * 2 : 256;
            ledger = realloc (ledger, ledger_capacity * sizeof *ledger);
        }
        ledger[ledger_count++] = (logged_t){batch->bytes, batch->number};
        batch->bytes = (rm_buf_t){0};
        rm_batch_destroy (&batch);
    }
    return any;
}

static void apply_next (void)
{
    const logged_t *logged = &ledger[ledger_applied++];
    cr_assert_eq (rm_state_apply (state, logged->bytes.data, logged->bytes.size), 0);
}

void disk (void)
{
    while (ledger_applied < ledger_count) {
        uint64_t number = ledger[ledger_applied].number;
        apply_next ();
        rm_leader_applied (leader, now, number);
        check_books ();
    }
}

size_t unapplied (void)
{
    return ledger_count - ledger_applied;
}

static void lose_tail (size_t keep)
{
    while (unapplied () > keep)
        rm_buf_close (&ledger[--ledger_count].bytes);
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

void stand (void)
{
    static const rm_leader_out_t out = {.to_client = to_peer, .to_worker = to_worker, .publish = publish};
    leader = malloc (sizeof *leader);
    rm_leader_init (leader, state, &config, &out, ++leaders);
    leader->format = state_format;
    rm_leader_stand (leader, now);
}

static void new_state (void)
{
    state = malloc (sizeof *state);
    cr_assert_eq (rm_state_init (state), 0);
}

void cluster_prepare (void)
{
    prepared = true;
    config = rm_leader_defaults ();
    now = (rm_now_t){.mono_ms = 1000000, .wall_ms = 1700000000000};
    client = client_make ("client");
    new_state ();
}

void cluster_begin (void)
{
    if (!prepared)
        cluster_prepare ();
    stand ();
    turn ();
    cr_assert (leader->leading);
}

void reconfigure (void)
{
    leader->config = config;
}

static void end_leader (void)
{
    rm_leader_close (leader);
    free (leader);
    leader = NULL;
}

void cluster_end (void)
{
    if (leader) {
        cr_expect (!leader->out_of_memory);
        end_leader ();
    }
    rm_state_close (state);
    free (state);
    lose_tail (0);
    for (size_t i = 0; i < ledger_count; i++)
        rm_buf_close (&ledger[i].bytes);
    free (ledger);
    for (size_t i = 0; i < frame_count; i++) {
        rm_msg_close (&frames[i]->msg);
        rm_buf_close (&frames[i]->bytes);
        free (frames[i]);
    }
    free (frames);
    for (uint32_t i = 0; i < worker_count; i++)
        free (workers[i]);
}

void failover (size_t keep)
{
    lose_tail (keep);
    rm_leader_step_down (leader);
    check_books ();
    end_leader ();
    stand ();
    while (ledger_applied < ledger_count)
        apply_next ();
    turn ();
}

void crash_master (size_t keep)
{
    lose_tail (keep);
    end_leader ();
    rm_state_close (state);
    free (state);
    new_state ();
    ledger_applied = 0;
    while (ledger_applied < ledger_count)
        apply_next ();
    stand ();
}

void restart_from_log (size_t keep)
{
    crash_master (keep);
    turn ();
}

/* ---- turns ------------------------------------------------------------------------------------------------------ */

void flush_once (void)
{
    rm_leader_flush (leader, now);
    check_books ();
    take_batches ();
}

static bool deliver (void)
{
    bool any = false;
    for (uint32_t i = 0; i < worker_count; i++) {
        worker_t *worker = workers[i];
        if (!worker->dead && worker->cursor < frame_count) {
            any = true;
            receive (worker);
        }
    }
    return any;
}

void turn (void)
{
    for (int rounds = 0;; rounds++) {
        cr_assert_lt (rounds, 1000, "the cluster does not come to rest");
        rm_leader_flush (leader, now);
        check_books ();
        bool moved = take_batches ();
        if (moved && !disk_slow)
            disk ();
        bool heard = deliver ();
        if ((!moved || disk_slow) && !heard)
            return;
    }
}

void tick (void)
{
    rm_leader_tick (leader, now);
    check_books ();
}

void jump (uint64_t ms)
{
    now.mono_ms += ms;
    now.wall_ms += ms;
}

void after (uint64_t ms)
{
    for (uint64_t end = now.mono_ms + ms; now.mono_ms < end;) {
        jump (end - now.mono_ms < 10 ? end - now.mono_ms : 10);
        for (uint32_t i = 0; i < worker_count; i++) {
            worker_t *worker = workers[i];
            if (!worker->dead && !worker->silent && worker->joined && now.mono_ms >= worker->beat_ms + RM_HEARTBEAT_MS)
                beat (worker);
        }
        tick ();
        turn ();
    }
}

void settle (void)
{
    for (int i = 0; leader->resize.state != RM_RESIZE_IDLE || leader->resize.wanted; i++) {
        cr_assert_lt (i, 1000, "the resize does not end");
        after (10);
    }
}

/* ---- workers ---------------------------------------------------------------------------------------------------- */

static rm_address_t address_of (const char *text)
{
    rm_address_t address = {.size = (uint8_t)strlen (text)};
    memcpy (address.data, text, address.size);
    return address;
}

worker_t *worker_new (const char *name, uint32_t threads)
{
    worker_t *self = calloc (1, sizeof *self);
    cr_assert_lt (worker_count, WORKERS_MAX);
    workers[worker_count++] = self;
    self->inc = ++incarnations * 1000 + 7;
    snprintf (self->name, sizeof self->name, "%s", name);
    snprintf (self->address, sizeof self->address, "%.8s#%u", name, worker_count);
    strcpy (self->pool, "default");
    self->queues[0] = "q";
    self->queue_count = 1;
    self->threads = threads;
    self->cursor = frame_count;
    return self;
}

void tell (const worker_t *self, const rm_msg_t *msg)
{
    rm_address_t from = address_of (self->address);
    rm_buf_t frame = {0};
    rm_msg_t decoded;
    const char *why = NULL;
    cr_assert_eq (rm_msg_encode (msg, &frame), 0);
    cr_assert_eq (rm_msg_decode (&decoded, frame.data, frame.size, &why), 0, "%s", why);
    rm_leader_from_worker (leader, now, &from, &decoded);
    rm_msg_close (&decoded);
    rm_buf_close (&frame);
    check_books ();
}

void say_join (worker_t *self)
{
    rm_bytes_t queues[4];
    for (uint32_t i = 0; i < self->queue_count; i++)
        queues[i] = rm_bytes (self->queues[i]);
    rm_msg_t msg = {.type = RM_MSG_JOIN};
    msg.join = (rm_msg_join_t){rm_bytes (self->name), self->inc,    rm_bytes (self->pool), queues,
                               self->queue_count,     self->threads};
    self->beat_ms = now.mono_ms;
    tell (self, &msg);
}

worker_t *join (const char *name, uint32_t threads)
{
    worker_t *self = worker_new (name, threads);
    say_join (self);
    turn ();
    cr_assert (self->joined);
    return self;
}

worker_t *join_settled (const char *name, uint32_t threads)
{
    worker_t *self = join (name, threads);
    settle ();
    return self;
}

rm_report_t report_of (worker_t *self)
{
    static uint64_t ids[HELD_MAX];
    for (uint32_t i = 0; i < self->held_count; i++)
        ids[i] = self->held[i].id;
    return (rm_report_t){self->term, self->inc, self->upto, ids, self->held_count};
}

void beat_as (worker_t *self, uint64_t term, uint64_t inc, uint64_t seen)
{
    rm_msg_t msg = {.type = RM_MSG_HEARTBEAT};
    msg.heartbeat = (rm_msg_heartbeat_t){report_of (self), ++self->beat, seen};
    msg.heartbeat.report.term = term;
    msg.heartbeat.report.inc = inc;
    tell (self, &msg);
}

void beat (worker_t *self)
{
    self->beat_ms = now.mono_ms;
    beat_as (self, self->term, self->inc, self->seen);
}

static rm_msg_t sync_of (worker_t *self, uint32_t phase)
{
    rm_msg_t msg = {.type = RM_MSG_SYNC};
    msg.sync.name = rm_bytes (self->name);
    msg.sync.phase = phase;
    msg.sync.term = self->phase_term;
    msg.sync.epoch = self->phase_epoch;
    msg.sync.report = report_of (self);
    msg.sync.report.term = self->phase_term;
    return msg;
}

void say_sync1 (worker_t *self)
{
    rm_msg_t msg = sync_of (self, 1);
    msg.sync.current_job = self->current_job;
    tell (self, &msg);
}

void say_sync2 (worker_t *self, bool ok)
{
    rm_msg_t msg = sync_of (self, 2);
    msg.sync.ok = ok;
    msg.sync.returned = self->returned;
    msg.sync.returned_count = self->returned_count;
    tell (self, &msg);
}

void say_leave (worker_t *self)
{
    rm_msg_t msg = {.type = RM_MSG_LEAVE};
    msg.leave.report = report_of (self);
    tell (self, &msg);
}

void say_partial (worker_t *self, uint64_t id, uint32_t attempt, uint64_t n, const char *data)
{
    rm_partial_t partial = {id, attempt, n, rm_bytes (data)};
    rm_msg_t msg = {.type = RM_MSG_PARTIAL, .partial = {self->term, self->inc, &partial, 1}};
    tell (self, &msg);
}

void say_progress (worker_t *self, uint64_t id, uint32_t attempt, uint32_t permille, const char *note)
{
    rm_progress_job_t job = {id, attempt, permille, rm_bytes (note)};
    rm_msg_t msg = {.type = RM_MSG_PROGRESS, .progress = {self->term, self->inc, &job, 1}};
    tell (self, &msg);
}

held_t *holds (worker_t *self, uint64_t id)
{
    for (uint32_t i = 0; i < self->held_count; i++)
        if (self->held[i].id == id)
            return &self->held[i];
    return NULL;
}

void drop (worker_t *self, uint64_t id)
{
    held_t *held = holds (self, id);
    if (held)
        *held = self->held[--self->held_count];
}

void hand_back (worker_t *self, uint64_t id)
{
    cr_assert (holds (self, id));
    drop (self, id);
    self->returned[self->returned_count++] = id;
}

void say_done (worker_t *self, uint64_t id, uint64_t token, uint32_t attempt, rm_verdict_t verdict, const char *data)
{
    rm_done_job_t job = {.id = id, .token = token, .attempt = attempt, .verdict = verdict, .ran_us = 1000000};
    if (verdict == RM_VERDICT_OK)
        job.data = rm_bytes (data);
    else
        job.reason = rm_bytes (data);
    rm_msg_t msg = {.type = RM_MSG_DONE};
    msg.done = (rm_msg_done_t){report_of (self), &job, 1};
    tell (self, &msg);
}

static void end_job (worker_t *self, uint64_t id, rm_verdict_t verdict, const char *data)
{
    held_t *held = holds (self, id);
    cr_assert (held, "%s does not hold job %llu", self->name, (unsigned long long)id);
    say_done (self, id, held->token, held->attempt, verdict, data);
    turn ();
}

void finish (worker_t *self, uint64_t id)
{
    end_job (self, id, RM_VERDICT_OK, "ok");
}

void fail (worker_t *self, uint64_t id, rm_verdict_t verdict)
{
    end_job (self, id, verdict, "it failed");
}

void die (worker_t *self)
{
    self->dead = true;
}

void die_and_be_removed (worker_t *self)
{
    die (self);
    after (RM_LEASE_MS + RM_GRACE_MS + RM_MARGIN_MS + 10);
    cr_assert_null (rm_state_member (state, self->inc));
}

rm_peer_t *peer_of (const worker_t *self)
{
    rm_member_t *member = rm_state_member (state, self->inc);
    return member ? member->peer : NULL;
}

/* ---- what a worker does when it receives ------------------------------------------------------------------------ */

static void adopt (worker_t *self, uint64_t term)
{
    if (term <= self->term)
        return;
    self->term = term;
    self->upto = self->seen = 0;
}

static void copy_text (char *to, size_t size, rm_bytes_t from)
{
    cr_assert_lt (from.size, size);
    memcpy (to, from.data, from.size);
    to[from.size] = 0;
}

static void receive_dispatch (worker_t *self, const rm_msg_dispatch_t *dispatch)
{
    if (dispatch->inc != self->inc || dispatch->term < self->term)
        return;
    adopt (self, dispatch->term);
    for (uint32_t i = 0; i < dispatch->job_count; i++) {
        const rm_dispatch_job_t *job = &dispatch->jobs[i];
        if (dispatch->seq + i != self->upto + 1)
            continue;
        self->upto++;
        self->received++;
        if (job->id > self->id_max)
            self->id_max = job->id;
        held_t *held = holds (self, job->id);
        if (!held) {
            cr_assert_lt (self->held_count, HELD_MAX);
            held = &self->held[self->held_count++];
        }
        *held = (held_t){job->id, job->token, self->upto, job->attempt, job->slot, "", "", ""};
        copy_text (held->queue, sizeof held->queue, job->queue);
        if (job->key.data)
            copy_text (held->key, sizeof held->key, job->key);
        rm_bytes_t head = {job->data.data, job->data.size < 31 ? job->data.size : 31};
        copy_text (held->data, sizeof held->data, head);
    }
}

static bool drained (const worker_t *self)
{
    for (uint32_t i = 0; i < self->held_count; i++)
        if (self->held[i].slot < RM_SLOTS && self->lost[self->held[i].slot])
            return false;
    return true;
}

static void receive_sync (worker_t *self, const rm_msg_sync_t *sync)
{
    if (sync->term < self->term || !self->joined)
        return;
    adopt (self, sync->term);
    bool known = self->phase_term == sync->term && self->phase_epoch == sync->epoch;
    if (self->phase_term == sync->term && sync->epoch < self->phase_epoch)
        return;
    if (!known) {
        self->phase = 0;
        self->said_ok = false;
        self->returned_count = 0;
        memset (self->lost, 0, sizeof self->lost);
    }
    self->phase_term = sync->term;
    self->phase_epoch = sync->epoch;
    if (sync->phase == 1 && self->phase < 1)
        self->current_job = self->id_max;
    if (sync->phase == 2 && self->phase < 2)
        for (uint32_t i = 0; i < sync->moved_count; i++)
            for (uint32_t slot = sync->moved[i].first; slot <= sync->moved[i].last; slot++)
                if (sync->moved[i].from == self->inc)
                    self->lost[slot] = true;
    if (sync->phase > self->phase)
        self->phase = sync->phase;
    if (self->manual)
        return;
    if (sync->phase == 1)
        say_sync1 (self);
    if (sync->phase == 2)
        say_sync2 (self, self->said_ok = drained (self));
}

static void receive_committed (worker_t *self, const rm_msg_committed_t *committed)
{
    if (committed->inc != self->inc)
        return;
    for (uint32_t i = 0; i < committed->job_count; i++) {
        const held_t *held = holds (self, committed->jobs[i].id);
        if (held && held->attempt <= committed->jobs[i].attempt)
            drop (self, held->id);
    }
    if (self->phase == 2 && !self->manual && !self->said_ok && drained (self))
        say_sync2 (self, self->said_ok = true);
}

static void receive_one (worker_t *self, const rm_msg_t *msg)
{
    switch (msg->type) {
    case RM_MSG_JOINED:
        adopt (self, msg->joined.term);
        self->epoch = msg->joined.epoch;
        self->joined = true;
        break;
    case RM_MSG_DISPATCH:
        receive_dispatch (self, &msg->dispatch);
        break;
    case RM_MSG_COMMITTED:
        receive_committed (self, &msg->committed);
        break;
    case RM_MSG_HEARTBEAT_OK:
        if (msg->heartbeat_ok.term == self->term)
            self->seen = msg->heartbeat_ok.last_seq;
        break;
    case RM_MSG_SYNC:
        receive_sync (self, &msg->sync);
        break;
    case RM_MSG_REJOIN:
        self->rejoin = self->rejoin || msg->rejoin.inc == self->inc;
        self->joined = self->joined && !self->rejoin;
        break;
    case RM_MSG_LEFT:
        self->left = true;
        self->joined = false;
        break;
    default:
        break;
    }
}

void receive (worker_t *self)
{
    while (self->cursor < frame_count) {
        const frame_t *frame = frames[self->cursor++];
        if (!strcmp (frame->to, self->address) || !strcmp (frame->to, "*"))
            receive_one (self, &frame->msg);
    }
}

void lose_frames (worker_t *self)
{
    self->cursor = frame_count;
}

/* ---- clients ---------------------------------------------------------------------------------------------------- */

client_t client_make (const char *address)
{
    client_t self = {0};
    snprintf (self.address, sizeof self.address, "%s", address);
    snprintf ((char *)self.session.bytes, sizeof self.session.bytes, "%s", address);
    return self;
}

rm_submit_job_t job_of (const char *queue, const char *key, const char *data)
{
    rm_submit_job_t job = {.queue = rm_bytes (queue), .data = rm_bytes (data)};
    if (key)
        job.key = rm_bytes (key);
    return job;
}

static void ask (const char *address, const rm_msg_t *msg)
{
    rm_address_t from = address_of (address);
    rm_leader_from_client (leader, now, &from, msg);
    check_books ();
}

void submit_jobs (client_t *self, rm_submit_job_t *jobs, uint32_t count)
{
    rm_msg_t msg = {.type = RM_MSG_SUBMIT};
    msg.submit = (rm_msg_submit_t){
        .session = self->session, .floor = self->floor, .jobs = jobs, .job_count = count, .after = self->after};
    ask (self->address, &msg);
}

uint64_t put_job (client_t *self, rm_submit_job_t job)
{
    size_t kept = frame_mark;
    mark ();
    job.seq = ++self->seq;
    submit_jobs (self, &job, 1);
    turn ();
    const rm_msg_t *msg = sent (self->address, RM_MSG_ACCEPTED);
    cr_assert (msg, "the job was not accepted");
    frame_mark = kept;
    return msg->accepted.jobs[0].id;
}

uint64_t put (const char *key, const char *data)
{
    return put_job (&client, job_of ("q", key, data));
}

void ask_wait (const char *address, const uint64_t *ids, uint32_t count, uint32_t timeout_ms)
{
    rm_msg_t msg = {.type = RM_MSG_WAIT};
    msg.wait = (rm_msg_wait_t){.ids = (uint64_t *)ids, .id_count = count, .timeout_ms = timeout_ms};
    ask (address, &msg);
}

void ask_wait_each (const char *address, const uint64_t *ids, uint32_t count, uint32_t timeout_ms)
{
    rm_msg_t msg = {.type = RM_MSG_WAIT};
    msg.wait = (rm_msg_wait_t){.ids = (uint64_t *)ids, .id_count = count, .timeout_ms = timeout_ms, .each = 1};
    ask (address, &msg);
}

void ask_wait_any (const char *address, const uint64_t *ids, uint32_t count)
{
    rm_msg_t msg = {.type = RM_MSG_WAIT};
    msg.wait = (rm_msg_wait_t){.ids = (uint64_t *)ids, .id_count = count, .timeout_ms = 60000, .any = 1};
    ask (address, &msg);
}

rm_record_t *record_of (uint64_t id)
{
    rm_record_t *record = rm_state_record (state, id);
    cr_assert (record, "job %llu is not in the books", (unsigned long long)id);
    return record;
}

rm_outcome_t outcome_of (uint64_t id)
{
    return record_of (id)->outcome;
}

const char *reason_of (uint64_t id)
{
    const rm_blob_t *reason = record_of (id)->reason;
    return reason ? (const char *)reason->data : "";
}

uint32_t slot_of (const char *key)
{
    return rm_ring_slot (key, strlen (key));
}

const worker_t *owner_of (const char *key)
{
    for (uint32_t i = 0; i < worker_count; i++) {
        const rm_member_t *member = rm_state_member (state, workers[i]->inc);
        if (member && member->pool->target[slot_of (key)] == member->number)
            return workers[i];
    }
    return NULL;
}

const char *key_of (const worker_t *worker, uint32_t n)
{
    static char keys[64][32];
    static uint32_t turns;
    char *key = keys[turns++ % 64];
    for (uint32_t i = 0;; i++) {
        snprintf (key, sizeof keys[0], "k%u", i);
        if (owner_of (key) == worker && !n--)
            return key;
    }
}
