#include "core/work.h"

#include <string.h>

#include "core/work_parts.h"
#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

static const bool moves[RM_WORK_STATES][RM_WORK_STATES] = {
    [RM_WORK_NEW] = {[RM_WORK_JOINED] = true, [RM_WORK_REJOIN] = true, [RM_WORK_OVER] = true},
    [RM_WORK_JOINED] = {[RM_WORK_LEASED] = true, [RM_WORK_REJOIN] = true, [RM_WORK_OVER] = true},
    [RM_WORK_LEASED] = {[RM_WORK_UNLEASED] = true, [RM_WORK_REJOIN] = true, [RM_WORK_OVER] = true},
    [RM_WORK_UNLEASED] = {[RM_WORK_LEASED] = true, [RM_WORK_REJOIN] = true, [RM_WORK_OVER] = true},
    [RM_WORK_REJOIN] = {[RM_WORK_NEW] = true, [RM_WORK_OVER] = true},
};

/* The one way from a state to another; checks the table and what holds in the new state. */
static void move (rm_work_t *self, rm_work_state_t state)
{
    RM_ASSERT (moves[self->state][state]);
    self->state = state;
    switch (state) {
    case RM_WORK_NEW:
        RM_ASSERT (!self->held_count && !rm_work_running_count (self) && !self->leaving);
        break;
    case RM_WORK_REJOIN:
        RM_ASSERT (!self->held_count);
        break;
    case RM_WORK_JOINED:
    case RM_WORK_LEASED:
    case RM_WORK_UNLEASED:
        RM_ASSERT (self->inc && self->term);
        break;
    default:
        break;
    }
}

const char *rm_work_state_name (rm_work_state_t state)
{
    static const char *const names[RM_WORK_STATES] = {"new", "joined", "leased", "unleased", "rejoin", "over"};
    return names[state];
}

bool rm_work_is_member (const rm_work_t *self)
{
    return self->state == RM_WORK_JOINED || self->state == RM_WORK_LEASED || self->state == RM_WORK_UNLEASED;
}

/* ---- birth and death ------------------------------------------------------------------------------------------- */

static rm_bytes_t copy_text (char **at, const char *text)
{
    size_t size = strlen (text);
    memcpy (*at, text, size);
    rm_bytes_t copy = {*at, (uint32_t)size};
    *at += size;
    return copy;
}

static bool copy_config (rm_work_t *self, const rm_work_config_t *config)
{
    size_t size = sizeof *self->queues * config->queue_count + strlen (config->name) + strlen (config->pool);
    for (uint32_t i = 0; i < config->queue_count; i++)
        size += strlen (config->queues[i]);
    self->queues = rm_malloc (size);
    if (!self->queues)
        return false;
    char *at = (char *)(self->queues + config->queue_count);
    for (uint32_t i = 0; i < config->queue_count; i++)
        self->queues[i] = copy_text (&at, config->queues[i]);
    self->name = copy_text (&at, config->name);
    self->pool = copy_text (&at, config->pool);
    self->queue_count = config->queue_count;
    self->threads = config->threads;
    return true;
}

rm_work_t *rm_work_new (const rm_work_config_t *config)
{
    rm_work_t *self = rm_calloc (1, sizeof *self);
    if (!self)
        return NULL;
    if (!copy_config (self, config) || (config->slots && !rm_work_slots_init (self))) {
        rm_free (self->queues);
        rm_free (self);
        return NULL;
    }
    self->lease_ms = RM_LEASE_MS;
    self->grace_ms = RM_GRACE_MS;
    self->heartbeat_ms = RM_HEARTBEAT_MS;
    self->result_bytes_max = RM_RESULT_BYTES_MAX;
    self->exit_at = RM_WORK_NEVER;
    atomic_store (&self->timeout_at, RM_WORK_NEVER);
    return self;
}

void rm_work_destroy (rm_work_t **self_p)
{
    rm_work_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    rm_work_jobs_close (self);
    rm_work_partial_drop (self);
    rm_work_partial_forget_told (self);
    rm_work_says_close (self);
    rm_free (self->resize.returned);
    rm_free (self->slots);
    rm_free (self->queues);
    rm_free (self);
}

/* ---- terms, incarnations, ends --------------------------------------------------------------------------------- */

static void finish (rm_work_t *self, rm_work_end_t end, const char *text)
{
    self->leased_at_end = self->state == RM_WORK_LEASED;
    move (self, RM_WORK_OVER);
    self->end = end;
    size_t size = strnlen (text, sizeof self->text - 1);
    memcpy (self->text, text, size);
    self->text[size] = 0;
}

