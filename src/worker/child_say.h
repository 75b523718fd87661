/*  What a command says of itself while it runs, a line at a time, in the file that $RM_PROGRESS names the descriptor of:
 *
 *      420 page 5 of 12        it is at 420 permille; what follows is the note
 *      +page 5                 a partial result, with its newline
 *
 *  What is not so is passed over: a command that says nonsense is not to fail for it.
 *  Thread rule: the handler's thread. In-place struct, all zero at first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/limits.h"
#include "ringmaster/worker.h"

enum { RM_CHILD_SAY_FD = 3 }; /* in the command; what $RM_PROGRESS says */

typedef struct {
    char line[4096]; /* what has come of it; what does not fit in is cut off */
    size_t size;
} rm_child_say_t;

/* A piece of what it wrote. */
void rm_child_say (rm_child_say_t *self, rm_job_t *job, const char *piece, size_t size);
