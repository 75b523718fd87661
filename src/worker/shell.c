#include "worker/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/clock.h"
#include "proto/alloc.h"
#include "proto/shell.h"
#include "worker/child.h"
#include "worker/exec.h"
#include "worker/job.h"

enum { STREAMS = 2, OUT = 0, ERR = 1, PATH_BYTES = 4096 };

static const char *const endings[STREAMS] = {".out", ".err"};

/* What a command wrote. */
typedef struct {
    rm_job_t *job;
    const rm_shell_request_t *request;
    size_t most;                    /* that a result can hold beside its line */
    rm_buf_t kept[STREAMS];         /* until it is too much */
    uint64_t bytes[STREAMS];        /* written */
    int files[STREAMS];             /* from then on; -1: not open */
    bool spilled;                   /* the files hold everything */
    char name[64];                  /* of the files, without their endings */
    char trouble[PATH_BYTES + 256]; /* what made it fail, as a sentence; "": nothing */
} written_t;

/* ---- files ------------------------------------------------------------------------------------------------------ */

static void path_of (const written_t *self, int stream, char *path)
{
    snprintf (path, PATH_BYTES, "%s/%s%s", self->request->spill, self->name, endings[stream]);
}

static bool write_all (written_t *self, int stream, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t more = write (self->files[stream], (const char *)data + done, size - done);
        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0) {
            snprintf (self->trouble, sizeof self->trouble, "cannot write what the command wrote to %s/%s%s: %s",
                      self->request->spill, self->name, endings[stream], strerror (errno));
            return false;
        }
        done += (size_t)more;
    }
    return true;
}

