/*  A load: one thread submits jobs, one waits for them, until told to stop; both go through whatever happens to the
 *  master. The waiting one asks for every second job of a key before the one in front of it, to see that nobody is told
 *  of a younger outcome while an older one is missing.
 *
 *  Thread rule: the test's main thread. What fails in the load's threads ends the test there and then.
 */
#pragma once

#include "cluster.h"

enum { LOAD_BYTES_MAX = 4000 };

/* Numbers of 0 mean: none, or no limit. */
typedef struct {
    const char *name;     /* in front of its keys: loads of different names share none */
    unsigned keys;        /* so many keys take turns */
    unsigned ms;          /* that a job works */
    unsigned long_every;  /* each so-manieth job works for … */
    unsigned long_ms;     /* … this long instead */
    unsigned plain_every; /* each so-manieth job has no key */
    unsigned fail_every;  /* … fails: by turns in its first attempt only, and for good */
    unsigned once_every;  /* … is at-most-once, unless it fails */
    unsigned more_every;  /* … has options: a delay, a deadline, a priority, a name, spaced attempts */
    unsigned bytes;       /* its payload is filled up to so many (no more than LOAD_BYTES_MAX) */
    unsigned window;      /* submitted and not ended, at most (64) */
    unsigned limit;       /* jobs in all */
} load_plan_t;

typedef struct load load_t;

load_t *load_start (cluster_t *cluster, const load_plan_t *plan);
/* How many of its jobs have been accepted, and have ended. */
unsigned load_accepted (const load_t *self);
unsigned load_ended (const load_t *self);
/* Submits no more, waits until all have ended; fails the test if one does not. */
void load_stop (load_t **self_p);
