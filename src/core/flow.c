#include "core/flow.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/splitmix.h"
#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

enum { AGAIN_MS = 100 /* after memory has run out */ };

_Static_assert((int)RM_FLOW_REFUSED > (int)RM_OUTCOME_UNKNOWN, "the wire's outcomes come first");

static const bool allowed[RM_FLOW_STATES][RM_FLOW_STATES] = {
    [RM_FLOW_GATHERED] = {[RM_FLOW_SENT] = true},
    [RM_FLOW_SENT] = {[RM_FLOW_GATHERED] = true, [RM_FLOW_SENT] = true, [RM_FLOW_UNASKED] = true},
    [RM_FLOW_UNASKED] = {[RM_FLOW_ASKED] = true},
    [RM_FLOW_ASKED] = {[RM_FLOW_ASKED] = true, [RM_FLOW_UNASKED] = true},
};

/* Moves a job to the end of a list. */
static void move_to (rm_flow_job_t *job, rm_flow_state_t state, rm_link_t *list)
{
    RM_ASSERT (allowed[job->state][state]);
    job->state = state;
    rm_list_remove (&job->link);
    rm_list_append (list, &job->link);
}

static rm_flow_job_t *first_of (const rm_link_t *list)
{
    rm_link_t *link = rm_list_first (list);
    return link ? RM_OWNER (link, rm_flow_job_t, link) : NULL;
}

/* ---- building up ------------------------------------------------------------------------------------------------ */

int rm_flow_init (rm_flow_t *self, const char *const *masters, uint32_t count, const rm_session_id_t session[2],
                  uint64_t seed, const rm_flow_out_t *out, uint64_t now_ms)
{
    *self = (rm_flow_t){.session = session[0], .spare = session[1], .random = seed, .out = *out};
    rm_list_init (&self->gathered);
    rm_list_init (&self->unasked);
    rm_list_init (&self->asked);
    self->most = RM_MESSAGE_JOBS_MAX;
    self->ahead = 1;
    int rc = rm_line_init (&self->line, masters, count, now_ms);
    if (rc)
        return rc;
    self->jobs = rm_calloc (RM_MESSAGE_JOBS_MAX, sizeof *self->jobs);
    self->ids = rm_calloc (RM_MESSAGE_JOBS_MAX, sizeof *self->ids);
    if (self->jobs && self->ids)
        return 0;
    rm_flow_close (self);
    return RM_ENOMEM;
}

static void free_job (rm_flow_t *self, rm_flow_job_t *job)
{
    rm_list_remove (&job->link);
    if (RM_HASH_ADDED (job))
        HASH_DEL (self->by_id, job);
    for (rm_flow_job_t *twin; (twin = job->twin); rm_free (twin))
        job->twin = twin->twin;
    rm_free (job);
}

void rm_flow_close (rm_flow_t *self)
{
    rm_link_t *lists[] = {&self->gathered, &self->unasked, &self->asked};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (rm_flow_job_t *job; (job = first_of (lists[i]));)
            free_job (self, job);
    rm_line_close (&self->line);
    rm_buf_close (&self->frame);
    rm_free (self->jobs);
    rm_free (self->ids);
    *self = (rm_flow_t){0};
}

void rm_flow_spare (rm_flow_t *self, const rm_session_id_t *spare)
{
    self->spare = *spare;
    self->wants_spare = false;
}

static rm_bytes_t keep_bytes (char **at, rm_bytes_t bytes)
{
    rm_bytes_t kept = {bytes.data ? *at : NULL, bytes.size};
    if (bytes.size)
        memcpy (*at, bytes.data, bytes.size);
    *at += bytes.size;
    return kept;
}

