/*  What an operator orders: asked of the master that leads, by nobody who waits for an answer. */
#include <inttypes.h>

#include "sim.h"
#include "story.h"

static bool fits (plan_order_t what, const rm_record_t *record)
{
    if (what == ORDER_KICK)
        return record->outcome == RM_OUTCOME_DEAD && record->data;
    return record->outcome == RM_OUTCOME_NONE || (what == ORDER_CANCEL && rm_record_holds (record));
}

/* The one of that number, counted around; NULL: there is none. */
static const rm_record_t *find (const rm_state_t *state, plan_order_t what, uint64_t number)
{
    uint64_t count = 0;
    RM_RECORD_EACH (state, record)
    count += fits (what, record);
    if (!count)
        return NULL;
    number %= count;
    RM_RECORD_EACH (state, record)
    if (fits (what, record) && !number--)
        return record;
    return NULL;
}

static void order (sim_t *self, const rm_msg_order_t *order)
{
    static const rm_address_t nobody;
    uint32_t who;
    rm_leader_t *leader = sim_leading (self, &who);
    rm_msg_t msg = {.type = RM_MSG_ORDER, .order = *order};
    if (!leader || self->processes[who].paused_us)
        return;
    story (self, who, "is told to %.*s %" PRIu64 " %.*s", (int)order->what.size, (const char *)order->what.data,
           order->id, (int)order->text.size, order->text.size ? (const char *)order->text.data : "");
    rm_leader_from_client (leader, sim_master_now (self, who), &nobody, &msg);
    sim_want_turn (self, who);
}

static void set (sim_t *self, const char *queue, const char *setting)
{
    order (self, &(rm_msg_order_t){rm_bytes ("set"), 0, rm_bytes (queue), rm_bytes (setting), 0});
}

void sim_order (sim_t *self, plan_order_t what, uint64_t number)
{
    static const char *const names[] = {"cancel", "bury", "kick"};
    uint32_t who;
    const rm_leader_t *leader = sim_leading (self, &who);
    if (what == ORDER_PAUSE || what == ORDER_HOLD) {
        set (self, number % 2 ? "r" : "q", what == ORDER_PAUSE ? "paused=on" : "on_dead=hold");
        return;
    }
    const rm_record_t *record = leader ? find (leader->state, what, number) : NULL;
    if (record)
        order (self, &(rm_msg_order_t){rm_bytes (names[what]), record->id, {0}, {0}, 0});
}

void sim_order_resume (sim_t *self)
{
    uint32_t who;
    const rm_leader_t *leader = sim_leading (self, &who);
    for (const rm_queue_t *queue = leader ? leader->state->queues : NULL; queue; queue = queue->hh.next)
        if (queue->paused)
            set (self, queue->name, "paused=off");
}

void sim_order_release (sim_t *self)
{
    uint32_t who;
    const rm_leader_t *leader = sim_leading (self, &who);
    for (const rm_queue_t *queue = leader ? leader->state->queues : NULL; queue; queue = queue->hh.next)
        if (queue->hold)
            set (self, queue->name, "on_dead=continue");
}
