/*  One ledger for tests: each verb writes a batch of one entry and applies it, as a leader would.
 *
 *  Thread rule: none; Criterion runs each test in a process of its own.
 */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/entry.h"
#include "core/snapshot.h"
#include "core/state.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

typedef struct {
    rm_state_t state;
    rm_buf_t batch;     /* the newest one */
    uint64_t now_ms;    /* what the next batch is stamped with */
    uint32_t job_flags; /* of the jobs submitted from now on */
    uint32_t job_tries;
} ledger_t;

static ledger_t ledger;

static inline void ledger_open (void)
{
    ledger = (ledger_t){.now_ms = 1000};
    cr_assert_eq (rm_state_init (&ledger.state), 0);
}

static inline void ledger_close (void)
{
    rm_buf_close (&ledger.batch);
    rm_state_close (&ledger.state);
}

static inline rm_session_id_t session_id (uint8_t number)
{
    return (rm_session_id_t){{number, 0x5e}};
}

/* ---- batches ---------------------------------------------------------------------------------------------------- */

/* Begins a batch; what is written to it is applied by ledger_apply. */
static inline rm_buf_t *ledger_begin_batch (void)
{
    rm_buf_clear (&ledger.batch);
    rm_entry_batch (&ledger.batch, ledger.now_ms);
    return &ledger.batch;
}

static inline void ledger_apply (void)
{
    cr_assert_eq (rm_state_apply (&ledger.state, ledger.batch.data, ledger.batch.size), 0);
}

/* ---- looks ------------------------------------------------------------------------------------------------------ */

static inline rm_record_t *ledger_record (uint64_t id)
{
    return rm_state_record (&ledger.state, id);
}

static inline rm_queue_t *ledger_queue (const char *name)
{
    return rm_state_queue (&ledger.state, rm_bytes (name));
}

static inline rm_pool_t *ledger_pool (const char *name)
{
    return rm_state_pool (&ledger.state, rm_bytes (name));
}

static inline rm_ledger_session_t *ledger_session (uint8_t number)
{
    rm_session_id_t id = session_id (number);
    return rm_state_session (&ledger.state, &id);
}

/* The job a request made; 0: none. */
static inline uint64_t ledger_job (uint8_t session, uint64_t seq)
{
    const rm_ledger_session_t *found = ledger_session (session);
    const rm_request_t *request = found ? rm_session_request (found, seq) : NULL;
    return request ? request->id : 0;
}

static inline bool blob_is (const rm_blob_t *blob, const char *text)
{
    return blob && blob->size == strlen (text) && !memcmp (blob->data, text, blob->size);
}

/* ---- verbs ------------------------------------------------------------------------------------------------------ */

/* Answers the job's id, 0 if there is none. `key` may be NULL. */
static inline uint64_t ledger_submit (uint8_t session, uint64_t seq, const char *queue, const char *key,
                                      const char *data)
{
    rm_submit_job_t job = {.seq = seq,
                           .queue = rm_bytes (queue),
                           .key = rm_bytes (key),
                           .data = rm_bytes (data),
                           .flags = ledger.job_flags,
                           .tries = ledger.job_tries};
    rm_entry_submit (ledger_begin_batch (), &(rm_entry_submit_t){session_id (session), 0, &job, 1});
    ledger_apply ();
    return ledger_job (session, seq);
}

/* Raises the session's floor. */
static inline void ledger_floor (uint8_t session, uint64_t floor)
{
    rm_entry_submit (ledger_begin_batch (), &(rm_entry_submit_t){session_id (session), floor, NULL, 0});
    ledger_apply ();
}

static inline void ledger_join (uint64_t inc, const char *pool, const char *queue)
{
    char name[24];
    snprintf (name, sizeof name, "w%llu", (unsigned long long)inc);
    rm_bytes_t queues[] = {rm_bytes (queue)};
    rm_entry_member_add (ledger_begin_batch (), &(rm_msg_join_t){.name = rm_bytes (name),
                                                                 .inc = inc,
                                                                 .pool = rm_bytes (pool),
                                                                 .queues = queues,
                                                                 .queue_count = 1,
                                                                 .threads = 2});
    ledger_apply ();
}

