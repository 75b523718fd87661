/*  ringctl ring, queues and jobs: what there is of each, as tables. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/show/answer.h"
#include "ctl/show/picture.h"
#include "proto/limits.h"

/* ---- ring -------------------------------------------------------------------------------------------------------- */

static void show_pool (const json_t *pool)
{
    rm_ctl_paper_t paper = rm_ctl_paper ();
    const json_t *members = json_object_get (pool, "members");
    long long slots = rm_ctl_number_of (pool, "slots");
    printf ("\npool %s: %s slots, %s moving\n", rm_ctl_plain (rm_ctl_text_of (pool, "name")),
            rm_ctl_count_of (pool, "slots"), rm_ctl_count_of (pool, "moving"));
    rm_ctl_picture_put (stdout, &paper, pool);
    rm_ctl_table_t *table = rm_ctl_table_new (" |WORKER|-INCARNATION|>SLOTS|>SHARE");
    size_t i;
    json_t *member;
    json_array_foreach (members, i, member) {
        long long share = rm_ctl_number_of (member, "slots");
        rm_ctl_table_cell (table, "%c", rm_ctl_picture_letter (i));
        rm_ctl_cell_text (table, member, "name");
        rm_ctl_cell_text (table, member, "inc");
        rm_ctl_cell_number (table, member, "slots");
        rm_ctl_table_cell (table, "%.1f %%", slots > 0 ? 100.0 * (double)share / (double)slots : 0);
    }
    rm_ctl_table_print (&table);
}

static void show_ring (const json_t *answer)
{
    const json_t *pools = json_object_get (answer, "pools");
    size_t i;
    json_t *pool;
    printf ("epoch %s%s\n", rm_ctl_count_of (answer, "epoch"), json_array_size (pools) ? "" : ", no pools");
    json_array_foreach (pools, i, pool) {
        show_pool (pool);
    }
}

int rm_ctl_ring (rm_ctl_t *self)
{
    return rm_ctl_ask (self, "ring", show_ring);
}

/* ---- queues ------------------------------------------------------------------------------------------------------ */

/* Whether any queue has jobs that a dead one holds: only then they are a column of their own. */
static bool holds_any (const json_t *queues)
{
    size_t i;
    json_t *queue;
    json_array_foreach (queues, i, queue) {
        if (json_integer_value (json_object_get (queue, "held")))
            return true;
    }
    return false;
}

static void show_queues (const json_t *status)
{
    const json_t *queues = json_object_get (status, "queues");
    if (!json_array_size (queues))
        puts ("no queues");
    bool held = holds_any (queues);
    rm_ctl_table_t *table =
        rm_ctl_table_new (held ? "QUEUE|--POOL|>QUEUED|>HELD|>RUNNING|->DONE|>DEAD|->WORKERS|>OLDEST"
                               : "QUEUE|--POOL|>QUEUED|>RUNNING|->DONE|>DEAD|->WORKERS|>OLDEST");
    size_t i;
    json_t *queue;
    json_array_foreach (queues, i, queue) {
        rm_ctl_cells_queue (table, queue, held);
        rm_ctl_cell_time (table, queue, "oldest_ms");
    }
    rm_ctl_table_print (&table);
}

static void print_queues (const json_t *status)
{
    json_t *queues = json_object_get (status, "queues");
    rm_ctl_json_print (json_pack ("{s:o}", "queues", json_is_array (queues) ? json_incref (queues) : json_array ()));
}

/* They are a part of the status; with --json, too, only they are printed. */
int rm_ctl_queues (rm_ctl_t *self)
{
    bool json = self->said.json;
    self->said.json = false; /* not the answer as it came */
    return rm_ctl_ask (self, "status", json ? print_queues : show_queues);
}

/* ---- jobs -------------------------------------------------------------------------------------------------------- */

/* Whether any of them has said how far it is: a column that says nothing is left out. */
static bool any_progress (const json_t *jobs)
{
    size_t i;
    json_t *job;
    json_array_foreach (jobs, i, job) {
        if (json_object_get (job, "permille"))
            return true;
    }
    return false;
}

