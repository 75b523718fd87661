/*  The three-phase resize, as the leader drives it (docs/architecture.md, "The ring and a resize").
 *
 *      idle ─▶ begin ─▶ phase 1 ─(all reported, slots known)─▶ phase 2 ─(all ok, table clean)─▶ commit ─▶ idle
 *
 *  From any state a change of members may begin anew: the epoch is superseded, slots that are draining keep draining and
 *  only their targets change. A new leader resumes the epoch it finds, in its own term, at phase 1.
 */
#include "core/leader_inside.h"
#include "proto/alloc.h"

/* from → to that are allowed. */
static const uint8_t moves[RM_RESIZE_STATES] = {
    [RM_RESIZE_IDLE] = 1 << RM_RESIZE_BEGIN | 1 << RM_RESIZE_PHASE1,
    [RM_RESIZE_BEGIN] = 1 << RM_RESIZE_PHASE1 | 1 << RM_RESIZE_BEGIN,
    [RM_RESIZE_PHASE1] = 1 << RM_RESIZE_PHASE2 | 1 << RM_RESIZE_BEGIN | 1 << RM_RESIZE_PHASE1,
    [RM_RESIZE_PHASE2] = 1 << RM_RESIZE_COMMIT | 1 << RM_RESIZE_BEGIN | 1 << RM_RESIZE_IDLE | 1 << RM_RESIZE_PHASE1,
    [RM_RESIZE_COMMIT] = 1 << RM_RESIZE_IDLE | 1 << RM_RESIZE_BEGIN | 1 << RM_RESIZE_PHASE1,
};

static void move_resize (rm_leader_t *self, rm_resize_state_t to)
{
    RM_ASSERT (moves[self->resize.state] & 1 << to);
    self->resize.state = to;
}

const char *rm_resize_state_name (rm_resize_state_t state)
{
    static const char *const names[RM_RESIZE_STATES] = {"idle", "begin", "phase 1", "phase 2", "commit"};
    return names[state];
}

/* ---- what is said ----------------------------------------------------------------------------------------------- */

static rm_msg_t short_sync (const rm_leader_t *self, uint32_t phase)
{
    rm_msg_t msg = {.type = RM_MSG_SYNC};
    msg.sync.from_master = true;
    msg.sync.name = rm_bytes ("Master");
    msg.sync.phase = phase;
    msg.sync.term = self->state->term;
    msg.sync.epoch = self->state->epoch;
    return msg;
}

static void publish (rm_leader_t *self, const rm_msg_t *msg)
{
    rm_buf_t frame = {0};
    if (rm_msg_encode (msg, &frame))
        rm_leader_out_of_memory (self);
    else
        self->out.publish (self->out.arg, msg->sync.phase, &frame);
    rm_buf_close (&frame);
}

/* False: memory has run out, and there is nothing to be sent. */
static bool copy_phase2 (rm_leader_t *self, rm_buf_t *frame)
{
    rm_buf_put (frame, self->resize.phase2.data, self->resize.phase2.size);
    if (frame->failed)
        rm_leader_out_of_memory (self);
    return !frame->failed;
}

static void broadcast (rm_leader_t *self)
{
    self->resize.publish_ms = self->now.mono_ms + self->config.resync_ms;
    if (self->resize.state == RM_RESIZE_PHASE2) {
        rm_buf_t frame = {0};
        if (copy_phase2 (self, &frame))
            self->out.publish (self->out.arg, 2, &frame);
        rm_buf_close (&frame);
        return;
    }
    rm_msg_t msg = short_sync (self, self->resize.state == RM_RESIZE_PHASE1 ? 1 : 3);
    publish (self, &msg);
}

/* The present sync, to one worker: what a SUB that missed it is told. */
void rm_leader_send_sync (rm_leader_t *self, const rm_address_t *to)
{
    if (self->resize.state != RM_RESIZE_PHASE2) {
        rm_msg_t msg = short_sync (self, self->resize.state == RM_RESIZE_IDLE ? 3 : 1);
        rm_leader_to_worker (self, to, &msg);
        return;
    }
    rm_buf_t frame = {0};
    if (copy_phase2 (self, &frame))
        self->out.to_worker (self->out.arg, to, RM_MSG_SYNC, 2, &frame);
    rm_buf_close (&frame);
}

