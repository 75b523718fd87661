#include <utlist.h>

#include "core/work_parts.h"
#include "proto/alloc.h"

/* A joining worker is answered when a running resize is over, so it waits longer than a member before it looks for
 * another master. */
enum { JOIN_LEASES = 3 };

bool rm_work_grow (void **array, uint32_t *capacity, size_t count, size_t element_size)
{
    if (count <= *capacity)
        return true;
    size_t wanted = *capacity ? *capacity : 16;
    while (wanted < count)
        wanted *= 2;
    void *grown = rm_realloc (*array, wanted * element_size);
    if (!grown)
        return false;
    *array = grown;
    *capacity = (uint32_t)wanted;
    return true;
}

void rm_work_says_close (rm_work_t *self)
{
    rm_free (self->says.sends);
    rm_free (self->says.held);
    rm_free (self->says.done);
    rm_free (self->says.progress);
    rm_free (self->says.partials);
    rm_free (self->says.returned);
}

/* The next message to send; NULL when memory has run out. Earlier answers may have moved. */
static rm_msg_t *say (rm_work_t *self, rm_msg_type_t type)
{
    rm_work_says_t *says = &self->says;
    if (!rm_work_grow ((void **)&says->sends, &says->send_capacity, says->send_count + 1, sizeof *says->sends))
        return NULL;
    rm_msg_t *msg = &says->sends[says->send_count++];
    *msg = (rm_msg_t){.type = type};
    return msg;
}

static rm_report_t report (const rm_work_t *self)
{
    return (rm_report_t){
        .term = self->term,
        .inc = self->inc,
        .upto = self->upto,
        .held = self->says.held,
        .held_count = self->says.held_count,
    };
}

static bool list_held (rm_work_t *self)
{
    rm_work_says_t *says = &self->says;
    if (!rm_work_grow ((void **)&says->held, &says->held_capacity, self->held_count, sizeof *says->held))
        return false;
    says->held_count = 0;
    const rm_work_job_t *job;
    DL_FOREACH2 (self->held, job, next_held)
        says->held[says->held_count++] = job->id;
    return true;
}

static void say_join (rm_work_t *self, uint64_t now_ms)
{
    rm_msg_t *msg = say (self, RM_MSG_JOIN);
    if (!msg)
        return;
    msg->join = (rm_msg_join_t){
        .name = self->name,
        .inc = self->inc,
        .pool = self->pool,
        .queues = self->queues,
        .queue_count = self->queue_count,
        .threads = self->threads,
    };
    if (!self->join_sent)
        self->join_ms = now_ms;
    self->join_sent = true;
    self->say_join = false;
    self->beat_at = now_ms + self->heartbeat_ms;
}

/* ---- results --------------------------------------------------------------------------------------------------- */

static void write_done (rm_done_job_t *self, const rm_work_job_t *job)
{
    *self = (rm_done_job_t){
        .id = job->id,
        .token = job->token,
        .attempt = job->attempt,
        .verdict = job->result.verdict,
        .ran_us = job->result.ran_us,
        .reason = {job->result.reason.data, (uint32_t)job->result.reason.size},
        .data = {job->result.data.data, (uint32_t)job->result.data.size},
    };
}

/* One message with as many results as it takes, at least one. False when memory has run out. */
static bool say_done (rm_work_t *self, uint64_t now_ms)
{
    rm_work_says_t *says = &self->says;
    rm_msg_t *msg = say (self, RM_MSG_DONE);
    if (!msg)
        return false;
    rm_done_job_t *first = says->done + says->done_count;
    size_t bytes = 0;
    uint32_t count = 0;
    while (self->finished && count < RM_MESSAGE_JOBS_MAX) {
        rm_work_job_t *job = self->finished;
        bytes += job->result.data.size + job->result.reason.size + RM_MESSAGE_ROW_BYTES;
        if (count && bytes > RM_WORK_MESSAGE_BYTES)
            break;
        write_done (&first[count++], job);
        rm_work_jobs_sent (self, job, now_ms);
    }
    says->done_count += count;
    msg->done = (rm_msg_done_t){.report = report (self), .jobs = first, .job_count = count};
    return true;
}

