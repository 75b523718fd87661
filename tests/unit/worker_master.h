/*  A small master for tests of the worker's shell: real sockets, and no more sense than a test wants it to have.
 *
 *  It answers hello, join and heartbeats by itself unless told not to, and is asked for whatever else comes.
 *  Thread rule: one thread.
 */
#pragma once

#include <criterion/criterion.h>
#include <string.h>

#include "net/clock.h"
#include "net/poll.h"
#include "net/socket.h"
#include "proto/msg.h"
#include "ringmaster/error.h"

enum { WAIT_MS = 15000, MASTER_TERM = 3, MASTER_EPOCH = 2, MASTER_RESULT_BYTES_MAX = 4096 };

typedef struct {
    rm_socket_t *jobs, *work, *sync;
    bool welcomes, admits, answers; /* hello, join, heartbeats */
    bool dismisses;                 /* leave */
    uint32_t lease_ms;
    rm_route_t worker; /* who spoke last */
    uint64_t inc;      /* of the last join */
    uint64_t seq, ids;
    unsigned hellos, joins, heartbeats, leaves; /* heard */
    rm_frame_t frame;                           /* of `msg` */
    rm_msg_t msg;                               /* the last one heard on the work socket */
} master_t;

/* What became of a job; its own copy. */
typedef struct {
    uint32_t verdict, attempt;
    uint64_t token;
    char reason[RM_REASON_BYTES_MAX + 1];
    char data[MASTER_RESULT_BYTES_MAX + 1];
    size_t size;
} outcome_t;

static inline void master_open_work (master_t *self)
{
    rm_fault_t fault;
    self->work = rm_socket_bind (RM_SOCKET_WORK_ROUTER, "127.0.0.1", 0, &fault);
    self->sync = rm_socket_bind (RM_SOCKET_SYNC_PUB, "127.0.0.1", 0, &fault);
    cr_assert (self->work && self->sync);
}

static inline void master_open (master_t *self)
{
    *self = (master_t){.welcomes = true, .admits = true, .answers = true, .dismisses = true, .lease_ms = 1000};
    cr_assert_eq (rm_net_init (), 0);
    self->jobs = rm_socket_bind (RM_SOCKET_JOBS_ROUTER, "127.0.0.1", 0, NULL);
    cr_assert (self->jobs);
    master_open_work (self);
}

static inline void master_forget_message (master_t *self)
{
    if (self->msg.type != RM_MSG_NONE)
        rm_msg_close (&self->msg);
    self->msg.type = RM_MSG_NONE;
    rm_frame_close (&self->frame);
}

static inline void master_close (master_t *self)
{
    master_forget_message (self);
    rm_socket_close (&self->jobs);
    rm_socket_close (&self->work);
    rm_socket_close (&self->sync);
    rm_net_term ();
}

static inline const char *master_endpoint (const master_t *self)
{
    return rm_socket_endpoint (self->jobs)->text;
}

static inline void master_send (rm_socket_t *socket, const rm_route_t *to, const rm_msg_t *msg)
{
    rm_buf_t frame = {0};
    cr_assert_eq (rm_msg_encode (msg, &frame), 0);
    rm_socket_send_buf (socket, to, &frame);
    rm_buf_close (&frame);
}

static inline rm_bytes_t master_text (const char *text)
{
    return (rm_bytes_t){text, (uint32_t)strlen (text)};
}

static inline void master_hear_jobs (master_t *self)
{
    rm_route_t from;
    rm_frame_t frame = {0};
    rm_msg_t msg;
    while (rm_socket_recv (self->jobs, &from, &frame) == 1) {
        cr_assert_eq (rm_msg_decode (&msg, rm_frame_data (&frame), rm_frame_size (&frame), NULL), 0);
        cr_assert_eq (msg.type, RM_MSG_HELLO);
        rm_msg_close (&msg);
        self->hellos++;
        if (self->welcomes)
            master_send (self->jobs, &from,
                         &(rm_msg_t){.type = RM_MSG_WELCOME,
                                     .welcome = {.term = MASTER_TERM,
                                                 .work = master_text (rm_socket_endpoint (self->work)->text),
                                                 .sync = master_text (rm_socket_endpoint (self->sync)->text),
                                                 .payload_bytes_max = 1000000,
                                                 .result_bytes_max = MASTER_RESULT_BYTES_MAX}});
    }
    rm_frame_close (&frame);
}

static inline void master_admit (master_t *self)
{
    self->inc = self->msg.join.inc;
    self->joins++;
    self->seq = 0;
    if (self->admits)
        master_send (self->work, &self->worker,
                     &(rm_msg_t){.type = RM_MSG_JOINED,
                                 .joined = {.term = MASTER_TERM,
                                            .epoch = MASTER_EPOCH,
                                            .inc = self->inc,
                                            .lease_ms = self->lease_ms,
                                            .grace_ms = 250,
                                            .heartbeat_ms = self->lease_ms / 4,
                                            .result_bytes_max = MASTER_RESULT_BYTES_MAX}});
}

