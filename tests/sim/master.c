/*  A master: the real state machine and leader, with the simulated disk as their ledger. What src/master does around
 *  them, and nothing else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/entry.h"
#include "core/leader_inside.h"
#include "sim.h"
#include "story.h"

enum {
    TICK_MS = 10,
    PROPOSALS_MAX = 8,
    ELECTION_US = 5000, /* a master of one is elected soon after its start */
};

struct sim_master {
    rm_state_t state;
    rm_leader_t leader;
    rm_batch_t *batch;               /* taken, not proposed */
    uint64_t numbers[PROPOSALS_MAX]; /* of the leader's batches, by index */
    uint32_t kinds[PROPOSALS_MAX];   /* what is in them */
    uint64_t proposed, applied;      /* indices of the log */
    uint64_t saved;                  /* the newest snapshot's */
};

static rm_now_t now (const sim_t *self)
{
    return (rm_now_t){sim_clock_ms (self, SIM_MASTER), sim_wall_ms (self, SIM_MASTER)};
}

rm_leader_t *sim_leader (const sim_t *self)
{
    return self->master ? &self->master->leader : NULL;
}

/* ---- what the leader says ---------------------------------------------------------------------------------------- */

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

static void send_to (sim_t *self, const rm_address_t *to, rm_buf_t *frame)
{
    uint32_t who;
    uint64_t connection;
    memcpy (&who, to->data, 4);
    memcpy (&connection, to->data + 4, 8);
    sim_send (self, SIM_MASTER, who, connection, frame);
}

static void to_client (void *arg, const rm_address_t *to, rm_msg_type_t type, rm_buf_t *frame)
{
    (void)type;
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
    sim_t *self = arg;
    (void)phase;
    for (uint32_t who = 1; who <= self->plan->worker_count; who++) {
        rm_buf_t copy = {0};
        if (!sim_worker_connection (self, who))
            continue;
        rm_buf_put (&copy, frame->data, frame->size);
        sim_send (self, SIM_MASTER, who, 0, &copy);
    }
}