int rm_flow_add (rm_flow_t *self, const rm_submit_job_t *job, uint64_t tag, uint64_t now_ms)
{
    rm_bytes_t uid = job->options.uid;
    size_t size = (size_t)job->queue.size + job->key.size + job->data.size + uid.size;
    rm_flow_job_t *added = rm_malloc (sizeof *added + size);
    if (!added)
        return RM_ENOMEM;
    *added = (rm_flow_job_t){.tag = tag, .job = *job};
    char *at = (char *)(added + 1);
    added->job.queue = keep_bytes (&at, job->queue);
    added->job.key = keep_bytes (&at, job->key);
    added->job.data = keep_bytes (&at, job->data);
    added->job.options.uid = keep_bytes (&at, uid);
    rm_list_init (&added->link);
    rm_list_append (&self->gathered, &added->link);
    if (!self->count++)
        rm_line_begin (&self->line, now_ms);
    return 0;
}

/* ---- ends ------------------------------------------------------------------------------------------------------- */

/* False: it could not be told, for lack of memory, and has not ended. */
static bool end_job (rm_flow_t *self, rm_flow_job_t *job, const rm_result_job_t *row)
{
    for (rm_flow_job_t *twin; (twin = job->twin); rm_free (twin)) {
        if (!self->out.ended (self->out.arg, twin, row))
            return false;
        job->twin = twin->twin;
        self->count--;
    }
    if (!self->out.ended (self->out.arg, job, row))
        return false;
    self->count--;
    free_job (self, job);
    return true;
}

/* A job that is not accepted ends so, for that reason. */
static bool end_here (rm_flow_t *self, rm_flow_job_t *job, uint32_t outcome, const char *reason)
{
    return end_job (self, job, &(rm_result_job_t){.outcome = outcome, .reason = rm_bytes (reason)});
}

/* ---- sessions --------------------------------------------------------------------------------------------------- */

/* What was sent and is not accepted is sent again. */
static void forget_submits (rm_flow_t *self)
{
    self->under_way = self->submits = 0;
}

/* What was sent and is not accepted goes without a number, since that is known not to have been taken, or is given
 * up. */
static void unnumber (rm_flow_t *self)
{
    RM_LIST_EACH (&self->gathered, link) {
        rm_flow_job_t *job = RM_OWNER (link, rm_flow_job_t, link);
        if (!job->seq)
            break;
        job->seq = 0;
        job->state = RM_FLOW_GATHERED;
    }
    forget_submits (self);
}

/* Goes on in another session: nobody knows this one. */
static void renew (rm_flow_t *self)
{
    unnumber (self);
    self->session = self->spare;
    self->wants_spare = true;
    self->last_seq = 0;
    self->known = false;
}

/* What was sent and is not accepted ends: nobody can say what became of it. False: not all of it, for lack of
 * memory. */
static bool let_go (rm_flow_t *self, const char *reason)
{
    forget_submits (self);
    for (rm_flow_job_t *job; (job = first_of (&self->gathered)) && job->seq;)
        if (!end_here (self, job, RM_FLOW_UNSURE, reason))
            return false;
    renew (self);
    return true;
}

/* ---- sending ---------------------------------------------------------------------------------------------------- */

/* The socket is of no use any more: whatever was asked there is asked again elsewhere. */
static void hang_up (rm_flow_t *self)
{
    self->out.close (self->out.arg);
    self->ahead = 1; /* as long as the next master has not said that it takes more */
    forget_submits (self);
    self->due_ms = 0;
    for (rm_flow_job_t *job; (job = first_of (&self->asked));)
        move_to (job, RM_FLOW_UNASKED, &self->unasked);
}

static bool send_msg (rm_flow_t *self, const rm_msg_t *msg)
{
    rm_buf_clear (&self->frame);
    if (rm_msg_encode (msg, &self->frame))
        return false;
    self->out.send (self->out.arg, &self->frame);
    return true;
}

static void connect (rm_flow_t *self)
{
    if (self->line.connected)
        return;
    self->out.open (self->out.arg, rm_masters_current (&self->line.masters));
    self->line.connected = true;
    send_msg (self, &(rm_msg_t){.type = RM_MSG_HELLO}); /* who else there is */
}

