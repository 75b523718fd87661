/*  What comes out of a map: each command's output as a whole, in the order of the arguments if asked for, with a tag; or
 *  in files (results.h); and the log (outcome.h).
 *
 *  Thread rule: one thread. In-place struct.
 */
#pragma once

#include <stdio.h>

#include "ctl/map/plan.h"
#include "proto/shell.h"
#include "ringmaster/client.h"

typedef struct rm_map_kept rm_map_kept_t;

typedef struct {
    const rm_map_plan_t *plan; /* borrowed */
    const char *spill;         /* where large output is; borrowed */
    const char *results;       /* files instead of stdout; NULL: none; borrowed */
    bool keep_order, tag;
    FILE *log;            /* NULL: none; owned */
    rm_map_kept_t **kept; /* keep_order: what waits for its turn, by index; owned */
    size_t turn;          /* keep_order: the first one that was not printed */
} rm_map_output_t;

/* Opens the log, if `log` is not NULL, and writes its head and a line for each command of `ended`, which have ended before.
 * 0, RM_EINVAL (a sentence) or RM_ENOMEM. `self` has its plan and options. */
int rm_map_output_open (rm_map_output_t *self, const char *log, rm_map_job_t *const *ended, size_t count,
                        rm_fault_t *fault);
/* Prints what still waits for its turn. */
void rm_map_output_close (rm_map_output_t *self);

/* Prints or keeps what a command wrote, which `reply` says and `result` holds; takes the result over. NULL: nothing is
 * known of it. 0, or RM_EINVAL (a file cannot be written) with a sentence. */
int rm_map_output_take (rm_map_output_t *self, rm_map_job_t *job, const rm_shell_reply_t *reply, rm_result_t *result,
                        rm_fault_t *fault);
/* Adds the command's line to the log. */
int rm_map_output_log (rm_map_output_t *self, const rm_map_job_t *job, rm_fault_t *fault);

/* Forgets what a try wrote that does not count: the files of it. */
void rm_map_output_drop (const rm_map_output_t *self, const rm_shell_reply_t *reply);
