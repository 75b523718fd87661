/*  A worker's half with a hand to play the master's, for test_work_*.c. Time stands still unless a test moves it. */
#pragma once

#include <criterion/criterion.h>
#include <string.h>

#include "core/work.h"
#include "ringmaster/error.h"

#define BYTES(text) ((rm_bytes_t){(text), sizeof (text) - 1})

enum { INC = 77, TERM = 5, EPOCH = 10 }; /* of the worker that is `leased` */

static rm_work_t *half;
static uint64_t now;
static uint64_t next_random;
static const rm_work_effects_t *effects; /* of the last turn */

/* One turn of a shell's loop: time passes, what follows is looked at. */
static inline const rm_work_effects_t *turn (void)
{
    rm_work_tick (half, now, next_random);
    return effects = rm_work_effects (half, now);
}

static inline const rm_work_effects_t *after (uint64_t ms)
{
    now += ms;
    return turn ();
}

static inline void give (rm_msg_t msg)
{
    rm_work_receive (half, &msg, now);
}

/* The n-th message of a type in the last turn; NULL if there is none. */
static inline const rm_msg_t *said_nth (rm_msg_type_t type, unsigned n)
{
    for (size_t i = 0; i < effects->send_count; i++)
        if (effects->sends[i].type == type && n-- == 0)
            return &effects->sends[i];
    return NULL;
}

static inline const rm_msg_t *said (rm_msg_type_t type)
{
    return said_nth (type, 0);
}

/* Its answer to a phase in the last turn; NULL if there is none. */
static inline const rm_msg_sync_t *answered (uint32_t phase)
{
    for (unsigned i = 0; said_nth (RM_MSG_SYNC, i); i++)
        if (said_nth (RM_MSG_SYNC, i)->sync.phase == phase)
            return &said_nth (RM_MSG_SYNC, i)->sync;
    return NULL;
}

static inline bool holds (const rm_report_t *report, uint64_t id)
{
    for (uint32_t i = 0; i < report->held_count; i++)
        if (report->held[i] == id)
            return true;
    return false;
}

static inline rm_msg_t joined (uint64_t term, uint64_t epoch, uint64_t inc)
{
    return (rm_msg_t){.type = RM_MSG_JOINED,
                      .joined = {.term = term,
                                 .epoch = epoch,
                                 .inc = inc,
                                 .lease_ms = 1000,
                                 .grace_ms = 250,
                                 .heartbeat_ms = 250,
                                 .result_bytes_max = 1000}};
}

static inline rm_msg_t heartbeat_ok (uint64_t term, uint64_t inc, uint64_t n, uint64_t last_seq)
{
    return (rm_msg_t){.type = RM_MSG_HEARTBEAT_OK,
                      .heartbeat_ok = {.term = term, .epoch = EPOCH, .inc = inc, .n = n, .last_seq = last_seq}};
}

/* A job without a key of the queue "q"; give it a key and a slot if it shall have one. */
static inline rm_dispatch_job_t job (uint64_t id)
{
    return (rm_dispatch_job_t){.id = id,
                               .token = TERM * 1000 + id,
                               .slot = RM_SLOTS,
                               .attempt = 1,
                               .timeout_ms = 10000,
                               .queue = BYTES ("q"),
                               .data = BYTES ("payload")};
}

static inline rm_dispatch_job_t keyed (uint64_t id, const char *key, uint32_t slot)
{
    rm_dispatch_job_t made = job (id);
    made.key = (rm_bytes_t){key, (uint32_t)strlen (key)};
    made.slot = slot;
    return made;
}

static inline rm_msg_t dispatch_of (uint64_t term, uint64_t epoch, uint64_t inc, uint64_t seq, rm_dispatch_job_t *jobs,
                                    uint32_t count)
{
    return (rm_msg_t){
        .type = RM_MSG_DISPATCH,
        .dispatch = {.term = term, .epoch = epoch, .inc = inc, .seq = seq, .jobs = jobs, .job_count = count}};
}

static inline void dispatch (uint64_t seq, rm_dispatch_job_t only)
{
    give (dispatch_of (TERM, EPOCH, INC, seq, &only, 1));
}

static inline rm_msg_t committed_of (uint64_t term, uint64_t inc, rm_committed_job_t *jobs, uint32_t count)
{
    return (rm_msg_t){.type = RM_MSG_COMMITTED,
                      .committed = {.term = term, .inc = inc, .jobs = jobs, .job_count = count}};
}

