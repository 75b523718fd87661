/*  Reads what core/snapshot wrote. Strict: what it accepts, it would write again byte for byte. */
#include <endian.h>
#include <string.h>

#include "core/backoff.h"
#include "core/entry.h"
#include "core/settings.h"
#include "core/share.h"
#include "core/snapshot.h"
#include "core/snapshot_layout.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

typedef struct {
    rm_state_t *state;
    rm_reader_t small, large;
    uint8_t format;
    bool no_memory;
    rm_pool_t **pools;              /* by number */
    rm_queue_t **queues;            /* by number */
    rm_ledger_session_t **sessions; /* by number, growing */
    uint32_t session_count;
    uint64_t ended_count; /* records that have ended */
} restorer_t;

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* What does not fit is bad: as a value, so that a check reads like a sentence. */
static void expect (restorer_t *self, bool fits)
{
    if (!fits)
        self->small.bad = true;
}

static bool goes_on (const restorer_t *self)
{
    return !self->small.bad && !self->no_memory;
}

/* A value that is written only if it is not zero. */
static uint64_t read_if (restorer_t *self, bool there, size_t size)
{
    if (!there)
        return 0;
    uint64_t value = size == sizeof (uint32_t) ? rm_read_u32 (&self->small) : rm_read_u64 (&self->small);
    expect (self, value != 0);
    return value;
}

static rm_blob_t *read_blob (restorer_t *self, bool there)
{
    if (!there || !goes_on (self))
        return NULL;
    uint32_t size = rm_read_u32 (&self->small);
    rm_reader_t *from = size < RM_SNAPSHOT_LARGE_BYTES ? &self->small : &self->large;
    expect (self, size <= (size_t)(from->end - from->at));
    if (!goes_on (self))
        return NULL;
    rm_blob_t *blob = rm_blob_new (from->at, size);
    if (!blob)
        self->no_memory = true;
    from->at += size;
    return blob;
}

/* An array of pointers for `count` things that the input has room for. */
static void *new_index (restorer_t *self, uint32_t count)
{
    void *index = rm_calloc (count, sizeof (void *));
    if (!index)
        self->no_memory = true;
    return index;
}

static void *made (restorer_t *self, void *thing)
{
    if (!thing)
        self->no_memory = true;
    return thing;
}

/* ---- the state -------------------------------------------------------------------------------------------------- */

static void read_counters (restorer_t *self)
{
    rm_state_t *state = self->state;
    state->term = rm_read_u64 (&self->small);
    state->epoch = rm_read_u64 (&self->small);
    state->committed_epoch = rm_read_u64 (&self->small);
    state->last_id = rm_read_u64 (&self->small);
    state->time_ms = rm_read_u64 (&self->small);
    state->session_numbers = rm_read_u64 (&self->small);
    expect (self, state->committed_epoch <= state->epoch);
    if (self->format < 3)
        return;
    state->skipped_count = rm_read_u64 (&self->small);
    state->skipped_after = rm_read_u64 (&self->small);
    state->restored_ms = rm_read_u64 (&self->small);
    expect (self, (state->skipped_count || self->format > 3) && state->skipped_count <= state->last_id);
    if (!state->skipped_count) {
        expect (self, !state->skipped_after && !state->restored_ms);
        return;
    }
    expect (self, state->skipped_after <= state->last_id &&
                      state->last_id - state->skipped_after >= RM_GENERATION_IDS &&
                      state->restored_ms <= state->time_ms);
}

static rm_spacing_t read_retry (restorer_t *self)
{
    rm_spacing_t retry = {0};
    retry.delay_ms = rm_read_u32 (&self->small);
    retry.permille = rm_read_u32 (&self->small);
    retry.cap_ms = rm_read_u32 (&self->small);
    retry.jitter = rm_read_u32 (&self->small);
    expect (self, retry.jitter <= RM_JITTERS);
    return retry;
}

static void read_pools (restorer_t *self)
{
    uint32_t count = rm_read_count (&self->small, 5);
    expect (self, count <= RM_POOLS_MAX);
    self->pools = new_index (self, count);
    for (uint32_t i = 0; i < count && goes_on (self); i++) {
        rm_bytes_t name = rm_read_name (&self->small);
        expect (self, !rm_state_pool (self->state, name));
        if (goes_on (self))
            self->pools[i] = made (self, rm_state_add_pool (self->state, name));
    }
}

