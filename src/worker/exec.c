#include "worker/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/alloc.h"
#include "proto/buf.h"
#include "worker/job.h"

enum {
    TRY_AGAIN = 75,           /* EX_TEMPFAIL */
    REASON_LINES = 5,         /* of standard error */
    REASON_BYTES = 1000,      /* of these lines */
    PIECE_BYTES = 64 << 10,   /* read at a time */
    CHILD_FD_MIN = 3,         /* no pipe of ours is in the way of the child's standard files */
    VARIABLES = 5,            /* that we add to the environment */
    VARIABLE_BYTES = 64,      /* of those with a number */
    NOT_EXECUTED_STATUS = 127 /* as sh has it */
};

/* A command while it runs. */
typedef struct {
    rm_job_t *job;
    const rm_exec_t *exec;
    pid_t pid;
    int pidfd;               /* readable once it has ended */
    int in, out, err;        /* our ends; -1: closed */
    size_t written;          /* of the payload */
    rm_buf_t result;         /* what it wrote, up to one byte more than it may */
    bool too_big;            /* it wrote more */
    char tail[REASON_BYTES]; /* the last of what it said on standard error */
    size_t tail_size;
} run_t;

/* ---- environment ----------------------------------------------------------------------------------------------- */

typedef struct {
    char **list; /* environ and ours; owned */
    char *key;   /* owned */
    char *queue; /* owned */
    char numbers[3][VARIABLE_BYTES];
} environment_t;

static bool is_ours (const char *variable)
{
    static const char *const names[] = {"RM_JOB_ID=", "RM_KEY=", "RM_TOKEN=", "RM_ATTEMPT=", "RM_QUEUE="};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strncmp (variable, names[i], strlen (names[i])))
            return true;
    return false;
}

static char *variable (const char *name, const char *value)
{
    char *text = rm_malloc (strlen (name) + strlen (value) + 2);
    if (text)
        sprintf (text, "%s=%s", name, value);
    return text;
}

static void environment_close (environment_t *self)
{
    rm_free (self->list);
    rm_free (self->key);
    rm_free (self->queue);
}

static bool environment_init (environment_t *self, const rm_job_t *job)
{
    size_t count = 0;
    while (environ[count])
        count++;
    const char *key = rm_job_key (job);
    *self = (environment_t){
        .list = rm_malloc ((count + VARIABLES + 1) * sizeof *self->list),
        .key = key ? variable ("RM_KEY", key) : NULL,
        .queue = variable ("RM_QUEUE", rm_job_queue (job)),
    };
    if (!self->list || !self->queue || (key && !self->key)) {
        environment_close (self);
        return false;
    }
    snprintf (self->numbers[0], VARIABLE_BYTES, "RM_JOB_ID=%" PRIu64, rm_job_id (job));
    snprintf (self->numbers[1], VARIABLE_BYTES, "RM_TOKEN=%" PRIu64, rm_job_token (job));
    snprintf (self->numbers[2], VARIABLE_BYTES, "RM_ATTEMPT=%u", rm_job_attempt (job));
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_ours (environ[i]))
            self->list[used++] = environ[i];
    for (int i = 0; i < 3; i++)
        self->list[used++] = self->numbers[i];
    self->list[used++] = self->queue;
    if (key)
        self->list[used++] = self->key;
    self->list[used] = NULL;
    return true;
}

/* ---- the start ------------------------------------------------------------------------------------------------- */

static void close_fd (int *fd)
{
    if (*fd >= 0)
        close (*fd);
    *fd = -1;
}

typedef struct {
    int in[2], out[2], err[2]; /* each: reading end, writing end */
} pipes_t;

static bool pipe_open (int ends[2])
{
    if (pipe2 (ends, O_CLOEXEC)) {
        ends[0] = ends[1] = -1;
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= CHILD_FD_MIN)
            continue;
        int low = ends[i];
        ends[i] = fcntl (low, F_DUPFD_CLOEXEC, CHILD_FD_MIN);
        close (low);
        if (ends[i] < 0)
            return false;
    }
    return true;
}

static void pipes_close (pipes_t *self)
{
    int *ends[] = {&self->in[0], &self->in[1], &self->out[0], &self->out[1], &self->err[0], &self->err[1]};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        close_fd (ends[i]);
}

