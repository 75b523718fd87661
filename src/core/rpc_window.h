/*  The deciding half of the pipelined RPC client: many calls under way at once, each known by its seq; which is to be
 *  sent (again), which has run out of time, and when another server is to be asked (core/line.h: which).
 *
 *                    next: SEND                        time, not answered
 *      add ──▶ due ─────────────▶ sent ──────────────────────────────────────▶ due again, after a time that grows
 *                                  │  reply (find, remove)      deadline, or too old: next: END
 *                                  ▼
 *                                 out
 *
 *  A call that goes unanswered is sent again to the same server, together with a question whether it is there; if by
 *  its next turn nothing at all was heard, the next server is asked (next: TURN) and all calls are sent to that one.
 *
 *  Invariants: calls lie in `calls` in the order of their seq; the floor is one below the first of them; each is in the
 *  heap.
 *  Thread rule: belongs to one thread at a time. Pure. Times are milliseconds of the caller's clock.
 */
#pragma once

#include "core/hash.h"
#include "core/heap.h"
#include "core/line.h"
#include "core/list.h"

/* One call; embedded in the caller's struct, which must be all zero before it is added. */
typedef struct {
    uint64_t seq;
    uint64_t deadline_ms; /* UINT64_MAX: none */
    uint64_t begun_ms, sent_ms;
    uint32_t sends;
    bool busy; /* the last that was heard of it */
    rm_heap_node_t due;
    rm_link_t link;
    UT_hash_handle hh;
} rm_rpc_sent_t;

typedef struct {
    rm_line_t line;
    rm_rpc_sent_t *by_seq;
    rm_link_t calls;
    rm_heap_t due;
    uint64_t seq; /* of the newest call */
    bool ask;     /* the server is to be asked whether it is there: the caller does, and clears it */
} rm_rpc_window_t;

typedef enum {
    RM_RPC_WINDOW_WAIT, /* nothing is due before rm_rpc_window_deadline */
    RM_RPC_WINDOW_SEND, /* send this call */
    RM_RPC_WINDOW_END,  /* this call ends with *error; it is out */
    RM_RPC_WINDOW_TURN  /* close the connection, open one to rm_masters_current (&line.masters) */
} rm_rpc_window_do_t;

/* As rm_line_init. In-place struct. */
int rm_rpc_window_init (rm_rpc_window_t *self, const char *const *servers, uint32_t count, uint64_t now_ms);
/* Calls left are the caller's. */
void rm_rpc_window_close (rm_rpc_window_t *self);

/* A new call, due at once: 0, with its seq, or RM_ENOMEM. */
int rm_rpc_window_add (rm_rpc_window_t *self, rm_rpc_sent_t *call, uint64_t deadline_ms, uint64_t now_ms);
/* The call of that number; NULL: it has ended, or never was. */
rm_rpc_sent_t *rm_rpc_window_find (rm_rpc_window_t *self, uint64_t seq);
void rm_rpc_window_remove (rm_rpc_window_t *self, rm_rpc_sent_t *call);
/* Every reply up to here has been received, or is not wanted any more. */
uint64_t rm_rpc_window_floor (const rm_rpc_window_t *self);

/* What is to be done next; to be asked until it is WAIT. `call` after SEND and END. */
rm_rpc_window_do_t rm_rpc_window_next (rm_rpc_window_t *self, uint64_t now_ms, uint64_t random, rm_rpc_sent_t **call,
                                       int *error);
/* It could not leave now. */
void rm_rpc_window_unsent (rm_rpc_window_t *self, rm_rpc_sent_t *call, uint64_t now_ms);
/* The server answered "busy". */
void rm_rpc_window_busy (rm_rpc_window_t *self, rm_rpc_sent_t *call, uint32_t retry_after_ms, rm_bytes_t text,
                         uint64_t now_ms, uint64_t random);
/* UINT64_MAX: there are no calls. */
uint64_t rm_rpc_window_deadline (const rm_rpc_window_t *self);
