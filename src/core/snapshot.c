#include "core/snapshot.h"

#include <endian.h>
#include <string.h>

#include "core/snapshot_layout.h"
#include "proto/alloc.h"
#include "proto/assert.h"

/* The small things are written into chunks that never move, so that a part can point at them. */
enum { CHUNK_BYTES = 1 << 20 };

typedef struct chunk chunk_t;
struct chunk {
    chunk_t *next;
    size_t size; /* bytes written */
    uint8_t data[CHUNK_BYTES];
};

struct rm_snapshot {
    uint8_t head[RM_SNAPSHOT_HEAD_BYTES];
    rm_part_t *parts; /* the head, the large blobs (a reference is held of each), the chunks */
    size_t count, capacity;
    size_t blob_count; /* parts[1 … blob_count] */
    uint64_t large_bytes;
    chunk_t *first, *last; /* chunks */
    bool failed;           /* memory ran out on the way */
};

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void add_part (rm_snapshot_t *self, const void *data, size_t size)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 64;
        rm_part_t *parts = rm_realloc (self->parts, capacity * sizeof *parts);
        if (!parts) {
            self->failed = true;
            return;
        }
        self->parts = parts;
        self->capacity = capacity;
    }
    self->parts[self->count++] = (rm_part_t){data, size};
}

/* Room for `size` more bytes in one run; NULL when memory has run out. */
static uint8_t *room_for (rm_snapshot_t *self, size_t size)
{
    RM_ASSERT (size <= CHUNK_BYTES);
    if (self->last && CHUNK_BYTES - self->last->size >= size)
        return self->last->data + self->last->size;
    chunk_t *chunk = self->failed ? NULL : rm_malloc (sizeof *chunk);
    if (!chunk) {
        self->failed = true;
        return NULL;
    }
    chunk->next = NULL;
    chunk->size = 0;
    *(self->last ? &self->last->next : &self->first) = chunk;
    self->last = chunk;
    return chunk->data;
}

static void put (rm_snapshot_t *self, const void *data, size_t size)
{
    uint8_t *room = size ? room_for (self, size) : NULL;
    if (!room)
        return;
    memcpy (room, data, size);
    self->last->size += size;
}

static uint8_t *store_u32 (uint8_t *at, uint32_t value)
{
    value = htole32 (value);
    memcpy (at, &value, sizeof value);
    return at + sizeof value;
}

static uint8_t *store_u64 (uint8_t *at, uint64_t value)
{
    value = htole64 (value);
    memcpy (at, &value, sizeof value);
    return at + sizeof value;
}

static void put_u32 (rm_snapshot_t *self, uint32_t value)
{
    value = htole32 (value);
    put (self, &value, sizeof value);
}

static void put_u64 (rm_snapshot_t *self, uint64_t value)
{
    value = htole64 (value);
    put (self, &value, sizeof value);
}

static void put_name (rm_snapshot_t *self, const char *name)
{
    uint32_t size = (uint32_t)strlen (name);
    put_u32 (self, size);
    put (self, name, size);
}

static void put_blob (rm_snapshot_t *self, rm_blob_t *blob)
{
    put_u32 (self, blob->size);
    if (blob->size < RM_SNAPSHOT_LARGE_BYTES) {
        put (self, blob->data, blob->size);
        return;
    }
    add_part (self, blob->data, blob->size);
    if (self->failed)
        return;
    rm_blob_ref (blob);
    self->blob_count++;
    self->large_bytes += blob->size;
}

/* ---- the state -------------------------------------------------------------------------------------------------- */

static uint8_t snapshot_format (const rm_state_t *state)
{
    if (state->format > 1)
        return RM_SNAPSHOT_FORMAT;
    return state->skipped_count ? 3 : 2;
}

static void put_counters (rm_snapshot_t *self, const rm_state_t *state)
{
    put_u64 (self, state->term);
    put_u64 (self, state->epoch);
    put_u64 (self, state->committed_epoch);
    put_u64 (self, state->last_id);
    put_u64 (self, state->time_ms);
    put_u64 (self, state->session_numbers);
    if (snapshot_format (state) < 3)
        return;
    put_u64 (self, state->skipped_count);
    put_u64 (self, state->skipped_after);
    put_u64 (self, state->restored_ms);
}

static void put_pools (rm_snapshot_t *self, const rm_state_t *state)
{
    put_u32 (self, state->pool_count);
    for (const rm_pool_t *pool = state->pools; pool; pool = pool->next)
        put_name (self, pool->name);
}

