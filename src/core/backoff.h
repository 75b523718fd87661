/*  When to try again, and whether: a policy of growing delays with jitter, and a budget that bounds how many retries a
 *  caller adds to the traffic. One module for the client, a worker's reconnects, retries of jobs and the RPC library.
 *
 *  All arithmetic is on integers, so that every machine computes the same delay from the same bits.
 *  Thread rule: a policy may be shared, it is only read; a budget belongs to one thread. Pure: random bits and time are
 *  arguments.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"

/* How a delay is spread, so that those who failed together do not come back together. `grown` is
 * delay × factor^(failures - 1), at most the cap. (Brooker, "Exponential Backoff and Jitter", AWS 2015, but for turns.) */
typedef enum {
    RM_JITTER_NONE,         /* grown */
    RM_JITTER_FULL,         /* 0 … grown */
    RM_JITTER_EQUAL,        /* grown / 2 … grown */
    RM_JITTER_DECORRELATED, /* delay … 3 × the delay before, at most the cap; the factor plays no part */
    RM_JITTER_TURNS, /* after the n-th failure 1 … 2^n whole delays, as many as the cap has room for; no factor */
    RM_JITTERS
} rm_jitter_t;

/* Signed, so that a value that is not allowed can be held and refused. */
typedef struct {
    int64_t tries;           /* attempts in all; 0: no end */
    int64_t delay_ms;        /* the first delay, or one turn; above 0 */
    int64_t factor_permille; /* how it grows: 2000 doubles it; above 1000 */
    int64_t cap_ms;          /* the longest delay; delay_ms … RM_BACKOFF_MS_MAX */
    rm_jitter_t jitter;
} rm_backoff_t;

/* 0, or RM_EINVAL; `*why` is then a sentence in static memory without a full stop (`why` may be NULL). */
int rm_backoff_check (const rm_backoff_t *policy, const char **why);

/* "none", "full", "equal", "decorrelated" or "turns": 0; anything else: RM_EINVAL. */
int rm_jitter_parse (const char *name, rm_jitter_t *jitter);
/* The same the other way. */
const char *rm_jitter_name (rm_jitter_t jitter);

/* True if there is no attempt left after so many failures. */
bool rm_backoff_gives_up (const rm_backoff_t *policy, uint64_t failures);

/* How many milliseconds to wait after the n-th failure in a row (from 1). `previous_ms` is what this answered after the
 * failure before (0: there was none), `random` 64 random bits. The policy must have passed rm_backoff_check. */
uint32_t rm_backoff_next (const rm_backoff_t *policy, uint64_t failure, uint32_t previous_ms, uint64_t random);

/* A token bucket. A retry costs one token; a success brings a fraction of one, so that retries are a bounded part of the
 * traffic that gets through; a few tokens a second come for nothing, so that one who is idle can find out that the other
 * side is back. Backoff alone spreads retries over time, but does not bound how many there are.
 *
 * Invariant: in any span of time, retries <= tokens_max + successes × ratio + seconds × floor_per_s. */
typedef struct {
    uint32_t ratio_permille; /* what a success brings, in thousandths of a token */
    uint32_t floor_per_s;    /* tokens a second that come for nothing */
    uint64_t full;           /* thousandths of a token that fit */
    uint64_t balance;        /* thousandths of a token that are there */
    uint64_t filled_ms;      /* when the floor was last added */
} rm_retry_budget_t;

/* A full budget. Unless there are reasons: RM_RETRY_RATIO_PERMILLE, RM_RETRY_FLOOR_PER_S, RM_RETRY_TOKENS_MAX. */
void rm_retry_budget_init (rm_retry_budget_t *self, uint32_t ratio_permille, uint32_t floor_per_s, uint32_t tokens_max,
                           uint64_t now_ms);

/* A request, first or retried, has succeeded. */
void rm_retry_budget_success (rm_retry_budget_t *self);

/* Pays for one retry. False: there is no token, do not retry now. A clock that goes back adds nothing. */
bool rm_retry_budget_take (rm_retry_budget_t *self, uint64_t now_ms);