/* Removes a member that held one job; 0: none. */
static inline void ledger_remove (uint64_t inc, uint64_t id)
{
    rm_entry_member_remove (ledger_begin_batch (), &(rm_entry_remove_t){inc, &id, id != 0});
    ledger_apply ();
}

static inline void ledger_done (uint64_t id, uint64_t inc, uint32_t attempt, const char *result)
{
    rm_entry_done (ledger_begin_batch (),
                   &(rm_entry_done_t){
                       .id = id, .inc = inc, .attempt = attempt, .verdict = RM_VERDICT_OK, .data = rm_bytes (result)});
    ledger_apply ();
}

static inline void ledger_fail (uint64_t id, uint64_t inc, uint32_t attempt, rm_verdict_t verdict, const char *reason)
{
    rm_entry_done (ledger_begin_batch (), &(rm_entry_done_t){.id = id,
                                                             .inc = inc,
                                                             .attempt = attempt,
                                                             .verdict = verdict,
                                                             .not_before_ms = ledger.now_ms + 500,
                                                             .reason = rm_bytes (reason)});
    ledger_apply ();
}

static inline void ledger_start (uint64_t id, uint64_t inc)
{
    rm_entry_start (ledger_begin_batch (), &(rm_entry_start_t){id, inc});
    ledger_apply ();
}

static inline void ledger_unstart (uint64_t id, uint64_t inc)
{
    rm_entry_unstart (ledger_begin_batch (), &(rm_entry_start_t){id, inc});
    ledger_apply ();
}

static inline void ledger_bury (uint64_t id, const char *reason)
{
    rm_entry_bury (ledger_begin_batch (), &(rm_entry_bury_t){id, rm_bytes (reason)});
    ledger_apply ();
}

/* Begins a resize to the first `count` of `incs`; `leaving` (0: nobody) is left out on purpose. */
static inline void ledger_begin (uint64_t epoch, const uint64_t *incs, uint32_t count, uint64_t leaving)
{
    rm_entry_resize_begin (ledger_begin_batch (), &(rm_entry_begin_t){epoch, incs, count, &leaving, leaving != 0});
    ledger_apply ();
}

static inline void ledger_commit (uint64_t epoch)
{
    rm_entry_resize_commit (ledger_begin_batch (), epoch);
    ledger_apply ();
}

static inline void ledger_expire_session (uint8_t session)
{
    rm_session_id_t id = session_id (session);
    rm_entry_session_expire (ledger_begin_batch (), &id);
    ledger_apply ();
}

static inline void ledger_expire_results (const char *queue, uint32_t count)
{
    rm_entry_result_expire (ledger_begin_batch (), &(rm_entry_expire_t){ledger_queue (queue)->number, count});
    ledger_apply ();
}

/* ---- snapshots -------------------------------------------------------------------------------------------------- */

/* The bytes of a state, all that apply can see: two states are equal when these are. Closed by the caller. */
static inline rm_buf_t snapshot_of (const rm_state_t *state)
{
    rm_buf_t out = {0};
    rm_snapshot_t *snapshot = rm_snapshot_take (state);
    cr_assert_not_null (snapshot);
    size_t count;
    const rm_part_t *parts = rm_snapshot_parts (snapshot, &count);
    for (size_t i = 0; i < count; i++)
        rm_buf_put (&out, parts[i].data, parts[i].size);
    cr_assert (!out.failed);
    rm_snapshot_destroy (&snapshot);
    cr_assert_null (snapshot);
    return out;
}

static inline bool same_bytes (const rm_buf_t *a, const rm_buf_t *b)
{
    return a->size == b->size && (!a->size || !memcmp (a->data, b->data, a->size));
}
