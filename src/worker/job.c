#include "worker/job.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "net/clock.h"
#include "proto/alloc.h"

_Static_assert((int)RM_RETRY == (int)RM_VERDICT_RETRY, "the public verdict is the wire's");
_Static_assert((int)RM_DEAD == (int)RM_VERDICT_DEAD, "the public verdict is the wire's");

const void *rm_job_data (const rm_job_t *self, size_t *size_p)
{
    if (size_p)
        *size_p = self->work->data.size;
    return self->work->data.data;
}

const char *rm_job_text (const rm_job_t *self)
{
    return self->work->data.data;
}

const char *rm_job_key (const rm_job_t *self)
{
    return self->work->key.data;
}

const char *rm_job_queue (const rm_job_t *self)
{
    return self->queue;
}

uint64_t rm_job_id (const rm_job_t *self)
{
    return self->work->id;
}

uint64_t rm_job_token (const rm_job_t *self)
{
    return self->work->token;
}

unsigned rm_job_attempt (const rm_job_t *self)
{
    return self->work->attempt;
}

bool rm_job_cancelled (const rm_job_t *self)
{
    return atomic_load (&self->work->cancelled);
}

/* ---- how it ends ----------------------------------------------------------------------------------------------- */

int rm_job_reply (rm_job_t *self, const void *data, size_t size)
{
    if (self->ended)
        return RM_ESTATE;
    if (size > self->work->result_bytes_max)
        return RM_ETOOBIG;
    rm_buf_t *result = &self->work->result.data;
    rm_buf_put (result, data, size);
    if (result->failed) {
        rm_buf_close (result);
        return RM_ENOMEM;
    }
    self->work->result.verdict = RM_VERDICT_OK;
    self->ended = true;
    return 0;
}

int rm_job_replyf (rm_job_t *self, const char *format, ...)
{
    char brief[256];
    va_list arguments;
    va_start (arguments, format);
    int size = vsnprintf (brief, sizeof brief, format, arguments);
    va_end (arguments);
    if (size < 0)
        return RM_EINVAL;
    if ((size_t)size < sizeof brief)
        return rm_job_reply (self, brief, (size_t)size);
    char *text = rm_malloc ((size_t)size + 1);
    if (!text)
        return RM_ENOMEM;
    va_start (arguments, format);
    vsnprintf (text, (size_t)size + 1, format, arguments);
    va_end (arguments);
    int rc = rm_job_reply (self, text, (size_t)size);
    rm_free (text);
    return rc;
}

int rm_job_fail (rm_job_t *self, int verdict, const char *format, ...)
{
    if (self->ended)
        return RM_ESTATE;
    if (verdict != RM_RETRY && verdict != RM_DEAD)
        return RM_EINVAL;
    char reason[RM_REASON_BYTES_MAX + 1];
    va_list arguments;
    va_start (arguments, format);
    int size = vsnprintf (reason, sizeof reason, format, arguments);
    va_end (arguments);
    if (size > 0)
        rm_buf_put (&self->work->result.reason, reason,
                    (size_t)size < sizeof reason ? (size_t)size : sizeof reason - 1);
    self->work->result.verdict = (uint32_t)verdict;
    self->ended = true;
    return 0;
}

void rm_job_conclude (rm_job_t *self, int rc)
{
    if (self->ended)
        return;
    if (rc)
        rm_job_fail (self, RM_RETRY, "the handler returned %d", rc);
    else
        rm_job_reply (self, NULL, 0);
}

/* ---- being stopped --------------------------------------------------------------------------------------------- */

bool rm_job_sleep (rm_job_t *self, uint64_t until_ms)
{
    struct timespec until = {(time_t)(until_ms / 1000), (long)(until_ms % 1000) * 1000000L};
    rm_hand_t *hand = self->hand;
    pthread_mutex_lock (&hand->mutex);
    while (!rm_job_cancelled (self) && rm_clock_ms () < until_ms)
        pthread_cond_timedwait (&hand->cancelled, &hand->mutex, &until);
    pthread_mutex_unlock (&hand->mutex);
    return rm_job_cancelled (self);
}

bool rm_job_set_group (rm_job_t *self, pid_t group)
{
    pthread_mutex_lock (&self->hand->mutex);
    self->hand->group = group;
    bool goes_on = !rm_job_cancelled (self);
    pthread_mutex_unlock (&self->hand->mutex);
    return goes_on;
}

void rm_hand_cancel (rm_hand_t *self, const rm_work_job_t *job)
{
    pthread_mutex_lock (&self->mutex);
    if (self->job == job) {
        if (self->group)
            kill (-self->group, job->stop == RM_WORK_STOP_ORDER ? SIGTERM : SIGKILL);
        pthread_cond_broadcast (&self->cancelled);
    }
    pthread_mutex_unlock (&self->mutex);
}
