/*  ringctl watch jobs: a line for each job as it is accepted, begins and ends, asked for a page at a time. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/show/answer.h"
#include "ctl/watch.h"

enum {
    ASK_MS = 200, /* how often it asks while little happens */
    PAGE = 1000,  /* events of one answer: what a master can say in between without being missed elsewhere */
    ASK_PATIENCE_MS = 2000
};

typedef struct {
    rm_ctl_t *ctl;
    uint64_t next; /* what to ask with; 0: from now on */
    int64_t printed;
    bool ended;
} rm_watching_jobs_t;

/* ---- one event --------------------------------------------------------------------------------------------------- */

static bool wanted (const rm_ctl_t *ctl, const json_t *event)
{
    return !ctl->said.queue || !strcmp (rm_ctl_text_of (event, "queue"), ctl->said.queue);
}

/* "12:00:01.123Z job 7 begun      mail key bob at w1, attempt 2" */
static void print_event (const json_t *event)
{
    rm_ctl_paper_t paper = rm_ctl_paper ();
    const char *name = rm_ctl_text_of (event, "event"), *outcome = rm_ctl_text_of (event, "outcome");
    const char *shown = *outcome != '-' ? outcome : name, *key = rm_ctl_text_of (event, "key");
    const char *worker = rm_ctl_text_of (event, "worker");
    long long attempt = rm_ctl_number_of (event, "attempt"), permille = rm_ctl_number_of (event, "permille");
    const char *note = json_string_value (json_object_get (event, "note"));
    rm_ctl_tint_t tint = rm_ctl_tint_of (strcmp (name, "begun") && permille < 0 ? shown : "running");
    char at[32], more[512], state[64];
    snprintf (state, sizeof state, "%s", shown);
    rm_ctl_mask (state, false);
    snprintf (more, sizeof more, "%s%s%s%s%s", rm_ctl_text_of (event, "queue"), *key != '-' ? " key " : "",
              *key != '-' ? key : "", *worker != '-' ? " at " : "", *worker != '-' ? worker : "");
    rm_ctl_mask (more, false);
    printf ("%s job %s %s%-9s%s %s", rm_ctl_watch_time (rm_ctl_number_of (event, "at_ms"), at, sizeof at) + 11,
            rm_ctl_count_of (event, "id"), rm_ctl_tint_begin (&paper, tint), state, rm_ctl_tint_end (&paper, tint),
            more);
    if (attempt > 1)
        printf (", attempt %lld", attempt);
    if (permille >= 0)
        printf (": %s", rm_ctl_plain (rm_ctl_progress_text (permille, note ? note : "", more, sizeof more)));
    putchar ('\n');
}

/* ---- pages ------------------------------------------------------------------------------------------------------- */

/* Prints the events of an answer; how many it had, -1: it is none. */
static int take_page (rm_watching_jobs_t *self, const char *text)
{
    json_t *answer = json_loads (text, 0, NULL), *event;
    const json_t *events = json_object_get (answer, "events");
    long long next = rm_ctl_number_of (answer, "next"), lost = rm_ctl_number_of (answer, "lost");
    bool good = json_is_array (events) && next > 0;
    int count = (int)json_array_size (events);
    size_t i;
    if (lost > 0)
        rm_ctl_say ("%lld events came faster than they could be shown, and are not", lost);
    json_array_foreach (events, i, event) {
        if (self->ended || !wanted (self->ctl, event))
            continue;
        if (self->ctl->said.json)
            rm_ctl_json_print (json_incref (event));
        else
            print_event (event);
        self->ended = ++self->printed == self->ctl->said.count;
    }
    self->next = (uint64_t)next;
    fflush (stdout);
    self->ended = self->ended || ferror (stdout);
    json_decref (answer);
    return good ? count : -1;
}

int rm_ctl_watch_jobs (rm_ctl_t *self)
{
    rm_watching_jobs_t watching = {.ctl = self};
    const struct timespec pause = {.tv_nsec = ASK_MS * 1000000l};
    bool reachable = true;
    for (int count = 0; !watching.ended;) {
        const char *text = NULL;
        bool first = !watching.next;
        int error = rm_client_query (self->client, "events", watching.next, NULL, PAGE,
                                     first ? RM_CTL_PATIENCE_MS : ASK_PATIENCE_MS, &text);
        if (error && (first || (error != RM_EUNREACHABLE && error != RM_ETIMEDOUT)))
            return rm_ctl_fail (self, error);
        if (!error && (count = take_page (&watching, text)) < 0)
            return rm_ctl_refuse_answer ();
        if (first)
            rm_ctl_say ("watching jobs");
        if (reachable != !error)
            rm_ctl_say (error ? "the master does not answer; waiting for it" : "the master answers again");
        reachable = !error;
        if (!watching.ended && count < PAGE)
            nanosleep (&pause, NULL);
    }
    return RM_CTL_DONE;
}
