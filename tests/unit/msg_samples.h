/*  One message of every kind, for the tests of the codec: every field set, in two sizes. Static memory; include it from
 *  one file of a program.
 */
#pragma once

#include <string.h>

#include "proto/msg.h"

#define TEXT(S) ((rm_bytes_t){(S), sizeof (S) - 1})

static char long_text[RM_KEY_BYTES_MAX + RM_REASON_BYTES_MAX];
static uint64_t sample_ids[] = {1, 127, 128, 65536, 1ull << 40, UINT64_MAX};
static rm_bytes_t sample_queues[2];
static rm_bytes_t sample_masters[2];
static rm_submit_job_t sample_submits[3];
static rm_committed_job_t sample_committed[] = {{1, 1}, {127, 2}, {65536, 127}, {UINT64_MAX, UINT32_MAX}};
static rm_progress_job_t sample_progress[2];
static rm_partial_t sample_partials[2];
static rm_stop_job_t sample_stops[] = {{7, 1}, {UINT64_MAX, UINT32_MAX}};
static rm_accepted_job_t sample_accepted[] = {{1, 7}, {UINT64_MAX, UINT64_MAX}};
static rm_result_job_t sample_results[3];
static rm_dispatch_job_t sample_dispatches[3];
static rm_done_job_t sample_dones[5];
static rm_sync_member_t sample_members[2];
static rm_sync_move_t sample_moves[3];

#define COUNT_OF(A) ((uint32_t)(sizeof (A) / sizeof (A)[0]))

/* A text of `size` bytes that is a valid name too. */
static inline rm_bytes_t text_of (uint32_t size)
{
    return (rm_bytes_t){long_text, size};
}

static inline void samples_init (void)
{
    memset (long_text, 'n', sizeof long_text);
    sample_queues[0] = TEXT ("mail");
    sample_queues[1] = text_of (RM_QUEUE_NAME_BYTES_MAX);
    sample_masters[0] = TEXT ("tcp://127.0.0.1:5550");
    sample_masters[1] = text_of (RM_ENDPOINT_BYTES_MAX);
    sample_submits[0] = (rm_submit_job_t){
        1, TEXT ("mail"), TEXT ("bob"), TEXT ("hello"), 3, 60000, 0, {1, UINT64_MAX, 9, 2, 1001, 3, 5, TEXT ("mine")}};
    sample_submits[1] = (rm_submit_job_t){2, TEXT ("q"), {0}, {"", 0}, 0, 0, RM_JOB_AT_MOST_ONCE, {0}};
    sample_submits[2] = (rm_submit_job_t){UINT64_MAX,
                                          text_of (RM_QUEUE_NAME_BYTES_MAX),
                                          text_of (RM_KEY_BYTES_MAX),
                                          TEXT ("\0\xff\n"),
                                          UINT32_MAX,
                                          UINT32_MAX,
                                          UINT32_MAX,
                                          {.priority = 1}};
    sample_results[0] = (rm_result_job_t){.id = 7,
                                          .outcome = RM_OUTCOME_DONE,
                                          .attempt = 1,
                                          .data = TEXT ("42"),
                                          .progress = 421,
                                          .note = TEXT ("page 5")};
    sample_results[1] = (rm_result_job_t){.id = 8, .outcome = RM_OUTCOME_NONE};
    sample_results[2] = (rm_result_job_t){.id = UINT64_MAX,
                                          .outcome = RM_OUTCOME_UNKNOWN,
                                          .attempt = UINT32_MAX,
                                          .reason = text_of (RM_REASON_BYTES_MAX),
                                          .data = TEXT ("\0"),
                                          .progress = 1};
    sample_partials[0] = (rm_partial_t){7, 1, 1, TEXT ("some")};
    sample_partials[1] = (rm_partial_t){UINT64_MAX, UINT32_MAX, UINT64_MAX, {"", 0}};
    sample_progress[0] = (rm_progress_job_t){7, 1, 0, TEXT ("page 5")};
    sample_progress[1] = (rm_progress_job_t){UINT64_MAX, UINT32_MAX, RM_PERMILLE_MAX, text_of (RM_NOTE_BYTES_MAX)};
    sample_dispatches[0] =
        (rm_dispatch_job_t){7, 1ull << 40 | 1, 11, 1, 60000, 0, TEXT ("mail"), TEXT ("bob"), TEXT ("hello")};
    sample_dispatches[1] =
        (rm_dispatch_job_t){8, 1ull << 40 | 2, RM_SLOTS, 2, 0, RM_JOB_AT_MOST_ONCE, TEXT ("q"), {0}, {"", 0}};
    sample_dispatches[2] = (rm_dispatch_job_t){UINT64_MAX,
                                               UINT64_MAX,
                                               RM_SLOTS - 1,
                                               UINT32_MAX,
                                               UINT32_MAX,
                                               UINT32_MAX,
                                               text_of (RM_QUEUE_NAME_BYTES_MAX),
                                               text_of (RM_KEY_BYTES_MAX),
                                               TEXT ("\xc1\xc1")};
    for (uint32_t i = 0; i < COUNT_OF (sample_dones); i++)
        sample_dones[i] = (rm_done_job_t){7 + i, 1ull << 40 | i, 1 + i, i, 1500 * i, TEXT ("why"), TEXT ("42")};
    sample_dones[4] = (rm_done_job_t){
        UINT64_MAX, UINT64_MAX, UINT32_MAX, RM_VERDICT_INTERRUPTED, UINT64_MAX, text_of (RM_REASON_BYTES_MAX), {"", 0}};
    sample_members[0] = (rm_sync_member_t){TEXT ("w1"), 0x1111};
    sample_members[1] = (rm_sync_member_t){text_of (RM_WORKER_NAME_BYTES_MAX), UINT64_MAX};
    sample_moves[0] = (rm_sync_move_t){TEXT ("default"), 0, 99, 0x1111, 0x2222};
    sample_moves[1] = (rm_sync_move_t){TEXT ("default"), 200, 200, 0, UINT64_MAX};
    sample_moves[2] = (rm_sync_move_t){TEXT ("gpu"), 0, RM_SLOTS - 1, UINT64_MAX, 0};
}

