/*  A master: the real state machine and leader, with a simulated ledger. What src/master does around them, and nothing
 *  else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/entry.h"
#include "core/leader_inside.h"
#include "raft.h"
#include "sim.h"
#include "story.h"

enum { TICK_MS = 10, PROPOSALS_MAX = 8 };

/* A batch of the leader's, on its way. */
typedef struct {
    uint64_t index, term; /* of the log */
    uint64_t number;      /* the leader's */
    uint32_t kinds;
} proposal_t;

struct sim_master {
    rm_state_t state;
    rm_leader_t leader;
    sim_raft_t *raft;
    rm_batch_t *batch; /* taken, not proposed */
    proposal_t proposals[PROPOSALS_MAX];
    uint32_t proposal_count;
    uint64_t batches; /* applied to the state */
    bool leads;       /* was told so */
    bool deposed;     /* a group of one has no other to follow: it just does not lead for a while */
    char names[PLAN_MASTERS_MAX][24];
    rm_bytes_t group[PLAN_MASTERS_MAX];
};

rm_now_t sim_master_now (const sim_t *self, uint32_t who)
{
    return (rm_now_t){sim_clock_ms (self, who), sim_wall_ms (self, who)};
}

rm_leader_t *sim_leader (const sim_t *self, uint32_t who)
{
    return self->masters[who] ? &self->masters[who]->leader : NULL;
}

rm_leader_t *sim_leading (const sim_t *self, uint32_t *who)
{
    rm_leader_t *newest = NULL;
    for (uint32_t master = 0; master < self->plan->master_count; master++) {
        rm_leader_t *leader = sim_leader (self, master);
        if (!leader || !leader->leading || leader->cut_off || (newest && newest->state->term > leader->state->term))
            continue;
        newest = leader;
        *who = master;
    }
    return newest;
}

struct sim_raft *sim_master_raft (const sim_t *self, uint32_t who)
{
    return self->masters[who] ? self->masters[who]->raft : NULL;
}

/* ---- what the leader says ---------------------------------------------------------------------------------------- */

/* What its callbacks know. */
typedef struct {
    sim_t *sim;
    uint32_t who;
} mouth_t;

static mouth_t mouths[PLAN_MASTERS_MAX];

/* A peer's address is who it is and which of its connections that is. */
static rm_address_t address_of (uint32_t who, uint64_t connection)
{
    rm_address_t address;
    memset (&address, 0, sizeof address);
    address.size = 12;
    memcpy (address.data, &who, 4);
    memcpy (address.data + 4, &connection, 8);
    return address;
}

static void send_to (const mouth_t *mouth, const rm_address_t *to, rm_buf_t *frame)
{
    uint32_t who;
    uint64_t connection;
    memcpy (&who, to->data, 4);
    memcpy (&connection, to->data + 4, 8);
    sim_send (mouth->sim, mouth->who, who, connection, frame);
}

static void to_client (void *arg, const rm_address_t *to, rm_msg_type_t type, rm_buf_t *frame)
{
    (void)type;
    if (to->size)
        send_to (arg, to, frame);
}

static void to_worker (void *arg, const rm_address_t *to, rm_msg_type_t type, uint32_t phase, rm_buf_t *frame)
{
    (void)type;
    (void)phase;
    if (to->size)
        send_to (arg, to, frame);
}

/* To each worker that has a connection, one after the other: a master may die in the middle. */
static void publish (void *arg, uint32_t phase, rm_buf_t *frame)
{
    const mouth_t *mouth = arg;
    sim_t *self = mouth->sim;
    (void)phase;
    for (uint32_t i = 0; i < self->plan->worker_count; i++) {
        uint32_t who = sim_worker_who (self, i);
        rm_buf_t copy = {0};
        if (!sim_worker_connection (self, who, mouth->who))
            continue;
        rm_buf_put (&copy, frame->data, frame->size);
        sim_send (self, mouth->who, who, 0, &copy);
    }
}

