/* Deaths that no fail point places: of the master again and again, of a worker with it, of a worker by its own job; a
 * worker that is stopped; handlers that hang. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cases.h"

enum { THREADS = 4 };

/* ---- the master -------------------------------------------------------------------------------------------------- */

enum { KILLS = 5, KILL_AFTER_MS = 400 };

void case_kill_master (cluster_t *cluster, unsigned times)
{
    unsigned seed = (unsigned)time_us (), kills = times ? times : KILLS;
    cluster_worker (cluster, "w1", THREADS);
    cluster_worker (cluster, "w2", THREADS);
    load_t *keyed = load_start (
        cluster, &(load_plan_t){.name = "k", .keys = 24, .ms = 5, .long_every = 19, .long_ms = 400, .fail_every = 97});
    load_t *mixed = load_start (cluster, &(load_plan_t){.name = "m", .keys = 8, .ms = 2, .plain_every = 2});
    printf ("seed %u\n", seed);
    for (unsigned n = 1; n <= kills; n++) {
        sleep_ms (20 + rand_r (&seed) % KILL_AFTER_MS);
        uint64_t begun_ms = time_ms ();
        cluster_kill_master (cluster);
        cluster_master (cluster, NULL);
        uint64_t ready_ms = time_ms ();
        unsigned ended[] = {load_ended (keyed), load_ended (mixed)};
        until (load_ended (keyed) >= ended[0] + 20 && load_ended (mixed) >= ended[1] + 20);
        printf ("kill %u of %u: ready again after %d ms, working after %d ms, %u jobs accepted so far\n", n, kills,
                (int)(ready_ms - begun_ms), (int)(time_ms () - begun_ms),
                load_accepted (keyed) + load_accepted (mixed));
    }
    load_stop (&keyed);
    load_stop (&mixed);
}

void case_worker_and_master_killed_together (cluster_t *cluster, unsigned times)
{
    (void)times;
    process_t *w1 = cluster_worker (cluster, "w1", THREADS);
    cluster_worker (cluster, "w2", THREADS);
    cluster_settle (cluster, 2);
    load_t *load = load_start (cluster, &(load_plan_t){.name = "k", .keys = 24, .ms = 20, .plain_every = 5});
    for (int i = 0; i < 3; i++) {
        unsigned before = load_ended (load);
        until (load_ended (load) >= before + 30);
        process_signal (w1, SIGKILL);
        process_signal (cluster->master, SIGKILL);
        cluster_kill (&w1);
        cluster_kill_master (cluster);
        cluster_master (cluster, NULL);
        w1 = cluster_worker (cluster, "w1", THREADS);
        cluster_settle (cluster, 2);
    }
    load_stop (&load);
}

/* ---- a worker that is stopped ------------------------------------------------------------------------------------ */

/* Its completion is ready to leave when it stops: sent late, it must not count. */
static void late_completion (cluster_t *cluster)
{
    process_t *sleeper = cluster_recorder (cluster, "sleeper", THREADS, "worker.done.before=stop@1");
    cluster_ready (sleeper);
    uint64_t id = submit (cluster, .key = "k", .payload = "50 who", .bytes = "");
    uint64_t next = submit (cluster, .key = "k", .payload = "0 ok next");
    uint64_t frozen_us = cluster_stands (sleeper);
    must (cluster_recorded (cluster, "end", id, NULL) == 1);
    process_t *successor = cluster_worker (cluster, "successor", THREADS);
    history_outcome_t outcome = cluster_wait (cluster, cluster->client, id);
    must (!strcmp (outcome.bytes, "successor") && outcome.attempt == 2);
    cluster_wait (cluster, cluster->client, next);
    cluster_thaw (cluster, sleeper, frozen_us);
    /* The master has answered something of an incarnation that it had removed; the first thing that is, is its report. */
    until (logged ("master", "name=master.send.rejoin.after") >= 1);
    cluster_settle (cluster, 2);
    until (logged ("sleeper", "state=leased") == 2);
    cluster_wait (cluster, cluster->client, id); /* the history demands the same again */
    cluster_kill (&sleeper);
    cluster_kill (&successor);
    cluster_settle (cluster, 0);
}

