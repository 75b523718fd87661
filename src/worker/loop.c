#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/poll.h"
#include "net/random.h"
#include "proto/assert.h"
#include "worker/failpoints.h"
#include "worker/signals.h"
#include "worker/worker.h"

enum {
    FAILURES_TO_SEEK = 4, /* in a row, and the masters may be elsewhere */
    FRAMES_A_TURN = 64,   /* of each socket, so that neither starves the other, nor both what has ended */
    LAST_WORDS_MS = 50    /* that a worker which must exit gives its report to leave */
};

/* ---- in -------------------------------------------------------------------------------------------------------- */

/* A master that says no again and again is quoted once. */
static void log_refusal (rm_worker_t *self, const rm_msg_error_t *error)
{
    if (error->code != self->refusal)
        rm_worker_log (self, RM_LOG_WARN, "event=refused worker=%s why=%s", self->name,
                       RM_QUOTE (error->text.data, error->text.size));
    self->refusal = error->code;
}

/* Decodes a frame and gives it to the half. The decoding needs no lock, and handler threads none of that time. */
static void take (rm_worker_t *self, const rm_frame_t *frame, uint64_t now_ms)
{
    rm_msg_t msg;
    const char *why = NULL;
    int rc = rm_msg_decode (&msg, rm_frame_data (frame), rm_frame_size (frame), &why);
    if (rc) {
        rm_worker_log (self, RM_LOG_WARN, "event=dropped worker=%s why=%s", self->name,
                       RM_QUOTE_TEXT (why ? why : rm_strerror (rc)));
        return;
    }
    if (msg.type == RM_MSG_ERROR)
        log_refusal (self, &msg.error);
    rm_worker_failpoint_received (&msg);
    rm_crew_lock (&self->crew);
    rm_work_receive (self->work, &msg, now_ms);
    rm_crew_unlock (&self->crew);
    rm_msg_close (&msg);
}

static void receive (rm_worker_t *self, rm_socket_t *socket, uint64_t now_ms)
{
    rm_frame_t frame = {0};
    for (int i = 0; socket && i < FRAMES_A_TURN; i++) {
        int rc = rm_socket_recv (socket, NULL, &frame);
        if (rc == 0 || rc == RM_ENOMEM)
            break;
        if (rc == 1)
            take (self, &frame, now_ms);
    }
    rm_frame_close (&frame);
}

static void step_link (rm_worker_t *self, uint64_t now_ms)
{
    if (rm_uplink_step (&self->link, now_ms)) {
        rm_worker_log (self, RM_LOG_INFO, "event=connected worker=%s master=%s", self->name, self->link.asked.text);
        self->trouble = NULL;
        rm_crew_lock (&self->crew);
        rm_work_connected (self->work, now_ms);
        rm_crew_unlock (&self->crew);
    }
    if (self->link.failures >= FAILURES_TO_SEEK)
        rm_seeker_look (&self->seeker, now_ms);
    if (rm_seeker_take (&self->seeker, &self->link.masters))
        rm_worker_log (self, RM_LOG_INFO, "event=found worker=%s project=%s masters=%s", self->name,
                       RM_QUOTE_TEXT (self->seeker.project), self->seeker.found);
    if (self->link.failures && self->link.trouble != self->trouble) {
        self->trouble = self->link.trouble;
        rm_worker_log (self, RM_LOG_WARN, "event=no_master worker=%s asked=%s why=%s", self->name,
                       self->link.asked.text, RM_QUOTE_TEXT (self->trouble));
    }
}

/* ---- out ------------------------------------------------------------------------------------------------------- */

/* What this worker says in a resize, which nobody else could show: `ringctl watch sync` has the master's half. */
static void log_sync (rm_worker_t *self, const rm_msg_sync_t *sync)
{
    static const char *const acks[] = {"draining", "ok"};
    unsigned long long term = sync->term, epoch = sync->epoch, job = sync->current_job;
    if (sync->phase == 1)
        rm_worker_log (self, RM_LOG_INFO, "event=sync worker=%s phase=1 term=%llu epoch=%llu current_job=%llu held=%u",
                       self->name, term, epoch, job, sync->report.held_count);
    else
        rm_worker_log (self, RM_LOG_INFO, "event=sync worker=%s phase=%u term=%llu epoch=%llu ack=%s returned=%u",
                       self->name, sync->phase, term, epoch, acks[sync->ok], sync->returned_count);
}

/* What cannot be sent now is lost, like what the network loses: the half says it again. */
static void send_all (rm_worker_t *self, const rm_work_effects_t *effects)
{
    rm_buf_t frame = {0};
    for (size_t i = 0; i < effects->send_count && self->link.work; i++) {
        const rm_msg_t *msg = &effects->sends[i];
        rm_worker_failpoint_before (msg);
        rm_buf_clear (&frame);
        int rc = rm_msg_encode (msg, &frame);
        if (!rc)
            rc = rm_socket_send_buf (self->link.work, NULL, &frame);
        if (rc)
            rm_worker_log (self, RM_LOG_WARN, "event=unsent worker=%s type=%s why=%s", self->name,
                           rm_msg_name (msg->type), RM_QUOTE_TEXT (rm_strerror (rc)));
        else if (msg->type == RM_MSG_SYNC)
            log_sync (self, &msg->sync);
        if (!rc)
            rm_worker_failpoint_after (msg);
    }
    rm_buf_close (&frame);
}

