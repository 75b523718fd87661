#include <string.h>
#include <utlist.h>
#include <xxhash.h>

#include "core/work_parts.h"
#include "proto/alloc.h"
#include "proto/assert.h"

/* What utlist claims of its lists is claimed as everything else in the core: also in release, and without the C library's. */
#undef assert
#define assert(claim) RM_ASSERT (claim)

static const bool moves[RM_WORK_JOB_STATES][RM_WORK_JOB_STATES] = {
    [RM_WORK_JOB_QUEUED] = {[RM_WORK_JOB_RUNNING] = true, [RM_WORK_JOB_RETURNED] = true, [RM_WORK_JOB_GONE] = true},
    [RM_WORK_JOB_RUNNING] = {[RM_WORK_JOB_FINISHED] = true, [RM_WORK_JOB_GONE] = true},
    [RM_WORK_JOB_FINISHED] = {[RM_WORK_JOB_SENT] = true, [RM_WORK_JOB_GONE] = true},
    [RM_WORK_JOB_SENT] = {[RM_WORK_JOB_FINISHED] = true, [RM_WORK_JOB_GONE] = true},
};

static void move (rm_work_job_t *job, rm_work_job_state_t state)
{
    RM_ASSERT (moves[job->state][state]);
    job->state = state;
    switch (state) {
    case RM_WORK_JOB_RUNNING:
        RM_ASSERT (job->offered && job->held);
        break;
    case RM_WORK_JOB_FINISHED:
    case RM_WORK_JOB_SENT:
        RM_ASSERT (!job->offered && job->held);
        break;
    default:
        RM_ASSERT (!job->held);
    }
}

/* ---- lists ----------------------------------------------------------------------------------------------------- */

static void unlist (rm_work_job_t *job)
{
    if (job->list)
        DL_DELETE (*job->list, job);
    job->list = NULL;
}

static void enlist (rm_work_job_t *job, rm_work_job_t **list)
{
    unlist (job);
    DL_APPEND (*list, job);
    job->list = list;
}

static void drop_effect (rm_work_job_t *job)
{
    if (job->effects)
        DL_DELETE2 (*job->effects, job, prev_effect, next_effect);
    job->effects = NULL;
}

static void add_effect (rm_work_job_t *job, rm_work_job_t **effects)
{
    drop_effect (job);
    DL_APPEND2 (*effects, job, prev_effect, next_effect);
    job->effects = effects;
}

rm_work_job_t *rm_work_jobs_take_effects (rm_work_job_t **list)
{
    rm_work_job_t *first = *list;
    for (rm_work_job_t *job = first; job; job = job->next_effect)
        job->effects = NULL;
    *list = NULL;
    return first;
}

/* ---- by id and by key ------------------------------------------------------------------------------------------ */

static rm_work_job_t **id_bucket (rm_work_t *self, uint64_t id)
{
    return &self->by_id[id % RM_WORK_BUCKETS]; /* ids are dense */
}

static rm_work_job_t **key_bucket (rm_work_t *self, uint32_t queue, rm_bytes_t key)
{
    return &self->by_key[XXH3_64bits_withSeed (key.data, key.size, queue) % RM_WORK_BUCKETS];
}

rm_work_job_t *rm_work_jobs_find (rm_work_t *self, uint64_t id)
{
    rm_work_job_t *job = *id_bucket (self, id);
    while (job && job->id != id)
        job = job->next_of_id_bucket;
    return job;
}

/* The first held job of a key; NULL if there is none. */
static rm_work_job_t *first_of_key (rm_work_t *self, uint32_t queue, rm_bytes_t key)
{
    rm_work_job_t *job = *key_bucket (self, queue, key);
    while (job && (job->queue != queue || !rm_bytes_equal (job->key, key)))
        job = job->next_of_key_bucket;
    return job;
}