static void read_settings (restorer_t *self, rm_queue_t *queue)
{
    queue->retry = read_retry (self);
    uint32_t paused = rm_read_u32 (&self->small);
    expect (self, paused <= 1);
    queue->paused = paused;
    queue->jobs_max = rm_read_u64 (&self->small);
    queue->bytes_max = rm_read_u64 (&self->small);
    uint32_t hold = rm_read_u32 (&self->small);
    expect (self, hold <= 1);
    queue->hold = hold;
    queue->client_jobs_max = rm_read_u64 (&self->small);
    queue->client_bytes_max = rm_read_u64 (&self->small);
    if (rm_share_review (queue))
        self->no_memory = true;
}

static void read_queue (restorer_t *self, uint32_t number)
{
    rm_bytes_t name = rm_read_name (&self->small);
    uint32_t pool = rm_read_u32 (&self->small);
    expect (self, pool <= self->state->pool_count && !rm_state_queue (self->state, name));
    rm_queue_t *queue = goes_on (self) ? made (self, rm_state_add_queue (self->state, name)) : NULL;
    if (!queue)
        return;
    self->queues[number] = queue;
    queue->pool = pool ? self->pools[pool - 1] : NULL;
    queue->tries = rm_read_u32 (&self->small);
    queue->timeout_ms = rm_read_u32 (&self->small);
    queue->keep_ms = rm_read_u32 (&self->small);
    queue->keep_bytes = rm_read_u64 (&self->small);
    queue->done_count = rm_read_u64 (&self->small);
    queue->dead_count = rm_read_u64 (&self->small);
    if (self->format > 3)
        read_settings (self, queue);
    for (int setting = RM_SETTING_TRIES; setting < RM_SETTINGS; setting++)
        expect (self, rm_setting_allows (setting, rm_setting_get (queue, setting)));
    self->state->done_count += queue->done_count;
    self->state->dead_count += queue->dead_count;
}

static void read_queues (restorer_t *self)
{
    uint32_t count = rm_read_count (&self->small, 45);
    expect (self, count <= RM_QUEUES_MAX);
    self->queues = new_index (self, count);
    for (uint32_t i = 0; i < count && goes_on (self); i++)
        read_queue (self, i);
}

static void read_member (restorer_t *self)
{
    rm_state_t *state = self->state;
    rm_bytes_t queues[RM_WORKER_QUEUES_MAX];
    uint32_t number = rm_read_u32 (&self->small);
    uint64_t inc = rm_read_u64 (&self->small);
    rm_bytes_t name = rm_read_name (&self->small);
    uint32_t pool = rm_read_u32 (&self->small), threads = rm_read_u32 (&self->small), is = rm_read_u32 (&self->small);
    uint32_t queue_count = rm_read_count (&self->small, 4);
    expect (self, number < RM_MEMBERS_MAX && !state->members[number] && inc && !rm_state_member (state, inc));
    expect (self, pool < state->pool_count && is < (RM_IS_IN_RING | RM_IS_LEAVING));
    expect (self, queue_count <= RM_WORKER_QUEUES_MAX);
    for (uint32_t i = 0; i < queue_count && goes_on (self); i++) {
        uint32_t queue = rm_read_u32 (&self->small);
        expect (self, queue < state->queue_count && self->queues[queue]->pool);
        if (goes_on (self))
            queues[i] = (rm_bytes_t){self->queues[queue]->name, (uint32_t)strlen (self->queues[queue]->name)};
    }
    if (!goes_on (self))
        return;
    rm_member_t *member =
        rm_state_add_member (state, (uint16_t)number, inc, name, self->pools[pool], queues, queue_count, threads);
    if (!made (self, member))
        return;
    member->in_ring = is & RM_IS_IN_RING;
    member->leaving = is & RM_IS_LEAVING;
}

static void read_members (restorer_t *self)
{
    uint32_t count = rm_read_count (&self->small, 33);
    for (uint32_t i = 0; i < count && goes_on (self); i++)
        read_member (self);
}

static void read_removed (restorer_t *self)
{
    rm_state_t *state = self->state;
    uint32_t count = rm_read_count (&self->small, 8);
    expect (self, count <= RM_REMOVED_MAX);
    for (uint32_t i = 0; i < count && goes_on (self); i++) {
        uint64_t inc = rm_read_u64 (&self->small);
        expect (self, inc && !rm_state_member (state, inc));
        rm_state_note_removed (state, inc);
    }
}

