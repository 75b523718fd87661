#include "proto/msg.h"

#include <string.h>

#include "proto/alloc.h"
#include "proto/assert.h"
#include "proto/table.h"

/* The member's offset; does not compile if the member is not of the row's type. */
#define MEMBER(T, M, CTYPE) (offsetof (T, M) + 0 * sizeof (_Generic(((T *)0)->M, CTYPE : 1)))
#define POINTER(T, M)       (offsetof (T, M) + 0 * sizeof (*((T *)0)->M))
#define SENTENCES(NAME)                                                                                                \
    .missing = "the field '" NAME "' is missing", .mistyped = "the field '" NAME "' is of a wrong type",               \
    .outside = "the field '" NAME "' is outside its limits"
#define ROW(T, M, CTYPE, NAME, KIND, MIN, MAX)                                                                         \
    .name = NAME, .name_size = sizeof (NAME) - 1, .kind = (KIND), .offset = MEMBER (T, M, CTYPE), .min = (MIN),        \
    .max = (MAX), SENTENCES (NAME)
#define LIST(T, M, COUNT, NAME, KIND, MIN, MAX)                                                                        \
    .name = NAME, .name_size = sizeof (NAME) - 1, .kind = (KIND), .offset = POINTER (T, M),                            \
    .count_offset = MEMBER (T, COUNT, uint32_t), .min = (MIN), .max = (MAX), SENTENCES (NAME)

/* One row each, for T's member M, called NAME on the wire. */
#define U32(T, M, NAME, MIN, MAX)  ROW (T, M, uint32_t, NAME, RM_FIELD_U32, MIN, MAX)
#define U64(T, M, NAME, MIN)       ROW (T, M, uint64_t, NAME, RM_FIELD_U64, MIN, UINT64_MAX)
#define ERROR(T, M, NAME)          ROW (T, M, int32_t, NAME, RM_FIELD_ERROR, 0, 0)
#define TEXT(T, M, NAME, MIN, MAX) ROW (T, M, rm_bytes_t, NAME, RM_FIELD_TEXT, MIN, MAX)
#define NAMED(T, M, NAME)          ROW (T, M, rm_bytes_t, NAME, RM_FIELD_NAME, 1, RM_NAME_BYTES_MAX)
#define BYTES(T, M, NAME, MAX)     ROW (T, M, rm_bytes_t, NAME, RM_FIELD_BYTES, 0, MAX)
#define KEY(T, M, NAME)            ROW (T, M, rm_bytes_t, NAME, RM_FIELD_KEY, 0, RM_KEY_BYTES_MAX)
#define SLOT(T, M, NAME)           ROW (T, M, uint32_t, NAME, RM_FIELD_SLOT, 0, RM_SLOTS - 1)
#define SESSION(T, M, NAME)        ROW (T, M, rm_session_id_t, NAME, RM_FIELD_SESSION, 0, 0)
#define ACK(T, M, NAME, MIN)       ROW (T, M, bool, NAME, RM_FIELD_ACK, MIN, 1)
#define MOVES(T, M, COUNT, NAME)   LIST (T, M, COUNT, NAME, RM_FIELD_MOVES, 0, RM_MOVES_MAX)
#define ARRAY(T, M, COUNT, NAME, MIN, MAX, ELEMENT)                                                                    \
    LIST (T, M, COUNT, NAME, RM_FIELD_ARRAY, MIN, MAX), .element = &(ELEMENT)
#define OPTIONAL .optional = true

#define COUNT(ROWS)            (sizeof (ROWS) / sizeof (ROWS)[0])
#define ELEMENT(T, ROWS, BARE) ELEMENT_OF (T, ROWS, COUNT (ROWS), BARE)
#define ELEMENT_OF(T, ROWS, REQUIRED, BARE)                                                                            \
    {                                                                                                                  \
        .rows = (ROWS), .row_count = COUNT (ROWS), .required = (REQUIRED), .bare = (BARE),                             \
        .size = sizeof (T) + 0 * sizeof (char[sizeof (T) % 8 ? -1 : 1])                                                \
    }