/* How many of those gathered, from `first`, go into a submit now, written into `jobs`. */
static uint32_t fill_submit (rm_flow_t *self, rm_flow_job_t *first, uint64_t now_ms)
{
    uint32_t count = 0;
    size_t bytes = 0;
    for (rm_link_t *link = &first->link; link != &self->gathered; link = link->next) {
        rm_flow_job_t *job = RM_OWNER (link, rm_flow_job_t, link);
        bytes += RM_MESSAGE_ROW_BYTES + job->job.queue.size + job->job.key.size + job->job.data.size;
        if (count && (count == self->most || bytes > RM_FLOW_FRAME_BYTES))
            break;
        if (!job->seq) {
            job->seq = ++self->last_seq;
            job->first_ms = now_ms;
        }
        RM_ASSERT (allowed[job->state][RM_FLOW_SENT]);
        job->state = RM_FLOW_SENT;
        self->jobs[count] = job->job;
        self->jobs[count++].seq = job->seq;
        self->newest = job;
    }
    return count;
}

/* The first of those gathered that is in no submit under way; NULL: there is none. */
static rm_flow_job_t *next_to_send (const rm_flow_t *self)
{
    rm_link_t *link = self->under_way ? self->newest->link.next : self->gathered.next;
    return link == &self->gathered ? NULL : RM_OWNER (link, rm_flow_job_t, link);
}

/* False: it could not. */
static bool send_submit (rm_flow_t *self, rm_flow_job_t *first, uint64_t now_ms)
{
    rm_msg_t msg = {.type = RM_MSG_SUBMIT};
    const rm_flow_job_t *oldest = first_of (&self->gathered);
    self->renewed = !self->known && !self->last_seq;
    uint32_t count = fill_submit (self, first, now_ms);
    msg.submit = (rm_msg_submit_t){.session = self->session,
                                   .floor = oldest->seq - 1,
                                   .jobs = self->jobs,
                                   .job_count = count,
                                   .after = self->submits ? self->jobs[0].seq - 1 : 0};
    if (!send_msg (self, &msg)) {
        if (!self->submits)
            self->due_ms = now_ms + AGAIN_MS;
        return false;
    }
    if (!self->submits) {
        self->sent_ms = now_ms;
        self->due_ms = rm_line_after (now_ms, rm_line_try_ms (&self->line, rm_splitmix (&self->random)));
    }
    self->parts[self->submits++] = count;
    self->under_way += count;
    return true;
}

/* Sends as many submits as may be under way. */
static void send_submits (rm_flow_t *self, uint64_t now_ms)
{
    rm_flow_job_t *next;
    while ((next = next_to_send (self))) {
        uint32_t most = self->known && !self->busy && !self->alone ? self->ahead : 1;
        bool late = next->seq && now_ms - next->first_ms >= RM_SESSION_TTL_MS / 2;
        if (self->submits >= most || (!self->submits && now_ms < self->due_ms) || (self->submits && late))
            return;
        if (late &&
            !let_go (self, "it was sent and not answered for so long that to send it again might run it twice: it "
                           "may have been accepted, look before you send it anew"))
            self->due_ms = now_ms + AGAIN_MS;
        else if (!late && !send_submit (self, next, now_ms))
            return;
    }
}

/* Asks for those that are not asked for, and for those whose wait is about to end, so that many waits become one. */
static void send_wait (rm_flow_t *self, uint64_t now_ms)
{
    uint32_t count = 0;
    for (rm_flow_job_t *job; count < RM_MESSAGE_JOBS_MAX; count++) {
        job = first_of (&self->unasked);
        if (!job) {
            job = first_of (&self->asked);
            if (!job || job->asked_ms == now_ms || job->asked_ms + RM_LINE_ASK_MS > now_ms + RM_FLOW_MERGE_MS)
                break;
        }
        move_to (job, RM_FLOW_ASKED, &self->asked);
        job->asked_ms = now_ms;
        self->ids[count] = job->id;
    }
    rm_msg_t msg = {.type = RM_MSG_WAIT};
    msg.wait = (rm_msg_wait_t){.session = self->known ? self->session : (rm_session_id_t){{0}},
                               .ids = self->ids,
                               .id_count = count,
                               .timeout_ms = RM_LINE_ASK_MS,
                               .each = 1};
    self->slack_ms = rm_line_try_ms (&self->line, rm_splitmix (&self->random));
    send_msg (self, &msg); /* without memory it is as if it was lost on the way */
}

