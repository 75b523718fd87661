#include "cluster.h"

#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "http.h"
#include "net.h"

enum {
    ASK_MS = 1000,
    CALL_MS = 60000,
    READY_MS = 30000,
    END_MS = 20000,
    HTTP_PORT = 3,
    RAFT_PORT = 4,
    NETWORK_PORT = 5550,
    FORMAT = 2 /* has digests */
};

/* Of a group, so that snapshots and comparisons come often. */
#define SNAPSHOT_BYTES "65536"
#define DIGEST_BYTES   "16384"

uint64_t time_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

/* Masters of several machines know a secret. */
static void open_network (cluster_t *self)
{
    char path[640];
    snprintf (path, sizeof path, "%s/secret", scratch_dir ());
    FILE *file = fopen (path, "w");
    must (file && fputs ("a secret of the tests' masters\n", file) >= 0 && !fclose (file));
    self->base = NETWORK_PORT;
    for (int i = 0; i < CLUSTER_MASTERS; i++)
        self->seats[i] = net_seat (1 + (unsigned)i, false);
}

/* A new group soon has a format in which masters compare their states. */
static bool compares (cluster_t *self)
{
    json_t *masters = cluster_ask (self, "masters");
    json_int_t format = json_integer_value (json_object_get (masters, "format"));
    json_decref (masters);
    return format >= FORMAT;
}

/* Starts all of them; each is ready once one leads. */
static void open_group (cluster_t *self)
{
    setenv ("RM_TEST_DIGEST_BYTES", DIGEST_BYTES, 1);
    for (int i = 0; i < CLUSTER_MASTERS; i++)
        self->ids[i] = i + 1;
    for (int i = 0; i < CLUSTER_MASTERS; i++)
        cluster_start_one (self, i, NULL);
    for (int i = 0; i < CLUSTER_MASTERS; i++)
        if (!process_line (self->masters[i], "ready ", READY_MS))
            harness_fail ("master %d did not get ready", i + 1);
    until (compares (self));
}

void cluster_open (cluster_t *self, cluster_kind_t kind)
{
    *self = (cluster_t){.kind = kind, .seat = CLUSTER_NO_SEAT, .history = history_new ()};
    self->base = free_ports (CLUSTER_MASTERS * CLUSTER_PORTS);
    if (kind == CLUSTER_NETWORK)
        open_network (self);
    ssize_t size = readlink ("/proc/self/exe", self->bin, sizeof self->bin - 1);
    if (size < 0)
        harness_fail ("cannot find the programs");
    self->bin[size] = 0;
    dirname (self->bin);
    snprintf (self->data, sizeof self->data, "%s/data", scratch_dir ());
    snprintf (self->recorded, sizeof self->recorded, "%s/history", scratch_dir ());
    int count = 0;
    for (int i = 0; i < (kind == CLUSTER_ALONE ? 1 : CLUSTER_MASTERS); i++) {
        char address[CLUSTER_ADDRESS_BYTES];
        cluster_address (self, i, address);
        count += snprintf (self->jobs + count, sizeof self->jobs - (size_t)count, "%stcp://%s", i ? "," : "", address);
    }
    self->client = cluster_client (self);
    if (kind != CLUSTER_ALONE)
        open_group (self);
    else if (!cluster_master (self, NULL))
        harness_fail ("the master did not get ready");
}

void cluster_close (cluster_t *self)
{
    process_destroy_all ();
    self->master = NULL;
    for (unsigned i = 0; i < self->watcher_count; i++)
        pthread_join (self->watchers[i], NULL);
    rm_client_destroy (&self->client);
    long lines = history_read (self->history, self->recorded);
    if (lines < 0)
        harness_fail ("the recorders' file cannot be read");
    size_t faults = history_check (self->history, stderr);
    if (faults)
        harness_fail ("the history has %zu faults (%s)", faults, self->recorded);
    printf ("history: %zu jobs, %ld lines, no fault\n", history_size (self->history), lines);
    history_destroy (&self->history);
}