static inline rm_report_t sample_report (void)
{
    return (rm_report_t){2, 0x1111, 9, sample_ids, COUNT_OF (sample_ids)};
}

static inline rm_session_id_t sample_session (void)
{
    rm_session_id_t session;
    for (int i = 0; i < RM_SESSION_BYTES; i++)
        session.bytes[i] = (uint8_t)(0xf0 + i);
    return session;
}

static inline rm_msg_t sample_client_message (rm_msg_type_t type)
{
    rm_msg_t msg = {.type = type};
    switch (type) {
    case RM_MSG_HELLO:
        msg.hello.client = TEXT ("ringctl");
        break;
    case RM_MSG_SUBMIT:
        msg.submit =
            (rm_msg_submit_t){sample_session (), UINT64_MAX, sample_submits, COUNT_OF (sample_submits), UINT64_MAX};
        break;
    case RM_MSG_WAIT:
        msg.wait = (rm_msg_wait_t){sample_session (), sample_ids, COUNT_OF (sample_ids), 2000, 1, 1, 2, UINT64_MAX};
        break;
    case RM_MSG_QUERY:
        msg.query = (rm_msg_query_t){TEXT ("why"), 7,           TEXT ("mail"), 100, TEXT ("waiting"),
                                     TEXT ("bob"), TEXT ("w1"), UINT64_MAX};
        break;
    case RM_MSG_DRAIN:
        msg.drain.worker = TEXT ("w1");
        break;
    case RM_MSG_CHANGE:
        msg.change = (rm_msg_change_t){TEXT ("add"), 4, TEXT ("tcp://127.0.0.1:5560")};
        break;
    case RM_MSG_ORDER:
        msg.order = (rm_msg_order_t){TEXT ("kick"), 7, TEXT ("mail"), TEXT ("why"), 100};
        break;
    case RM_MSG_WELCOME:
        msg.welcome = (rm_msg_welcome_t){2,
                                         TEXT ("tcp://127.0.0.1:5551"),
                                         TEXT ("tcp://127.0.0.1:5552"),
                                         TEXT ("http://127.0.0.1:5553"),
                                         RM_PAYLOAD_BYTES_MAX,
                                         RM_RESULT_BYTES_MAX,
                                         sample_masters,
                                         COUNT_OF (sample_masters),
                                         UINT32_MAX};
        break;
    case RM_MSG_ACCEPTED:
        msg.accepted = (rm_msg_accepted_t){sample_session (), sample_accepted, COUNT_OF (sample_accepted)};
        break;
    case RM_MSG_RESULT:
        msg.result = (rm_msg_result_t){sample_results, COUNT_OF (sample_results), 1ull << 40 | 9, sample_partials,
                                       COUNT_OF (sample_partials)};
        break;
    case RM_MSG_ANSWER:
        msg.answer.json = TEXT ("{\"jobs\":0}");
        break;
    case RM_MSG_BUSY:
        msg.busy = (rm_msg_busy_t){200, TEXT ("the queue 'mail' is full")};
        break;
    case RM_MSG_NOT_LEADER:
        msg.not_leader =
            (rm_msg_not_leader_t){TEXT ("tcp://127.0.0.1:5560"), sample_masters, COUNT_OF (sample_masters)};
        break;
    default:
        msg.type = RM_MSG_ERROR;
        msg.error = (rm_msg_error_t){-9, TEXT ("request 3 was another one before"), 3};
    }
    return msg;
}

