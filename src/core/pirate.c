#include "core/pirate.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

enum {
    ASK_MS_MIN = 10,      /* a master that will not sit on a wait is not asked in a tight loop either */
    WAIT_MS_MIN = 10,     /* a wait with less time left than this is over */
    ERROR_MIN = RM_ESTATE /* the last of the error numbers */
};

static const bool allowed[RM_PIRATE_STATES][RM_PIRATE_STATES] = {
    [RM_PIRATE_IDLE] = {[RM_PIRATE_IDLE] = true, [RM_PIRATE_ASKED] = true},
    [RM_PIRATE_ASKED] = {[RM_PIRATE_IDLE] = true, [RM_PIRATE_ASKED] = true, [RM_PIRATE_PAUSED] = true},
    [RM_PIRATE_PAUSED] = {[RM_PIRATE_IDLE] = true, [RM_PIRATE_ASKED] = true},
};

static void move_to (rm_pirate_t *self, rm_pirate_state_t state)
{
    RM_ASSERT (allowed[self->state][state]);
    RM_ASSERT (state != RM_PIRATE_PAUSED || self->answered);
    self->state = state;
}

/* ---- building up ------------------------------------------------------------------------------------------------ */

int rm_pirate_init (rm_pirate_t *self, const char *const *masters, uint32_t count, const rm_session_id_t *session,
                    uint64_t now_ms)
{
    *self = (rm_pirate_t){0};
    int rc = rm_line_init (&self->line, masters, count, now_ms);
    if (!rc)
        rm_seqs_init (&self->seqs, session);
    return rc;
}

void rm_pirate_close (rm_pirate_t *self)
{
    rm_line_close (&self->line);
    rm_buf_close (&self->frame);
    *self = (rm_pirate_t){0};
}