/* Stopped in the middle of a handler: that is cancelled when it goes on. */
static void late_handler (cluster_t *cluster)
{
    char at[32];
    process_t *first = cluster_worker (cluster, "first", THREADS);
    uint64_t id = submit (cluster, .key = "k", .payload = "2500 who", .bytes = "second");
    until (cluster_recorded (cluster, "start", id, NULL) == 1);
    uint64_t frozen_us = cluster_freeze (first);
    cluster_worker (cluster, "second", THREADS);
    cluster_settle (cluster, 1);
    until (cluster_recorded (cluster, "start", id, at) == 2);
    must (!strcmp (at, "second"));
    cluster_thaw (cluster, first, frozen_us);
    cluster_settle (cluster, 2);
    cluster_wait (cluster, cluster->client, id);
    until (logged ("first", "state=leased") == 2);
    until (cluster_recorded (cluster, "end", id, NULL) == 2);
}

void case_worker_stopped_past_its_lease (cluster_t *cluster, unsigned times)
{
    (void)times;
    cluster_kill_master (cluster);
    cluster_master (cluster, "master.send.rejoin.after=delay:1");
    late_completion (cluster);
    late_handler (cluster);
}

/* The master cannot be heard for longer than a lease: the worker stops what runs by its own clock, while the master still
 * stands; afterwards nobody is removed for it, and the job runs again. */
void case_master_stopped_past_the_lease (cluster_t *cluster, unsigned times)
{
    (void)times;
    cluster_worker (cluster, "w1", THREADS);
    cluster_worker (cluster, "w2", THREADS);
    cluster_settle (cluster, 2);
    uint64_t keyed = submit (cluster, .key = "k", .payload = "4000 ok keyed");
    uint64_t plain = submit (cluster, .payload = "4000 ok plain");
    uint64_t once =
        submit (cluster, .payload = "4000 ok once", .at_most_once = true, .may_end = 1 << RM_DIED, .bytes = "");
    const uint64_t ids[] = {keyed, plain, once};
    for (int i = 0; i < 3; i++)
        until (cluster_recorded (cluster, "start", ids[i], NULL) == 1);
    uint64_t frozen_ms = time_ms ();
    cluster_freeze (cluster->master);
    for (int i = 0; i < 3; i++)
        until (cluster_recorded (cluster, "end", ids[i], NULL) == 1);
    must (time_ms () < frozen_ms + 3000); /* they did not just come to their end */
    process_signal (cluster->master, SIGCONT);
    must (cluster_wait (cluster, cluster->client, keyed).attempt == 2);
    must (cluster_wait (cluster, cluster->client, plain).attempt == 2);
    must (!strcmp (cluster_wait (cluster, cluster->client, once).reason, "lost"));
    cluster_settle (cluster, 2);
    must (!logged ("master", "event=removing"));
}

/* ---- poison ------------------------------------------------------------------------------------------------------ */

enum { WORKERS = 3 };

static process_t *start_numbered (cluster_t *cluster)
{
    static unsigned number;
    char name[16];
    snprintf (name, sizeof name, "w%u", ++number);
    return cluster_recorder (cluster, name, THREADS, NULL);
}

void case_a_job_that_kills_its_worker (cluster_t *cluster, unsigned times)
{
    process_t *workers[WORKERS];
    (void)times;
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = start_numbered (cluster);
        cluster_ready (workers[i]);
    }
    cluster_settle (cluster, WORKERS);
    load_t *load = load_start (cluster, &(load_plan_t){.name = "k", .keys = 24, .ms = 20, .plain_every = 3});
    until (load_ended (load) >= 50);
    uint64_t poison = submit (cluster, .key = "poison", .payload = "50 die", .may_end = 1 << RM_DIED);
    uint64_t behind = submit (cluster, .key = "poison", .payload = "1 ok behind it");
    for (unsigned deaths = 0; deaths < 3;)
        for (int i = 0; i < WORKERS; i++) {
            sleep_ms (5);
            if (process_alive (workers[i]))
                continue;
            deaths++;
            must (cluster_recorded (cluster, "start", poison, NULL) == deaths);
            process_destroy (&workers[i]);
            workers[i] = start_numbered (cluster);
            cluster_ready (workers[i]);
        }
    history_outcome_t outcome = cluster_wait (cluster, cluster->client, poison);
    must (!strcmp (outcome.reason, "crashed"));
    cluster_wait (cluster, cluster->client, behind);
    load_stop (&load);
    for (int i = 0; i < WORKERS; i++)
        must (process_alive (workers[i]));
    must (cluster_recorded (cluster, "start", poison, NULL) == 3);
}

