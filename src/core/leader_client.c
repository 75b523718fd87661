/*  What clients ask, and submits by session (docs/protocol.md, "A client"). */
#include <string.h>

#include "core/leader_inside.h"
#include "core/share.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

/* ---- submits ---------------------------------------------------------------------------------------------------- */

/* A submit on its way into the ledger: answered when its batch has been applied. */
typedef struct {
    rm_link_t link;
    rm_address_t from;
    rm_session_id_t session;
    uint64_t batch;
    uint64_t fresh_bytes;
    uint32_t fresh_count; /* jobs that are new */
    bool in_session;      /* counted there: it was known */
    uint32_t count;
    struct {
        uint64_t seq, hash;
        uint32_t bytes;
        struct rm_leader_room *room; /* where it is counted; NULL: it is not new */
    } requests[];
} pending_t;

/* Why requests of a session that is not known are refused. Not long after a restore from a backup it may be one that began
 * after the backup, whose requests may have been run by the cluster of before; later it can only be one that was silent. */
static int unknown_session (const rm_leader_t *self)
{
    const rm_state_t *state = self->state;
    bool lately = state->skipped_count && state->time_ms - state->restored_ms < self->config.session_ttl_ms;
    return lately ? RM_ESTATE : RM_EEXPIRED;
}

/* Which id a request has, or why it has none: RM_ESTALE, RM_ECONFLICT, RM_EEXPIRED, RM_ESTATE. */
static int find_request (const rm_leader_t *self, const rm_ledger_session_t *session, uint64_t seq, uint64_t hash,
                         uint64_t *id)
{
    if (!session)
        return unknown_session (self);
    if (session->floor == RM_SESSION_ENDED)
        return RM_ESTATE;
    const rm_request_t *request = rm_session_request (session, seq);
    if (!request)
        return RM_ESTALE;
    if (request->hash != hash)
        return RM_ECONFLICT;
    *id = request->id;
    return 0;
}

static void send_accepted (rm_leader_t *self, const rm_address_t *to, const rm_session_id_t *session,
                           rm_accepted_job_t *jobs, uint32_t count)
{
    rm_msg_t msg = {.type = RM_MSG_ACCEPTED};
    msg.accepted = (rm_msg_accepted_t){*session, jobs, count};
    rm_leader_to_client (self, to, &msg);
}

/* Whether requests of a session that is not in the table yet are on their way to it: a pipelined client does not wait
 * for its first answer. */
static bool is_opening (const rm_leader_t *self, const rm_session_id_t *session)
{
    RM_LIST_EACH (&self->submits, link)
        if (!memcmp (&RM_OWNER (link, pending_t, link)->session, session, sizeof *session))
            return true;
    return false;
}

typedef struct {
    int error;                  /* of the first job that cannot be */
    const rm_submit_job_t *job; /* that one */
    const char *why;            /* what is wrong with its options; NULL: nothing */
} verdict_t;

static bool is_fresh (const rm_ledger_session_t *session, const rm_submit_job_t *job)
{
    return !session || !rm_session_request (session, job->seq);
}

/* What is wrong with what a job asks for beyond the usual; NULL: nothing. */
static const char *judge_options (const rm_job_options_t *options)
{
    const char *why = NULL;
    rm_backoff_t policy;
    const rm_spacing_t retry = rm_retry_of (options);
    if (options->delay_ms > RM_AHEAD_MS_MAX || options->deadline_ms > RM_AHEAD_MS_MAX)
        return "its delay or deadline is more than 366 days ahead";
    if (options->deadline_ms && options->delay_ms >= options->deadline_ms)
        return "its deadline is over before its delay is";
    if (!retry.delay_ms && (retry.permille || retry.cap_ms || retry.jitter))
        return "it says how the delay between its attempts grows, but not where that begins";
    if (retry.jitter > RM_JITTERS)
        return "there is no such jitter";
    if (rm_retry_policy (&retry, &policy))
        rm_backoff_check (&policy, &why);
    return why;
}

/* Looks at every job before anything is logged: a message is admitted whole or refused whole. Numbers that grow are
 * numbers that do not repeat. */
