/*  What the files of the abstraction share.
 *
 *  Thread rule: as abstract.h.
 */
#pragma once

#include "abstract.h"
#include "core/entry.h"
#include "core/leader_inside.h"
#include "core/work_parts.h"
#include "names.h"

enum {
    ABSTRACT_MASTER = 0, /* the only one */
    ABSTRACT_SLOTS = 3,  /* as many as the replay is compiled for */
    ABSTRACT_JOBS = 30,  /* … */
    ABSTRACT_INCS = 30,  /* … */
    ABSTRACT_WORDS = 64, /* dispatches to one incarnation in one term */
    ABSTRACT_LANES = 256,
};

/* What was dispatched of it to one incarnation in one term: its number there is its place here. */
typedef struct {
    uint64_t term;
    int inc;
    uint64_t seqs[ABSTRACT_WORDS];
    int count;
} abstract_lane_t;

/* A worker's process as the model knows it. */
typedef struct {
    uint64_t inc; /* 0: none yet, or it is down */
    bool member, leased, late, stopped;
    uint32_t runs;        /* jobs */
    uint64_t term_before; /* of what is arriving: */
    uint64_t upto_before; /* … what the worker had */
} abstract_worker_t;

struct abstract {
    sim_t *sim;
    bool over; /* there was no room for what came */
    rm_state_t state;
    uint64_t index; /* batches told */
    uint32_t slots[ABSTRACT_SLOTS];
    int slot_count;
    uint64_t jobs[ABSTRACT_JOBS];
    int job_count;
    uint64_t incs[ABSTRACT_INCS]; /* number 1 is the first */
    int inc_count;
    abstract_lane_t lanes[ABSTRACT_LANES];
    int lane_count;
    abstract_worker_t workers[PLAN_WORKERS_MAX];
    bool leading;
    bool takes_over;          /* its barrier is applied, and it has not begun to lead: */
    rm_resize_state_t resize; /* as the model knows it */
    uint64_t proposed_epoch;
    char last_sync[128];
};

/* What a verdict is to the model. */
int abstract_verdict (uint32_t verdict);

/* Writes an event: a name of models/names.h and its numbers. */
void abstract_say (abstract_t *self, int event, const char *format, ...) __attribute__ ((format (printf, 3, 4)));

/* -1: it is not followed. */
int abstract_slot (const abstract_t *self, uint32_t slot);
int abstract_job (const abstract_t *self, uint64_t id);
/* 0: it is not known. */
int abstract_inc (const abstract_t *self, uint64_t inc);
uint32_t abstract_job_set (const abstract_t *self, const uint64_t *ids, uint32_t count);
uint32_t abstract_inc_set (const abstract_t *self, const uint64_t *incs, uint32_t count);

/* The number of a dispatch of a job that is followed; `sent`: it is noted if it is new, and `again` says whether it was not. */
int abstract_seq (abstract_t *self, uint64_t term, int inc, uint64_t seq, bool sent, bool *again);
/* How many of the dispatches up to there are followed. */
int abstract_upto (const abstract_t *self, uint64_t term, int inc, uint64_t upto);
