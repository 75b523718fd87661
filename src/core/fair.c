#include "core/fair.h"

#include "core/hash.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

/* The flows of a queue that have items of one priority, the next one first. */
typedef struct {
    rm_link_t flows;
    size_t count;
} round_t;

struct rm_fair_queue {
    uint32_t number;
    uint32_t deficit;                    /* saved up for its next item */
    rm_link_t turn;                      /* in the fair's round, while it has items */
    round_t rounds[RM_PRIORITY_MAX + 1]; /* by priority */
    size_t round_count;                  /* flows in all rounds */
    size_t flow_count;                   /* flows in all; it lives as long as it has one */
    size_t count;                        /* items */
    UT_hash_handle hh;
};

/* No padding: it is hashed as bytes. */
typedef struct {
    uint32_t queue;
    uint32_t priority;
    uint64_t client;
} flow_key_t;

struct rm_fair_flow {
    flow_key_t key;
    rm_fair_queue_t *queue;
    rm_link_t turn;   /* in its queue's round, or among the idle */
    rm_link_t items;  /* the next one first */
    uint32_t deficit; /* saved up for its next item */
    UT_hash_handle hh;
};

void rm_fair_init (rm_fair_t *self)
{
    *self = (rm_fair_t){0};
    rm_list_init (&self->round);
    rm_list_init (&self->idle);
}

/* To the end of its round. */
static void rotate (rm_link_t *round, rm_link_t *turn)
{
    rm_list_remove (turn);
    rm_list_append (round, turn);
}

static rm_fair_queue_t *find_queue (const rm_fair_t *self, uint32_t number)
{
    rm_fair_queue_t *queue;
    HASH_FIND (hh, self->queues, &number, sizeof number, queue);
    return queue;
}

static rm_fair_queue_t *find_or_add_queue (rm_fair_t *self, uint32_t number)
{
    rm_fair_queue_t *queue = find_queue (self, number);
    if (queue)
        return queue;
    queue = rm_calloc (1, sizeof *queue);
    if (!queue)
        return NULL;
    queue->number = number;
    for (int i = 0; i <= RM_PRIORITY_MAX; i++)
        rm_list_init (&queue->rounds[i].flows);
    HASH_ADD (hh, self->queues, number, sizeof queue->number, queue);
    if (!RM_HASH_ADDED (queue)) {
        rm_free (queue);
        return NULL;
    }
    return queue;
}

static void free_queue_without_flows (rm_fair_t *self, rm_fair_queue_t *queue)
{
    if (queue->flow_count > 0)
        return;
    HASH_DEL (self->queues, queue);
    rm_free (queue);
}

static void free_idle_flow (rm_fair_t *self, rm_fair_flow_t *flow)
{
    rm_list_remove (&flow->turn);
    self->idle_count--;
    HASH_DEL (self->flows, flow);
    flow->queue->flow_count--;
    free_queue_without_flows (self, flow->queue);
    rm_free (flow);
}

/* An empty flow goes to the end of the idle ones; the longest idle makes room. */
static void put_to_idle (rm_fair_t *self, rm_fair_flow_t *flow)
{
    rm_list_append (&self->idle, &flow->turn);
    if (++self->idle_count > RM_FAIR_IDLE_MAX)
        free_idle_flow (self, RM_OWNER (self->idle.next, rm_fair_flow_t, turn));
}

static rm_fair_flow_t *add_flow (rm_fair_t *self, const flow_key_t *key)
{
    rm_fair_queue_t *queue = find_or_add_queue (self, key->queue);
    if (!queue)
        return NULL;
    rm_fair_flow_t *flow = rm_calloc (1, sizeof *flow);
    if (!flow)
        goto no_flow;
    flow->key = *key;
    flow->queue = queue;
    rm_list_init (&flow->items);
    HASH_ADD (hh, self->flows, key, sizeof flow->key, flow);
    if (!RM_HASH_ADDED (flow))
        goto not_added;
    queue->flow_count++;
    put_to_idle (self, flow);
    return flow;

not_added:
    rm_free (flow);
no_flow:
    free_queue_without_flows (self, queue);
    return NULL;
}

/* A flow that gets its first item takes its place at the end of the round, and its queue likewise. */
static void leave_idle (rm_fair_t *self, rm_fair_flow_t *flow)
{
    rm_fair_queue_t *queue = flow->queue;
    rm_list_remove (&flow->turn);
    self->idle_count--;
    rm_list_append (&queue->rounds[flow->key.priority].flows, &flow->turn);
    queue->rounds[flow->key.priority].count++;
    if (queue->round_count++ > 0)
        return;
    rm_list_append (&self->round, &queue->turn);
    self->round_count++;
}

/* A flow without items leaves the round, and its queue with the last of its flows. */
static void leave_round (rm_fair_t *self, rm_fair_flow_t *flow)
{
    rm_fair_queue_t *queue = flow->queue;
    rm_list_remove (&flow->turn);
    flow->deficit = 0;
    queue->rounds[flow->key.priority].count--;
    if (--queue->round_count == 0) {
        rm_list_remove (&queue->turn);
        queue->deficit = 0;
        self->round_count--;
    }
    put_to_idle (self, flow);
}