void rm_work_adopt (rm_work_t *self, uint64_t term)
{
    RM_ASSERT (term > self->term);
    self->term = term;
    self->upto = 0;
    self->seen = 0;
    self->resize.say_1 = self->resize.say_2 = self->resize.say_3 = false;
    rm_work_jobs_unsend (self, RM_WORK_NEVER);
    rm_work_progress_again (self);
    self->say_beat = true;
}

void rm_work_forget (rm_work_t *self, uint64_t now_ms)
{
    rm_work_jobs_forget (self);
    rm_work_slots_lose_all (self);
    rm_work_partial_drop (self);
    self->say_beat = self->say_leave = self->say_join = false;
    self->resize.say_1 = self->resize.say_2 = self->resize.say_3 = false;
    self->exit_at = now_ms + self->grace_ms;
    move (self, RM_WORK_REJOIN);
}

/* The handlers of the removed incarnation have ended: begins as if the process were new. A master that answers each
 * join with `rejoin` is asked once in a heartbeat's time. */
static void begin_anew (rm_work_t *self, uint64_t now_ms)
{
    bool hasty = self->join_sent && self->join_ms + self->heartbeat_ms > now_ms;
    self->beat_at = hasty ? self->join_ms + self->heartbeat_ms : now_ms;
    self->inc = 0;
    self->term = 0; /* whoever takes the new incarnation in has logged it, and nothing older is meant for it */
    self->upto = 0;
    self->seen = 0;
    self->job_id_max = 0;
    self->join_sent = false;
    self->exit_at = RM_WORK_NEVER;
    self->resize.term = self->resize.epoch = 0;
    self->resize.reported = self->resize.closed = self->resize.ok = self->resize.over = false;
    memset (self->closed, 0, sizeof self->closed);
    move (self, RM_WORK_NEW);
}

/* A lease that begins at `from_ms`: when what was answered had been sent. */
static void grant (rm_work_t *self, uint64_t from_ms, uint64_t now_ms)
{
    uint64_t until = from_ms + self->lease_ms;
    if (until <= now_ms)
        return;
    if (self->state != RM_WORK_LEASED)
        move (self, RM_WORK_LEASED);
    else if (until <= self->leased_until)
        return;
    self->leased_until = until;
    self->exit_at = RM_WORK_NEVER;
}

static void heard (rm_work_t *self, uint64_t now_ms)
{
    self->heard_ms = now_ms;
    self->answered_ms = now_ms;
}

/* ---- what the master says -------------------------------------------------------------------------------------- */

/* Milliseconds as the master says them, but never so few that the half would spin. */
static uint32_t at_least (uint32_t value, uint32_t least)
{
    return value < least ? least : value;
}

static void receive_joined (rm_work_t *self, const rm_msg_joined_t *joined, uint64_t now_ms)
{
    if (joined->inc != self->inc || !self->join_sent || joined->term < self->term)
        return;
    heard (self, now_ms);
    if (joined->term > self->term)
        rm_work_adopt (self, joined->term);
    if (self->state != RM_WORK_NEW)
        return;
    self->heartbeat_ms = at_least (joined->heartbeat_ms, 10);
    self->lease_ms = at_least (joined->lease_ms, 2 * self->heartbeat_ms);
    self->grace_ms = joined->grace_ms;
    self->result_bytes_max = joined->result_bytes_max;
    self->resize.term = joined->term;
    self->resize.epoch = joined->epoch;
    self->joined_term = joined->term;
    self->joined_epoch = joined->epoch;
    self->say_joined = !self->joined_ever;
    self->joined_ever = true;
    self->say_join = false;
    self->say_beat = true;
    move (self, RM_WORK_JOINED);
    grant (self, self->join_ms, now_ms);
}

static void receive_heartbeat_ok (rm_work_t *self, const rm_msg_heartbeat_ok_t *ok, uint64_t now_ms)
{
    if (!rm_work_is_member (self) || ok->inc != self->inc || ok->term != self->term)
        return;
    const rm_work_beat_t *beat = &self->beats[ok->n % RM_WORK_BEATS];
    if (beat->n != ok->n)
        return;
    heard (self, now_ms);
    grant (self, beat->sent_ms, now_ms);
    if (ok->last_seq <= self->seen)
        return;
    self->seen = ok->last_seq;
    if (self->upto < self->seen)
        self->say_beat = true;
}

static void receive_dispatch (rm_work_t *self, const rm_msg_dispatch_t *dispatch)
{
    if (!rm_work_is_member (self) || dispatch->inc != self->inc || dispatch->term < self->term)
        return;
    if (dispatch->term > self->term)
        rm_work_adopt (self, dispatch->term);
    if (!rm_work_jobs_receive (self, dispatch))
        self->say_beat = true;
}

