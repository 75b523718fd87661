/*  ringctl status, workers, drain, masters, master: the master's answers as text. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/show/answer.h"
#include "ctl/show/text.h"
#include "net/peer_address.h"
#include "proto/limits.h"

/* ---- asking ------------------------------------------------------------------------------------------------------ */

int rm_ctl_refuse_answer (void)
{
    rm_ctl_say ("the master's answer is not the JSON object it should be");
    return RM_CTL_REFUSED;
}

int rm_ctl_show_answer (const rm_ctl_t *self, int error, const char *text, void (*show) (const json_t *answer))
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
        return rm_ctl_refuse_answer ();
    }
    show (answer);
    json_decref (answer);
    return RM_CTL_DONE;
}

int rm_ctl_ask (rm_ctl_t *self, const char *what, void (*show) (const json_t *answer))
{
    const char *text = NULL;
    int error = rm_client_query (self->client, what, 0, NULL, 0, RM_CTL_PATIENCE_MS, &text);
    return rm_ctl_show_answer (self, error, text, show);
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
        width += rm_ctl_width (sockets[i]) + rm_ctl_width (rm_ctl_text_of (endpoints, sockets[i])) + (i ? 3 : 1);
    const char *apart = paper.columns && width > paper.columns ? "\n           " : ", ";
    for (size_t i = 0; i < COUNT; i++)
        printf ("%s%s %s", i ? apart : "endpoints  ", sockets[i],
                rm_ctl_plain (rm_ctl_text_of (endpoints, sockets[i])));
    putchar ('\n');
}

static void show_head (const json_t *status)
{
    char text[64];
    const json_t *jobs = json_object_get (status, "jobs"), *resize = json_object_get (status, "resize");
    const json_t *ledger = json_object_get (status, "ledger");
    printf ("master     %s, term %s, epoch %s, up %s\n",
            json_is_false (json_object_get (status, "leader")) ? "not the leader" : "leader",
            rm_ctl_count_of (status, "term"), rm_ctl_count_of (status, "epoch"),
            rm_ctl_time_text (rm_ctl_number_of (status, "uptime_ms"), text, sizeof text));
    printf ("jobs       %s waiting, %s running, %s done, %s dead; %s accepted\n", rm_ctl_count_of (jobs, "waiting"),
            rm_ctl_count_of (jobs, "running"), rm_ctl_count_of (jobs, "done"), rm_ctl_count_of (jobs, "dead"),
            rm_ctl_count_of (jobs, "accepted"));
    printf ("memory     %s of jobs, %s sessions\n",
            rm_ctl_bytes_text (rm_ctl_number_of (status, "bytes"), text, sizeof text),
            rm_ctl_count_of (status, "sessions"));
    if (rm_ctl_number_of (resize, "phase") > 0)
        printf ("resize     phase %s of epoch %s\n", rm_ctl_count_of (resize, "phase"),
                rm_ctl_count_of (resize, "epoch"));
    else
        printf ("resize     none\n");
    printf ("ledger     %s batches, %s, %s snapshots\n", rm_ctl_count_of (ledger, "batches"),
            rm_ctl_bytes_text (rm_ctl_number_of (ledger, "bytes"), text, sizeof text),
            rm_ctl_count_of (ledger, "snapshots"));
    show_endpoints (json_object_get (status, "endpoints"));
    printf ("workers    %s\n", rm_ctl_count_of (status, "workers"));
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
    json_array_foreach (queues, i, queue)
        rm_ctl_cells_queue (table, queue, false);
    rm_ctl_table_print (&table);
}

int rm_ctl_status (rm_ctl_t *self)
{
    return rm_ctl_ask (self, "status", show_status);
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
        rm_ctl_cell_text (table, worker, "name");
        rm_ctl_cell_text (table, worker, "pool");
        rm_ctl_table_state (table, rm_ctl_text_of (worker, "state"));
        rm_ctl_cell_list (table, json_object_get (worker, "queues"));
        rm_ctl_cell_number (table, worker, "threads");
        rm_ctl_cell_number (table, worker, "slots");
        rm_ctl_table_cell (table, "%s/%s", rm_ctl_count_of (worker, "inflight"), rm_ctl_count_of (worker, "window"));
        rm_ctl_cell_number (table, worker, "done");
        rm_ctl_cell_time (table, worker, "last_heard_ms");
    }
    rm_ctl_table_print (&table);
}

int rm_ctl_workers (rm_ctl_t *self)
{
    return rm_ctl_ask (self, "workers", show_workers);
}

