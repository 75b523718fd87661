/*  The environment of a command: the worker's own, the job's numbers and names (RM_JOB_ID, RM_KEY unless it has none,
 *  RM_TOKEN, RM_ATTEMPT, RM_QUEUE, RM_PROGRESS), and what the job's payload may bring.
 *
 *  Thread rule: belongs to one thread. In-place struct.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ringmaster/worker.h"

enum {
    RM_CHILD_NUMBERS = 4,      /* variables with a number */
    RM_CHILD_NUMBER_BYTES = 64 /* of each */
};

typedef struct {
    char **list; /* ends with NULL; owned, its texts are not */
    char *key;   /* owned */
    char *queue; /* owned */
    char numbers[RM_CHILD_NUMBERS][RM_CHILD_NUMBER_BYTES];
} rm_child_env_t;

/* `more` are `count` texts NAME=VALUE, in place of the worker's own of these names; they are borrowed. False: no memory. */
bool rm_child_env_init (rm_child_env_t *self, const rm_job_t *job, const char *const *more, size_t count);
void rm_child_env_close (rm_child_env_t *self);
