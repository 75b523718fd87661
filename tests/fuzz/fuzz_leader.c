/*  The leader's steps: decisions make a story of clients that submit and wait, workers (real halves) that join, run, leave,
 *  are killed and cut off, a ledger that lags, a leader that fails over and a master that crashes; and, in some stories,
 *  messages in a worker's name that the worker never sent, which a leader may believe but must not stumble over.
 *
 *  After each step the books agree (fuzz_cluster.h). A story without lies then goes on without faults until every job that
 *  was accepted has ended and no resize runs, which must come about.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz_alloc.h"
#include "fuzz_cluster.h"
#include "ringmaster/error.h"

enum { STEPS_MAX = 160, CALM_MS = 120000, CALM_STEP_MS = 100 };

/* ---- clients -------------------------------------------------------------------------------------------------------- */

static void some_submit (fuzz_input_t *input)
{
    uint8_t who = fuzz_byte (input), kind = fuzz_byte (input);
    uint32_t number = who % CLIENTS, count = 1 + (who >> 2) % 3;
    client_t *client = &clients[number];
    bool again = who & 0x20 && client->seq;
    uint64_t seq = again ? 1 + kind % client->seq : client->seq + 1;
    if (state->last_id > JOBS_MAX || seq + count >= SEQS_MAX)
        return;
    if (again && now.mono_ms - client->sent_ms[seq] >= SESSION_TTL_MS / 2)
        return; /* it may have been accepted, run and forgotten */
    if (who & 0x40 && client->seq)
        client->floor = client->floor < client->seq ? client->floor + 1 : client->floor;
    if (seq <= client->floor && !again)
        return;
    if (!again)
        client->seq += count;
    submit ((uint8_t)number, seq, kind, again ? 1 : count);
}

static void some_wait (fuzz_input_t *input)
{
    static const uint32_t times[] = {0, 10, 1000, 60000};
    uint64_t ids[3];
    uint8_t how = fuzz_byte (input);
    uint32_t count = 1 + how % 3;
    for (uint32_t i = 0; i < count; i++)
        ids[i] = 1 + fuzz_below (input, (uint32_t)state->last_id + 2);
    rm_msg_t msg = {.type = RM_MSG_WAIT};
    msg.wait = (rm_msg_wait_t){clients[how % CLIENTS].session,
                               ids,
                               count,
                               times[how >> 4 & 3],
                               how >> 6 & 1,
                               how >> 7,
                               how & 4 ? 2 : how >> 5 & 1,
                               how & 1 ? leader->stamp : 0};
    ask (how % CLIENTS, &msg);
}

/* ---- lies ----------------------------------------------------------------------------------------------------------- */

static uint64_t near (fuzz_input_t *input, uint64_t value)
{
    uint8_t how = fuzz_byte (input);
    return how < 128            ? value
           : how < 144 && value ? value - 1
           : how < 160          ? value + 1
           : how < 176          ? UINT64_MAX
                                : how % 16u;
}

static rm_report_t false_report (fuzz_input_t *input, const worker_t *worker)
{
    static uint64_t held[4];
    const rm_member_t *member = rm_state_member (state, worker->half ? worker->half->inc : 0);
    uint32_t count = fuzz_below (input, 5);
    for (uint32_t i = 0; i < count; i++)
        held[i] = 1 + fuzz_below (input, (uint32_t)state->last_id + 1);
    uint64_t last_seq = member ? member->peer ? member->peer->last_seq : 0 : 0;
    return (rm_report_t){.term = near (input, state->term),
                         .inc = member ? member->inc : 1 + fuzz_below (input, 4),
                         .upto = near (input, last_seq),
                         .held = held,
                         .held_count = count};
}

static void lie (fuzz_input_t *input)
{
    static rm_done_job_t done;
    worker_t *worker = &workers[fuzz_below (input, WORKERS)];
    rm_msg_t msg = {0};
    rm_report_t report = false_report (input, worker);
    lied = true;
    switch (fuzz_below (input, 6)) {
    case 5: {
        static rm_progress_job_t told;
        uint64_t id = 1 + fuzz_below (input, (uint32_t)state->last_id + 1);
        const rm_record_t *record = rm_state_record (state, id);
        told = (rm_progress_job_t){id, record ? rm_record_attempt (record) : 1, fuzz_below (input, 3), {"note", 4}};
        msg.type = RM_MSG_PROGRESS;
        msg.progress = (rm_msg_progress_t){report.term, report.inc, &told, 1};
        if (told.permille) {
            static rm_partial_t partial;
            partial = (rm_partial_t){id, told.attempt, 1 + fuzz_below (input, 9), {"part", 4}};
            msg.type = RM_MSG_PARTIAL;
            msg.partial = (rm_msg_partial_t){report.term, report.inc, &partial, 1};
        }
        break;
    }
    case 0:
        msg.type = RM_MSG_HEARTBEAT;
        msg.heartbeat = (rm_msg_heartbeat_t){report, 1 + fuzz_below (input, 9), near (input, report.upto)};
        break;
    case 1: {
        uint64_t id = 1 + fuzz_below (input, (uint32_t)state->last_id + 1);
        const rm_record_t *record = rm_state_record (state, id);
        msg.type = RM_MSG_DONE;
        done =
            (rm_done_job_t){.id = id,
                            .token = near (input, record && rm_record_flight (record) ? record->lead.flight->token : 0),
                            .attempt = record ? rm_record_attempt (record) : 1 + fuzz_below (input, 3),
                            .verdict = fuzz_below (input, RM_VERDICT_INTERRUPTED + 1)};
        msg.done = (rm_msg_done_t){report, &done, 1};
        break;
    }
    case 2:
        msg.type = RM_MSG_LEAVE;
        msg.leave.report = report;
        break;
    default:
        msg.type = RM_MSG_SYNC;
        msg.sync = (rm_msg_sync_t){.name = rm_bytes ("liar"),
                                   .phase = 1 + fuzz_below (input, 3),
                                   .term = report.term,
                                   .epoch = near (input, state->epoch),
                                   .report = report,
                                   .current_job = near (input, state->last_id)};
        msg.sync.ok = msg.sync.phase == 3 || fuzz_byte (input) & 1;
        if (msg.sync.phase == 3)
            msg.sync.report = (rm_report_t){.term = report.term, .inc = report.inc};
        if (msg.sync.phase != 1)
            msg.sync.current_job = 0;
        if (msg.sync.phase == 1)
            msg.sync.ok = false;
    }
    tell (worker->number, &msg);
}

