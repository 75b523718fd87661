/*  Fair hand-out: between queues, and between the clients of a queue, by deficit round robin on both levels, so that a
 *  flood in one starves no other. (Shreedhar and Varghese, "Efficient Fair Queuing using Deficit Round Robin", 1995.)
 *
 *      rm_fair_t ── queue ── flow (a client's) ── items, first in, first out
 *                 └ queue ┬ flow
 *                         └ flow
 *
 *  Within a queue, items of a higher priority go out before all others, whosever they are; flows of one priority take turns.
 *
 *  A turn hands out one item at most. An item of cost 1 goes out at its flow's and its queue's next turn; one of cost n
 *  is saved up for, one unit a turn, so that what a queue or flow gets is fair by cost. When nobody else wants a turn,
 *  nobody waits for one.
 *
 *  Invariants: a queue or flow has a place in the round exactly while it has items; what was saved is forgotten when it
 *  has none left, and is less than the cost of what was saved for. Memory follows the content: an empty flow is kept for
 *  its client's next item, but only the RM_FAIR_IDLE_MAX that were emptied last.
 *  Thread rule: belongs to one thread. Pure: no clock, no randomness.
 *  Ownership: items are embedded in the caller's structs and never allocated or freed here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/list.h"
#include "proto/limits.h"

typedef struct rm_fair_queue rm_fair_queue_t;
typedef struct rm_fair_flow rm_fair_flow_t;

/* A job's place in its flow. Must be zero before its first push. */
typedef struct {
    rm_link_t link;       /* in its flow */
    rm_fair_flow_t *flow; /* NULL: waits nowhere */
    uint32_t cost;        /* in jobs without data; at least 1 */
} rm_fair_item_t;

/* In-place struct; must not be copied or moved between init and close. */
typedef struct {
    rm_fair_queue_t *queues; /* by number */
    rm_fair_flow_t *flows;   /* by queue and client */
    rm_link_t round;         /* queues with items, the next one first */
    size_t round_count;      /* queues in the round */
    rm_link_t idle;          /* flows without items, the longest idle first */
    size_t idle_count;       /* at most RM_FAIR_IDLE_MAX */
    size_t count;            /* items */
} rm_fair_t;

/* Decides whether something of a queue may be handed out now. Must answer the same throughout one rm_fair_next. */
typedef bool rm_fair_allowed_fn (uint32_t queue, void *arg);

/* Empty, without memory of its own. */
void rm_fair_init (rm_fair_t *self);

/* Frees everything but the items: those that are left are in no flow afterwards. */
void rm_fair_close (rm_fair_t *self);

/* What handing out a job with so many bytes of data costs, in jobs without data. */
static inline uint32_t rm_fair_cost (size_t bytes)
{
    return 1 + (uint32_t)(bytes / RM_FAIR_COST_BYTES);
}

/* Adds an item that waits nowhere to the end of its client's flow of that priority (1 … RM_PRIORITY_MAX), or to its head
 * (`front`). 0, or RM_ENOMEM with nothing changed. A flow that was empty gets its turn last in the round. */
int rm_fair_push (rm_fair_t *self, uint32_t queue, uint64_t client, uint32_t priority, rm_fair_item_t *item,
                  uint32_t cost, bool front);

/* Takes an item out, wherever it is in its flow. O(1). It must be in `self`. */
void rm_fair_remove (rm_fair_t *self, rm_fair_item_t *item);

/* True while the item waits in a flow. */
static inline bool rm_fair_contains (const rm_fair_item_t *item)
{
    return item->flow != NULL;
}

/* Takes out the item whose turn it is, among those of allowed queues (`allowed` NULL: all). NULL: there is none. A queue
 * that is not allowed keeps its place in the round, and what it has saved.
 * At worst O(queues + flows); on average O(cost of what is handed out), beside the queues that are not allowed. */
rm_fair_item_t *rm_fair_next (rm_fair_t *self, rm_fair_allowed_fn *allowed, void *arg);

/* How many items wait: in all, and of one queue. */
size_t rm_fair_count (const rm_fair_t *self);
size_t rm_fair_queue_count (const rm_fair_t *self, uint32_t queue);