/* ---- phase 2's content ------------------------------------------------------------------------------------------ */

static uint64_t inc_of (const rm_leader_t *self, uint16_t number)
{
    return number == RM_RING_NOBODY ? 0 : self->state->members[number]->inc;
}

typedef struct {
    rm_sync_move_t *moves;
    uint32_t count, capacity;
} moved_t;

static bool add_move (moved_t *moved, const rm_sync_move_t *move)
{
    rm_sync_move_t *last = moved->count ? &moved->moves[moved->count - 1] : NULL;
    if (last && last->pool.data == move->pool.data && last->from == move->from && last->to == move->to &&
        last->last + 1 == move->first) {
        last->last = move->last;
        return true;
    }
    if (moved->count == moved->capacity) {
        uint32_t capacity = moved->capacity ? moved->capacity * 2 : 64;
        rm_sync_move_t *grown = rm_realloc (moved->moves, capacity * sizeof *grown);
        if (!grown)
            return false;
        moved->moves = grown;
        moved->capacity = capacity;
    }
    moved->moves[moved->count++] = *move;
    return true;
}

/* Every holder of a slot that is not its target loses it, and a slot nobody held is gained: holder by holder, so that
 * neighbouring slots make one range. */
static bool list_moves (const rm_leader_t *self, const rm_pool_t *pool, moved_t *moved)
{
    for (int i = 0; i < RM_HOLDERS_MAX; i++)
        for (uint32_t slot = 0; slot < RM_SLOTS; slot++) {
            uint16_t holder = pool->holders[slot].members[i], target = pool->target[slot];
            bool gained = i == 0 && pool->owner[slot] == RM_RING_NOBODY && target != RM_RING_NOBODY && holder == target;
            if (!gained && (holder == RM_RING_NOBODY || holder == target))
                continue;
            rm_sync_move_t move = {rm_bytes (pool->name), slot, slot, gained ? 0 : inc_of (self, holder),
                                   inc_of (self, target)};
            if (!add_move (moved, &move))
                return false;
        }
    return true;
}

static bool fix_phase2 (rm_leader_t *self)
{
    rm_msg_t msg = short_sync (self, 2);
    moved_t moved = {0};
    bool ok = true;
    for (const rm_pool_t *pool = self->state->pools; pool && ok; pool = pool->next)
        ok = list_moves (self, pool, &moved);
    rm_sync_member_t *members = rm_calloc (self->peer_count, sizeof *members);
    ok = ok && members;
    for (uint32_t i = 0; ok && i < self->peer_count; i++) {
        rm_peer_t *peer = self->peers[i];
        members[i] = (rm_sync_member_t){rm_bytes (peer->member->name), peer->member->inc};
        peer->counted = true;
        peer->settled = false;
        if (peer->synced && peer->current_job > msg.sync.sync_to) /* one on its way out may not have answered */
            msg.sync.sync_to = peer->current_job;
    }
    msg.sync.members = members;
    msg.sync.member_count = self->peer_count;
    msg.sync.moved = moved.moves;
    msg.sync.moved_count = moved.count;
    self->resize.sync_to = msg.sync.sync_to;
    rm_buf_clear (&self->resize.phase2);
    ok = ok && !rm_msg_encode (&msg, &self->resize.phase2);
    rm_free (members);
    rm_free (moved.moves);
    return ok;
}

/* ---- the steps -------------------------------------------------------------------------------------------------- */

/* Members have changed: a resize within the window, or at once. */
void rm_leader_want_resize (rm_leader_t *self, bool at_once)
{
    uint64_t due = self->now.mono_ms + (at_once ? 0 : self->config.resize_window_ms);
    if (!self->resize.wanted || due < self->resize.wanted_ms)
        self->resize.wanted_ms = due;
    self->resize.wanted = true;
}

static bool is_in_ring (const rm_leader_t *self, uint16_t number)
{
    return number != RM_RING_NOBODY && self->state->members[number]->in_ring;
}

