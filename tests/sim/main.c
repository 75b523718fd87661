/*  ringsim: lives a simulated cluster, many times, or once and tells the story. */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abstract.h"
#include "lives.h"
#include "settings.h"
#include "shrink.h"
#include "story.h"

enum { BROKEN = 1, UNKNOWN = 3 }; /* exit codes: a promise is broken; it could not be found out */

/* ---- one life ---------------------------------------------------------------------------------------------------- */

static void say_violation (const sim_result_t *result)
{
    printf ("violation of %s at %.6f s: %s\n", result->checker, (double)result->ended_us / 1e6, result->text);
}

static int cannot_write (const char *name)
{
    fprintf (stderr, "ringsim: %s cannot be written: %s\n", name, strerror (errno));
    return UNKNOWN;
}

/* Whether all that was written to it is where it should be. */
static bool is_kept (FILE *file)
{
    bool kept = !ferror (file);
    return !fflush (file) && kept;
}

static int live_one (plan_t *plan)
{
    static sim_result_t result;
    if (settings.trace)
        story_out = stdout;
    if (settings.events && !(abstract_out = fopen (settings.events, "w")))
        return cannot_write (settings.events);
    sim_live (plan, &result);
    if (result.violated)
        say_violation (&result);
    if (abstract_out && !is_kept (abstract_out))
        return cannot_write (settings.events);
    if (result.violated)
        return BROKEN;
    printf ("seed %" PRIu64 ": %" PRIu64 " jobs, %" PRIu64 " starts, %" PRIu64 " resizes, %" PRIu64 " terms, %" PRIu64
            " deaths in %.3f s, %" PRIu64 " events: all promises kept\n",
            plan->seed, result.jobs, result.starts, result.resizes, result.terms, result.deaths,
            (double)result.ended_us / 1e6, result.steps);
    return 0;
}

static int live_seed (void)
{
    static plan_t plan;
    plan_draw (&plan, (uint32_t)settings.masters, settings.orders, (uint64_t)settings.seed);
    if (!settings_keep (&plan))
        return RM_EXIT_USAGE;
    return live_one (&plan);
}

/* ---- many lives -------------------------------------------------------------------------------------------------- */

static unsigned processes (void)
{
    long cores = sysconf (_SC_NPROCESSORS_ONLN);
    return settings.jobs > 0 ? (unsigned)settings.jobs : cores > 0 ? (unsigned)cores : 1;
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
    printf ("ringsim --seed %" PRIu64 "%s --trace", plan->seed, settings_masters ());
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
    plan_draw (&plan, (uint32_t)settings.masters, settings.orders, sum->number);
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
    plan_draw (plan, (uint32_t)settings.masters, settings.orders, number);
}

static int live_many (void)
{
    const lives_t lives = {.from = (uint64_t)settings.from,
                           .count = (uint64_t)settings.runs,
                           .processes = processes (),
                           .plan = draw,
                           .what = "lives",
                           .number = "seed"};
    lives_result_t sum;
    if (!lives_run (&lives, &sum))
        return UNKNOWN;
    say_sum (&lives, &sum);
    if (!sum.violated)
        return sum.died ? UNKNOWN : 0;
    printf ("seed %" PRIu64 ", after %" PRIu64 " lives: ", sum.number, sum.number - lives.from + 1);
    say_violation (&sum.first);
    if (settings.until_failure)
        make_small (&sum);
    else
        printf ("ringsim --seed %" PRIu64 "%s --trace\n", sum.number, settings_masters ());
    return BROKEN;
}

/* ---- every death ------------------------------------------------------------------------------------------------- */

static void enumerate_plan (plan_t *plan, uint64_t number, const void *arg)
{
    plan_enumerate (plan, (uint32_t)settings.masters, *(const uint32_t *)arg, number);
}

/* All points of a process, one a life. The exit code. */
static int enumerate_process (const plan_t *plan, uint32_t who, uint64_t points, uint64_t *lived)
{
    char name[8];
    lives_result_t sum;
    plan_process_name (plan, who, name);
    const lives_t lives = {.from = 1,
                           .count = points,
                           .processes = processes (),
                           .plan = enumerate_plan,
                           .arg = &who,
                           .what = "deaths",
                           .number = "point"};
    if (!points || !lives_run (&lives, &sum))
        return UNKNOWN;
    *lived += sum.lived;
    printf ("%s: ", name);
    say_sum (&lives, &sum);
    if (!sum.violated)
        return sum.died ? UNKNOWN : 0;
    printf ("%s killed at point %" PRIu64 ": ", name, sum.number);
    say_violation (&sum.first);
    printf ("ringsim --enumerate%s --process %u --point %" PRIu64 " --trace\n", settings_masters (), who, sum.number);
    return BROKEN;
}

/* One death, if the process comes by such a point. */
static int enumerate_point (plan_t *plan, uint64_t points)
{
    char name[8];
    uint32_t who = (uint32_t)settings.who;
    plan_process_name (plan, who, name);
    if ((uint64_t)settings.point > points)
        return SETTINGS_REFUSE ("%s comes by %" PRIu64 " points, not by number %" PRId64, name, points, settings.point);
    plan_enumerate (plan, (uint32_t)settings.masters, who, (uint64_t)settings.point);
    return live_one (plan);
}

static int enumerate (void)
{
    static plan_t plan;
    sim_result_t undisturbed;
    plan_enumerate (&plan, (uint32_t)settings.masters, 0, 0);
    const uint32_t everyone = plan.master_count + plan.worker_count + plan.client_count;
    if (settings.who >= everyone)
        return SETTINGS_REFUSE ("--process is from 0 to %" PRIu32 ": there is no process %" PRId64, everyone - 1,
                                settings.who);
    sim_live (&plan, &undisturbed);
    if (undisturbed.violated) {
        say_violation (&undisturbed);
        return BROKEN;
    }
    if (settings.point >= 0)
        return enumerate_point (&plan, undisturbed.points[settings.who]);
    int bad = 0;
    uint64_t lived = 0;
    for (uint32_t who = 0; !bad && who < everyone; who++)
        if (settings.who < 0 || (uint32_t)settings.who == who)
            bad = enumerate_process (&plan, who, undisturbed.points[who], &lived);
    if (!bad)
        printf ("%" PRIu64 " deaths, each at a point of its own: all promises kept\n", lived);
    return bad;
}

int main (int argc, char **argv)
{
    int exit_code;
    /* A life's memory is the next one's: it does not go back to the system in between. */
    mallopt (M_TRIM_THRESHOLD, 1 << 30);
    mallopt (M_MMAP_THRESHOLD, 1 << 30);
    mallopt (M_TOP_PAD, 16 << 20);
    if (!settings_read (argc, argv, &exit_code))
        return exit_code;
    exit_code = settings.enumerate ? enumerate () : settings.seed >= 0 ? live_seed () : live_many ();
    if (is_kept (stdout))
        return exit_code;
    cannot_write ("the output");
    return exit_code ? exit_code : UNKNOWN;
}
