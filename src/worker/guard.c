#include "worker/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/limits.h"
#include "ringmaster/error.h"

/* What goes over the pipe: one write, one read. */
typedef struct {
    pid_t group;
    int alive; /* 1: registered; 0: struck off */
} record_t;

_Static_assert(sizeof (record_t) <= PIPE_BUF, "a record must not be torn");

static bool read_record (int fd, record_t *record)
{
    size_t have = 0;
    while (have < sizeof *record) {
        ssize_t size = read (fd, (char *)record + have, sizeof *record - have);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return false;
        have += (size_t)size;
    }
    return true;
}

/* The guard's whole life. It was forked from a process with threads: nothing but system calls here. */
static void guard (int fd)
{
    static pid_t groups[RM_WORKER_THREADS_MAX]; /* one a thread */
    int count = 0;
    record_t record;
    while (read_record (fd, &record)) {
        int at = 0;
        while (at < count && groups[at] != record.group)
            at++;
        if (record.alive && at == count && count < RM_WORKER_THREADS_MAX)
            groups[count++] = record.group;
        else if (!record.alive && at < count)
            groups[at] = groups[--count];
    }
    for (int i = 0; i < count; i++)
        kill (-groups[i], SIGKILL);
}

/* Away from the worker's terminal, signals and files: whoever waits for the end of the worker's output must not wait for
 * the guard. */
static void stand_apart (int fd)
{
    sigset_t all;
    sigfillset (&all);
    sigprocmask (SIG_SETMASK, &all, NULL);
    setsid ();
    prctl (PR_SET_NAME, "rm-guard");
    if (chdir ("/"))
        _exit (1);
    if (fd > 0)
        close_range (0, (unsigned)fd - 1, 0);
    close_range ((unsigned)fd + 1, UINT_MAX, 0);
}

int rm_guard_start (rm_guard_t *self, rm_fault_t *fault)
{
    int ends[2];
    self->fd = -1;
    if (pipe2 (ends, O_CLOEXEC))
        return rm_fault (fault, RM_EIO, "cannot make a pipe: %s", strerror (errno));
    self->pid = fork ();
    if (self->pid < 0) {
        int error = errno;
        close (ends[0]);
        close (ends[1]);
        return rm_fault (fault, RM_EIO, "cannot start a process: %s", strerror (error));
    }
    if (!self->pid) {
        stand_apart (ends[0]);
        guard (ends[0]);
        _exit (0);
    }
    close (ends[0]);
    self->fd = ends[1];
    return 0;
}

void rm_guard_stop (rm_guard_t *self)
{
    if (self->fd < 0)
        return;
    close (self->fd);
    self->fd = -1;
    while (waitpid (self->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

/* A broken pipe means that the guard was killed; the worker goes on without, as SIGPIPE is blocked around a command. */
static void tell (const rm_guard_t *self, record_t record)
{
    while (self->fd >= 0 && write (self->fd, &record, sizeof record) < 0 && errno == EINTR)
        continue;
}

void rm_guard_add (const rm_guard_t *self, pid_t group)
{
    tell (self, (record_t){group, 1});
}

void rm_guard_remove (const rm_guard_t *self, pid_t group)
{
    tell (self, (record_t){group, 0});
}
