/*  The invariants of a ledger's state, recounted from nothing. */
#pragma once

#include <string.h>

#include "core/share.h"
#include "core/state.h"

/* The claim that does not hold; NULL: all do. */
typedef const char *claim_t;

#define HOLDS(claim)                                                                                                   \
    do {                                                                                                               \
        if (!(claim))                                                                                                  \
            return #claim;                                                                                             \
    } while (0)

/* Whose extra is its own, and who is found by its name. */
static inline claim_t check_extra (const rm_record_t *record)
{
    const rm_extra_t *extra = record->extra;
    if (!extra)
        return NULL;
    HOLDS (extra->record == record);
    if (extra->uid)
        HOLDS (rm_queue_record (record->queue, (rm_bytes_t){extra->uid->data, extra->uid->size}) == record);
    HOLDS (!extra->kicked_as || record->outcome == RM_OUTCOME_DEAD);
    HOLDS (!(extra->kicked_as && record->data));
    HOLDS (!extra->place || (extra->place <= extra->kicked_from && record->key_bytes));
    const rm_attempts_t *attempts = extra->attempts;
    if (!attempts)
        return NULL;
    HOLDS (attempts->count && attempts->count <= RM_ATTEMPTS_KEPT);
    HOLDS (attempts->count <= record->failures + record->crashes);
    uint64_t before_ms = record->accepted_ms;
    for (uint32_t i = 0; i < attempts->count; before_ms = attempts->list[i++].ended_ms)
        HOLDS (attempts->list[i].ended_ms >= before_ms);
    return NULL;
}

static inline claim_t check_record (const rm_state_t *state, const rm_record_t *record)
{
    HOLDS (rm_state_gave (state, record->id));
    HOLDS (rm_state_record (state, record->id) == record);
    HOLDS (rm_list_linked (&record->line));
    if (record->outcome != RM_OUTCOME_NONE) {
        HOLDS (!record->session && !record->key == !rm_record_holds (record) && !record->started_inc);
        HOLDS (!rm_record_holds (record) ||
               (record->data && record->outcome == RM_OUTCOME_DEAD && record->queue->hold));
        HOLDS (!record->data || (record->outcome == RM_OUTCOME_DEAD && state->format > 1));
        return NULL;
    }
    HOLDS (record->data && record->session && !record->result);
    HOLDS (record->data_size == record->data->size);
    HOLDS (!record->key == !record->key_bytes);
    HOLDS (record->crashes < RM_CRASHES_MAX);
    HOLDS (!record->started_inc || record->flags & RM_JOB_AT_MOST_ONCE);
    HOLDS (!record->started_inc || rm_state_member (state, record->started_inc));
    return NULL;
}

static inline claim_t check_records (const rm_state_t *state)
{
    uint64_t waiting = 0, bytes = 0, ended = 0, started = 0, stopping = 0, before = 0;
    RM_RECORD_EACH (state, record)
    {
        HOLDS (record->id > before);
        before = record->id;
        claim_t broken = check_record (state, record);
        if (!broken)
            broken = check_extra (record);
        if (broken)
            return broken;
        waiting += record->outcome == RM_OUTCOME_NONE;
        ended += record->outcome != RM_OUTCOME_NONE;
        bytes += record->outcome == RM_OUTCOME_NONE ? record->data_size : 0;
        stopping += rm_record_stops (record);
        started += record->started_inc != 0;
    }
    HOLDS (state->waiting_count == waiting);
    HOLDS (state->waiting_bytes == bytes);
    HOLDS (state->ended_count == ended);
    HOLDS (state->started_count == started);
    HOLDS (state->stopping_count == stopping);
    /* accepted = waiting + ended + forgotten */
    HOLDS (rm_state_accepted_count (state) == state->waiting_count + state->done_count + state->dead_count);
    HOLDS (state->ended_count <= state->done_count + state->dead_count);
    return NULL;
}