static bool pipes_open (pipes_t *self)
{
    *self = (pipes_t){{-1, -1}, {-1, -1}, {-1, -1}};
    if (pipe_open (self->in) && pipe_open (self->out) && pipe_open (self->err))
        return true;
    int error = errno;
    pipes_close (self);
    errno = error;
    return false;
}

/* Between fork and exec in a process that had threads: nothing but system calls. */
static _Noreturn void be_child (const run_t *self, const pipes_t *pipes, char *const *environment, pid_t parent)
{
    setpgid (0, 0);
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    if (getppid () != parent) /* it died before that took effect */
        _exit (NOT_EXECUTED_STATUS);
    rm_guard_add (self->exec->guard, getpid ());
    dup2 (pipes->in[0], STDIN_FILENO);
    dup2 (pipes->out[1], STDOUT_FILENO);
    dup2 (pipes->err[1], STDERR_FILENO);
    signal (SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset (&none);
    sigprocmask (SIG_SETMASK, &none, NULL);
    char *const arguments[] = {"sh", "-c", (char *)self->exec->command, NULL};
    execve ("/bin/sh", arguments, environment);
    _exit (NOT_EXECUTED_STATUS);
}

static void become_parent (run_t *self, pipes_t *pipes)
{
    setpgid (self->pid, self->pid); /* whoever is first; a cancel may come before the child has */
    self->in = pipes->in[1];
    self->out = pipes->out[0];
    self->err = pipes->err[0];
    pipes->in[1] = pipes->out[0] = pipes->err[0] = -1;
    pipes_close (pipes);
    int ours[] = {self->in, self->out, self->err};
    for (int i = 0; i < 3; i++)
        fcntl (ours[i], F_SETFL, O_NONBLOCK);
}

/* 0, or an errno. */
static int start (run_t *self)
{
    pipes_t pipes;
    environment_t environment;
    if (!environment_init (&environment, self->job))
        return ENOMEM;
    if (!pipes_open (&pipes)) {
        environment_close (&environment);
        return errno;
    }
    pid_t parent = getpid ();
    int error = 0;
    self->pid = fork ();
    if (!self->pid)
        be_child (self, &pipes, environment.list, parent);
    if (self->pid < 0)
        error = errno;
    else
        become_parent (self, &pipes);
    pipes_close (&pipes);
    environment_close (&environment);
    if (error)
        return error;
    self->pidfd = pidfd_open (self->pid, 0);
    if (!rm_job_set_group (self->job, self->pid) || self->pidfd < 0)
        kill (-self->pid, SIGKILL);
    return 0;
}

/* ---- while it runs --------------------------------------------------------------------------------------------- */

static void write_payload (run_t *self)
{
    size_t size;
    const char *data = rm_job_data (self->job, &size);
    while (self->written < size) {
        ssize_t written = write (self->in, data + self->written, size - self->written);
        if (written < 0 && (errno == EINTR || errno == EAGAIN))
            return;
        if (written < 0)
            break; /* it does not want the rest */
        self->written += (size_t)written;
    }
    close_fd (&self->in);
}

/* Reads a piece: > 0, 0 if nothing is there now, -1 (and closed) at the end. */
static ssize_t read_piece (int *fd, char *piece)
{
    ssize_t size;
    do
        size = *fd < 0 ? 0 : read (*fd, piece, PIECE_BYTES);
    while (size < 0 && errno == EINTR);
    if (size > 0)
        return size;
    if (*fd >= 0 && size < 0 && errno == EAGAIN)
        return 0;
    close_fd (fd);
    return -1;
}

static void read_result (run_t *self, char *piece)
{
    size_t most = self->job->work->result_bytes_max;
    ssize_t size;
    while ((size = read_piece (&self->out, piece)) > 0) {
        if (self->result.size + (size_t)size > most) {
            self->too_big = true;
            kill (-self->pid, SIGKILL);
            close_fd (&self->out);
            return;
        }
        rm_buf_put (&self->result, piece, (size_t)size);
    }
}

/* Keeps the last bytes of what it says. */
static void read_errors (run_t *self, char *piece)
{
    ssize_t got;
    while ((got = read_piece (&self->err, piece)) > 0) {
        size_t size = (size_t)got;
        const char *from = piece;
        if (size > sizeof self->tail) {
            from += size - sizeof self->tail;
            size = sizeof self->tail;
        }
        size_t keep = sizeof self->tail - size;
        if (self->tail_size > keep) {
            memmove (self->tail, self->tail + self->tail_size - keep, keep);
            self->tail_size = keep;
        }
        memcpy (self->tail + self->tail_size, from, size);
        self->tail_size += size;
    }
}

/* Feeds and reads it until the command itself has ended; what it left running is not waited for. */
static void pump (run_t *self, char *piece)
{
    bool ended = false;
    while (!ended) {
        struct pollfd items[] = {
            {.fd = self->pidfd, .events = POLLIN},
            {.fd = self->in, .events = POLLOUT},
            {.fd = self->out, .events = POLLIN},
            {.fd = self->err, .events = POLLIN},
        };
        if (poll (items, 4, -1) < 0 && errno != EINTR)
            return;
        ended = self->pidfd < 0 || items[0].revents;
        if (self->in >= 0 && items[1].revents)
            write_payload (self);
        if (items[2].revents || ended)
            read_result (self, piece);
        if (items[3].revents || ended)
            read_errors (self, piece);
    }
}

/* Kills what is left of its group, and only then lets its number go. The wait status, or -1 if someone else took it. */
static int bury (run_t *self)
{
    siginfo_t info;
    while (waitid (P_PID, (id_t)self->pid, &info, WEXITED | WNOWAIT) && errno == EINTR)
        continue;
    rm_job_set_group (self->job, 0);
    kill (-self->pid, SIGKILL);
    rm_guard_remove (self->exec->guard, self->pid);
    int status = -1;
    while (waitpid (self->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

/* ---- the verdict ----------------------------------------------------------------------------------------------- */

/* The last lines of what it said, without white space around. */
static const char *last_lines (run_t *self, int *size)
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

static int fail (run_t *self, int verdict, int status)
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

static int conclude (run_t *self, int status)
{
    if (self->too_big)
        return rm_job_fail (self->job, RM_DEAD, "the command wrote more than the %u bytes a result may have",
                            self->job->work->result_bytes_max);
    if (status < 0 || self->pidfd < 0)
        return rm_job_fail (self->job, RM_RETRY, "the command's exit status is lost: %s",
                            status < 0 ? "SIGCHLD is ignored in this process" : "no file descriptor was left");
    if (WIFEXITED (status) && WEXITSTATUS (status) == TRY_AGAIN)
        return fail (self, RM_RETRY, status);
    if (!WIFEXITED (status) || WEXITSTATUS (status))
        return fail (self, RM_DEAD, status);
    if (self->result.failed)
        return rm_job_fail (self->job, RM_RETRY, "memory ran out at the worker");
    return rm_job_reply (self->job, self->result.data, self->result.size);
}

static int run (run_t *self)
{
    char *piece = rm_malloc (PIECE_BYTES);
    if (!piece)
        return rm_job_fail (self->job, RM_RETRY, "memory ran out at the worker");
    int error = start (self);
    int rc;
    if (error)
        rc = rm_job_fail (self->job, RM_RETRY, "cannot start a process: %s", strerror (error));
    else {
        pump (self, piece);
        rc = conclude (self, bury (self));
        close_fd (&self->in);
        close_fd (&self->out);
        close_fd (&self->err);
        close_fd (&self->pidfd);
    }
    rm_buf_close (&self->result);
    rm_free (piece);
    return rc;
}

int rm_exec_run (rm_job_t *job, void *arg)
{
    /* Writing to a command that does not read is an error here, not a signal to the process. */
    sigset_t pipe_signal, before, pending;
    sigemptyset (&pipe_signal);
    sigaddset (&pipe_signal, SIGPIPE);
    sigpending (&pending);
    pthread_sigmask (SIG_BLOCK, &pipe_signal, &before);
    run_t self = {.job = job, .exec = arg, .in = -1, .out = -1, .err = -1, .pidfd = -1};
    int rc = run (&self);
    if (!sigismember (&pending, SIGPIPE) && !sigismember (&before, SIGPIPE))
        while (sigtimedwait (&pipe_signal, NULL, &(struct timespec){0, 0}) < 0 && errno == EINTR)
            continue;
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    return rc;
}