/* ---- slots ------------------------------------------------------------------------------------------------------ */

static bool is_member (const rm_state_t *state, const rm_pool_t *pool, uint16_t number)
{
    return number < RM_MEMBERS_MAX && state->members[number] && state->members[number]->pool == pool;
}

/* Owner and target among the holders, and the holders different members of the pool. */
static bool slot_valid (const rm_state_t *state, const rm_pool_t *pool, uint32_t slot)
{
    uint16_t owner = pool->owner[slot], target = pool->target[slot];
    const uint16_t *holders = pool->holders[slot].members;
    for (int i = 0; i < RM_HOLDERS_MAX; i++) {
        if (holders[i] != RM_RING_NOBODY && !is_member (state, pool, holders[i]))
            return false;
        for (int j = 0; j < i; j++)
            if (holders[i] != RM_RING_NOBODY && holders[i] == holders[j])
                return false;
    }
    return (owner == RM_RING_NOBODY || rm_pool_holds (pool, slot, owner)) &&
           (target == RM_RING_NOBODY || rm_pool_holds (pool, slot, target));
}

static void read_slots (restorer_t *self, rm_pool_t *pool)
{
    uint16_t run[RM_SNAPSHOT_RUN_WORDS + RM_HOLDERS_MAX], before[RM_SNAPSHOT_RUN_WORDS + RM_HOLDERS_MAX] = {0};
    size_t head = sizeof *run;
    for (uint32_t first = 0; first < RM_SLOTS && goes_on (self);) {
        rm_read_raw (&self->small, run, sizeof run);
        uint32_t length = le16toh (run[0]);
        expect (self, length && length <= RM_SLOTS - first);
        expect (self, memcmp ((uint8_t *)run + head, (uint8_t *)before + head, sizeof run - head));
        memcpy (before, run, sizeof run);
        for (uint32_t slot = first; slot < first + length && goes_on (self); slot++) {
            pool->owner[slot] = le16toh (run[1]);
            pool->target[slot] = le16toh (run[2]);
            for (int i = 0; i < RM_HOLDERS_MAX; i++)
                pool->holders[slot].members[i] = le16toh (run[RM_SNAPSHOT_RUN_WORDS + i]);
        }
        expect (self, goes_on (self) && slot_valid (self->state, pool, first));
        first += length;
    }
}

/* ---- sessions --------------------------------------------------------------------------------------------------- */

static void read_requests (restorer_t *self, rm_ledger_session_t *session)
{
    uint32_t count = rm_read_count (&self->small, 16);
    expect (self, count <= RM_SESSION_WINDOW && count <= UINT64_MAX - session->floor);
    uint64_t id = 1;
    for (uint32_t i = 0; i < count && goes_on (self); i++) {
        id = rm_read_u64 (&self->small);
        uint64_t hash = rm_read_u64 (&self->small);
        expect (self, id ? rm_state_gave (self->state, id) : !hash);
        if (id && goes_on (self) && rm_session_note (session, session->floor + i + 1, id, hash))
            self->no_memory = true;
    }
    expect (self, id != 0); /* the last one is in use */
}

static void read_session (restorer_t *self)
{
    rm_state_t *state = self->state;
    rm_session_id_t id;
    rm_read_raw (&self->small, id.bytes, sizeof id.bytes);
    uint64_t number = rm_read_u64 (&self->small);
    uint64_t before = self->session_count ? self->sessions[self->session_count - 1]->number : 0;
    expect (self, number > before && number <= state->session_numbers && !rm_state_session (state, &id));
    if (!goes_on (self))
        return;
    uint64_t numbers = state->session_numbers;
    rm_ledger_session_t *session = made (self, rm_state_add_session (state, &id));
    state->session_numbers = numbers;
    if (!session)
        return;
    self->sessions[self->session_count++] = session;
    session->number = number;
    session->floor = rm_read_u64 (&self->small);
    session->heard_ms = rm_read_u64 (&self->small);
    read_requests (self, session);
}

static void read_sessions (restorer_t *self)
{
    uint32_t count = rm_read_count (&self->small, 44);
    self->sessions = new_index (self, count);
    for (uint32_t i = 0; i < count && goes_on (self); i++)
        read_session (self);
}

