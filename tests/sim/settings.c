#include "settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

settings_t settings = {.masters = 1, .seed = -1, .runs = -1, .from = -1, .jobs = -1, .who = -1, .point = -1};

static const rm_option_t options[] = {
    RM_NUMBER ('m', "masters", "M", 1, PLAN_MASTERS_MAX, "so many masters (1)", &settings.masters),
    RM_FLAG (0, "orders",
             "people order too: jobs have delays, deadlines and priorities,\nare cancelled, buried, kicked, and queues "
             "paused",
             &settings.orders),
    RM_SECTION ("one life"),
    RM_NUMBER (0, "seed", "N", 0, INT64_MAX, "live the life of this seed", &settings.seed),
    RM_FLAG (0, "trace", "tell it as a story, a line an event", &settings.trace),
    RM_TEXT (0, "events", "FILE", "write what happens to one master as models/replay reads it", &settings.events),
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
    RM_NUMBER (0, "process", "P", 0, INT64_MAX, "only this process: first the masters, then the workers, the client",
               &settings.who),
    RM_NUMBER (0, "point", "N", 1, INT64_MAX, "only at this point of it, as a story with --trace", &settings.point),
    RM_OPTIONS_END,
};

const rm_program_t settings_program = {
    .self = {.name = "ringsim",
             .about =
                 "Lives of a simulated cluster: the real core and protocol code of masters, workers and clients in\n"
                 "one thread, over a network, clocks and a disk that fail as a seed says. Whatever is promised is\n"
                 "checked all along. The same seed does the same thing to the byte. Exit code 1: a promise is broken;\n"
                 "2: the command line is; 3: it could not be found out, or not be written.",
             .options = options,
             .examples = "  ringsim --runs 10000                      ten thousand lives, one process a core\n"
                         "  ringsim --runs 100000 --until-failure     … and makes the first failure small\n"
                         "  ringsim --runs 10000 --masters 3          … of clusters with three masters\n"
                         "  ringsim --seed 17 --trace | less          what happens in one of them\n"
                         "  ringsim --enumerate                       every death at every send and commit"},
    .version = RM_VERSION,
};

const char *settings_masters (void)
{
    static char text[32];
    *text = 0;
    if (settings.masters > 1)
        snprintf (text, sizeof text, " --masters %d", (int)settings.masters);
    if (settings.orders)
        strcat (text, " --orders");
    return text;
}

/* ---- what goes with what ----------------------------------------------------------------------------------------- */

static bool is_said (const char *argument, const rm_option_t *option)
{
    size_t length = strlen (option->name);
    if (argument[0] != '-')
        return false;
    if (argument[1] != '-')
        return option->letter && argument[1] == option->letter;
    return !strncmp (argument + 2, option->name, length) && (!argument[2 + length] || argument[2 + length] == '=');
}

/* The first option that is said more than once; NULL: none is. */
static const char *said_twice (int argc, char **argv)
{
    for (const rm_option_t *option = options; option->name; option++) {
        int times = 0;
        for (int i = 1; option->kind != RM_OPTION_SECTION && i < argc; i++)
            times += is_said (argv[i], option);
        if (times > 1)
            return option->name;
    }
    return NULL;
}

/* What was said and does not go with the rest, and what it goes with; NULL: all goes together. */
static const char *misplaced (const char **with)
{
    const bool one = settings.seed >= 0, many = settings.runs >= 0, death = settings.enumerate && settings.point >= 0;
    const struct {
        const char *name;
        bool said, fits;
        const char *with;
    } rules[] = {
        {"orders", settings.orders, !settings.enumerate && !settings.events, "--seed or --runs, without --events"},
        {"trace", settings.trace, one || death, "--seed, or --enumerate with --point"},
        {"events", settings.events, one || death, "--seed, or --enumerate with --point"},
        {"only-faults", settings.faults, one, "--seed"},
        {"only-jobs", settings.items, one, "--seed"},
        {"from", settings.from >= 0, many, "--runs"},
        {"jobs", settings.jobs >= 0, many || (settings.enumerate && !death), "--runs, or --enumerate without --point"},
        {"until-failure", settings.until_failure, many, "--runs"},
        {"process", settings.who >= 0, settings.enumerate, "--enumerate"},
        {"point", settings.point >= 0, settings.enumerate && settings.who >= 0, "--enumerate with --process"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].said && !rules[i].fits) {
            *with = rules[i].with;
            return rules[i].name;
        }
    return NULL;
}

bool settings_read (int argc, char **argv, int *exit_code)
{
    rm_parsed_t parsed;
    if (!rm_options_parse (&parsed, &settings_program, argc, argv, exit_code))
        return false;
    const char *with = NULL, *twice = said_twice (argc, argv), *name = misplaced (&with);
    int64_t first = settings.from >= 0 ? settings.from : 1;
    *exit_code = 0;
    if (twice)
        *exit_code = SETTINGS_REFUSE ("--%s is said more than once", twice);
    else if ((settings.seed >= 0) + (settings.runs >= 0) + settings.enumerate != 1)
        *exit_code = SETTINGS_REFUSE ("say one of --seed, --runs and --enumerate");
    else if (name)
        *exit_code = SETTINGS_REFUSE ("--%s goes with %s", name, with);
    else if (settings.events && settings.masters > 1)
        *exit_code = SETTINGS_REFUSE ("--events is for one master, as the model is");
    else if (settings.runs > 0 && settings.runs - 1 > INT64_MAX - first)
        *exit_code = SETTINGS_REFUSE ("%" PRId64 " lives from seed %" PRId64 " on go beyond the last seed, %" PRId64,
                                      settings.runs, first, INT64_MAX);
    settings.from = first;
    return !*exit_code;
}

/* ---- what a life has --------------------------------------------------------------------------------------------- */

/* "3,7" or "none", each below `end`; false: it is no list of such numbers. */
static bool read_list (const char *text, uint32_t end, uint32_t *numbers, uint32_t *count)
{
    *count = 0;
    if (!strcmp (text, "none"))
        return true;
    for (char *rest;; text = rest + 1) {
        unsigned long number = strtoul (text, &rest, 10);
        if (rest == text || (*rest && *rest != ',') || number >= end || *count == PLAN_ITEMS_MAX)
            return false;
        numbers[(*count)++] = (uint32_t)number;
        if (!*rest)
            return true;
    }
}

static bool keep (plan_t *plan, const char *option, const char *text, uint32_t has,
                  void (*only) (plan_t *plan, const uint32_t *indices, uint32_t count))
{
    uint32_t list[PLAN_ITEMS_MAX], count;
    if (text && !read_list (text, has, list, &count)) {
        SETTINGS_REFUSE ("--only-%s takes numbers with commas, or none, not '%s': this life has %" PRIu32 ", from 0 on",
                         option, text, has);
        return false;
    }
    if (text)
        only (plan, list, count);
    return true;
}

bool settings_keep (plan_t *plan)
{
    return keep (plan, "faults", settings.faults, plan->fault_count, plan_keep_faults) &&
           keep (plan, "jobs", settings.items, plan->item_count, plan_keep_items);
}