#define SHAPE(NAME, ROWS, ...)                                                                                         \
    {                                                                                                                  \
        .name = NAME, .name_size = sizeof (NAME) - 1, .rows = (ROWS), .row_count = COUNT (ROWS), __VA_ARGS__           \
    }
#define DATA(ROWS)                                                                                                     \
    {                                                                                                                  \
        .rows = (ROWS), .row_count = COUNT (ROWS)                                                                      \
    }

/* ---- elements of arrays ---------------------------------------------------------------------------------------- */

typedef struct {
    uint64_t id;
} id_element_t;

typedef struct {
    rm_bytes_t name;
} name_element_t;

static const rm_field_t id_rows[] = {{U64 (id_element_t, id, "id", 1)}};
typedef struct {
    rm_bytes_t endpoint;
} endpoint_element_t;

static const rm_field_t name_rows[] = {{NAMED (name_element_t, name, "queue")}};
static const rm_field_t endpoint_rows[] = {{TEXT (endpoint_element_t, endpoint, "endpoint", 1, RM_ENDPOINT_BYTES_MAX)}};
static const rm_element_t ids = ELEMENT (id_element_t, id_rows, true);
static const rm_element_t names = ELEMENT (name_element_t, name_rows, true);
static const rm_element_t endpoints = ELEMENT (endpoint_element_t, endpoint_rows, true);

static const rm_field_t submit_job_rows[] = {
    {U64 (rm_submit_job_t, seq, "seq", 1)},
    {NAMED (rm_submit_job_t, queue, "queue")},
    {KEY (rm_submit_job_t, key, "key")},
    {BYTES (rm_submit_job_t, data, "data", RM_PAYLOAD_BYTES_CEILING)},
    {U32 (rm_submit_job_t, tries, "tries", 0, UINT32_MAX)},
    {U32 (rm_submit_job_t, timeout_ms, "timeout_ms", 0, UINT32_MAX)},
    {U32 (rm_submit_job_t, flags, "flags", 0, UINT32_MAX)},
    {U64 (rm_submit_job_t, options.delay_ms, "delay_ms", 0), OPTIONAL},
    {U64 (rm_submit_job_t, options.deadline_ms, "deadline_ms", 0), OPTIONAL},
    {U32 (rm_submit_job_t, options.priority, "priority", 0, RM_PRIORITY_MAX), OPTIONAL},
    {BYTES (rm_submit_job_t, options.uid, "uid", RM_UID_BYTES_MAX), OPTIONAL},
    {U32 (rm_submit_job_t, options.retry_delay_ms, "retry_delay_ms", 0, UINT32_MAX), OPTIONAL},
    {U32 (rm_submit_job_t, options.retry_permille, "retry_permille", 0, UINT32_MAX), OPTIONAL},
    {U32 (rm_submit_job_t, options.retry_cap_ms, "retry_cap_ms", 0, UINT32_MAX), OPTIONAL},
    {U32 (rm_submit_job_t, options.retry_jitter, "retry_jitter", 0, UINT32_MAX), OPTIONAL},
};
static const rm_element_t submit_job = ELEMENT_OF (rm_submit_job_t, submit_job_rows, 7, false);

static const rm_field_t accepted_job_rows[] = {
    {U64 (rm_accepted_job_t, seq, "seq", 1)},
    {U64 (rm_accepted_job_t, id, "id", 1)},
};
static const rm_element_t accepted_job = ELEMENT (rm_accepted_job_t, accepted_job_rows, false);

static const rm_field_t result_job_rows[] = {
    {U64 (rm_result_job_t, id, "id", 1)},
    {U32 (rm_result_job_t, outcome, "outcome", RM_OUTCOME_NONE, RM_OUTCOME_UNKNOWN)},
    {U32 (rm_result_job_t, attempt, "attempt", 0, UINT32_MAX)},
    {BYTES (rm_result_job_t, reason, "reason", RM_REASON_BYTES_MAX)},
    {BYTES (rm_result_job_t, data, "data", RM_PAYLOAD_BYTES_CEILING)},
    {U32 (rm_result_job_t, progress, "progress", 0, RM_PERMILLE_MAX + 1), OPTIONAL},
    {BYTES (rm_result_job_t, note, "note", RM_NOTE_BYTES_MAX), OPTIONAL},
};
static const rm_element_t result_job = ELEMENT_OF (rm_result_job_t, result_job_rows, 5, false);