static rm_ledger_session_t *find_session (const restorer_t *self, uint64_t number)
{
    uint32_t low = 0, high = self->session_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (self->sessions[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < self->session_count && self->sessions[low]->number == number ? self->sessions[low] : NULL;
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

/* What its extra has beside blobs, into `it`. Answers what it has. `has`: what the record has. */
static uint8_t read_extra (restorer_t *self, const rm_record_t *record, uint16_t has, rm_extra_t *it)
{
    uint8_t mask = rm_read_u8 (&self->small);
    it->priority = (uint32_t)read_if (self, mask & RM_EXTRA_PRIORITY, 4);
    it->deadline_ms = read_if (self, mask & RM_EXTRA_DEADLINE, 8);
    if (mask & RM_EXTRA_RETRY)
        it->retry = read_retry (self);
    it->kicked_from = read_if (self, mask & RM_EXTRA_KICKED_FROM, 8);
    it->place = mask & RM_EXTRA_KICKED_FROM ? rm_read_u64 (&self->small) : 0;
    expect (self, !it->place || (has & RM_HAS_KEY && it->place <= it->kicked_from && it->place < record->id));
    it->kicked_as = read_if (self, mask & RM_EXTRA_KICKED_AS, 8);
    it->stop = mask & RM_EXTRA_STOP ? rm_read_u8 (&self->small) : RM_OUTCOME_NONE;
    uint64_t last_id = self->state->last_id;
    expect (self, mask && it->priority <= RM_PRIORITY_MAX && it->kicked_from <= last_id && it->kicked_as <= last_id);
    expect (self, !(mask & RM_EXTRA_RETRY) == !it->retry.delay_ms);
    if (mask & RM_EXTRA_STOP)
        expect (self, !record->outcome && it->stop >= RM_OUTCOME_DEAD && it->stop <= RM_OUTCOME_EXPIRED);
    if (mask & (RM_EXTRA_DATA | RM_EXTRA_KICKED_AS))
        expect (self, record->outcome == RM_OUTCOME_DEAD);
    expect (self, (mask & (RM_EXTRA_DATA | RM_EXTRA_KICKED_AS)) != (RM_EXTRA_DATA | RM_EXTRA_KICKED_AS));
    return mask;
}

/* The fields of a record that stand before its blobs, into `it`. Answers what it has. */
static uint16_t read_fields (restorer_t *self, rm_record_t *it)
{
    uint16_t mask;
    it->id = rm_read_u64 (&self->small);
    uint32_t queue = rm_read_u32 (&self->small);
    rm_read_raw (&self->small, &mask, sizeof mask);
    mask = le16toh (mask);
    expect (self, queue < self->state->queue_count && mask <= RM_HAS_ALL && (self->format > 3 || mask < RM_HAS_EXTRA));
    expect (self, !(mask & (mask & RM_HAS_ENDED ? RM_HAS_STARTED : RM_HAS_RESULT)));
    if (goes_on (self))
        it->queue = self->queues[queue];
    it->accepted_ms = rm_read_u64 (&self->small);
    it->tries = (uint32_t)read_if (self, mask & RM_HAS_TRIES, 4);
    it->timeout_ms = (uint32_t)read_if (self, mask & RM_HAS_TIMEOUT, 4);
    it->flags = (uint32_t)read_if (self, mask & RM_HAS_FLAGS, 4);
    it->failures = (uint32_t)read_if (self, mask & RM_HAS_FAILURES, 4);
    it->crashes = (uint32_t)read_if (self, mask & RM_HAS_CRASHES, 4);
    it->not_before_ms = read_if (self, mask & RM_HAS_NOT_BEFORE, 8);
    if (mask & RM_HAS_ENDED) {
        it->outcome = rm_read_u8 (&self->small);
        it->ended_ms = rm_read_u64 (&self->small);
        it->data_size = rm_read_u32 (&self->small);
        expect (self, it->outcome >= RM_OUTCOME_DONE && it->outcome <= RM_OUTCOME_EXPIRED);
        expect (self, !(mask & RM_HAS_HOLDS) || (it->outcome == RM_OUTCOME_DEAD && mask & RM_HAS_KEY));
        return mask;
    }
    expect (self, !(mask & RM_HAS_HOLDS));
    it->session = find_session (self, rm_read_u64 (&self->small));
    it->started_inc = read_if (self, mask & RM_HAS_STARTED, 8);
    expect (self, it->session && it->crashes < RM_CRASHES_MAX);
    if (it->started_inc)
        expect (self, (it->flags & RM_JOB_AT_MOST_ONCE) && rm_state_member (self->state, it->started_inc));
    return mask;
}

static void read_attempt (restorer_t *self, rm_attempts_t **attempts)
{
    rm_attempt_t it = {.how = rm_read_u8 (&self->small)};
    it.ended_ms = rm_read_u64 (&self->small);
    it.next_ms = rm_read_u64 (&self->small);
    it.worker = read_blob (self, true);
    it.reason = read_blob (self, true);
    expect (self, it.how >= RM_VERDICT_RETRY && it.how <= RM_ATTEMPT_CRASHED && it.ended_ms <= self->state->time_ms);
    expect (self, it.worker && rm_name_valid ((rm_bytes_t){it.worker->data, it.worker->size}));
    expect (self, it.reason && it.reason->size <= RM_ATTEMPT_REASON_BYTES_MAX);
    if (it.reason && !it.reason->size)
        rm_blob_unref (&it.reason);
    if (goes_on (self) && !rm_attempts_add (attempts, &it))
        return;
    self->no_memory = self->no_memory || !self->small.bad;
    rm_blob_unref (&it.worker);
    rm_blob_unref (&it.reason);
}

/* NULL: it has none, or they are not read. */
static rm_attempts_t *read_attempts (restorer_t *self, const rm_record_t *record, bool there)
{
    rm_attempts_t *attempts = NULL;
    uint8_t count = there && goes_on (self) ? rm_read_u8 (&self->small) : 0;
    expect (self,
            !there || (count && count <= RM_ATTEMPTS_KEPT && count <= (uint64_t)record->failures + record->crashes));
    for (uint8_t i = 0; i < count && goes_on (self); i++)
        read_attempt (self, &attempts);
    return attempts;
}

static rm_record_t *add_record (restorer_t *self, rm_record_t *it)
{
    rm_state_t *state = self->state;
    if (it->outcome) {
        rm_record_t *record = rm_state_add_ended (state, it->id, it->queue, it->outcome);
        if (!record)
            return NULL;
        record->key_bytes = it->key_bytes;
        record->data = it->data;
        record->ended_ms = it->ended_ms;
        record->data_size = it->data_size;
        self->ended_count++;
        return record;
    }
    rm_record_t *record = rm_state_add_record (state, it->id, it->queue, it->session, it->key_bytes, it->data);
    if (!record)
        return NULL;
    record->started_inc = it->started_inc;
    state->started_count += record->started_inc != 0;
    return record;
}

/* Gives the record what was read of its extra. */
static void keep_extra (restorer_t *self, rm_record_t *record, rm_extra_t *it)
{
    rm_extra_t *extra = made (self, rm_state_extra (record));
    if (!extra)
        return;
    extra->priority = it->priority;
    extra->deadline_ms = it->deadline_ms;
    extra->retry = it->retry;
    extra->kicked_from = it->kicked_from;
    extra->kicked_as = it->kicked_as;
    extra->attempts = it->attempts;
    it->attempts = NULL;
    extra->place = it->place;
    if (it->place && !record->outcome && rm_state_stand (record, it->place))
        self->no_memory = true;
    if (it->uid && rm_queue_record (record->queue, (rm_bytes_t){it->uid->data, it->uid->size})) {
        expect (self, false);
        return;
    }
    if (it->uid && rm_state_name (record, it->uid))
        self->no_memory = true;
    else
        it->uid = NULL;
    if (it->stop && rm_state_mark_stop (self->state, record, it->stop, it->stop_reason))
        self->no_memory = true;
    else
        it->stop_reason = NULL;
}

/* What holds its key still has its data, and is of a queue that lets it. */
static void hold (restorer_t *self, rm_record_t *record)
{
    expect (self, record->data && record->queue->hold);
    if (!goes_on (self))
        return;
    record->key = made (self, rm_state_key (record->queue, record->key_bytes));
    if (record->key)
        rm_state_hold (record);
}

static uint64_t read_record (restorer_t *self, uint64_t before)
{
    rm_record_t it = {0};
    rm_extra_t extra = {0};
    uint16_t mask = read_fields (self, &it);
    uint8_t extras = mask & RM_HAS_EXTRA ? read_extra (self, &it, mask, &extra) : 0;
    expect (self, it.id > before && rm_state_gave (self->state, it.id));
    it.key_bytes = read_blob (self, mask & RM_HAS_KEY);
    it.reason = read_blob (self, mask & RM_HAS_REASON);
    it.result = read_blob (self, mask & RM_HAS_RESULT);
    it.data = read_blob (self, !(mask & RM_HAS_ENDED) || extras & RM_EXTRA_DATA);
    extra.uid = read_blob (self, extras & RM_EXTRA_UID);
    extra.stop_reason = read_blob (self, extras & RM_EXTRA_STOP);
    expect (self, !extra.uid || (extra.uid->size && extra.uid->size <= RM_UID_BYTES_MAX));
    extra.attempts = read_attempts (self, &it, mask & RM_HAS_ATTEMPTS);
    rm_record_t *record = goes_on (self) ? made (self, add_record (self, &it)) : NULL;
    if (record && (extras || extra.attempts))
        keep_extra (self, record, &extra);
    rm_attempts_destroy (&extra.attempts);
    if (record && mask & RM_HAS_HOLDS)
        hold (self, record);
    rm_blob_unref (&extra.uid);
    rm_blob_unref (&extra.stop_reason);
    if (!record) {
        rm_blob_unref (&it.key_bytes);
        rm_blob_unref (&it.reason);
        rm_blob_unref (&it.result);
        rm_blob_unref (&it.data);
        return 0;
    }
    record->reason = it.reason;
    record->result = it.result;
    record->accepted_ms = it.accepted_ms;
    record->tries = it.tries;
    record->timeout_ms = it.timeout_ms;
    record->flags = it.flags;
    record->failures = it.failures;
    record->crashes = it.crashes;
    record->not_before_ms = it.not_before_ms;
    return record->id;
}

static void read_records (restorer_t *self)
{
    uint32_t count = rm_read_count (&self->small, 34);
    uint64_t id = 0;
    for (uint32_t i = 0; i < count && goes_on (self); i++)
        id = read_record (self, id);
}

static void read_ended (restorer_t *self, rm_queue_t *queue)
{
    uint32_t count = rm_read_count (&self->small, 8);
    for (uint32_t i = 0; i < count && goes_on (self); i++) {
        rm_record_t *record = rm_state_record (self->state, rm_read_u64 (&self->small));
        expect (self, record && record->outcome && record->queue == queue && !rm_list_linked (&record->line));
        expect (self, !queue->holding_count || rm_record_holds (record));
        if (goes_on (self))
            rm_state_keep_ended (self->state, record);
    }
    expect (self, queue->ended_count + queue->holding_count <= queue->done_count + queue->dead_count);
}

/* ---- a snapshot ------------------------------------------------------------------------------------------------- */

/* The end of the input, and the books balance: accepted = waiting + ended + forgotten. */
static void check (restorer_t *self)
{
    const rm_state_t *state = self->state;
    expect (self, self->small.at == self->small.end && self->large.at == self->large.end);
    expect (self, self->ended_count == state->ended_count);
    expect (self, rm_state_accepted_count (state) == state->waiting_count + state->done_count + state->dead_count);
}

static void read_state (restorer_t *self)
{
    read_counters (self);
    read_pools (self);
    if (goes_on (self))
        read_queues (self);
    if (goes_on (self))
        read_members (self);
    if (goes_on (self) && self->format > 1)
        read_removed (self);
    for (rm_pool_t *pool = self->state->pools; pool && goes_on (self); pool = pool->next)
        read_slots (self, pool);
    if (goes_on (self))
        read_sessions (self);
    if (goes_on (self))
        read_records (self);
    for (rm_queue_t *queue = self->state->queues; queue && goes_on (self); queue = queue->hh.next)
        read_ended (self, queue);
    check (self);
}

int rm_snapshot_restore (rm_state_t *state, const void *data, size_t size)
{
    const uint8_t *end = (const uint8_t *)data + size;
    rm_reader_t head = {data, end, false};
    uint8_t format = rm_read_u8 (&head);
    uint64_t large_bytes = rm_read_u64 (&head);
    state->format = format > 3 ? 2 : 1;
    if (format < 1 || format > RM_SNAPSHOT_FORMAT || head.bad || large_bytes > (size_t)(end - head.at))
        return RM_ECORRUPT;
    const uint8_t *small = head.at + large_bytes;
    restorer_t self = {
        .state = state, .small = {small, end, false}, .large = {head.at, small, false}, .format = format};
    read_state (&self);
    rm_free (self.pools);
    rm_free (self.queues);
    rm_free (self.sessions);
    if (self.no_memory)
        return RM_ENOMEM;
    return self.small.bad ? RM_ECORRUPT : 0;
}
