/*  Jobs and their outcomes: one each, the same to everyone, in the order of their keys; and that the books add up. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_inside.h"
#include "ringmaster/client.h"

/* The table has a bound, whatever number somebody says. */
check_job_t *check_job (check_t *self, uint64_t id)
{
    if (!id || id >= SIM_JOBS_MAX)
        VIOLATION (self, "submitted", "job %" PRIu64 " cannot be", id);
    return &self->jobs[id];
}

static void copy_text (char to[CHECK_TEXT_BYTES], const void *text, size_t size)
{
    snprintf (to, CHECK_TEXT_BYTES, "%.*s", (int)size, size ? (const char *)text : "");
}

static const plan_item_t *item_of (const check_t *self, uint32_t index)
{
    const plan_t *plan = self->sim->plan;
    for (uint32_t i = 0; i < plan->item_count; i++)
        if (plan->items[i].index == index)
            return &plan->items[i];
    return NULL;
}

/* ---- what the log says ------------------------------------------------------------------------------------------- */

static uint64_t seq_of (const rm_ledger_session_t *session, uint64_t id)
{
    for (uint32_t i = 1; i <= session->request_count; i++) {
        const rm_request_t *request = rm_session_request (session, session->floor + i);
        if (request && request->id == id)
            return session->floor + i;
    }
    return 0;
}

/* When the batch that is being applied was stamped. */
static uint64_t written_us (const check_t *self)
{
    return self->written_us;
}

static void note_accepted (check_t *self, const rm_record_t *record, const plan_item_t *item, uint64_t seq)
{
    history_job_t note = {.seq = seq,
                          .id = record->id,
                          .place = check_job (self, record->id)->place,
                          .may_end = 1 << RM_DONE | 1 << RM_DIED |
                                     (self->sim->plan->orders ? 1 << RM_CANCELLED | 1 << RM_EXPIRED : 0),
                          .at_most_once = item->at_most_once && item->tries < 2};
    for (int i = 0; i < RM_SESSION_BYTES; i++)
        snprintf (note.session + 2 * i, 3, "%02x", record->session->id.bytes[i]);
    if (item->key < 0)
        strcpy (note.key, "-");
    else
        snprintf (note.key, sizeof note.key, "%s/k%d", item->queue ? "r" : "q", item->key);
    history_accepted (self->history, &note);
}

/* Where a kicked job stands: where the dead one held its key, or at the end. */
static uint64_t take_place (check_t *self, const rm_record_t *record)
{
    check_job_t *dead = check_job (self, record->extra->kicked_from);
    uint64_t place = dead->holds ? dead->place : record->id;
    dead->holds = false;
    return place;
}

static void on_accepted (void *arg, rm_record_t *record)
{
    check_t *self = arg;
    check_job_t *job = check_job (self, record->id);
    char payload[CHECK_TEXT_BYTES];
    copy_text (payload, record->data->data, record->data->size);
    const plan_item_t *item = item_of (self, (uint32_t)strtoul (payload, NULL, 10));
    if (!item || !self->items[item->index].asked)
        VIOLATION (self, "submitted", "job %" PRIu64 " with payload '%s' was submitted by nobody", record->id, payload);
    check_item_t *asked = &self->items[item->index];
    bool kicked = record->extra && record->extra->kicked_from;
    uint64_t seq = kicked ? record->id : seq_of (record->session, record->id);
    for (uint64_t id = 1; id < record->id && !kicked; id++)
        if (self->jobs[id].item == item->index)
            VIOLATION (self, "same-request", "request %" PRIu64 " is job %" PRIu64 " and job %" PRIu64, asked->seq, id,
                       record->id);
    *job = (check_job_t){.item = item->index,
                         .key = item->key,
                         .queue = item->queue,
                         .place = kicked ? take_place (self, record) : record->id,
                         .at_most_once = item->at_most_once};
    bool same_queue = !strcmp (record->queue->name, item->queue ? "r" : "q");
    if (!same_queue || !record->key != (item->key < 0) || !!(record->flags & RM_JOB_AT_MOST_ONCE) != item->at_most_once)
        VIOLATION (self, "submitted", "job %" PRIu64 " is not what was submitted", record->id);
    self->counts.jobs++;
    self->heard_us[record->session->number % SIM_JOBS_MAX] = written_us (self);
    note_accepted (self, record, item, seq);
}