static verdict_t judge (const rm_leader_t *self, const rm_msg_submit_t *submit, const rm_ledger_session_t *session)
{
    verdict_t verdict = {0};
    bool known = session || submit->jobs[0].seq == 1 || is_opening (self, &submit->session);
    uint64_t floor = session ? session->floor : 0;
    for (uint32_t i = 0; i < submit->job_count && !verdict.error; i++) {
        const rm_submit_job_t *job = &submit->jobs[i];
        uint64_t id;
        verdict.job = job;
        bool more = rm_job_has_options (job);
        verdict.why = more ? judge_options (&job->options) : NULL;
        if (verdict.why)
            verdict.error = RM_EINVAL;
        else if (more && rm_leader_gets_format_2 (self)) {
            verdict.error = RM_EBUSY;
            verdict.why = RM_LEADER_RISES;
        } else if (more && !rm_leader_has_format_2 (self)) {
            verdict.error = RM_EDENIED;
            verdict.why =
                "an older master could not read what it asks for: when all are new, say ringctl master upgrade 3";
        } else if (i && job->seq <= submit->jobs[i - 1].seq)
            verdict.error = RM_EPROTO;
        else if (job->data.size > self->config.payload_bytes_max)
            verdict.error = RM_ETOOBIG;
        else if (!known)
            verdict.error = unknown_session (self);
        else if (floor == RM_SESSION_ENDED)
            verdict.error = RM_ESTATE;
        else if (job->seq <= floor || job->seq <= submit->floor)
            verdict.error = RM_ESTALE;
        else if (job->seq - floor > RM_SESSION_WINDOW)
            verdict.error = RM_EINVAL;
        else if (!is_fresh (session, job))
            verdict.error = find_request (self, session, job->seq, rm_submit_hash (job), &id);
    }
    return verdict;
}

/* ---- room ------------------------------------------------------------------------------------------------------- */

static void leave_rooms (rm_leader_t *self, pending_t *pending)
{
    for (uint32_t i = 0; i < pending->count; i++)
        rm_leader_leave_room (self, pending->requests[i].room, 1, pending->requests[i].bytes);
}

/* What is on its way into a queue by these requests. */
static void add_pending (const pending_t *pending, const struct rm_leader_room *room, uint64_t *count, uint64_t *bytes)
{
    for (uint32_t i = 0; i < pending->count; i++)
        if (pending->requests[i].room == room) {
            ++*count;
            *bytes += pending->requests[i].bytes;
        }
}

/* What the client would have too much of in a queue that limits it; NULL if nothing. */
static const char *full_for_client (const rm_leader_t *self, rm_bytes_t name, const rm_ledger_session_t *session,
                                    const pending_t *pending, const struct rm_leader_room *room)
{
    const rm_queue_t *queue = rm_state_queue (self->state, name);
    uint64_t count = 0, bytes = 0;
    if (!queue || !queue->shared)
        return NULL;
    const rm_share_t *share = session ? rm_share_of (queue, session) : NULL;
    add_pending (pending, room, &count, &bytes);
    RM_LIST_EACH (&self->submits, link) {
        const pending_t *other = RM_OWNER (link, pending_t, link);
        if (!memcmp (&other->session, &pending->session, sizeof other->session))
            add_pending (other, room, &count, &bytes);
    }
    if (queue->client_jobs_max && count + (share ? share->count : 0) > queue->client_jobs_max)
        return "this client has as many jobs waiting in the queue as one may";
    if (queue->client_bytes_max && bytes + (share ? share->bytes : 0) > queue->client_bytes_max)
        return "this client has as many bytes waiting in the queue as one may";
    return NULL;
}

/* Counts the new jobs in their queues. What is full, NULL if nothing is. */
static const char *enter_rooms (rm_leader_t *self, const rm_msg_submit_t *submit, const rm_ledger_session_t *session,
                                pending_t *pending)
{
    const char *what = NULL;
    for (uint32_t i = 0; i < submit->job_count && !what; i++) {
        const rm_submit_job_t *job = &submit->jobs[i];
        if (!is_fresh (session, job))
            continue;
        what = rm_leader_enter_room (self, job->queue, job->data.size, &pending->requests[i].room);
        pending->fresh_count++;
        pending->fresh_bytes += job->data.size;
    }
    const struct rm_leader_room *before = NULL;
    for (uint32_t i = 0; i < submit->job_count && !what; i++) {
        const struct rm_leader_room *room = pending->requests[i].room;
        if (room && room != before) /* that of most jobs is the one of the job before */
            what = full_for_client (self, submit->jobs[i].queue, session, pending, room);
        before = room;
    }
    return what;
}