static void show_jobs (const json_t *answer)
{
    const json_t *jobs = json_object_get (answer, "jobs");
    if (!json_array_size (jobs))
        puts ("no jobs");
    bool tells = any_progress (jobs);
    rm_ctl_table_t *table = rm_ctl_table_new (tells ? ">ID|-QUEUE|--KEY|STATE|-WORKER|-->ATTEMPT|->AGE|---PROGRESS"
                                                    : ">ID|-QUEUE|--KEY|STATE|-WORKER|-->ATTEMPT|->AGE");
    size_t i;
    json_t *job;
    json_array_foreach (jobs, i, job) {
        rm_ctl_cell_number (table, job, "id");
        rm_ctl_cell_text (table, job, "queue");
        rm_ctl_cell_text (table, job, "key");
        rm_ctl_table_state (table, rm_ctl_text_of (job, "state"));
        rm_ctl_cell_text (table, job, "worker");
        rm_ctl_cell_number (table, job, "attempt");
        rm_ctl_cell_time (table, job, "age_ms");
        if (tells)
            rm_ctl_cell_progress (table, job);
    }
    rm_ctl_table_print (&table);
}

/* Takes the jobs of a page over. *before: the id to go on before; 0: there is nothing more to ask for. False: it is no page. */
static bool take_page (json_t *jobs, const char *text, uint64_t *before)
{
    json_t *page = json_loads (text, 0, NULL);
    bool good = json_is_object (page);
    long long next = rm_ctl_number_of (page, "next");
    json_array_extend (jobs, json_object_get (page, "jobs"));
    json_decref (page);
    *before = next > 0 && (!*before || (uint64_t)next < *before) ? (uint64_t)next : 0;
    return good;
}

/* A master looks at so many jobs for one answer; whoever wants more asks again. */
static int list_jobs (rm_ctl_t *self, rm_jobs_t *which, json_t *jobs)
{
    size_t limit = (size_t)self->said.limit;
    do {
        const char *text = NULL;
        which->limit = (unsigned)(limit - json_array_size (jobs));
        int error = rm_client_jobs (self->client, which, RM_CTL_PATIENCE_MS, &text);
        if (error)
            return rm_ctl_fail (self, error);
        if (!take_page (jobs, text, &which->before))
            return rm_ctl_refuse_answer ();
    } while (which->before && json_array_size (jobs) < limit);
    json_t *answer = json_pack ("{s:O}", "jobs", jobs);
    if (self->said.json) {
        rm_ctl_json_print (answer);
        return RM_CTL_DONE;
    }
    show_jobs (answer);
    json_decref (answer);
    return RM_CTL_DONE;
}

int rm_ctl_jobs (rm_ctl_t *self)
{
    static const char *const states[] = {"waiting", "delayed", "held",      "running",
                                         "done",    "dead",    "cancelled", "expired"};
    enum { STATES = sizeof states / sizeof *states };
    rm_jobs_t which = {
        .queue = self->said.queue, .state = self->said.state, .key = self->said.key, .worker = self->said.worker};
    size_t i = 0;
    while (which.state && i < STATES && strcmp (states[i], which.state))
        i++;
    if (i == STATES)
        return rm_options_refuse (self->program, self->command,
                                  "'%s' is not waiting, delayed, held, running, done, dead, cancelled or expired",
                                  which.state);
    if (which.queue && (!*which.queue || strlen (which.queue) > RM_QUEUE_NAME_BYTES_MAX))
        return rm_options_refuse (self->program, self->command, "a queue's name has 1 to %d bytes",
                                  RM_QUEUE_NAME_BYTES_MAX);
    if ((which.worker && !*which.worker) || (which.key && !*which.key))
        return rm_options_refuse (self->program, self->command, "a worker's name, or a key, has 1 byte or more");
    json_t *jobs = json_array ();
    int code = list_jobs (self, &which, jobs);
    json_decref (jobs);
    return code;
}