/* Nothing stands before it: it may be offered. */
static void make_ready (rm_work_t *self, rm_work_job_t *job)
{
    RM_ASSERT (job->state == RM_WORK_JOB_QUEUED && !job->offered);
    enlist (job, &self->ready);
}

static void join_key (rm_work_t *self, rm_work_job_t *job)
{
    rm_work_job_t *first = job->key.data ? first_of_key (self, job->queue, job->key) : NULL;
    bool is_first = !first;
    if (job->key.data)
        DL_APPEND2 (first, job, prev_of_key, next_of_key);
    if (!is_first)
        return;
    if (job->key.data) {
        rm_work_job_t **bucket = key_bucket (self, job->queue, job->key);
        job->next_of_key_bucket = *bucket;
        *bucket = job;
    }
    make_ready (self, job);
}

static void leave_key (rm_work_t *self, rm_work_job_t *job)
{
    if (!job->key.data)
        return;
    rm_work_job_t *first = first_of_key (self, job->queue, job->key), *rest = first;
    RM_ASSERT (first);
    DL_DELETE2 (rest, job, prev_of_key, next_of_key);
    if (first != job)
        return;
    rm_work_job_t **bucket = key_bucket (self, job->queue, job->key), **at = bucket;
    while (*at != job)
        at = &(*at)->next_of_key_bucket;
    *at = job->next_of_key_bucket;
    if (rest) {
        rest->next_of_key_bucket = *bucket;
        *bucket = rest;
        make_ready (self, rest);
    }
}

static void hold (rm_work_t *self, rm_work_job_t *job)
{
    rm_work_job_t **bucket = id_bucket (self, job->id);
    job->next_of_id_bucket = *bucket;
    *bucket = job;
    DL_APPEND2 (self->held, job, prev_held, next_held);
    self->held_count++;
    job->held = true;
    join_key (self, job);
}

static void let_go (rm_work_t *self, rm_work_job_t *job)
{
    rm_work_job_t **at = id_bucket (self, job->id);
    while (*at != job)
        at = &(*at)->next_of_id_bucket;
    *at = job->next_of_id_bucket;
    DL_DELETE2 (self->held, job, prev_held, next_held);
    self->held_count--;
    job->held = false;
    leave_key (self, job);
}

/* ---- birth and death ------------------------------------------------------------------------------------------- */

/* A copy of the dispatched job, its key and its data each with a NUL behind it; NULL when memory has run out. */
static rm_work_job_t *job_new (const rm_dispatch_job_t *from, uint32_t queue, uint64_t epoch)
{
    rm_work_job_t *self = rm_malloc (sizeof *self + from->key.size + from->data.size + 2);
    if (!self)
        return NULL;
    *self = (rm_work_job_t){
        .id = from->id,
        .token = from->token,
        .attempt = from->attempt,
        .queue = queue,
        .timeout_ms = from->timeout_ms,
        .epoch = epoch,
        .slot = from->key.data ? from->slot : RM_SLOTS,
        .timeout_at = RM_WORK_NEVER,
    };
    char *at = (char *)(self + 1);
    if (from->key.size)
        memcpy (at, from->key.data, from->key.size);
    at[from->key.size] = 0;
    self->key = (rm_bytes_t){from->key.data ? at : NULL, from->key.size};
    at += from->key.size + 1;
    if (from->data.size)
        memcpy (at, from->data.data, from->data.size);
    at[from->data.size] = 0;
    self->data = (rm_bytes_t){at, from->data.size};
    return self;
}

static void job_free (rm_work_job_t *self)
{
    unlist (self);
    drop_effect (self);
    rm_buf_close (&self->result.reason);
    rm_buf_close (&self->result.data);
    rm_free (self->progress);
    rm_free (self);
}

void rm_work_jobs_close (rm_work_t *self)
{
    rm_work_job_t *job, *next;
    DL_FOREACH_SAFE (self->offered, job, next)
        if (!job->held)
            job_free (job);
    DL_FOREACH_SAFE2 (self->held, job, next, next_held)
        job_free (job);
}

