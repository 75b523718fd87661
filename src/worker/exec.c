#include "worker/exec.h"

#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#include "proto/buf.h"
#include "worker/child.h"
#include "worker/job.h"

enum {
    TRY_AGAIN = 75,     /* EX_TEMPFAIL */
    REASON_LINES = 5,   /* of standard error */
    REASON_BYTES = 1000 /* of these lines */
};

/* What a command said. */
typedef struct {
    rm_job_t *job;
    rm_buf_t result;         /* its standard output */
    bool too_big;            /* it wrote more than a result may have */
    char tail[REASON_BYTES]; /* the last of its standard error */
    size_t tail_size;
} said_t;

static bool take_result (void *sink, const char *piece, size_t size)
{
    said_t *self = sink;
    self->too_big = self->result.size + size > self->job->work->result_bytes_max;
    if (!self->too_big)
        rm_buf_put (&self->result, piece, size);
    return !self->too_big;
}

/* Keeps the last bytes. */
static bool take_errors (void *sink, const char *piece, size_t size)
{
    said_t *self = sink;
    if (size > sizeof self->tail) {
        piece += size - sizeof self->tail;
        size = sizeof self->tail;
    }
    size_t keep = sizeof self->tail - size;
    if (self->tail_size > keep) {
        memmove (self->tail, self->tail + self->tail_size - keep, keep);
        self->tail_size = keep;
    }
    memcpy (self->tail + self->tail_size, piece, size);
    self->tail_size += size;
    return true;
}

/* The last lines of what it said, without white space around. */
static const char *last_lines (const said_t *self, int *size)
{
    const char *text = self->tail, *end = text + self->tail_size;
    while (end > text && strchr (" \t\r\n", end[-1]))
        end--;
    const char *from = end;
    for (int lines = 0; from > text; from--)
        if (from[-1] == '\n' && ++lines == REASON_LINES)
            break;
    *size = (int)(end - from);
    return from;
}

static int fail (const said_t *self, int verdict, int status)
{
    int size;
    const char *said = last_lines (self, &size);
    if (WIFSIGNALED (status))
        return rm_job_fail (self->job, verdict, "killed by signal %d%s%.*s", WTERMSIG (status), size ? ": " : "", size,
                            said);
    if (size)
        return rm_job_fail (self->job, verdict, "%.*s", size, said);
    return rm_job_fail (self->job, verdict, "the command ended with exit status %d", WEXITSTATUS (status));
}

static int conclude (const said_t *self, const rm_child_end_t *end)
{
    if (end->error)
        return rm_job_fail (self->job, RM_RETRY, "cannot start a process: %s", strerror (end->error));
    if (self->too_big)
        return rm_job_fail (self->job, RM_DEAD, "the command wrote more than the %u bytes a result may have",
                            self->job->work->result_bytes_max);
    if (end->lost)
        return rm_job_fail (self->job, RM_RETRY, "the command's exit status is lost: %s", end->why);
    if (WIFEXITED (end->status) && WEXITSTATUS (end->status) == TRY_AGAIN)
        return fail (self, RM_RETRY, end->status);
    if (!WIFEXITED (end->status) || WEXITSTATUS (end->status))
        return fail (self, RM_DEAD, end->status);
    if (self->result.failed)
        return rm_job_fail (self->job, RM_RETRY, "memory ran out at the worker");
    return rm_job_reply (self->job, self->result.data, self->result.size);
}

int rm_exec_run (rm_job_t *job, void *arg)
{
    const rm_exec_t *exec = arg;
    said_t said = {.job = job};
    rm_child_plan_t plan = {.command = exec->command, .out = take_result, .err = take_errors, .sink = &said};
    plan.input = rm_job_data (job, &plan.input_size);
    rm_child_end_t end;
    rm_child_run (job, exec->guard, &plan, &end);
    int rc = conclude (&said, &end);
    rm_buf_close (&said.result);
    return rc;
}
