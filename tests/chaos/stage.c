#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http.h"
#include "net.h"

enum {
    BACK_MS = 300, /* after an end of its own */
    READY_MS = 30000,
    END_MS = 20000,
    JOBS_PER_SECOND = 30, /* of a client */
    POINTS_MAX = 128,
    PORTS = 4,   /* of the master */
    GROUP_PORTS, /* of one of a group */
    HTTP_PORT = 3,
    RAFT_PORT = 4,
    ASK_MS = 1000,
    MASTER_HOST = 1,
    PROXY_HOST,
    PEER_HOST = 10,
    OTHER_HOST = 200
};

#define DIGEST_BYTES "65536" /* of log between comparisons of a group's states */

static char bin[512]; /* folder of the programs */
static char *points[2][POINTS_MAX];
static unsigned point_count[2];
static atomic_uint watchers;

/* ---- the cast ---------------------------------------------------------------------------------------------------- */

bool stage_is_worker (const stage_t *self, unsigned actor)
{
    return actor >= CAST_PEER && actor < cast_peers_end (&self->cast) - self->cast.clients;
}

bool stage_is_client (const stage_t *self, unsigned actor)
{
    unsigned end = cast_peers_end (&self->cast);
    return actor >= end - self->cast.clients && actor < end;
}

bool stage_is_guest (const stage_t *self, unsigned actor)
{
    unsigned first = CAST_PEER + self->cast.workers;
    return actor >= first && actor < first + self->cast.guests;
}

static bool is_tool (const stage_t *self, unsigned actor)
{
    return stage_is_worker (self, actor) && actor >= CAST_PEER + self->cast.workers + self->cast.guests;
}

void stage_name (stage_t *self, const cast_t *cast)
{
    *self = (stage_t){.cast = *cast};
    unsigned at = CAST_PEER;
    const struct {
        const char *letter;
        unsigned count;
    } groups[] = {
        {"w", self->cast.workers}, {"g", self->cast.guests}, {"t", self->cast.tools}, {"c", self->cast.clients}};
    for (unsigned i = 0; i < cast->masters; i++) {
        actor_t *master = &self->actors[cast_master (cast, i)];
        snprintf (master->name, sizeof master->name, cast->masters > 1 ? "m%u" : "master", i + 1);
    }
    strcpy (self->actors[CAST_PROXY].name, "proxy");
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
        for (unsigned i = 1; i <= groups[g].count; i++, at++)
            snprintf (self->actors[at].name, sizeof self->actors[at].name, "%s%u", groups[g].letter, i);
}

/* Every third peer lives behind the proxy, if there is one. */
static void make_network (stage_t *self)
{
    bool proxy = cast_has_proxy (&self->cast);
    self->actors[CAST_MASTER].seat = net_seat (MASTER_HOST, false);
    for (unsigned i = 1; i < self->cast.masters; i++)
        self->actors[cast_master (&self->cast, i)].seat = net_seat (OTHER_HOST + i, false);
    if (proxy) {
        self->actors[CAST_PROXY].seat = net_seat (PROXY_HOST, false);
        self->proxy_far = net_seat (MASTER_HOST, true);
    }
    for (unsigned i = CAST_PEER; i < cast_peers_end (&self->cast); i++)
        self->actors[i].seat = net_seat (PEER_HOST + i, proxy && (i - CAST_PEER) % 3 == 2);
}

/* ---- fail points ------------------------------------------------------------------------------------------------- */

static void ask_points (const char *program, unsigned which)
{
    char path[600];
    const char *line;
    snprintf (path, sizeof path, "%s/%s", bin, program);
    process_t *process = process_start ("points", (char *[]){path, "--list-failpoints", NULL}, NULL);
    while (point_count[which] < POINTS_MAX && (line = process_line (process, "", READY_MS)))
        points[which][point_count[which]++] = strdup (line);
    process_destroy (&process);
    if (!point_count[which])
        harness_fail ("%s has no fail points", program);
}