static const rm_field_t dispatch_job_rows[] = {
    {U64 (rm_dispatch_job_t, id, "id", 1)},
    {U64 (rm_dispatch_job_t, token, "token", 0)},
    {SLOT (rm_dispatch_job_t, slot, "slot")},
    {U32 (rm_dispatch_job_t, attempt, "attempt", 1, UINT32_MAX)},
    {U32 (rm_dispatch_job_t, timeout_ms, "timeout_ms", 0, UINT32_MAX)},
    {U32 (rm_dispatch_job_t, flags, "flags", 0, UINT32_MAX)},
    {NAMED (rm_dispatch_job_t, queue, "queue")},
    {KEY (rm_dispatch_job_t, key, "key")},
    {BYTES (rm_dispatch_job_t, data, "data", RM_PAYLOAD_BYTES_CEILING)},
};
static const rm_element_t dispatch_job = ELEMENT (rm_dispatch_job_t, dispatch_job_rows, false);

static const rm_field_t done_job_rows[] = {
    {U64 (rm_done_job_t, id, "id", 1)},
    {U64 (rm_done_job_t, token, "token", 0)},
    {U32 (rm_done_job_t, attempt, "attempt", 1, UINT32_MAX)},
    {U32 (rm_done_job_t, verdict, "verdict", RM_VERDICT_OK, RM_VERDICT_INTERRUPTED)},
    {U64 (rm_done_job_t, ran_us, "ran_us", 0)},
    {BYTES (rm_done_job_t, reason, "reason", RM_REASON_BYTES_MAX)},
    {BYTES (rm_done_job_t, data, "data", RM_PAYLOAD_BYTES_CEILING)},
};
static const rm_element_t done_job = ELEMENT (rm_done_job_t, done_job_rows, false);

static const rm_field_t committed_job_rows[] = {
    {U64 (rm_committed_job_t, id, "id", 1)},
    {U32 (rm_committed_job_t, attempt, "attempt", 1, UINT32_MAX)},
};
static const rm_element_t committed_job = ELEMENT (rm_committed_job_t, committed_job_rows, false);

static const rm_field_t stop_job_rows[] = {
    {U64 (rm_stop_job_t, id, "id", 1)},
    {U32 (rm_stop_job_t, attempt, "attempt", 1, UINT32_MAX)},
};
static const rm_element_t stop_job = ELEMENT (rm_stop_job_t, stop_job_rows, false);

static const rm_field_t progress_job_rows[] = {
    {U64 (rm_progress_job_t, id, "id", 1)},
    {U32 (rm_progress_job_t, attempt, "attempt", 1, UINT32_MAX)},
    {U32 (rm_progress_job_t, permille, "permille", 0, RM_PERMILLE_MAX)},
    {BYTES (rm_progress_job_t, note, "note", RM_NOTE_BYTES_MAX)},
};
static const rm_element_t progress_job = ELEMENT (rm_progress_job_t, progress_job_rows, false);

static const rm_field_t partial_rows_of_one[] = {
    {U64 (rm_partial_t, id, "id", 1)},
    {U32 (rm_partial_t, attempt, "attempt", 1, UINT32_MAX)},
    {U64 (rm_partial_t, n, "n", 1)},
    {BYTES (rm_partial_t, data, "data", RM_PARTIAL_BYTES_MAX)},
};
static const rm_element_t one_partial = ELEMENT (rm_partial_t, partial_rows_of_one, false);

static const rm_field_t member_rows[] = {
    {NAMED (rm_sync_member_t, name, "name")},
    {U64 (rm_sync_member_t, inc, "inc", 1)},
};
static const rm_element_t member = ELEMENT (rm_sync_member_t, member_rows, false);

/* ---- client ↔ master ------------------------------------------------------------------------------------------- */

static const rm_field_t hello_rows[] = {
    {TEXT (rm_msg_t, hello.client, "client", 0, RM_CLIENT_NAME_BYTES_MAX), OPTIONAL},
};

