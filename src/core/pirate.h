/*  The lazy pirate: the deciding half of the client (Lazy Pirate: the ZeroMQ guide, chapter 4; sessions: core/seqs.h).
 *
 *  One request at a time. Whoever owns the socket tells what happened (a request begins, a reply came, time went by) and
 *  does what the effects say: open a socket to an endpoint, send a frame, come back at a time, hand the end to the caller.
 *
 *            ┌────────────── reply that ends it, deadline, silence, tries ────────────────┐
 *            │                                                                            │
 *      ──▶ IDLE ── begin ──▶ ASKED ── busy, no leader known ──▶ PAUSED ── time ──▶ ASKED  │
 *                              │ ▲                                 └─────── deadline ─────┤
 *                              │ └── time (next master), not_leader (that one), running   │
 *                              └──────────────────────────────────────────────────────────┘
 *
 *  Invariants: a retry of a submit carries the same (session, seq) as long as the session lives; a submit is not sent
 *  again later than half the session's ttl after it was sent first; after an unanswered send the next one goes out on a
 *  fresh socket; each move is one of the table's.
 *  Thread rule: none of its own; pure. The clock is the caller's, monotonic, in milliseconds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/line.h"
#include "core/seqs.h"
#include "proto/buf.h"
#include "proto/msg.h"

#define RM_PIRATE_FOREVER RM_LINE_FOREVER

enum {
    RM_PIRATE_SILENCE_MS = 10000, /* a wait without end ends when no master answered for so long */
    RM_PIRATE_TEXT_BYTES = 1024
};

typedef enum {
    RM_PIRATE_IDLE,   /* no request */
    RM_PIRATE_ASKED,  /* sent, not answered yet */
    RM_PIRATE_PAUSED, /* answered "not now": sent again at `due_ms` */
    RM_PIRATE_STATES
} rm_pirate_state_t;

typedef enum { RM_PIRATE_BEGIN, RM_PIRATE_REPLY, RM_PIRATE_TIME } rm_pirate_event_type_t;

typedef struct {
    rm_pirate_event_type_t type;
    const rm_msg_t *msg;  /* begin: the request (hello, submit, wait for one id or for any of several, query, drain; to
                                    * an RPC server: rpc_hello, rpc_call),
                                    * what it points to must live until its end, and a submit's jobs are numbered there;
                                    * reply: what came; NULL: it cannot be read */
    uint64_t deadline_ms; /* begin: when it ends unanswered; RM_PIRATE_FOREVER */
    uint64_t silence_ms;  /* begin: ends it after so long without any answer; RM_PIRATE_FOREVER */
    const rm_session_id_t *spare; /* begin: random bits, in case a new session is needed */
} rm_pirate_event_t;

/* What to do, in the order of the members. */
typedef struct {
    bool close;            /* drop the socket; a reply of it must not be handed in any more */
    const char *open;      /* not NULL: open a socket to this endpoint; lives until the next step */
    bool send;             /* send `frame` */
    rm_bytes_t frame;      /* lives until the next step */
    bool ended;            /* the request is over */
    int error;             /* ended: 0 or RM_E…; then rm_pirate_text says it to a person */
    const rm_msg_t *reply; /* ended with 0: the reply that ended it (the event's) */
    const rm_msg_t
        *told;         /* not ended: a result (the event's) that tells more than the one before of what is followed */
    uint64_t until_ms; /* not ended: hand in a time event then, at the latest */
} rm_pirate_effects_t;

typedef struct {
    rm_line_t line;
    rm_seqs_t seqs;
    rm_pirate_state_t state;
    /* the request under way */
    rm_msg_t request;      /* strings and arrays are the caller's */
    rm_session_id_t spare; /* for a new session */
    bool renewed;          /* it has been moved to a new session already */
    uint64_t begun_ms;
    uint64_t deadline_ms;            /* what the caller said */
    uint64_t give_up_ms;             /* when to stop listening: the deadline, but one per-try timeout at least */
    uint64_t silence_ms;             /* what the caller said */
    bool heard;                      /* a master answered with more than "not me" */
    bool answered;                   /* the last send was answered, so its socket is free to send again */
    bool busy;                       /* … with "busy" */
    bool glances;                    /* the try under way is a short one, since others were not asked yet */
    uint64_t sent_ms;                /* when it was sent last */
    uint64_t due_ms;                 /* when to send (again) */
    uint32_t sends;                  /* sends since it last got on */
    rm_buf_t frame;                  /* what was sent last */
    char text[RM_PIRATE_TEXT_BYTES]; /* the error as a sentence */
} rm_pirate_t;

/* A client of the masters at `masters` (copied). 0, RM_EINVAL (none, too many, or an endpoint that is empty or too
 * long), RM_ENOMEM. `session` is 128 random bits. */
int rm_pirate_init (rm_pirate_t *self, const char *const *masters, uint32_t count, const rm_session_id_t *session,
                    uint64_t now_ms);
void rm_pirate_close (rm_pirate_t *self);

/* Takes the growth of the per-try timeout, and how many sends in a row may bring a request no further before it fails;
 * what it says of jitter is not looked at. 0, or RM_EINVAL with `*why` as rm_backoff_check. Only while idle. */
int rm_pirate_configure (rm_pirate_t *self, const rm_backoff_t *policy, const char **why);

/* One step. `random` is 64 fresh random bits. Begin only while idle, the others at any time. */
void rm_pirate_step (rm_pirate_t *self, const rm_pirate_event_t *event, uint64_t now_ms, uint64_t random,
                     rm_pirate_effects_t *effects);

/* How the last request failed, as a sentence without a full stop; "" if it did not. */
const char *rm_pirate_text (const rm_pirate_t *self);