/* ---- the master ------------------------------------------------------------------------------------------------- */

static char *setting (char *text, size_t size, const char *failpoints)
{
    snprintf (text, size, "RM_FAILPOINTS=%s", failpoints ? failpoints : "");
    return strdup (text); /* the child's environment points to it */
}

bool cluster_master_with (cluster_t *self, const char *failpoints, char *const *more)
{
    char program[600], port[16], text[256];
    snprintf (program, sizeof program, "%s/ringmaster", self->bin);
    snprintf (port, sizeof port, "%d", self->base);
    char *argv[5 + 8 + 1] = {program, "--data", self->data, "--port", port};
    for (size_t i = 5; *more; i++)
        argv[i] = *more++;
    char *environment[] = {setting (text, sizeof text, failpoints), NULL};
    self->master = process_start ("master", argv, environment);
    free (environment[0]);
    bool ready = process_line (self->master, "ready ", READY_MS) != NULL;
    if (!ready && !failpoints)
        harness_fail ("the master did not get ready");
    return ready;
}

bool cluster_master (cluster_t *self, const char *failpoints)
{
    return cluster_master_with (self, failpoints, (char *[]){NULL});
}

void cluster_kill_master (cluster_t *self)
{
    cluster_kill (&self->master);
}

/* ---- a group ----------------------------------------------------------------------------------------------------- */

static const char *host (const cluster_t *self, int place)
{
    return self->kind == CLUSTER_NETWORK ? net_address (self->seats[place]) : "127.0.0.1";
}

static int port (const cluster_t *self, int place)
{
    return self->kind == CLUSTER_NETWORK ? self->base : self->base + place * CLUSTER_PORTS;
}

void cluster_address (const cluster_t *self, int place, char address[CLUSTER_ADDRESS_BYTES])
{
    snprintf (address, CLUSTER_ADDRESS_BYTES, "%s:%d", host (self, place), port (self, place));
}

void cluster_start_one (cluster_t *self, int place, const char *failpoints)
{
    char program[600], data[640], id[16], peers[256], name[16], text[256], secret[640];
    int used = 0;
    for (int i = 0; i < CLUSTER_MASTERS; i++)
        used += snprintf (peers + used, sizeof peers - (size_t)used, "%s%d=%s:%d", i ? "," : "", self->ids[i],
                          host (self, i), port (self, i) + RAFT_PORT);
    snprintf (secret, sizeof secret, "%s/secret", scratch_dir ());
    snprintf (program, sizeof program, "%s/ringmaster", self->bin);
    snprintf (data, sizeof data, "%s%d", self->data, self->ids[place]);
    snprintf (id, sizeof id, "%d", self->ids[place]);
    snprintf (name, sizeof name, "m%d", self->ids[place]);
    bool networked = self->kind == CLUSTER_NETWORK;
    char *argv[] = {program,
                    "--data",
                    data,
                    "--id",
                    id,
                    "--peers",
                    peers,
                    "--snapshot-bytes",
                    SNAPSHOT_BYTES,
                    networked ? "--insecure" : NULL,
                    "--secret",
                    secret,
                    NULL};
    char *environment[] = {setting (text, sizeof text, failpoints), NULL};
    self->masters[place] =
        process_start_in (name, argv, environment, networked ? net_enter : NULL, &self->seats[place]);
    free (environment[0]);
}

void cluster_start_again (cluster_t *self, int place)
{
    cluster_start_one (self, place, NULL);
    if (!process_line (self->masters[place], "ready ", READY_MS))
        harness_fail ("master %d did not get ready again", self->ids[place]);
}

void cluster_change (cluster_t *self, const char *what, int id, const char *at)
{
    const char *json;
    if (rm_client_change (self->client, what, (uint64_t)id, at, END_MS, &json))
        harness_fail ("%s %d: %s", what, id, rm_client_error (self->client));
}