static const rm_field_t submit_rows[] = {
    {SESSION (rm_msg_t, submit.session, "session")},
    {U64 (rm_msg_t, submit.floor, "floor", 0)},
    {ARRAY (rm_msg_t, submit.jobs, submit.job_count, "jobs", 1, RM_MESSAGE_JOBS_MAX, submit_job)},
    {U64 (rm_msg_t, submit.after, "after", 0), OPTIONAL},
};

static const rm_field_t wait_rows[] = {
    {SESSION (rm_msg_t, wait.session, "session"), OPTIONAL},
    {ARRAY (rm_msg_t, wait.ids, wait.id_count, "ids", 1, RM_MESSAGE_JOBS_MAX, ids)},
    {U32 (rm_msg_t, wait.timeout_ms, "timeout_ms", 0, UINT32_MAX)},
    {U32 (rm_msg_t, wait.any, "any", 0, 1), OPTIONAL},
    {U32 (rm_msg_t, wait.each, "each", 0, 1), OPTIONAL},
    {U32 (rm_msg_t, wait.follow, "follow", 0, 2), OPTIONAL},
    {U64 (rm_msg_t, wait.stamp, "stamp", 0), OPTIONAL},
};

static const rm_field_t query_rows[] = {
    {NAMED (rm_msg_t, query.what, "what")},
    {U64 (rm_msg_t, query.id, "id", 0), OPTIONAL},
    {NAMED (rm_msg_t, query.queue, "queue"), OPTIONAL},
    {U32 (rm_msg_t, query.limit, "limit", 0, UINT32_MAX), OPTIONAL},
    {NAMED (rm_msg_t, query.state, "state"), OPTIONAL},
    {BYTES (rm_msg_t, query.key, "key", RM_KEY_BYTES_MAX), OPTIONAL},
    {NAMED (rm_msg_t, query.worker, "worker"), OPTIONAL},
    {U64 (rm_msg_t, query.before, "before", 0), OPTIONAL},
};

static const rm_field_t drain_rows[] = {{NAMED (rm_msg_t, drain.worker, "worker")}};

static const rm_field_t change_rows[] = {
    {NAMED (rm_msg_t, change.what, "what")},
    {U64 (rm_msg_t, change.id, "id", 0)},
    {TEXT (rm_msg_t, change.at, "at", 0, RM_ENDPOINT_BYTES_MAX), OPTIONAL},
};

static const rm_field_t order_rows[] = {
    {NAMED (rm_msg_t, order.what, "what")},
    {U64 (rm_msg_t, order.id, "id", 0), OPTIONAL},
    {NAMED (rm_msg_t, order.queue, "queue"), OPTIONAL},
    {TEXT (rm_msg_t, order.text, "text", 0, RM_REASON_BYTES_MAX), OPTIONAL},
    {U32 (rm_msg_t, order.limit, "limit", 0, UINT32_MAX), OPTIONAL},
};

static const rm_field_t welcome_rows[] = {
    {U64 (rm_msg_t, welcome.term, "term", 0)},
    {TEXT (rm_msg_t, welcome.work, "work", 1, RM_ENDPOINT_BYTES_MAX)},
    {TEXT (rm_msg_t, welcome.sync, "sync", 1, RM_ENDPOINT_BYTES_MAX)},
    {TEXT (rm_msg_t, welcome.http, "http", 0, RM_ENDPOINT_BYTES_MAX), OPTIONAL},
    {U32 (rm_msg_t, welcome.payload_bytes_max, "payload_bytes_max", 1, RM_PAYLOAD_BYTES_CEILING)},
    {U32 (rm_msg_t, welcome.result_bytes_max, "result_bytes_max", 1, RM_PAYLOAD_BYTES_CEILING)},
    {ARRAY (rm_msg_t, welcome.masters, welcome.master_count, "masters", 0, RM_MASTERS_MAX, endpoints), OPTIONAL},
    {U32 (rm_msg_t, welcome.ahead, "ahead", 0, UINT32_MAX), OPTIONAL},
};

