/*  ringsim: lives a simulated cluster, many times, or once and tells the story. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abstract.h"
#include "lives.h"
#include "net/options.h"
#include "shrink.h"
#include "story.h"

typedef struct {
    int64_t seed, runs, from, jobs, who, point;
    bool trace, until_failure, enumerate;
    const char *faults, *items, *events;
} settings_t;

static settings_t settings = {.seed = -1, .runs = 0, .from = 1, .jobs = 0, .who = -1};

static const rm_option_t options[] = {
    RM_SECTION ("one life"),
    RM_NUMBER (0, "seed", "N", 0, INT64_MAX, "live the life of this seed", &settings.seed),
    RM_FLAG (0, "trace", "tell it as a story, a line an event", &settings.trace),
    RM_TEXT (0, "events", "FILE", "write what happens as models/replay reads it", &settings.events),
    RM_TEXT (0, "only-faults", "LIST", "only these of its faults (3,7; none)", &settings.faults),
    RM_TEXT (0, "only-jobs", "LIST", "only these of its jobs", &settings.items),
    RM_SECTION ("many lives"),
    RM_NUMBER ('n', "runs", "N", 1, INT64_MAX, "so many lives", &settings.runs),
    RM_NUMBER (0, "from", "SEED", 0, INT64_MAX, "the first one's seed (1)", &settings.from),
    RM_NUMBER ('j', "jobs", "J", 1, 256, "so many at a time (one a core)", &settings.jobs),
    RM_FLAG (0, "until-failure", "make the first one that fails small: fewer faults, fewer jobs",
             &settings.until_failure),
    RM_SECTION ("every death"),
    RM_FLAG (0, "enumerate",
             "kill each process of a small cluster at each of its sends and\ncommits, before and after, once a life",
             &settings.enumerate),
    RM_NUMBER (0, "process", "P", 0, SIM_PROCESSES_MAX, "only this process: 0 is the master, 1 the first worker …",
               &settings.who),
    RM_NUMBER (0, "point", "N", 1, INT64_MAX, "only at this point of it, as a story with --trace", &settings.point),
    RM_OPTIONS_END,
};

static const rm_program_t program = {
    .self = {.name = "ringsim",
             .about =
                 "Lives of a simulated cluster: the real core and protocol code of a master, workers and clients in\n"
                 "one thread, over a network, clocks and a disk that fail as a seed says. Whatever is promised is\n"
                 "checked all along. The same seed does the same thing to the byte. Exit code 1: a promise is broken.",
             .options = options,
             .examples = "  ringsim --runs 10000                      ten thousand lives, one process a core\n"
                         "  ringsim --runs 100000 --until-failure     … and makes the first failure small\n"
                         "  ringsim --seed 17 --trace | less          what happens in one of them\n"
                         "  ringsim --enumerate                       every death at every send and commit"},
    .version = RM_VERSION,
};

/* ---- one life ---------------------------------------------------------------------------------------------------- */

/* "3,7" or "none"; false: it is no list of numbers. */
static bool read_list (const char *text, uint32_t *numbers, uint32_t room, uint32_t *count)
{
    *count = 0;
    if (!strcmp (text, "none"))
        return true;
    for (char *end; *count < room; text = end + 1) {
        numbers[(*count)++] = (uint32_t)strtoul (text, &end, 10);
        if (end == text || (*end && *end != ','))
            return false;
        if (!*end)
            return true;
    }
    return false;
}

static void say_violation (const sim_result_t *result)
{
    printf ("violation of %s at %.6f s: %s\n", result->checker, (double)result->ended_us / 1e6, result->text);
}

static int live_one (plan_t *plan)
{
    static sim_result_t result;
    if (settings.trace)
        story_out = stdout;
    if (settings.events && !(abstract_out = fopen (settings.events, "w"))) {
        fprintf (stderr, "ringsim: cannot write to %s\n", settings.events);
        return 1;
    }
    sim_live (plan, &result);
    if (abstract_out)
        fclose (abstract_out);
    abstract_out = NULL;
    if (result.violated) {
        say_violation (&result);
        return 1;
    }
    printf ("seed %" PRIu64 ": %" PRIu64 " jobs, %" PRIu64 " starts, %" PRIu64 " resizes, %" PRIu64 " terms, %" PRIu64
            " deaths in %.3f s, %" PRIu64 " events: all promises kept\n",
            plan->seed, result.jobs, result.starts, result.resizes, result.terms, result.deaths,
            (double)result.ended_us / 1e6, result.steps);
    return 0;
}

static int live_seed (void)
{
    static plan_t plan;
    uint32_t list[PLAN_ITEMS_MAX], count;
    plan_draw (&plan, (uint64_t)settings.seed);
    if (settings.faults) {
        if (!read_list (settings.faults, list, PLAN_ITEMS_MAX, &count))
            return rm_options_refuse (&program, NULL, "--only-faults takes numbers with commas, or none, not '%s'",
                                      settings.faults);
        plan_keep_faults (&plan, list, count);
    }
    if (settings.items) {
        if (!read_list (settings.items, list, PLAN_ITEMS_MAX, &count))
            return rm_options_refuse (&program, NULL, "--only-jobs takes numbers with commas, or none, not '%s'",
                                      settings.items);
        plan_keep_items (&plan, list, count);
    }
    return live_one (&plan);
}

/* ---- many lives -------------------------------------------------------------------------------------------------- */

static unsigned processes (void)
{
    long cores = sysconf (_SC_NPROCESSORS_ONLN);
    return settings.jobs ? (unsigned)settings.jobs : cores > 0 ? (unsigned)cores : 1;
}

