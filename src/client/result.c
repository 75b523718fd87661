#include "client/result.h"

#include <string.h>

#include "proto/alloc.h"

struct rm_result {
    rm_result_t *next; /* in a list of its holder's */
    uint64_t id;       /* the job's */
    uint64_t tag;      /* the caller's */
    int outcome;       /* RM_DONE … */
    unsigned attempt;  /* attempts begun */
    size_t size;       /* of data */
    const char *data;  /* in `bytes`, with a NUL behind it */
    char bytes[];      /* the reason with its NUL, then the data */
};

_Static_assert((int)RM_DONE == RM_OUTCOME_DONE && (int)RM_DIED == RM_OUTCOME_DEAD &&
                   (int)RM_CANCELLED == RM_OUTCOME_CANCELLED && (int)RM_EXPIRED == RM_OUTCOME_EXPIRED &&
                   (int)RM_GONE == RM_OUTCOME_GONE && (int)RM_UNKNOWN == RM_OUTCOME_UNKNOWN &&
                   (int)RM_CLIENT_MANY_MAX == RM_MESSAGE_JOBS_MAX,
               "the public outcomes are the wire's");

rm_result_t *rm_result_new (const rm_result_job_t *job, uint64_t tag)
{
    size_t reason_size = job->reason.size, size = job->data.size;
    rm_result_t *self = rm_malloc (sizeof *self + reason_size + 1 + size + 1);
    if (!self)
        return NULL;
    *self =
        (rm_result_t){.id = job->id, .tag = tag, .outcome = (int)job->outcome, .attempt = job->attempt, .size = size};
    if (reason_size)
        memcpy (self->bytes, job->reason.data, reason_size);
    self->bytes[reason_size] = 0;
    char *data = self->bytes + reason_size + 1;
    if (size)
        memcpy (data, job->data.data, size);
    data[size] = 0;
    self->data = data;
    return self;
}

rm_result_t **rm_result_link (rm_result_t *self)
{
    return &self->next;
}

uint64_t rm_result_tag (const rm_result_t *self)
{
    return self->tag;
}

uint64_t rm_result_id (const rm_result_t *self)
{
    return self->id;
}

int rm_result_outcome (const rm_result_t *self)
{
    return self->outcome;
}

unsigned rm_result_attempt (const rm_result_t *self)
{
    return self->attempt;
}

const char *rm_result_reason (const rm_result_t *self)
{
    return self->bytes;
}

const void *rm_result_data (const rm_result_t *self, size_t *size_p)
{
    if (size_p)
        *size_p = self->size;
    return self->data;
}

const char *rm_result_text (const rm_result_t *self)
{
    return self->data;
}

void rm_result_destroy (rm_result_t **self_p)
{
    if (!self_p)
        return;
    rm_free (*self_p);
    *self_p = NULL;
}