static void receive_committed (rm_work_t *self, const rm_msg_committed_t *committed)
{
    if (!rm_work_is_member (self) || committed->inc != self->inc || committed->term < self->term)
        return;
    for (uint32_t i = 0; i < committed->job_count; i++)
        rm_work_jobs_commit (self, committed->jobs[i].id, committed->jobs[i].attempt);
    rm_work_sync_drained (self);
    if (self->leaving && !self->held_count)
        self->say_leave = true; /* nothing keeps it any more */
}

/* What was handed back, the next heartbeat tells: at once. */
static void receive_stop (rm_work_t *self, const rm_msg_stop_t *stop)
{
    if (!rm_work_is_member (self) || stop->inc != self->inc || stop->term != self->term)
        return;
    uint32_t held = self->held_count;
    for (uint32_t i = 0; i < stop->job_count; i++)
        rm_work_jobs_stop (self, stop->jobs[i].id, stop->jobs[i].attempt);
    if (self->held_count < held)
        self->say_beat = true;
    rm_work_sync_drained (self);
}

/* Whoever led when this worker was a member has removed it by now, or is gone. A master whose term is lower than those the
 * worker has seen is then one that began again with an empty ledger, and not a leader of the past. */
static bool is_forsaken (const rm_work_t *self, uint64_t now_ms)
{
    return self->state == RM_WORK_UNLEASED && now_ms >= self->leased_until + RM_WORK_PATIENCE_MS;
}

static void receive_rejoin (rm_work_t *self, const rm_msg_rejoin_t *rejoin, uint64_t now_ms)
{
    if (!self->inc || rejoin->inc != self->inc || self->state == RM_WORK_REJOIN)
        return;
    if (rejoin->term < self->term && !is_forsaken (self, now_ms))
        return;
    heard (self, now_ms);
    rm_work_forget (self, now_ms);
}

static void receive_left (rm_work_t *self, const rm_msg_left_t *left, uint64_t now_ms)
{
    if (!self->inc || left->inc != self->inc || left->term < self->term)
        return;
    heard (self, now_ms);
    self->leaving = true;
    if (self->state != RM_WORK_REJOIN)
        rm_work_forget (self, now_ms);
}

/* Before it is a member, a refusal concerns the worker itself. Some will not change by asking again. */
static void receive_error (rm_work_t *self, const rm_msg_error_t *error, uint64_t now_ms)
{
    if (self->state != RM_WORK_NEW || !self->join_sent)
        return;
    heard (self, now_ms);
    switch (error->code) {
    case RM_EDENIED:
    case RM_EINVAL:
    case RM_ETOOBIG:
    case RM_EPROTO:
        finish (self, RM_WORK_END_REFUSED, "");
        self->end_code = error->code;
        size_t size = error->text.size < sizeof self->text ? error->text.size : sizeof self->text - 1;
        if (size)
            memcpy (self->text, error->text.data, size);
        self->text[size] = 0;
        break;
    default:
        break;
    }
}

void rm_work_receive (rm_work_t *self, const rm_msg_t *msg, uint64_t now_ms)
{
    if (self->state == RM_WORK_OVER)
        return;
    switch (msg->type) {
    case RM_MSG_JOINED:
        receive_joined (self, &msg->joined, now_ms);
        break;
    case RM_MSG_HEARTBEAT_OK:
        receive_heartbeat_ok (self, &msg->heartbeat_ok, now_ms);
        break;
    case RM_MSG_DISPATCH:
        receive_dispatch (self, &msg->dispatch);
        break;
    case RM_MSG_COMMITTED:
        receive_committed (self, &msg->committed);
        break;
    case RM_MSG_STOP:
        receive_stop (self, &msg->stop);
        break;
    case RM_MSG_REJOIN:
        receive_rejoin (self, &msg->rejoin, now_ms);
        break;
    case RM_MSG_LEFT:
        receive_left (self, &msg->left, now_ms);
        break;
    case RM_MSG_SYNC:
        rm_work_sync_receive (self, &msg->sync, now_ms);
        break;
    case RM_MSG_ERROR:
        receive_error (self, &msg->error, now_ms);
        break;
    default: /* not for a worker */
        break;
    }
}

/* ---- connection, time, stop ------------------------------------------------------------------------------------ */

void rm_work_connected (rm_work_t *self, uint64_t now_ms)
{
    self->connected = true;
    self->heard_ms = now_ms;
    self->beat_at = now_ms;
    rm_work_jobs_unsend (self, RM_WORK_NEVER);
    rm_work_progress_again (self);
}

