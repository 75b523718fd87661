#include "core/state.h"

#include <endian.h>
#include <string.h>

#include "core/entry.h"
#include "core/share.h"
#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

int rm_state_init (rm_state_t *self)
{
    memset (self, 0, sizeof *self);
    self->format = 1;
    return 0;
}

/* ---- look-ups --------------------------------------------------------------------------------------------------- */

rm_record_t *rm_state_record (const rm_state_t *self, uint64_t id)
{
    return rm_ids_get (&self->records, id);
}

rm_record_t *rm_state_from (const rm_state_t *self, uint64_t id)
{
    return rm_ids_from (&self->records, id);
}

rm_record_t *rm_state_upto (const rm_state_t *self, uint64_t id)
{
    return rm_ids_upto (&self->records, id);
}

bool rm_state_gave (const rm_state_t *self, uint64_t id)
{
    bool skipped = self->skipped_count && id > self->skipped_after && id - self->skipped_after <= RM_GENERATION_IDS;
    return id && id <= self->last_id && !skipped;
}

uint64_t rm_state_accepted_count (const rm_state_t *self)
{
    return self->last_id - self->skipped_count;
}

rm_queue_t *rm_state_queue (const rm_state_t *self, rm_bytes_t name)
{
    rm_queue_t *queue;
    HASH_FIND (hh, self->queues, name.data, name.size, queue);
    return queue;
}

rm_pool_t *rm_state_pool (const rm_state_t *self, rm_bytes_t name)
{
    for (rm_pool_t *pool = self->pools; pool; pool = pool->next)
        if (rm_bytes_equal (rm_bytes (pool->name), name))
            return pool;
    return NULL;
}

rm_member_t *rm_state_member (const rm_state_t *self, uint64_t inc)
{
    rm_member_t *member;
    HASH_FIND (hh, self->by_inc, &inc, sizeof inc, member);
    return member;
}

bool rm_state_was_removed (const rm_state_t *self, uint64_t inc)
{
    uint64_t count = self->removed_count < RM_REMOVED_MAX ? self->removed_count : RM_REMOVED_MAX;
    for (uint64_t i = 0; i < count; i++)
        if (self->removed[i] == inc)
            return true;
    return false;
}

rm_ledger_session_t *rm_state_session (const rm_state_t *self, const rm_session_id_t *id)
{
    rm_ledger_session_t *session;
    HASH_FIND (hh, self->sessions, id, sizeof *id, session);
    return session;
}

rm_record_t *rm_queue_record (const rm_queue_t *self, rm_bytes_t uid)
{
    rm_extra_t *extra;
    HASH_FIND (hh, self->uids, uid.data, uid.size, extra);
    return extra ? extra->record : NULL;
}

static void hash_options (XXH3_state_t *hash, const rm_job_options_t *options)
{
    uint64_t numbers[] = {htole64 (options->delay_ms),       htole64 (options->deadline_ms),
                          htole64 (options->priority),       htole64 (options->retry_delay_ms),
                          htole64 (options->retry_permille), htole64 (options->retry_cap_ms),
                          htole64 (options->retry_jitter)};
    XXH3_64bits_update (hash, numbers, sizeof numbers);
    if (options->uid.size)
        XXH3_64bits_update (hash, options->uid.data, options->uid.size);
}

uint64_t rm_submit_hash (const rm_submit_job_t *job)
{
    XXH3_state_t hash;
    XXH3_64bits_reset (&hash);
    uint32_t key_size = job->key.data ? job->key.size + 1 : 0;
    uint32_t head[] = {htole32 (job->tries),      htole32 (job->timeout_ms), htole32 (job->flags),
                       htole32 (job->queue.size), htole32 (key_size),        htole32 (job->data.size)};
    XXH3_64bits_update (&hash, head, sizeof head);
    XXH3_64bits_update (&hash, job->queue.data, job->queue.size);
    if (job->key.size)
        XXH3_64bits_update (&hash, job->key.data, job->key.size);
    if (job->data.size)
        XXH3_64bits_update (&hash, job->data.data, job->data.size);
    if (rm_job_has_options (job))
        hash_options (&hash, &job->options);
    return XXH3_64bits_digest (&hash);
}

uint32_t rm_pool_share (const rm_pool_t *self, uint16_t member)
{
    uint32_t share = 0;
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
        share += self->target[slot] == member;
    return share;
}

bool rm_pool_holds (const rm_pool_t *self, uint32_t slot, uint16_t member)
{
    for (int i = 0; i < RM_HOLDERS_MAX; i++)
        if (self->holders[slot].members[i] == member)
            return true;
    return false;
}

/* ---- adding ----------------------------------------------------------------------------------------------------- */

