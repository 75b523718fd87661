/*  The leader's books must agree with themselves after each step. */
#include "leader_fixture.h"

#include <stdio.h>

bool books_off;

/* What a job was accepted as, to see that jobs of one key end in accept order. */
typedef struct {
    uint64_t key_hash; /* 0: without a key */
    uint64_t place;    /* among the jobs of its key */
    bool ended;
} history_t;

static history_t history[1 << 16];
static uint64_t history_last;

void books_begin (void)
{
    memset (history, 0, (history_last + 1) * sizeof *history);
    history_last = 0;
}

static const char *id_text (uint64_t id)
{
    static char text[32];
    snprintf (text, sizeof text, "job %llu", (unsigned long long)id);
    return text;
}

static bool in_flight_state (rm_at_t at)
{
    return at != RM_AT_PARKED && at != RM_AT_READY && at != RM_AT_STOPPING;
}

/* ---- order ------------------------------------------------------------------------------------------------------ */

static uint64_t hash_of (const rm_record_t *record)
{
    uint64_t hash = 14695981039346656037u ^ (record->queue->number + 1) * 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0; i < record->key_bytes->size; i++)
        hash = (hash ^ record->key_bytes->data[i]) * 1099511628211u;
    return hash | 1;
}

/* What never began may end at any time. */
static void note_end (uint64_t id, bool began)
{
    history[id].ended = true;
    if (!history[id].key_hash || !began)
        return;
    for (uint64_t older = 1; older <= history_last; older++)
        cr_assert (history[older].ended || history[older].key_hash != history[id].key_hash ||
                       history[older].place >= history[id].place,
                   "%s ended before %llu of the same key", id_text (id), (unsigned long long)older);
}

static void check_order (void)
{
    for (uint64_t id = 1; id <= state->last_id; id++) {
        const rm_record_t *record = rm_state_record (state, id);
        if (id > history_last) {
            history[id].key_hash = record && record->key_bytes ? hash_of (record) : 0;
            history[id].place = record ? rm_record_place (record) : id;
            history_last = id;
        }
        bool ended = !record || record->outcome != RM_OUTCOME_NONE;
        cr_assert (ended || !history[id].ended, "%s had ended and waits again", id_text (id));
        if (ended && !history[id].ended)
            note_end (id, !record || rm_record_attempt (record));
    }
}

/* ---- state ------------------------------------------------------------------------------------------------------ */

static void check_counts (void)
{
    uint64_t waiting = 0, bytes = 0, ended = 0;
    RM_RECORD_EACH (state, record)
    {
        bool waits = record->outcome == RM_OUTCOME_NONE;
        waiting += waits;
        bytes += waits ? record->data_size : 0;
        ended += !waits;
    }
    cr_assert_eq (waiting, state->waiting_count);
    cr_assert_eq (bytes, state->waiting_bytes);
    cr_assert_eq (ended, state->ended_count);
    cr_assert_leq (waiting + ended, state->last_id);
    cr_assert_eq (state->done_count + state->dead_count + waiting, rm_state_accepted_count (state),
                  "accepted = waiting + ended");
}

static void check_ring (const rm_pool_t *pool)
{
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++) {
        cr_assert (pool->owner[slot] == RM_RING_NOBODY || rm_pool_holds (pool, slot, pool->owner[slot]));
        cr_assert (pool->target[slot] == RM_RING_NOBODY || rm_pool_holds (pool, slot, pool->target[slot]));
        cr_assert (pool->target[slot] == RM_RING_NOBODY || state->members[pool->target[slot]]);
    }
}

/* ---- the leader ------------------------------------------------------------------------------------------------- */

static void check_flight (const rm_peer_t *peer, uint32_t *slot_flights)
{
    uint32_t count = 0;
    uint64_t seq = 0;
    for (rm_link_t *link = peer->flight.next; link != &peer->flight; link = link->next, count++) {
        const rm_record_t *record = RM_OWNER (link, rm_flight_t, link)->record;
        cr_assert_eq (rm_record_peer (record), peer);
        cr_assert (in_flight_state (record->lead.at));
        cr_assert_eq (record->outcome, RM_OUTCOME_NONE);
        cr_assert_leq (record->lead.flight->seq, peer->last_seq);
        cr_assert (!record->lead.flight->seq || record->lead.flight->seq > seq, "flight lists are in order of seq");
        seq = record->lead.flight->seq ? record->lead.flight->seq : seq;
        if (!record->key)
            continue;
        cr_assert_eq (record->key->lead.busy, record, "%s is in flight, its key does not know", id_text (record->id));
        cr_assert_eq (rm_list_first (&record->key->records), &record->line, "%s is not the head", id_text (record->id));
        const rm_slot_t *slot = &record->queue->pool->lead->slots[record->key->slot];
        cr_assert_eq (slot->at, peer->member->number, "%s is in flight where its slot is not", id_text (record->id));
        slot_flights[record->key->slot]++;
    }
    cr_assert_eq (count, peer->flight_count);
    cr_assert_leq (peer->upto, peer->last_seq);
}