static inline claim_t check_line (const rm_link_t *line, const rm_queue_t *queue, const rm_key_t *key, uint64_t *count,
                                  uint64_t *bytes)
{
    uint64_t before = 0;
    for (const rm_link_t *link = line->next; link != line; link = link->next) {
        const rm_record_t *record = RM_OWNER (link, rm_record_t, line);
        HOLDS (record->outcome == RM_OUTCOME_NONE);
        HOLDS (record->queue == queue && record->key == key);
        HOLDS (rm_record_place (record) > before);
        before = rm_record_place (record);
        ++*count;
        *bytes += record->data_size;
    }
    return NULL;
}

/* Those that hold a key. */
static inline claim_t check_dead (const rm_key_t *key)
{
    uint64_t before = 0;
    for (const rm_link_t *link = key->dead.next; link != &key->dead; link = link->next) {
        const rm_record_t *record = RM_OWNER (link, rm_record_t, open);
        HOLDS (rm_record_holds (record) && record->key == key);
        HOLDS (rm_record_place (record) > before);
        before = rm_record_place (record);
    }
    return NULL;
}

static inline claim_t check_key (const rm_queue_t *queue, const rm_key_t *key, uint64_t *count, uint64_t *bytes)
{
    HOLDS (key->queue == queue);
    HOLDS (!rm_list_empty (&key->records) || !rm_list_empty (&key->dead));
    HOLDS (key->slot == rm_ring_slot (key->bytes->data, key->bytes->size));
    HOLDS (rm_list_linked (&key->neighbours) == (queue->pool != NULL));
    bool among_neighbours = !queue->pool;
    if (queue->pool)
        RM_LIST_EACH (&queue->pool->slot_keys[key->slot], link)
            among_neighbours |= link == &key->neighbours;
    HOLDS (among_neighbours);
    claim_t broken = check_dead (key);
    if (broken || rm_list_empty (&key->records))
        return broken;
    const rm_record_t *first = RM_OWNER (key->records.next, rm_record_t, line);
    HOLDS (first->key_bytes->size == key->bytes->size);
    HOLDS (!memcmp (first->key_bytes->data, key->bytes->data, key->bytes->size));
    return check_line (&key->records, queue, key, count, bytes);
}

static inline claim_t check_outcomes (const rm_queue_t *queue, const rm_link_t *line, bool holding, uint64_t *ended_p,
                                      uint64_t *bytes_p)
{
    uint64_t ended = 0, bytes = 0;
    for (const rm_link_t *link = line->next; link != line; link = link->next, ended++) {
        const rm_record_t *record = RM_OWNER (link, rm_record_t, line);
        HOLDS (record->outcome != RM_OUTCOME_NONE && record->queue == queue);
        HOLDS (rm_record_holds (record) == holding);
        bytes += (record->result ? record->result->size : 0) + (record->reason ? record->reason->size : 0) +
                 (record->data ? record->data->size : 0) +
                 (record->extra ? rm_attempts_bytes (record->extra->attempts) : 0);
    }
    *ended_p = ended;
    *bytes_p = bytes;
    return NULL;
}

static inline claim_t check_ended (const rm_queue_t *queue)
{
    uint64_t ended, bytes;
    claim_t broken = check_outcomes (queue, &queue->ended, false, &ended, &bytes);
    if (broken)
        return broken;
    HOLDS (queue->ended_count == ended && queue->ended_bytes == bytes);
    broken = check_outcomes (queue, &queue->holding, true, &ended, &bytes);
    if (broken)
        return broken;
    HOLDS (queue->holding_count == ended && queue->holding_bytes == bytes);
    return NULL;
}

/* What each client has waiting is counted right, where it is counted. */
static inline claim_t check_shares (const rm_queue_t *queue)
{
    HOLDS (queue->shared == (queue->client_jobs_max || queue->client_bytes_max));
    HOLDS (queue->shared || !queue->shares);
    uint64_t count = 0;
    for (const rm_share_t *share = queue->shares; share; share = share->hh.next) {
        uint64_t waiting = 0, bytes = 0;
        RM_LIST_EACH (&queue->open, link) {
            const rm_record_t *record = RM_OWNER (link, rm_record_t, open);
            waiting += record->session == share->session;
            bytes += record->session == share->session ? record->data_size : 0;
        }
        HOLDS (waiting && share->count == waiting && share->bytes == bytes);
        count += waiting;
    }
    HOLDS (!queue->shared || count == queue->waiting_count);
    return NULL;
}