static void pump (rm_flow_t *self, uint64_t now_ms)
{
    if (!self->count || now_ms < self->paused_ms)
        return;
    self->paused_ms = 0;
    connect (self);
    send_submits (self, now_ms);
    while (!rm_list_empty (&self->unasked))
        send_wait (self, now_ms);
}

/* ---- time ------------------------------------------------------------------------------------------------------- */

/* When the master must have said something more; RM_LINE_FOREVER: nothing is asked. */
static uint64_t silent_at_ms (const rm_flow_t *self)
{
    uint64_t at_ms = self->under_way ? self->due_ms : RM_LINE_FOREVER;
    const rm_flow_job_t *job = first_of (&self->asked);
    uint64_t wait_ms = job ? rm_line_after (job->asked_ms + RM_LINE_ASK_MS, self->slack_ms) : RM_LINE_FOREVER;
    return wait_ms < at_ms ? wait_ms : at_ms;
}

/* A master that says other things meanwhile is slow, and not dead; but not for ever, and only as long as it goes on to:
 * it may have been killed right after it said something. */
static bool is_slow (const rm_flow_t *self, uint64_t now_ms)
{
    uint64_t quiet_ms = self->line.masters.count > 1 ? rm_line_listen_ms (&self->line) : RM_LINE_ASK_MS;
    return self->under_way && self->line.heard_ms > self->sent_ms && now_ms < self->line.heard_ms + quiet_ms &&
           now_ms < self->sent_ms + RM_FLOW_PATIENCE_MS;
}

static void check_silence (rm_flow_t *self, uint64_t now_ms)
{
    if (now_ms < silent_at_ms (self))
        return;
    if (is_slow (self, now_ms) || !rm_retry_budget_take (&self->line.budget, now_ms)) {
        uint64_t more_ms = rm_line_listen_ms (&self->line);
        self->due_ms = self->under_way ? now_ms + more_ms : self->due_ms;
        self->slack_ms += more_ms;
        return;
    }
    uint64_t sent_ms = self->under_way ? self->sent_ms : first_of (&self->asked)->asked_ms;
    rm_line_silent (&self->line, sent_ms, now_ms);
    self->turns++;
    hang_up (self);
}

void rm_flow_time (rm_flow_t *self, uint64_t now_ms)
{
    check_silence (self, now_ms);
    pump (self, now_ms);
}

uint64_t rm_flow_until (const rm_flow_t *self)
{
    if (!self->count)
        return RM_LINE_FOREVER;
    if (self->paused_ms)
        return self->paused_ms;
    uint64_t at_ms = silent_at_ms (self);
    bool waits = !self->under_way && !rm_list_empty (&self->gathered);
    return waits && self->due_ms < at_ms ? self->due_ms : at_ms;
}

/* ---- replies ---------------------------------------------------------------------------------------------------- */

static void heard_from (rm_flow_t *self, uint64_t now_ms)
{
    rm_line_heard (&self->line, now_ms);
    self->turns = 0;
}