/* ---- into the ledger -------------------------------------------------------------------------------------------- */

/* Writes the jobs into entries of at most a batch each. */
static bool propose_submit (rm_leader_t *self, const rm_msg_submit_t *submit)
{
    for (uint32_t first = 0; first < submit->job_count;) {
        uint32_t count = 0;
        size_t room = 64;
        rm_entry_kind_t kind = RM_ENTRY_SUBMIT;
        while (first + count < submit->job_count) {
            const rm_submit_job_t *job = &submit->jobs[first + count];
            size_t more = 64 + job->queue.size + job->key.size + job->data.size;
            if (count && room + more > RM_BATCH_BYTES_MAX)
                break;
            if (rm_job_has_options (job))
                kind = RM_ENTRY_SUBMIT_MORE;
            room += more;
            count++;
        }
        rm_buf_t *entry = rm_leader_entry (self, kind, room);
        if (!entry)
            return false;
        bool last = first + count == submit->job_count;
        rm_entry_submit (entry,
                         &(rm_entry_submit_t){submit->session, last ? submit->floor : 0, submit->jobs + first, count});
        first += count;
    }
    return true;
}

static pending_t *make_pending (const rm_address_t *from, const rm_msg_submit_t *submit)
{
    pending_t *pending = rm_calloc (1, sizeof *pending + submit->job_count * sizeof pending->requests[0]);
    if (!pending)
        return NULL;
    pending->from = *from;
    pending->session = submit->session;
    pending->count = submit->job_count;
    for (uint32_t i = 0; i < submit->job_count; i++) {
        pending->requests[i].seq = submit->jobs[i].seq;
        pending->requests[i].hash = rm_submit_hash (&submit->jobs[i]);
        pending->requests[i].bytes = submit->jobs[i].data.size;
    }
    return pending;
}

static void remember (rm_leader_t *self, rm_ledger_session_t *session, pending_t *pending)
{
    pending->batch = rm_leader_batch_number (self);
    rm_list_append (&self->submits, &pending->link);
    pending->in_session = session;
    if (session) {
        session->lead.submit_count++;
        uint64_t last_seq = pending->requests[pending->count - 1].seq;
        if (last_seq > session->lead.newest_seq)
            session->lead.newest_seq = last_seq;
    }
    rm_leader_expect (self, session, pending->fresh_count, pending->fresh_bytes);
}

/* Answers from the session table; only what is applied, and thereby durable, is in there. */
static void answer_known (rm_leader_t *self, const pending_t *pending)
{
    const rm_ledger_session_t *session = rm_state_session (self->state, &pending->session);
    rm_accepted_job_t *jobs = rm_calloc (pending->count, sizeof *jobs);
    if (!jobs) {
        rm_leader_out_of_memory (self);
        return;
    }
    int error = 0;
    for (uint32_t i = 0; i < pending->count && !error; i++) {
        jobs[i].seq = pending->requests[i].seq;
        error = find_request (self, session, jobs[i].seq, pending->requests[i].hash, &jobs[i].id);
        if (error)
            rm_leader_refuse_request (self, &pending->from, error, jobs[i].seq);
    }
    if (!error)
        send_accepted (self, &pending->from, &pending->session, jobs, pending->count);
    rm_free (jobs);
}

/* A session is not dropped while it has something pending. */
static void forget_pending (rm_leader_t *self, pending_t *pending)
{
    rm_ledger_session_t *session = pending->in_session ? rm_state_session (self->state, &pending->session) : NULL;
    if (session && !--session->lead.submit_count)
        session->lead.newest_seq = 0;
    rm_leader_unexpect (self, session, pending->fresh_count, pending->fresh_bytes);
    leave_rooms (self, pending);
    rm_list_remove (&pending->link);
    rm_free (pending);
}

void rm_leader_answer_submits (rm_leader_t *self, uint64_t number)
{
    for (rm_link_t *first; (first = rm_list_first (&self->submits));) {
        pending_t *pending = RM_OWNER (first, pending_t, link);
        if (pending->batch > number)
            break;
        answer_known (self, pending);
        forget_pending (self, pending);
    }
}

