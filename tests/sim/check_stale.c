/*  What is stale changes nothing: how things look before and after it, as a number. */
#include <inttypes.h>

#include "check_inside.h"

/* ---- what is stale ----------------------------------------------------------------------------------------------- */

static bool stale_sync (const rm_work_t *half, const rm_msg_sync_t *sync)
{
    const rm_work_resize_t *resize = &half->resize;
    if (sync->term != half->term || !rm_work_is_member (half))
        return sync->term < half->term || !rm_work_is_member (half);
    return sync->term < resize->term || (sync->term == resize->term && sync->epoch < resize->epoch);
}

static bool stale_to_worker (const rm_work_t *half, const rm_msg_t *msg)
{
    switch (msg->type) {
    case RM_MSG_JOINED:
        return msg->joined.inc != half->inc || msg->joined.term < half->term;
    case RM_MSG_HEARTBEAT_OK:
        return msg->heartbeat_ok.inc != half->inc || msg->heartbeat_ok.term != half->term;
    case RM_MSG_DISPATCH:
        return msg->dispatch.inc != half->inc || msg->dispatch.term < half->term;
    case RM_MSG_COMMITTED:
        return msg->committed.inc != half->inc || msg->committed.term < half->term;
    case RM_MSG_REJOIN: /* one that was forsaken may heed an older master, that began anew */
        return msg->rejoin.inc != half->inc || (msg->rejoin.term < half->term && half->state != RM_WORK_UNLEASED);
    case RM_MSG_LEFT:
        return msg->left.inc != half->inc || msg->left.term < half->term;
    case RM_MSG_SYNC:
        return stale_sync (half, &msg->sync);
    default:
        return false;
    }
}

static const rm_report_t *report_of (const rm_msg_t *msg)
{
    switch (msg->type) {
    case RM_MSG_HEARTBEAT:
        return &msg->heartbeat.report;
    case RM_MSG_DONE:
        return &msg->done.report;
    case RM_MSG_LEAVE:
        return &msg->leave.report;
    case RM_MSG_SYNC:
        return &msg->sync.report;
    default:
        return NULL;
    }
}

/* Of an incarnation that is no member any more, or whose removal is on its way to the log. */
static bool is_removed (const rm_leader_t *leader, const rm_report_t *report)
{
    const rm_peer_t *peer = rm_leader_peer (leader, report->inc);
    return !peer || peer->removing;
}

/* The same, or of a former term. */
static bool is_foreign (const rm_leader_t *leader, const rm_report_t *report)
{
    return is_removed (leader, report) || report->term != leader->state->term;
}

static bool is_old_answer (const rm_leader_t *leader, const rm_msg_t *msg)
{
    return msg->type == RM_MSG_SYNC && msg->sync.epoch != leader->state->epoch;
}

const char *check_is_stale (const check_t *self, const sim_packet_t *packet)
{
    if (sim_is_worker (self->sim, packet->to))
        return stale_to_worker (sim_work (self->sim, packet->to), &packet->msg) ? "stale" : NULL;
    const rm_report_t *report = report_of (&packet->msg);
    if (!sim_is_master (self->sim, packet->to) || !sim_is_worker (self->sim, packet->from) || !report)
        return NULL;
    const rm_leader_t *leader = sim_leader (self->sim, packet->to);
    if (!check_listens (leader))
        return NULL;
    if (is_removed (leader, report))
        return "fencing";
    return is_foreign (leader, report) || is_old_answer (leader, &packet->msg) ? "stale" : NULL;
}

/* ---- how things look --------------------------------------------------------------------------------------------- */

static void mix (uint64_t *digest, uint64_t value)
{
    *digest = (*digest ^ value) * 0x100000001b3u;
    *digest ^= *digest >> 29;
}

static uint64_t digest_worker (const rm_work_t *half)
{
    uint64_t digest = 0xcbf29ce484222325u;
    const rm_work_resize_t *resize = &half->resize;
    const uint64_t values[] = {half->state,         half->inc,          half->term,
                               half->upto,          half->seen,         half->job_id_max,
                               half->leaving,       half->leased_until, half->held_count,
                               half->say_beat,      resize->term,       resize->epoch,
                               resize->current_job, resize->reported,   resize->closed,
                               resize->ok,          resize->over,       resize->say_1,
                               resize->say_2,       resize->say_3,      rm_work_running_count (half)};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        mix (&digest, values[i]);
    for (const rm_work_job_t *job = half->held; job; job = job->next_held) {
        mix (&digest, job->id);
        mix (&digest, job->token);
        mix (&digest, job->state);
        mix (&digest, job->stop);
    }
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
        mix (&digest, half->closed[slot]);
    return digest;
}

/* What only the answers to the newest epoch may change. */
static void mix_answers (uint64_t *digest, const rm_leader_t *leader)
{
    for (uint32_t i = 0; i < leader->peer_count; i++) {
        const rm_peer_t *peer = leader->peers[i];
        mix (digest, peer->member->inc);
        mix (digest, peer->synced);
        mix (digest, peer->settled);
        mix (digest, peer->current_job);
        mix (digest, peer->heard_ms);
    }
    mix (digest, leader->resize.state);
}

static void mix_books (uint64_t *digest, const rm_leader_t *leader)
{
    for (uint32_t i = 0; i < leader->peer_count; i++) {
        const rm_peer_t *peer = leader->peers[i];
        const uint64_t values[] = {peer->last_seq,  peer->upto,         peer->reported,     peer->leave_asked,
                                   peer->removing,  peer->flight_count, peer->failed_count, peer->committed_count,
                                   peer->done_count};
        for (size_t j = 0; j < sizeof values / sizeof *values; j++)
            mix (digest, values[j]);
    }
    for (const rm_pool_t *pool = leader->state->pools; pool; pool = pool->next)
        for (uint32_t slot = 0; slot < RM_SLOTS; slot++) {
            mix (digest, pool->lead->slots[slot].state);
            mix (digest, pool->lead->slots[slot].at);
        }
    RM_RECORD_EACH (leader->state, record)
    {
        mix (digest, record->lead.at);
        mix (digest, rm_record_flight (record) ? record->lead.flight->seq : 0);
    }
    RM_LIST_EACH (&leader->batches, link)
        mix (digest, RM_OWNER (link, rm_batch_t, link)->bytes.size);
    mix (digest, leader->resize.wanted);
}

uint64_t check_digest (const check_t *self, const sim_packet_t *packet)
{
    uint64_t digest = 0xcbf29ce484222325u;
    if (!sim_is_master (self->sim, packet->to))
        return digest_worker (sim_work (self->sim, packet->to));
    const rm_leader_t *leader = sim_leader (self->sim, packet->to);
    mix_answers (&digest, leader);
    if (is_foreign (leader, report_of (&packet->msg)))
        mix_books (&digest, leader);
    return digest;
}
