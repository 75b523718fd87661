/*  Entries by which people steer jobs and queues, of the state's format 2 (docs/ledger.md). Deterministic: nothing here may
 *  look at `lead` members. */
#include "core/apply_inside.h"
#include "core/settings.h"
#include "core/share.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

int rm_apply_format (rm_state_t *self, rm_reader_t *reader)
{
    uint8_t format = rm_read_u8 (reader);
    if (format < 2 || format > RM_STATE_FORMAT)
        reader->bad = true;
    else if (format > self->format)
        self->format = format;
    return 0;
}

/* ---- options of a submit ---------------------------------------------------------------------------------------- */

static int name (rm_record_t *record, rm_bytes_t uid)
{
    rm_blob_t *blob = rm_blob_new (uid.data, uid.size);
    int rc = blob ? rm_state_name (record, blob) : RM_ENOMEM;
    if (rc)
        rm_blob_unref (&blob);
    return rc;
}

int rm_apply_options (rm_state_t *self, rm_record_t *record, const rm_job_options_t *options)
{
    const rm_spacing_t retry = rm_retry_of (options);
    if (options->delay_ms)
        record->not_before_ms = self->time_ms + options->delay_ms;
    if (!options->deadline_ms && !options->priority && !options->uid.size && !retry.delay_ms)
        return 0;
    rm_extra_t *extra = rm_state_extra (record);
    if (!extra)
        return RM_ENOMEM;
    extra->deadline_ms = options->deadline_ms ? self->time_ms + options->deadline_ms : 0;
    extra->priority = options->priority;
    extra->retry = retry;
    return options->uid.size ? name (record, options->uid) : 0;
}

/* ---- stop ------------------------------------------------------------------------------------------------------- */

int rm_apply_end_stopped (rm_state_t *self, rm_record_t *record)
{
    rm_extra_t *extra = record->extra;
    rm_blob_unref (&record->reason);
    record->reason = extra->stop_reason;
    extra->stop_reason = NULL;
    rm_apply_end (self, record, extra->stop);
    return 0;
}

/* Only a job that no worker has may end at once: the next one of its key would be handed out while it runs. A dead one that
 * holds its key, and is given up, holds it no longer. */
int rm_apply_stop (rm_state_t *self, rm_reader_t *reader)
{
    rm_entry_stop_t entry = rm_read_stop (reader);
    rm_record_t *record = rm_state_record (self, entry.id);
    if (!reader->bad && record && rm_record_holds (record) && entry.outcome == RM_OUTCOME_CANCELLED)
        rm_state_release (self, record);
    if (reader->bad || !record || record->outcome != RM_OUTCOME_NONE)
        return 0;
    bool at_once = entry.at_once && !record->started_inc;
    if (at_once && rm_record_stops (record))
        return rm_apply_end_stopped (self, record);
    if (at_once)
        return rm_apply_end_for (self, record, entry.outcome, entry.reason);
    if (rm_record_stops (record))
        return 0;
    rm_blob_t *reason = rm_blob_new (entry.reason.data, entry.reason.size);
    if (!reason || rm_state_mark_stop (self, record, entry.outcome, reason)) {
        rm_blob_unref (&reason);
        return RM_ENOMEM;
    }
    TELL (self, stopping, record);
    return 0;
}

/* ---- kick ------------------------------------------------------------------------------------------------------- */

/* Whose jobs are those that nobody's session submitted. */
static rm_ledger_session_t *nobody (rm_state_t *self)
{
    static const rm_session_id_t none;
    rm_ledger_session_t *session = rm_state_session (self, &none);
    return session ? session : rm_state_add_session (self, &none);
}

static rm_record_t *again (rm_state_t *self, rm_record_t *dead)
{
    rm_ledger_session_t *session = nobody (self);
    if (!session)
        return NULL;
    session->heard_ms = self->time_ms;
    rm_blob_t *key = dead->key_bytes ? rm_blob_ref (dead->key_bytes) : NULL, *data = rm_blob_ref (dead->data);
    rm_record_t *record = rm_state_add_record (self, self->last_id + 1, dead->queue, session, key, data);
    if (!record) {
        rm_blob_unref (&key);
        rm_blob_unref (&data);
        return NULL;
    }
    self->last_id = record->id;
    record->tries = dead->tries;
    record->timeout_ms = dead->timeout_ms;
    record->flags = dead->flags;
    record->accepted_ms = self->time_ms;
    return record;
}

/* A dead job is submitted again, once: under a new id, at the end of its line; or, if it holds its key, where it stood. */
int rm_apply_kick (rm_state_t *self, rm_reader_t *reader)
{
    rm_record_t *dead = rm_state_record (self, rm_read_u64 (reader));
    if (reader->bad || !dead || dead->outcome != RM_OUTCOME_DEAD || !dead->data)
        return 0;
    rm_extra_t *old = rm_state_extra (dead);
    rm_record_t *record = old ? again (self, dead) : NULL;
    rm_extra_t *extra = record ? rm_state_extra (record) : NULL;
    if (!extra || rm_state_rename (dead, record))
        return RM_ENOMEM;
    extra->priority = old->priority;
    extra->retry = old->retry;
    extra->kicked_from = dead->id;
    old->kicked_as = record->id;
    if (rm_record_holds (dead)) {
        if (rm_state_stand (record, rm_record_place (dead)))
            return RM_ENOMEM;
        rm_state_release (self, dead);
    }
    rm_state_drop_data (dead);
    TELL (self, accepted, record);
    return 0;
}

/* ---- queues ----------------------------------------------------------------------------------------------------- */

int rm_apply_queue_set (rm_state_t *self, rm_reader_t *reader)
{
    rm_entry_queue_set_t entry = rm_read_queue_set (reader);
    if (!rm_setting_allows (entry.setting, entry.value))
        reader->bad = true;
    if (reader->bad)
        return 0;
    rm_queue_t *queue = rm_state_queue (self, entry.queue);
    if (!queue && self->queue_count >= RM_QUEUES_MAX)
        return 0;
    if (!queue && !(queue = rm_state_add_queue (self, entry.queue)))
        return RM_ENOMEM;
    bool changes = rm_setting_get (queue, entry.setting) != entry.value;
    rm_setting_put (queue, entry.setting, entry.value);
    if (rm_share_review (queue))
        return RM_ENOMEM;
    if (!queue->hold)
        rm_state_release_queue (self, queue);
    if (changes)
        TELL (self, queue_set, queue, entry.setting);
    return 0;
}