/* ---- handlers that hang ------------------------------------------------------------------------------------------ */

/* The command's whole group is killed: the shell and what it has started. */
void case_a_hung_command (cluster_t *cluster, unsigned times)
{
    char command[900], path[700], line[64] = "";
    (void)times;
    snprintf (path, sizeof path, "%s/pids", scratch_dir ());
    snprintf (command, sizeof command, "hung=exec:sleep 600 & echo $$ $! > %s; trap '' TERM; wait; sleep 600", path);
    cluster_ready (cluster_ringworker (cluster, "w1", 2, (const char *[]){command, "echo=builtin:echo", NULL}));
    rm_result_t *result;
    uint64_t begun_ms = time_ms ();
    rm_spec_t *spec = rm_spec ("hung", .key = "k", .timeout_ms = 700, .tries = 1);
    must (!rm_client_call (cluster->client, spec, CLUSTER_PATIENCE_MS, &result));
    must (time_ms () >= begun_ms + 700);
    must (rm_result_outcome (result) == RM_DIED);
    printf ("reason: %s\n", rm_result_reason (result));
    must (strstr (rm_result_reason (result), "time"));
    rm_result_destroy (&result);
    FILE *file = fopen (path, "r");
    must (file && fgets (line, sizeof line, file));
    fclose (file);
    int shell, child;
    must (sscanf (line, "%d %d", &shell, &child) == 2);
    until (kill (shell, 0) && kill (child, 0));
    /* The worker itself has gone on. */
    must (!rm_client_call (cluster->client, rm_spec ("echo", .data = "x", .size = 1), CLUSTER_PATIENCE_MS, &result));
    must (!strcmp (rm_result_text (result), "x"));
    rm_result_destroy (&result);
}

/* A C handler cannot be killed: its worker hands back what it has not started, and exits. To the others that is a crash:
 * nobody else may have the job before the process is gone. */
void case_a_hung_handler (cluster_t *cluster, unsigned times)
{
    (void)times;
    process_t *w1 = cluster_worker (cluster, "w1", THREADS);
    uint64_t hung = submit (cluster, .key = "hung", .payload = "0 hang1", .timeout_ms = 500);
    uint64_t behind = submit (cluster, .key = "hung", .payload = "0 ok behind");
    until (cluster_recorded (cluster, "start", hung, NULL) == 1);
    cluster_worker (cluster, "w2", THREADS);
    load_t *load = load_start (cluster, &(load_plan_t){.name = "k", .keys = 24, .ms = 20, .plain_every = 5});
    int status = process_wait (w1, CLUSTER_PATIENCE_MS);
    must (status != -1 && WIFEXITED (status) && WEXITSTATUS (status) != 0);
    must (logged ("w1", "event=exit") == 1);
    must (cluster_wait (cluster, cluster->client, hung).attempt == 2);
    cluster_wait (cluster, cluster->client, behind);
    load_stop (&load);
}

/* One that hangs whoever runs it. */
void case_a_handler_that_always_hangs (cluster_t *cluster, unsigned times)
{
    (void)times;
    for (int i = 0; i < WORKERS + 1; i++)
        cluster_ready (start_numbered (cluster));
    load_t *load = load_start (cluster, &(load_plan_t){.name = "k", .keys = 24, .ms = 20, .plain_every = 5});
    uint64_t id = submit (cluster, .key = "hung", .payload = "0 hang", .timeout_ms = 300, .may_end = 1 << RM_DIED);
    uint64_t behind = submit (cluster, .key = "hung", .payload = "0 ok behind");
    must (!strcmp (cluster_wait (cluster, cluster->client, id).reason, "crashed"));
    cluster_wait (cluster, cluster->client, behind);
    load_stop (&load);
    must (cluster_recorded (cluster, "start", id, NULL) == 3);
    cluster_settle (cluster, 1);
}
