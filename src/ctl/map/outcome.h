/*  How a command of a map ended, and the line that GNU parallel's job log has for it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"

enum {
    RM_MAP_EXIT_TIMED_OUT = -1, /* as parallel's log has it */
    RM_MAP_EXIT_LOST = 255,     /* it could not be run, or nobody knows how it ended */
    RM_MAP_HOST_BYTES = 128
};

typedef struct {
    int exit; /* its status */
    int signal;
    uint64_t start_ms; /* Unix time */
    uint64_t ran_ms;
    uint64_t received; /* bytes of its stdout */
    char host[RM_MAP_HOST_BYTES + 1];
} rm_map_outcome_t;

bool rm_map_failed (const rm_map_outcome_t *self);

/* The log's first line. */
extern const char rm_map_log_head[];

/* Appends a line of the log, of the job of that number. */
void rm_map_log_line (const rm_map_outcome_t *self, uint64_t number, const char *command, rm_buf_t *to);

/* The exit code of a run of which so many failed: as parallel's, but that ringctl's own codes 2, 3 and 4 keep their meaning,
 * so that up to four failures are 1. */
int rm_map_exit_code (uint64_t failures);
