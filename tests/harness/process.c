#include "process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 4096, PROCESSES_MAX = 256, TAIL_BYTES = 4000, MEMORY_BYTES_MIN = 512 << 20 };

struct process {
    pid_t pid;
    int out; /* its stdout; -1 once it has ended */
    bool ended;
    int status;
    char log[512];
    long log_at; /* where process_logged goes on */
    char line[LINE_BYTES_MAX];
    size_t used, taken; /* bytes in `line`, and how many of them were handed out */
};

static process_t *processes[PROCESSES_MAX];
static char scratch[256];
static pid_t scratch_owner;
static bool keep_scratch;

/* ---- time and place --------------------------------------------------------------------------------------------- */

uint64_t time_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void sleep_ms (int ms)
{
    struct timespec span = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep (&span, &span) && errno == EINTR)
        ;
}

static int remove_entry (const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove (path);
}

static void clean_up (void)
{
    if (getpid () != scratch_owner)
        return;
    process_destroy_all ();
    if (!keep_scratch)
        nftw (scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_dir (void)
{
    if (*scratch)
        return scratch;
    const char *top = getenv ("TMPDIR");
    snprintf (scratch, sizeof scratch, "%s/ringmaster-XXXXXX", top && *top ? top : "/tmp");
    if (!mkdtemp (scratch)) {
        fprintf (stderr, "cannot make %s: %s\n", scratch, strerror (errno));
        exit (99);
    }
    scratch_owner = getpid ();
    atexit (clean_up);
    return scratch;
}

void scratch_in_memory (void)
{
    struct statvfs room;
    if (!access ("/dev/shm", W_OK | X_OK) && !statvfs ("/dev/shm", &room) &&
        (uint64_t)room.f_bavail * room.f_frsize >= (uint64_t)MEMORY_BYTES_MIN)
        setenv ("TMPDIR", "/dev/shm", 0);
}

void scratch_keep (void)
{
    keep_scratch = true;
}

int free_ports (int count)
{
    for (int attempt = 0; attempt < 200; attempt++) {
        int base = 20000 + (int)((time_ms () * 7 + (uint64_t)getpid () * 131 + (uint64_t)attempt * 97) % 12000);
        int good = 0;
        for (; good < count; good++) {
            struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons ((uint16_t)(base + good))};
            address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
            int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            int rc = bind (fd, (struct sockaddr *)&address, sizeof address);
            close (fd);
            if (rc)
                break;
        }
        if (good == count)
            return base;
    }
    harness_fail ("no %d free ports in a row", count);
}

/* ---- failing ---------------------------------------------------------------------------------------------------- */

static void print_tail (const char *path)
{
    FILE *file = fopen (path, "r");
    if (!file)
        return;
    fprintf (stderr, "---- %s\n", path);
    fseek (file, 0, SEEK_END);
    long size = ftell (file);
    fseek (file, size > TAIL_BYTES ? size - TAIL_BYTES : 0, SEEK_SET);
    char text[TAIL_BYTES];
    size_t got = fread (text, 1, sizeof text, file);
    fwrite (text, 1, got, stderr);
    fclose (file);
}

static int print_log (const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)walk;
    size_t size = strlen (path);
    if (kind == FTW_F && size > 4 && !strcmp (path + size - 4, ".log"))
        print_tail (path);
    return 0;
}

void print_logs (void)
{
    if (*scratch)
        nftw (scratch, print_log, 16, FTW_PHYS);
}

void harness_fail (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    vfprintf (stderr, format, args);
    va_end (args);
    fputc ('\n', stderr);
    print_logs ();
    keep_scratch = true;
    exit (99);
}

/* ---- a process -------------------------------------------------------------------------------------------------- */

typedef struct {
    void (*enter) (void *arg);
    void *arg;
} enter_t;

