/*  The arguments of an RPC and the values of its result: how they are spelled, and whether they are what a function wants.
 *
 *  On the wire they are one MessagePack array that fills its bytes. An integer that does not fit in 64 bits with sign, nil,
 *  arrays, maps and extensions are kept as they are spelled (type 'm').
 *  Thread rule: pure functions; values belong to whoever read them.
 */
#pragma once

#include "proto/msg.h"
#include "ringmaster/rpc.h"

enum { RM_RPC_TYPES_MAX = 64 }; /* in a signature, of the arguments and of the result each */

/* Which values are wanted. */
typedef struct {
    char each[RM_RPC_TYPES_MAX + 1]; /* 'i', 'd', 't', 's', 'b', 'a' */
    uint32_t count;
    bool many; /* the last one any number of times, also none */
} rm_rpc_types_t;

typedef struct {
    rm_rpc_types_t args, result;
} rm_rpc_signature_t;

/* Reads "si:s*". 0, or RM_EINVAL; `*why` is then a sentence in static memory. */
int rm_rpc_signature_parse (rm_rpc_signature_t *self, const char *text, const char **why);

/* Values in memory of their own; text and bytes have a NUL behind them. In-place struct, all zero: none. */
typedef struct {
    rm_rpc_value_t *all; /* owned, with what they point to */
    size_t count;
} rm_rpc_values_t;

/* Reads an array. 0, RM_EPROTO (it is none, too long, or other bytes follow) or RM_ENOMEM. Only after 0 there is something
 * to close. */
int rm_rpc_values_read (rm_rpc_values_t *self, rm_bytes_t msgpack);
void rm_rpc_values_close (rm_rpc_values_t *self);

/* Appends an array. 0, RM_EINVAL (too many, or one that cannot be), RM_ETOOBIG (more than RM_PAYLOAD_BYTES_CEILING),
 * RM_ENOMEM. */
int rm_rpc_values_write (const rm_rpc_value_t *values, size_t count, rm_buf_t *out);

/* Whether these are the values that are wanted; an integer where a floating-point number is wanted becomes one. 0, or
 * RM_EINVAL and a sentence in `why`, in which `who` takes or gives them ("put takes"), and `noun` is one ("argument"). */
int rm_rpc_types_check (const rm_rpc_types_t *self, rm_rpc_value_t *values, size_t count, const char *who,
                        const char *noun, char *why, size_t size);