static void trace (void *arg, const char *line)
{
    sim_t *self = arg;
    story (self, SIM_MASTER, "%s", line);
    check_traced (self->check, line);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static rm_leader_config_t config_of (const plan_t *plan)
{
    rm_leader_config_t config = rm_leader_defaults ();
    config.keep_ms = plan->keep_ms;
    config.jobs_max = plan->jobs_max;
    config.retry.delay_ms = 50;
    config.retry.cap_ms = 400;
    return config;
}

void sim_master_boot (sim_t *self)
{
    sim_master_t *master = calloc (1, sizeof *master);
    if (!master || rm_state_init (&master->state))
        abort ();
    self->master = master;
    master->applied = master->proposed = sim_disk_load (self, &master->state);
    check_restored (self->check, &master->state, master->applied);
    const rm_leader_config_t config = config_of (self->plan);
    const rm_leader_out_t out = {self, to_client, to_worker, publish, trace, trace};
    rm_leader_init (&master->leader, &master->state, &config, &out, sim_draw (self, UINT64_MAX));
    sim_after (self, 1 + sim_draw (self, ELECTION_US), SIM_STANDS, SIM_MASTER, NULL, 0);
    sim_want_wake (self, SIM_MASTER, sim_clock_ms (self, SIM_MASTER) + TICK_MS);
}

void sim_master_down (sim_t *self)
{
    sim_master_t *master = self->master;
    if (!master)
        return;
    self->master = NULL;
    rm_batch_destroy (&master->batch);
    rm_leader_close (&master->leader);
    rm_state_close (&master->state);
    free (master);
    sim_disk_crash (self);
}

void sim_master_stand (sim_t *self)
{
    rm_leader_stand (&self->master->leader, now (self));
    sim_want_turn (self, SIM_MASTER);
}

void sim_master_depose (sim_t *self)
{
    rm_batch_destroy (&self->master->batch);
    rm_leader_step_down (&self->master->leader);
    check_deposed (self->check);
}

/* ---- what happens ------------------------------------------------------------------------------------------------ */

void sim_master_receive (sim_t *self, const sim_packet_t *packet)
{
    rm_leader_t *leader = &self->master->leader;
    uint32_t who = packet->from;
    rm_address_t from = address_of (who, packet->connection);
    check_arrives (self->check, packet);
    if (sim_is_worker (self, who))
        rm_leader_from_worker (leader, now (self), &from, &packet->msg);
    else
        rm_leader_from_client (leader, now (self), &from, &packet->msg);
    check_arrived (self->check, packet);
    sim_want_turn (self, SIM_MASTER);
}

void sim_master_drain (sim_t *self, uint32_t worker)
{
    char name[8];
    plan_process_name (self->plan, worker, name);
    if (!self->master || !self->master->leader.leading)
        return;
    story (self, SIM_MASTER, "drains %s", name);
    rm_leader_drain (&self->master->leader, now (self), rm_bytes (name));
    check_drained (self->check, name);
    sim_want_turn (self, SIM_MASTER);
}

static void pass_points (sim_t *self, uint32_t kinds, const char *side)
{
    static const char *const names[RM_ENTRY_KINDS] = {
        "",     "lead",       "submit",        "start",        "unstart",       "done",           "fail",
        "bury", "member_add", "member_remove", "resize_begin", "resize_commit", "session_expire", "result_expire"};
    for (int kind = 0; kind < RM_ENTRY_KINDS; kind++)
        if (kinds >> kind & 1)
            sim_point (self, SIM_MASTER, names[kind], side);
}

static void propose (sim_t *self)
{
    sim_master_t *master = self->master;
    while (master->proposed - master->applied < PROPOSALS_MAX && !self->processes[SIM_MASTER].dying) {
        if (!master->batch)
            master->batch = rm_leader_take_batch (&master->leader, now (self));
        if (!master->batch)
            return;
        pass_points (self, master->batch->kinds, "before it commits");
        if (self->processes[SIM_MASTER].dying)
            return;
        master->proposed = sim_disk_append (self, master->batch->bytes.data, master->batch->bytes.size);
        master->numbers[master->proposed % PROPOSALS_MAX] = master->batch->number;
        master->kinds[master->proposed % PROPOSALS_MAX] = master->batch->kinds;
        rm_batch_destroy (&master->batch);
    }
}

void sim_master_turn (sim_t *self)
{
    rm_leader_t *leader = &self->master->leader;
    leader->disk_full = sim_disk_is_full (self->disk);
    rm_leader_flush (leader, now (self));
    if (leader->out_of_memory)
        sim_violation (self, "memory", "the master has run out of memory");
    if (self->processes[SIM_MASTER].dying)
        return;
    check_turn (self->check, leader);
    propose (self);
}

void sim_master_wake (sim_t *self)
{
    rm_leader_tick (&self->master->leader, now (self));
    sim_want_turn (self, SIM_MASTER);
    sim_want_wake (self, SIM_MASTER, sim_clock_ms (self, SIM_MASTER) + TICK_MS);
}

/* Batches settle in order: what the disk has done is applied, then told. */
void sim_master_synced (sim_t *self, uint64_t index)
{
    sim_master_t *master = self->master;
    RM_ASSERT (index == master->applied + 1);
    story (self, SIM_MASTER, "batch %llu is on the disk", (unsigned long long)index);
    master->applied = index;
    check_synced (self->check, index);
    rm_leader_see (&master->leader, now (self));
    if (check_apply (self->check, &master->state, index))
        sim_violation (self, "rebuilt", "batch %llu cannot be applied", (unsigned long long)index);
    check_applied (self->check, &master->state, index);
    pass_points (self, master->kinds[index % PROPOSALS_MAX], "after it committed");
    if (self->processes[SIM_MASTER].dying)
        return;
    rm_leader_applied (&master->leader, now (self), master->numbers[index % PROPOSALS_MAX]);
    sim_want_turn (self, SIM_MASTER);
}

void sim_master_snapshot (sim_t *self)
{
    sim_master_t *master = self->master;
    if (master && master->applied > master->saved) {
        master->saved = master->applied;
        sim_disk_save (self, master->applied, &master->state);
    }
}
