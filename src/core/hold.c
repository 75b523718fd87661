/*  Keys that are held (docs/guarantees.md): in a queue with on_dead=hold a dead job holds what stands behind it in the line
 *  of its key, until it is kicked or let go of. What stands before it goes on, and a kicked copy stands where it stood. */
#include "core/state.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

static const rm_record_t *first_dead (const rm_key_t *key)
{
    rm_link_t *first = rm_list_first (&key->dead);
    return first ? RM_OWNER (first, rm_record_t, open) : NULL;
}

const rm_record_t *rm_record_holder (const rm_record_t *self)
{
    if (!self->key || self->outcome != RM_OUTCOME_NONE)
        return NULL;
    const rm_record_t *dead = first_dead (self->key);
    return dead && rm_record_place (dead) < rm_record_place (self) ? dead : NULL;
}

uint64_t rm_queue_held_count (const rm_queue_t *self)
{
    uint64_t count = 0;
    RM_LIST_EACH (&self->holding, link) {
        const rm_record_t *dead = RM_OWNER (link, rm_record_t, line);
        if (dead != first_dead (dead->key))
            continue;
        RM_LIST_EACH (&dead->key->records, behind)
            count += rm_record_holder (RM_OWNER (behind, rm_record_t, line)) != NULL;
    }
    return count;
}

void rm_state_hold (rm_record_t *record)
{
    RM_ASSERT (record->key && record->outcome == RM_OUTCOME_DEAD && !rm_list_linked (&record->open));
    rm_link_t *at = record->key->dead.next;
    while (at != &record->key->dead && rm_record_place (RM_OWNER (at, rm_record_t, open)) < rm_record_place (record))
        at = at->next;
    rm_list_insert_before (at, &record->open);
}

void rm_state_release (rm_state_t *self, rm_record_t *record)
{
    RM_ASSERT (rm_record_holds (record));
    uint64_t bytes = rm_record_kept_bytes (record);
    rm_list_remove (&record->open);
    rm_list_remove (&record->line);
    record->queue->holding_count--;
    record->queue->holding_bytes -= bytes;
    self->holding_count--;
    self->holding_bytes -= bytes;
    self->ended_count--; /* counted anew */
    rm_state_keep_ended (self, record);
    if (self->listener.released)
        self->listener.released (self->listener.arg, record->key);
    rm_state_untie_key (self, record);
}

void rm_state_release_queue (rm_state_t *self, rm_queue_t *queue)
{
    for (rm_link_t *first; (first = rm_list_first (&queue->holding));)
        rm_state_release (self, RM_OWNER (first, rm_record_t, line));
}

int rm_state_stand (rm_record_t *record, uint64_t place)
{
    rm_extra_t *extra = rm_state_extra (record);
    if (!extra)
        return RM_ENOMEM;
    RM_ASSERT (record->key && place < record->id);
    extra->place = place;
    rm_list_remove (&record->line);
    rm_link_t *at = record->key->records.next;
    while (at != &record->key->records && rm_record_place (RM_OWNER (at, rm_record_t, line)) < place)
        at = at->next;
    rm_list_insert_before (at, &record->line);
    return 0;
}