/* ---- dispatches ------------------------------------------------------------------------------------------------ */

/* The verdicts after which the job may be run once more, so that those behind it of its key have to wait. */
static bool is_final (const rm_work_job_t *job)
{
    return job->result.verdict == RM_VERDICT_OK || job->result.verdict == RM_VERDICT_DEAD;
}

static bool is_finished (const rm_work_job_t *job)
{
    return job->state == RM_WORK_JOB_FINISHED || job->state == RM_WORK_JOB_SENT;
}

/* The index of a queue's name; queue_count if it is not served. */
static uint32_t find_queue (const rm_work_t *self, rm_bytes_t name)
{
    uint32_t i = 0;
    while (i < self->queue_count && !rm_bytes_equal (self->queues[i], name))
        i++;
    return i;
}

/* A dispatch of a job that is held: its run before this one is over in the ledger, or the master forgot that it is
 * here. True if there is nothing more to do. */
static bool receive_again (rm_work_t *self, rm_work_job_t *job, const rm_dispatch_job_t *from, uint64_t epoch)
{
    if (is_finished (job)) {
        rm_work_jobs_commit (self, job->id, job->attempt);
        return false;
    }
    if (job->state == RM_WORK_JOB_QUEUED) {
        job->token = from->token;
        job->attempt = from->attempt;
        job->epoch = epoch;
    }
    return true;
}

typedef enum {
    TAKEN,
    REFUSED,  /* handed back at once, and the master is told at once */
    UNWANTED, /* handed back at once; the next heartbeat tells, so that the two do not play ball */
    NO_ROOM
} receipt_t;

static receipt_t receive_one (rm_work_t *self, const rm_dispatch_job_t *from, uint64_t epoch)
{
    bool keyed = from->key.data != NULL && from->slot < RM_SLOTS;
    uint32_t queue = find_queue (self, from->queue);
    if (self->leaving || queue == self->queue_count)
        return UNWANTED;
    if (keyed && epoch <= self->closed[from->slot]) /* sent before the slot moved away, and perhaps sent again since */
        return REFUSED;
    rm_work_job_t *job = rm_work_jobs_find (self, from->id);
    if (job && receive_again (self, job, from, epoch))
        return TAKEN;
    rm_work_job_t *first = from->key.data ? first_of_key (self, queue, from->key) : NULL;
    if (first && is_finished (first) && !is_final (first))
        return REFUSED;
    if (self->held_count == RM_WORKER_HELD_MAX)
        return NO_ROOM;
    job = job_new (from, queue, epoch);
    if (!job)
        return NO_ROOM;
    job->result_bytes_max = self->result_bytes_max;
    if (keyed)
        self->closed[from->slot] = 0;
    if (keyed)
        rm_work_slots_gain (self, from->slot);
    hold (self, job);
    return TAKEN;
}

bool rm_work_jobs_receive (rm_work_t *self, const rm_msg_dispatch_t *dispatch)
{
    bool none_refused = true;
    for (uint32_t i = 0; i < dispatch->job_count; i++) {
        uint64_t seq = dispatch->seq + i;
        if (seq <= self->upto)
            continue;
        if (seq != self->upto + 1)
            break;
        const rm_dispatch_job_t *from = &dispatch->jobs[i];
        receipt_t receipt = receive_one (self, from, dispatch->epoch);
        if (receipt == NO_ROOM)
            break;
        self->upto = seq;
        if (from->id > self->job_id_max)
            self->job_id_max = from->id;
        if (receipt == REFUSED)
            none_refused = false;
    }
    return none_refused;
}

