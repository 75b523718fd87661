/*  A look at a job's payload, which takes it from nobody. */
#include <string.h>

#include "core/leader_inside.h"
#include "ringmaster/error.h"

/* Whether a worker with room would be given it now. */
static bool is_next (const rm_record_t *record, uint64_t wall_ms)
{
    if (strcmp (rm_record_state_name (record, wall_ms), "waiting"))
        return false;
    return !record->key || rm_list_first (&record->key->records) == &record->line;
}

/* Of those that wait, or are delayed, the one whose turn comes first. */
static const rm_record_t *first_open (const rm_leader_t *self, const rm_queue_t *queue, uint64_t wall_ms, bool delayed)
{
    const rm_record_t *first = NULL;
    uint32_t looks = self->config.list_looks_max;
    RM_LIST_EACH (&queue->open, link) {
        const rm_record_t *record = RM_OWNER (link, rm_record_t, open);
        if (!looks--)
            break;
        bool fits = delayed ? !strcmp (rm_record_state_name (record, wall_ms), "delayed") : is_next (record, wall_ms);
        if (!fits)
            continue;
        bool sooner = !first || (delayed ? record->not_before_ms < first->not_before_ms
                                         : rm_record_priority (record) > rm_record_priority (first));
        if (sooner)
            first = record;
    }
    return first;
}

/* The one that a kick of the queue would take first. */
static const rm_record_t *first_dead (const rm_leader_t *self, const rm_queue_t *queue)
{
    uint32_t looks = self->config.list_looks_max;
    const rm_link_t *holding = rm_list_first (&queue->holding);
    if (holding)
        return RM_OWNER (holding, rm_record_t, line);
    RM_LIST_EACH (&queue->ended, link) {
        const rm_record_t *record = RM_OWNER (link, rm_record_t, line);
        if (!looks--)
            break;
        if (record->outcome == RM_OUTCOME_DEAD && record->data)
            return record;
    }
    return NULL;
}

int rm_leader_peek (const rm_leader_t *self, rm_now_t now, const rm_msg_query_t *query, const rm_record_t **record_p)
{
    const rm_record_t *record = NULL;
    if (query->id) {
        record = rm_state_record (self->state, query->id);
        *record_p = record;
        if (!record)
            return rm_state_gave (self->state, query->id) ? RM_EGONE : RM_EUNKNOWN;
        return record->data ? 0 : RM_EGONE;
    }
    const rm_queue_t *queue = query->queue.size ? rm_state_queue (self->state, query->queue) : NULL;
    bool dead = rm_bytes_equal (query->state, rm_bytes ("dead"));
    bool delayed = rm_bytes_equal (query->state, rm_bytes ("delayed"));
    *record_p = NULL;
    if (!dead && !delayed && query->state.size && !rm_bytes_equal (query->state, rm_bytes ("waiting")))
        return RM_EINVAL;
    if (queue)
        record = dead ? first_dead (self, queue) : first_open (self, queue, now.wall_ms, delayed);
    *record_p = record;
    return record ? 0 : RM_EUNKNOWN;
}