/* True when a slot belongs to nobody, or to a leaver, though somebody could have it: the newest begin found no room for
 * one more holder of it, or was lost with the master that removed its owner. */
static bool slot_waits (const rm_leader_t *self, const rm_pool_t *pool)
{
    bool anybody = false;
    for (uint32_t i = 0; i < self->peer_count; i++)
        anybody = anybody || (self->peers[i]->member->pool == pool && self->peers[i]->member->in_ring);
    for (uint32_t slot = 0; anybody && slot < RM_SLOTS; slot++)
        if (!is_in_ring (self, pool->target[slot]))
            return true;
    return false;
}

/* True when the newest assignment is not what it would be now. */
static bool is_incomplete (const rm_leader_t *self)
{
    for (uint32_t i = 0; i < self->peer_count; i++)
        if (!self->peers[i]->member->in_ring && !self->peers[i]->member->leaving)
            return true;
    for (const rm_pool_t *pool = self->state->pools; pool; pool = pool->next)
        if (slot_waits (self, pool))
            return true;
    return false;
}

/* The new assignment: everybody who is not on the way out. In order of number, so that it does not depend on us. */
void rm_leader_propose_begin (rm_leader_t *self)
{
    uint64_t incs[2][RM_MEMBERS_MAX];
    uint32_t counts[2] = {0};
    for (uint32_t i = 0; i < RM_MEMBERS_MAX; i++) {
        rm_member_t *member = self->state->members[i];
        if (!member || member->peer->removing)
            continue;
        int leaving = member->leaving || member->peer->leave_asked;
        incs[leaving][counts[leaving]++] = member->inc;
    }
    rm_buf_t *entry = rm_leader_entry (self, RM_ENTRY_RESIZE_BEGIN, 32 + 8 * (counts[0] + counts[1]));
    if (!entry)
        return;
    if (self->proposed_epoch < self->state->epoch)
        self->proposed_epoch = self->state->epoch;
    rm_entry_resize_begin (entry, &(rm_entry_begin_t){++self->proposed_epoch, incs[0], counts[0], incs[1], counts[1]});
    move_resize (self, RM_RESIZE_BEGIN);
    self->resize.wanted = false;
}

static void enter_phase1 (rm_leader_t *self)
{
    move_resize (self, RM_RESIZE_PHASE1);
    self->resize.begun_ms = self->now.mono_ms;
    for (uint32_t i = 0; i < self->peer_count; i++)
        self->peers[i]->synced = self->peers[i]->settled = self->peers[i]->counted = false;
    rm_leader_trace (self, "event=resize phase=1 term=%llu epoch=%llu members=%u",
                     (unsigned long long)self->state->term, (unsigned long long)self->state->epoch, self->peer_count);
    broadcast (self);
}

/* `resize_begin` is applied: moved slots stop, unless nothing of them is in flight; then they are open at their target
 * already, the rule being kept. */
void rm_leader_resize_begun (rm_leader_t *self)
{
    rm_leader_send_of_epoch (self, self->state->epoch - 1);
    for (rm_pool_t *pool = self->state->pools; pool; pool = pool->next)
        rm_leader_refresh_pool (self, pool);
    enter_phase1 (self);
}

/* A new leader takes the epoch it finds through the phases in its own term: the answers to phase 1 are the in-flight
 * table. */
void rm_leader_resume_resize (rm_leader_t *self)
{
    self->resize.state = RM_RESIZE_IDLE;
    self->proposed_epoch = self->state->epoch;
    if (self->peer_count || rm_state_resizing (self->state))
        enter_phase1 (self);
    if (is_incomplete (self))
        rm_leader_want_resize (self, false);
}

static void end_resize (rm_leader_t *self)
{
    move_resize (self, RM_RESIZE_IDLE);
    rm_leader_trace (self, "event=resize phase=3 term=%llu epoch=%llu ms=%llu", (unsigned long long)self->state->term,
                     (unsigned long long)self->state->epoch,
                     (unsigned long long)(self->now.mono_ms - self->resize.begun_ms));
    broadcast (self);
    if (is_incomplete (self))
        rm_leader_want_resize (self, false);
}

