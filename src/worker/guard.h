/*  The guard: a small process beside a worker that outlives it by a moment, to kill what the worker's commands have left.
 *
 *  Each command runs in a process group of its own and registers it here, over a pipe, before it executes. A worker that
 *  dies in whatever way, SIGKILL included, closes the pipe; the guard then kills every group that is still registered,
 *  and ends. Records of a pipe come in order, so that a group is never killed after it was struck off.
 *
 *  Thread rule: rm_guard_add and rm_guard_remove from any thread and, since they do nothing but write, from a child
 *  between fork and exec.
 */
#pragma once

#include <sys/types.h>

#include "net/fault.h"

/* In-place struct. */
typedef struct {
    int fd; /* the pipe; -1: no guard */
    pid_t pid;
} rm_guard_t;

/* Starts the process. 0, or RM_EIO with a sentence. */
int rm_guard_start (rm_guard_t *self, rm_fault_t *fault);
/* Lets it kill what is registered and end. */
void rm_guard_stop (rm_guard_t *self);

/* Registers a process group, and strikes it off once nothing of it is left. */
void rm_guard_add (const rm_guard_t *self, pid_t group);
void rm_guard_remove (const rm_guard_t *self, pid_t group);