static bool open_file (written_t *self, int stream)
{
    char path[PATH_BYTES];
    path_of (self, stream, path);
    self->files[stream] = open (path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (self->files[stream] < 0)
        snprintf (self->trouble, sizeof self->trouble,
                  "the command wrote more than a result may have, and %s cannot be made for it: %s", path,
                  strerror (errno));
    return self->files[stream] >= 0;
}

/* Moves everything into the two files. */
static bool spill (written_t *self)
{
    if (!*self->request->spill) {
        snprintf (self->trouble, sizeof self->trouble,
                  "the command wrote more than the %zu bytes a result may have; name a directory for such output",
                  self->most);
        return false;
    }
    snprintf (self->name, sizeof self->name, "%" PRIu64 "-%" PRIu64, rm_job_id (self->job), rm_job_token (self->job));
    self->spilled = true;
    for (int i = 0; i < STREAMS; i++) {
        if (!open_file (self, i) || !write_all (self, i, self->kept[i].data, self->kept[i].size))
            return false;
        rm_buf_close (&self->kept[i]);
    }
    return true;
}

/* A reply that nobody will read must not leave files behind. */
static void forget_files (written_t *self)
{
    char path[PATH_BYTES];
    for (int i = 0; i < STREAMS; i++) {
        if (self->files[i] < 0)
            continue;
        path_of (self, i, path);
        unlink (path);
    }
}

/* ---- sinks ------------------------------------------------------------------------------------------------------ */

static bool take (written_t *self, int stream, const char *piece, size_t size)
{
    self->bytes[stream] += size;
    if (!self->spilled && self->bytes[OUT] + self->bytes[ERR] > self->most && !spill (self))
        return false;
    if (self->spilled)
        return write_all (self, stream, piece, size);
    rm_buf_put (&self->kept[stream], piece, size);
    return true;
}

static bool take_out (void *sink, const char *piece, size_t size)
{
    return take (sink, OUT, piece, size);
}

static bool take_err (void *sink, const char *piece, size_t size)
{
    return take (sink, ERR, piece, size);
}

/* ---- the job ---------------------------------------------------------------------------------------------------- */

static rm_bytes_t bytes_of (const rm_buf_t *buf)
{
    return (rm_bytes_t){buf->data, (uint32_t)buf->size};
}

/* This machine's name, as far as it may stand in a reply. */
static const char *host_name (char *host, size_t size)
{
    if (gethostname (host, size))
        *host = 0;
    host[size - 1] = 0;
    host[strcspn (host, " \t\n")] = 0;
    return host;
}

static int reply (written_t *self, const rm_child_end_t *end, uint64_t start_ms, uint64_t ran_ms)
{
    char host[RM_SHELL_WORD_BYTES_MAX];
    bool exited = WIFEXITED (end->status);
    rm_shell_reply_t said = {
        .exit = exited ? (uint32_t)WEXITSTATUS (end->status) : 0,
        .signal = exited ? 0 : (uint32_t)WTERMSIG (end->status),
        .timed_out = end->timed_out,
        .start_ms = start_ms,
        .ran_ms = ran_ms,
        .stdout_bytes = self->bytes[OUT],
        .stderr_bytes = self->bytes[ERR],
        .host = rm_bytes (host_name (host, sizeof host)),
        .file = rm_bytes (self->name),
        .out = bytes_of (&self->kept[OUT]),
        .err = bytes_of (&self->kept[ERR]),
    };
    rm_buf_t result = {0};
    rm_shell_reply_write (&said, &result);
    int rc = result.failed || self->kept[OUT].failed || self->kept[ERR].failed
                 ? rm_job_fail (self->job, RM_RETRY, "memory ran out at the worker")
                 : rm_job_reply (self->job, result.data, result.size);
    rm_buf_close (&result);
    return rc;
}

static int conclude (written_t *self, const rm_child_end_t *end, uint64_t start_ms, uint64_t ran_ms)
{
    if (end->error)
        return rm_job_fail (self->job, RM_RETRY, "cannot start a process: %s", strerror (end->error));
    if (*self->trouble)
        return rm_job_fail (self->job, RM_DEAD, "%s", self->trouble);
    if (end->lost)
        return rm_job_fail (self->job, RM_RETRY, "the command's exit status is lost: %s", end->why);
    return reply (self, end, start_ms, ran_ms);
}

static int run (written_t *self, const rm_guard_t *guard, const char *const *environment, size_t count)
{
    const rm_shell_request_t *request = self->request;
    rm_child_plan_t plan = {
        .command = request->command,
        .directory = *request->directory ? request->directory : NULL,
        .environment = environment,
        .environment_count = count,
        .out = take_out,
        .err = take_err,
        .sink = self,
        .timeout_ms = request->timeout_ms,
    };
    rm_child_end_t end;
    uint64_t start_ms = rm_clock_wall_ms (), begun_ms = rm_clock_ms ();
    rm_child_run (self->job, guard, &plan, &end);
    int rc = conclude (self, &end, start_ms, rm_clock_ms () - begun_ms);
    if (*self->trouble || rm_job_cancelled (self->job))
        forget_files (self);
    for (int i = 0; i < STREAMS; i++) {
        rm_buf_close (&self->kept[i]);
        if (self->files[i] >= 0)
            close (self->files[i]);
    }
    return rc;
}

int rm_shell_run (rm_job_t *job, void *arg)
{
    const rm_exec_t *exec = arg;
    rm_shell_request_t request;
    size_t size, count = 0;
    const char *data = rm_job_data (job, &size);
    const char *why = rm_shell_request_read (&request, data ? data : "", size);
    if (why)
        return rm_job_fail (job, RM_DEAD, "%s", why);
    uint32_t most = job->work->result_bytes_max;
    written_t written = {.job = job, .request = &request, .files = {-1, -1}};
    written.most = most > RM_SHELL_HEAD_BYTES_MAX ? most - RM_SHELL_HEAD_BYTES_MAX : 0;
    for (const char *at = NULL; rm_shell_request_next (&request, &at);)
        count++;
    const char **environment = rm_malloc ((count + 1) * sizeof *environment);
    if (!environment)
        return rm_job_fail (job, RM_RETRY, "memory ran out at the worker");
    const char *at = NULL;
    for (size_t i = 0; i < count; i++)
        environment[i] = rm_shell_request_next (&request, &at);
    int rc = run (&written, exec->guard, environment, count);
    rm_free (environment);
    return rc;
}