static void say_results (rm_work_t *self, uint64_t now_ms)
{
    rm_work_says_t *says = &self->says;
    /* Room for all at once: messages point into the array. */
    if (!rm_work_grow ((void **)&says->done, &says->done_capacity, self->held_count, sizeof *says->done))
        return;
    while (self->finished && say_done (self, now_ms))
        continue;
}

/* ---- the rest -------------------------------------------------------------------------------------------------- */

/* The ids that phase 2 handed back, but for those that have come again since. */
static void list_returned (rm_work_t *self)
{
    rm_work_says_t *says = &self->says;
    const rm_work_resize_t *resize = &self->resize;
    says->returned_count = 0;
    if (!rm_work_grow ((void **)&says->returned, &says->returned_capacity, resize->returned_count,
                       sizeof *says->returned))
        return;
    for (uint32_t i = 0; i < resize->returned_count; i++)
        if (!rm_work_jobs_find (self, resize->returned[i]))
            says->returned[says->returned_count++] = resize->returned[i];
}

static void say_phase (rm_work_t *self, uint32_t phase, bool *wanted)
{
    rm_msg_t *msg = *wanted ? say (self, RM_MSG_SYNC) : NULL;
    if (!msg)
        return;
    *wanted = false;
    const rm_work_resize_t *resize = &self->resize;
    msg->sync = (rm_msg_sync_t){
        .name = self->name,
        .phase = phase,
        .term = resize->term,
        .epoch = resize->epoch,
        .report = report (self),
    };
    if (phase == 1)
        msg->sync.current_job = resize->current_job;
    if (phase == 3)
        msg->sync.ok = true;
    if (phase != 2)
        return;
    list_returned (self);
    msg->sync.ok = resize->ok;
    msg->sync.returned = self->says.returned;
    msg->sync.returned_count = self->says.returned_count;
}

static void say_heartbeat (rm_work_t *self, uint64_t now_ms)
{
    rm_msg_t *msg = say (self, RM_MSG_HEARTBEAT);
    if (!msg)
        return;
    uint64_t n = ++self->beat;
    self->beats[n % RM_WORK_BEATS] = (rm_work_beat_t){.n = n, .sent_ms = now_ms};
    msg->heartbeat = (rm_msg_heartbeat_t){.report = report (self), .n = n, .seen = self->seen};
    self->say_beat = false;
    self->beat_at = now_ms + self->heartbeat_ms;
}

static void say_leave (rm_work_t *self)
{
    rm_msg_t *msg = say (self, RM_MSG_LEAVE);
    if (!msg)
        return;
    msg->leave.report = report (self);
    self->say_leave = false;
}

static bool tells_progress (const rm_work_t *self)
{
    return (self->say_progress || self->partials) && self->state == RM_WORK_LEASED;
}

/* All there are: what a job said must be known before its end is. */
static void say_partials (rm_work_t *self)
{
    rm_work_says_t *says = &self->says;
    if (!rm_work_partial_room (self))
        return;
    while (self->partials) {
        rm_partial_t *first = says->partials + says->partial_count;
        rm_msg_t *msg = say (self, RM_MSG_PARTIAL);
        if (!msg)
            return;
        msg->partial = (rm_msg_partial_t){self->term, self->inc, first, rm_work_partial_list (self)};
    }
}

static void say_progress (rm_work_t *self, uint64_t now_ms)
{
    say_partials (self);
    self->progress_at = now_ms + RM_WORK_PROGRESS_MS;
    if (!self->say_progress)
        return;
    rm_msg_t *msg = say (self, RM_MSG_PROGRESS);
    if (!msg)
        return;
    rm_work_progress_list (self);
    if (self->says.progress_count)
        msg->progress = (rm_msg_progress_t){self->term, self->inc, self->says.progress, self->says.progress_count};
    else
        self->says.send_count--;
}

