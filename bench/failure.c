/*  What keys see of a worker that joins, one that leaves, one that is killed, and a leader that is killed: jobs a second and
 *  waits in every 10 ms around it, drawn, and as numbers how far the rate of keys that stay dips, and how long those that
 *  move wait.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chart.h"
#include "cluster.h"
#include "flow.h"
#include "net/clock.h"
#include "net/context.h"
#include "net/options.h"
#include "proto/alloc.h"
#include "proto/limits.h"

enum {
    BIN_US = 10000,
    WORKERS_MAX = 16,
    WARM_MS = 700,
    ASK_MS = 10000,
    OVER_S = 30,
    SHOWN_MS = 500 /* of the time before */
};

typedef enum { JOIN, LEAVE, WORKER_KILLED, LEADER_KILLED, EVENTS } event_t;

static const struct {
    const char *name, *title;
} events[EVENTS] = {[JOIN] = {"join", "A worker joins"},
                    [LEAVE] = {"leave", "A worker leaves"},
                    [WORKER_KILLED] = {"worker", "A worker is killed"},
                    [LEADER_KILLED] = {"leader", "The leader of three masters is killed"}};

static int64_t keys = 1000, rate = 5000, long_keys = 16, long_ms = 200, rounds = 1, workers = 3, before_ms = 1000,
               after_ms = 2500;
static const char *only, *folder;
static char notes[EVENTS][160]; /* what is to be said below the table; "": nothing */

/* Numbers of a stretch of time. */
typedef struct {
    double rate;          /* jobs a second of keys that stay: the median of its bins */
    double p99_ms;        /* what they wait */
    double longest_ms[2]; /* what one waits that stays, that moves … */
    double beside_ms;     /* … and that moves while its job runs, beside that run */
} stretch_t;

/* ---- what happens ----------------------------------------------------------------------------------------------- */

static const char *const queues[] = {"flow=builtin:echo", "long=builtin:sleep", NULL};
enum { THREADS = 16 /* long jobs must not keep short ones waiting */ };

static void wait_for_rest (const bench_cluster_t *cluster)
{
    rm_client_t *client = rm_client_new (cluster->jobs);
    json_int_t moving = 1;
    while (moving) {
        const char *text;
        sleep_ms (300);
        if (!client || rm_client_query (client, "ring", 0, NULL, 0, ASK_MS, &text))
            harness_fail ("the master does not tell the ring");
        json_t *ring = json_loads (text, 0, NULL);
        json_t *pool = json_array_get (json_object_get (ring, "pools"), 0);
        moving = json_integer_value (json_object_get (pool, "moving"));
        json_decref (ring);
    }
    rm_client_destroy (&client);
}

static void cause (event_t event, bench_cluster_t *cluster, process_t *last)
{
    if (event == JOIN)
        bench_cluster_start_worker (cluster, "joiner", THREADS, queues);
    else
        process_signal (event == LEADER_KILLED ? cluster->leader : last, event == LEAVE ? SIGTERM : SIGKILL);
}

/* Whether all is seen of it: a resize that is over, or jobs that end again. */
static bool is_over (event_t event, const flow_t *flow, uint64_t at_us)
{
    enum { ANSWERED_BEFORE_US = 200000 /* what a leader said before it was killed has come by then */ };
    if (event != LEADER_KILLED)
        return flow->settled_us != 0;
    return flow->end_count && flow->ends[flow->end_count - 1].at_us > at_us + ANSWERED_BEFORE_US;
}