/* The master has given a job its id. */
static void accept_job (rm_flow_t *self, rm_flow_job_t *job, uint64_t id)
{
    rm_flow_job_t *known;
    job->id = id;
    HASH_FIND_BYHASHVALUE (hh, self->by_id, &id, sizeof id, rm_hash_id (id), known);
    if (known) {
        rm_list_remove (&job->link);
        job->twin = known->twin;
        known->twin = job;
        return;
    }
    HASH_ADD_BYHASHVALUE (hh, self->by_id, id, sizeof job->id, rm_hash_id (id), job);
    if (RM_HASH_ADDED (job))
        move_to (job, RM_FLOW_UNASKED, &self->unasked);
    else
        end_here (self, job, RM_FLOW_UNSURE, rm_strerror (RM_ENOMEM));
}

/* The first of the submits under way is answered: now the master owes an answer to the one behind it. */
static void next_submit (rm_flow_t *self, uint64_t now_ms)
{
    self->submits--;
    memmove (self->parts, self->parts + 1, self->submits * sizeof *self->parts);
    self->busy = false;
    self->alone = self->alone && self->submits;
    self->most = self->most > RM_MESSAGE_JOBS_MAX / 2 ? RM_MESSAGE_JOBS_MAX : self->most * 2;
    self->sent_ms = now_ms;
    self->due_ms = 0;
    if (self->submits)
        self->due_ms = rm_line_after (now_ms, rm_line_try_ms (&self->line, rm_splitmix (&self->random)));
}

/* An answer to a copy that was sent before may name fewer than are under way. */
static void on_accepted (rm_flow_t *self, const rm_msg_accepted_t *accepted, uint64_t now_ms)
{
    if (memcmp (&accepted->session, &self->session, sizeof self->session))
        return;
    heard_from (self, now_ms);
    for (uint32_t i = 0; i < accepted->job_count; i++) {
        rm_flow_job_t *job = first_of (&self->gathered);
        if (!job || !job->seq || !accepted->jobs[i].id || accepted->jobs[i].seq > job->seq)
            break;
        if (accepted->jobs[i].seq < job->seq)
            continue;
        self->known = true;
        if (self->under_way && self->under_way-- && !--self->parts[0])
            next_submit (self, now_ms);
        accept_job (self, job, accepted->jobs[i].id);
    }
}

static void on_result (rm_flow_t *self, const rm_msg_result_t *result, uint64_t now_ms)
{
    heard_from (self, now_ms);
    for (uint32_t i = 0; i < result->job_count; i++) {
        const rm_result_job_t *row = &result->jobs[i];
        rm_flow_job_t *job;
        HASH_FIND_BYHASHVALUE (hh, self->by_id, &row->id, sizeof row->id, rm_hash_id (row->id), job);
        if (!job)
            continue;
        bool ended = row->outcome != RM_OUTCOME_NONE;
        if (ended && end_job (self, job, row))
            continue;
        /* One that has not ended, and was asked for just now, is of a wait before the present one. */
        if (job->state == RM_FLOW_ASKED && (ended || now_ms >= job->asked_ms + RM_LINE_ASK_MS / 2))
            move_to (job, RM_FLOW_UNASKED, &self->unasked);
    }
}

/* Nothing was accepted. There may be room for fewer; the same numbers go with the same jobs. */
static void on_busy (rm_flow_t *self, const rm_msg_busy_t *busy, uint64_t now_ms)
{
    heard_from (self, now_ms);
    uint64_t wait_ms = rm_line_busy_ms (&self->line, busy, rm_splitmix (&self->random));
    if (self->under_way)
        self->most = self->under_way > 1 ? self->under_way / 2 : 1;
    self->busy = true;
    forget_submits (self);
    self->due_ms = rm_line_after (now_ms, wait_ms);
}

static void on_not_leader (rm_flow_t *self, const rm_msg_not_leader_t *reply, uint64_t now_ms)
{
    bool follows = rm_line_turn (&self->line, reply, true, now_ms);
    self->turns++;
    hang_up (self);
    if (!follows)
        self->paused_ms =
            rm_line_after (now_ms, rm_line_pause_ms (&self->line, self->turns, now_ms, rm_splitmix (&self->random)));
}

/* One of the jobs cannot be, and none of the first submit was accepted, nor what was sent behind it. The others go
 * on under new numbers: a late copy of those submits is behind the floor then, or of a session that was left. */
