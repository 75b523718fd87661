/*  What workers tell of jobs that run, for whoever waits or looks: how far they are. Nothing of it is in the ledger. */
#include <string.h>

#include "core/leader_inside.h"
#include "proto/alloc.h"

const rm_progress_t *rm_leader_progress (const rm_record_t *record)
{
    const rm_progress_t *progress = record->lead.progress;
    return progress && rm_record_runs (record) && progress->attempt == rm_record_attempt (record) ? progress : NULL;
}

void rm_leader_drop_progress (rm_record_t *record)
{
    rm_progress_t *progress = record->lead.progress;
    if (!progress)
        return;
    record->lead.progress = NULL;
    rm_blob_unref (&progress->note);
    rm_free (progress);
}

/* A worker says it again to whom it is new: to others it is not news. */
static bool is_known (const rm_record_t *record, const rm_progress_job_t *job)
{
    const rm_progress_t *known = rm_leader_progress (record);
    return known && known->permille == job->permille &&
           rm_bytes_equal ((rm_bytes_t){known->note->data, known->note->size}, job->note);
}

static void take (rm_leader_t *self, rm_record_t *record, const rm_progress_job_t *job)
{
    rm_progress_t *progress = record->lead.progress;
    rm_blob_t *note = rm_blob_new (job->note.data, job->note.size);
    if (note && !progress)
        progress = record->lead.progress = rm_calloc (1, sizeof *progress);
    if (!note || !progress) {
        rm_blob_unref (&note);
        return; /* a hint is not worth a node */
    }
    rm_blob_unref (&progress->note);
    *progress = (rm_progress_t){job->attempt, job->permille, ++self->stamp, note};
    rm_leader_note (self, record, RM_EVENT_PROGRESS);
    rm_leader_answer_followers (self, record);
}

void rm_leader_take_progress (rm_leader_t *self, rm_peer_t *peer, const rm_msg_progress_t *msg)
{
    for (uint32_t i = 0; i < msg->job_count; i++) {
        const rm_progress_job_t *job = &msg->jobs[i];
        rm_record_t *record = rm_state_record (self->state, job->id);
        bool here = record && record->outcome == RM_OUTCOME_NONE && record->lead.peer == peer &&
                    record->lead.at == RM_AT_SENT && job->attempt == rm_record_attempt (record);
        if (here && !is_known (record, job))
            take (self, record, job);
    }
}