json_t *cluster_status (const cluster_t *self, int place)
{
    static char text[1 << 16];
    bool answers = http_get (host (self, place), port (self, place) + HTTP_PORT, "/status", ASK_MS, text, sizeof text);
    return answers ? json_loads (text, 0, NULL) : NULL;
}

json_int_t cluster_ledger (const cluster_t *self, int place, const char *what)
{
    json_t *status = cluster_status (self, place);
    json_t *number = json_object_get (json_object_get (status, "ledger"), what);
    json_int_t value = number ? json_integer_value (number) : -1;
    json_decref (status);
    return value;
}

static bool agreed (const cluster_t *self, json_int_t since)
{
    for (int i = 0; i < CLUSTER_MASTERS; i++)
        if (cluster_ledger (self, i, "verified") <= since)
            return false;
    return true;
}

void cluster_agree (cluster_t *self)
{
    char payload[2000] = "0 ok ";
    json_int_t since = cluster_ledger (self, cluster_leader (self), "batches");
    memset (payload + strlen (payload), 'x', sizeof payload - 1 - strlen (payload));
    for (uint64_t end = time_ms () + 2 * CLUSTER_PATIENCE_MS; !agreed (self, since);) {
        if (time_ms () > end)
            harness_fail ("the masters have not found their states to be the same");
        cluster_wait (self, self->client, submit (self, .payload = payload));
    }
}

void cluster_wipe (const cluster_t *self, int place)
{
    char data[640];
    int size = snprintf (data, sizeof data, "%s", self->data);
    if (self->kind != CLUSTER_ALONE)
        snprintf (data + size, sizeof data - (size_t)size, "%d", self->ids[place]);
    char *argv[] = {"/bin/rm", "-r", data, NULL};
    process_t *rm = process_start ("rm", argv, NULL);
    must (process_wait (rm, END_MS) == 0);
    process_destroy (&rm);
}

int cluster_leader (cluster_t *self)
{
    for (uint64_t end = time_ms () + CLUSTER_PATIENCE_MS; time_ms () < end; sleep_ms (5)) {
        json_t *answer = cluster_ask (self, "masters");
        int leader = (int)json_integer_value (json_object_get (answer, "leader"));
        json_decref (answer);
        for (int i = 0; i < CLUSTER_MASTERS; i++)
            if (self->ids[i] == leader)
                return i;
    }
    harness_fail ("no master leads");
}

/* ---- workers ---------------------------------------------------------------------------------------------------- */

typedef struct {
    history_t *history;
    pid_t pid;
} watched_t;

/* Notes the moment a process dies, without taking its status. */
static void *watch (void *arg)
{
    watched_t watched = *(watched_t *)arg;
    siginfo_t info;
    free (arg);
    waitid (P_PID, (id_t)watched.pid, &info, WEXITED | WNOWAIT);
    history_died (watched.history, watched.pid, time_us ());
    return NULL;
}

process_t *cluster_process (const cluster_t *self, const char *name, char *const argv[], char *const environment[])
{
    unsigned seat = self->seat;
    return process_start_in (name, argv, environment, seat == CLUSTER_NO_SEAT ? NULL : net_enter, &seat);
}

process_t *cluster_recorder (cluster_t *self, const char *name, int threads, const char *failpoints)
{
    char program[600], count[16], text[256];
    snprintf (program, sizeof program, "%s/recorder", self->bin);
    snprintf (count, sizeof count, "%d", threads);
    char *argv[] = {program, self->jobs, (char *)name, count, self->recorded, "rec", NULL};
    char *environment[] = {setting (text, sizeof text, failpoints), NULL};
    process_t *worker = cluster_process (self, name, argv, environment);
    free (environment[0]);
    watched_t *watched = malloc (sizeof *watched);
    must (watched && self->watcher_count < CLUSTER_PROCESSES_MAX);
    *watched = (watched_t){self->history, process_pid (worker)};
    must (!pthread_create (&self->watchers[self->watcher_count++], NULL, watch, watched));
    return worker;
}

