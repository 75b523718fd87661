/*  The command line of ringsim: what may be said, and what goes with what.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include "net/options.h"
#include "plan.h"

/* What was said; of numbers, -1: nothing. */
typedef struct {
    int64_t masters; /* 1 if nothing was said */
    int64_t seed;    /* one life: */
    bool trace;
    const char *events, *faults, *items; /* NULL: nothing was said */
    int64_t runs, from, jobs;            /* many lives: */
    bool until_failure;
    bool enumerate; /* every death: */
    int64_t who, point;
    bool orders;
} settings_t;

extern settings_t settings;
extern const rm_program_t settings_program;

/* Refuses what only a look at the life can tell: a sentence, and the exit code. */
#define SETTINGS_REFUSE(...) rm_options_refuse (&settings_program, NULL, __VA_ARGS__)

/* Reads the command line. False: leave with *exit_code. */
bool settings_read (int argc, char **argv, int *exit_code);

/* Leaves in the plan of a life what --only-faults and --only-jobs say. False: they say what it does not have, which was
 * said, and the exit code is RM_EXIT_USAGE. */
bool settings_keep (plan_t *plan);

/* " --masters 3 --orders", as it stands in a command that does the same again; "" for one master without them. */
const char *settings_masters (void);
