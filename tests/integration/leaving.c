/* Workers that leave in good order, and resizes as an operator sees them. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cases.h"

enum { THREADS = 4 };

static process_t *ringctl (cluster_t *cluster, const char *name, char *first, char *second, char *third)
{
    char program[600];
    snprintf (program, sizeof program, "%s/ringctl", cluster->bin);
    char *argv[] = {program, "--master", cluster->jobs, first, second, third, NULL};
    return process_start (name, argv, NULL);
}

/* ---- leaving ----------------------------------------------------------------------------------------------------- */

/* Three work at long and short jobs, one is told to leave in the middle of it by `tell`: nothing is started twice. */
static void leave (cluster_t *cluster, void (*tell) (cluster_t *cluster, process_t *leaver))
{
    history_forbid_restarts (cluster->history);
    process_t *leaver = cluster_worker (cluster, "leaver", THREADS);
    cluster_worker (cluster, "w2", THREADS);
    cluster_worker (cluster, "w3", THREADS);
    cluster_settle (cluster, 3);
    load_t *slow = load_start (cluster, &(load_plan_t){.name = "s", .keys = 24, .ms = 100, .plain_every = 5});
    load_t *fast = load_start (cluster, &(load_plan_t){.name = "f", .keys = 24, .ms = 2, .once_every = 3});
    until (load_ended (slow) >= 20 && load_ended (fast) >= 50);
    tell (cluster, leaver);
    must (process_wait (leaver, CLUSTER_PATIENCE_MS) == 0);
    must (logged ("leaver", "event=left") == 1);
    cluster_settle (cluster, 2);
    must (logged ("master", "event=removing") == 1 && logged ("master", "why=left") == 1);
    unsigned before = load_ended (slow);
    until (load_ended (slow) >= before + 10);
    load_stop (&slow);
    load_stop (&fast);
}

static void by_signal (cluster_t *cluster, process_t *leaver)
{
    (void)cluster;
    process_signal (leaver, SIGTERM);
}

void case_sigterm_drains (cluster_t *cluster, unsigned times)
{
    (void)times;
    leave (cluster, by_signal);
}

static void by_ringctl (cluster_t *cluster, process_t *leaver)
{
    (void)leaver;
    process_t *drain = ringctl (cluster, "ringctl", "drain", "leaver", NULL);
    must (process_wait (drain, CLUSTER_PATIENCE_MS) == 0);
    must (process_line (drain, "", 0));
    process_destroy (&drain);
}

void case_ringctl_drains (cluster_t *cluster, unsigned times)
{
    (void)times;
    leave (cluster, by_ringctl);
}

/* ---- several changes in one resize ------------------------------------------------------------------------------- */

static json_int_t epoch_of_phase (cluster_t *cluster, int *phase)
{
    json_t *status = cluster_ask (cluster, "status");
    json_t *resize = json_object_get (status, "resize");
    json_int_t epoch = json_integer_value (json_object_get (resize, "epoch"));
    *phase = (int)json_integer_value (json_object_get (resize, "phase"));
    json_decref (status);
    return epoch;
}

static bool resize_holds (cluster_t *cluster, json_int_t *epoch)
{
    int phase;
    *epoch = epoch_of_phase (cluster, &phase);
    return phase == 2;
}

/* Shares differ by at most one slot, and are all of them. */
static void check_shares (cluster_t *cluster, size_t workers)
{
    json_t *answer = cluster_ask (cluster, "workers"), *worker;
    json_int_t least = 16384, most = 0, sum = 0;
    size_t i;
    json_array_foreach (json_object_get (answer, "workers"), i, worker) {
        json_int_t share = json_integer_value (json_object_get (worker, "slots"));
        least = share < least ? share : least;
        most = share > most ? share : most;
        sum += share;
    }
    must (i == workers && sum == 16384 && most - least <= 1);
    json_decref (answer);
}

enum { LONG_KEYS = 24, LONG_MS = 4000 };

static void submit_long (cluster_t *cluster, uint64_t ids[LONG_KEYS])
{
    char key[16], payload[32];
    for (int i = 0; i < LONG_KEYS; i++) {
        snprintf (key, sizeof key, "long%d", i);
        snprintf (payload, sizeof payload, "%d ok long %d", LONG_MS, i);
        ids[i] = submit (cluster, .key = key, .payload = payload);
    }
    for (int i = 0; i < LONG_KEYS; i++)
        until (cluster_recorded (cluster, "start", ids[i], NULL) == 1);
}