process_t *cluster_worker (cluster_t *self, const char *name, int threads)
{
    process_t *worker = cluster_recorder (self, name, threads, NULL);
    cluster_ready (worker);
    return worker;
}

process_t *cluster_ringworker (cluster_t *self, const char *name, int threads, const char *const *queues)
{
    char program[600], count[16];
    char *argv[32] = {program, "--master", self->jobs, "--name", (char *)name, "--threads", count};
    int used = 7;
    snprintf (program, sizeof program, "%s/ringworker", self->bin);
    snprintf (count, sizeof count, "%d", threads);
    for (; *queues; queues++) {
        argv[used++] = "--queue";
        argv[used++] = (char *)*queues;
    }
    return process_start (name, argv, NULL);
}

void cluster_ready (process_t *worker)
{
    if (!process_line (worker, "ready ", READY_MS))
        harness_fail ("the worker %d did not join", (int)process_pid (worker));
}

void cluster_kill (process_t **worker_p)
{
    process_signal (*worker_p, SIGKILL);
    must (process_wait (*worker_p, END_MS) != -1);
    process_destroy (worker_p);
}

/* Stopped, as the kernel says; a parent's wait would take it for an end. */
static bool stands (const process_t *process)
{
    char path[64], state = 0;
    snprintf (path, sizeof path, "/proc/%ld/stat", (long)process_pid (process));
    FILE *file = fopen (path, "r");
    if (!file)
        return false;
    if (fscanf (file, "%*d %*[^)]) %c", &state) != 1)
        state = 0;
    fclose (file);
    return state == 'T';
}

uint64_t cluster_stands (process_t *worker)
{
    until (stands (worker));
    return time_us ();
}

uint64_t cluster_freeze (process_t *worker)
{
    uint64_t now_us = time_us ();
    process_signal (worker, SIGSTOP);
    cluster_stands (worker);
    return now_us;
}

void cluster_thaw (cluster_t *self, process_t *worker, uint64_t frozen_us)
{
    process_signal (worker, SIGCONT);
    history_stopped (self->history, process_pid (worker), frozen_us, time_us ());
}

void cluster_fired (process_t *process, const char *point)
{
    char text[128];
    int status = process_wait (process, CLUSTER_PATIENCE_MS);
    snprintf (text, sizeof text, "event=failpoint name=%s action=kill", point);
    if (!process_logged (process, text, 0))
        harness_fail ("the fail point %s was never reached", point);
    if (status == -1 || !WIFSIGNALED (status) || WTERMSIG (status) != SIGKILL)
        harness_fail ("the fail point %s did not kill: status %d", point, status);
}

unsigned cluster_recorded (const cluster_t *self, const char *what, uint64_t id, char worker[32])
{
    FILE *file = fopen (self->recorded, "r");
    char line[512], kind[8], name[32];
    unsigned long long job;
    unsigned count = 0;
    while (file && fgets (line, sizeof line, file)) {
        if (sscanf (line, "%7s %*s %*s %31s %llu", kind, name, &job) != 3 || job != id || strcmp (kind, what))
            continue;
        count++;
        if (worker)
            memcpy (worker, name, sizeof name);
    }
    if (file)
        fclose (file);
    return count;
}

unsigned logged (const char *name, const char *text)
{
    char path[600], line[4096];
    unsigned count = 0;
    snprintf (path, sizeof path, "%s/%s.log", scratch_dir (), name);
    FILE *file = fopen (path, "r");
    while (file && fgets (line, sizeof line, file))
        count += strstr (line, text) != NULL;
    if (file)
        fclose (file);
    return count;
}

/* ---- questions -------------------------------------------------------------------------------------------------- */

