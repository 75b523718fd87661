/*  ringctl why: one job's life. */
#include <jansson.h>
#include <stdio.h>

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

int rm_ctl_why (rm_ctl_t *self)
{
    const char *text = NULL;
    uint64_t id = rm_ctl_number (self, self->arguments[0], "a job's id");
    if (!id)
        return RM_CTL_USAGE;
    int error = rm_client_query (self->client, "why", id, NULL, 0, RM_CTL_PATIENCE_MS, &text);
    return rm_ctl_show_answer (self, error, text, show_why);
}
