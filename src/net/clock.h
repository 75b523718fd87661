/*  The clocks. Everything that measures a time span uses the monotonic one; the wall clock is for people and for the
 *  time that the leader stamps into the ledger.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include <stdint.h>

/* Since some fixed moment (CLOCK_MONOTONIC); never goes back, does not count while the machine sleeps. */
uint64_t rm_clock_ms (void);
uint64_t rm_clock_us (void);

/* Since 1970-01-01 UTC; may jump when someone sets the clock. */
uint64_t rm_clock_wall_ms (void);

/* A wall clock for one process: it is read once and then goes on as the monotonic clock does, so that setting the
 * machine's clock neither holds up what waits for its time nor makes what is kept for a while old at once. */
typedef struct {
    uint64_t mono_ms; /* at this moment … */
    uint64_t wall_ms; /* … it was this late */
} rm_clock_steady_t;

/* The time at `mono_ms`, which is not before the moment it was begun. */
uint64_t rm_clock_steady_ms (const rm_clock_steady_t *self, uint64_t mono_ms);

/* Puts it forward to `wall_ms` unless it is that late already: what was written down then lies in nobody's future. */
void rm_clock_steady_reach (rm_clock_steady_t *self, uint64_t mono_ms, uint64_t wall_ms);
