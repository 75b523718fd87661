/*  What workers tell of jobs that run, for whoever waits or looks: how far they are, and partial results. Nothing of it is in
 *  the ledger.
 */
#include <string.h>

#include "core/leader_inside.h"
#include "proto/alloc.h"

enum { PARTIAL_BYTES = 64 /* what one costs beside its data */ };

const rm_progress_t *rm_leader_progress (const rm_record_t *record)
{
    const rm_progress_t *progress = record->lead.progress;
    return progress && progress->stamp && rm_record_runs (record) && progress->attempt == rm_record_attempt (record)
               ? progress
               : NULL;
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static void drop_oldest_partial (rm_leader_t *self, rm_progress_t *progress)
{
    rm_told_partial_t *partial = RM_OWNER (rm_list_first (&progress->partials), rm_told_partial_t, link);
    size_t bytes = partial->data->size + PARTIAL_BYTES;
    progress->partial_bytes -= bytes;
    self->partial_bytes -= bytes;
    rm_list_remove (&partial->link);
    rm_blob_unref (&partial->data);
    rm_free (partial);
}

static void empty (rm_leader_t *self, rm_progress_t *progress)
{
    while (!rm_list_empty (&progress->partials))
        drop_oldest_partial (self, progress);
    rm_blob_unref (&progress->note);
    progress->stamp = 0;
}

void rm_leader_drop_progress (rm_leader_t *self, rm_record_t *record)
{
    rm_progress_t *progress = record->lead.progress;
    if (!progress)
        return;
    record->lead.progress = NULL;
    empty (self, progress);
    rm_list_remove (&progress->linger);
    rm_free (progress);
}

/* Its job has ended: who has not seen its last partial results yet has a moment to. */
void rm_leader_end_progress (rm_leader_t *self, rm_record_t *record)
{
    rm_progress_t *progress = record->lead.progress;
    if (!progress || rm_list_empty (&progress->partials)) {
        rm_leader_drop_progress (self, record);
        return;
    }
    progress->due_ms = self->now.mono_ms + RM_PARTIALS_LINGER_MS;
    rm_list_append (&self->lingering, &progress->linger);
}

void rm_leader_end_lingering (rm_leader_t *self)
{
    for (rm_link_t *first; (first = rm_list_first (&self->lingering));) {
        rm_progress_t *progress = RM_OWNER (first, rm_progress_t, linger);
        if (progress->due_ms > self->now.mono_ms)
            break;
        rm_leader_drop_progress (self, progress->record);
    }
}

/* Where to keep what is told of this attempt; NULL: memory has run out, and a hint is not worth a node. */
static rm_progress_t *progress_of (rm_leader_t *self, rm_record_t *record)
{
    rm_progress_t *progress = record->lead.progress;
    if (!progress) {
        progress = record->lead.progress = rm_calloc (1, sizeof *progress);
        if (!progress)
            return NULL;
        progress->record = record;
        rm_list_init (&progress->linger);
        rm_list_init (&progress->partials);
    }
    if (progress->attempt != rm_record_attempt (record))
        empty (self, progress);
    progress->attempt = rm_record_attempt (record);
    return progress;
}

/* The record, if this is the worker's attempt at it; else NULL. */
static rm_record_t *find (const rm_leader_t *self, const rm_peer_t *peer, uint64_t id, uint32_t attempt)
{
    rm_record_t *record = rm_state_record (self->state, id);
    bool here = record && record->outcome == RM_OUTCOME_NONE && rm_record_peer (record) == peer &&
                record->lead.at == RM_AT_SENT && attempt == rm_record_attempt (record);
    return here ? record : NULL;
}

/* ---- how far it is ---------------------------------------------------------------------------------------------- */

/* A worker says it again to whom it is new: to others it is not news. */
static bool is_known (const rm_record_t *record, const rm_progress_job_t *job)
{
    const rm_progress_t *known = rm_leader_progress (record);
    return known && known->permille == job->permille &&
           rm_bytes_equal ((rm_bytes_t){known->note->data, known->note->size}, job->note);
}

static void take (rm_leader_t *self, rm_record_t *record, const rm_progress_job_t *job)
{
    rm_blob_t *note = rm_blob_new (job->note.data, job->note.size);
    rm_progress_t *progress = note ? progress_of (self, record) : NULL;
    if (!progress) {
        rm_blob_unref (&note);
        return;
    }
    rm_blob_unref (&progress->note);
    progress->note = note;
    progress->permille = job->permille;
    progress->stamp = ++self->stamp;
    rm_leader_note (self, record, RM_EVENT_PROGRESS);
    rm_leader_answer_followers (self, record, false);
}

void rm_leader_take_progress (rm_leader_t *self, rm_peer_t *peer, const rm_msg_progress_t *msg)
{
    for (uint32_t i = 0; i < msg->job_count; i++) {
        rm_record_t *record = find (self, peer, msg->jobs[i].id, msg->jobs[i].attempt);
        if (record && !is_known (record, &msg->jobs[i]))
            take (self, record, &msg->jobs[i]);
    }
}

/* ---- partial results -------------------------------------------------------------------------------------------- */

/* Makes room for one more: the oldest ones of the job go; false: all others leave none. */
static bool make_room (rm_leader_t *self, rm_progress_t *progress, size_t bytes)
{
    while (!rm_list_empty (&progress->partials) && (progress->partial_bytes + bytes > RM_PARTIALS_BYTES_MAX ||
                                                    self->partial_bytes + bytes > RM_PARTIALS_ALL_BYTES_MAX))
        drop_oldest_partial (self, progress);
    return self->partial_bytes + bytes <= RM_PARTIALS_ALL_BYTES_MAX;
}

/* One that is told twice, or late, is not in its turn. */
static bool in_turn (const rm_progress_t *progress, uint64_t n)
{
    rm_link_t *last = progress->partials.prev;
    return rm_list_empty (&progress->partials) || RM_OWNER (last, rm_told_partial_t, link)->n < n;
}

/* False: it is not kept, for whatever reason. */
static bool keep (rm_leader_t *self, rm_progress_t *progress, const rm_partial_t *told)
{
    size_t bytes = told->data.size + PARTIAL_BYTES;
    if (!in_turn (progress, told->n) || !make_room (self, progress, bytes))
        return false;
    rm_told_partial_t *partial = rm_calloc (1, sizeof *partial);
    rm_blob_t *data = rm_blob_new (told->data.data, told->data.size);
    if (!partial || !data) {
        rm_free (partial);
        rm_blob_unref (&data);
        return false;
    }
    partial->n = told->n;
    partial->stamp = ++self->stamp;
    partial->data = data;
    rm_list_append (&progress->partials, &partial->link);
    progress->partial_bytes += bytes;
    self->partial_bytes += bytes;
    return true;
}

void rm_leader_take_partials (rm_leader_t *self, rm_peer_t *peer, const rm_msg_partial_t *msg)
{
    rm_record_t *news = NULL; /* of whom the ones before were */
    for (uint32_t i = 0; i < msg->partial_count; i++) {
        rm_record_t *record = find (self, peer, msg->partials[i].id, msg->partials[i].attempt);
        rm_progress_t *progress = record ? progress_of (self, record) : NULL;
        if (!progress || !keep (self, progress, &msg->partials[i]))
            continue;
        if (news && news != record)
            rm_leader_answer_followers (self, news, true);
        news = record;
    }
    if (news)
        rm_leader_answer_followers (self, news, true);
}