static void say_sum (const lives_t *lives, const lives_result_t *sum)
{
    double rate = sum->seconds > 0 ? (double)sum->lived / sum->seconds : 0;
    printf ("%" PRIu64 " %s in %.1f s, %.0f a second, %.0f a second and process: %" PRIu64 " jobs, %" PRIu64
            " starts, %" PRIu64 " resizes, %" PRIu64 " terms, %" PRIu64 " deaths, %" PRIu64 " events\n",
            sum->lived, lives->what, sum->seconds, rate, rate / lives->processes, sum->jobs, sum->starts, sum->resizes,
            sum->terms, sum->deaths, sum->steps);
}

static void say_list (const char *option, const uint32_t *numbers, uint32_t count)
{
    printf (" --only-%s ", option);
    for (uint32_t i = 0; i < count; i++)
        printf ("%s%u", i ? "," : "", numbers[i]);
    if (!count)
        printf ("none");
}

static void say_small (const plan_t *plan)
{
    uint32_t numbers[PLAN_ITEMS_MAX];
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        char text[160];
        plan_fault_text (plan, &plan->faults[i], text, sizeof text);
        printf ("  at %.6f s: %s\n", (double)plan->faults[i].at_us / 1e6, text);
        numbers[i] = plan->faults[i].index;
    }
    printf ("ringsim --seed %" PRIu64 " --trace", plan->seed);
    say_list ("faults", numbers, plan->fault_count);
    for (uint32_t i = 0; i < plan->item_count; i++)
        numbers[i] = plan->items[i].index;
    say_list ("jobs", numbers, plan->item_count);
    printf ("\n");
}

static void make_small (const lives_result_t *sum)
{
    static plan_t plan;
    sim_result_t result = sum->first;
    plan_draw (&plan, sum->number);
    uint32_t faults = plan.fault_count, items = plan.item_count;
    unsigned tries = shrink (&plan, sum->first.checker, &result);
    printf ("%u of %u faults and %u of %u jobs are enough (%u lives):\n", plan.fault_count, faults, plan.item_count,
            items, tries);
    say_violation (&result);
    say_small (&plan);
}

static void draw (plan_t *plan, uint64_t number, const void *arg)
{
    (void)arg;
    plan_draw (plan, number);
}

static int live_many (void)
{
    const lives_t lives = {.from = (uint64_t)settings.from,
                           .count = (uint64_t)settings.runs,
                           .processes = processes (),
                           .plan = draw,
                           .what = "lives"};
    lives_result_t sum;
    if (!lives_run (&lives, &sum)) {
        fprintf (stderr, "ringsim: no process could be started\n");
        return 1;
    }
    say_sum (&lives, &sum);
    if (!sum.violated)
        return 0;
    printf ("seed %" PRIu64 ", after %" PRIu64 " lives: ", sum.number, sum.number - lives.from + 1);
    say_violation (&sum.first);
    if (settings.until_failure)
        make_small (&sum);
    else
        printf ("ringsim --seed %" PRIu64 " --trace\n", sum.number);
    return 1;
}

/* ---- every death ------------------------------------------------------------------------------------------------- */

static void enumerate_plan (plan_t *plan, uint64_t number, const void *arg)
{
    plan_enumerate (plan, *(const uint32_t *)arg, number);
}

/* All points of a process, one a life. How many lives had a violation: 0 or 1. */
static int enumerate_process (const plan_t *plan, uint32_t who, uint64_t points, uint64_t *lived)
{
    char name[8];
    lives_result_t sum;
    plan_process_name (plan, who, name);
    const lives_t lives = {
        .from = 1, .count = points, .processes = processes (), .plan = enumerate_plan, .arg = &who, .what = "deaths"};
    if (!points || !lives_run (&lives, &sum))
        return 1;
    *lived += sum.lived;
    printf ("%s: ", name);
    say_sum (&lives, &sum);
    if (!sum.violated)
        return 0;
    printf ("%s killed at point %" PRIu64 ": ", name, sum.number);
    say_violation (&sum.first);
    printf ("ringsim --enumerate --process %u --point %" PRIu64 " --trace\n", who, sum.number);
    return 1;
}

static int enumerate (void)
{
    static plan_t plan;
    sim_result_t undisturbed;
    if (settings.point) {
        plan_enumerate (&plan, settings.who > 0 ? (uint32_t)settings.who : 0, (uint64_t)settings.point);
        return live_one (&plan);
    }
    plan_enumerate (&plan, 0, 0);
    sim_live (&plan, &undisturbed);
    if (undisturbed.violated) {
        say_violation (&undisturbed);
        return 1;
    }
    int bad = 0;
    uint64_t lived = 0;
    for (uint32_t who = 0; !bad && who < 1 + plan.worker_count + plan.client_count; who++)
        if (settings.who < 0 || (uint32_t)settings.who == who)
            bad = enumerate_process (&plan, who, undisturbed.points[who], &lived);
    if (!bad)
        printf ("%" PRIu64 " deaths, each at a point of its own: all promises kept\n", lived);
    return bad;
}

int main (int argc, char **argv)
{
    rm_parsed_t parsed;
    int exit_code;
    /* A life's memory is the next one's: it does not go back to the system in between. */
    mallopt (M_TRIM_THRESHOLD, 1 << 30);
    mallopt (M_MMAP_THRESHOLD, 1 << 30);
    mallopt (M_TOP_PAD, 16 << 20);
    if (!rm_options_parse (&parsed, &program, argc, argv, &exit_code))
        return exit_code;
    if ((settings.seed >= 0) + (settings.runs > 0) + settings.enumerate != 1)
        return rm_options_refuse (&program, NULL, "say one of --seed, --runs and --enumerate");
    if (settings.enumerate)
        return enumerate ();
    return settings.seed >= 0 ? live_seed () : live_many ();
}