rm_work_job_t *rm_work_jobs_offer (rm_work_t *self)
{
    rm_work_job_t *first = NULL;
    rm_work_job_t *job, *next;
    DL_FOREACH_SAFE (self->ready, job, next) {
        if (!rm_work_slots_allow (self, job))
            continue;
        enlist (job, &self->offered);
        job->offered = true;
        DL_APPEND2 (first, job, prev_effect, next_effect);
    }
    return first;
}

/* ---- from queued on -------------------------------------------------------------------------------------------- */

/* Out of everything but the shell's hands. */
static void end (rm_work_t *self, rm_work_job_t *job, rm_work_job_state_t state)
{
    let_go (self, job);
    move (job, state);
    if (job->offered)
        add_effect (job, &self->withdrawn);
    else
        job_free (job);
}

void rm_work_jobs_return (rm_work_t *self, rm_work_job_t *job)
{
    end (self, job, RM_WORK_JOB_RETURNED);
}

void rm_work_jobs_return_all (rm_work_t *self)
{
    rm_work_job_t *job, *next;
    DL_FOREACH_SAFE2 (self->held, job, next, next_held)
        if (job->state == RM_WORK_JOB_QUEUED)
            rm_work_jobs_return (self, job);
}

/* With the read side, like others at the same time: it may touch this job, atomics, and nothing else. */
bool rm_work_try_start (rm_work_t *self, rm_work_job_t *job, uint64_t now_ms)
{
    if (job->state != RM_WORK_JOB_QUEUED || self->state != RM_WORK_LEASED || now_ms >= self->leased_until)
        return false;
    if (job->slot < RM_SLOTS && job->epoch <= self->closed[job->slot])
        return false;
    move (job, RM_WORK_JOB_RUNNING);
    atomic_fetch_add (&self->running, 1);
    if (job->timeout_ms) {
        job->timeout_at = now_ms + job->timeout_ms;
        uint_least64_t known = atomic_load (&self->timeout_at);
        while (job->timeout_at < known && !atomic_compare_exchange_weak (&self->timeout_at, &known, job->timeout_at))
            continue;
    }
    return true;
}

void rm_work_declined (rm_work_t *self, rm_work_job_t *job)
{
    RM_ASSERT (job->offered && job->state != RM_WORK_JOB_RUNNING);
    job->offered = false;
    drop_effect (job);
    unlist (job);
    if (job->held)
        make_ready (self, job);
    else
        job_free (job);
}

static void set_verdict (rm_work_job_t *job, rm_verdict_t verdict, const char *reason)
{
    job->result.verdict = verdict;
    rm_buf_close (&job->result.data);
    rm_buf_clear (&job->result.reason);
    rm_buf_put (&job->result.reason, reason, strlen (reason));
}

/* What stopped it decides, not what the handler said on the way out: it may have returned early with success. */
static void judge (rm_work_job_t *job)
{
    if (job->stop == RM_WORK_STOP_TIMEOUT)
        set_verdict (job, RM_VERDICT_TIMEOUT, "ran past its timeout");
    else if (job->stop == RM_WORK_STOP_LEASE)
        set_verdict (job, RM_VERDICT_INTERRUPTED, "its worker lost the lease");
    else if (job->stop == RM_WORK_STOP_ORDER && job->result.verdict != RM_VERDICT_OK)
        set_verdict (job, RM_VERDICT_DEAD, "stopped");
    else if (job->result.data.failed)
        set_verdict (job, RM_VERDICT_RETRY, "memory ran out at the worker");
    if (job->result.reason.failed)
        rm_buf_close (&job->result.reason);
    if (job->result.reason.size > RM_REASON_BYTES_MAX)
        job->result.reason.size = RM_REASON_BYTES_MAX;
}

