/*  ringctl status, workers, ring, jobs, why, drain, masters, master: the master's answers as tables. What an answer does not have (an
 *  older or a newer master's) is shown as a dash. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/show/table.h"
#include "ctl/show/text.h"
#include "proto/limits.h"

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static const char *text_of (const json_t *object, const char *name)
{
    const char *text = json_string_value (json_object_get (object, name));
    return text && *text ? text : "-";
}

/* -1: not there. */
static long long number_of (const json_t *object, const char *name)
{
    const json_t *number = json_object_get (object, name);
    return json_is_integer (number) ? (long long)json_integer_value (number) : -1;
}

/* A number as text, a dash if it is not there; up to eight live at a time. */
static const char *count_of (const json_t *object, const char *name)
{
    static char texts[8][24];
    static unsigned next;
    char *text = texts[next++ % 8];
    long long number = number_of (object, name);
    if (number < 0)
        strcpy (text, "-");
    else
        snprintf (text, sizeof texts[0], "%lld", number);
    return text;
}

static void cell_number (rm_ctl_table_t *table, const json_t *object, const char *name)
{
    rm_ctl_table_cell (table, "%s", count_of (object, name));
}

static void cell_time (rm_ctl_table_t *table, const json_t *object, const char *name)
{
    char text[64];
    rm_ctl_table_cell (table, "%s", rm_ctl_time_text (number_of (object, name), text, sizeof text));
}

