/*  Keys whose jobs flow through a cluster while something happens to it: each key has one short job at a time, due at an
 *  even pace; a few keys have long jobs, the next one always waiting behind the one that runs. Every job's end is kept,
 *  and so is what the master tells its workers of a resize, which says to the moment when it began, when it was over, and
 *  which slots moved.
 *
 *  Thread rule: one thread. Times are microseconds of the monotonic clock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/socket.h"
#include "ringmaster/stream.h"

typedef struct {
    char name[24];
    uint32_t slot;
    bool is_long;
    bool under_way;      /* a short one's job */
    uint64_t due_us;     /* when its next job is due, or was */
    uint64_t job_due_us; /* … and the one under way */
    uint64_t ended_us;   /* its newest job's end; 0: none yet */
} flow_key_t;

/* A job's end. */
typedef struct {
    uint64_t at_us;
    uint32_t key;
    uint32_t wait_us; /* of a short one: since it was due. Of a long one: since the one before it, beside its run */
} flow_end_t;

typedef struct {
    rm_stream_t *stream;
    rm_socket_t *sync; /* what workers are told; NULL: not listened to */
    flow_key_t *keys;  /* `count` short ones, then `long_count` others */
    uint32_t count, long_count, long_ms;
    uint64_t start_us, period_us; /* a short key is due this often; 0: as soon as its job has ended */
    uint64_t turn;                /* short keys' jobs that were due so far */
    flow_end_t *ends;
    size_t end_count, end_room;
    uint64_t begun_us, settled_us; /* of the newest resize since flow_forget; 0: not yet */
    bool moved[RM_SLOTS];          /* since then */
} flow_t;

/* `rate` jobs a second of all short keys together; 0: as many as there can be. */
void flow_open (flow_t *self, const char *masters, uint32_t keys, uint32_t rate, uint32_t long_keys, uint32_t long_ms);
/* Jobs that are under way are let go of. */
void flow_close (flow_t *self);

void flow_for (flow_t *self, uint64_t ms);
/* What a resize was seen to do is forgotten. */
void flow_forget (flow_t *self);
bool flow_has_moved (const flow_t *self, uint32_t key);