/* The first attempt at the job. */
static inline void committed (uint64_t id)
{
    give (committed_of (TERM, INC, &(rm_committed_job_t){id, 1}, 1));
}

static inline rm_msg_t rejoin (uint64_t term, uint64_t inc)
{
    return (rm_msg_t){.type = RM_MSG_REJOIN, .rejoin = {.term = term, .inc = inc}};
}

static inline rm_msg_t left (uint64_t term, uint64_t inc)
{
    return (rm_msg_t){.type = RM_MSG_LEFT, .left = {.term = term, .inc = inc}};
}

static inline void phase_1 (uint64_t term, uint64_t epoch)
{
    give ((rm_msg_t){.type = RM_MSG_SYNC, .sync = {.from_master = true, .phase = 1, .term = term, .epoch = epoch}});
}

/* Slots first … last move from the worker to another one; `last` below `first`: none do. */
static inline void phase_2 (uint64_t term, uint64_t epoch, uint32_t first, uint32_t last)
{
    rm_sync_member_t members[] = {{BYTES ("other"), 1}, {BYTES ("w"), INC}};
    rm_sync_move_t moved[] = {{BYTES ("default"), 9000, 9000, 1, 2}, {BYTES ("default"), first, last, INC, 1}};
    give ((rm_msg_t){.type = RM_MSG_SYNC,
                     .sync = {.from_master = true,
                              .phase = 2,
                              .term = term,
                              .epoch = epoch,
                              .members = members,
                              .member_count = 2,
                              .moved = moved,
                              .moved_count = last < first ? 1 : 2}});
}

static inline void phase_3 (uint64_t term, uint64_t epoch)
{
    give ((rm_msg_t){.type = RM_MSG_SYNC, .sync = {.from_master = true, .phase = 3, .term = term, .epoch = epoch}});
}

/* Answers the heartbeat of the last turn. */
static inline void answer_heartbeat (void)
{
    cr_assert (said (RM_MSG_HEARTBEAT));
    give (heartbeat_ok (rm_work_term (half), rm_work_incarnation (half), said (RM_MSG_HEARTBEAT)->heartbeat.n, 0));
}

/* Lets time pass with every heartbeat answered. */
static inline void live (uint64_t ms)
{
    for (uint64_t until = now + ms; now < until;) {
        after (50);
        if (said (RM_MSG_HEARTBEAT))
            answer_heartbeat ();
    }
    turn ();
}

/* The job of that id in the starts of the last turn; NULL if it is not there. */
static inline rm_work_job_t *offered (uint64_t id)
{
    rm_work_job_t *found = effects->starts;
    while (found && found->id != id)
        found = found->next_effect;
    return found;
}

/* Starts a job that the last turn offered. */
static inline rm_work_job_t *start (uint64_t id)
{
    rm_work_job_t *found = offered (id);
    cr_assert (found, "job %lu is not offered", (unsigned long)id);
    cr_assert (rm_work_try_start (half, found, now));
    return found;
}

static inline void finish_with (rm_work_job_t *running, uint32_t verdict, const char *text)
{
    running->result.verdict = verdict;
    running->result.ran_us = 3;
    rm_buf_put (verdict == RM_VERDICT_OK ? &running->result.data : &running->result.reason, text, strlen (text));
    rm_work_finished (half, running);
}

static inline void finish (rm_work_job_t *running)
{
    finish_with (running, RM_VERDICT_OK, "result");
}

/* What the `done` messages of the last turn say of a job; NULL if nothing. */
static inline const rm_done_job_t *reported (uint64_t id)
{
    for (unsigned n = 0; said_nth (RM_MSG_DONE, n); n++) {
        const rm_msg_done_t *done = &said_nth (RM_MSG_DONE, n)->done;
        for (uint32_t i = 0; i < done->job_count; i++)
            if (done->jobs[i].id == id)
                return &done->jobs[i];
    }
    return NULL;
}

static inline void make_new (void)
{
    static const char *const queues[] = {"q", "r"};
    rm_work_config_t config = {.name = "w", .pool = "default", .queues = queues, .queue_count = 2, .threads = 4};
    half = rm_work_new (&config);
    cr_assert (half);
    now = 100000;
    next_random = INC;
    turn ();
    rm_work_connected (half, now);
    turn ();
}

static inline void make_leased (void)
{
    make_new ();
    give (joined (TERM, EPOCH, INC));
    turn ();
    cr_assert_eq (rm_work_state (half), RM_WORK_LEASED);
    answer_heartbeat ();
    turn ();
}

static inline void destroy (void)
{
    rm_work_destroy (&half);
}
