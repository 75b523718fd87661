/*  What the master shows of itself: the answers of `query`, GET /status and GET /metrics.
 *
 *  Thread rule: the loop's thread.
 */
#pragma once

#include "core/leader.h"
#include "master/raft_ledger.h"

typedef struct {
    const rm_state_t *state;
    rm_leader_t *leader; /* its events are kept for whoever asks for them */
    rm_now_t now;
    uint64_t uptime_ms;
    const char *jobs, *work, *sync, *http; /* endpoints */
    const rm_ledger_t *ledger;
    uint64_t turn_us; /* the longest turn of late */
} rm_view_t;

/* Appends the JSON document that `query` asks for: 0, RM_EINVAL (no such thing), RM_EUNKNOWN (no such job), RM_EGONE (kept
 * no longer), RM_ETOOBIG (it would be larger than an answer may be), RM_ENOMEM. */
int rm_view_query (const rm_view_t *self, const rm_msg_query_t *query, rm_buf_t *out);

/* Appends Prometheus' text format. */
void rm_view_metrics (const rm_view_t *self, rm_buf_t *out);
