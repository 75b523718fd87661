/*  Messages and handlers in a trace for the model. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "abstract_inside.h"

/* ---- what workers say, and the leader hears ---------------------------------------------------------------------- */

/* One event of what a message says: its report, and one thing more. */
static void tell_part (abstract_t *self, int event, uint32_t who, const rm_report_t *report, int part,
                       const int more[3])
{
    int inc = abstract_inc (self, report->inc);
    abstract_say (self, event, " %u %d %" PRIu64 " %d %d %u %d %d %d", who - 1, part, report->term, inc,
                  abstract_upto (self, report->term, inc, report->upto),
                  abstract_job_set (self, report->held, report->held_count), more[0], more[1], more[2]);
}

static void tell_done (abstract_t *self, int event, uint32_t who, const rm_msg_done_t *done)
{
    bool any = false;
    for (uint32_t i = 0; i < done->job_count; i++) {
        const rm_done_job_t *job = &done->jobs[i];
        int number = abstract_job (self, job->id);
        if (number < 0)
            continue;
        any = true;
        tell_part (self, event, who, &done->report, DONE,
                   (const int[3]){number, (int)job->attempt - 1, abstract_verdict (job->verdict)});
    }
    if (!any)
        tell_part (self, event, who, &done->report, BEAT, (const int[3]){0});
}

static void tell_said (abstract_t *self, int event, uint32_t who, const rm_msg_t *msg)
{
    const rm_msg_sync_t *sync = &msg->sync;
    switch (msg->type) {
    case RM_MSG_HEARTBEAT:
        tell_part (self, event, who, &msg->heartbeat.report, BEAT, (const int[3]){0});
        break;
    case RM_MSG_DONE:
        tell_done (self, event, who, &msg->done);
        break;
    case RM_MSG_LEAVE:
        tell_part (self, event, who, &msg->leave.report, LEAVE, (const int[3]){0});
        break;
    case RM_MSG_SYNC:
        if (sync->phase == 3)
            tell_part (self, event, who, &sync->report, ANSWER3, (const int[3]){(int)sync->epoch, 0, 0});
        if (sync->phase == 1)
            tell_part (self, event, who, &sync->report, ANSWER1, (const int[3]){(int)sync->epoch, 0, 0});
        if (sync->phase == 2)
            tell_part (self, event, who, &sync->report, ANSWER2, (const int[3]){(int)sync->epoch, sync->ok, 0});
        break;
    default:
        break;
    }
}

/* ---- what the leader says ---------------------------------------------------------------------------------------- */

/* Who loses the followed slots, slot by slot. */
static void list_losers (const abstract_t *self, const rm_msg_sync_t *sync, uint32_t losers[ABSTRACT_SLOTS])
{
    for (uint32_t i = 0; i < sync->moved_count; i++)
        for (int slot = 0; slot < ABSTRACT_SLOTS; slot++)
            if (sync->moved[i].first <= self->slots[slot] && self->slots[slot] <= sync->moved[i].last)
                losers[slot] |= abstract_inc_set (self, &sync->moved[i].from, 1);
}

/* What is published goes to each worker by itself; it is told once. */
static void tell_sync (abstract_t *self, const rm_msg_sync_t *sync)
{
    char text[sizeof self->last_sync];
    uint32_t members = 0, losers[ABSTRACT_SLOTS] = {0};
    for (uint32_t i = 0; i < sync->member_count; i++)
        members |= abstract_inc_set (self, &sync->members[i].inc, 1);
    list_losers (self, sync, losers);
    snprintf (text, sizeof text, " %" PRIu64 " %" PRIu64 " %u %u %u %u %u", sync->term, sync->epoch, sync->phase,
              members, losers[0], losers[1], losers[2]);
    if (!strcmp (text, self->last_sync))
        return;
    memcpy (self->last_sync, text, sizeof text);
    abstract_say (self, EV_SYNC, "%s", text);
}

static void tell_dispatch (abstract_t *self, const rm_msg_dispatch_t *dispatch)
{
    int inc = abstract_inc (self, dispatch->inc);
    for (uint32_t i = 0; i < dispatch->job_count; i++) {
        bool again;
        int job = abstract_job (self, dispatch->jobs[i].id);
        if (job < 0)
            continue;
        int seq = abstract_seq (self, dispatch->term, inc, dispatch->seq + i, true, &again);
        abstract_say (self, again ? EV_RESEND : EV_DISPATCH, " %d %d %d %u %" PRIu64 " %" PRIu64, job, inc, seq,
                      dispatch->jobs[i].attempt - 1, dispatch->epoch, dispatch->term);
    }
}

void abstract_sent (abstract_t *self, const sim_packet_t *packet)
{
    if (!self)
        return;
    abstract_look (self);
    const rm_msg_t *msg = &packet->msg;
    if (sim_is_worker (self->sim, packet->from))
        tell_said (self, EV_SAY, packet->from, msg);
    else if (packet->from == ABSTRACT_MASTER && msg->type == RM_MSG_SYNC)
        tell_sync (self, &msg->sync);
    else if (packet->from == ABSTRACT_MASTER && msg->type == RM_MSG_DISPATCH)
        tell_dispatch (self, &msg->dispatch);
}

/* ---- what arrives ------------------------------------------------------------------------------------------------ */