/* ---- sentences --------------------------------------------------------------------------------------------------- */

static void show_text (const json_t *answer)
{
    puts (rm_ctl_plain (rm_ctl_text_of (answer, "text")));
}

static void show_drain (const json_t *answer)
{
    printf ("%s ", rm_ctl_plain (rm_ctl_text_of (answer, "worker")));
    puts (rm_ctl_plain (rm_ctl_text_of (answer, "text")));
}

int rm_ctl_drain (rm_ctl_t *self)
{
    const char *text = NULL;
    int error = rm_client_drain (self->client, self->arguments[0], RM_CTL_PATIENCE_MS, &text);
    return rm_ctl_show_answer (self, error, text, show_drain);
}

/* ---- masters ----------------------------------------------------------------------------------------------------- */

static void show_masters (const json_t *answer)
{
    const json_t *masters = json_object_get (answer, "masters");
    rm_ctl_table_t *table = rm_ctl_table_new (">ID|-PEERS|-JOBS|ROLE|->HEARD|>BEHIND");
    size_t i;
    json_t *master;
    printf ("cluster %s, generation %s, Raft's term %s, format %s\n", rm_ctl_plain (rm_ctl_text_of (answer, "cluster")),
            rm_ctl_count_of (answer, "generation"), rm_ctl_count_of (answer, "raft_term"),
            rm_ctl_count_of (answer, "format"));
    json_array_foreach (masters, i, master) {
        rm_ctl_cell_number (table, master, "id");
        rm_ctl_cell_text (table, master, "ledger");
        rm_ctl_cell_text (table, master, "jobs");
        rm_ctl_table_state (table, json_is_true (json_object_get (master, "leader")) ? "leader"
                                                                                     : rm_ctl_text_of (master, "role"));
        rm_ctl_cell_time (table, master, "heard_ms");
        rm_ctl_cell_number (table, master, "behind");
    }
    rm_ctl_table_print (&table);
}

int rm_ctl_masters (rm_ctl_t *self)
{
    return rm_ctl_ask (self, "masters", show_masters);
}

/* What there is to change, and how many more words it takes. */
static const struct {
    const char *name, *words, *number; /* what the number is */
    size_t least, most;
} changes[] = {{"add", "ID HOST:PORT", "a master's id", 2, 2},
               {"remove", "ID", "a master's id", 1, 1},
               {"transfer", "[ID]", "a master's id", 0, 1},
               {"upgrade", "FORMAT", "a format", 1, 1}};

/* Who is the best to lead instead of the one that does: a voter that lacks the least. 0: there is none. Chosen here and
 * by name, so that a request that is repeated, since its answer was lost, does not move the lead once more. */
static uint64_t heir (const json_t *answer)
{
    const json_t *masters = json_object_get (answer, "masters");
    json_int_t id = 0, least = 0;
    size_t i;
    json_t *master;
    json_array_foreach (masters, i, master) {
        const json_t *behind = json_object_get (master, "behind");
        const char *role = json_string_value (json_object_get (master, "role"));
        bool can = !json_is_true (json_object_get (master, "leader")) && json_is_integer (behind) && role &&
                   !strcmp (role, "voter");
        if (!can || (id && json_integer_value (behind) >= least))
            continue;
        id = json_integer_value (json_object_get (master, "id"));
        least = json_integer_value (behind);
    }
    return (uint64_t)id;
}

static int find_heir (rm_ctl_t *self, uint64_t *id)
{
    const char *text = NULL;
    int error = rm_client_query (self->client, "masters", 0, NULL, 0, RM_CTL_PATIENCE_MS, &text);
    if (error)
        return rm_ctl_fail (self, error);
    json_t *answer = json_loads (text, 0, NULL);
    *id = heir (answer);
    json_decref (answer);
    return RM_CTL_DONE;
}

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
    rm_endpoint_t jobs = {0};
    rm_fault_t fault = {0};
    if (words > 1 && rm_peer_address_parse (&jobs, self->arguments[2], &fault))
        return rm_options_refuse (self->program, self->command, "%s", fault.text);
    int code = words ? RM_CTL_DONE : find_heir (self, &id);
    if (code)
        return code;
    self->patience_ms = RM_CTL_CHANGE_PATIENCE_MS;
    int error = rm_client_change (self->client, what, id, words > 1 ? jobs.text : NULL, self->patience_ms, &text);
    return rm_ctl_show_answer (self, error, text, show_text);
}
