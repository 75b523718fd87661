#include "ctl/map/local.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/random.h"
#include "ringmaster/error.h"

enum {
    NOT_EXECUTED_STATUS = 127,
    PATH_BYTES = 4096,
    PORT_MIN = 20000, /* from there up to where the kernel takes ports for connections */
    PORT_MAX = 32000,
    PORTS = 4,       /* of a master */
    PORT_TRIES = 20, /* until some are free */
    RESTARTS_MAX = 3 /* of a master that dies: then it is not by chance */
};

/* Becomes the program `name`, beside this one or in $PATH. */
static _Noreturn void be (const char *name, char *const argv[])
{
    char path[PATH_BYTES];
    ssize_t size = readlink ("/proc/self/exe", path, sizeof path - 1);
    char *slash = size > 0 ? memrchr (path, '/', (size_t)size) : NULL;
    if (slash && strlen (name) < sizeof path - (size_t)(slash + 2 - path)) {
        strcpy (slash + 1, name);
        execv (path, argv);
    }
    execvp (name, argv);
    fprintf (stderr, "cannot run %s: %s\n", name, strerror (errno));
    _exit (NOT_EXECUTED_STATUS);
}

/* Starts a program with its stderr in DIRECTORY/NAME.log, and stdout there or, if `out` is not NULL, readable from *out. 0 or
 * its process. */
static pid_t start (const rm_map_local_t *self, const char *name, char *const argv[], int *out)
{
    int ends[2] = {-1, -1};
    char log[PATH_BYTES + 64];
    snprintf (log, sizeof log, "%s/%s.log", self->directory, name);
    if (out && pipe2 (ends, O_CLOEXEC))
        return 0;
    pid_t parent = getpid (), pid = fork ();
    if (pid) {
        if (ends[1] >= 0)
            close (ends[1]);
        if (out)
            *out = ends[0];
        return pid < 0 ? 0 : pid;
    }
    setpgid (0, 0); /* ctrl-c is for us: we end them */
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    if (getppid () != parent)
        _exit (NOT_EXECUTED_STATUS);
    int file = open (log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666), nothing = open ("/dev/null", O_RDWR);
    dup2 (nothing, STDIN_FILENO);
    dup2 (file < 0 ? nothing : file, STDERR_FILENO);
    dup2 (out ? ends[1] : STDERR_FILENO, STDOUT_FILENO);
    signal (SIGINT, SIG_DFL);
    signal (SIGTERM, SIG_DFL);
    be (name, argv);
}

/* Reads the master's line: "ready jobs=tcp://… work=…". */
static bool read_ready (int out, char *jobs, size_t size)
{
    FILE *from = fdopen (out, "r");
    char line[2048] = "";
    bool found = false;
    while (from && !found && fgets (line, sizeof line, from))
        found = sscanf (line, "ready jobs=%256s", jobs) == 1 && strlen (jobs) < size;
    if (from)
        fclose (from);
    return found;
}

static int start_worker (rm_map_local_t *self, rm_fault_t *fault)
{
    char slots[24];
    snprintf (slots, sizeof slots, "%u", self->slots);
    char *argv[] = {"ringworker", "--shell", "--master", self->jobs, "--threads", slots, NULL};
    self->worker = start (self, "ringworker", argv, NULL);
    return self->worker ? 0 : rm_fault (fault, RM_EIO, "cannot start a worker: %s", strerror (errno));
}

static void end (pid_t *pid)
{
    if (!*pid)
        return;
    kill (*pid, SIGKILL);
    while (waitpid (*pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    *pid = 0;
}

/* True once it serves on the ports from `port`. */
static bool start_master (rm_map_local_t *self, unsigned port)
{
    char ledger[PATH_BYTES + 64], text[24];
    int out = -1;
    snprintf (ledger, sizeof ledger, "%s/ledger", self->directory);
    snprintf (text, sizeof text, "%u", port);
    char *argv[] = {"ringmaster", "--data", ledger, "--port", text, NULL};
    self->master = start (self, "ringmaster", argv, &out);
    self->port = port;
    if (self->master && read_ready (out, self->jobs, sizeof self->jobs))
        return true;
    end (&self->master);
    return false;
}

int rm_map_local_start (rm_map_local_t *self, const char *directory, unsigned slots, rm_fault_t *fault)
{
    *self = (rm_map_local_t){.slots = slots};
    snprintf (self->directory, sizeof self->directory, "%s", directory);
    for (int i = 0; i < PORT_TRIES; i++)
        if (start_master (self, PORT_MIN + PORTS * (unsigned)(rm_random_u64 () % ((PORT_MAX - PORT_MIN) / PORTS))))
            return start_worker (self, fault);
    return rm_fault (fault, RM_EIO, "cannot start a master of its own; %s/ringmaster.log says why", directory);
}

static bool has_died (pid_t *pid)
{
    bool died = *pid && waitpid (*pid, NULL, WNOHANG) == *pid;
    if (died)
        *pid = 0;
    return died;
}

int rm_map_local_check (rm_map_local_t *self, rm_fault_t *fault)
{
    if (has_died (&self->master) && (self->restarts++ == RESTARTS_MAX || !start_master (self, self->port)))
        return rm_fault (fault, RM_EIO, "its own master has died again and again; %s/ringmaster.log may say why",
                         self->directory);
    if (has_died (&self->worker))
        return start_worker (self, fault);
    return 0;
}

void rm_map_local_stop (rm_map_local_t *self)
{
    end (&self->worker); /* its guard kills what it runs */
    end (&self->master);
}