static void become (const process_t *self, int out, pid_t parent, char *const argv[], char *const environment[],
                    const enter_t *enter)
{
    setpgid (0, 0);
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    if (getppid () != parent)
        _exit (127);
    int log = open (self->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    int null = open ("/dev/null", O_RDONLY);
    if (log < 0 || null < 0 || dup2 (null, 0) < 0 || dup2 (out, 1) < 0 || dup2 (log, 2) < 0)
        _exit (127);
    for (int i = 0; environment && environment[i]; i++)
        putenv (environment[i]);
    if (enter->enter)
        enter->enter (enter->arg);
    execv (argv[0], argv);
    dprintf (2, "cannot run %s: %s\n", argv[0], strerror (errno));
    _exit (127);
}

process_t *process_start (const char *name, char *const argv[], char *const environment[])
{
    return process_start_in (name, argv, environment, NULL, NULL);
}

process_t *process_start_in (const char *name, char *const argv[], char *const environment[], void (*enter) (void *arg),
                             void *arg)
{
    int ends[2], place = 0;
    process_t *self = calloc (1, sizeof *self);
    while (place < PROCESSES_MAX && processes[place])
        place++;
    if (!self || place == PROCESSES_MAX || pipe2 (ends, O_CLOEXEC))
        harness_fail ("cannot start %s", name);
    snprintf (self->log, sizeof self->log, "%s/%s.log", scratch_dir (), name);
    struct stat info;
    self->log_at = stat (self->log, &info) ? 0 : (long)info.st_size;
    pid_t parent = getpid ();
    self->pid = fork ();
    if (self->pid < 0)
        harness_fail ("cannot fork for %s: %s", name, strerror (errno));
    if (!self->pid)
        become (self, ends[1], parent, argv, environment, &(enter_t){enter, arg});
    setpgid (self->pid, self->pid);
    close (ends[1]);
    self->out = ends[0];
    processes[place] = self;
    return self;
}

/* Takes a whole line from the buffer; NULL if there is none yet. */
static const char *take_line (process_t *self)
{
    memmove (self->line, self->line + self->taken, self->used - self->taken);
    self->used -= self->taken;
    self->taken = 0;
    char *end = memchr (self->line, '\n', self->used);
    if (!end)
        return NULL;
    *end = 0;
    self->taken = (size_t)(end - self->line) + 1;
    return self->line;
}

static bool read_more (process_t *self, int timeout_ms)
{
    struct pollfd item = {self->out, POLLIN, 0};
    if (self->out < 0 || poll (&item, 1, timeout_ms) <= 0)
        return false;
    if (self->used == sizeof self->line)
        self->used = 0;
    ssize_t got = read (self->out, self->line + self->used, sizeof self->line - self->used);
    if (got <= 0) {
        close (self->out);
        self->out = -1;
        return false;
    }
    self->used += (size_t)got;
    return true;
}

const char *process_line (process_t *self, const char *prefix, int timeout_ms)
{
    uint64_t end = time_ms () + (uint64_t)timeout_ms;
    for (;;) {
        const char *line;
        while ((line = take_line (self)))
            if (!strncmp (line, prefix, strlen (prefix)))
                return line;
        uint64_t now = time_ms ();
        if (self->out < 0 || (!read_more (self, now < end ? (int)(end - now) : 0) && (self->out < 0 || now >= end)))
            return NULL;
    }
}

static bool find_in_log (process_t *self, const char *text)
{
    FILE *file = fopen (self->log, "r");
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    if (!file)
        return false;
    fseek (file, self->log_at, SEEK_SET);
    while (!found && getline (&line, &room, file) > 0)
        found = strstr (line, text) != NULL;
    if (found)
        self->log_at = ftell (file);
    free (line);
    fclose (file);
    return found;
}

bool process_logged (process_t *self, const char *text, int timeout_ms)
{
    uint64_t end = time_ms () + (uint64_t)timeout_ms;
    while (!find_in_log (self, text)) {
        if (time_ms () >= end)
            return false;
        sleep_ms (5);
    }
    return true;
}

pid_t process_pid (const process_t *self)
{
    return self->pid;
}

bool process_alive (process_t *self)
{
    if (!self->ended && waitpid (self->pid, &self->status, WNOHANG) == self->pid)
        self->ended = true;
    return !self->ended;
}

void process_signal (process_t *self, int signal)
{
    if (process_alive (self))
        kill (self->pid, signal);
}

int process_wait (process_t *self, int timeout_ms)
{
    uint64_t end = time_ms () + (uint64_t)timeout_ms;
    while (process_alive (self)) {
        if (time_ms () >= end)
            return -1;
        sleep_ms (2);
    }
    return self->status;
}

void process_destroy (process_t **self_p)
{
    process_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (int i = 0; i < PROCESSES_MAX; i++)
        if (processes[i] == self)
            processes[i] = NULL;
    if (process_alive (self))
        kill (-self->pid, SIGKILL);
    process_wait (self, 10000);
    if (self->out >= 0)
        close (self->out);
    free (self);
}

void process_destroy_all (void)
{
    for (int i = 0; i < PROCESSES_MAX; i++) {
        process_t *process = processes[i];
        process_destroy (&process);
    }
}