void rm_work_disconnected (rm_work_t *self)
{
    self->connected = false;
    rm_work_jobs_unsend (self, RM_WORK_NEVER);
}

void rm_work_stop (rm_work_t *self, uint64_t now_ms)
{
    if (self->leaving || self->state == RM_WORK_OVER)
        return;
    self->leaving = true;
    if (!self->began || !self->connected)
        self->answered_ms = now_ms;
    rm_work_jobs_return_all (self);
    rm_work_sync_drained (self);
    self->say_leave = rm_work_is_member (self);
    if (self->state == RM_WORK_NEW)
        finish (self, RM_WORK_END_LEFT, "stopped before it had joined");
}

/* The lease is over: whoever takes the jobs over must find nobody running them. A process that was itself stopped in
 * the meantime gives its handlers the grace it could not give them in time. */
static void lose_lease (rm_work_t *self, uint64_t now_ms)
{
    move (self, RM_WORK_UNLEASED);
    rm_work_jobs_cancel (self, RM_WORK_STOP_LEASE);
    self->exit_at = self->leased_until + self->grace_ms;
    if (self->exit_at <= now_ms)
        self->exit_at = now_ms + self->grace_ms;
}

static void tick_member (rm_work_t *self, uint64_t now_ms)
{
    if (self->state == RM_WORK_LEASED && now_ms >= self->leased_until)
        lose_lease (self, now_ms);
    bool runs = rm_work_running_count (self) > 0;
    if (now_ms >= self->exit_at && runs)
        finish (self, RM_WORK_END_HUNG, "a handler did not stop after the lease was lost");
    else if (!rm_work_jobs_expire (self, now_ms)) {
        /* Its last words ask to leave: a heartbeat would renew its lease, and what it hands back would come again. */
        rm_work_jobs_return_all (self);
        self->say_leave = true;
        finish (self, RM_WORK_END_HUNG, "a handler did not stop after its timeout");
    } else if (self->leaving && self->state == RM_WORK_UNLEASED && !runs && !self->held_count)
        finish (self, RM_WORK_END_LEFT, "left without a word: no master answers, and nothing is held");
    else if (self->leaving && now_ms - self->answered_ms >= RM_WORK_PATIENCE_MS)
        finish (self, RM_WORK_END_UNREACHABLE, "no master takes the results");
    if (now_ms < self->beat_at)
        return;
    self->say_beat = true;
    self->say_leave = self->leaving;
    if (now_ms >= RM_WORK_RESEND_MS)
        rm_work_jobs_unsend (self, now_ms - RM_WORK_RESEND_MS);
}

static void tick_new (rm_work_t *self, uint64_t now_ms, uint64_t random)
{
    if (!self->inc)
        self->inc = random ? random : 1;
    if (!self->joined_ever && now_ms - self->answered_ms >= RM_WORK_PATIENCE_MS)
        finish (self, RM_WORK_END_UNREACHABLE, "no master answers");
    else if (now_ms >= self->beat_at)
        self->say_join = true;
}

static void tick_rejoin (rm_work_t *self, uint64_t now_ms)
{
    if (rm_work_running_count (self)) {
        if (now_ms >= self->exit_at || !rm_work_jobs_expire (self, now_ms))
            finish (self, RM_WORK_END_HUNG, "a handler did not stop after this worker was removed");
    } else if (rm_work_slots_owes_lost (self))
        return; /* the program is told first that it has none any more */
    else if (self->leaving)
        finish (self, RM_WORK_END_LEFT, "left");
    else
        begin_anew (self, now_ms);
}

void rm_work_tick (rm_work_t *self, uint64_t now_ms, uint64_t random)
{
    if (!self->began)
        self->answered_ms = now_ms;
    self->began = true;
    if (self->state == RM_WORK_REJOIN)
        tick_rejoin (self, now_ms);
    if (self->state == RM_WORK_NEW)
        tick_new (self, now_ms, random);
    else if (rm_work_is_member (self))
        tick_member (self, now_ms);
}

uint64_t rm_work_timeout_at (const rm_work_t *self)
{
    return atomic_load (&self->timeout_at);
}

rm_work_state_t rm_work_state (const rm_work_t *self)
{
    return self->state;
}

uint64_t rm_work_incarnation (const rm_work_t *self)
{
    return self->inc;
}

uint64_t rm_work_term (const rm_work_t *self)
{
    return self->term;
}

uint32_t rm_work_held_count (const rm_work_t *self)
{
    return self->held_count;
}

uint32_t rm_work_running_count (const rm_work_t *self)
{
    return atomic_load (&self->running);
}
