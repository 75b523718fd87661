/*  What running jobs say of themselves, on its way to the master: a hint, of which the newest is enough. */
#include <string.h>
#include <utlist.h>

#include "core/work_parts.h"
#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

struct rm_work_progress {
    uint32_t permille;
    bool tell; /* the master does not know it yet */
    uint32_t note_size;
    char note[RM_NOTE_BYTES_MAX];
};

enum { PARTIAL_BYTES = 64 /* what one costs beside its data, so that empty ones are bounded too */ };

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

/* ---- partial results -------------------------------------------------------------------------------------------- */

int rm_work_partial_new (rm_work_t *self, rm_work_job_t *job, const void *data, size_t size,
                         rm_work_partial_t **partial_p)
{
    if (size > RM_PARTIAL_BYTES_MAX)
        return RM_ETOOBIG;
    size_t bytes = size + PARTIAL_BYTES;
    if (atomic_fetch_add (&self->partial_bytes, bytes) + bytes > RM_WORKER_PARTIALS_BYTES_MAX) {
        atomic_fetch_sub (&self->partial_bytes, bytes);
        return RM_EBUSY;
    }
    rm_work_partial_t *partial = rm_malloc (sizeof *partial + size);
    if (!partial) {
        atomic_fetch_sub (&self->partial_bytes, bytes);
        return RM_ENOMEM;
    }
    *partial =
        (rm_work_partial_t){.id = job->id, .n = ++job->partials, .attempt = job->attempt, .size = (uint32_t)size};
    if (size)
        memcpy (partial->data, data, size);
    *partial_p = partial;
    return 0;
}

static void free_all (rm_work_t *self, rm_work_partial_t **list)
{
    while (*list) {
        rm_work_partial_t *partial = *list;
        DL_DELETE (*list, partial);
        atomic_fetch_sub (&self->partial_bytes, partial->size + PARTIAL_BYTES);
        rm_free (partial);
    }
}

void rm_work_partial (rm_work_t *self, rm_work_partial_t *partial)
{
    DL_APPEND (self->partials, partial);
}

void rm_work_partial_forget_told (rm_work_t *self)
{
    free_all (self, &self->says.told);
}

void rm_work_partial_drop (rm_work_t *self)
{
    free_all (self, &self->partials);
}

bool rm_work_partial_room (rm_work_t *self)
{
    rm_work_says_t *says = &self->says;
    const rm_work_partial_t *partial;
    size_t count = 0;
    DL_COUNT (self->partials, partial, count);
    return rm_work_grow ((void **)&says->partials, &says->partial_capacity, count, sizeof *says->partials);
}

uint32_t rm_work_partial_list (rm_work_t *self)
{
    rm_work_says_t *says = &self->says;
    uint32_t count = 0;
    size_t bytes = 0;
    while (self->partials && count < RM_MESSAGE_JOBS_MAX) {
        rm_work_partial_t *partial = self->partials;
        bytes += partial->size + PARTIAL_BYTES;
        if (count && bytes > RM_WORK_MESSAGE_BYTES)
            break;
        DL_DELETE (self->partials, partial);
        DL_APPEND (says->told, partial);
        says->partials[says->partial_count++] =
            (rm_partial_t){partial->id, partial->attempt, partial->n, {partial->data, partial->size}};
        count++;
    }
    return count;
}