void rm_work_finished (rm_work_t *self, rm_work_job_t *job)
{
    RM_ASSERT (job->state == RM_WORK_JOB_RUNNING);
    atomic_fetch_sub (&self->running, 1);
    job->offered = false;
    job->timeout_at = RM_WORK_NEVER;
    drop_effect (job);
    unlist (job);
    if (!job->held) {
        move (job, RM_WORK_JOB_GONE);
        job_free (job);
        return;
    }
    judge (job);
    move (job, RM_WORK_JOB_FINISHED);
    enlist (job, &self->finished);
    if (job->key.data && !is_final (job))
        while (job->next_of_key)
            rm_work_jobs_return (self, job->next_of_key);
}

void rm_work_jobs_sent (rm_work_t *self, rm_work_job_t *job, uint64_t now_ms)
{
    move (job, RM_WORK_JOB_SENT);
    job->sent_ms = now_ms;
    enlist (job, &self->sent);
}

void rm_work_jobs_unsend (rm_work_t *self, uint64_t before_ms)
{
    while (self->sent && self->sent->sent_ms <= before_ms) {
        rm_work_job_t *job = self->sent; /* the one sent first */
        move (job, RM_WORK_JOB_FINISHED);
        enlist (job, &self->finished);
    }
}

void rm_work_jobs_commit (rm_work_t *self, uint64_t id, uint32_t attempt)
{
    rm_work_job_t *job = rm_work_jobs_find (self, id);
    if (job && is_finished (job) && job->attempt <= attempt)
        end (self, job, RM_WORK_JOB_GONE);
}

/* ---- stopping what runs ---------------------------------------------------------------------------------------- */

static void stop (rm_work_t *self, rm_work_job_t *job, rm_work_stop_t why)
{
    if (job->stop == RM_WORK_GO_ON)
        job->stop = why;
    if (!atomic_exchange (&job->cancelled, true))
        add_effect (job, &self->cancels);
}

void rm_work_jobs_stop (rm_work_t *self, uint64_t id, uint32_t attempt)
{
    rm_work_job_t *job = rm_work_jobs_find (self, id);
    if (!job || job->attempt != attempt)
        return;
    if (job->state == RM_WORK_JOB_QUEUED)
        rm_work_jobs_return (self, job);
    else if (job->state == RM_WORK_JOB_RUNNING)
        stop (self, job, RM_WORK_STOP_ORDER);
}

void rm_work_jobs_cancel (rm_work_t *self, rm_work_stop_t why)
{
    rm_work_job_t *job;
    DL_FOREACH (self->offered, job)
        if (job->state == RM_WORK_JOB_RUNNING)
            stop (self, job, why);
}

void rm_work_jobs_forget (rm_work_t *self)
{
    rm_work_job_t *job, *next;
    DL_FOREACH_SAFE2 (self->held, job, next, next_held) {
        if (job->state != RM_WORK_JOB_RUNNING)
            continue;
        stop (self, job, RM_WORK_STOP_REMOVED);
        let_go (self, job);
    }
    DL_FOREACH_SAFE2 (self->held, job, next, next_held)
        end (self, job, RM_WORK_JOB_GONE);
}

/* Its time is over. False if it was over before, and so is the grace it was given then. */
static bool expire (rm_work_t *self, rm_work_job_t *job, uint64_t now_ms)
{
    if (job->overdue)
        return false;
    job->overdue = true;
    job->timeout_at = now_ms + self->grace_ms;
    stop (self, job, RM_WORK_STOP_TIMEOUT);
    return true;
}

bool rm_work_jobs_expire (rm_work_t *self, uint64_t now_ms)
{
    if (now_ms < atomic_load (&self->timeout_at))
        return true;
    bool all_stop = true;
    uint64_t next_at = RM_WORK_NEVER;
    rm_work_job_t *job;
    DL_FOREACH (self->offered, job) {
        if (job->state != RM_WORK_JOB_RUNNING)
            continue;
        if (now_ms >= job->timeout_at && !expire (self, job, now_ms))
            all_stop = false;
        if (job->timeout_at < next_at)
            next_at = job->timeout_at;
    }
    atomic_store (&self->timeout_at, next_at);
    return all_stop;
}