/* A join whose resize is held up by long jobs; then two more join and one leaves, before it could commit. */
void case_two_joins_and_a_leave_in_one_resize (cluster_t *cluster, unsigned times)
{
    uint64_t ids[LONG_KEYS];
    json_int_t epoch;
    char committed[64];
    (void)times;
    process_t *leaver = cluster_worker (cluster, "w1", 2 * LONG_KEYS);
    cluster_worker (cluster, "w2", 2 * LONG_KEYS);
    cluster_settle (cluster, 2);
    load_t *load = load_start (cluster, &(load_plan_t){.name = "k", .keys = 24, .ms = 5, .plain_every = 5});
    submit_long (cluster, ids);
    cluster_worker (cluster, "w3", THREADS);
    until (resize_holds (cluster, &epoch));
    process_t *w4 = cluster_recorder (cluster, "w4", THREADS, NULL);
    process_t *w5 = cluster_recorder (cluster, "w5", THREADS, NULL);
    process_signal (leaver, SIGTERM);
    cluster_ready (w4);
    cluster_ready (w5);
    must (process_wait (leaver, CLUSTER_PATIENCE_MS) == 0);
    cluster_settle (cluster, 4);
    check_shares (cluster, 4);
    /* The one that was held up was superseded: it never committed. */
    snprintf (committed, sizeof committed, "event=resize phase=3 term=1 epoch=%lld ", (long long)epoch);
    must (!logged ("master", committed));
    for (int i = 0; i < LONG_KEYS; i++)
        must (cluster_wait (cluster, cluster->client, ids[i]).attempt == 1);
    load_stop (&load);
}

/* ---- watching ---------------------------------------------------------------------------------------------------- */

enum { EIGHT = 8, EIGHT_MS = 1500 };

typedef struct {
    int phase;
    json_int_t epoch;
} printed_t;

/* The next line that ringctl prints. */
static printed_t next_phase (process_t *watcher)
{
    const char *line = process_line (watcher, "{", CLUSTER_PATIENCE_MS);
    if (!line)
        harness_fail ("ringctl watch sync printed nothing more");
    json_t *sync = json_loads (line, 0, NULL), *data = json_object_get (sync, "data");
    must (sync && !strcmp (json_string_value (json_object_get (sync, "name")), "Master"));
    must (!strcmp (json_string_value (json_object_get (sync, "type")), "sync"));
    printed_t printed = {(int)json_integer_value (json_object_get (sync, "phase")),
                         json_integer_value (json_object_get (data, "epoch"))};
    must ((printed.phase == 2) == json_is_integer (json_object_get (data, "sync_to")));
    json_decref (sync);
    return printed;
}

void case_watch_sync_prints_three_phases (cluster_t *cluster, unsigned times)
{
    uint64_t ids[EIGHT];
    printed_t printed;
    (void)times;
    process_t *watcher = ringctl (cluster, "ringctl", "watch", "sync", NULL);
    must (process_logged (watcher, "watching", CLUSTER_PATIENCE_MS));
    cluster_worker (cluster, "w1", 16);
    cluster_worker (cluster, "w2", 16);
    cluster_worker (cluster, "w3", 16);
    cluster_settle (cluster, 3);
    json_int_t epoch = epoch_of_phase (cluster, &(int){0});
    do
        printed = next_phase (watcher);
    while (printed.phase != 3 || printed.epoch < epoch);
    load_t *load = load_start (cluster, &(load_plan_t){.name = "k", .keys = 200, .ms = 1, .window = 200});
    for (int i = 0; i < EIGHT; i++) {
        char key[16], payload[32];
        snprintf (key, sizeof key, "eight%d", i);
        snprintf (payload, sizeof payload, "%d ok eight %d", EIGHT_MS, i);
        ids[i] = submit (cluster, .key = key, .payload = payload);
    }
    for (int i = 0; i < EIGHT; i++)
        until (cluster_recorded (cluster, "start", ids[i], NULL) == 1);
    unsigned before = load_ended (load);
    cluster_worker (cluster, "joiner", 16);
    for (int phase = 1; phase <= 3; phase++) {
        printed = next_phase (watcher);
        if (printed.phase != phase || printed.epoch != epoch + 1)
            harness_fail ("printed phase %d of epoch %lld, not %d of %lld", printed.phase, (long long)printed.epoch,
                          phase, (long long)epoch + 1);
        printf ("phase %d of epoch %lld, %u other jobs ended meanwhile\n", phase, (long long)printed.epoch,
                load_ended (load) - before);
    }
    must (load_ended (load) > before);
    for (int i = 0; i < EIGHT; i++)
        cluster_wait (cluster, cluster->client, ids[i]);
    load_stop (&load);
    must (!process_line (watcher, "{", 0));
}
