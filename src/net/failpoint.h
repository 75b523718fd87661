/*  Fail points: named places of a program where a test can kill it, stop it or slow it down, at exactly that moment.
 *
 *      RM_FAILPOINTS=sync.phase2.sent=kill@3,done.before_send=delay:200
 *
 *  Each setting is NAME=kill, NAME=stop or NAME=delay:MS, with @COUNT only at the COUNT-th time the place is passed.
 *  kill is SIGKILL, stop is SIGSTOP, both to the whole process. Before it acts, a line `event=failpoint name=… action=…`
 *  is logged, whatever the log's level, so that a test can wait for it.
 *  Thread rule: the table once, before there are threads; rm_failpoint from any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "net/fault.h"

/* True once something is set: all that a fail point costs otherwise is to look at it. */
extern bool rm_failpoints_armed;

/* Declares every name the program has, an array that ends in NULL and lives on, and reads RM_FAILPOINTS.
 * 0, or RM_EINVAL with a sentence: an unknown name, a setting that is none. */
int rm_failpoint_table (const char *const *names, rm_fault_t *fault);

/* Prints the names, one a line. */
void rm_failpoint_list (FILE *out);

/* What rm_failpoint does once something is set; the name must be in the table. */
void rm_failpoint_hit (const char *name);

/* The place called `name`. */
static inline void rm_failpoint (const char *name)
{
    if (__builtin_expect (rm_failpoints_armed, 0))
        rm_failpoint_hit (name);
}
