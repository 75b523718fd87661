/*  At-most-once: which calls were begun, and what came of them. A call is known by its session and its seq (its xid);
 *  one that comes again is not run again.
 *
 *            begin: NEW                  end
 *      ───▶ PENDING (it runs now) ─────────────▶ DONE (its reply is kept) ───▶ discarded
 *              │     a second one waits with it        a second one gets the reply
 *              └── forget: it was not run ──▶ as if it had never come
 *
 *  A reply is kept until one of three things happens (6.824 lecture 2, "When is discard safe?"):
 *    - the client says that it has all replies up to a floor: those are discarded, and whatever is at or below it is
 *      refused as stale from then on;
 *    - the client says that it has one call under way at a time: a call discards all before it (a floor of seq - 1);
 *    - it is older than `keep_ms`, which is longer than any client sends a call again.
 *
 *  A session of which nothing is left is forgotten, floor and all, `keep_ms` after it was last heard of.
 *
 *  Invariants: no entry is at or below its session's floor, unless it is pending; done entries lie in `aging` in the
 *  order of done_ms, sessions in `heard` in the order of heard_ms; `bytes` is the sum of the kept replies.
 *  Thread rule: belongs to one thread. Pure. Times are milliseconds of the caller's clock, which does not go back.
 */
#pragma once

#include <stdbool.h>

#include "core/hash.h"
#include "core/list.h"
#include "proto/msg.h"

typedef struct rm_rpc_session rm_rpc_session_t;

typedef struct {
    rm_rpc_session_t *session;
    uint64_t seq;
    uint64_t hash; /* of the function's name and the arguments, to tell a conflict */
    bool done;     /* else it is pending */
    uint64_t done_ms;
    uint8_t *reply; /* done: owned; a whole frame */
    uint32_t reply_size;
    void *running;   /* pending: the owner's */
    rm_link_t aging; /* in the table's list, once done */
    UT_hash_handle hh;
} rm_rpc_entry_t;

struct rm_rpc_session {
    rm_session_id_t id;
    uint64_t floor;
    uint64_t heard_ms;
    rm_rpc_entry_t *entries; /* by seq */
    rm_link_t heard;
    UT_hash_handle hh;
};

typedef struct {
    rm_rpc_session_t *sessions;
    rm_link_t aging, heard; /* the oldest first */
    uint64_t keep_ms, bytes_max;
    uint64_t bytes; /* of kept replies */
} rm_rpc_table_t;

typedef enum {
    RM_RPC_NEW,      /* to be run: it is pending from now on */
    RM_RPC_PENDING,  /* it is being run: whoever asks now gets the reply too */
    RM_RPC_DONE,     /* the entry's reply is the answer */
    RM_RPC_STALE,    /* at or below the floor: not run */
    RM_RPC_CONFLICT, /* another call had this seq: not run */
    RM_RPC_FULL,     /* too many replies are kept: not run */
    RM_RPC_NO_MEMORY /* not run */
} rm_rpc_found_t;

/* In-place struct. */
void rm_rpc_table_init (rm_rpc_table_t *self, uint64_t keep_ms, uint64_t bytes_max);
void rm_rpc_table_close (rm_rpc_table_t *self);

/* A call came. `hash` is of what is called. After NEW, PENDING and DONE `entry` is its entry, NULL otherwise; `*raised`
 * says whether the session's floor rose. */
rm_rpc_found_t rm_rpc_table_begin (rm_rpc_table_t *self, const rm_msg_rpc_call_t *call, uint64_t hash, uint64_t now_ms,
                                   rm_rpc_entry_t **entry, bool *raised);
/* A pending call has ended; takes the reply over. It is discarded at once if the floor has passed it: true if it is
 * kept. */
bool rm_rpc_table_end (rm_rpc_table_t *self, rm_rpc_entry_t *entry, uint8_t *reply, uint32_t size, uint64_t now_ms);
/* A pending call was not run, and may come again. */
void rm_rpc_table_forget (rm_rpc_table_t *self, rm_rpc_entry_t *entry);

/* Discards what is too old. When to come back: the next time that something is, or UINT64_MAX. */
uint64_t rm_rpc_table_sweep (rm_rpc_table_t *self, uint64_t now_ms);

/* What was known before a restart. 0 or RM_ENOMEM. Done entries must be given in the order of `done_ms`; the reply is
 * taken over after 0. */
int rm_rpc_table_restore_floor (rm_rpc_table_t *self, const rm_session_id_t *session, uint64_t floor, uint64_t now_ms);
int rm_rpc_table_restore (rm_rpc_table_t *self, const rm_session_id_t *session, uint64_t seq, uint64_t hash,
                          uint64_t done_ms, uint8_t *reply, uint32_t size, uint64_t now_ms);

/* The hash of a call's function and arguments. */
uint64_t rm_rpc_call_hash (const rm_msg_rpc_call_t *call);
