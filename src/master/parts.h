/*  A snapshot of the state as the ledger takes it: parts that stay as they are while the state goes on.
 *
 *  Thread rule: the loop's thread; the parts' bytes may be read by any.
 */
#pragma once

#include "core/state.h"
#include "master/raft_ledger.h"

/* 0 or RM_ENOMEM. */
int rm_parts_take (const rm_state_t *state, rm_ledger_part_t **parts_p, size_t *count_p);
void rm_parts_give_back (rm_ledger_part_t *parts);
