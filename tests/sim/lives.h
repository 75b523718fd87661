/*  Many lives, in several processes: each is on its own, so that cores are used and a life that dies takes no other along.
 *
 *  Thread rule: one thread; forks.
 */
#pragma once

#include "sim.h"

/* Which lives: their numbers, and the plan that goes with a number. */
typedef struct {
    uint64_t from, count;
    unsigned processes;
    void (*plan) (plan_t *plan, uint64_t number, const void *arg);
    const void *arg;
    const char *what, *number; /* "lives" and "seed": what they and their numbers are called */
} lives_t;

/* What they came to, together. */
typedef struct {
    uint64_t lived;
    bool violated;
    uint64_t number;    /* the lowest one with a violation */
    sim_result_t first; /* and what it came to */
    bool died;          /* a process did, so that not all lives were lived */
    uint64_t jobs, starts, resizes, terms, deaths, steps;
    double seconds;
} lives_result_t;

/* Lives them all, or to the first violation. Of each process that died it says on stderr in which life. False: none could
 * be started, which was said. */
bool lives_run (const lives_t *self, lives_result_t *result);
