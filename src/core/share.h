/*  What each client has waiting in a queue: counted only while the queue limits it (client-jobs-max, client-bytes-max), so that
 *  other queues pay nothing. It follows from the rest of the state, and is not in a snapshot.
 *
 *  Invariant: while queue->shared, the shares are those sessions that have a job in queue->open, with how many and of how many
 *  bytes.
 *  Thread rule: as state.h. Deterministic.
 */
#pragma once

#include "core/state.h"

struct rm_share {
    rm_ledger_session_t *session;
    uint64_t count, bytes;
    UT_hash_handle hh; /* rm_queue_t.shares by session */
};

/* A limit may have been set, or taken away: begins to count, or ends it. 0 or RM_ENOMEM. */
int rm_share_review (rm_queue_t *queue);

/* A job of so many bytes waits there, does so no longer. Nothing unless the queue counts. The first: 0 or RM_ENOMEM. */
int rm_share_add (rm_queue_t *queue, rm_ledger_session_t *session, uint64_t bytes);
void rm_share_take (rm_queue_t *queue, const rm_ledger_session_t *session, uint64_t bytes);

/* NULL: nothing of it waits there, or the queue does not count. */
const rm_share_t *rm_share_of (const rm_queue_t *queue, const rm_ledger_session_t *session);

/* Frees what was counted. */
void rm_share_drop (rm_queue_t *queue);