static inline claim_t check_queues (const rm_state_t *state)
{
    uint64_t waiting = 0, ended = 0, holding = 0, done = 0, dead = 0, number = 0;
    for (const rm_queue_t *queue = state->queues; queue; queue = queue->hh.next) {
        uint64_t count = 0, bytes = 0;
        HOLDS (queue->number == number++);
        claim_t shares = check_shares (queue);
        if (shares)
            return shares;
        claim_t broken = check_line (&queue->unkeyed, queue, NULL, &count, &bytes);
        for (const rm_key_t *key = queue->keys; key && !broken; key = key->hh.next)
            broken = check_key (queue, key, &count, &bytes);
        if (!broken)
            broken = check_ended (queue);
        if (broken)
            return broken;
        HOLDS (queue->waiting_count == count && queue->waiting_bytes == bytes);
        waiting += count;
        ended += queue->ended_count + queue->holding_count;
        holding += queue->holding_count;
        done += queue->done_count;
        dead += queue->dead_count;
    }
    HOLDS (number == state->queue_count);
    HOLDS (state->waiting_count == waiting && state->ended_count == ended && state->holding_count == holding);
    HOLDS (state->done_count == done && state->dead_count == dead);
    return NULL;
}

static inline claim_t check_slot (const rm_state_t *state, const rm_pool_t *pool, uint32_t slot)
{
    uint16_t owner = pool->owner[slot], target = pool->target[slot];
    const uint16_t *holders = pool->holders[slot].members;
    HOLDS (owner == RM_RING_NOBODY || rm_pool_holds (pool, slot, owner));
    HOLDS (target == RM_RING_NOBODY || rm_pool_holds (pool, slot, target));
    for (int i = 0; i < RM_HOLDERS_MAX; i++) {
        if (holders[i] == RM_RING_NOBODY)
            continue;
        HOLDS (holders[i] < RM_MEMBERS_MAX && state->members[holders[i]]);
        HOLDS (state->members[holders[i]]->pool == pool);
        for (int j = 0; j < i; j++)
            HOLDS (holders[j] != holders[i]);
    }
    return NULL;
}

static inline claim_t check_members (const rm_state_t *state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < RM_MEMBERS_MAX; i++) {
        const rm_member_t *member = state->members[i];
        if (!member)
            continue;
        count++;
        HOLDS (member->number == i && member->inc);
        HOLDS (rm_state_member (state, member->inc) == member);
        HOLDS (!(member->in_ring && member->leaving));
        for (uint32_t j = 0; j < member->queue_count; j++)
            HOLDS (member->queues[j]->pool);
    }
    HOLDS (count == state->member_count && count == HASH_COUNT (state->by_inc));
    return NULL;
}

static inline claim_t check_sessions (const rm_state_t *state)
{
    uint64_t count = 0, bytes = 0, number = 0;
    for (const rm_ledger_session_t *session = state->sessions; session; session = session->hh.next) {
        HOLDS (session->number > number && session->number <= state->session_numbers);
        number = session->number;
        count += session->waiting_count;
        bytes += session->waiting_bytes;
        for (uint32_t i = 1; i <= session->request_count; i++) {
            uint64_t seq = session->floor + i;
            const rm_request_t *request = rm_session_request (session, seq);
            HOLDS (!request || request->id <= state->last_id);
        }
    }
    HOLDS (state->waiting_count == count && state->waiting_bytes == bytes);
    return NULL;
}

static inline claim_t check_state (const rm_state_t *state)
{
    claim_t (*const checks[]) (const rm_state_t *) = {check_records, check_queues, check_members, check_sessions};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        claim_t broken = checks[i](state);
        if (broken)
            return broken;
    }
    for (const rm_pool_t *pool = state->pools; pool; pool = pool->next)
        for (uint32_t slot = 0; slot < RM_SLOTS; slot++) {
            claim_t broken = check_slot (state, pool, slot);
            if (broken)
                return broken;
        }
    HOLDS (state->committed_epoch <= state->epoch);
    return NULL;
}
