/*  A crowd of clients of one RPC server: they connect, call, say goodbye or are killed, at random, and new ones come. Every
 *  call of a client that lives must be answered with its own result; at the end nobody is taken for connected who is not, and
 *  the server has no more descriptors than before the crowd came, and not much more memory than when it was first there.
 *
 *      rpc_crowd SECONDS [CLIENTS [MODE]]      (10, 1000, pool)
 */
#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ringmaster/rpc.h>

enum {
    GROUP = 50, /* clients in one process, which vanish together */
    GROUPS_MAX = 100,
    CALL_MS = 60 * 1000, /* on a machine that does much else, too */
    SILENCE_MS = 3000,
    SPARE_FDS = 16,
    SPARE_KIB = 8 * 1024
};

static struct {
    atomic_long called, answered, wrong, came, went, killed;
    char endpoint[256];
    atomic_bool listens;
} * shared;

static void fail (const char *what)
{
    fprintf (stderr, "rpc_crowd: %s\n", what);
    exit (1);
}

static int64_t now_ms (void)
{
    struct timespec time;
    clock_gettime (CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void nap (int ms)
{
    nanosleep (&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* ---- the server ---- */

static int twice (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    return rm_rpc_reply (call, rm_rpc_values (rm_rpc_int (2 * rm_rpc_call_int (call, 0))));
}

static void count (const char *client, const char *name, void *counter)
{
    (void)client, (void)name;
    atomic_fetch_add ((atomic_long *)counter, 1);
}

static void be_server (const char *mode)
{
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    char silence[16];
    snprintf (silence, sizeof silence, "%d", SILENCE_MS);
    rm_rpc_server_t *server = rm_rpc_server_new ();
    rm_rpc_server_add (server, "twice", "i:i", twice, NULL);
    rm_rpc_server_on_connect (server, count, &shared->came);
    rm_rpc_server_on_disconnect (server, count, &shared->went);
    if (rm_rpc_server_set (server, "mode", mode) || rm_rpc_server_set (server, "silence", silence) ||
        rm_rpc_server_bind (server))
        fail (rm_rpc_server_error (server));
    snprintf (shared->endpoint, sizeof shared->endpoint, "%s", rm_rpc_server_endpoint (server));
    atomic_store (&shared->listens, true);
    rm_rpc_server_run (server);
    _exit (0);
}

/* ---- clients ---- */

static void call_once (rm_rpc_client_t *client, unsigned *random)
{
    int64_t number = rand_r (random) % 1000000;
    rm_rpc_answer_t *answer = NULL;
    atomic_fetch_add (&shared->called, 1);
    int error = rm_rpc_client_call (client, "twice", rm_rpc_values (rm_rpc_int (number)), CALL_MS, &answer);
    if (error)
        fprintf (stderr, "rpc_crowd: a call ended with %s\n", rm_rpc_client_error (client));
    bool right = !error && rm_rpc_answer_int (answer, 0) == 2 * number;
    atomic_fetch_add (right ? &shared->answered : &shared->wrong, 1);
    rm_rpc_answer_destroy (&answer);
}

/* Until it is killed: now and then one of them leaves, and another comes in its place. */
static void be_group (unsigned random)
{
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    rm_rpc_client_t *clients[GROUP] = {0};
    for (;;) {
        rm_rpc_client_t **client = &clients[rand_r (&random) % GROUP];
        if (!*client)
            *client = rm_rpc_client_new (shared->endpoint);
        call_once (*client, &random);
        if (rand_r (&random) % 8 == 0)
            rm_rpc_client_destroy (client);
    }
}

/* ---- what the server has ---- */

static long descriptors (pid_t pid)
{
    char path[64];
    long entries = 0;
    snprintf (path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir (path);
    if (!folder)
        fail ("the server is gone");
    while (readdir (folder))
        entries++;
    closedir (folder);
    return entries;
}

static long resident_kib (pid_t pid)
{
    char path[64], line[256];
    long kib = 0;
    snprintf (path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen (path, "r");
    if (!file)
        fail ("the server is gone");
    while (fgets (line, sizeof line, file))
        sscanf (line, "VmRSS: %ld", &kib);
    fclose (file);
    return kib;
}

static pid_t start_group (unsigned random)
{
    pid_t pid = fork ();
    if (pid < 0)
        fail ("no process can be started");
    if (!pid)
        be_group (random);
    return pid;
}

static void end_group (pid_t pid)
{
    kill (pid, SIGKILL);
    waitpid (pid, NULL, 0);
    atomic_fetch_add (&shared->killed, 1);
}

/* Every call that nobody was killed in had its answer. */
static void look_at_calls (void)
{
    long called = atomic_load (&shared->called), answered = atomic_load (&shared->answered);
    printf ("%ld calls, %ld answered; %ld clients came, %ld groups of %d were killed\n", called, answered,
            atomic_load (&shared->came), atomic_load (&shared->killed), GROUP);
    if (atomic_load (&shared->wrong) || called - answered > atomic_load (&shared->killed) || !answered)
        fail ("a call was not answered, or wrongly");
}

static void look_at_leaks (pid_t server, long fds_before, long kib_before)
{
    long fds = 0, kib = 0;
    for (int64_t end = now_ms () + 60 * 1000; now_ms () < end; nap (100)) {
        fds = descriptors (server);
        kib = resident_kib (server);
        if (atomic_load (&shared->came) == atomic_load (&shared->went) && fds <= fds_before + SPARE_FDS)
            break;
    }
    printf ("descriptors: %ld before, %ld after; resident: %ld KiB when the crowd was first there, %ld KiB after\n",
            fds_before, fds, kib_before, kib);
    if (atomic_load (&shared->came) != atomic_load (&shared->went))
        fail ("the server takes someone for connected who is gone");
    if (fds > fds_before + SPARE_FDS)
        fail ("the server has kept descriptors");
    if (kib > kib_before + kib_before / 4 + SPARE_KIB)
        fail ("the server has kept memory");
}

static void run (pid_t server, int seconds, int groups)
{
    pid_t pids[GROUPS_MAX];
    unsigned random = 1;
    long fds_before = descriptors (server), kib_before = 0;
    int64_t begun = now_ms (), end = begun + seconds * 1000;
    for (int i = 0; i < groups; i++)
        pids[i] = start_group (random++);
    while (now_ms () < end) {
        nap (seconds * 1000 / groups / 4 + 1); /* each group is killed about four times */
        int victim = rand_r (&random) % groups;
        end_group (pids[victim]);
        pids[victim] = start_group (random++);
        if (!kib_before && now_ms () - begun > seconds * 1000 / 3)
            kib_before = resident_kib (server);
    }
    for (int i = 0; i < groups; i++)
        end_group (pids[i]);
    look_at_calls ();
    look_at_leaks (server, fds_before, kib_before);
}

int main (int argc, char **argv)
{
    int seconds = argc > 1 ? atoi (argv[1]) : 10, clients = argc > 2 ? atoi (argv[2]) : 1000;
    if (seconds < 1 || clients < GROUP || clients > GROUP * GROUPS_MAX) {
        fprintf (stderr, "usage: rpc_crowd SECONDS [CLIENTS [MODE]]\n");
        return 2;
    }
    struct rlimit files;
    getrlimit (RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit (RLIMIT_NOFILE, &files);
    shared = mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        fail ("no memory");
    pid_t server = fork ();
    if (!server)
        be_server (argc > 3 ? argv[3] : "pool");
    while (!atomic_load (&shared->listens))
        nap (10);
    run (server, seconds, clients / GROUP);
    kill (server, SIGKILL);
    waitpid (server, NULL, 0);
    puts ("rpc_crowd: ok");
    return 0;
}