const char *stage_point (const stage_t *self, unsigned actor, uint64_t random)
{
    unsigned which = stage_is_worker (self, actor);
    return points[which][random % point_count[which]];
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void find_programs (void)
{
    ssize_t size = readlink ("/proc/self/exe", bin, sizeof bin - 1);
    if (size < 0)
        harness_fail ("cannot find the programs");
    bin[size] = 0;
    dirname (bin);
}

/* Of a group's masters. */
static void write_secret (void)
{
    char path[600];
    snprintf (path, sizeof path, "%s/secret", scratch_dir ());
    FILE *file = fopen (path, "w");
    if (!file || fputs ("a secret of the chaos's masters\n", file) < 0 || fclose (file))
        harness_fail ("cannot write %s: %s", path, strerror (errno));
}

void stage_open (stage_t *self, const cast_t *cast, uint64_t seed, const char *history)
{
    stage_name (self, cast);
    self->seed = seed;
    self->port = cast->network ? 5550 : free_ports (cast->masters > 1 ? (int)cast->masters * GROUP_PORTS : 2 * PORTS);
    find_programs ();
    snprintf (self->history, sizeof self->history, "%s", history);
    snprintf (self->commands, sizeof self->commands, "%s/commands", scratch_dir ());
    if (history_pen_open (&self->pen, history, "chaos"))
        harness_fail ("cannot write %s: %s", history, strerror (errno));
    if (mkfifo (self->commands, 0600) || (self->commands_fd = open (self->commands, O_RDWR | O_CLOEXEC)) < 0)
        harness_fail ("cannot make %s: %s", self->commands, strerror (errno));
    if (cast->network)
        make_network (self);
    write_secret ();
    setenv ("RM_TEST_DIGEST_BYTES", DIGEST_BYTES, 1);
    ask_points ("ringmaster", 0);
    ask_points ("ringworker", 1);
}

void stage_close (stage_t *self)
{
    process_destroy_all ();
    for (unsigned i = 0; i < CAST_MAX; i++)
        self->actors[i].process = NULL;
    for (int i = 0; i < 1000 && atomic_load (&watchers); i++)
        sleep_ms (5);
}

static const char *address (const stage_t *self, unsigned master)
{
    return self->cast.network ? net_address (self->actors[cast_master (&self->cast, master)].seat) : "127.0.0.1";
}

static int port (const stage_t *self, unsigned master)
{
    return self->port + (self->cast.network ? 0 : (int)master * GROUP_PORTS);
}

void stage_endpoint (const stage_t *self, char *text, size_t size)
{
    size_t used = 0;
    for (unsigned i = 0; i < self->cast.masters && used < size; i++)
        used += (size_t)snprintf (text + used, size - used, "%stcp://%s:%d", i ? "," : "", address (self, i),
                                  port (self, i));
}

int64_t stage_ledger (const stage_t *self, unsigned master, const char *what)
{
    static char text[1 << 16];
    json_t *status = NULL;
    if (http_get (address (self, master), port (self, master) + HTTP_PORT, "/status", ASK_MS, text, sizeof text))
        status = json_loads (text, 0, NULL);
    json_t *number = json_object_get (json_object_get (status, "ledger"), what);
    int64_t value = number ? json_integer_value (number) : -1;
    json_decref (status);
    return value;
}

/* ---- starting ---------------------------------------------------------------------------------------------------- */

typedef struct {
    const history_pen_t *pen;
    pid_t pid;
    char name[16];
} watched_t;

/* Notes the moment it dies, without taking its status. */
static void *watch (void *arg)
{
    watched_t watched = *(watched_t *)arg;
    siginfo_t info;
    free (arg);
    while (waitid (P_PID, (id_t)watched.pid, &info, WEXITED | WNOWAIT) && errno == EINTR)
        continue;
    history_pen_write (watched.pen, "died %" PRIu64 " %ld %s", history_now_us (), (long)watched.pid, watched.name);
    atomic_fetch_sub (&watchers, 1);
    return NULL;
}

static void have_watched (const stage_t *self, const actor_t *actor)
{
    watched_t *watched = malloc (sizeof *watched);
    pthread_t thread;
    if (!watched)
        harness_fail ("no memory");
    *watched = (watched_t){.pen = &self->pen, .pid = process_pid (actor->process)};
    snprintf (watched->name, sizeof watched->name, "%s", actor->name);
    atomic_fetch_add (&watchers, 1);
    if (pthread_create (&thread, NULL, watch, watched))
        harness_fail ("no thread for %s", actor->name);
    pthread_detach (thread);
}

/* The command line of each part; what the words point to lives in here. */
typedef struct {
    char program[600], endpoint[STAGE_ENDPOINTS_BYTES], port[16], far[64], near[64], address[64], queue[2100], seed[24],
        data[700], rate[16], id[16], peers[STAGE_ENDPOINTS_BYTES], secret[700];
    char *words[24];
    unsigned count;
} command_t;

static void say (command_t *self, char *word)
{
    self->words[self->count++] = word;
}

static void program (command_t *self, const char *name)
{
    snprintf (self->program, sizeof self->program, "%s/%s", bin, name);
    say (self, self->program);
}

/* "1=HOST:PORT,2=…", with their raft ports */
static void list_masters (const stage_t *self, char *text, size_t size)
{
    size_t used = 0;
    for (unsigned i = 0; i < self->cast.masters && used < size; i++)
        used += (size_t)snprintf (text + used, size - used, "%s%u=%s:%d", i ? "," : "", i + 1, address (self, i),
                                  port (self, i) + RAFT_PORT);
}

static void command_of_master (const stage_t *self, unsigned at, command_t *command)
{
    unsigned number = at == CAST_MASTER ? 0 : at - cast_peers_end (&self->cast) + 1;
    bool group = self->cast.masters > 1;
    snprintf (command->port, sizeof command->port, "%d", port (self, number));
    snprintf (command->address, sizeof command->address, "%s", address (self, number));
    snprintf (command->data, sizeof command->data, "%s/data.%s", scratch_dir (), self->actors[at].name);
    snprintf (command->id, sizeof command->id, "%u", number + 1);
    snprintf (command->secret, sizeof command->secret, "%s/secret", scratch_dir ());
    list_masters (self, command->peers, sizeof command->peers);
    program (command, "ringmaster");
    char *const words[] = {"--data",           command->data, "--port", command->port,
                           "--snapshot-bytes", "1048576",     "--bind", command->address};
    char *const more[] = {"--id", command->id, "--peers", command->peers, "--secret", command->secret};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        say (command, words[i]);
    for (size_t i = 0; group && i < sizeof more / sizeof *more; i++)
        say (command, more[i]);
    if (self->cast.network)
        say (command, "--insecure");
}

static void command_of_proxy (stage_t *self, command_t *command)
{
    net_path (self->proxy_far, command->far);
    net_path (self->actors[CAST_PROXY].seat, command->near);
    snprintf (command->address, sizeof command->address, "%s:%d", address (self, 0), self->port);
    snprintf (command->port, sizeof command->port, "%d", PORTS);
    program (command, "chaos_proxy");
    char *const words[] = {command->far, command->near, command->address, command->port, self->commands, command->seed};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        say (command, words[i]);
}

static void command_of_peer (stage_t *self, unsigned at, command_t *command)
{
    actor_t *actor = &self->actors[at];
    if (stage_is_client (self, at)) {
        snprintf (command->rate, sizeof command->rate, "%d", JOBS_PER_SECOND);
        program (command, "chaos_client");
        char *const words[] = {command->endpoint, actor->name,   self->history,
                               actor->desk_path,  command->seed, command->rate};
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            say (command, words[i]);
        return;
    }
    if (is_tool (self, at)) {
        program (command, "ringworker");
        snprintf (command->queue, sizeof command->queue, "sh=exec:exec %s/recorder_job %s %s", bin, self->history,
                  actor->name);
        char *const words[] = {"--master", command->endpoint, "--name", actor->name, "--pool",
                               "tools",    "--threads",       "8",      "--queue",   command->queue};
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            say (command, words[i]);
        return;
    }
    program (command, "recorder");
    char *const words[] = {command->endpoint, actor->name, "8", self->history, "rec"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        say (command, words[i]);
}

void stage_start (stage_t *self, unsigned at)
{
    actor_t *actor = &self->actors[at];
    command_t command = {.count = 0};
    char point[128] = "RM_FAILPOINTS=", name[32];
    stage_endpoint (self, command.endpoint, sizeof command.endpoint);
    snprintf (command.seed, sizeof command.seed, "%" PRIu64, self->seed);
    if (cast_is_master (&self->cast, at))
        command_of_master (self, at, &command);
    else if (at == CAST_PROXY)
        command_of_proxy (self, &command);
    else {
        if (stage_is_client (self, at) && !actor->desk) {
            char path[512];
            snprintf (path, sizeof path, "%s/%s.desk", scratch_dir (), actor->name);
            memcpy (actor->desk_path, path, sizeof path);
            actor->desk = desk_open (actor->desk_path);
            if (!actor->desk)
                harness_fail ("cannot make %s", actor->desk_path);
        }
        command_of_peer (self, at, &command);
    }
    if (actor->point)
        snprintf (point, sizeof point, "RM_FAILPOINTS=%s=kill@%u", actor->point, actor->point_at);
    char *environment[] = {point, NULL};
    snprintf (name, sizeof name, "%s", actor->name);
    bool placed = self->cast.network && at != CAST_PROXY;
    actor->process = process_start_in (name, command.words, environment, placed ? net_enter : NULL, &actor->seat);
    actor->due_us = STAGE_NEVER;
    actor->stopped = actor->leaving = false;
    history_pen_write (&self->pen, "# %" PRIu64 " start %s pid=%ld%s%s", history_now_us (), actor->name,
                       (long)process_pid (actor->process), actor->point ? " point=" : "",
                       actor->point ? actor->point : "");
    have_watched (self, actor);
}

bool stage_start_ready (stage_t *self, unsigned at)
{
    stage_start (self, at);
    return process_line (self->actors[at].process, "ready", READY_MS);
}

bool stage_start_masters (stage_t *self)
{
    bool ready = true;
    for (unsigned i = 0; i < self->cast.masters; i++)
        stage_start (self, cast_master (&self->cast, i));
    for (unsigned i = 0; i < self->cast.masters; i++)
        ready = ready && process_line (self->actors[cast_master (&self->cast, i)].process, "ready", READY_MS);
    return ready;
}

/* ---- what is done to them ---------------------------------------------------------------------------------------- */

void stage_kill (stage_t *self, unsigned at, uint64_t back_ms)
{
    actor_t *actor = &self->actors[at];
    actor->due_us = history_now_us () + back_ms * 1000;
    if (!actor->process)
        return;
    history_pen_write (&self->pen, "# %" PRIu64 " kill %s pid=%ld", history_now_us (), actor->name,
                       (long)process_pid (actor->process));
    process_signal (actor->process, SIGKILL);
    if (process_wait (actor->process, END_MS) == -1)
        harness_fail ("%s cannot be killed", actor->name);
    process_destroy (&actor->process);
    actor->stopped = actor->leaving = false;
    actor->point = NULL;
}

void stage_stop (stage_t *self, unsigned at)
{
    actor_t *actor = &self->actors[at];
    if (!actor->process || actor->stopped)
        return;
    history_pen_write (&self->pen, "stop %" PRIu64 " %ld %s", history_now_us (), (long)process_pid (actor->process),
                       actor->name);
    process_signal (actor->process, SIGSTOP);
    actor->stopped = true;
}

void stage_cont (stage_t *self, unsigned at)
{
    actor_t *actor = &self->actors[at];
    if (!actor->process || !actor->stopped)
        return;
    process_signal (actor->process, SIGCONT);
    history_pen_write (&self->pen, "cont %" PRIu64 " %ld %s", history_now_us (), (long)process_pid (actor->process),
                       actor->name);
    actor->stopped = false;
}

void stage_leave (stage_t *self, unsigned at, uint64_t back_ms, bool for_good)
{
    actor_t *actor = &self->actors[at];
    if (!actor->process)
        return;
    history_pen_write (&self->pen, "# %" PRIu64 " leave %s pid=%ld", history_now_us (), actor->name,
                       (long)process_pid (actor->process));
    actor->leaving = true;
    actor->due_us = for_good ? STAGE_NEVER : history_now_us () + back_ms * 1000;
    process_signal (actor->process, SIGTERM);
}

void stage_command (stage_t *self, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    vdprintf (self->commands_fd, format, arguments);
    va_end (arguments);
}

/* ---- supervising ------------------------------------------------------------------------------------------------- */

/* Exit codes of workers: 1, could not keep its promises otherwise; 3, no master answered. */
static bool is_code (const stage_t *self, unsigned at, int code)
{
    return at != CAST_PROXY && (code == 0 || code == 1 || (code == 3 && is_tool (self, at)));
}

/* Ends that nobody asked for: signals are never right. */
static void bury (stage_t *self, unsigned at)
{
    actor_t *actor = &self->actors[at];
    int status = process_wait (actor->process, 0);
    uint64_t us = history_now_us ();
    history_pen_write (&self->pen, "# %" PRIu64 " ended %s pid=%ld %s %d", us, actor->name,
                       (long)process_pid (actor->process), WIFSIGNALED (status) ? "signal" : "exit",
                       WIFSIGNALED (status) ? WTERMSIG (status) : WEXITSTATUS (status));
    bool told = actor->leaving && WIFSIGNALED (status) && WTERMSIG (status) == SIGTERM; /* before it could hear that */
    if (WIFSIGNALED (status) && WTERMSIG (status) != SIGKILL && !told)
        history_pen_complaint (&self->pen, "%s died of signal %d", actor->name, WTERMSIG (status));
    if (WIFEXITED (status) && !is_code (self, at, WEXITSTATUS (status)))
        history_pen_complaint (&self->pen, "%s ended with exit code %d", actor->name, WEXITSTATUS (status));
    if (WIFEXITED (status) && !actor->leaving) {
        self->exits++;
        self->master_exits += cast_is_master (&self->cast, at);
    }
    if (!actor->leaving && !stage_is_guest (self, at))
        actor->due_us = us + BACK_MS * 1000;
    process_destroy (&actor->process);
    actor->stopped = actor->leaving = false;
    actor->point = NULL;
}

void stage_tick (stage_t *self)
{
    for (unsigned i = 0; i < cast_size (&self->cast); i++) {
        actor_t *actor = &self->actors[i];
        if (actor->process && !process_alive (actor->process))
            bury (self, i);
        if (!actor->process && actor->due_us != STAGE_NEVER && actor->due_us <= history_now_us ())
            stage_start (self, i);
    }
}