rm_queue_t *rm_state_add_queue (rm_state_t *self, rm_bytes_t name)
{
    rm_queue_t *queue = rm_calloc (1, sizeof *queue);
    if (!queue)
        return NULL;
    queue->name = rm_strndup (name.data, name.size);
    if (queue->name) {
        HASH_ADD_KEYPTR (hh, self->queues, queue->name, name.size, queue);
        if (!RM_HASH_ADDED (queue)) {
            rm_free (queue->name);
            queue->name = NULL;
        }
    }
    if (!queue->name) {
        rm_free (queue);
        return NULL;
    }
    queue->number = self->queue_count++;
    rm_list_init (&queue->open);
    rm_list_init (&queue->unkeyed);
    rm_list_init (&queue->ended);
    rm_list_init (&queue->holding);
    queue->tries = RM_TRIES;
    queue->timeout_ms = RM_JOB_TIMEOUT_MS;
    queue->keep_ms = RM_KEEP_MS;
    queue->keep_bytes = RM_KEEP_BYTES;
    return queue;
}

rm_pool_t *rm_state_add_pool (rm_state_t *self, rm_bytes_t name)
{
    rm_pool_t *pool = rm_calloc (1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->name = rm_strndup (name.data, name.size);
    if (!pool->name) {
        rm_free (pool);
        return NULL;
    }
    pool->number = self->pool_count++;
    memset (pool->owner, 0xff, sizeof pool->owner);
    memset (pool->target, 0xff, sizeof pool->target);
    memset (pool->holders, 0xff, sizeof pool->holders);
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
        rm_list_init (&pool->slot_keys[slot]);
    rm_pool_t **end = &self->pools;
    while (*end)
        end = &(*end)->next;
    *end = pool;
    return pool;
}

rm_ledger_session_t *rm_state_add_session (rm_state_t *self, const rm_session_id_t *id)
{
    rm_ledger_session_t *session = rm_calloc (1, sizeof *session);
    if (!session)
        return NULL;
    session->id = *id;
    HASH_ADD (hh, self->sessions, id, sizeof session->id, session);
    if (!RM_HASH_ADDED (session)) {
        rm_free (session);
        return NULL;
    }
    session->number = ++self->session_numbers;
    return session;
}

rm_member_t *rm_state_add_member (rm_state_t *self, uint16_t number, uint64_t inc, rm_bytes_t name, rm_pool_t *pool,
                                  const rm_bytes_t *queues, uint32_t queue_count, uint32_t threads)
{
    RM_ASSERT (number < RM_MEMBERS_MAX && !self->members[number]);
    rm_member_t *member = rm_calloc (1, sizeof *member);
    if (!member)
        return NULL;
    member->name = rm_strndup (name.data, name.size);
    member->queues = rm_calloc (queue_count, sizeof *member->queues);
    member->inc = inc;
    if (member->name && member->queues)
        HASH_ADD (hh, self->by_inc, inc, sizeof member->inc, member);
    if (!RM_HASH_ADDED (member)) {
        rm_state_free_member (member);
        return NULL;
    }
    member->number = number;
    member->pool = pool;
    member->threads = threads;
    for (uint32_t i = 0; i < queue_count; i++) {
        member->queues[i] = rm_state_queue (self, queues[i]);
        RM_ASSERT (member->queues[i]);
    }
    member->queue_count = queue_count;
    self->members[number] = member;
    self->member_count++;
    return member;
}

rm_key_t *rm_state_key (rm_queue_t *queue, rm_blob_t *bytes)
{
    rm_key_t *key;
    HASH_FIND (hh, queue->keys, bytes->data, bytes->size, key);
    if (key)
        return key;
    key = rm_calloc (1, sizeof *key);
    if (!key)
        return NULL;
    HASH_ADD_KEYPTR (hh, queue->keys, bytes->data, bytes->size, key);
    if (!RM_HASH_ADDED (key)) {
        rm_free (key);
        return NULL;
    }
    key->queue = queue;
    key->bytes = rm_blob_ref (bytes);
    key->slot = rm_ring_slot (bytes->data, bytes->size);
    rm_list_init (&key->records);
    rm_list_init (&key->dead);
    rm_list_init (&key->neighbours);
    if (queue->pool)
        rm_list_append (&queue->pool->slot_keys[key->slot], &key->neighbours);
    return key;
}

static void free_key (rm_state_t *self, rm_key_t *key)
{
    if (self->listener.key_freed)
        self->listener.key_freed (self->listener.arg, key);
    HASH_DEL (key->queue->keys, key);
    rm_list_remove (&key->neighbours);
    rm_blob_unref (&key->bytes);
    rm_free (key);
}

/* A record that is in no line yet. */
static rm_record_t *new_record (rm_state_t *self, uint64_t id, rm_queue_t *queue)
{
    rm_record_t *record = rm_calloc (1, sizeof *record);
    if (!record)
        return NULL;
    record->id = id;
    if (rm_ids_put (&self->records, id, record)) {
        rm_free (record);
        return NULL;
    }
    record->queue = queue;
    rm_list_init (&record->open);
    rm_list_init (&record->line);
    rm_list_init (&record->lead.waiters);
    return record;
}

rm_record_t *rm_state_add_record (rm_state_t *self, uint64_t id, rm_queue_t *queue, rm_ledger_session_t *session,
                                  rm_blob_t *key_bytes, rm_blob_t *data)
{
    rm_record_t *record = new_record (self, id, queue);
    if (!record)
        return NULL;
    if (rm_share_add (queue, session, data->size)) {
        rm_ids_remove (&self->records, record->id);
        rm_free (record);
        return NULL;
    }
    if (key_bytes) {
        record->key = rm_state_key (queue, key_bytes);
        if (!record->key) {
            rm_share_take (queue, session, data->size);
            rm_ids_remove (&self->records, record->id);
            rm_free (record);
            return NULL;
        }
    }
    rm_list_append (record->key ? &record->key->records : &queue->unkeyed, &record->line);
    rm_list_append (&queue->open, &record->open);
    record->key_bytes = key_bytes;
    record->data = data;
    record->data_size = data->size;
    record->session = session;
    queue->waiting_count++;
    queue->waiting_bytes += data->size;
    session->waiting_count++;
    session->waiting_bytes += data->size;
    self->waiting_count++;
    self->waiting_bytes += data->size;
    return record;
}

rm_extra_t *rm_state_extra (rm_record_t *record)
{
    if (record->extra)
        return record->extra;
    record->extra = rm_calloc (1, sizeof *record->extra);
    if (record->extra)
        record->extra->record = record;
    return record->extra;
}

int rm_state_name (rm_record_t *record, rm_blob_t *uid)
{
    rm_extra_t *extra = rm_state_extra (record);
    if (!extra)
        return RM_ENOMEM;
    HASH_ADD_KEYPTR (hh, record->queue->uids, uid->data, uid->size, extra);
    if (!RM_HASH_ADDED (extra))
        return RM_ENOMEM;
    extra->uid = uid;
    return 0;
}

static rm_blob_t *unname (rm_extra_t *extra)
{
    rm_blob_t *uid = extra->uid;
    if (uid)
        HASH_DEL (extra->record->queue->uids, extra);
    extra->uid = NULL;
    return uid;
}

int rm_state_rename (rm_record_t *from, rm_record_t *to)
{
    rm_blob_t *uid = from->extra ? unname (from->extra) : NULL;
    int rc = uid ? rm_state_name (to, uid) : 0;
    if (rc)
        rm_blob_unref (&uid);
    return rc;
}

int rm_state_mark_stop (rm_state_t *self, rm_record_t *record, rm_outcome_t outcome, rm_blob_t *reason)
{
    rm_extra_t *extra = rm_state_extra (record);
    if (!extra)
        return RM_ENOMEM;
    RM_ASSERT (!extra->stop && record->outcome == RM_OUTCOME_NONE);
    extra->stop = outcome;
    extra->stop_reason = reason;
    self->stopping_count++;
    return 0;
}

static void free_extra (rm_extra_t *extra)
{
    if (!extra)
        return;
    rm_blob_t *uid = unname (extra);
    rm_blob_unref (&uid);
    rm_blob_unref (&extra->stop_reason);
    rm_attempts_destroy (&extra->attempts);
    rm_free (extra);
}

rm_record_t *rm_state_add_ended (rm_state_t *self, uint64_t id, rm_queue_t *queue, rm_outcome_t outcome)
{
    RM_ASSERT (outcome != RM_OUTCOME_NONE);
    rm_record_t *record = new_record (self, id, queue);
    if (record)
        record->outcome = outcome;
    return record;
}

void rm_state_pool_queue (rm_state_t *self, rm_queue_t *queue, rm_pool_t *pool)
{
    queue->pool = pool;
    for (rm_key_t *key = queue->keys; key; key = key->hh.next)
        rm_list_append (&pool->slot_keys[key->slot], &key->neighbours);
    if (self->listener.pooled)
        self->listener.pooled (self->listener.arg, queue);
}

/* ---- ending ----------------------------------------------------------------------------------------------------- */

static uint32_t blob_size (const rm_blob_t *blob)
{
    return blob ? blob->size : 0;
}

uint64_t rm_record_kept_bytes (const rm_record_t *record)
{
    return (uint64_t)blob_size (record->result) + blob_size (record->reason) + blob_size (record->data) +
           (record->extra ? rm_attempts_bytes (record->extra->attempts) : 0);
}

void rm_state_drop_data (rm_record_t *record)
{
    RM_ASSERT (record->outcome != RM_OUTCOME_NONE);
    record->queue->ended_bytes -= blob_size (record->data);
    rm_blob_unref (&record->data);
}

void rm_state_keep_ended (rm_state_t *self, rm_record_t *record)
{
    rm_queue_t *queue = record->queue;
    uint64_t bytes = rm_record_kept_bytes (record);
    bool holds = rm_record_holds (record);
    rm_list_append (holds ? &queue->holding : &queue->ended, &record->line);
    *(holds ? &queue->holding_count : &queue->ended_count) += 1;
    *(holds ? &queue->holding_bytes : &queue->ended_bytes) += bytes;
    self->ended_count++;
    self->holding_count += holds;
    self->holding_bytes += holds ? bytes : 0;
}

void rm_state_shelve (rm_state_t *self, rm_record_t *record, rm_outcome_t outcome, uint64_t ended_ms)
{
    rm_queue_t *queue = record->queue;
    queue->waiting_count--;
    queue->waiting_bytes -= record->data_size;
    self->waiting_count--;
    self->waiting_bytes -= record->data_size;
    record->session->waiting_count--;
    record->session->waiting_bytes -= record->data_size;
    rm_share_take (queue, record->session, record->data_size);
    record->session = NULL;
    self->stopping_count -= rm_record_stops (record);
    if (self->format < 2 || outcome != RM_OUTCOME_DEAD)
        rm_blob_unref (&record->data);
    rm_list_remove (&record->open);
    rm_list_remove (&record->line);
    record->outcome = outcome;
    record->ended_ms = ended_ms;
    if (record->key && outcome == RM_OUTCOME_DEAD && queue->hold)
        rm_state_hold (record);
    rm_state_keep_ended (self, record);
    if (outcome == RM_OUTCOME_DONE) {
        queue->done_count++;
        self->done_count++;
    } else {
        queue->dead_count++;
        self->dead_count++;
    }
}

void rm_state_untie_key (rm_state_t *self, rm_record_t *record)
{
    rm_key_t *key = record->key;
    record->key = NULL;
    if (key && rm_list_empty (&key->records) && rm_list_empty (&key->dead))
        free_key (self, key);
}

static void free_record (rm_state_t *self, rm_record_t *record)
{
    if (self->listener.record_freed)
        self->listener.record_freed (self->listener.arg, record);
    rm_ids_remove (&self->records, record->id);
    rm_list_remove (&record->line);
    rm_blob_unref (&record->key_bytes);
    rm_blob_unref (&record->data);
    rm_blob_unref (&record->result);
    rm_blob_unref (&record->reason);
    free_extra (record->extra);
    rm_free (record);
}

void rm_state_forget (rm_state_t *self, rm_record_t *record)
{
    RM_ASSERT (record->outcome != RM_OUTCOME_NONE && !rm_record_holds (record));
    record->queue->ended_count--;
    record->queue->ended_bytes -= rm_record_kept_bytes (record);
    self->ended_count--;
    free_record (self, record);
}

void rm_state_note_removed (rm_state_t *self, uint64_t inc)
{
    self->removed[self->removed_count++ % RM_REMOVED_MAX] = inc;
}

void rm_state_unlist_member (rm_state_t *self, rm_member_t *member)
{
    HASH_DEL (self->by_inc, member);
    self->members[member->number] = NULL;
    self->member_count--;
}

void rm_state_free_member (rm_member_t *member)
{
    rm_free (member->name);
    rm_free (member->queues);
    rm_free (member);
}

void rm_state_drop_session (rm_state_t *self, rm_ledger_session_t *session)
{
    if (self->listener.session_freed)
        self->listener.session_freed (self->listener.arg, session);
    HASH_DEL (self->sessions, session);
    rm_free (session->requests);
    rm_free (session);
}

void rm_state_close (rm_state_t *self)
{
    self->listener = (rm_state_listener_t){0};
    for (rm_record_t *record; (record = rm_state_from (self, 0));)
        free_record (self, record);
    for (rm_queue_t *queue = self->queues, *next; queue; queue = next) {
        next = queue->hh.next;
        while (queue->keys)
            free_key (self, queue->keys);
        rm_share_drop (queue);
        HASH_DEL (self->queues, queue);
        rm_free (queue->name);
        rm_free (queue);
    }
    for (rm_member_t *member = self->by_inc, *next; member; member = next) {
        next = member->hh.next;
        rm_state_unlist_member (self, member);
        rm_state_free_member (member);
    }
    while (self->sessions)
        rm_state_drop_session (self, self->sessions);
    for (rm_pool_t *pool = self->pools, *next; pool; pool = next) {
        next = pool->next;
        rm_free (pool->name);
        rm_free (pool);
    }
    memset (self, 0, sizeof *self);
}
