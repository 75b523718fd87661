/*  The masters that a peer knows: those it was given, and those that a master named since. One of them is in turn to be
 *  asked. Whoever was given any one of a group finds the rest, and goes on when that one is dead.
 *
 *  Invariants: no endpoint is there twice; what was given stays, what was learnt is replaced by what is learnt next;
 *  1 <= count <= RM_MASTERS_MAX.
 *  Thread rule: belongs to one thread. Pure. In-place struct.
 */
#pragma once

#include "proto/msg.h"

typedef struct {
    char **endpoints; /* owned; jobs endpoints: `given` that were given, then those learnt */
    uint32_t count, given;
    uint32_t at; /* the one in turn */
} rm_masters_t;

/* Copies the endpoints. 0, RM_EINVAL (none, too many, or one that is empty or too long), RM_ENOMEM. */
int rm_masters_init (rm_masters_t *self, const char *const *endpoints, uint32_t count);
void rm_masters_close (rm_masters_t *self);

/* The one in turn. Lives until the next call that changes the list. */
const char *rm_masters_current (const rm_masters_t *self);

/* It was of no use: the next one is in turn. */
void rm_masters_next (rm_masters_t *self);

/* A master named its group: these are known beside those given, and those learnt before are not any more, but for the one
 * in turn. What is no endpoint of ours is left out, and so is what there is no memory for. */
void rm_masters_learn (rm_masters_t *self, const rm_bytes_t *endpoints, uint32_t count);

/* A master named the one that leads: it is in turn, and known if it was not. False: that is no endpoint of ours,
 * or there is no room for it: then what is known is tried in turn. */
bool rm_masters_turn_to (rm_masters_t *self, rm_bytes_t endpoint);
