/*  Which clients an RPC server has: each was heard of, has not said goodbye, and was not silent for too long.
 *
 *  Invariant: `heard` is in the order of heard_ms, the longest silent first.
 *  Thread rule: belongs to one thread. Pure. Times are milliseconds of the caller's clock, which does not go back.
 */
#pragma once

#include "core/hash.h"
#include "core/list.h"
#include "proto/msg.h"

typedef struct {
    rm_session_id_t session;
    char name[RM_CLIENT_NAME_BYTES_MAX + 1]; /* one line of text; "" if it does not say */
    uint64_t heard_ms;
    uint32_t calls; /* under way: the owner counts; who has some is not silent */
    void *lane;     /* the owner's */
    rm_link_t heard;
    UT_hash_handle hh;
} rm_rpc_guest_t;

typedef struct {
    rm_rpc_guest_t *guests;
    rm_link_t heard;
    uint64_t silence_ms;
} rm_rpc_roll_t;

/* In-place struct. */
void rm_rpc_roll_init (rm_rpc_roll_t *self, uint64_t silence_ms);
void rm_rpc_roll_close (rm_rpc_roll_t *self);

/* The client of that session; NULL: there is none. */
rm_rpc_guest_t *rm_rpc_roll_find (rm_rpc_roll_t *self, const rm_session_id_t *session);
/* It comes. NULL: memory ran out. It must not be there. */
rm_rpc_guest_t *rm_rpc_roll_add (rm_rpc_roll_t *self, const rm_session_id_t *session, rm_bytes_t name, uint64_t now_ms);
/* It was heard of. */
void rm_rpc_roll_heard (rm_rpc_roll_t *self, rm_rpc_guest_t *guest, uint64_t now_ms);
/* It goes; frees it. */
void rm_rpc_roll_remove (rm_rpc_roll_t *self, rm_rpc_guest_t *guest);

/* One that was silent for too long, to be removed; NULL: none is, and `*next_ms` is when to come back. */
rm_rpc_guest_t *rm_rpc_roll_silent (rm_rpc_roll_t *self, uint64_t now_ms, uint64_t *next_ms);