static inline rm_msg_t sample_worker_message (rm_msg_type_t type)
{
    rm_msg_t msg = {.type = type};
    switch (type) {
    case RM_MSG_JOIN:
        msg.join = (rm_msg_join_t){TEXT ("w1"), 0x1111, TEXT ("default"), sample_queues, COUNT_OF (sample_queues), 4};
        break;
    case RM_MSG_HEARTBEAT:
        msg.heartbeat = (rm_msg_heartbeat_t){sample_report (), 41, 12};
        break;
    case RM_MSG_DONE:
        msg.done = (rm_msg_done_t){sample_report (), sample_dones, COUNT_OF (sample_dones)};
        break;
    case RM_MSG_LEAVE:
        msg.leave.report = sample_report ();
        break;
    case RM_MSG_PROGRESS:
        msg.progress = (rm_msg_progress_t){2, 0x1111, sample_progress, COUNT_OF (sample_progress)};
        break;
    case RM_MSG_PARTIAL:
        msg.partial = (rm_msg_partial_t){2, 0x1111, sample_partials, COUNT_OF (sample_partials)};
        break;
    case RM_MSG_JOINED:
        msg.joined = (rm_msg_joined_t){2, 5, 0x1111, RM_LEASE_MS, RM_GRACE_MS, RM_HEARTBEAT_MS, RM_RESULT_BYTES_MAX};
        break;
    case RM_MSG_HEARTBEAT_OK:
        msg.heartbeat_ok = (rm_msg_heartbeat_ok_t){2, 5, 0x1111, 41, 12};
        break;
    case RM_MSG_DISPATCH:
        msg.dispatch = (rm_msg_dispatch_t){2, 5, 0x1111, 10, sample_dispatches, COUNT_OF (sample_dispatches)};
        break;
    case RM_MSG_COMMITTED:
        msg.committed = (rm_msg_committed_t){2, 0x1111, sample_committed, COUNT_OF (sample_committed)};
        break;
    case RM_MSG_STOP:
        msg.stop = (rm_msg_stop_t){2, 0x1111, sample_stops, COUNT_OF (sample_stops)};
        break;
    case RM_MSG_REJOIN:
        msg.rejoin = (rm_msg_rejoin_t){2, 0x1111};
        break;
    default:
        msg.type = RM_MSG_LEFT;
        msg.left = (rm_msg_left_t){2, 0x1111};
    }
    return msg;
}

static inline rm_msg_t sample_rpc_message (rm_msg_type_t type)
{
    rm_msg_t msg = {.type = type};
    switch (type) {
    case RM_MSG_RPC_HELLO:
        msg.rpc_hello = (rm_msg_rpc_hello_t){sample_session (), TEXT ("till 3")};
        break;
    case RM_MSG_RPC_CALL:
        msg.rpc_call =
            (rm_msg_rpc_call_t){sample_session (), UINT64_MAX, 6, TEXT ("put"), TEXT ("\x92\xa1k\x0a"), UINT64_MAX, 1};
        break;
    case RM_MSG_RPC_BYE:
        msg.rpc_bye.session = sample_session ();
        break;
    case RM_MSG_RPC_WELCOME:
        msg.rpc_welcome = (rm_msg_rpc_welcome_t){sample_session (), 10000, 1};
        break;
    case RM_MSG_RPC_RESULT:
        msg.rpc_result = (rm_msg_rpc_result_t){sample_session (), 7, TEXT ("\x91\x0a")};
        break;
    case RM_MSG_RPC_ERROR:
        msg.rpc_error = (rm_msg_rpc_error_t){sample_session (), 7, -18, INT32_MAX, TEXT ("there is no account bob")};
        break;
    default:
        msg.type = RM_MSG_RPC_BUSY;
        msg.rpc_busy = (rm_msg_rpc_busy_t){sample_session (), 7, 100, TEXT ("1024 calls wait already")};
    }
    return msg;
}

static inline rm_msg_t sample_sync (bool from_master, uint32_t phase)
{
    rm_msg_t msg = {.type = RM_MSG_SYNC};
    rm_msg_sync_t *sync = &msg.sync;
    *sync = (rm_msg_sync_t){.from_master = from_master, .phase = phase, .term = 2, .epoch = 5};
    sync->name = from_master ? TEXT ("Master") : TEXT ("w1");
    if (from_master && phase == 2) {
        sync->sync_to = 77;
        sync->members = sample_members;
        sync->member_count = COUNT_OF (sample_members);
        sync->moved = sample_moves;
        sync->moved_count = COUNT_OF (sample_moves);
    }
    if (from_master)
        return msg;
    sync->report.term = 2;
    sync->report.inc = 0x1111;
    sync->ok = phase == 3;
    if (phase < 3)
        sync->report = sample_report ();
    if (phase == 1)
        sync->current_job = 76;
    if (phase == 2) {
        sync->returned = sample_ids;
        sync->returned_count = 2;
    }
    return msg;
}

enum { SAMPLES = RM_MSG_TYPES - 2 + 6 }; /* every type but SYNC once, and SYNC's six kinds */

/* The n-th sample, from 0. */
static inline rm_msg_t sample_message (int n)
{
    if (n >= RM_MSG_TYPES - 2)
        return sample_sync ((n - (RM_MSG_TYPES - 2)) / 3, 1 + (uint32_t)(n - (RM_MSG_TYPES - 2)) % 3);
    rm_msg_type_t type = (rm_msg_type_t)(n + 1);
    if (type >= RM_MSG_RPC_HELLO)
        return sample_rpc_message (type);
    return type <= RM_MSG_ERROR ? sample_client_message (type) : sample_worker_message (type);
}
