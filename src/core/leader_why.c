/*  Why a job is where it is, in one sentence. */
#include <stdio.h>

#include "core/leader_inside.h"

static const char *const ended[] = {[RM_OUTCOME_DONE] = "done",
                                    [RM_OUTCOME_DEAD] = "dead",
                                    [RM_OUTCOME_CANCELLED] = "cancelled",
                                    [RM_OUTCOME_EXPIRED] = "expired"};

const char *rm_record_state_name (const rm_record_t *record, uint64_t wall_ms)
{
    if (record->outcome != RM_OUTCOME_NONE)
        return ended[record->outcome];
    if (rm_record_stops (record) || record->lead.at == RM_AT_STOPPING)
        return "stopping";
    if (rm_record_runs (record))
        return "running";
    if (rm_record_holder (record))
        return "held";
    return record->not_before_ms > wall_ms ? "delayed" : "waiting";
}

static const char *owner_name (const rm_leader_t *self, uint16_t number)
{
    return number == RM_RING_NOBODY || !self->state->members[number] ? "nobody" : self->state->members[number]->name;
}

/* "1 failure", "2 failures". */
typedef struct {
    char text[32];
} count_t;

static count_t count_of (unsigned count, const char *one, const char *more)
{
    count_t said;
    snprintf (said.text, sizeof said.text, "%u %s", count, count == 1 ? one : more);
    return said;
}

static bool served (const rm_leader_t *self, const rm_queue_t *queue, const rm_member_t *by)
{
    for (uint32_t i = 0; i < self->peer_count; i++) {
        const rm_member_t *member = self->peers[i]->member;
        for (uint32_t q = 0; q < member->queue_count; q++)
            if (member->queues[q] == queue && (!by || by == member))
                return true;
    }
    return false;
}

static void why_keyed (const rm_leader_t *self, const rm_record_t *record, char *text, size_t size)
{
    const rm_queue_t *queue = record->queue;
    const rm_record_t *head = RM_OWNER (rm_list_first (&record->key->records), rm_record_t, line);
    const rm_slot_t *slot = &queue->pool->lead->slots[record->key->slot];
    unsigned number = record->key->slot;
    if (head != record)
        snprintf (text, size, "waits for job %llu, which has the same key and came before it.",
                  (unsigned long long)head->id);
    else if (slot->state == RM_SLOT_UNKNOWN)
        snprintf (text, size, "waits until every worker that may hold jobs of slot %u has reported to this master.",
                  number);
    else if (slot->state == RM_SLOT_CLOSED)
        snprintf (text, size, "waits for slot %u to move from %s to %s: %u of its jobs %s still there.", number,
                  owner_name (self, slot->at), owner_name (self, queue->pool->target[number]), slot->in_flight,
                  slot->in_flight == 1 ? "is" : "are");
    else if (!served (self, queue, self->state->members[slot->at]))
        snprintf (text, size, "waits: %s owns slot %u but does not serve the queue %s yet.",
                  owner_name (self, slot->at), number, queue->name);
    else
        snprintf (text, size, "waits for a free thread of %s, which owns its slot %u.", owner_name (self, slot->at),
                  number);
}

static void why_waiting (const rm_leader_t *self, const rm_record_t *record, char *text, size_t size)
{
    const rm_queue_t *queue = record->queue;
    uint64_t wall_ms = self->now.wall_ms;
    const rm_record_t *dead = rm_record_holder (record);
    if (dead)
        snprintf (
            text, size,
            "is held by job %llu, which has the same key, came before it and is dead: kick that one, or cancel it "
            "to go on without it.",
            (unsigned long long)dead->id);
    else if (record->not_before_ms > wall_ms && !record->failures)
        snprintf (text, size, "waits %llu ms more: it was submitted with a delay.",
                  (unsigned long long)(record->not_before_ms - wall_ms));
    else if (record->not_before_ms > wall_ms)
        snprintf (text, size, "waits %llu ms more before attempt %u: the one before failed (%s).",
                  (unsigned long long)(record->not_before_ms - wall_ms), rm_record_attempt (record),
                  record->reason ? (const char *)record->reason->data : "no reason given");
    else if (rm_record_peer (record))
        snprintf (text, size, "waits until the worker %s, where it failed, has let go of it.",
                  rm_record_peer (record)->member->name);
    else if (queue->paused)
        snprintf (text, size, "waits until the queue %s is resumed: it is paused.", queue->name);
    else if (!queue->pool || !served (self, queue, NULL))
        snprintf (text, size, "waits for a worker that serves the queue %s: there is none.", queue->name);
    else if (record->key)
        why_keyed (self, record, text, size);
    else if (record->lead.at == RM_AT_PARKED)
        snprintf (text, size, "waits until every worker of the pool %s has reported to this master.",
                  queue->pool->name);
    else
        snprintf (text, size, "waits for a free thread of any worker that serves the queue %s%s.", queue->name,
                  record->crashes ? ", alone, since a worker died holding it" : "");
}

static void why_running (const rm_record_t *record, char *text, size_t size)
{
    const rm_progress_t *progress = rm_leader_progress (record);
    int used = snprintf (text, size, "is at the worker %s, attempt %u", rm_record_peer (record)->member->name,
                         rm_record_attempt (record));
    text += used;
    size -= (size_t)used;
    if (!progress)
        snprintf (text, size, ".");
    else
        snprintf (text, size, ": %u.%u %% done%s%s.", progress->permille / 10, progress->permille % 10,
                  progress->note->size ? ", " : "", (const char *)progress->note->data);
}

bool rm_leader_why (const rm_leader_t *self, rm_now_t now, uint64_t id, char *text, size_t size)
{
    const rm_record_t *record = rm_state_record (self->state, id);
    if (!record)
        return false;
    int used = snprintf (text, size, "Job %llu ", (unsigned long long)id);
    text += used;
    size -= (size_t)used;
    if (record->outcome == RM_OUTCOME_DONE)
        snprintf (text, size, "is done, after %s.", count_of (rm_record_attempt (record), "attempt", "attempts").text);
    else if (record->outcome != RM_OUTCOME_NONE)
        snprintf (text, size, "is %s after %s and %s: %s.%s", rm_record_state_name (record, now.wall_ms),
                  count_of (record->failures, "failure", "failures").text,
                  count_of (record->crashes, "crash", "crashes").text,
                  record->reason ? (const char *)record->reason->data : "no reason given",
                  rm_record_holds (record) ? " It holds its key until it is kicked or cancelled." : "");
    else if (rm_record_stops (record))
        snprintf (text, size, "is to end %s, as soon as the worker that may have it has let go of it.",
                  ended[record->extra->stop]);
    else if (rm_record_runs (record))
        why_running (record, text, size);
    else
        why_waiting (self, record, text, size);
    return true;
}