/* Who failed, or ended well, must have said so while it was a member. */
static void count_attempt (check_t *self, const rm_record_t *record, check_job_t *job)
{
    uint32_t attempt = job->failures + job->crashes + 1;
    bool failed = record->failures > job->failures, done = record->outcome == RM_OUTCOME_DONE;
    if ((failed || done) && !check_completed (self, record->id, attempt, done))
        VIOLATION (self, "fencing", "job %" PRIu64 " took a completion of attempt %u that must not count", record->id,
                   attempt);
    job->failures = record->failures;
    job->crashes = record->crashes;
}

static void on_ended (void *arg, rm_record_t *record)
{
    check_t *self = arg;
    check_job_t *job = check_job (self, record->id);
    if (job->ended)
        VIOLATION (self, "one-outcome", "job %" PRIu64 " ended twice", record->id);
    job->ended = true;
    job->outcome = record->outcome;
    job->ended_us = written_us (self);
    job->holds = record->outcome == RM_OUTCOME_DEAD && job->key >= 0 && self->queue_holds[job->queue];
    count_attempt (self, record, job);
    if (record->result)
        copy_text (job->bytes, record->result->data, record->result->size);
    if (record->reason)
        copy_text (job->reason, record->reason->data, record->reason->size);
}

static void on_queue_set (void *arg, rm_queue_t *queue, uint32_t setting)
{
    check_t *self = arg;
    (void)setting;
    uint32_t number = !strcmp (queue->name, "r");
    self->queue_holds[number] = queue->hold;
    for (uint64_t id = 1; id <= self->shadow.last_id && !queue->hold; id++)
        if (self->jobs[id].queue == number)
            self->jobs[id].holds = false;
}

static void on_waits_again (void *arg, rm_record_t *record)
{
    check_t *self = arg;
    check_job_t *job = check_job (self, record->id);
    if (job->ended)
        VIOLATION (self, "one-outcome", "job %" PRIu64 " had ended and waits again", record->id);
    count_attempt (self, record, job);
}

/* Clocks may run a little fast. */
static bool too_soon (const check_t *self, uint64_t since_us, uint64_t least_ms)
{
    return self->sim->now_us < since_us + least_ms * 950;
}

static void on_record_freed (void *arg, rm_record_t *record)
{
    check_t *self = arg;
    check_job_t *job = check_job (self, record->id);
    if (too_soon (self, job->ended_us, self->sim->plan->keep_ms))
        VIOLATION (self, "one-outcome", "the outcome of job %" PRIu64 " is forgotten after %.1f ms", record->id,
                   (double)(self->sim->now_us - job->ended_us) / 1000);
    job->forgotten = true;
    self->forgotten++;
}

static void on_session_freed (void *arg, rm_ledger_session_t *session)
{
    check_t *self = arg;
    uint64_t heard_us = self->heard_us[session->number % SIM_JOBS_MAX];
    if (too_soon (self, heard_us, RM_SESSION_TTL_MS))
        VIOLATION (self, "session", "session %" PRIu64 " is forgotten %.1f ms after it had a job accepted",
                   session->number, (double)(self->sim->now_us - heard_us) / 1000);
}

/* What was sent to it before would be heeded as if it were said to it now. */
static void on_member_added (void *arg, rm_member_t *member)
{
    check_t *self = arg;
    check_inc_t *inc = check_inc (self, member->inc);
    if (inc && inc->removed)
        VIOLATION (self, "fencing", "%s was removed, and is a member again as incarnation %04" PRIx64, member->name,
                   member->inc >> 48);
}

static void on_member_removed (void *arg, rm_member_t *member)
{
    check_inc_t *inc = check_inc (arg, member->inc);
    if (inc)
        inc->removed = true;
}