/* "a, b, c" of an array of strings. */
static void cell_list (rm_ctl_table_t *table, const json_t *array)
{
    char text[1024] = "";
    size_t used = 0, i;
    json_t *each;
    json_array_foreach (array, i, each) {
        const char *item = json_string_value (each);
        int more = snprintf (text + used, sizeof text - used, "%s%s", i ? ", " : "", item ? item : "-");
        used += more > 0 ? (size_t)more : 0;
        if (used >= sizeof text)
            break;
    }
    rm_ctl_table_cell (table, "%s", *text ? text : "-");
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

/* Shows an answer: as it came with --json, else by `show`. */
static int show_answer (const rm_ctl_t *self, int error, const char *text, void (*show) (const json_t *answer))
{
    if (error)
        return rm_ctl_fail (self, error);
    if (self->said.json) {
        printf ("%s\n", text);
        return RM_CTL_DONE;
    }
    json_t *answer = json_loads (text, 0, NULL);
    if (!json_is_object (answer)) {
        json_decref (answer);
        rm_ctl_say ("the master's answer is not the JSON object it should be");
        return RM_CTL_REFUSED;
    }
    show (answer);
    json_decref (answer);
    return RM_CTL_DONE;
}

static int ask (rm_ctl_t *self, const char *what, void (*show) (const json_t *answer))
{
    const char *text = NULL;
    int error = rm_client_query (self->client, what, 0, self->said.queue, (unsigned)self->said.limit,
                                 RM_CTL_PATIENCE_MS, &text);
    return show_answer (self, error, text, show);
}

/* ---- status ------------------------------------------------------------------------------------------------------ */

/* In one line, if there is room for it; else a line each. */
static void show_endpoints (const json_t *endpoints)
{
    static const char *const sockets[] = {"jobs", "work", "sync", "http"};
    enum { COUNT = sizeof sockets / sizeof *sockets };
    rm_ctl_paper_t paper = rm_ctl_paper ();
    size_t width = strlen ("endpoints  ");
    for (size_t i = 0; i < COUNT; i++)
        width += rm_ctl_width (sockets[i]) + rm_ctl_width (text_of (endpoints, sockets[i])) + (i ? 3 : 1);
    const char *apart = paper.columns && width > paper.columns ? "\n           " : ", ";
    for (size_t i = 0; i < COUNT; i++)
        printf ("%s%s %s", i ? apart : "endpoints  ", sockets[i], rm_ctl_plain (text_of (endpoints, sockets[i])));
    putchar ('\n');
}

static void show_head (const json_t *status)
{
    char text[64];
    const json_t *jobs = json_object_get (status, "jobs"), *resize = json_object_get (status, "resize");
    const json_t *ledger = json_object_get (status, "ledger");
    printf ("master     %s, term %s, epoch %s, up %s\n",
            json_is_false (json_object_get (status, "leader")) ? "not the leader" : "leader", count_of (status, "term"),
            count_of (status, "epoch"), rm_ctl_time_text (number_of (status, "uptime_ms"), text, sizeof text));
    printf ("jobs       %s waiting, %s running, %s done, %s dead; %s accepted\n", count_of (jobs, "waiting"),
            count_of (jobs, "running"), count_of (jobs, "done"), count_of (jobs, "dead"), count_of (jobs, "accepted"));
    printf ("memory     %s of jobs, %s sessions\n", rm_ctl_bytes_text (number_of (status, "bytes"), text, sizeof text),
            count_of (status, "sessions"));
    if (number_of (resize, "phase") > 0)
        printf ("resize     phase %s of epoch %s\n", count_of (resize, "phase"), count_of (resize, "epoch"));
    else
        printf ("resize     none\n");
    printf ("ledger     %s batches, %s, %s snapshots\n", count_of (ledger, "batches"),
            rm_ctl_bytes_text (number_of (ledger, "bytes"), text, sizeof text), count_of (ledger, "snapshots"));
    show_endpoints (json_object_get (status, "endpoints"));
    printf ("workers    %s\n", count_of (status, "workers"));
}

static void show_status (const json_t *status)
{
    show_head (status);
    const json_t *queues = json_object_get (status, "queues");
    if (json_array_size (queues))
        putchar ('\n');
    rm_ctl_table_t *table = rm_ctl_table_new ("QUEUE|-POOL|>WAITING|>RUNNING|>DONE|>DEAD|->WORKERS");
    size_t i;
    json_t *queue;
    json_array_foreach (queues, i, queue) {
        rm_ctl_table_cell (table, "%s", text_of (queue, "name"));
        rm_ctl_table_cell (table, "%s", text_of (queue, "pool"));
        cell_number (table, queue, "waiting");
        cell_number (table, queue, "running");
        cell_number (table, queue, "done");
        cell_number (table, queue, "dead");
        cell_number (table, queue, "workers");
    }
    rm_ctl_table_print (&table);
}

int rm_ctl_status (rm_ctl_t *self)
{
    return ask (self, "status", show_status);
}

/* ---- workers ----------------------------------------------------------------------------------------------------- */

static void show_workers (const json_t *answer)
{
    const json_t *workers = json_object_get (answer, "workers");
    if (!json_array_size (workers))
        puts ("no workers");
    rm_ctl_table_t *table =
        rm_ctl_table_new ("WORKER|--POOL|STATE|---QUEUES|->THREADS|-->SLOTS|>IN FLIGHT|->DONE|-->HEARD");
    size_t i;
    json_t *worker;
    json_array_foreach (workers, i, worker) {
        rm_ctl_table_cell (table, "%s", text_of (worker, "name"));
        rm_ctl_table_cell (table, "%s", text_of (worker, "pool"));
        rm_ctl_table_state (table, text_of (worker, "state"));
        cell_list (table, json_object_get (worker, "queues"));
        cell_number (table, worker, "threads");
        cell_number (table, worker, "slots");
        rm_ctl_table_cell (table, "%s/%s", count_of (worker, "inflight"), count_of (worker, "window"));
        cell_number (table, worker, "done");
        cell_time (table, worker, "last_heard_ms");
    }
    rm_ctl_table_print (&table);
}

int rm_ctl_workers (rm_ctl_t *self)
{
    return ask (self, "workers", show_workers);
}

/* ---- ring -------------------------------------------------------------------------------------------------------- */

static void show_pool (const json_t *pool)
{
    const json_t *members = json_object_get (pool, "members");
    long long slots = number_of (pool, "slots");
    printf ("\npool %s: %s slots, %s moving\n", rm_ctl_plain (text_of (pool, "name")), count_of (pool, "slots"),
            count_of (pool, "moving"));
    rm_ctl_table_t *table = rm_ctl_table_new ("WORKER|-INCARNATION|>SLOTS|>SHARE");
    size_t i;
    json_t *member;
    json_array_foreach (members, i, member) {
        long long share = number_of (member, "slots");
        rm_ctl_table_cell (table, "%s", text_of (member, "name"));
        rm_ctl_table_cell (table, "%s", text_of (member, "inc"));
        cell_number (table, member, "slots");
        rm_ctl_table_cell (table, "%.1f %%", slots > 0 ? 100.0 * (double)share / (double)slots : 0);
    }
    rm_ctl_table_print (&table);
}

static void show_ring (const json_t *answer)
{
    const json_t *pools = json_object_get (answer, "pools");
    size_t i;
    json_t *pool;
    printf ("epoch %s%s\n", count_of (answer, "epoch"), json_array_size (pools) ? "" : ", no pools");
    json_array_foreach (pools, i, pool) {
        show_pool (pool);
    }
}

int rm_ctl_ring (rm_ctl_t *self)
{
    return ask (self, "ring", show_ring);
}

/* ---- jobs -------------------------------------------------------------------------------------------------------- */

static void show_jobs (const json_t *answer)
{
    const json_t *jobs = json_object_get (answer, "jobs");
    if (!json_array_size (jobs))
        puts ("no jobs");
    rm_ctl_table_t *table = rm_ctl_table_new (">ID|-QUEUE|--KEY|STATE|-WORKER|-->ATTEMPT|->AGE");
    size_t i;
    json_t *job;
    json_array_foreach (jobs, i, job) {
        cell_number (table, job, "id");
        rm_ctl_table_cell (table, "%s", text_of (job, "queue"));
        rm_ctl_table_cell (table, "%s", text_of (job, "key"));
        rm_ctl_table_state (table, text_of (job, "state"));
        rm_ctl_table_cell (table, "%s", text_of (job, "worker"));
        cell_number (table, job, "attempt");
        cell_time (table, job, "age_ms");
    }
    rm_ctl_table_print (&table);
}

int rm_ctl_jobs (rm_ctl_t *self)
{
    const char *queue = self->said.queue;
    if (queue && (!*queue || strlen (queue) > RM_QUEUE_NAME_BYTES_MAX))
        return rm_options_refuse (self->program, self->command, "a queue's name has 1 to %d bytes",
                                  RM_QUEUE_NAME_BYTES_MAX);
    return ask (self, "jobs", show_jobs);
}

/* ---- sentences --------------------------------------------------------------------------------------------------- */

static void show_text (const json_t *answer)
{
    puts (rm_ctl_plain (text_of (answer, "text")));
}

int rm_ctl_why (rm_ctl_t *self)
{
    const char *text = NULL;
    uint64_t id = rm_ctl_number (self, self->arguments[0], "a job's id");
    if (!id)
        return RM_CTL_USAGE;
    int error = rm_client_query (self->client, "why", id, NULL, 0, RM_CTL_PATIENCE_MS, &text);
    return show_answer (self, error, text, show_text);
}

static void show_drain (const json_t *answer)
{
    printf ("%s ", rm_ctl_plain (text_of (answer, "worker")));
    puts (rm_ctl_plain (text_of (answer, "text")));
}

int rm_ctl_drain (rm_ctl_t *self)
{
    const char *text = NULL;
    int error = rm_client_drain (self->client, self->arguments[0], RM_CTL_PATIENCE_MS, &text);
    return show_answer (self, error, text, show_drain);
}

/* ---- masters ----------------------------------------------------------------------------------------------------- */

static void show_masters (const json_t *answer)
{
    const json_t *masters = json_object_get (answer, "masters");
    rm_ctl_table_t *table = rm_ctl_table_new (">ID|-JOBS|ROLE|->HEARD|>BEHIND");
    size_t i;
    json_t *master;
    printf ("cluster %s, generation %s, term %s, format %s\n", rm_ctl_plain (text_of (answer, "cluster")),
            count_of (answer, "generation"), count_of (answer, "term"), count_of (answer, "format"));
    json_array_foreach (masters, i, master) {
        cell_number (table, master, "id");
        rm_ctl_table_cell (table, "%s", text_of (master, "jobs"));
        rm_ctl_table_state (table,
                            json_is_true (json_object_get (master, "leader")) ? "leader" : text_of (master, "role"));
        cell_time (table, master, "heard_ms");
        cell_number (table, master, "behind");
    }
    rm_ctl_table_print (&table);
}

int rm_ctl_masters (rm_ctl_t *self)
{
    return ask (self, "masters", show_masters);
}

/* What there is to change, and how many more words it takes. */
static const struct {
    const char *name, *words, *number; /* what the number is */
    size_t least, most;
} changes[] = {{"add", "ID HOST:PORT", "a master's id", 2, 2},
               {"remove", "ID", "a master's id", 1, 1},
               {"transfer", "[ID]", "a master's id", 0, 1},
               {"upgrade", "FORMAT", "a format", 1, 1}};

int rm_ctl_master (rm_ctl_t *self)
{
    enum { COUNT = sizeof changes / sizeof changes[0] };
    const char *what = self->arguments[0], *text = NULL;
    size_t i = 0, words = self->count - 1;
    while (i < COUNT && strcmp (changes[i].name, what))
        i++;
    if (i == COUNT)
        return rm_options_refuse (self->program, self->command, "'%s' is not add, remove, transfer or upgrade", what);
    if (words < changes[i].least || words > changes[i].most)
        return rm_options_refuse (self->program, self->command, "it is: ringctl master %s %s", what, changes[i].words);
    uint64_t id = words ? rm_ctl_number (self, self->arguments[1], changes[i].number) : 0;
    if (words && !id)
        return RM_CTL_USAGE;
    int error = rm_client_change (self->client, what, id, words > 1 ? self->arguments[2] : NULL,
                                  RM_CTL_CHANGE_PATIENCE_MS, &text);
    return show_answer (self, error, text, show_text);
}