static inline void master_answer_heartbeat (master_t *self)
{
    self->heartbeats++;
    if (self->answers)
        master_send (self->work, &self->worker,
                     &(rm_msg_t){.type = RM_MSG_HEARTBEAT_OK,
                                 .heartbeat_ok = {.term = MASTER_TERM,
                                                  .epoch = MASTER_EPOCH,
                                                  .inc = self->msg.heartbeat.report.inc,
                                                  .n = self->msg.heartbeat.n,
                                                  .last_seq = self->seq}});
}

static inline void master_dismiss (master_t *self)
{
    self->leaves++;
    if (self->dismisses && !self->msg.leave.report.held_count)
        master_send (self->work, &self->worker,
                     &(rm_msg_t){.type = RM_MSG_LEFT, .left = {.term = MASTER_TERM, .inc = self->inc}});
}

/* Takes what comes within `timeout_ms`, up to one message on the work socket: its type, or RM_MSG_NONE. */
static inline rm_msg_type_t master_turn (master_t *self, int timeout_ms)
{
    rm_poll_t items[] = {{.socket = self->jobs, .fd = -1}, {.socket = self->work, .fd = -1}};
    master_forget_message (self);
    rm_poll (items, 2, timeout_ms);
    master_hear_jobs (self);
    if (rm_socket_recv (self->work, &self->worker, &self->frame) != 1)
        return RM_MSG_NONE;
    cr_assert_eq (rm_msg_decode (&self->msg, rm_frame_data (&self->frame), rm_frame_size (&self->frame), NULL), 0);
    if (self->msg.type == RM_MSG_JOIN)
        master_admit (self);
    else if (self->msg.type == RM_MSG_HEARTBEAT)
        master_answer_heartbeat (self);
    else if (self->msg.type == RM_MSG_LEAVE)
        master_dismiss (self);
    return self->msg.type;
}

/* Goes on until such a message comes; it is in `msg`. */
static inline void master_await (master_t *self, rm_msg_type_t type)
{
    uint64_t end_ms = rm_clock_ms () + WAIT_MS;
    while (master_turn (self, 50) != type)
        cr_assert_lt (rm_clock_ms (), end_ms, "no %s came", rm_msg_name (type));
}

static inline void master_to_worker (master_t *self, rm_msg_t msg)
{
    master_send (self->work, &self->worker, &msg);
}

/* Dispatches a job; `key` may be NULL. Its id. */
static inline uint64_t master_dispatch (master_t *self, const char *queue, const char *key, const void *data,
                                        size_t size, uint32_t timeout_ms)
{
    uint64_t id = ++self->ids;
    rm_dispatch_job_t job = {.id = id,
                             .token = ((uint64_t)MASTER_TERM << 40) + id,
                             .slot = key ? 7 : RM_SLOTS,
                             .attempt = 1,
                             .timeout_ms = timeout_ms,
                             .queue = master_text (queue),
                             .data = {data, (uint32_t)size}};
    if (key)
        job.key = master_text (key);
    master_to_worker (self, (rm_msg_t){.type = RM_MSG_DISPATCH,
                                       .dispatch = {.term = MASTER_TERM,
                                                    .epoch = MASTER_EPOCH,
                                                    .inc = self->inc,
                                                    .seq = ++self->seq,
                                                    .jobs = &job,
                                                    .job_count = 1}});
    return id;
}

static inline void master_commit (master_t *self, uint64_t id)
{
    rm_committed_job_t job = {id, UINT32_MAX};
    master_to_worker (self,
                      (rm_msg_t){.type = RM_MSG_COMMITTED,
                                 .committed = {.term = MASTER_TERM, .inc = self->inc, .jobs = &job, .job_count = 1}});
}

/* Waits until the worker says how the job ended, and commits it. */
static inline outcome_t master_outcome (master_t *self, uint64_t id)
{
    outcome_t outcome = {0};
    for (bool found = false; !found;) {
        master_await (self, RM_MSG_DONE);
        for (uint32_t i = 0; i < self->msg.done.job_count && !found; i++) {
            const rm_done_job_t *job = &self->msg.done.jobs[i];
            found = job->id == id;
            if (!found)
                continue;
            outcome.verdict = job->verdict;
            outcome.attempt = job->attempt;
            outcome.token = job->token;
            cr_assert_leq (job->data.size, MASTER_RESULT_BYTES_MAX);
            outcome.size = job->data.size;
            if (job->data.size)
                memcpy (outcome.data, job->data.data, job->data.size);
            if (job->reason.size)
                memcpy (outcome.reason, job->reason.data, job->reason.size);
        }
    }
    master_commit (self, id);
    return outcome;
}

/* A job from dispatch to commit. */
static inline outcome_t master_run (master_t *self, const char *queue, const char *key, const char *payload)
{
    return master_outcome (self, master_dispatch (self, queue, key, payload, strlen (payload), 10000));
}
