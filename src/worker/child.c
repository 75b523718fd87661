#include "worker/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "net/clock.h"
#include "proto/alloc.h"
#include "worker/child_env.h"
#include "worker/child_say.h"
#include "worker/job.h"

enum {
    PIECE_BYTES = 64 << 10,   /* read at a time */
    LOOK_MS = 1000,           /* after so long at the latest it is seen that the job is wanted no longer */
    CHILD_FD_MIN = 4,         /* no pipe of ours is in the way of the child's standard files, and of RM_CHILD_SAY_FD */
    NOT_EXECUTED_STATUS = 127 /* as sh has it */
};

/* A command while it runs. */
typedef struct {
    rm_job_t *job;
    const rm_guard_t *guard;
    const rm_child_plan_t *plan;
    pid_t pid;
    int pidfd;        /* readable once it has ended */
    int in, out, err; /* our ends; -1: closed */
    int say;          /* … of what it says of itself */
    rm_child_say_t said;
    size_t written;  /* of the input */
    uint64_t due_ms; /* its next signal; 0: none comes */
    bool ending;     /* it got the first one */
    bool timed_out;  /* … because its time was over */
    char *piece;     /* what was read last; owned */
} run_t;

/* ---- the start ------------------------------------------------------------------------------------------------- */

static void close_fd (int *fd)
{
    if (*fd >= 0)
        close (*fd);
    *fd = -1;
}

typedef struct {
    int in[2], out[2], err[2], say[2]; /* each: reading end, writing end */
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
    int *ends[] = {&self->in[0],  &self->in[1],  &self->out[0], &self->out[1],
                   &self->err[0], &self->err[1], &self->say[0], &self->say[1]};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        close_fd (ends[i]);
}

