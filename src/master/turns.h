/*  How long the loop's turns are: what one client's request may have to wait for, whatever it asks.
 *
 *  A turn's time is what the loop did between two looks, without what it slept. The longest is remembered for half a minute
 *  to a minute.
 *  Thread rule: the loop's thread.
 */
#pragma once

#include <stdint.h>
#include <uv.h>

typedef struct {
    uint64_t looked_ns, idle_ns; /* at the last look */
    uint64_t since_ns;           /* when `longest_us` was begun */
    uint64_t longest_us, before_us;
} rm_turns_t;

/* Before the loop runs: has it note for how long it sleeps. */
void rm_turns_init (rm_turns_t *self, uv_loop_t *loop);

/* Once a turn, always at the same place. */
void rm_turns_look (rm_turns_t *self, uv_loop_t *loop);

/* The longest one, microseconds. */
uint64_t rm_turns_longest_us (const rm_turns_t *self);
