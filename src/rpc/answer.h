/*  Making answers (ringmaster/rpc.h).
 *
 *  Thread rule: as there.
 */
#pragma once

#include "proto/msg.h"
#include "ringmaster/rpc.h"

/* The answer that a reply is (rpc_result or rpc_error). NULL: memory ran out. */
rm_rpc_answer_t *rm_rpc_answer_of (const rm_msg_t *reply, uint64_t id);
/* A call that ended here, with an error. */
rm_rpc_answer_t *rm_rpc_answer_error_of (int error, const char *text, uint64_t id);
/* The reason why this cannot be called, as a sentence in static memory; NULL: it can be. `args` gets the array. */
const char *rm_rpc_call_check (const char *name, const rm_rpc_value_t *values, size_t count, rm_buf_t *args,
                               int *error);