/* What a queue may be told since format 2 of the state. */
static void put_settings (rm_snapshot_t *self, const rm_queue_t *queue)
{
    put_u32 (self, queue->retry.delay_ms);
    put_u32 (self, queue->retry.permille);
    put_u32 (self, queue->retry.cap_ms);
    put_u32 (self, queue->retry.jitter);
    put_u32 (self, queue->paused);
    put_u64 (self, queue->jobs_max);
    put_u64 (self, queue->bytes_max);
    put_u32 (self, queue->hold);
    put_u64 (self, queue->client_jobs_max);
    put_u64 (self, queue->client_bytes_max);
}

static void put_queues (rm_snapshot_t *self, const rm_state_t *state)
{
    put_u32 (self, state->queue_count);
    for (const rm_queue_t *queue = state->queues; queue; queue = queue->hh.next) {
        put_name (self, queue->name);
        put_u32 (self, queue->pool ? queue->pool->number + 1 : 0);
        put_u32 (self, queue->tries);
        put_u32 (self, queue->timeout_ms);
        put_u32 (self, queue->keep_ms);
        put_u64 (self, queue->keep_bytes);
        put_u64 (self, queue->done_count);
        put_u64 (self, queue->dead_count);
        if (state->format > 1)
            put_settings (self, queue);
    }
}

/* In the order in which they joined. */
static void put_members (rm_snapshot_t *self, const rm_state_t *state)
{
    put_u32 (self, state->member_count);
    for (const rm_member_t *member = state->by_inc; member; member = member->hh.next) {
        put_u32 (self, member->number);
        put_u64 (self, member->inc);
        put_name (self, member->name);
        put_u32 (self, member->pool->number);
        put_u32 (self, member->threads);
        put_u32 (self, (member->in_ring ? RM_IS_IN_RING : 0) | (member->leaving ? RM_IS_LEAVING : 0));
        put_u32 (self, member->queue_count);
        for (uint32_t i = 0; i < member->queue_count; i++)
            put_u32 (self, member->queues[i]->number);
    }
}

/* The one removed longest ago first. */
static void put_removed (rm_snapshot_t *self, const rm_state_t *state)
{
    uint64_t first = state->removed_count > RM_REMOVED_MAX ? state->removed_count - RM_REMOVED_MAX : 0;
    put_u32 (self, (uint32_t)(state->removed_count - first));
    for (uint64_t i = first; i < state->removed_count; i++)
        put_u64 (self, state->removed[i % RM_REMOVED_MAX]);
}

static bool slots_alike (const rm_pool_t *pool, uint32_t a, uint32_t b)
{
    return pool->owner[a] == pool->owner[b] && pool->target[a] == pool->target[b] &&
           !memcmp (&pool->holders[a], &pool->holders[b], sizeof pool->holders[a]);
}

static void put_slots (rm_snapshot_t *self, const rm_pool_t *pool)
{
    for (uint32_t first = 0, next; first < RM_SLOTS; first = next) {
        next = first + 1;
        while (next < RM_SLOTS && slots_alike (pool, first, next))
            next++;
        uint16_t run[RM_SNAPSHOT_RUN_WORDS + RM_HOLDERS_MAX] = {
            htole16 ((uint16_t)(next - first)), htole16 (pool->owner[first]), htole16 (pool->target[first])};
        for (int i = 0; i < RM_HOLDERS_MAX; i++)
            run[RM_SNAPSHOT_RUN_WORDS + i] = htole16 (pool->holders[first].members[i]);
        put (self, run, sizeof run);
    }
}

static void put_session (rm_snapshot_t *self, const rm_ledger_session_t *session)
{
    put (self, session->id.bytes, sizeof session->id.bytes);
    put_u64 (self, session->number);
    put_u64 (self, session->floor);
    put_u64 (self, session->heard_ms);
    put_u32 (self, session->request_count);
    for (uint32_t i = 0; i < session->request_count; i++) {
        const rm_request_t *request = &session->requests[(session->request_first + i) % session->request_capacity];
        put_u64 (self, request->id);
        put_u64 (self, request->hash);
    }
}

static void put_sessions (rm_snapshot_t *self, const rm_state_t *state)
{
    put_u32 (self, HASH_COUNT (state->sessions));
    for (const rm_ledger_session_t *session = state->sessions; session; session = session->hh.next)
        put_session (self, session);
}