static const rm_field_t accepted_rows[] = {
    {SESSION (rm_msg_t, accepted.session, "session")},
    {ARRAY (rm_msg_t, accepted.jobs, accepted.job_count, "jobs", 1, RM_MESSAGE_JOBS_MAX, accepted_job)},
};

static const rm_field_t result_rows[] = {
    {ARRAY (rm_msg_t, result.jobs, result.job_count, "jobs", 1, RM_MESSAGE_JOBS_MAX, result_job)},
    {U64 (rm_msg_t, result.stamp, "stamp", 0), OPTIONAL},
    {ARRAY (rm_msg_t, result.partials, result.partial_count, "partials", 0, RM_MESSAGE_JOBS_MAX, one_partial),
     OPTIONAL},
};

static const rm_field_t answer_rows[] = {{TEXT (rm_msg_t, answer.json, "json", 1, RM_JSON_BYTES_MAX)}};

static const rm_field_t busy_rows[] = {
    {U32 (rm_msg_t, busy.retry_after_ms, "retry_after_ms", 0, UINT32_MAX)},
    {TEXT (rm_msg_t, busy.text, "text", 0, RM_TEXT_BYTES_MAX), OPTIONAL},
};

static const rm_field_t not_leader_rows[] = {
    {TEXT (rm_msg_t, not_leader.leader, "leader", 0, RM_ENDPOINT_BYTES_MAX), OPTIONAL},
    {ARRAY (rm_msg_t, not_leader.masters, not_leader.master_count, "masters", 0, RM_MASTERS_MAX, endpoints), OPTIONAL},
};

static const rm_field_t error_rows[] = {
    {ERROR (rm_msg_t, error.code, "code")},
    {TEXT (rm_msg_t, error.text, "text", 0, RM_TEXT_BYTES_MAX), OPTIONAL},
    {U64 (rm_msg_t, error.seq, "seq", 0), OPTIONAL},
};

/* ---- worker ↔ master ------------------------------------------------------------------------------------------- */

#define UPTO(M)                                                                                                        \
    {                                                                                                                  \
        U64 (rm_msg_t, M.upto, "upto", 0)                                                                              \
    }
#define HELD(M)                                                                                                        \
    {                                                                                                                  \
        ARRAY (rm_msg_t, M.held, M.held_count, "held", 0, RM_WORKER_HELD_MAX, ids)                                     \
    }
#define TERM(M)                                                                                                        \
    {                                                                                                                  \
        U64 (rm_msg_t, M.term, "term", 0)                                                                              \
    }
#define EPOCH(M)                                                                                                       \
    {                                                                                                                  \
        U64 (rm_msg_t, M.epoch, "epoch", 0)                                                                            \
    }
#define INC(M)                                                                                                         \
    {                                                                                                                  \
        U64 (rm_msg_t, M.inc, "inc", 1)                                                                                \
    }
#define REPORT(M) TERM (M.report), INC (M.report), UPTO (M.report), HELD (M.report)

static const rm_field_t join_rows[] = {
    {NAMED (rm_msg_t, join.name, "name")},
    INC (join),
    {NAMED (rm_msg_t, join.pool, "pool")},
    {ARRAY (rm_msg_t, join.queues, join.queue_count, "queues", 1, RM_WORKER_QUEUES_MAX, names)},
    {U32 (rm_msg_t, join.threads, "threads", 1, RM_WORKER_THREADS_MAX)},
};

static const rm_field_t joined_rows[] = {
    TERM (joined),
    EPOCH (joined),
    INC (joined),
    {U32 (rm_msg_t, joined.lease_ms, "lease_ms", 1, UINT32_MAX)},
    {U32 (rm_msg_t, joined.grace_ms, "grace_ms", 0, UINT32_MAX)},
    {U32 (rm_msg_t, joined.heartbeat_ms, "heartbeat_ms", 1, UINT32_MAX)},
    {U32 (rm_msg_t, joined.result_bytes_max, "result_bytes_max", 1, RM_PAYLOAD_BYTES_CEILING)},
};

static const rm_field_t heartbeat_rows[] = {
    REPORT (heartbeat),
    {U64 (rm_msg_t, heartbeat.n, "n", 1)},
    {U64 (rm_msg_t, heartbeat.seen, "seen", 0)},
};