/* ---- the rest ------------------------------------------------------------------------------------------------------- */

static void some_time (fuzz_input_t *input)
{
    static const uint16_t times[] = {10, 50, 100, 250, 400, 1000, 1400, 3000};
    uint8_t how = fuzz_byte (input);
    tick (times[how % 8]);
    if (how & 0x40)
        now.wall_ms -= how & 0x80 ? 3600 * 1000 : 5; /* somebody sets the clock back */
    for (uint32_t i = 0; how & 0x20 && i < WORKERS; i++)
        worker_turn (&workers[i]);
}

static void turn (void)
{
    flush ();
    apply (UINT32_MAX);
}

/* A moment without faults: everybody hears and answers, starts and finishes what there is. */
static void calm_moment (void)
{
    net_down = false;
    tick (CALM_STEP_MS);
    turn ();
    for (uint32_t i = 0; i < WORKERS; i++) {
        worker_t *worker = &workers[i];
        worker_start (worker);
        worker_hear (worker, UINT32_MAX);
        for (uint32_t left = worker->offered_count; left && worker->half; left--)
            worker_run (worker, 0);
        while (worker->half && worker->running_count)
            worker_finish (worker, 0, RM_VERDICT_OK);
    }
    turn ();
}

static void work (fuzz_input_t *input, worker_t *worker, uint8_t op)
{
    switch (op) {
    case 0:
        worker_start (worker);
        break;
    case 1:
    case 2:
        if (worker->half)
            worker_hear (worker, fuzz_byte (input) % 8 ? UINT32_MAX : 1);
        break;
    case 3:
        worker_run (worker, fuzz_byte (input));
        break;
    case 4:
        worker_finish (worker, fuzz_byte (input), fuzz_below (input, RM_VERDICT_DEAD + 1));
        break;
    case 5:
        worker_lose (worker);
        break;
    case 6:
        worker_kill (worker);
        break;
    default:
        if (worker->half)
            rm_work_stop (worker->half, now.mono_ms);
        worker_turn (worker);
    }
}

static void step (fuzz_input_t *input, bool may_lie)
{
    uint8_t op = fuzz_byte (input);
    switch (op % 16) {
    case 0:
    case 1:
        some_submit (input);
        break;
    case 2:
        some_wait (input);
        break;
    case 3:
    case 4:
        some_time (input);
        break;
    case 5:
        flush ();
        break;
    case 6:
        apply (1 + (op >> 4));
        break;
    case 7:
        turn ();
        break;
    case 8:
    case 9:
    case 10:
    case 11:
        work (input, &workers[fuzz_below (input, WORKERS)], fuzz_below (input, 8));
        break;
    case 12:
        for (int left = 1 + (op >> 5); left; left--)
            calm_moment ();
        break;
    case 13:
        if (op >> 4 < 13)
            fail_over (op >> 4 & 3);
        else
            crash_master ();
        break;
    case 14:
        if (op >> 4 < 6)
            net_down = !net_down;
        else if (op >> 4 < 12)
            rm_leader_drain (leader, now, rm_bytes (op & 16 ? "w1" : "w2"));
        else
            leader->disk_full = !leader->disk_full;
        break;
    default:
        if (may_lie)
            lie (input);
        else
            tick (10);
    }
    look ();
}

static bool at_rest (void)
{
    return leader->leading && !state->waiting_count && leader->resize.state == RM_RESIZE_IDLE &&
           !leader->resize.wanted && !unapplied ();
}

static void let_it_end (void)
{
    leader->disk_full = false;
    for (int left = CALM_MS / CALM_STEP_MS; left && !at_rest (); left--) {
        calm_moment ();
        look ();
    }
    RM_RECORD_EACH (state, record)
    {
        char why[512];
        CLAIM (record->outcome || !rm_leader_why (leader, now, record->id, why, sizeof why), "%s", why);
    }
    CLAIM (at_rest (), "the resize does not end: %s", rm_resize_state_name (leader->resize.state));
    CLAIM (state->last_id == state->done_count + state->dead_count);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    fuzz_input_t input = {data, data + size};
    fuzz_alloc_begin ();
    cluster_begin ();
    bool may_lie = fuzz_byte (&input) % 4 == 3;
    for (int left = STEPS_MAX; left && fuzz_more (&input); left--)
        step (&input, may_lie);
    look_hard ();
    if (!lied) {
        let_it_end ();
        look_hard ();
    }
    cluster_end ();
    fuzz_alloc_end ();
    return 0;
}