/* The bytes of a record before its blobs, with everything there; of these, what its extra takes. */
enum { EXTRA_BYTES = 1 + 4 + 8 + 4 * 4 + 8 + 8 + 8 + 1 };
enum { RECORD_BYTES = 8 + 4 + 2 + 8 + 5 * 4 + 8 + 8 + 8 + EXTRA_BYTES };

/* 0: there is nothing to be said, also if there is an extra. */
static uint8_t extra_has (const rm_record_t *record)
{
    const rm_extra_t *extra = record->extra;
    uint8_t data = record->outcome && record->data ? RM_EXTRA_DATA : 0;
    if (!extra)
        return data;
    return (uint8_t)(data | (extra->priority ? RM_EXTRA_PRIORITY : 0) | (extra->deadline_ms ? RM_EXTRA_DEADLINE : 0) |
                     (extra->retry.delay_ms ? RM_EXTRA_RETRY : 0) | (extra->kicked_from ? RM_EXTRA_KICKED_FROM : 0) |
                     (extra->kicked_as ? RM_EXTRA_KICKED_AS : 0) | (extra->uid ? RM_EXTRA_UID : 0) |
                     (rm_record_stops (record) ? RM_EXTRA_STOP : 0));
}

static uint8_t *store_extra (uint8_t *at, const rm_record_t *record, uint8_t mask)
{
    const rm_extra_t *extra = record->extra;
    *at++ = mask;
    if (mask & RM_EXTRA_PRIORITY)
        at = store_u32 (at, extra->priority);
    if (mask & RM_EXTRA_DEADLINE)
        at = store_u64 (at, extra->deadline_ms);
    if (mask & RM_EXTRA_RETRY) {
        at = store_u32 (at, extra->retry.delay_ms);
        at = store_u32 (at, extra->retry.permille);
        at = store_u32 (at, extra->retry.cap_ms);
        at = store_u32 (at, extra->retry.jitter);
    }
    if (mask & RM_EXTRA_KICKED_FROM) {
        at = store_u64 (at, extra->kicked_from);
        at = store_u64 (at, extra->place);
    }
    if (mask & RM_EXTRA_KICKED_AS)
        at = store_u64 (at, extra->kicked_as);
    if (mask & RM_EXTRA_STOP)
        *at++ = (uint8_t)extra->stop;
    return at;
}

static uint16_t has (const rm_record_t *record, uint8_t extra)
{
    return (uint16_t)((record->outcome ? RM_HAS_ENDED : 0) | (record->tries ? RM_HAS_TRIES : 0) |
                      (record->timeout_ms ? RM_HAS_TIMEOUT : 0) | (record->flags ? RM_HAS_FLAGS : 0) |
                      (record->failures ? RM_HAS_FAILURES : 0) | (record->crashes ? RM_HAS_CRASHES : 0) |
                      (record->not_before_ms ? RM_HAS_NOT_BEFORE : 0) | (record->started_inc ? RM_HAS_STARTED : 0) |
                      (record->key_bytes ? RM_HAS_KEY : 0) | (record->reason ? RM_HAS_REASON : 0) |
                      (record->result ? RM_HAS_RESULT : 0) | (extra ? RM_HAS_EXTRA : 0) |
                      (record->extra && record->extra->attempts ? RM_HAS_ATTEMPTS : 0) |
                      (rm_record_holds (record) ? RM_HAS_HOLDS : 0));
}

static uint8_t *store_if (uint8_t *at, uint32_t value)
{
    return value ? store_u32 (at, value) : at;
}

static void put_attempts (rm_snapshot_t *self, const rm_attempts_t *attempts)
{
    uint8_t count = (uint8_t)attempts->count;
    put (self, &count, 1);
    for (uint32_t i = 0; i < attempts->count; i++) {
        const rm_attempt_t *attempt = &attempts->list[i];
        uint8_t how = (uint8_t)attempt->how;
        put (self, &how, 1);
        put_u64 (self, attempt->ended_ms);
        put_u64 (self, attempt->next_ms);
        put_blob (self, attempt->worker);
        if (attempt->reason)
            put_blob (self, attempt->reason);
        else
            put_u32 (self, 0);
    }
}