static const rm_field_t heartbeat_ok_rows[] = {
    TERM (heartbeat_ok),
    EPOCH (heartbeat_ok),
    INC (heartbeat_ok),
    {U64 (rm_msg_t, heartbeat_ok.n, "n", 1)},
    {U64 (rm_msg_t, heartbeat_ok.last_seq, "last_seq", 0)},
};

static const rm_field_t dispatch_rows[] = {
    TERM (dispatch),
    EPOCH (dispatch),
    INC (dispatch),
    {U64 (rm_msg_t, dispatch.seq, "seq", 1)},
    {ARRAY (rm_msg_t, dispatch.jobs, dispatch.job_count, "jobs", 1, RM_MESSAGE_JOBS_MAX, dispatch_job)},
};

static const rm_field_t done_rows[] = {
    REPORT (done),
    {ARRAY (rm_msg_t, done.jobs, done.job_count, "jobs", 1, RM_MESSAGE_JOBS_MAX, done_job)},
};

static const rm_field_t committed_rows[] = {
    TERM (committed),
    INC (committed),
    {ARRAY (rm_msg_t, committed.jobs, committed.job_count, "jobs", 1, RM_MESSAGE_JOBS_MAX, committed_job)},
};

static const rm_field_t stop_rows[] = {
    TERM (stop),
    INC (stop),
    {ARRAY (rm_msg_t, stop.jobs, stop.job_count, "jobs", 1, RM_MESSAGE_JOBS_MAX, stop_job)},
};

static const rm_field_t progress_rows[] = {
    TERM (progress),
    INC (progress),
    {ARRAY (rm_msg_t, progress.jobs, progress.job_count, "jobs", 1, RM_MESSAGE_JOBS_MAX, progress_job)},
};

static const rm_field_t partial_rows[] = {
    TERM (partial),
    INC (partial),
    {ARRAY (rm_msg_t, partial.partials, partial.partial_count, "partials", 1, RM_MESSAGE_JOBS_MAX, one_partial)},
};

static const rm_field_t leave_rows[] = {REPORT (leave)};
static const rm_field_t rejoin_rows[] = {TERM (rejoin), INC (rejoin)};
static const rm_field_t left_rows[] = {TERM (left), INC (left)};

/* ---- RPC --------------------------------------------------------------------------------------------------------- */

static const rm_field_t rpc_hello_rows[] = {
    {SESSION (rm_msg_t, rpc_hello.session, "session")},
    {TEXT (rm_msg_t, rpc_hello.name, "name", 0, RM_CLIENT_NAME_BYTES_MAX), OPTIONAL},
};

static const rm_field_t rpc_call_rows[] = {
    {SESSION (rm_msg_t, rpc_call.session, "session")},
    {U64 (rm_msg_t, rpc_call.seq, "seq", 1)},
    {U64 (rm_msg_t, rpc_call.floor, "floor", 0), OPTIONAL},
    {NAMED (rm_msg_t, rpc_call.name, "name")},
    {BYTES (rm_msg_t, rpc_call.args, "args", RM_PAYLOAD_BYTES_CEILING)},
    {U64 (rm_msg_t, rpc_call.left_ms, "left_ms", 0), OPTIONAL},
    {U32 (rm_msg_t, rpc_call.one, "one", 0, 1), OPTIONAL},
};

static const rm_field_t rpc_bye_rows[] = {{SESSION (rm_msg_t, rpc_bye.session, "session")}};

static const rm_field_t rpc_welcome_rows[] = {
    {SESSION (rm_msg_t, rpc_welcome.session, "session")},
    {U32 (rm_msg_t, rpc_welcome.silence_ms, "silence_ms", 1, UINT32_MAX)},
    {U32 (rm_msg_t, rpc_welcome.once, "once", 0, 1), OPTIONAL},
};

static const rm_field_t rpc_result_rows[] = {
    {SESSION (rm_msg_t, rpc_result.session, "session")},
    {U64 (rm_msg_t, rpc_result.seq, "seq", 1)},
    {BYTES (rm_msg_t, rpc_result.values, "values", RM_PAYLOAD_BYTES_CEILING)},
};