int rm_fair_push (rm_fair_t *self, uint32_t queue, uint64_t client, uint32_t priority, rm_fair_item_t *item,
                  uint32_t cost, bool front)
{
    RM_ASSERT (!item->flow && cost > 0 && priority > 0 && priority <= RM_PRIORITY_MAX);
    flow_key_t key = {queue, priority, client};
    rm_fair_flow_t *flow;
    HASH_FIND (hh, self->flows, &key, sizeof key, flow);
    if (!flow)
        flow = add_flow (self, &key);
    if (!flow)
        return RM_ENOMEM;
    if (rm_list_empty (&flow->items))
        leave_idle (self, flow);
    item->flow = flow;
    item->cost = cost;
    rm_list_insert_before (front ? flow->items.next : &flow->items, &item->link);
    flow->queue->count++;
    self->count++;
    return 0;
}

void rm_fair_remove (rm_fair_t *self, rm_fair_item_t *item)
{
    RM_ASSERT (item->flow);
    rm_fair_flow_t *flow = item->flow;
    rm_list_remove (&item->link);
    item->flow = NULL;
    flow->queue->count--;
    self->count--;
    if (rm_list_empty (&flow->items))
        leave_round (self, flow);
}

static rm_fair_item_t *first_item (const rm_fair_flow_t *flow)
{
    return RM_OWNER (flow->items.next, rm_fair_item_t, link);
}

/* A turn: saves one unit if the item's cost is not together yet. Answers what is still missing. */
static uint32_t save (uint32_t *deficit, uint32_t cost)
{
    if (*deficit < cost)
        ++*deficit;
    return *deficit < cost ? cost - *deficit : 0;
}

/* The flows of the highest priority that there are. */
static round_t *first_round (rm_fair_queue_t *queue)
{
    round_t *round = &queue->rounds[RM_PRIORITY_MAX];
    while (!round->count)
        round--;
    return round;
}

/* The flow of this queue whose turn it is and that has saved enough; it stays first in the round until its item is taken.
 * A round in which no flow has enough is followed by as many at once as the nearest one needs but for the last, which
 * decides by the order of turns. */
static rm_fair_flow_t *ready_flow (rm_fair_queue_t *queue)
{
    round_t *round = first_round (queue);
    for (;;) {
        uint32_t missing_min = UINT32_MAX;
        for (size_t left = round->count; left > 0; left--) {
            rm_fair_flow_t *flow = RM_OWNER (round->flows.next, rm_fair_flow_t, turn);
            uint32_t missing = save (&flow->deficit, first_item (flow)->cost);
            if (missing == 0)
                return flow;
            missing_min = missing < missing_min ? missing : missing_min;
            rotate (&round->flows, &flow->turn);
        }
        for (rm_link_t *turn = round->flows.next; turn != &round->flows; turn = turn->next)
            RM_OWNER (turn, rm_fair_flow_t, turn)->deficit += missing_min - 1;
    }
}

/* Gives each allowed queue its turn, until one has saved enough for its item. NULL: none had; `*missing_min` is then what
 * the nearest one lacks, or UINT32_MAX if none is allowed. */
static rm_fair_queue_t *take_turns (rm_fair_t *self, rm_fair_allowed_fn *allowed, void *arg, uint32_t *missing_min)
{
    *missing_min = UINT32_MAX;
    rm_link_t *turn = self->round.next, *following;
    for (size_t left = self->round_count; left > 0; left--, turn = following) {
        following = turn->next;
        rm_fair_queue_t *queue = RM_OWNER (turn, rm_fair_queue_t, turn);
        if (allowed && !allowed (queue->number, arg))
            continue;
        uint32_t missing = save (&queue->deficit, first_item (ready_flow (queue))->cost);
        rotate (&self->round, turn);
        if (missing == 0)
            return queue;
        *missing_min = missing < *missing_min ? missing : *missing_min;
    }
    return NULL;
}

static rm_fair_item_t *take (rm_fair_t *self, rm_fair_queue_t *queue)
{
    rm_fair_flow_t *flow = ready_flow (queue);
    rm_fair_item_t *item = first_item (flow);
    queue->deficit -= item->cost;
    flow->deficit -= item->cost;
    rotate (&first_round (queue)->flows, &flow->turn);
    rm_fair_remove (self, item);
    return item;
}

rm_fair_item_t *rm_fair_next (rm_fair_t *self, rm_fair_allowed_fn *allowed, void *arg)
{
    for (;;) {
        uint32_t missing_min;
        rm_fair_queue_t *queue = take_turns (self, allowed, arg, &missing_min);
        if (queue)
            return take (self, queue);
        if (missing_min == UINT32_MAX)
            return NULL;
        /* as in ready_flow: all rounds at once that would hand out nothing */
        for (rm_link_t *turn = self->round.next; turn != &self->round; turn = turn->next) {
            queue = RM_OWNER (turn, rm_fair_queue_t, turn);
            if (!allowed || allowed (queue->number, arg))
                queue->deficit += missing_min - 1;
        }
    }
}

size_t rm_fair_count (const rm_fair_t *self)
{
    return self->count;
}

size_t rm_fair_queue_count (const rm_fair_t *self, uint32_t queue)
{
    const rm_fair_queue_t *found = find_queue (self, queue);
    return found ? found->count : 0;
}

void rm_fair_close (rm_fair_t *self)
{
    while (self->round_count > 0) {
        rm_fair_queue_t *queue = RM_OWNER (self->round.next, rm_fair_queue_t, turn);
        rm_fair_remove (self, first_item (RM_OWNER (first_round (queue)->flows.next, rm_fair_flow_t, turn)));
    }
    while (self->idle_count > 0)
        free_idle_flow (self, RM_OWNER (self->idle.next, rm_fair_flow_t, turn));
}