static void put_record (rm_snapshot_t *self, const rm_record_t *record)
{
    uint8_t *room = room_for (self, RECORD_BYTES), *at = room;
    if (!room)
        return;
    uint8_t extra = extra_has (record);
    uint16_t mask = htole16 (has (record, extra));
    at = store_u64 (at, record->id);
    at = store_u32 (at, record->queue->number);
    memcpy (at, &mask, sizeof mask);
    at = store_u64 (at + sizeof mask, record->accepted_ms);
    at = store_if (at, record->tries);
    at = store_if (at, record->timeout_ms);
    at = store_if (at, record->flags);
    at = store_if (at, record->failures);
    at = store_if (at, record->crashes);
    if (record->not_before_ms)
        at = store_u64 (at, record->not_before_ms);
    if (record->outcome) {
        *at++ = (uint8_t)record->outcome;
        at = store_u64 (at, record->ended_ms);
        at = store_u32 (at, record->data_size);
    } else {
        at = store_u64 (at, record->session->number);
        if (record->started_inc)
            at = store_u64 (at, record->started_inc);
    }
    if (extra)
        at = store_extra (at, record, extra);
    self->last->size += (size_t)(at - room);
    rm_blob_t *blobs[] = {record->key_bytes,
                          record->reason,
                          record->result,
                          record->data,
                          record->extra ? record->extra->uid : NULL,
                          extra & RM_EXTRA_STOP ? record->extra->stop_reason : NULL};
    for (size_t i = 0; i < sizeof blobs / sizeof *blobs; i++)
        if (blobs[i])
            put_blob (self, blobs[i]);
    if (record->extra && record->extra->attempts)
        put_attempts (self, record->extra->attempts);
}

/* How many records ahead of the one being written the memory is asked for the next ones. */
enum { AHEAD = 8 };

/* In order of their ids. Most of the time goes by in waiting for memory, since every record and every
 * blob is touched once: fetching ahead takes a third off. */
static void put_records (rm_snapshot_t *self, const rm_state_t *state)
{
    put_u32 (self, (uint32_t)state->records.count);
    const rm_record_t *ahead = rm_state_from (state, 0);
    for (int i = 0; i < AHEAD && ahead; i++)
        ahead = rm_state_from (state, ahead->id + 1);
    RM_RECORD_EACH (state, record)
    {
        if (ahead) {
            __builtin_prefetch (&ahead->accepted_ms);
            __builtin_prefetch (ahead->data ? ahead->data : ahead->result);
            ahead = rm_state_from (state, ahead->id + 1);
        }
        put_record (self, record);
    }
}

static void put_ids (rm_snapshot_t *self, const rm_link_t *line)
{
    for (const rm_link_t *link = line->next; link != line; link = link->next)
        put_u64 (self, RM_OWNER (link, rm_record_t, line)->id);
}

/* In which order the ended ones ended; those that hold their keys last. */
static void put_ended (rm_snapshot_t *self, const rm_queue_t *queue)
{
    put_u32 (self, (uint32_t)(queue->ended_count + queue->holding_count));
    put_ids (self, &queue->ended);
    put_ids (self, &queue->holding);
}

/* ---- a snapshot ------------------------------------------------------------------------------------------------- */

rm_snapshot_t *rm_snapshot_take (const rm_state_t *state)
{
    rm_snapshot_t *self = rm_calloc (1, sizeof *self);
    if (!self)
        return NULL;
    add_part (self, self->head, sizeof self->head);
    put_counters (self, state);
    put_pools (self, state);
    put_queues (self, state);
    put_members (self, state);
    put_removed (self, state);
    for (const rm_pool_t *pool = state->pools; pool; pool = pool->next)
        put_slots (self, pool);
    put_sessions (self, state);
    put_records (self, state);
    for (const rm_queue_t *queue = state->queues; queue; queue = queue->hh.next)
        put_ended (self, queue);
    self->head[0] = snapshot_format (state);
    store_u64 (self->head + 1, self->large_bytes);
    for (const chunk_t *chunk = self->first; chunk; chunk = chunk->next)
        add_part (self, chunk->data, chunk->size);
    if (self->failed)
        rm_snapshot_destroy (&self);
    return self;
}

const rm_part_t *rm_snapshot_parts (const rm_snapshot_t *self, size_t *count_p)
{
    *count_p = self->count;
    return self->parts;
}

void rm_snapshot_destroy (rm_snapshot_t **self_p)
{
    rm_snapshot_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (size_t i = 1; i <= self->blob_count; i++) {
        rm_blob_t *blob = RM_OWNER (self->parts[i].data, rm_blob_t, data);
        rm_blob_unref (&blob);
    }
    for (chunk_t *chunk = self->first, *next; chunk; chunk = next) {
        next = chunk->next;
        rm_free (chunk);
    }
    rm_free (self->parts);
    rm_free (self);
}