static const rm_field_t rpc_error_rows[] = {
    {SESSION (rm_msg_t, rpc_error.session, "session")},
    {U64 (rm_msg_t, rpc_error.seq, "seq", 1)},
    {ERROR (rm_msg_t, rpc_error.code, "code")},
    {U32 (rm_msg_t, rpc_error.fault, "fault", 0, INT32_MAX), OPTIONAL},
    {TEXT (rm_msg_t, rpc_error.text, "text", 0, RM_TEXT_BYTES_MAX), OPTIONAL},
};

static const rm_field_t rpc_busy_rows[] = {
    {SESSION (rm_msg_t, rpc_busy.session, "session")},
    {U64 (rm_msg_t, rpc_busy.seq, "seq", 0)},
    {U32 (rm_msg_t, rpc_busy.retry_after_ms, "retry_after_ms", 0, UINT32_MAX)},
    {TEXT (rm_msg_t, rpc_busy.text, "text", 0, RM_TEXT_BYTES_MAX), OPTIONAL},
};

static const rm_field_t sync_rows[] = {
    {NAMED (rm_msg_t, sync.name, "name")},
    {U32 (rm_msg_t, sync.phase, "phase", 1, 3)},
};

static const rm_field_t master_rows[] = {TERM (sync), EPOCH (sync)};

static const rm_field_t master_2_rows[] = {
    TERM (sync),
    EPOCH (sync),
    {U64 (rm_msg_t, sync.sync_to, "sync_to", 0)},
    {ARRAY (rm_msg_t, sync.members, sync.member_count, "members", 0, RM_MEMBERS_MAX, member)},
    {MOVES (rm_msg_t, sync.moved, sync.moved_count, "moved")},
};

static const rm_field_t worker_1_rows[] = {
    TERM (sync),        EPOCH (sync),       INC (sync.report), {U64 (rm_msg_t, sync.current_job, "current_job", 0)},
    UPTO (sync.report), HELD (sync.report),
};

static const rm_field_t worker_2_rows[] = {
    TERM (sync),
    EPOCH (sync),
    INC (sync.report),
    {ACK (rm_msg_t, sync.ok, "ack", 0)},
    UPTO (sync.report),
    HELD (sync.report),
    {ARRAY (rm_msg_t, sync.returned, sync.returned_count, "returned", 0, RM_WORKER_HELD_MAX, ids)},
};

static const rm_field_t worker_3_rows[] = {
    TERM (sync),
    EPOCH (sync),
    INC (sync.report),
    {ACK (rm_msg_t, sync.ok, "ack", 1)},
};

/* ---- what no single row can say --------------------------------------------------------------------------------- */

static const char *check_join (const rm_msg_t *msg)
{
    return rm_name_is_master (msg->join.name) ? "no worker may be called 'Master'" : NULL;
}

static const char *check_dispatch (const rm_msg_t *msg)
{
    for (uint32_t i = 0; i < msg->dispatch.job_count; i++) {
        const rm_dispatch_job_t *job = &msg->dispatch.jobs[i];
        if ((job->key.data == NULL) != (job->slot == RM_SLOTS))
            return "a job has a key without a slot, or a slot without a key";
    }
    return NULL;
}

static const char *check_rpc_call (const rm_msg_t *msg)
{
    return msg->rpc_call.floor < msg->rpc_call.seq ? NULL : "the floor of a call is at or above its seq";
}

/* ---- the tables ------------------------------------------------------------------------------------------------- */

