/*  ringctl why and trace: one job's life. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/show/answer.h"
#include "ctl/show/text.h"
#include "ctl/watch.h"

/* ---- why --------------------------------------------------------------------------------------------------------- */

static void cell_moment (rm_ctl_table_t *table, const json_t *object, const char *name)
{
    char text[64];
    long long ms = rm_ctl_number_of (object, name);
    rm_ctl_table_cell (table, "%s", ms < 0 ? "-" : rm_ctl_watch_time (ms, text, sizeof text));
}

static void show_why (const json_t *answer)
{
    const json_t *attempts = json_object_get (answer, "attempts");
    size_t i;
    json_t *attempt;
    puts (rm_ctl_plain (rm_ctl_text_of (answer, "text")));
    if (json_array_size (attempts))
        putchar ('\n');
    rm_ctl_table_t *table = rm_ctl_table_new (">ATTEMPT|HOW|-WORKER|-->ENDED|REASON");
    json_array_foreach (attempts, i, attempt) {
        rm_ctl_cell_number (table, attempt, "attempt");
        rm_ctl_table_state (table, rm_ctl_text_of (attempt, "how"));
        rm_ctl_cell_text (table, attempt, "worker");
        cell_moment (table, attempt, "ended_ms");
        rm_ctl_cell_text (table, attempt, "reason");
    }
    rm_ctl_table_print (&table);
}

static int ask_of_job (rm_ctl_t *self, const char *what, void (*show) (const json_t *answer))
{
    const char *text = NULL;
    uint64_t id = rm_ctl_number (self, self->arguments[0], "a job's id");
    if (!id)
        return RM_CTL_USAGE;
    int error = rm_client_query (self->client, what, id, NULL, 0, RM_CTL_PATIENCE_MS, &text);
    return rm_ctl_show_answer (self, error, text, show);
}

int rm_ctl_why (rm_ctl_t *self)
{
    return ask_of_job (self, "why", show_why);
}

/* ---- trace ------------------------------------------------------------------------------------------------------- */

enum { DETAIL_BYTES = 8192 };

static bool is (const json_t *step, const char *name)
{
    return !strcmp (rm_ctl_text_of (step, "step"), name);
}

/* What a step is about, in a few words. */
static void write_detail (char *text, const json_t *step)
{
    char moment[64] = "", pause[64] = "";
    const char *worker = rm_ctl_text_of (step, "worker"), *reason = rm_ctl_text_of (step, "reason");
    const char *inc = rm_ctl_text_of (step, "inc");
    long long next_ms = rm_ctl_number_of (step, "next_ms");
    if (next_ms >= 0) {
        rm_ctl_watch_time (next_ms, moment, sizeof moment);
        rm_ctl_time_text (next_ms - rm_ctl_number_of (step, "at_ms"), pause, sizeof pause);
    }
    if (is (step, "accepted") && rm_ctl_number_of (step, "from") > 0)
        snprintf (text, DETAIL_BYTES, "again what was job %s", rm_ctl_count_of (step, "from"));
    else if (is (step, "kicked"))
        snprintf (text, DETAIL_BYTES, "again as job %s", rm_ctl_count_of (step, "as"));
    else if (is (step, "delayed"))
        snprintf (text, DETAIL_BYTES, "until %s", moment);
    else if (is (step, "forgotten"))
        snprintf (text, DETAIL_BYTES, "%s attempts", rm_ctl_count_of (step, "attempts"));
    else if (is (step, "given") || is (step, "returned"))
        snprintf (text, DETAIL_BYTES, "attempt %s, %s %s", rm_ctl_count_of (step, "attempt"),
                  is (step, "given") ? "to" : "by",
                  *worker != '-' ? worker
                  : *inc != '-'  ? inc
                                 : "a worker whose name is not known any more");
    else if (is (step, "stopping"))
        snprintf (text, DETAIL_BYTES, "its worker is told so");
    else if (is (step, "failed"))
        snprintf (text, DETAIL_BYTES, "attempt %s, at %s%s%s%s%s", rm_ctl_count_of (step, "attempt"), worker,
                  next_ms >= 0 ? ", next after " : "", next_ms >= 0 ? pause : "", *reason != '-' ? ": " : "",
                  *reason != '-' ? reason : "");
    else
        snprintf (text, DETAIL_BYTES, "%s", *reason != '-' ? reason : "");
}

/* The outcome, or how an attempt ended, where the step has one. */
static const char *step_name (const json_t *step)
{
    const char *outcome = rm_ctl_text_of (step, "outcome"), *how = rm_ctl_text_of (step, "how");
    return *outcome != '-' ? outcome : *how != '-' ? how : rm_ctl_text_of (step, "step");
}

static void show_trace (const json_t *answer)
{
    const json_t *steps = json_object_get (answer, "steps");
    const char *key = rm_ctl_text_of (answer, "key");
    bool unknown = false;
    char detail[DETAIL_BYTES], head[4096];
    size_t i;
    json_t *step;
    snprintf (head, sizeof head, "job %s, queue %s%s%s: %s", rm_ctl_count_of (answer, "id"),
              rm_ctl_text_of (answer, "queue"), *key != '-' ? ", key " : "", *key != '-' ? key : "",
              rm_ctl_text_of (answer, "state"));
    rm_ctl_mask (head, false);
    printf ("%s\n\n", head);
    rm_ctl_table_t *table = rm_ctl_table_new (">TIME|STEP|-DETAIL");
    json_array_foreach (steps, i, step) {
        unknown = unknown || (is (step, "given") && rm_ctl_number_of (step, "at_ms") < 0);
        cell_moment (table, step, "at_ms");
        rm_ctl_table_state (table, step_name (step));
        write_detail (detail, step);
        rm_ctl_table_cell (table, "%s", detail);
    }
    rm_ctl_table_print (&table);
    if (unknown)
        printf ("\nThe master that leads does so since %s: when jobs were given to workers before is not known.\n",
                rm_ctl_watch_time (rm_ctl_number_of (answer, "led_ms"), head, sizeof head));
}

int rm_ctl_trace (rm_ctl_t *self)
{
    return ask_of_job (self, "trace", show_trace);
}