static void refuse (rm_flow_t *self, uint64_t seq, const char *reason)
{
    uint32_t i = 0, count = self->under_way;
    RM_LIST_EACH (&self->gathered, link) {
        rm_flow_job_t *job = RM_OWNER (link, rm_flow_job_t, link);
        if (i++ == count)
            break;
        if (!seq || job->seq == seq)
            end_here (self, job, RM_FLOW_REFUSED, reason);
    }
    if (self->known)
        unnumber (self);
    else
        renew (self);
}

/* A submit is refused, and one before it is not answered yet: what is behind that is sent again once it is, and will be
 * refused again, as the first one. */
static void keep_first_submit (rm_flow_t *self)
{
    self->submits = 1;
    self->under_way = self->parts[0];
    self->newest = first_of (&self->gathered);
    for (uint32_t i = 1; i < self->under_way; i++)
        self->newest = RM_OWNER (self->newest->link.next, rm_flow_job_t, link);
    self->alone = true;
}

static void on_error (rm_flow_t *self, const rm_msg_error_t *error, uint64_t now_ms)
{
    const rm_flow_job_t *first = first_of (&self->gathered);
    if (!self->under_way || (error->seq && (error->seq < first->seq || error->seq - first->seq >= self->under_way)))
        return; /* an answer to what was sent before */
    heard_from (self, now_ms);
    if (self->submits > 1 && (!error->seq || error->seq - first->seq >= self->parts[0])) {
        keep_first_submit (self);
        return;
    }
    rm_line_keep_words (&self->line, error->text);
    const char *reason = *self->line.words ? self->line.words : rm_strerror (error->code);
    if (error->code == RM_EEXPIRED && !self->renewed)
        renew (self); /* the session is forgotten, and the submit is too young to have been forgotten with it */
    else if (error->code == RM_ESTATE || error->code == RM_ESTALE || error->code == RM_ECONFLICT)
        let_go (self, reason);
    else
        refuse (self, error->seq, reason);
    hang_up (self); /* a late answer to what had the old numbers must not be taken for one about the new */
    self->line.connected = false;
}

void rm_flow_reply (rm_flow_t *self, const rm_msg_t *msg, uint64_t now_ms)
{
    if (!self->line.connected)
        return;
    rm_masters_heard (&self->line.masters);
    switch (msg->type) {
    case RM_MSG_WELCOME:
        heard_from (self, now_ms);
        rm_masters_learn (&self->line.masters, msg->welcome.masters, msg->welcome.master_count);
        self->ahead = msg->welcome.ahead < RM_FLOW_SUBMITS_MAX ? msg->welcome.ahead : RM_FLOW_SUBMITS_MAX;
        self->ahead += !self->ahead;
        break;
    case RM_MSG_ACCEPTED:
        on_accepted (self, &msg->accepted, now_ms);
        break;
    case RM_MSG_RESULT:
        on_result (self, &msg->result, now_ms);
        break;
    case RM_MSG_BUSY:
        on_busy (self, &msg->busy, now_ms);
        break;
    case RM_MSG_NOT_LEADER:
        on_not_leader (self, &msg->not_leader, now_ms);
        break;
    case RM_MSG_ERROR:
        on_error (self, &msg->error, now_ms);
        break;
    default:
        break; /* nonsense: time will tell */
    }
    pump (self, now_ms);
}

void rm_flow_tell (const rm_flow_t *self, uint64_t now_ms, char *text, size_t size)
{
    *text = 0;
    if (self->turns)
        rm_line_tell_silence (&self->line, now_ms, text, size);
    else if (self->busy)
        snprintf (text, size, "%s", *self->line.words ? self->line.words : rm_strerror (RM_EBUSY));
    else if (self->count)
        snprintf (text, size, "%" PRIu32 " job%s not ended yet", self->count, self->count > 1 ? "s have" : " has");
}