static const rm_shape_t shapes[RM_MSG_TYPES] = {
    [RM_MSG_HELLO] = SHAPE ("hello", hello_rows),
    [RM_MSG_SUBMIT] = SHAPE ("submit", submit_rows),
    [RM_MSG_WAIT] = SHAPE ("wait", wait_rows),
    [RM_MSG_QUERY] = SHAPE ("query", query_rows),
    [RM_MSG_DRAIN] = SHAPE ("drain", drain_rows),
    [RM_MSG_CHANGE] = SHAPE ("change", change_rows),
    [RM_MSG_ORDER] = SHAPE ("order", order_rows),
    [RM_MSG_WELCOME] = SHAPE ("welcome", welcome_rows),
    [RM_MSG_ACCEPTED] = SHAPE ("accepted", accepted_rows),
    [RM_MSG_RESULT] = SHAPE ("result", result_rows),
    [RM_MSG_ANSWER] = SHAPE ("answer", answer_rows),
    [RM_MSG_BUSY] = SHAPE ("busy", busy_rows),
    [RM_MSG_NOT_LEADER] = SHAPE ("not_leader", not_leader_rows),
    [RM_MSG_ERROR] = SHAPE ("error", error_rows),
    [RM_MSG_JOIN] = SHAPE ("join", join_rows, .check = check_join),
    [RM_MSG_HEARTBEAT] = SHAPE ("heartbeat", heartbeat_rows),
    [RM_MSG_DONE] = SHAPE ("done", done_rows),
    [RM_MSG_LEAVE] = SHAPE ("leave", leave_rows),
    [RM_MSG_PROGRESS] = SHAPE ("progress", progress_rows),
    [RM_MSG_PARTIAL] = SHAPE ("partial", partial_rows),
    [RM_MSG_JOINED] = SHAPE ("joined", joined_rows),
    [RM_MSG_HEARTBEAT_OK] = SHAPE ("heartbeat_ok", heartbeat_ok_rows),
    [RM_MSG_DISPATCH] = SHAPE ("dispatch", dispatch_rows, .check = check_dispatch),
    [RM_MSG_COMMITTED] = SHAPE ("committed", committed_rows),
    [RM_MSG_STOP] = SHAPE ("stop", stop_rows),
    [RM_MSG_REJOIN] = SHAPE ("rejoin", rejoin_rows),
    [RM_MSG_LEFT] = SHAPE ("left", left_rows),
    [RM_MSG_RPC_HELLO] = SHAPE ("rpc_hello", rpc_hello_rows),
    [RM_MSG_RPC_CALL] = SHAPE ("rpc_call", rpc_call_rows, .check = check_rpc_call),
    [RM_MSG_RPC_BYE] = SHAPE ("rpc_bye", rpc_bye_rows),
    [RM_MSG_RPC_WELCOME] = SHAPE ("rpc_welcome", rpc_welcome_rows),
    [RM_MSG_RPC_RESULT] = SHAPE ("rpc_result", rpc_result_rows),
    [RM_MSG_RPC_ERROR] = SHAPE ("rpc_error", rpc_error_rows),
    [RM_MSG_RPC_BUSY] = SHAPE ("rpc_busy", rpc_busy_rows),
    [RM_MSG_SYNC] = SHAPE ("sync", sync_rows),
};

/* [who speaks: worker, master][phase - 1] */
static const rm_shape_t sync_data[2][3] = {
    {DATA (worker_1_rows), DATA (worker_2_rows), DATA (worker_3_rows)},
    {DATA (master_rows), DATA (master_2_rows), DATA (master_rows)},
};

const rm_shape_t *rm_shape_of (rm_msg_type_t type)
{
    RM_ASSERT (type > RM_MSG_NONE && type < RM_MSG_TYPES);
    return &shapes[type];
}

const rm_shape_t *rm_shape_of_sync (bool from_master, uint32_t phase)
{
    RM_ASSERT (phase >= 1 && phase <= 3);
    return &sync_data[from_master][phase - 1];
}

rm_msg_type_t rm_type_named (rm_bytes_t name)
{
    for (rm_msg_type_t type = RM_MSG_NONE + 1; type < RM_MSG_TYPES; type++)
        if (rm_bytes_equal ((rm_bytes_t){shapes[type].name, shapes[type].name_size}, name))
            return type;
    return RM_MSG_NONE;
}

const char *rm_msg_name (rm_msg_type_t type)
{
    return type > RM_MSG_NONE && type < RM_MSG_TYPES ? shapes[type].name : "none";
}

void rm_msg_close (rm_msg_t *self)
{
    rm_free (self->arrays);
    *self = (rm_msg_t){0};
}