int rm_pirate_configure (rm_pirate_t *self, const rm_backoff_t *policy, const char **why)
{
    RM_ASSERT (self->state == RM_PIRATE_IDLE);
    return rm_line_configure (&self->line, policy, why);
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

const char *rm_pirate_text (const rm_pirate_t *self)
{
    return self->text;
}

__attribute__ ((format (printf, 2, 3))) static void say (rm_pirate_t *self, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (self->text, sizeof self->text, format, arguments);
    va_end (arguments);
}

/* Ends the request; rm_pirate_text must have been set if `error` is not 0. */
static void end (rm_pirate_t *self, int error, rm_pirate_effects_t *effects)
{
    if (self->state == RM_PIRATE_ASKED && !self->answered) {
        effects->close = true; /* a REQ socket that waits for a reply can do nothing else */
        self->line.connected = false;
    }
    move_to (self, RM_PIRATE_IDLE);
    effects->ended = true;
    effects->error = error;
}

static bool is_submit (const rm_pirate_t *self)
{
    return self->request.type == RM_MSG_SUBMIT;
}

static bool is_wait (const rm_pirate_t *self)
{
    return self->request.type == RM_MSG_WAIT;
}

static bool is_call (const rm_pirate_t *self)
{
    return self->request.type == RM_MSG_RPC_CALL;
}

/* To an RPC server, which is no master: the next one is another server, and not the leader of the same group. */
static bool is_rpc (const rm_pirate_t *self)
{
    return is_call (self) || self->request.type == RM_MSG_RPC_HELLO;
}

static void end_too_old (rm_pirate_t *self, uint64_t now_ms, rm_pirate_effects_t *effects)
{
    say (self,
         "the submit has gone unanswered for %" PRId64 " s, and to send it again might run it twice: it may have been "
         "accepted, look before you submit it anew",
         ((int64_t)now_ms - self->seqs.since_ms) / 1000);
    rm_seqs_refused (&self->seqs, RM_EEXPIRED);
    end (self, RM_EEXPIRED, effects);
}

static void end_not_ended (rm_pirate_t *self, uint64_t now_ms, rm_pirate_effects_t *effects)
{
    double seconds = (double)(now_ms - self->begun_ms) / 1000;
    if (self->request.wait.id_count == 1)
        say (self, "job %" PRIu64 " has not ended after %.1f s", self->request.wait.ids[0], seconds);
    else
        say (self, "none of %" PRIu32 " jobs has ended after %.1f s", self->request.wait.id_count, seconds);
    end (self, RM_ETIMEDOUT, effects);
}

static void end_unreachable (rm_pirate_t *self, uint64_t now_ms, rm_pirate_effects_t *effects)
{
    rm_line_tell_silence (&self->line, now_ms, self->text, sizeof self->text);
    end (self, RM_EUNREACHABLE, effects);
}

static void end_call_too_old (rm_pirate_t *self, rm_pirate_effects_t *effects)
{
    say (self, "the call has gone unanswered for %d s, and is not sent again: it may have run",
         RM_RPC_RESEND_MS / 1000);
    end (self, RM_ETIMEDOUT, effects);
}

static void end_busy (rm_pirate_t *self, rm_pirate_effects_t *effects)
{
    say (self, "%s", *self->line.words ? self->line.words : rm_strerror (RM_EBUSY));
    end (self, RM_EBUSY, effects);
}

/* The request has run out of time or tries. */
static void end_late (rm_pirate_t *self, uint64_t now_ms, rm_pirate_effects_t *effects)
{
    if (self->busy)
        end_busy (self, effects);
    else if (is_wait (self) && self->heard)
        end_not_ended (self, now_ms, effects);
    else
        end_unreachable (self, now_ms, effects);
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

static uint64_t min_u64 (uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How long the master may sit on this wait: it must answer before we stop listening. */
static uint32_t ask_ms (const rm_pirate_t *self, uint64_t now_ms)
{
    uint64_t left_ms = self->deadline_ms > now_ms ? self->deadline_ms - now_ms : 0;
    uint64_t slack_ms = min_u64 (left_ms / 4, (uint64_t)self->line.policy.delay_ms);
    return (uint32_t)min_u64 (left_ms - slack_ms, RM_LINE_ASK_MS);
}

/* When to come back if nothing happens before. */
static uint64_t until (const rm_pirate_t *self)
{
    uint64_t at_ms = min_u64 (self->due_ms, self->give_up_ms);
    return min_u64 (at_ms, rm_line_after (self->line.heard_ms, self->silence_ms));
}

/* What an RPC server is told of the time its client waits. */
static uint64_t left_ms (const rm_pirate_t *self, uint64_t now_ms)
{
    if (self->deadline_ms == RM_PIRATE_FOREVER)
        return 0;
    return self->deadline_ms > now_ms ? self->deadline_ms - now_ms : 1;
}

/* Writes the request as it is to be sent now. */
static int encode (rm_pirate_t *self, uint32_t wait_ms, uint64_t now_ms)
{
    rm_msg_t *request = &self->request;
    if (is_submit (self)) {
        request->submit.session = self->seqs.session;
        request->submit.floor = self->seqs.floor;
    } else if (is_wait (self)) {
        request->wait.session = self->seqs.known ? self->seqs.session : (rm_session_id_t){{0}};
        request->wait.timeout_ms = wait_ms;
    } else if (is_call (self)) {
        request->rpc_call.left_ms = left_ms (self, now_ms);
    }
    rm_buf_clear (&self->frame);
    return rm_msg_encode (request, &self->frame);
}

/* Whoever introduces itself knows of no master whether it is there: it does not wait long for one while there are others.
 * Who counts its tries does not spend them so. */
static bool may_glance (const rm_pirate_t *self)
{
    const rm_line_t *line = &self->line;
    return self->request.type == RM_MSG_HELLO && self->sends < line->masters.count && !line->sure &&
           !line->policy.tries;
}

static void send_request (rm_pirate_t *self, uint64_t now_ms, uint64_t random, rm_pirate_effects_t *effects)
{
    if (is_submit (self) && rm_seqs_too_old (&self->seqs, (int64_t)now_ms)) {
        end_too_old (self, now_ms, effects);
        return;
    }
    uint32_t wait_ms = is_wait (self) ? ask_ms (self, now_ms) : 0;
    if (encode (self, wait_ms, now_ms)) {
        say (self, "%s", rm_strerror (RM_ENOMEM));
        end (self, RM_ENOMEM, effects);
        return;
    }
    effects->open = self->line.connected ? NULL : rm_masters_current (&self->line.masters);
    effects->send = true;
    effects->frame = (rm_bytes_t){self->frame.data, (uint32_t)self->frame.size};
    self->line.connected = true;
    self->answered = false;
    self->sends++;
    self->glances = may_glance (self);
    self->sent_ms = now_ms;
    self->due_ms = rm_line_after (
        now_ms, wait_ms + (self->glances ? rm_line_glance_ms (random) : rm_line_try_ms (&self->line, random)));
    move_to (self, RM_PIRATE_ASKED);
    effects->until_ms = until (self);
}

static bool out_of_tries (const rm_pirate_t *self)
{
    return rm_backoff_gives_up (&self->line.policy, self->sends);
}

/* Waits with a socket that is free to send on, and sends then. */
static void pause_until (rm_pirate_t *self, uint64_t due_ms, uint64_t now_ms, rm_pirate_effects_t *effects)
{
    if (out_of_tries (self) || due_ms >= self->give_up_ms) {
        end_late (self, now_ms, effects);
        return;
    }
    self->due_ms = due_ms;
    move_to (self, RM_PIRATE_PAUSED);
    effects->until_ms = until (self);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void begin (rm_pirate_t *self, const rm_pirate_event_t *event, uint64_t now_ms, uint64_t random,
                   rm_pirate_effects_t *effects)
{
    RM_ASSERT (self->state == RM_PIRATE_IDLE);
    self->request = *event->msg;
    self->spare = *event->spare;
    rm_line_begin (&self->line, now_ms);
    self->line.apart = is_rpc (self);
    self->begun_ms = now_ms;
    self->deadline_ms = event->deadline_ms;
    uint64_t once_ms = rm_line_after (now_ms, (uint64_t)self->line.policy.delay_ms);
    self->give_up_ms = event->deadline_ms > once_ms ? event->deadline_ms : once_ms;
    self->silence_ms = event->silence_ms;
    self->heard = self->busy = self->renewed = false;
    self->sends = 0;
    *self->text = 0;
    if (is_submit (self)) {
        self->renewed = self->seqs.over; /* it begins with the spare session, of which there is one */
        rm_seqs_begin (&self->seqs, self->request.submit.jobs, self->request.submit.job_count, &self->spare,
                       (int64_t)now_ms);
    }
    RM_ASSERT (!is_wait (self) || self->request.wait.id_count == 1 || self->request.wait.any);
    send_request (self, now_ms, random, effects);
}

static void on_time (rm_pirate_t *self, uint64_t now_ms, uint64_t random, rm_pirate_effects_t *effects)
{
    if (self->state == RM_PIRATE_IDLE)
        return;
    if (now_ms >= self->give_up_ms) {
        end_late (self, now_ms, effects);
    } else if (now_ms >= rm_line_after (self->line.heard_ms, self->silence_ms)) {
        end_unreachable (self, now_ms, effects);
    } else if (now_ms < self->due_ms) {
        effects->until_ms = until (self);
    } else if (self->state == RM_PIRATE_PAUSED) {
        send_request (self, now_ms, random, effects);
    } else if (out_of_tries (self)) {
        end_unreachable (self, now_ms, effects);
    } else if (is_call (self) && now_ms >= rm_line_after (self->begun_ms, RM_RPC_RESEND_MS)) {
        end_call_too_old (self, effects);
    } else if (!rm_retry_budget_take (&self->line.budget, now_ms)) {
        self->due_ms =
            rm_line_after (now_ms, rm_line_listen_ms (&self->line)); /* too many re-sends of late: listen on */
        effects->until_ms = until (self);
    } else {
        self->busy = false;
        if (self->glances)
            rm_line_pass_by (&self->line, now_ms);
        else
            rm_line_silent (&self->line, self->sent_ms, now_ms);
        effects->close = true;
        send_request (self, now_ms, random, effects);
    }
}

/* A master answered something of use. */
static void heard_from (rm_pirate_t *self, uint64_t now_ms)
{
    self->heard = true;
    rm_line_heard (&self->line, now_ms);
}

/* Ends it with what the reply `reply` says; its content is in order. */
static void succeed (rm_pirate_t *self, const rm_msg_t *reply, rm_pirate_effects_t *effects)
{
    end (self, 0, effects);
    effects->reply = reply;
}

static bool is_accepted (const rm_pirate_t *self, const rm_msg_accepted_t *accepted)
{
    if (!is_submit (self) || memcmp (&accepted->session, &self->seqs.session, sizeof accepted->session) ||
        accepted->job_count != self->seqs.count)
        return false;
    for (uint32_t i = 0; i < accepted->job_count; i++)
        if (accepted->jobs[i].seq != self->seqs.seq + i || !accepted->jobs[i].id)
            return false;
    return true;
}

static bool is_result (const rm_pirate_t *self, const rm_msg_result_t *result)
{
    if (!is_wait (self) || !result->job_count || result->job_count > self->request.wait.id_count)
        return false;
    for (uint32_t i = 0; i < result->job_count; i++)
        if (result->jobs[i].id != self->request.wait.ids[i])
            return false;
    return true;
}

static bool has_ended (const rm_msg_result_t *result)
{
    for (uint32_t i = 0; i < result->job_count; i++)
        if (result->jobs[i].outcome != RM_OUTCOME_NONE)
            return true;
    return false;
}

static bool is_error (const rm_pirate_t *self, const rm_msg_error_t *error)
{
    return error->seq == 0 ||
           (is_submit (self) && error->seq >= self->seqs.seq && error->seq - self->seqs.seq < self->seqs.count);
}

static void on_busy (rm_pirate_t *self, const rm_msg_busy_t *busy, uint64_t now_ms, uint64_t random,
                     rm_pirate_effects_t *effects)
{
    heard_from (self, now_ms);
    self->busy = true;
    pause_until (self, rm_line_after (now_ms, rm_line_busy_ms (&self->line, busy, random)), now_ms, effects);
}

static void on_not_leader (rm_pirate_t *self, const rm_msg_not_leader_t *reply, uint64_t now_ms, uint64_t random,
                           rm_pirate_effects_t *effects)
{
    self->busy = false;
    effects->close = true;
    if (rm_line_turn (&self->line, reply, !out_of_tries (self), now_ms))
        send_request (self, now_ms, random, effects);
    else
        pause_until (self, rm_line_after (now_ms, rm_line_pause_ms (&self->line, self->sends, now_ms, random)), now_ms,
                     effects);
}

static void on_result (rm_pirate_t *self, const rm_msg_t *reply, uint64_t now_ms, uint64_t random,
                       rm_pirate_effects_t *effects)
{
    const rm_result_job_t *job = &reply->result.jobs[0];
    heard_from (self, now_ms);
    self->busy = false;
    self->sends = 0;
    if (!has_ended (&reply->result)) {
        if (reply->result.stamp != self->request.wait.stamp)
            effects->told = reply;
        self->request.wait.stamp = reply->result.stamp;
        if (self->deadline_ms < rm_line_after (now_ms, WAIT_MS_MIN))
            end_not_ended (self, now_ms, effects);
        else if (now_ms < self->sent_ms + ASK_MS_MIN)
            pause_until (self, self->sent_ms + ASK_MS_MIN, now_ms, effects);
        else
            send_request (self, now_ms, random, effects);
    } else if (self->request.wait.any) {
        succeed (self, reply, effects);
    } else if (job->outcome == RM_OUTCOME_GONE) {
        say (self, "job %" PRIu64 " has ended, and its outcome is kept no longer", job->id);
        end (self, RM_EGONE, effects);
    } else if (job->outcome == RM_OUTCOME_UNKNOWN) {
        say (self, "no job %" PRIu64 " was ever accepted", job->id);
        end (self, RM_EUNKNOWN, effects);
    } else {
        succeed (self, reply, effects);
    }
}

static void on_error (rm_pirate_t *self, const rm_msg_error_t *error, uint64_t now_ms, uint64_t random,
                      rm_pirate_effects_t *effects)
{
    int code = error->code < 0 && error->code >= ERROR_MIN ? error->code : RM_EPROTO;
    heard_from (self, now_ms);
    /* The session is forgotten, and this request is too young to have been forgotten with it: it never ran. */
    if (is_submit (self) && code == RM_EEXPIRED && !self->seqs.inherited && !self->renewed) {
        self->renewed = true;
        rm_seqs_renew (&self->seqs, self->request.submit.jobs, &self->spare, (int64_t)now_ms);
        send_request (self, now_ms, random, effects);
        return;
    }
    if (is_submit (self))
        rm_seqs_refused (&self->seqs, code);
    rm_line_keep_words (&self->line, error->text);
    say (self, "%s", *self->line.words ? self->line.words : rm_strerror (code));
    end (self, code, effects);
}

/* True if an RPC server says this to the call or hello that is under way. */
static bool is_to_rpc (const rm_pirate_t *self, const rm_session_id_t *session, uint64_t seq)
{
    const rm_msg_t *request = &self->request;
    const rm_session_id_t *ours = is_call (self) ? &request->rpc_call.session : &request->rpc_hello.session;
    return is_rpc (self) && seq == (is_call (self) ? request->rpc_call.seq : 0) &&
           !memcmp (session, ours, sizeof *session);
}

static bool is_from_rpc (const rm_pirate_t *self, const rm_msg_t *reply)
{
    switch (reply->type) {
    case RM_MSG_RPC_RESULT:
        return is_to_rpc (self, &reply->rpc_result.session, reply->rpc_result.seq);
    case RM_MSG_RPC_ERROR:
        return is_to_rpc (self, &reply->rpc_error.session, reply->rpc_error.seq);
    case RM_MSG_RPC_BUSY:
        return is_to_rpc (self, &reply->rpc_busy.session, reply->rpc_busy.seq);
    case RM_MSG_RPC_WELCOME:
        return is_to_rpc (self, &reply->rpc_welcome.session, 0);
    default:
        return false;
    }
}

/* What an RPC server says, but "busy", ends the request; whoever called reads it. */
static void on_rpc (rm_pirate_t *self, const rm_msg_t *reply, uint64_t now_ms, uint64_t random,
                    rm_pirate_effects_t *effects)
{
    if (reply->type == RM_MSG_RPC_BUSY) {
        rm_msg_busy_t busy = {reply->rpc_busy.retry_after_ms, reply->rpc_busy.text};
        on_busy (self, &busy, now_ms, random, effects);
        return;
    }
    heard_from (self, now_ms);
    succeed (self, reply, effects);
}

/* A reply to something else (a late or a doubled one, or nonsense) has come in the place of ours, which a REQ socket does
 * not hear any more: we ask again at once on another one, unless there was much of that of late; then time will tell. */
static void on_stray (rm_pirate_t *self, uint64_t now_ms, uint64_t random, rm_pirate_effects_t *effects)
{
    if (out_of_tries (self) || !rm_retry_budget_take (&self->line.budget, now_ms))
        return;
    effects->close = true;
    self->line.connected = false;
    send_request (self, now_ms, random, effects);
}

static void on_reply (rm_pirate_t *self, const rm_msg_t *reply, uint64_t now_ms, uint64_t random,
                      rm_pirate_effects_t *effects)
{
    effects->until_ms = until (self);
    if (self->state != RM_PIRATE_ASKED || self->answered)
        return;
    if (!reply) {
        on_stray (self, now_ms, random, effects);
        return;
    }
    self->answered = true;
    rm_masters_heard (&self->line.masters);
    rm_msg_type_t asked = self->request.type;
    if (is_rpc (self)) {
        self->answered = is_from_rpc (self, reply);
        if (self->answered)
            on_rpc (self, reply, now_ms, random, effects);
        else
            on_stray (self, now_ms, random, effects);
    } else if (reply->type == RM_MSG_BUSY) {
        on_busy (self, &reply->busy, now_ms, random, effects);
    } else if (reply->type == RM_MSG_NOT_LEADER) {
        on_not_leader (self, &reply->not_leader, now_ms, random, effects);
    } else if (reply->type == RM_MSG_ERROR && is_error (self, &reply->error)) {
        on_error (self, &reply->error, now_ms, random, effects);
    } else if (reply->type == RM_MSG_ACCEPTED && is_accepted (self, &reply->accepted)) {
        rm_seqs_accepted (&self->seqs);
        heard_from (self, now_ms);
        succeed (self, reply, effects);
    } else if (reply->type == RM_MSG_RESULT && is_result (self, &reply->result)) {
        on_result (self, reply, now_ms, random, effects);
    } else if ((reply->type == RM_MSG_ANSWER &&
                (asked == RM_MSG_QUERY || asked == RM_MSG_DRAIN || asked == RM_MSG_CHANGE || asked == RM_MSG_ORDER)) ||
               (reply->type == RM_MSG_WELCOME && asked == RM_MSG_HELLO)) {
        heard_from (self, now_ms);
        if (asked == RM_MSG_HELLO)
            rm_masters_learn (&self->line.masters, reply->welcome.masters, reply->welcome.master_count);
        succeed (self, reply, effects);
    } else {
        self->answered = false;
        on_stray (self, now_ms, random, effects);
    }
}

void rm_pirate_step (rm_pirate_t *self, const rm_pirate_event_t *event, uint64_t now_ms, uint64_t random,
                     rm_pirate_effects_t *effects)
{
    *effects = (rm_pirate_effects_t){.until_ms = RM_PIRATE_FOREVER};
    switch (event->type) {
    case RM_PIRATE_BEGIN:
        begin (self, event, now_ms, random, effects);
        break;
    case RM_PIRATE_REPLY:
        on_reply (self, event->msg, now_ms, random, effects);
        break;
    case RM_PIRATE_TIME:
        on_time (self, now_ms, random, effects);
        break;
    }
    RM_ASSERT (!effects->ended || self->state == RM_PIRATE_IDLE);
}