void abstract_arrives (abstract_t *self, const sim_packet_t *packet)
{
    if (!self)
        return;
    abstract_look (self);
    if (sim_is_worker (self->sim, packet->to)) {
        abstract_worker_t *worker = &self->workers[packet->to - 1];
        const rm_work_t *half = sim_work (self->sim, packet->to);
        worker->term_before = half->term;
        worker->upto_before = half->upto;
        return;
    }
    if (packet->to != ABSTRACT_MASTER || !sim_is_worker (self->sim, packet->from) || !self->leading)
        return;
    if (packet->msg.type == RM_MSG_JOIN)
        abstract_say (self, EV_HEAR_JOIN, " %d", abstract_inc (self, packet->msg.join.inc));
    else
        tell_said (self, EV_HEAR, packet->from, &packet->msg);
}

/* What of it was taken: the numbers that the worker has now and had not before. */
static void tell_taken (abstract_t *self, uint32_t who, const rm_msg_dispatch_t *dispatch)
{
    const abstract_worker_t *worker = &self->workers[who - 1];
    const rm_work_t *half = sim_work (self->sim, who);
    /* No worker hears of a new term by a dispatch, since nothing is dispatched to one that has not reported in it. */
    uint64_t before = half->term > worker->term_before ? 0 : worker->upto_before;
    int inc = abstract_inc (self, dispatch->inc);
    for (uint32_t i = 0; i < dispatch->job_count; i++) {
        bool again;
        uint64_t seq = dispatch->seq + i;
        int job = abstract_job (self, dispatch->jobs[i].id);
        if (job < 0 || seq <= before || seq > half->upto)
            continue;
        abstract_say (self, EV_TAKE, " %u %" PRIu64 " %d %" PRIu64 " %d %d %u", who - 1, dispatch->term, inc,
                      dispatch->epoch, abstract_seq (self, dispatch->term, inc, seq, false, &again), job,
                      dispatch->jobs[i].attempt - 1);
    }
}

static void tell_committed (abstract_t *self, uint32_t who, const rm_msg_committed_t *committed)
{
    for (uint32_t i = 0; i < committed->job_count; i++) {
        const rm_committed_job_t *told = &committed->jobs[i];
        int job = abstract_job (self, told->id);
        if (job >= 0)
            abstract_say (self, EV_TOLD, " %u %" PRIu64 " %d %d %u", who - 1, committed->term,
                          abstract_inc (self, committed->inc), job,
                          told->attempt == UINT32_MAX ? EVERY_ATTEMPT : told->attempt - 1);
    }
}

static void tell_joined (abstract_t *self, uint32_t who, const rm_msg_joined_t *joined)
{
    abstract_worker_t *worker = &self->workers[who - 1];
    const rm_leader_t *leader = sim_leader (self->sim, ABSTRACT_MASTER);
    const rm_peer_t *peer = leader && leader->leading ? rm_leader_peer (leader, joined->inc) : NULL;
    abstract_say (self, EV_JOINED, " %u %" PRIu64 " %d %" PRIu64, who - 1, joined->term,
                  abstract_inc (self, joined->inc), joined->epoch);
    if (worker->member || worker->inc != joined->inc || !rm_work_is_member (sim_work (self->sim, who)))
        return;
    worker->member = true;
    worker->leased = rm_state_member (&self->state, joined->inc) && !(self->leading && peer && peer->removing);
}

void abstract_arrived (abstract_t *self, const sim_packet_t *packet)
{
    if (!self)
        return;
    const rm_msg_t *msg = &packet->msg;
    uint32_t who = packet->to;
    if (!sim_is_worker (self->sim, who)) {
        abstract_look (self);
        return;
    }
    switch (msg->type) {
    case RM_MSG_DISPATCH:
        tell_taken (self, who, &msg->dispatch);
        break;
    case RM_MSG_COMMITTED:
        tell_committed (self, who, &msg->committed);
        break;
    case RM_MSG_JOINED:
        tell_joined (self, who, &msg->joined);
        break;
    case RM_MSG_REJOIN:
        abstract_say (self, EV_REJOIN, " %u %" PRIu64 " %d", who - 1, msg->rejoin.term,
                      abstract_inc (self, msg->rejoin.inc));
        break;
    case RM_MSG_LEFT:
        abstract_say (self, EV_LEFT, " %u %" PRIu64 " %d", who - 1, msg->left.term, abstract_inc (self, msg->left.inc));
        break;
    case RM_MSG_SYNC:
        abstract_say (self, EV_SYNCED, " %" PRIu64 " %" PRIu64 " %u %u", msg->sync.term, msg->sync.epoch,
                      msg->sync.phase, who - 1);
        break;
    default:
        break;
    }
    abstract_look (self);
}

/* ---- handlers ---------------------------------------------------------------------------------------------------- */

void abstract_starts (abstract_t *self, uint32_t who, const sim_run_t *run)
{
    int job = self ? abstract_job (self, run->job->id) : -1;
    if (job < 0)
        return;
    abstract_look (self);
    self->workers[who - 1].runs |= 1u << job;
    abstract_say (self, EV_START, " %u %d", who - 1, job);
}

/* What stopped it decides, as in work_jobs.c. */
void abstract_ends (abstract_t *self, uint32_t who, const sim_run_t *run)
{
    int job = self ? abstract_job (self, run->job->id) : -1;
    if (job < 0)
        return;
    abstract_look (self);
    int verdict = run->job->stop == RM_WORK_STOP_TIMEOUT ? RETRY
                  : run->job->stop == RM_WORK_STOP_LEASE ? INTERRUPTED
                                                         : abstract_verdict (run->job->result.verdict);
    self->workers[who - 1].runs &= ~(1u << job);
    abstract_say (self, EV_FINISH, " %u %d %d", who - 1, job, verdict);
}