static bool pipes_open (pipes_t *self)
{
    *self = (pipes_t){{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
    if (pipe_open (self->in) && pipe_open (self->out) && pipe_open (self->err) && pipe_open (self->say))
        return true;
    int error = errno;
    pipes_close (self);
    errno = error;
    return false;
}

static void complain (const char *what, const char *which)
{
    ssize_t ignored = write (STDERR_FILENO, what, strlen (what));
    ignored = write (STDERR_FILENO, which, strlen (which));
    ignored = write (STDERR_FILENO, "\n", 1);
    (void)ignored;
}

/* Between fork and exec in a process that had threads: nothing but system calls. */
static _Noreturn void be_child (const run_t *self, const pipes_t *pipes, char *const *environment, pid_t parent)
{
    setpgid (0, 0);
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    if (getppid () != parent) /* it died before that took effect */
        _exit (NOT_EXECUTED_STATUS);
    rm_guard_add (self->guard, getpid ());
    dup2 (pipes->in[0], STDIN_FILENO);
    dup2 (pipes->out[1], STDOUT_FILENO);
    dup2 (pipes->err[1], STDERR_FILENO);
    dup2 (pipes->say[1], RM_CHILD_SAY_FD);
    signal (SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset (&none);
    sigprocmask (SIG_SETMASK, &none, NULL);
    if (self->plan->directory && chdir (self->plan->directory)) {
        complain ("cannot change to the directory ", self->plan->directory);
        _exit (NOT_EXECUTED_STATUS);
    }
    char *const arguments[] = {"sh", "-c", (char *)self->plan->command, NULL};
    execve ("/bin/sh", arguments, environment);
    _exit (NOT_EXECUTED_STATUS);
}

static void become_parent (run_t *self, pipes_t *pipes)
{
    setpgid (self->pid, self->pid); /* whoever is first; a cancel may come before the child has */
    self->in = pipes->in[1];
    self->out = pipes->out[0];
    self->err = pipes->err[0];
    self->say = pipes->say[0];
    pipes->in[1] = pipes->out[0] = pipes->err[0] = pipes->say[0] = -1;
    pipes_close (pipes);
    int ours[] = {self->in, self->out, self->err, self->say};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        fcntl (ours[i], F_SETFL, O_NONBLOCK);
}

/* 0, or an errno. */
static int start (run_t *self)
{
    pipes_t pipes;
    rm_child_env_t environment;
    if (!rm_child_env_init (&environment, self->job, self->plan->environment, self->plan->environment_count))
        return ENOMEM;
    if (!pipes_open (&pipes)) {
        int trouble = errno;
        rm_child_env_close (&environment);
        return trouble;
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
    rm_child_env_close (&environment);
    if (error)
        return error;
    self->pidfd = pidfd_open (self->pid, 0);
    if (!rm_job_set_group (self->job, self->pid) || self->pidfd < 0)
        kill (-self->pid, SIGKILL);
    return 0;
}

/* ---- while it runs --------------------------------------------------------------------------------------------- */

static void write_input (run_t *self)
{
    const rm_child_plan_t *plan = self->plan;
    while (self->written < plan->input_size) {
        ssize_t written = write (self->in, plan->input + self->written, plan->input_size - self->written);
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

static void read_into (run_t *self, int *fd, rm_child_sink_fn *sink)
{
    ssize_t size;
    while ((size = read_piece (fd, self->piece)) > 0) {
        if (sink (self->plan->sink, self->piece, (size_t)size))
            continue;
        kill (-self->pid, SIGKILL);
        close_fd (fd);
        return;
    }
}

static void read_said (run_t *self)
{
    ssize_t size;
    while ((size = read_piece (&self->say, self->piece)) > 0)
        rm_child_say (&self->said, self->job, self->piece, (size_t)size);
}

/* Its time is over: SIGTERM at first, then SIGKILL. Whoever cancelled it has sent the first of them. How long to sleep until
 * it is time to look again. */
static int on_time (run_t *self)
{
    uint64_t now_ms = rm_clock_ms ();
    if (!self->ending && rm_job_cancelled (self->job)) {
        self->ending = true;
        self->due_ms = now_ms + RM_CHILD_TERM_MS;
    } else if (self->due_ms && now_ms >= self->due_ms) {
        kill (-self->pid, self->ending ? SIGKILL : SIGTERM);
        self->timed_out = self->timed_out || !self->ending;
        self->due_ms = self->ending ? 0 : now_ms + RM_CHILD_TERM_MS;
        self->ending = true;
    }
    uint64_t left_ms = self->due_ms ? self->due_ms - now_ms : LOOK_MS;
    return left_ms < LOOK_MS ? (int)left_ms : LOOK_MS;
}

/* Feeds and reads it until the command itself has ended; what it left running is not waited for. */
static void pump (run_t *self)
{
    bool ended = false;
    while (!ended) {
        struct pollfd items[] = {
            {.fd = self->pidfd, .events = POLLIN}, {.fd = self->in, .events = POLLOUT},
            {.fd = self->out, .events = POLLIN},   {.fd = self->err, .events = POLLIN},
            {.fd = self->say, .events = POLLIN},
        };
        if (poll (items, sizeof items / sizeof *items, on_time (self)) < 0 && errno != EINTR)
            return;
        ended = self->pidfd < 0 || items[0].revents;
        if (self->in >= 0 && items[1].revents)
            write_input (self);
        if (items[2].revents || ended)
            read_into (self, &self->out, self->plan->out);
        if (items[3].revents || ended)
            read_into (self, &self->err, self->plan->err);
        if (items[4].revents || ended)
            read_said (self);
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
    rm_guard_remove (self->guard, self->pid);
    int status = -1;
    while (waitpid (self->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

static void run (run_t *self, rm_child_end_t *end)
{
    self->piece = rm_malloc (PIECE_BYTES);
    end->error = self->piece ? start (self) : ENOMEM;
    if (!end->error) {
        if (self->plan->timeout_ms)
            self->due_ms = rm_clock_ms () + self->plan->timeout_ms;
        pump (self);
        end->status = bury (self);
        end->lost = end->status < 0 || self->pidfd < 0;
        end->why = end->status < 0 ? "SIGCHLD is ignored in this process" : "no file descriptor was left";
        end->timed_out = self->timed_out;
        close_fd (&self->in);
        close_fd (&self->out);
        close_fd (&self->err);
        close_fd (&self->say);
        close_fd (&self->pidfd);
    }
    rm_free (self->piece);
}

void rm_child_run (rm_job_t *job, const rm_guard_t *guard, const rm_child_plan_t *plan, rm_child_end_t *end)
{
    /* Writing to a command that does not read is an error here, not a signal to the process. */
    sigset_t pipe_signal, before, pending;
    sigemptyset (&pipe_signal);
    sigaddset (&pipe_signal, SIGPIPE);
    sigpending (&pending);
    pthread_sigmask (SIG_BLOCK, &pipe_signal, &before);
    *end = (rm_child_end_t){0};
    run_t self = {.job = job, .guard = guard, .plan = plan, .in = -1, .out = -1, .err = -1, .say = -1, .pidfd = -1};
    run (&self, end);
    if (!sigismember (&pending, SIGPIPE) && !sigismember (&before, SIGPIPE))
        while (sigtimedwait (&pipe_signal, NULL, &(struct timespec){0, 0}) < 0 && errno == EINTR)
            continue;
    pthread_sigmask (SIG_SETMASK, &before, NULL);
}