static void check_ready (const rm_record_t *record)
{
    const rm_key_t *key = record->key;
    bool aside = !rm_fair_contains (&record->lead.fair) && rm_list_linked (&record->lead.fair.link);
    cr_assert (aside || !record->crashes);
    cr_assert (!aside || record->crashes || record->flags & RM_JOB_AT_MOST_ONCE);
    cr_assert (record->queue->pool);
    if (!key) {
        cr_assert_eq (rm_fair_contains (&record->lead.fair), !aside);
        return;
    }
    const rm_slot_t *slot = &record->queue->pool->lead->slots[key->slot];
    cr_assert_eq (slot->state, RM_SLOT_OPEN, "%s is on offer, its slot is not open", id_text (record->id));
    cr_assert_null (key->lead.busy);
    cr_assert_null (rm_record_holder (record));
    cr_assert_eq (rm_list_first (&key->records), &record->line, "%s is on offer before its turn", id_text (record->id));
    cr_assert_eq (key->lead.lane, aside ? NULL : &state->members[slot->at]->peer->lane);
    cr_assert_eq (rm_fair_contains (&key->lead.fair), !aside);
}

static void check_record (const rm_record_t *record)
{
    if (record->lead.at == RM_AT_READY) {
        check_ready (record);
        return;
    }
    cr_assert_eq (in_flight_state (record->lead.at), rm_record_peer (record) != NULL);
    cr_assert (rm_record_peer (record) || !record->key || record->key->lead.busy != record);
}

static void check_slots (const rm_pool_t *pool, const uint32_t *slot_flights)
{
    for (uint32_t i = 0; i < RM_SLOTS; i++) {
        const rm_slot_t *slot = &pool->lead->slots[i];
        cr_assert_eq (slot->in_flight, slot_flights[i], "slot %u: %u in flight are counted, %u are", i, slot->in_flight,
                      slot_flights[i]);
        if (slot->state != RM_SLOT_OPEN)
            continue;
        cr_assert_eq (slot->at, pool->target[i]);
        cr_assert (state->members[slot->at]);
    }
}

static void check_pool (const rm_pool_t *pool)
{
    static uint32_t slot_flights[RM_SLOTS];
    uint32_t unreported = 0;
    memset (slot_flights, 0, sizeof slot_flights);
    for (uint32_t i = 0; i < leader->peer_count; i++) {
        if (leader->peers[i]->member->pool != pool)
            continue;
        check_flight (leader->peers[i], slot_flights);
        unreported += !leader->peers[i]->reported;
    }
    cr_assert_eq (unreported, pool->lead->unreported);
    check_slots (pool, slot_flights);
}

static void check_idle (void)
{
    RM_RECORD_EACH (state, record)
    {
        cr_assert_eq (record->lead.at, RM_AT_PARKED);
        cr_assert (record->outcome != RM_OUTCOME_NONE || !record->lead.delay.place);
    }
}

void check_books (void)
{
    if (books_off)
        return;
    check_counts ();
    check_order ();
    for (const rm_pool_t *pool = state->pools; pool; pool = pool->next)
        check_ring (pool);
    if (!leader || !leader->leading) {
        check_idle ();
        return;
    }
    uint32_t flights = 0, in_flight = 0;
    for (const rm_pool_t *pool = state->pools; pool; pool = pool->next)
        check_pool (pool);
    for (uint32_t i = 0; i < leader->peer_count; i++)
        flights += leader->peers[i]->flight_count;
    RM_RECORD_EACH (state, record)
    {
        check_record (record);
        in_flight += rm_record_peer (record) != NULL;
    }
    cr_assert_eq (flights, in_flight);
    cr_assert_eq (leader->peer_count, state->member_count);
}
