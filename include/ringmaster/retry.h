/*  Trying again, with waits that grow: around any function, and (ringmaster/rpc.h) around a function of an RPC server.
 *
 *      static int fetch (void *arg) { return download (arg) ? 0 : 1; }
 *      rm_retry_t policy = {.tries = 4, .delay_ms = 3000, .backoff = 2};
 *      int error = rm_retry (&policy, fetch, "here");
 *
 *  A wait is delay × backoff^(failures - 1), at most the cap, spread by the jitter.
 *  Thread rule: any thread; a policy is only read, and may be shared. rm_retry sleeps in the thread that called it.
 */
#pragma once

#include <stdint.h>

#include <ringmaster/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A failure that is followed by another attempt. */
typedef struct {
    int64_t failures; /* so far, from 1 */
    int error;        /* what the function answered */
    const char *text; /* what it said; "" if it said nothing */
    int64_t wait_ms;  /* how long is waited now */
} rm_retry_wait_t;

typedef void rm_retry_notice_fn (const rm_retry_wait_t *wait, void *arg);

#define RM_RETRY_ENDLESS INT64_MAX /* as tries */

/* Numbers are signed, so that a wrong one can be held and refused. */
typedef struct {
    int64_t tries;              /* attempts in all; there is always a first one, so 0 is as 1 */
    int64_t delay_ms;           /* the first wait; above 0 */
    double backoff;             /* by which waits grow; above 1, at most 1000 */
    int64_t cap_ms;             /* the longest wait, at most one day; 0: no other than that */
    const char *jitter;         /* "none", "full", "equal", "decorrelated", "turns"; NULL: none */
    rm_retry_notice_fn *notice; /* told before each wait; NULL: nobody is */
    void *arg;                  /* for `notice` */
} rm_retry_t;

/* 0, or RM_EINVAL; `*why` (unless `why` is NULL) is then a sentence in static memory, without a full stop. */
RM_EXPORT int rm_retry_check (const rm_retry_t *policy, const char **why);

/* What is to be tried: 0 is success, anything else a failure. */
typedef int rm_retry_fn (void *arg);

/* Calls `fn` until it answers 0 or the tries are used up: 0, or what it answered last. A policy that rm_retry_check
 * refuses: RM_EINVAL, and `fn` was not called. */
RM_EXPORT int rm_retry (const rm_retry_t *policy, rm_retry_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif
