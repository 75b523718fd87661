/*  What the clients of the chaos ask for: the n-th job of a client is a function of the seed, the client and n, so that a
 *  successor asks for the same as the one that was killed.
 *
 *  Thread rule: any thread. Pure, but for the memory.
 */
#pragma once

#include "history.h"
#include "ringmaster/client.h"

enum {
    ORDER_KEY_BYTES = 32,
    ORDER_PAYLOAD_BYTES_MAX = 200000, /* of the large ones: many segments, so that connections break within a job */
};

typedef struct {
    const char *queue; /* "rec": recorders; "sh": commands of ringworkers */
    char key[ORDER_KEY_BYTES];
    bool keyed, at_most_once;
    unsigned tries, timeout_ms;
    unsigned may_end, may_die_of; /* as history_job_t */
    char *payload;                /* owned */
    size_t size;
} order_t;

void order_make (order_t *self, uint64_t seed, const char *client, uint64_t n);
void order_close (order_t *self);

/* A job's outcome, as the history wants it. */
history_outcome_t outcome_of (uint64_t id, const rm_result_t *result);