/* When it happened; what followed is in the flow. */
static uint64_t run (event_t event, flow_t *flow)
{
    bench_cluster_t cluster = {0};
    process_t *last = NULL;
    bench_cluster_start (&cluster, event == LEADER_KILLED ? 3 : 1);
    for (int64_t i = 0; i < workers; i++) {
        char name[24];
        snprintf (name, sizeof name, "w%lld", (long long)i + 1);
        last = bench_cluster_worker (&cluster, name, THREADS, queues);
    }
    wait_for_rest (&cluster);
    bool resizes = event == JOIN || event == LEAVE;
    flow_open (flow, cluster.jobs, (uint32_t)keys, (uint32_t)rate, resizes ? (uint32_t)long_keys : 0,
               (uint32_t)long_ms);
    flow_for (flow, WARM_MS + (uint64_t)before_ms);
    flow_forget (flow);
    uint64_t at_us = rm_clock_us ();
    cause (event, &cluster, last);
    flow_for (flow, (uint64_t)after_ms);
    for (int i = 0; !is_over (event, flow, at_us); i++) {
        if (i == OVER_S * 10)
            harness_fail ("%s: it was not over after %d s", events[event].name, OVER_S);
        flow_for (flow, 100);
    }
    process_destroy_all ();
    return at_us;
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

static int by_value (const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double part_of (double *values, size_t count, double part)
{
    qsort (values, count, sizeof *values, by_value);
    return count ? values[(size_t)((double)(count - 1) * part)] : NAN;
}

/* The median over the bins that lie within it; of one that has none, its jobs by its length. */
static double rate_of (const flow_t *flow, uint64_t from_us, uint64_t to_us)
{
    size_t bins = (size_t)((to_us - from_us) / BIN_US), all = 0;
    double *counts = rm_calloc (bins + 1, sizeof *counts);
    for (size_t i = 0; i < flow->end_count; i++) {
        const flow_end_t *end = &flow->ends[i];
        if (flow->keys[end->key].is_long || flow_has_moved (flow, end->key) || end->at_us < from_us ||
            end->at_us >= to_us)
            continue;
        all++;
        counts[(end->at_us - from_us) / BIN_US]++;
    }
    double found = bins ? part_of (counts, bins, 0.5) * 1e6 / BIN_US : (double)all * 1e6 / (double)(to_us - from_us);
    rm_free (counts);
    return found;
}

static stretch_t measure (const flow_t *flow, uint64_t from_us, uint64_t to_us)
{
    stretch_t found = {.rate = rate_of (flow, from_us, to_us)};
    double *waits = rm_calloc (flow->end_count + 1, sizeof *waits);
    size_t count = 0;
    for (size_t i = 0; i < flow->end_count; i++) {
        const flow_end_t *end = &flow->ends[i];
        double wait_ms = end->wait_us / 1e3;
        bool moved = flow_has_moved (flow, end->key);
        if (end->at_us < from_us || end->at_us >= to_us)
            continue;
        if (flow->keys[end->key].is_long) {
            found.beside_ms = moved ? fmax (found.beside_ms, wait_ms) : found.beside_ms;
            continue;
        }
        found.longest_ms[moved] = fmax (found.longest_ms[moved], wait_ms);
        if (!moved)
            waits[count++] = wait_ms;
    }
    found.p99_ms = part_of (waits, count, 0.99);
    rm_free (waits);
    return found;
}

/* The longest time after it in which no job ended at all, of any key; ends at *until_us. */
static uint64_t silence (const flow_t *flow, uint64_t at_us, uint64_t *until_us)
{
    uint64_t longest = 0, last_us = at_us;
    for (size_t i = 0; i < flow->end_count; i++) {
        if (flow->ends[i].at_us <= at_us)
            continue;
        if (flow->ends[i].at_us - last_us > longest) {
            longest = flow->ends[i].at_us - last_us;
            *until_us = flow->ends[i].at_us;
        }
        last_us = flow->ends[i].at_us;
    }
    return longest;
}

/* The longest time after it in which no job of a key ended that moves. */
static uint64_t longest_gap (const flow_t *flow, uint64_t at_us)
{
    uint64_t *last_us = rm_calloc (flow->count, sizeof *last_us), longest = 0;
    for (size_t i = 0; i < flow->end_count; i++) {
        const flow_end_t *end = &flow->ends[i];
        if (end->at_us <= at_us || flow->keys[end->key].is_long || !flow_has_moved (flow, end->key))
            continue;
        uint64_t since_us = last_us[end->key] ? last_us[end->key] : at_us;
        if (end->at_us - since_us > longest)
            longest = end->at_us - since_us;
        last_us[end->key] = end->at_us;
    }
    rm_free (last_us);
    return longest;
}

static uint32_t moved_count (const flow_t *flow)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < flow->count; i++)
        count += flow_has_moved (flow, i);
    return count;
}

static void print_head (void)
{
    printf ("%lld keys, %s%lld jobs a second in all; %lld other keys with jobs of %lld ms while a worker joins or "
            "leaves; %lld workers\n\n",
            (long long)keys, rate ? "" : "as many as there can be, not ", (long long)rate, (long long)long_keys,
            (long long)long_ms, (long long)workers);
    printf (
        "| event | lasts ms | keys that stay | … that move | jobs/s of those that stay, before | meanwhile | dip %% | "
        "p99 ms before | meanwhile | longest wait ms, stays | moves | moves, beside the job that runs |\n"
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
}

/* It lasts from the first to the last word of the resize; without one, until jobs end again. Jobs that were held up end soon
 * after that: they count as meanwhile. */
static void report (event_t event, const flow_t *flow, uint64_t at_us, uint64_t span_us[2])
{
    enum { SOON_US = 100000 };
    uint64_t until_us = at_us, silent_us = silence (flow, at_us, &until_us);
    uint32_t moves = moved_count (flow);
    bool resized = event != LEADER_KILLED;
    span_us[0] = event == WORKER_KILLED || !resized ? at_us : flow->begun_us;
    span_us[1] = resized ? flow->settled_us : until_us;
    stretch_t before = measure (flow, at_us - (uint64_t)before_ms * 1000, at_us);
    stretch_t meanwhile = measure (flow, span_us[0], span_us[1] + SOON_US);
    double during = rate_of (flow, span_us[0], span_us[1]);
    printf ("| %s | %.0f | %u | %u | %.0f | %.0f | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f |\n", events[event].name,
            (double)(span_us[1] - span_us[0]) / 1e3, flow->count - moves, moves, before.rate, during,
            100 * (1 - during / before.rate), before.p99_ms, meanwhile.p99_ms, meanwhile.longest_ms[0],
            meanwhile.longest_ms[1], meanwhile.beside_ms);
    fflush (stdout);
    if (event == WORKER_KILLED)
        snprintf (notes[event], sizeof notes[event],
                  "a killed worker: its keys had no job ended for up to %.0f ms; lease, grace and margin are %d ms",
                  (double)longest_gap (flow, at_us) / 1e3, RM_LEASE_MS + RM_GRACE_MS + RM_MARGIN_MS);
    if (event == LEADER_KILLED)
        snprintf (notes[event], sizeof notes[event], "a killed leader: no job ended for %.0f ms",
                  (double)silent_us / 1e3);
}

/* ---- figures ---------------------------------------------------------------------------------------------------- */

/* What is drawn of keys that stay, and of those that move. */
typedef struct {
    double *x;
    double *rates[2], *longest[2];
    size_t count;
} bins_t;

static bins_t gather (const flow_t *flow, uint64_t at_us)
{
    uint64_t from_us = at_us - SHOWN_MS * 1000;
    bins_t bins = {.count = (size_t)(SHOWN_MS + after_ms) * 1000 / BIN_US};
    bins.x = rm_calloc (bins.count, sizeof *bins.x);
    for (int moved = 0; moved < 2; moved++) {
        bins.rates[moved] = rm_calloc (bins.count, sizeof (double));
        bins.longest[moved] = rm_calloc (bins.count, sizeof (double));
    }
    for (size_t i = 0; i < bins.count; i++)
        bins.x[i] = ((double)i * BIN_US - SHOWN_MS * 1000.0) / 1e3;
    for (size_t i = 0; i < flow->end_count; i++) {
        const flow_end_t *end = &flow->ends[i];
        size_t bin = (size_t)((end->at_us - from_us) / BIN_US);
        bool moved = flow_has_moved (flow, end->key);
        if (flow->keys[end->key].is_long || end->at_us < from_us || bin >= bins.count)
            continue;
        bins.rates[moved][bin] += 1e6 / BIN_US;
        bins.longest[moved][bin] = fmax (bins.longest[moved][bin], end->wait_us / 1e3);
    }
    return bins;
}

static void draw (event_t event, const flow_t *flow, uint64_t at_us, const uint64_t span_us[2])
{
    char path[512], title[160];
    bins_t bins = gather (flow, at_us);
    const char *const names[] = {"keys that stay", "keys that move"}, *const colours[] = {"#1b6ca8", "#e08e45"};
    size_t lines = moved_count (flow) ? 2 : 1;
    chart_line_t rates[2], longest[2];
    for (size_t i = 0; i < lines; i++) {
        rates[i] = (chart_line_t){names[i], colours[i], bins.x, bins.rates[i], bins.count, true};
        longest[i] = (chart_line_t){names[i], colours[i], bins.x, bins.longest[i], bins.count, true};
    }
    const chart_panel_t panels[] = {{"jobs a second, in each 10 ms", rates, lines, false},
                                    {"longest wait of a job that ended in these 10 ms, ms", longest, lines, true}};
    const chart_mark_t marks[] = {
        {((double)span_us[0] - (double)at_us) / 1e3, ((double)span_us[1] - (double)at_us) / 1e3, ""},
        {0, 0, events[event].name}};
    snprintf (title, sizeof title, "%s: %lld keys, %lld jobs/s, %lld workers", events[event].title, (long long)keys,
              (long long)rate, (long long)workers);
    snprintf (path, sizeof path, "%s/failure-%s.svg", folder, events[event].name);
    if (!chart_draw (&(chart_t){title, "ms since it happened", false, marks, 2, panels, 2}, path))
        harness_fail ("cannot write %s: %s", path, strerror (errno));
    rm_free (bins.x);
    for (int i = 0; i < 2; i++) {
        rm_free (bins.rates[i]);
        rm_free (bins.longest[i]);
    }
}

static void observe (event_t event)
{
    flow_t flow;
    uint64_t span_us[2], at_us = run (event, &flow);
    report (event, &flow, at_us, span_us);
    if (folder)
        draw (event, &flow, at_us, span_us);
    flow_close (&flow);
}

int main (int argc, char **argv)
{
    const rm_option_t table[] = {
        RM_SECTION ("Options"),
        RM_TEXT (0, "event", "NAME", "only this one: join, leave, worker (killed), leader (killed)", &only),
        RM_NUMBER (0, "keys", "N", 1, 60000, "with short jobs (1000)", &keys),
        RM_NUMBER (0, "rate", "N", 0, 1000000,
                   "short jobs a second; 0: a key's next one as soon as one has ended (5000)", &rate),
        RM_NUMBER (0, "long-keys", "N", 0, 1000, "with long jobs, back to back, while a worker joins or leaves (16)",
                   &long_keys),
        RM_NUMBER (0, "long-ms", "MS", 1, 10000, "which take so long (200)", &long_ms),
        RM_NUMBER (0, "workers", "N", 2, WORKERS_MAX, "before it happens (3)", &workers),
        RM_NUMBER (0, "before", "MS", 100, 60000, "of flow that are compared with (1000)", &before_ms),
        RM_NUMBER (0, "after", "MS", 100, 60000, "of flow when it has happened (2500)", &after_ms),
        RM_NUMBER (0, "rounds", "N", 1, 100, "of each event, a row for each (1)", &rounds),
        RM_TEXT (0, "svg", "FOLDER", "draw failure-NAME.svg there, of the last round", &folder),
        RM_OPTIONS_END,
    };
    const rm_program_t program = {
        .self = {.name = "bench_failure",
                 .about = "Measures what keys see of workers that join, leave and are killed, and of a killed leader.",
                 .options = table,
                 .examples = "  bench_failure --svg .\n  bench_failure --event join --rate 0"},
        .version = RM_VERSION};
    rm_parsed_t parsed;
    int exit_code, chosen = 0;
    if (!rm_options_parse (&parsed, &program, argc, argv, &exit_code))
        return exit_code;
    for (int i = 0; i < EVENTS; i++)
        chosen += !only || !strcmp (only, events[i].name);
    if (!chosen)
        return rm_options_refuse (&program, NULL, "there is no event %s", only);
    rm_net_init ();
    print_head ();
    for (int i = 0; i < EVENTS; i++)
        for (int64_t round = 0; round < rounds && (!only || !strcmp (only, events[i].name)); round++)
            observe ((event_t)i);
    for (int i = 0; i < EVENTS; i++)
        if (*notes[i])
            printf ("\n%s\n", notes[i]);
    rm_net_term ();
    return 0;
}