static void log_state (rm_worker_t *self)
{
    rm_work_state_t state = rm_work_state (self->work);
    uint64_t inc = rm_work_incarnation (self->work);
    if (state == self->state && inc == self->inc)
        return;
    bool worse = state == RM_WORK_UNLEASED || state == RM_WORK_REJOIN;
    rm_worker_log (self, worse ? RM_LOG_WARN : RM_LOG_INFO,
                   "event=state worker=%s state=%s inc=%016llx term=%llu held=%u running=%u", self->name,
                   rm_work_state_name (state), (unsigned long long)inc, (unsigned long long)rm_work_term (self->work),
                   rm_work_held_count (self->work), rm_work_running_count (self->work));
    self->state = state;
    self->inc = inc;
}

/* A handler did not stop: the only way left to end it is to end the process. What it said last may still leave. */
static _Noreturn void exit_now (rm_worker_t *self, const char *why)
{
    rm_worker_log (self, RM_LOG_ERROR, "event=exit worker=%s why=%s", self->name, RM_QUOTE_TEXT (why));
    if (self->state == RM_WORK_LEASED)
        nanosleep (&(struct timespec){0, LAST_WORDS_MS * 1000L * 1000L}, NULL);
    _exit (RM_EXIT_AT_ONCE);
}

/* What rm_worker_run answers. */
static int end (rm_worker_t *self, const rm_work_effects_t *effects)
{
    switch (effects->end) {
    case RM_WORK_END_LEFT:
        rm_worker_log (self, RM_LOG_INFO, "event=left worker=%s", self->name);
        return 0;
    case RM_WORK_END_REFUSED:
        return rm_fault (&self->fault, RM_EDENIED, "the master refuses this worker: %s", effects->text);
    case RM_WORK_END_UNREACHABLE:
        return rm_fault (&self->fault, RM_EUNREACHABLE, "no master at %s answered for %d s%s", self->masters[0].text,
                         RM_WORK_PATIENCE_MS / 1000, self->master_count > 1 ? ", nor at the others" : "");
    default:
        exit_now (self, effects->text);
    }
}

/* ---- the loop -------------------------------------------------------------------------------------------------- */

/* Everything that has happened, and everything that follows from it. True when it is over. */
static bool turn (rm_worker_t *self, const rm_work_effects_t **effects_p)
{
    uint64_t now_ms = rm_clock_ms ();
    step_link (self, now_ms);
    receive (self, self->link.sync, now_ms);
    receive (self, self->link.work, now_ms);
    uint64_t random = rm_random_u64 ();
    rm_crew_lock (&self->crew);
    rm_crew_collect (&self->crew);
    now_ms = rm_clock_ms ();
    if (rm_teller_returned (&self->teller))
        rm_work_slots_told (self->work);
    rm_work_tick (self->work, now_ms, random);
    bool stops = atomic_load (&self->stops) && !self->stop_told;
    if (stops)
        rm_work_stop (self->work, now_ms);
    const rm_work_effects_t *effects = *effects_p = rm_work_effects (self->work, now_ms);
    rm_crew_unlock (&self->crew);
    if (stops)
        rm_worker_log (self, RM_LOG_INFO, "event=leaving worker=%s running=%u", self->name,
                       rm_work_running_count (self->work));
    self->stop_told |= stops;
    send_all (self, effects);
    rm_crew_apply (&self->crew, effects);
    if (effects->end != RM_WORK_GOES_ON)
        return true;
    if (effects->slots)
        rm_teller_tell (&self->teller, effects->slots);
    log_state (self);
    if (effects->joined && self->ready)
        self->ready (self->name, self->ready_arg);
    if (effects->reconnect) {
        rm_worker_log (self, RM_LOG_WARN, "event=silence worker=%s master=%s", self->name, self->link.asked.text);
        rm_uplink_drop (&self->link, now_ms);
    }
    return false;
}

static void wait (rm_worker_t *self, uint64_t deadline_ms)
{
    rm_poll_t items[1 + RM_LINK_POLLS] = {{.fd = self->wake.fd}};
    rm_uplink_poll (&self->link, items + 1);
    if (rm_uplink_deadline (&self->link) < deadline_ms)
        deadline_ms = rm_uplink_deadline (&self->link);
    deadline_ms = rm_crew_sleep_until (&self->crew, deadline_ms);
    uint64_t now_ms = rm_clock_ms ();
    int64_t timeout_ms = deadline_ms == RM_WORK_NEVER ? -1 : deadline_ms > now_ms ? (int64_t)(deadline_ms - now_ms) : 0;
    rm_poll (items, sizeof items / sizeof *items, timeout_ms);
    rm_wake_clear (&self->wake);
}

int rm_worker_loop (rm_worker_t *self)
{
    const rm_work_effects_t *effects;
    self->state = RM_WORK_STATES;
    self->inc = 0;
    self->stop_told = false;
    self->trouble = NULL;
    self->refusal = 0;
    rm_worker_log (self, RM_LOG_INFO, "event=start worker=%s pool=%s threads=%u queues=%u", self->name, self->pool,
                   self->threads, self->served_count);
    while (!turn (self, &effects))
        wait (self, effects->deadline_ms);
    return end (self, effects);
}