static void say_as_member (rm_work_t *self, uint64_t now_ms)
{
    bool tells_results = self->state == RM_WORK_LEASED || (self->state == RM_WORK_OVER && self->leased_at_end);
    if (!list_held (self))
        return; /* a message that says too little about what is held would hand jobs back; the next tick tries again */
    if (tells_results && self->finished) {
        say_partials (self);
        say_results (self, now_ms);
    }
    say_phase (self, 1, &self->resize.say_1);
    say_phase (self, 2, &self->resize.say_2);
    say_phase (self, 3, &self->resize.say_3);
    if (self->say_beat)
        say_heartbeat (self, now_ms);
    if (self->say_leave)
        say_leave (self);
    if (tells_progress (self) && now_ms >= self->progress_at)
        say_progress (self, now_ms);
}

static bool says_something (const rm_work_t *self, uint64_t now_ms)
{
    if (tells_progress (self) && now_ms >= self->progress_at)
        return true;
    return self->finished || self->say_beat || self->say_leave || self->resize.say_1 || self->resize.say_2 ||
           self->resize.say_3;
}

static uint64_t earlier (uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When this master counts as silent. */
static uint64_t silent_at (const rm_work_t *self)
{
    return self->heard_ms + (uint64_t)self->lease_ms * (self->state == RM_WORK_NEW ? JOIN_LEASES : 1);
}

static uint64_t deadline (const rm_work_t *self, uint64_t now_ms)
{
    uint64_t at = RM_WORK_NEVER;
    if (self->state == RM_WORK_OVER)
        return at;
    if (self->state == RM_WORK_REJOIN)
        return rm_work_running_count (self)     ? earlier (self->exit_at, rm_work_timeout_at (self))
               : rm_work_slots_owes_lost (self) ? RM_WORK_NEVER
                                                : now_ms;
    if (self->connected)
        at = earlier (self->beat_at, silent_at (self));
    if (self->connected && tells_progress (self))
        at = earlier (at, self->progress_at);
    if (self->leaving || !self->joined_ever)
        at = earlier (at, self->answered_ms + RM_WORK_PATIENCE_MS);
    if (self->state == RM_WORK_LEASED)
        at = earlier (at, self->leased_until);
    if (rm_work_running_count (self))
        at = earlier (at, earlier (self->exit_at, rm_work_timeout_at (self)));
    return at;
}

const rm_work_effects_t *rm_work_effects (rm_work_t *self, uint64_t now_ms)
{
    rm_work_effects_t *effects = &self->effects;
    self->says.send_count = self->says.done_count = self->says.partial_count = 0;
    rm_work_partial_forget_told (self);
    bool member = rm_work_is_member (self) || self->state == RM_WORK_OVER;
    if (self->connected && self->say_join && self->state == RM_WORK_NEW)
        say_join (self, now_ms);
    else if (self->connected && member && self->inc && says_something (self, now_ms))
        say_as_member (self, now_ms);
    *effects = (rm_work_effects_t){
        .sends = self->says.sends,
        .send_count = self->says.send_count,
        .cancels = rm_work_jobs_take_effects (&self->cancels),
        .withdrawn = rm_work_jobs_take_effects (&self->withdrawn),
        .starts = self->state == RM_WORK_LEASED ? rm_work_jobs_offer (self) : NULL,
        .slots = rm_work_slots_tell (self),
        .joined = self->say_joined,
        .end = self->end,
        .end_code = self->end_code,
        .text = self->end == RM_WORK_GOES_ON ? NULL : self->text,
    };
    self->say_joined = false;
    if (self->connected && self->state != RM_WORK_OVER && self->state != RM_WORK_REJOIN && now_ms >= silent_at (self)) {
        effects->reconnect = true;
        rm_work_disconnected (self);
    }
    effects->deadline_ms = deadline (self, now_ms);
    return effects;
}
