/*  The masters that a peer knows: those it was given, and those that a master named since. One of them is in turn to be
 *  asked. Whoever was given any one of a group finds the rest, and goes on when that one is dead.
 *
 *  When a leader dies, the others go on naming it for as long as an election takes. So one that did not answer is not
 *  turned to on another one's word until that word must be younger than its death (RM_MASTERS_DOUBT_MS), and is asked in
 *  turn after all others for a while longer (RM_MASTERS_LAST_MS).
 *
 *  Invariants: no endpoint is there twice; what was given stays, what was learnt is replaced by what is learnt next;
 *  1 <= count <= RM_MASTERS_MAX.
 *  Thread rule: belongs to one thread. Pure. In-place struct. Times are milliseconds of the caller's clock.
 */
#pragma once

#include "proto/msg.h"

enum {
    RM_MASTERS_DOUBT_MS = 1000, /* an election has begun by then: followers wait for one to two times 400 ms */
    RM_MASTERS_LAST_MS = 5000
};

typedef struct {
    char *endpoint;    /* owned; of its jobs socket */
    uint64_t asked_ms; /* silent: when it was asked what it did not answer */
    bool silent;
} rm_known_master_t;

typedef struct {
    rm_known_master_t *all; /* owned: `given` that were given, then those learnt */
    uint32_t count, given;
    uint32_t at; /* the one in turn */
} rm_masters_t;

/* Copies the endpoints. 0, RM_EINVAL (none, too many, or one that is empty or too long), RM_ENOMEM. */
int rm_masters_init (rm_masters_t *self, const char *const *endpoints, uint32_t count);
void rm_masters_close (rm_masters_t *self);

/* The one in turn. Lives until the next call that changes the list. */
const char *rm_masters_current (const rm_masters_t *self);

/* It was of no use: the next one is in turn. Those that were silent of late come last, the one longest ago first of them. */
void rm_masters_next (rm_masters_t *self, uint64_t now_ms);

/* The one in turn did not answer what it was asked at `asked_ms`. It stays in turn. */
void rm_masters_silent (rm_masters_t *self, uint64_t asked_ms);

/* The one in turn answered. */
void rm_masters_heard (rm_masters_t *self);

/* A master named its group: these are known beside those given, and those learnt before are not any more, but for the one
 * in turn. What is no endpoint of ours is left out, and so is what there is no memory for. */
void rm_masters_learn (rm_masters_t *self, const rm_bytes_t *endpoints, uint32_t count);

/* A master named the one that leads: it is in turn, and known if it was not. False: that is no endpoint of ours, there is
 * no room for it, or it was silent just now: then what is known is tried in turn. */
bool rm_masters_turn_to (rm_masters_t *self, rm_bytes_t endpoint, uint64_t now_ms);
