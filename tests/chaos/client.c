/*  A client of the chaos: two lazy pirates in a process that may be killed at any moment and started again.
 *
 *      chaos_client MASTER NAME HISTORY DESK SEED JOBS_PER_SECOND
 *
 *  One thread submits, one collects outcomes and writes both down (history_pen.h). Now and then the collector asks for the
 *  youngest job first and then looks whether those before it of the same key have ended. SIGTERM: submit no more, collect
 *  what is pending, exit 0.
 */
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "desk.h"
#include "history_pen.h"
#include "order.h"

enum { CALL_MS = 5000, WAIT_MS = 20, IDLE_MS = 5, YOUNGEST_FIRST_EVERY = 8 };

static const char *master, *name;
static uint64_t seed;
static long pause_ms;
static desk_t *desk;
static history_pen_t pen;
static volatile sig_atomic_t ending;
static atomic_bool submitted_all;

static void end (int number)
{
    (void)number;
    ending = 1;
}

static void doze (long ms)
{
    nanosleep (&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static rm_client_t *new_client (void)
{
    rm_client_t *client = rm_client_new (master);
    if (!client || rm_client_set (client, "initial", "100") || rm_client_set (client, "cap", "500"))
        abort ();
    return client;
}

/* ---- submitting ------------------------------------------------------------------------------------------------- */

/* Those that pass by themselves. */
static bool is_weather (int error)
{
    return error == RM_EUNREACHABLE || error == RM_EBUSY || error == RM_ETIMEDOUT;
}

/* The session and the number that the next request will carry. */
static void next_request (rm_client_t *client, history_job_t *job)
{
    char text[DESK_SESSION_BYTES];
    unsigned long long seq;
    if (rm_client_session (client, text, sizeof text) || sscanf (text, "%32[0-9a-f]:%llu", job->session, &seq) != 2)
        abort ();
    job->seq = seq;
}

static bool submit (rm_client_t *client, uint64_t n)
{
    order_t order;
    history_job_t job = {0};
    order_make (&order, seed, name, n);
    next_request (client, &job);
    rm_spec_t *spec =
        rm_spec (order.queue, .key = order.keyed ? order.key : NULL, .data = order.payload, .size = order.size,
                 .tries = order.tries, .timeout_ms = order.timeout_ms, .at_most_once = order.at_most_once);
    int error;
    while ((error = rm_client_submit (client, spec, CALL_MS, &job.id)) && is_weather (error))
        continue;
    if (error)
        history_pen_complaint (&pen, "a submit is refused for good: %s", rm_client_error (client));
    else {
        snprintf (job.key, sizeof job.key, "%s%s%s", order.keyed ? order.queue : "", order.keyed ? "/" : "-",
                  order.key);
        job.may_end = order.may_end;
        job.may_die_of = order.may_die_of;
        job.at_most_once = order.at_most_once;
        answer_for (order.payload, order.size, job.bytes);
        history_pen_accepted (&pen, &job);
        while (!desk_put (desk, job.id, n))
            doze (IDLE_MS);
    }
    order_close (&order);
    return !error;
}

static void note (rm_client_t *client, uint64_t n)
{
    char text[DESK_SESSION_BYTES];
    if (rm_client_session (client, text, sizeof text))
        abort ();
    desk_note (desk, text, n);
}

/* Goes on where the one before was killed: the first request may be one that it sent already. */
static void *submit_all (void *arg)
{
    (void)arg;
    rm_client_t *client = new_client ();
    const desk_note_t *last = &desk->notes[atomic_load (&desk->note)];
    uint64_t n = last->n;
    bool in_doubt = *last->session; /* n may have been sent: nobody else would ever learn of it */
    if (in_doubt && rm_client_resume (client, last->session)) {
        history_pen_complaint (&pen, "a session cannot be resumed: %s", rm_client_error (client));
        ending = 1;
        in_doubt = false;
    }
    for (note (client, n); in_doubt || !ending; in_doubt = false) {
        while (desk_pending (desk) == DESK_WINDOW)
            doze (IDLE_MS);
        if (!submit (client, n))
            break;
        note (client, ++n);
        doze (pause_ms);
    }
    rm_client_destroy (&client);
    atomic_store (&submitted_all, true);
    return NULL;
}

/* ---- collecting ------------------------------------------------------------------------------------------------- */

static desk_job_t *youngest (void)
{
    desk_job_t *chosen = NULL;
    for (unsigned i = 0; i < DESK_WINDOW; i++) {
        uint64_t id = atomic_load (&desk->pending[i].id);
        if (id && (!chosen || id > atomic_load (&chosen->id)))
            chosen = &desk->pending[i];
    }
    return chosen;
}

/* One after the other, around and around: a job that takes long must not hold up the others. */
static desk_job_t *next (void)
{
    static unsigned at;
    for (unsigned i = 0; i < DESK_WINDOW; i++) {
        desk_job_t *job = &desk->pending[at++ % DESK_WINDOW];
        if (atomic_load (&job->id))
            return job;
    }
    return NULL;
}

/* False: it has not ended yet, or nobody answers. */
static bool collect (rm_client_t *client, const desk_job_t *job)
{
    rm_result_t *result;
    uint64_t id = atomic_load (&job->id);
    int error = rm_client_wait (client, id, WAIT_MS, &result);
    if (!error) {
        history_outcome_t outcome = outcome_of (id, result);
        rm_result_destroy (&result);
        history_pen_outcome (&pen, &outcome);
    } else if (!is_weather (error))
        history_pen_complaint (&pen, "job %" PRIu64 " has no outcome: %s", id, rm_client_error (client));
    return !is_weather (error);
}

static bool same_key (uint64_t n, uint64_t other)
{
    order_t a, b;
    order_make (&a, seed, name, n);
    order_make (&b, seed, name, other);
    bool same = a.keyed && b.keyed && !strcmp (a.queue, b.queue) && !strcmp (a.key, b.key);
    order_close (&a);
    order_close (&b);
    return same;
}

/* A younger one of its key has ended: has this one? */
static void look_behind (rm_client_t *client, uint64_t older, uint64_t younger)
{
    const char *text;
    if (rm_client_query (client, "why", older, NULL, 0, CALL_MS, &text))
        return;
    json_t *answer = json_loads (text, 0, NULL);
    const char *state = json_string_value (json_object_get (answer, "state"));
    if (!state || (strcmp (state, "done") && strcmp (state, "dead")))
        history_pen_overtaken (&pen, older, younger);
    json_decref (answer);
}

static void look_behind_all (rm_client_t *client, uint64_t younger, uint64_t n)
{
    for (unsigned i = 0; i < DESK_WINDOW; i++) {
        uint64_t id = atomic_load (&desk->pending[i].id);
        if (id && id < younger && same_key (n, atomic_load (&desk->pending[i].n)))
            look_behind (client, id, younger);
    }
}

static void collect_all (void)
{
    rm_client_t *client = new_client ();
    for (unsigned turn = 0; !atomic_load (&submitted_all) || desk_pending (desk); turn++) {
        bool ahead = turn % YOUNGEST_FIRST_EVERY == 0;
        desk_job_t *job = ahead ? youngest () : next ();
        if (!job)
            doze (IDLE_MS);
        else if (collect (client, job)) {
            if (ahead)
                look_behind_all (client, atomic_load (&job->id), atomic_load (&job->n));
            desk_take (desk, job);
        }
    }
    rm_client_destroy (&client);
}

int main (int argc, char **argv)
{
    if (argc != 7) {
        fprintf (stderr, "usage: chaos_client MASTER NAME HISTORY DESK SEED JOBS_PER_SECOND\n");
        return 2;
    }
    master = argv[1];
    name = argv[2];
    seed = strtoull (argv[5], NULL, 10);
    pause_ms = 1000 / (strtol (argv[6], NULL, 10) > 0 ? strtol (argv[6], NULL, 10) : 1);
    desk = desk_open (argv[4]);
    if (!desk || history_pen_open (&pen, argv[3], name)) {
        perror ("chaos_client");
        return 2;
    }
    struct sigaction action = {.sa_handler = end};
    sigaction (SIGTERM, &action, NULL);
    pthread_t submitter;
    if (pthread_create (&submitter, NULL, submit_all, NULL))
        return 2;
    collect_all ();
    pthread_join (submitter, NULL);
    return 0;
}