static void trace (void *arg, const char *line)
{
    const mouth_t *mouth = arg;
    story (mouth->sim, mouth->who, "%s", line);
    check_traced (mouth->sim->check, line);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static rm_leader_config_t config_of (const plan_t *plan)
{
    rm_leader_config_t config = rm_leader_defaults ();
    config.keep_ms = plan->keep_ms;
    config.jobs_max = plan->jobs_max;
    config.retry.delay_ms = 50;
    config.retry.cap_ms = 400;
    config.takeover_ms = plan->master_count > 1 ? SIM_TAKEOVER_MS : 0;
    return config;
}

static void init_leader (sim_t *self, uint32_t who)
{
    sim_master_t *master = self->masters[who];
    const rm_leader_config_t config = config_of (self->plan);
    mouths[who] = (mouth_t){self, who};
    const rm_leader_out_t out = {&mouths[who], to_client, to_worker, publish, trace, trace};
    rm_leader_init (&master->leader, &master->state, &config, &out, sim_draw (self, UINT64_MAX));
    for (uint32_t i = 0; i < self->plan->master_count; i++) {
        snprintf (master->names[i], sizeof master->names[i], "tcp://m:%u", i + 1);
        master->group[i] = rm_bytes (master->names[i]);
    }
}

void sim_master_boot (sim_t *self, uint32_t who)
{
    sim_master_t *master = calloc (1, sizeof *master);
    if (!master || rm_state_init (&master->state))
        abort ();
    self->masters[who] = master;
    master->raft = sim_raft_boot (self, who, &master->state, &master->batches);
    check_restored (self->check, who, &master->state, master->batches);
    init_leader (self, who);
    sim_raft_start (self, who, master->raft);
    sim_want_turn (self, who);
    sim_want_wake (self, who, sim_clock_ms (self, who) + TICK_MS);
}

void sim_master_down (sim_t *self, uint32_t who)
{
    sim_master_t *master = self->masters[who];
    if (!master)
        return;
    self->masters[who] = NULL;
    rm_batch_destroy (&master->batch);
    rm_leader_close (&master->leader);
    rm_state_close (&master->state);
    sim_raft_down (self, who, &master->raft);
    free (master);
}

/* ---- leadership -------------------------------------------------------------------------------------------------- */

static void step_down (sim_t *self, uint32_t who)
{
    sim_master_t *master = self->masters[who];
    story (self, who, "leads no longer");
    master->leads = false;
    master->proposal_count = 0;
    rm_batch_destroy (&master->batch);
    rm_leader_step_down (&master->leader);
    check_deposed (self->check, who);
}

/* Another one leads, or is about to: nothing of its is this one's to act on. */
static void give_way (sim_t *self, uint32_t who)
{
    const sim_master_t *master = self->masters[who];
    if (master->leads && (master->deposed || sim_raft_leader (self, master->raft) != who))
        step_down (self, who);
}

static void watch_role (sim_t *self, uint32_t who)
{
    sim_master_t *master = self->masters[who];
    bool leads = sim_raft_leads (master->raft) && !master->deposed;
    master->leader.format = self->plan->orders ? RM_STATE_FORMAT : 1;
    if (leads && !master->leads) {
        master->leads = true;
        rm_leader_stand (&master->leader, sim_master_now (self, who));
    } else {
        give_way (self, who);
    }
    master->leader.cut_off = master->leads && sim_raft_is_cut_off (self, who, master->raft);
    uint32_t leader = sim_raft_leader (self, master->raft);
    master->leader.group =
        (rm_group_t){.leader = leader < self->plan->master_count ? master->group[leader] : (rm_bytes_t){0},
                     .masters = master->group,
                     .count = self->plan->master_count > 1 ? self->plan->master_count : 0};
}

void sim_master_stand (sim_t *self, uint32_t who)
{
    self->masters[who]->deposed = false;
    sim_want_turn (self, who);
}

void sim_master_depose (sim_t *self, uint32_t who, uint64_t away_us)
{
    sim_master_t *master = self->masters[who];
    if (self->plan->master_count > 1) {
        sim_raft_transfer (self, who, master->raft, (who + 1) % self->plan->master_count);
        return;
    }
    master->deposed = true;
    sim_after (self, 1 + away_us, SIM_STANDS, who, NULL, 0);
    sim_want_turn (self, who);
}

/* ---- what happens ------------------------------------------------------------------------------------------------ */

void sim_master_receive (sim_t *self, const sim_packet_t *packet)
{
    uint32_t who = packet->to, from = packet->from;
    rm_leader_t *leader = &self->masters[who]->leader;
    rm_address_t address = address_of (from, packet->connection);
    watch_role (self, who);
    check_arrives (self->check, packet);
    if (sim_is_worker (self, from))
        rm_leader_from_worker (leader, sim_master_now (self, who), &address, &packet->msg);
    else
        rm_leader_from_client (leader, sim_master_now (self, who), &address, &packet->msg);
    check_arrived (self->check, packet);
    sim_want_turn (self, who);
}

void sim_master_drain (sim_t *self, uint32_t worker)
{
    uint32_t who;
    rm_leader_t *leader = sim_leading (self, &who);
    if (!leader || self->processes[who].paused_us)
        return;
    story (self, who, "drains %s", self->processes[worker].name);
    rm_leader_drain (leader, sim_master_now (self, who), rm_bytes (self->processes[worker].name));
    check_drained (self->check, self->processes[worker].name);
    sim_want_turn (self, who);
}

static void pass_points (sim_t *self, uint32_t who, uint32_t kinds, const char *side)
{
    static const char *const names[RM_ENTRY_KINDS] = {
        "",       "lead",        "submit",        "start",        "unstart",       "done",           "fail",
        "bury",   "member_add",  "member_remove", "resize_begin", "resize_commit", "session_expire", "result_expire",
        "format", "submit_more", "stop",          "kick",         "queue_set"};
    for (int kind = 0; kind < RM_ENTRY_KINDS; kind++)
        if (kinds >> kind & 1)
            sim_point (self, who, names[kind], side);
}

static void propose (sim_t *self, uint32_t who)
{
    sim_master_t *master = self->masters[who];
    while (master->leads && master->proposal_count < PROPOSALS_MAX && !self->processes[who].dying) {
        if (!master->batch)
            master->batch = rm_leader_take_batch (&master->leader, sim_master_now (self, who));
        if (!master->batch)
            return;
        pass_points (self, who, master->batch->kinds, "before it commits");
        if (self->processes[who].dying)
            return;
        proposal_t *proposal = &master->proposals[master->proposal_count];
        *proposal = (proposal_t){.number = master->batch->number, .kinds = master->batch->kinds};
        master->proposal_count++; /* a group of one may apply it at once */
        rm_buf_t bytes = master->batch->bytes;
        if (!sim_raft_propose (self, who, master->raft, bytes.data, bytes.size, &proposal->index, &proposal->term)) {
            if (master->proposal_count)
                master->proposal_count--;
            return;
        }
        rm_batch_destroy (&master->batch);
    }
}

void sim_master_turn (sim_t *self, uint32_t who)
{
    rm_leader_t *leader = &self->masters[who]->leader;
    watch_role (self, who);
    leader->disk_full = sim_disk_is_full (self, who);
    rm_leader_flush (leader, sim_master_now (self, who));
    if (leader->out_of_memory)
        sim_violation (self, "memory", "the master has run out of memory");
    if (self->processes[who].dying)
        return;
    check_turn (self->check, who, leader);
    propose (self, who);
}

void sim_master_wake (sim_t *self, uint32_t who)
{
    watch_role (self, who);
    rm_leader_tick (&self->masters[who]->leader, sim_master_now (self, who));
    if (self->calm) { /* or not everything would end */
        sim_order_resume (self);
        sim_order_release (self);
    }
    sim_want_turn (self, who);
    sim_want_wake (self, who, sim_clock_ms (self, who) + TICK_MS);
}

/* ---- what the ledger says ---------------------------------------------------------------------------------------- */

/* Whether the batch at that place of the log is the oldest one this master has proposed and not seen settle. */
static bool take_proposal (sim_master_t *master, uint64_t index, uint64_t term, proposal_t *proposal)
{
    if (!master->proposal_count || master->proposals[0].index != index || master->proposals[0].term != term)
        return false;
    *proposal = master->proposals[0];
    memmove (master->proposals, master->proposals + 1, --master->proposal_count * sizeof *proposal);
    return true;
}

void sim_master_applies (sim_t *self, uint32_t who, uint64_t index, uint64_t term, const void *batch, size_t size,
                         uint64_t written_us)
{
    sim_master_t *master = self->masters[who];
    proposal_t proposal;
    give_way (self, who);
    master->batches++;
    story (self, who, "applies batch %llu", (unsigned long long)master->batches);
    check_batch (self->check, who, master->batches, batch, size, written_us);
    rm_leader_see (&master->leader, sim_master_now (self, who));
    if (check_apply (self->check, &master->state, master->batches, batch, size))
        sim_violation (self, "rebuilt", "batch %llu cannot be applied", (unsigned long long)master->batches);
    check_applied (self->check, who, &master->state, master->batches);
    if (!take_proposal (master, index, term, &proposal))
        return;
    pass_points (self, who, proposal.kinds, "after it committed");
    if (!self->processes[who].dying)
        rm_leader_applied (&master->leader, sim_master_now (self, who), proposal.number);
}

void sim_master_restores (sim_t *self, uint32_t who, const void *snapshot, size_t size, uint64_t batches)
{
    sim_master_t *master = self->masters[who];
    rm_state_listener_t listener = master->state.listener;
    story (self, who, "takes another one's state of batch %llu over", (unsigned long long)batches);
    rm_state_close (&master->state);
    if (rm_state_init (&master->state) || rm_snapshot_restore (&master->state, snapshot, size))
        sim_violation (self, "rebuilt", "the snapshot of batch %llu cannot be read", (unsigned long long)batches);
    master->state.listener = listener;
    master->batches = batches;
    check_restored (self->check, who, &master->state, batches);
}

void sim_master_snapshot (sim_t *self, uint32_t who)
{
    sim_master_t *master = self->masters[who];
    sim_raft_snapshot (self, who, master->raft, &master->state, master->batches);
}