void rm_leader_resize_committed (rm_leader_t *self)
{
    if (self->resize.state == RM_RESIZE_COMMIT)
        end_resize (self);
}

static bool all_synced (const rm_leader_t *self)
{
    for (uint32_t i = 0; i < self->peer_count; i++)
        if (!self->peers[i]->synced && !self->peers[i]->removing)
            return false;
    return true;
}

static bool all_settled (const rm_leader_t *self)
{
    for (uint32_t i = 0; i < self->peer_count; i++)
        if (self->peers[i]->counted && !self->peers[i]->settled && !self->peers[i]->removing)
            return false;
    return true;
}

static void enter_phase2 (rm_leader_t *self)
{
    if (!fix_phase2 (self)) {
        rm_leader_out_of_memory (self);
        return;
    }
    move_resize (self, RM_RESIZE_PHASE2);
    rm_leader_trace (self, "event=resize phase=2 term=%llu epoch=%llu sync_to=%llu",
                     (unsigned long long)self->state->term, (unsigned long long)self->state->epoch,
                     (unsigned long long)self->resize.sync_to);
    broadcast (self);
}

static void propose_commit (rm_leader_t *self)
{
    if (!rm_state_resizing (self->state)) {
        end_resize (self);
        return;
    }
    rm_buf_t *entry = rm_leader_entry (self, RM_ENTRY_RESIZE_COMMIT, 16);
    if (!entry)
        return;
    rm_entry_resize_commit (entry, self->state->epoch);
    move_resize (self, RM_RESIZE_COMMIT);
}

/* A leaver goes once its slots have moved for good and nothing of it is in flight. */
static void dismiss_leavers (rm_leader_t *self)
{
    for (uint32_t i = 0; i < self->peer_count; i++) {
        rm_peer_t *peer = self->peers[i];
        const rm_member_t *member = peer->member;
        if (member->leaving && !peer->removing && !peer->flight_count && peer->reported &&
            !rm_pool_share (member->pool, member->number))
            rm_leader_remove_peer (self, peer, "left");
    }
}

/* Whether a change that is wanted may begin now. */
static bool may_begin (const rm_leader_t *self)
{
    const rm_resize_t *resize = &self->resize;
    if (!resize->wanted || self->now.mono_ms < resize->wanted_ms || resize->state == RM_RESIZE_BEGIN)
        return false;
    return resize->state == RM_RESIZE_IDLE || self->now.mono_ms >= resize->begun_ms + self->config.resize_patience_ms;
}

static bool holders_have_room (const rm_leader_t *self)
{
    for (const rm_pool_t *pool = self->state->pools; pool; pool = pool->next)
        for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
            if (!rm_pool_holds (pool, slot, RM_RING_NOBODY))
                return false;
    return true;
}

void rm_leader_resize_step (rm_leader_t *self)
{
    if (may_begin (self) && holders_have_room (self))
        rm_leader_propose_begin (self);
    rm_resize_state_t before;
    do {
        before = self->resize.state;
        if (before == RM_RESIZE_PHASE1 && all_synced (self) && rm_leader_slots_known (self))
            enter_phase2 (self);
        else if (before == RM_RESIZE_PHASE2 && all_settled (self) && rm_leader_slots_settled (self))
            propose_commit (self);
    } while (before != self->resize.state);
    if (self->resize.state == RM_RESIZE_IDLE)
        dismiss_leavers (self);
    bool asking = self->resize.state == RM_RESIZE_PHASE1 || self->resize.state == RM_RESIZE_PHASE2;
    if (asking && self->now.mono_ms >= self->resize.publish_ms)
        broadcast (self);
}

/* ---- what is heard ---------------------------------------------------------------------------------------------- */

/* Its report has been taken already. */
void rm_leader_sync_answer (rm_leader_t *self, rm_peer_t *peer, const rm_msg_sync_t *sync)
{
    if (sync->epoch != self->state->epoch)
        return;
    if (sync->phase == 1 && !peer->synced) {
        peer->synced = true;
        peer->current_job = sync->current_job;
    }
    if (sync->phase == 2 && self->resize.state == RM_RESIZE_PHASE2 && sync->ok)
        peer->settled = true;
}
