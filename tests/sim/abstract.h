/*  A life as the model of the resize sees it (models/EVENTS.md): events of workers, a few slots and their jobs, one a line,
 *  for models/replay to take one by one.
 *
 *  It is a projection: of the slots at most three are followed, none of them with an at-most-once job; of the jobs those in
 *  these slots. Incarnations and jobs are numbered in the order in which they appear, dispatches to an incarnation in a term
 *  in the order in which they were sent, each counting only what is followed; `upto` and `held` are translated. Where a life
 *  has more than the model has room for, its events end: what there is of them is a behaviour still.
 *
 *  What is told: everything that is applied to the ledger, entry by entry; every message between master and workers, when
 *  it is sent and when it is heeded; starts and ends of handlers; deaths. What changes in silence (the leader's mind, a lease)
 *  is found by looking, after each step and before each message.
 *
 *  Thread rule: one thread. Nothing is decided by it: a life is the same with and without.
 */
#pragma once

#include <stdio.h>

#include "sim.h"

typedef struct abstract abstract_t;

/* Where the events of lives go; NULL: nowhere, and abstract_new makes nothing. */
extern FILE *abstract_out;

/* NULL: nobody wants to know. All others take NULL, and do nothing. */
abstract_t *abstract_new (sim_t *sim);
void abstract_destroy (abstract_t **self_p);

/* Something has happened: what has changed in silence is found. */
void abstract_look (abstract_t *self);
/* An operator has asked for a worker to be taken out. */
void abstract_drained (abstract_t *self, rm_bytes_t worker);
/* A line of the leader's tracer. */
void abstract_trace (abstract_t *self, const char *line);

/* Batch number `index` of the log: each entry is told and applied to `state` (NULL: to nobody's, as it is read back from the
 * disk), one after the other. 0, or what rm_state_apply answers. */
int abstract_apply (abstract_t *self, rm_state_t *state, uint64_t index, rm_part_t batch);

void abstract_sent (abstract_t *self, const sim_packet_t *packet);
void abstract_arrives (abstract_t *self, const sim_packet_t *packet);
void abstract_arrived (abstract_t *self, const sim_packet_t *packet);
void abstract_starts (abstract_t *self, uint32_t who, const sim_run_t *run);
void abstract_ends (abstract_t *self, uint32_t who, const sim_run_t *run);
void abstract_dies (abstract_t *self, uint32_t who);
/* The master leads no longer, though it lives. */
void abstract_deposed (abstract_t *self);