static void on_resize_begun (void *arg)
{
    check_t *self = arg;
    self->counts.resizes++;
    if (self->shadow.epoch <= self->epoch)
        VIOLATION (self, "one-owner", "epoch %" PRIu64 " is used again", self->shadow.epoch);
    self->epoch = self->shadow.epoch;
}

void check_listen (check_t *self)
{
    self->shadow.listener = (rm_state_listener_t){
        .arg = self,
        .accepted = on_accepted,
        .ended = on_ended,
        .waits_again = on_waits_again,
        .queue_set = on_queue_set,
        .member_added = on_member_added,
        .member_removed = on_member_removed,
        .resize_begun = on_resize_begun,
        .record_freed = on_record_freed,
        .session_freed = on_session_freed,
    };
}

void check_shadow_books (check_t *self)
{
    const rm_state_t *shadow = &self->shadow;
    uint64_t waiting = 0;
    for (const rm_queue_t *queue = shadow->queues; queue; queue = queue->hh.next)
        waiting += queue->waiting_count;
    if (waiting != shadow->waiting_count ||
        shadow->waiting_count + shadow->ended_count + self->forgotten != shadow->last_id)
        VIOLATION (self, "books",
                   "%" PRIu64 " wait, %" PRIu64 " in queues, %" PRIu64 " ended, %" PRIu64 " forgotten: %" PRIu64
                   " accepted",
                   shadow->waiting_count, waiting, shadow->ended_count, self->forgotten, shadow->last_id);
}

/* ---- what is said ------------------------------------------------------------------------------------------------ */

static void check_accepted_row (check_t *self, const rm_session_id_t *id, const rm_accepted_job_t *row)
{
    const rm_ledger_session_t *session = rm_state_session (&self->shadow, id);
    const rm_request_t *request = session ? rm_session_request (session, row->seq) : NULL;
    /* Of a request that its client has let go, a master that lags may still know. */
    if (row->id > self->shadow.last_id || (request && request->id != row->id))
        VIOLATION (self, "durable", "request %" PRIu64 " is answered with job %" PRIu64 ", which is not on the disk",
                   row->seq, row->id);
}

static void check_outcome_row (check_t *self, const rm_result_job_t *row)
{
    if (row->outcome == RM_OUTCOME_UNKNOWN || row->outcome == RM_OUTCOME_NONE)
        return;
    const check_job_t *job = check_job (self, row->id);
    if (row->outcome == RM_OUTCOME_GONE && !job->forgotten)
        VIOLATION (self, "one-outcome", "job %" PRIu64 " is said to be gone, and is not", row->id);
    if (row->outcome != RM_OUTCOME_GONE && (!job->ended || job->outcome != row->outcome))
        VIOLATION (self, "durable", "job %" PRIu64 " is said to have ended, which is not on the disk", row->id);
}

/* Nothing may be told that is not on the disk. */
void check_answer (check_t *self, const rm_msg_t *msg)
{
    for (uint32_t i = 0; msg->type == RM_MSG_ACCEPTED && i < msg->accepted.job_count; i++)
        check_accepted_row (self, &msg->accepted.session, &msg->accepted.jobs[i]);
    for (uint32_t i = 0; msg->type == RM_MSG_RESULT && i < msg->result.job_count; i++)
        check_outcome_row (self, &msg->result.jobs[i]);
}

static bool believed_at (const check_t *self, uint64_t id, uint64_t inc)
{
    uint32_t who;
    const rm_leader_t *leader = sim_leading (self->sim, &who);
    const rm_record_t *record = leader ? rm_state_record (leader->state, id) : NULL;
    return record && rm_record_peer (record) && rm_record_peer (record)->member->inc == inc;
}

