/*  How far a map is, as a line for a terminal: --bar and --eta.
 *
 *  Thread rule: none of its own; pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t all, ended, failed; /* commands */
    uint64_t before;             /* of `ended`: by an earlier run, which say nothing about how fast this one is */
    uint64_t ran_ms;             /* since this run began */
} rm_map_progress_t;

/* Writes the line: "[####      ] 45% 450/1000, 3 failed, 12 s left", without the bar unless `bar`, with what is left only
 * once something of this run has ended. */
void rm_map_progress_write (const rm_map_progress_t *self, bool bar, char *text, size_t size);
