/*  What running jobs say of themselves, on its way to the master: a hint, of which the newest is enough. */
#include <string.h>
#include <utlist.h>

#include "core/work_parts.h"
#include "proto/alloc.h"
#include "proto/assert.h"

struct rm_work_progress {
    uint32_t permille;
    bool tell; /* the master does not know it yet */
    uint32_t note_size;
    char note[RM_NOTE_BYTES_MAX];
};

/* What is said in time gives it its whole time again. */
static void extend (rm_work_job_t *job, uint64_t at_ms)
{
    if (job->timeout_ms && job->stop == RM_WORK_GO_ON && at_ms < job->timeout_at)
        job->timeout_at = at_ms + job->timeout_ms;
}

void rm_work_progress (rm_work_t *self, rm_work_job_t *job, uint32_t permille, rm_bytes_t note, uint64_t at_ms)
{
    RM_ASSERT (job->state == RM_WORK_JOB_RUNNING);
    extend (job, at_ms);
    if (!job->progress)
        job->progress = rm_calloc (1, sizeof *job->progress);
    if (!job->progress)
        return;
    job->progress->permille = permille < RM_PERMILLE_MAX ? permille : RM_PERMILLE_MAX;
    job->progress->note_size = note.size < RM_NOTE_BYTES_MAX ? note.size : RM_NOTE_BYTES_MAX;
    if (note.size)
        memcpy (job->progress->note, note.data, job->progress->note_size);
    job->progress->tell = self->say_progress = true;
}

void rm_work_progress_again (rm_work_t *self)
{
    rm_work_job_t *job;
    DL_FOREACH (self->offered, job)
        if (job->progress)
            job->progress->tell = self->say_progress = true;
}

void rm_work_progress_list (rm_work_t *self)
{
    rm_work_says_t *says = &self->says;
    says->progress_count = 0;
    self->say_progress = false;
    rm_work_job_t *job;
    DL_FOREACH (self->offered, job) {
        rm_work_progress_t *progress = job->progress;
        if (!progress || !progress->tell || !job->held)
            continue;
        if (says->progress_count == RM_MESSAGE_JOBS_MAX ||
            !rm_work_grow ((void **)&says->progress, &says->progress_capacity, says->progress_count + 1,
                           sizeof *says->progress)) {
            self->say_progress = true;
            return;
        }
        progress->tell = false;
        says->progress[says->progress_count++] =
            (rm_progress_job_t){job->id, job->attempt, progress->permille, {progress->note, progress->note_size}};
    }
}
