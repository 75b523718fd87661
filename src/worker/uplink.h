/*  A worker's way to a master: asks the masters in turn who leads (`hello`, on the jobs endpoint), then holds a DEALER and
 *  a SUB to the endpoints it was told.
 *
 *           due: connect, hello                 welcome
 *      idle ────────────────────▶ asking ─────────────────────▶ linked ── drop ──▶ idle
 *        ▲                          │
 *        └── no answer, refused ────┘   each time later, with jitter (core/backoff.h); a redirect is followed at once
 *
 *  Sockets are never used again once a master was silent: what may be stuck in them is closed with them.
 *  Thread rule: the loop's thread. In-place struct.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/masters.h"
#include "net/poll.h"
#include "net/socket.h"

typedef struct {
    rm_masters_t masters; /* the one in turn is next */
    const char *name;     /* of the worker, for the master's log; borrowed */
    bool loopback_only;   /* masters that others than this machine can reach are no use; set once it is made */
    unsigned redirects;   /* in a row: two that point at each other are no leader */
    rm_endpoint_t asked;  /* who is, or was last */
    uint64_t asked_ms;    /* … and when */
    rm_socket_t *hello;   /* REQ, while asking */
    rm_socket_t *work;    /* DEALER, while linked */
    rm_socket_t *sync;    /* SUB, while linked */
    uint64_t due_ms;      /* idle: the next try; asking: gives up */
    unsigned failures;    /* in a row */
    uint32_t delay_ms;    /* what the last one made it wait */
    const char *trouble;  /* what the last one was, for the log; static memory */
} rm_uplink_t;

/* Idle, and due at once. 0, or RM_ENOMEM. */
int rm_uplink_init (rm_uplink_t *self, const rm_endpoint_t *masters, unsigned count, const char *name, uint64_t now_ms);
/* Closes its sockets, and forgets the masters. */
void rm_uplink_close (rm_uplink_t *self);

/* What is linked is given up; the next master is asked. */
void rm_uplink_drop (rm_uplink_t *self, uint64_t now_ms);

/* Goes on as far as it can now. True: it has just become linked. */
bool rm_uplink_step (rm_uplink_t *self, uint64_t now_ms);

/* When rm_uplink_step is due if no message comes before; UINT64_MAX: never. */
uint64_t rm_uplink_deadline (const rm_uplink_t *self);

enum { RM_LINK_POLLS = 2 };

/* Fills RM_LINK_POLLS items with what to wait on. */
void rm_uplink_poll (const rm_uplink_t *self, rm_poll_t *items);
