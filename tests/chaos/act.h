/*  Doing what the plan says, and undoing it when its time is over.
 *
 *  Thread rule: the main thread.
 */
#pragma once

#include "stage.h"

enum { ACT_ACTIVE_MAX = 64, ACT_TEXT_BYTES = 200 };

/* What was done, for the summary. */
typedef struct {
    unsigned steps[STEPS];
    unsigned master_kills, worker_kills, client_kills;
    unsigned idle;    /* steps that found nobody to hit */
    uint64_t packets; /* that were lost or answered with a reset on the way */
} act_counts_t;

typedef struct {
    step_t step;
    uint64_t end_us; /* 0: the place is free */
    unsigned harms[6 * CAST_MAX];
    unsigned harm_count;
} active_t;

typedef struct {
    stage_t *stage;
    active_t active[ACT_ACTIVE_MAX];
    act_counts_t counts;
    process_t *ringctl; /* the newest drain; NULL: none */
} act_t;

void act_open (act_t *self, stage_t *stage);
/* Begins a step. */
void act_begin (act_t *self, const step_t *step);
/* Ends those whose time is over. */
void act_tick (act_t *self);
/* Ends all, lets everyone go on, disarms fail points. */
void act_end_all (act_t *self);
/* What is going on now, in a few words. */
void act_describe (const act_t *self, char *text, size_t size);
/* A step in words: "12.345 kill w2, for 640 ms". */
void act_tell (const stage_t *stage, const step_t *step, char *text, size_t size);