rm_client_t *cluster_client (const cluster_t *self)
{
    rm_client_t *client = rm_client_new (self->jobs);
    must (client && !rm_client_set (client, "initial", "100") && !rm_client_set (client, "cap", "500"));
    return client;
}

json_t *cluster_ask (cluster_t *self, const char *what)
{
    const char *text;
    if (rm_client_query (self->client, what, 0, NULL, 0, ASK_MS, &text))
        return NULL;
    json_t *answer = json_loads (text, 0, NULL);
    must (answer);
    return answer;
}

int cluster_live (cluster_t *self)
{
    json_t *answer = cluster_ask (self, "workers"), *worker;
    int live = answer ? 0 : -1;
    size_t i;
    json_array_foreach (json_object_get (answer, "workers"), i, worker) {
        live += !strcmp (json_string_value (json_object_get (worker, "state")), "live") &&
                json_integer_value (json_object_get (worker, "slots"));
    }
    json_decref (answer);
    return live;
}

static bool settled (cluster_t *self, int workers)
{
    json_t *status = cluster_ask (self, "status");
    if (!status)
        return false;
    bool idle = !json_integer_value (json_object_get (json_object_get (status, "resize"), "phase"));
    json_int_t members = json_integer_value (json_object_get (status, "workers"));
    json_decref (status);
    return idle && members == workers && cluster_live (self) == workers;
}

void cluster_settle (cluster_t *self, int workers)
{
    until (settled (self, workers));
}

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

/* The session and the number that the client's next request will carry. */
static void next_request (rm_client_t *client, history_job_t *job)
{
    char text[128];
    unsigned long long seq;
    must (!rm_client_session (client, text, sizeof text));
    must (sscanf (text, "%32[0-9a-f]:%llu", job->session, &seq) == 2);
    job->seq = seq;
}

uint64_t cluster_submit (cluster_t *self, rm_client_t *client, const job_t *job)
{
    history_job_t noted = {.may_end = job->may_end ? job->may_end : 1 << RM_DONE, .at_most_once = job->at_most_once};
    const char *queue = job->queue ? job->queue : "rec";
    size_t size = strlen (job->payload);
    snprintf (noted.key, sizeof noted.key, "%s%s%s", job->key ? queue : "", job->key ? "/" : "-",
              job->key ? job->key : "");
    if (job->bytes)
        snprintf (noted.bytes, sizeof noted.bytes, "%s", job->bytes);
    else
        answer_for (job->payload, size, noted.bytes);
    next_request (client, &noted);
    rm_spec_t *spec = rm_spec (queue, .key = job->key, .data = job->payload, .size = size, .tries = job->tries,
                               .timeout_ms = job->timeout_ms, .at_most_once = job->at_most_once, .id = job->uid,
                               .delay_ms = job->delay_ms, .deadline_ms = job->deadline_ms, .priority = job->priority,
                               .retry = job->retry);
    if (rm_client_submit (client, spec, CALL_MS, &noted.id))
        harness_fail ("a submit failed: %s", rm_client_error (client));
    history_accepted (self->history, &noted);
    return noted.id;
}

history_outcome_t cluster_wait (cluster_t *self, rm_client_t *client, uint64_t id)
{
    rm_result_t *result;
    uint64_t end = time_ms () + CALL_MS;
    int rc;
    while ((rc = rm_client_wait (client, id, CALL_MS, &result)) == RM_EUNREACHABLE && time_ms () < end)
        continue;
    if (rc)
        harness_fail ("job %llu did not end: %s", (unsigned long long)id, rm_client_error (client));
    history_outcome_t outcome = {
        .id = id, .outcome = rm_result_outcome (result), .attempt = rm_result_attempt (result)};
    snprintf (outcome.bytes, sizeof outcome.bytes, "%s", rm_result_text (result));
    snprintf (outcome.reason, sizeof outcome.reason, "%s", rm_result_reason (result));
    rm_result_destroy (&result);
    history_ended (self->history, &outcome);
    return outcome;
}
