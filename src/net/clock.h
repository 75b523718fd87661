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
