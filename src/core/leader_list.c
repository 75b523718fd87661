/*  Which jobs there are, a page at a time. */
#include <string.h>

#include "core/leader_inside.h"

static bool matches (const rm_record_t *record, const rm_msg_query_t *query, const rm_queue_t *queue, uint64_t wall_ms)
{
    const rm_peer_t *peer = rm_record_peer (record);
    const rm_blob_t *key = record->key_bytes;
    if (query->queue.size && record->queue != queue)
        return false;
    if (query->state.size && !rm_bytes_equal (query->state, rm_bytes (rm_record_state_name (record, wall_ms))))
        return false;
    if (query->worker.size && !(peer && rm_bytes_equal (query->worker, rm_bytes (peer->member->name))))
        return false;
    return !query->key.size || (key && rm_bytes_equal (query->key, (rm_bytes_t){key->data, key->size}));
}

uint64_t rm_leader_list (const rm_leader_t *self, rm_now_t now, const rm_msg_query_t *query,
                         void (*each) (void *arg, const rm_record_t *record), void *arg)
{
    const rm_queue_t *queue = query->queue.size ? rm_state_queue (self->state, query->queue) : NULL;
    uint32_t left = query->limit ? query->limit : RM_LIST_JOBS_USUAL, looks = self->config.list_looks_max;
    if (left > RM_LIST_JOBS_MAX)
        left = RM_LIST_JOBS_MAX;
    const rm_record_t *record = rm_state_upto (self->state, query->before - 1); /* 0: from the newest one on */
    for (; record && looks && left; record = rm_state_upto (self->state, record->id - 1), looks--) {
        if (!matches (record, query, queue, now.wall_ms))
            continue;
        each (arg, record);
        left--;
    }
    return record ? record->id + 1 : 0;
}