/* Logs a submit with new jobs; what is full instead, NULL if nothing is. */
static const char *log_submit (rm_leader_t *self, rm_ledger_session_t *session, const rm_msg_submit_t *submit,
                               pending_t *pending)
{
    const char *what = enter_rooms (self, submit, session, pending);
    if (!what && pending->fresh_count)
        what = rm_leader_full (self, session, pending->fresh_count, pending->fresh_bytes);
    if (!what && pending->fresh_count && propose_submit (self, submit)) {
        remember (self, session, pending);
        return NULL;
    }
    if (!what && !pending->fresh_count)
        answer_known (self, pending);
    leave_rooms (self, pending);
    rm_free (pending);
    return what;
}

/* Whether the number that a submit is to come after was accepted, or is on its way. Who sends his numbers in a row and each
 * submit after the one before has no gap before the newest of those on their way. */
static bool comes_in_turn (const rm_msg_submit_t *submit, const rm_ledger_session_t *session)
{
    if (submit->after <= submit->floor)
        return true;
    return session && (submit->after <= session->floor || submit->after <= session->lead.newest_seq ||
                       rm_session_request (session, submit->after));
}

static void take_submit (rm_leader_t *self, const rm_address_t *from, const rm_msg_submit_t *submit)
{
    rm_ledger_session_t *session = rm_state_session (self->state, &submit->session);
    if (!comes_in_turn (submit, session))
        return; /* the client is told of the one before, or has to send that again */
    verdict_t verdict = judge (self, submit, session);
    if (session)
        session->lead.heard_ms = self->now.wall_ms;
    if (verdict.error) {
        if (verdict.error == RM_ETOOBIG)
            rm_leader_refuse_payload (self, from, verdict.job);
        else if (verdict.error == RM_EBUSY)
            rm_leader_say_busy (self, from, verdict.why);
        else if (verdict.why)
            rm_leader_refuse (self, from, verdict.error, verdict.job->seq, "request %llu cannot be: %s",
                              (unsigned long long)verdict.job->seq, verdict.why);
        else
            rm_leader_refuse_request (self, from, verdict.error, verdict.job->seq);
        return;
    }
    pending_t *pending = make_pending (from, submit);
    if (!pending) {
        rm_leader_out_of_memory (self);
        return;
    }
    const char *what = log_submit (self, session, submit, pending);
    if (what)
        rm_leader_say_busy (self, from, what);
}

/* ---- any message ------------------------------------------------------------------------------------------------ */

/* Another master may lead; one that is cut off does not know which. */
static void send_elsewhere (rm_leader_t *self, const rm_address_t *to)
{
    rm_msg_t msg = {.type = RM_MSG_NOT_LEADER};
    msg.not_leader = (rm_msg_not_leader_t){.leader = self->cut_off ? (rm_bytes_t){0} : self->group.leader,
                                           .masters = (rm_bytes_t *)self->group.masters,
                                           .master_count = self->group.count};
    rm_leader_to_client (self, to, &msg);
}

void rm_leader_from_client (rm_leader_t *self, rm_now_t now, const rm_address_t *from, const rm_msg_t *msg)
{
    rm_leader_see (self, now);
    if (!rm_leader_speaks (self)) {
        send_elsewhere (self, from);
        return;
    }
    switch (msg->type) {
    case RM_MSG_SUBMIT:
        take_submit (self, from, &msg->submit);
        break;
    case RM_MSG_WAIT:
        rm_leader_take_wait (self, from, &msg->wait);
        break;
    case RM_MSG_ORDER:
        rm_leader_take_order (self, from, &msg->order);
        break;
    default:
        rm_leader_refuse (self, from, RM_EPROTO, 0, "a client does not send the message `%s`", rm_msg_name (msg->type));
    }
}

/* Nobody is answered any more: they ask the next leader. */
void rm_leader_drop_clients (rm_leader_t *self)
{
    rm_journal_close (&self->journal);
    rm_journal_close (&self->past);
    for (rm_link_t *first; (first = rm_list_first (&self->submits));)
        forget_pending (self, RM_OWNER (first, pending_t, link));
    rm_leader_drop_waiters (self);
    rm_leader_drop_orders (self);
}