/* A worker forgets how a run ended then: that must be in the log, if the job is believed to be there. */
void check_committed (check_t *self, uint32_t who, const rm_msg_committed_t *committed)
{
    rm_work_t *half = sim_work (self->sim, who);
    if (!half || half->inc != committed->inc || !rm_state_member (&self->shadow, committed->inc))
        return;
    for (uint32_t i = 0; i < committed->job_count; i++) {
        const rm_committed_job_t *told = &committed->jobs[i];
        const rm_work_job_t *job = rm_work_jobs_find (half, told->id);
        const rm_record_t *record = rm_state_record (&self->shadow, told->id);
        bool finished = job && job->attempt <= told->attempt &&
                        (job->state == RM_WORK_JOB_FINISHED || job->state == RM_WORK_JOB_SENT);
        if (finished && record && record->outcome == RM_OUTCOME_NONE && job->attempt == rm_record_attempt (record) &&
            believed_at (self, job->id, committed->inc))
            VIOLATION (self, "durable", "%s is told to forget how job %" PRIu64 " ended, which is not on the disk",
                       self->sim->processes[who].name, job->id);
    }
}

/* ---- what clients see -------------------------------------------------------------------------------------------- */

void check_submits (check_t *self, const plan_item_t *item, const rm_session_id_t *session, uint64_t seq)
{
    check_item_t *asked = &self->items[item->index];
    asked->asked = true;
    asked->session = *session;
    asked->seq = seq;
}

void check_accepted (check_t *self, uint32_t who, const plan_item_t *item, uint64_t id)
{
    const check_job_t *job = check_job (self, id);
    if (id > self->shadow.last_id || job->item != item->index)
        VIOLATION (self, "same-request", "%s was told job %" PRIu64 " for its job %u", self->sim->processes[who].name,
                   id, item->index);
}

static void note_outcome (check_t *self, const rm_result_job_t *result)
{
    history_outcome_t note = {.id = result->id, .outcome = (int)result->outcome, .attempt = result->attempt};
    copy_text (note.bytes, result->data.data, result->data.size);
    copy_text (note.reason, result->reason.data, result->reason.size);
    history_ended (self->history, &note);
}

/* What nobody has asked about, or was told too late, ended as the log says. */
void check_note_untold (check_t *self)
{
    for (uint64_t id = 1; id <= self->shadow.last_id; id++) {
        const check_job_t *job = &self->jobs[id];
        rm_result_job_t result = {.id = id,
                                  .outcome = job->outcome,
                                  .attempt = job->failures + job->crashes + (job->outcome == RM_OUTCOME_DONE),
                                  .data = rm_bytes (job->bytes)};
        if (!job->told && job->ended)
            note_outcome (self, &result);
    }
}

void check_result (check_t *self, uint32_t who, const rm_result_job_t *result)
{
    check_job_t *job = check_job (self, result->id);
    char bytes[CHECK_TEXT_BYTES], reason[CHECK_TEXT_BYTES], wanted[CHECK_TEXT_BYTES];
    copy_text (bytes, result->data.data, result->data.size);
    copy_text (reason, result->reason.data, result->reason.size);
    snprintf (wanted, sizeof wanted, "%u=", job->item);
    bool of_item = result->outcome != RM_OUTCOME_DONE || !strncmp (bytes, wanted, strlen (wanted));
    if (!of_item || strcmp (bytes, job->bytes) || strcmp (reason, job->reason))
        VIOLATION (self, "same-request", "%s was brought '%s' (%s) for job %" PRIu64 ", the log has '%s' (%s)",
                   self->sim->processes[who].name, bytes, reason, result->id, job->bytes, job->reason);
    job->told = true;
    note_outcome (self, result);
}

void check_gone (check_t *self, uint32_t who, uint64_t id)
{
    const check_job_t *job = check_job (self, id);
    if (!job->forgotten)
        VIOLATION (self, "one-outcome", "%s was told that job %" PRIu64 " is gone", self->sim->processes[who].name, id);
}

void check_unknown (check_t *self, uint32_t who, uint64_t id)
{
    VIOLATION (self, "one-outcome", "%s was told that job %" PRIu64 ", which was accepted, is unknown",
               self->sim->processes[who].name, id);
}
