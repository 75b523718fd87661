#include "worker/failpoints.h"

#include <pthread.h>
#include <time.h>

static const char *const names[] = {
    "worker.join.before",
    "worker.join.after",
    "worker.joined.received",
    "worker.heartbeat.before",
    "worker.heartbeat.after",
    "worker.heartbeat_ok.received",
    "worker.dispatch.received",
    RM_FAIL_START_BEFORE,
    RM_FAIL_START_AFTER,
    "worker.done.before",
    "worker.done.after",
    "worker.committed.received",
    "worker.sync1.received",
    "worker.sync1.before",
    "worker.sync1.after",
    "worker.sync2.received",
    "worker.sync2.draining.before",
    "worker.sync2.draining.after",
    "worker.sync2.ok.before",
    "worker.sync2.ok.after",
    "worker.sync3.received",
    "worker.sync3.before",
    "worker.sync3.after",
    "worker.leave.before",
    "worker.leave.after",
    "worker.left.received",
    "worker.rejoin.received",
    NULL,
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int declared;
static rm_fault_t declared_fault;

static void declare (void)
{
    declared = rm_failpoint_table (names, &declared_fault);
}

int rm_worker_failpoints_declare (rm_fault_t *fault)
{
    pthread_once (&once, declare);
    *fault = declared_fault;
    return declared;
}

typedef struct {
    const char *before, *after;
} around_t;

static around_t around_sync (const rm_msg_sync_t *sync)
{
    switch (sync->phase) {
    case 1:
        return (around_t){"worker.sync1.before", "worker.sync1.after"};
    case 2:
        if (sync->ok)
            return (around_t){"worker.sync2.ok.before", "worker.sync2.ok.after"};
        return (around_t){"worker.sync2.draining.before", "worker.sync2.draining.after"};
    default:
        return (around_t){"worker.sync3.before", "worker.sync3.after"};
    }
}

static around_t around (const rm_msg_t *msg)
{
    switch (msg->type) {
    case RM_MSG_JOIN:
        return (around_t){"worker.join.before", "worker.join.after"};
    case RM_MSG_HEARTBEAT:
        return (around_t){"worker.heartbeat.before", "worker.heartbeat.after"};
    case RM_MSG_DONE:
        return (around_t){"worker.done.before", "worker.done.after"};
    case RM_MSG_LEAVE:
        return (around_t){"worker.leave.before", "worker.leave.after"};
    case RM_MSG_SYNC:
        return around_sync (&msg->sync);
    default:
        return (around_t){NULL, NULL};
    }
}

void rm_worker_failpoint_before (const rm_msg_t *msg)
{
    if (rm_failpoints_armed && around (msg).before)
        rm_failpoint_hit (around (msg).before);
}

void rm_worker_failpoint_after (const rm_msg_t *msg)
{
    if (!rm_failpoints_armed || !around (msg).after)
        return;
    /* ZeroMQ sends from a thread of its own: a process that is killed right here would have sent nothing. */
    nanosleep (&(struct timespec){0, 10 * 1000 * 1000}, NULL);
    rm_failpoint_hit (around (msg).after);
}

static const char *received (const rm_msg_t *msg)
{
    switch (msg->type) {
    case RM_MSG_JOINED:
        return "worker.joined.received";
    case RM_MSG_HEARTBEAT_OK:
        return "worker.heartbeat_ok.received";
    case RM_MSG_DISPATCH:
        return "worker.dispatch.received";
    case RM_MSG_COMMITTED:
        return "worker.committed.received";
    case RM_MSG_REJOIN:
        return "worker.rejoin.received";
    case RM_MSG_LEFT:
        return "worker.left.received";
    case RM_MSG_SYNC:
        return msg->sync.phase == 1   ? "worker.sync1.received"
               : msg->sync.phase == 2 ? "worker.sync2.received"
                                      : "worker.sync3.received";
    default:
        return NULL;
    }
}

void rm_worker_failpoint_received (const rm_msg_t *msg)
{
    if (rm_failpoints_armed && received (msg))
        rm_failpoint_hit (received (msg));
}
