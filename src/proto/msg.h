/*  The messages of Ringmaster's protocol (docs/protocol.md): one MessagePack map per message, in one frame.
 *
 *  `rm_msg_decode` validates everything the protocol fixes (types, limits, required fields, counts against the bytes
 *  left, no trailing bytes, no duplicate key) before a caller sees a message. Strings and bytes alias the frame; arrays
 *  belong to the message. `rm_msg_encode` writes one. Adding a field: a member here, a row in its table in msg.c, a row
 *  in docs/protocol.md.
 *
 *  Invariant: decode (encode (m)) equals m, for every valid m.
 *  Thread rule: pure functions; a message belongs to whoever decoded it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/limits.h"

/* A run of bytes somebody else owns. {NULL, 0} is "not there" where a field may be absent. */
typedef struct {
    const void *data;
    uint32_t size;
} rm_bytes_t;

/* The bytes of a string, without its NUL; NULL is "not there". */
static inline rm_bytes_t rm_bytes (const char *text)
{
    return (rm_bytes_t){text, text ? (uint32_t)strlen (text) : 0};
}

static inline bool rm_bytes_equal (rm_bytes_t one, rm_bytes_t other)
{
    return one.size == other.size && (!one.size || !memcmp (one.data, other.data, one.size));
}

/* 128 random bits, made by the client. */
typedef struct {
    uint8_t bytes[RM_SESSION_BYTES];
} rm_session_id_t;

typedef enum {
    RM_MSG_NONE,
    /* client → master, jobs socket */
    RM_MSG_HELLO,  /* who are you, where is the rest? → welcome */
    RM_MSG_SUBMIT, /* jobs → accepted | busy | not_leader | error */
    RM_MSG_WAIT,   /* long poll → result | not_leader | error */
    RM_MSG_QUERY,  /* status, workers, ring, jobs, why → answer | error */
    RM_MSG_DRAIN,  /* take a worker out → answer | error */
    RM_MSG_CHANGE, /* of the group of masters → answer | error */
    RM_MSG_ORDER,  /* about jobs and queues: cancel, bury, kick, set → answer | not_leader | error */
    /* master → client */
    RM_MSG_WELCOME,
    RM_MSG_ACCEPTED,
    RM_MSG_RESULT,
    RM_MSG_ANSWER,
    RM_MSG_BUSY,
    RM_MSG_NOT_LEADER,
    RM_MSG_ERROR,
    /* worker → master, work socket */
    RM_MSG_JOIN,      /* → joined | rejoin | error */
    RM_MSG_HEARTBEAT, /* → heartbeat_ok | the present sync | rejoin */
    RM_MSG_DONE,      /* → committed */
    RM_MSG_LEAVE,     /* → left, once nothing of it is in flight and its slots have moved */
    RM_MSG_PROGRESS,  /* how far running jobs are; unanswered */
    RM_MSG_PARTIAL,   /* partial results of running jobs; unanswered */
    /* master → worker */
    RM_MSG_JOINED,
    RM_MSG_HEARTBEAT_OK,
    RM_MSG_DISPATCH,
    RM_MSG_COMMITTED,
    RM_MSG_STOP,   /* jobs that are wanted no longer: told again until they are let go of */
    RM_MSG_REJOIN, /* this incarnation was removed: cancel, forget, join as a new one */
    RM_MSG_LEFT,   /* this incarnation has left in good order */
    /* RPC client → server */
    RM_MSG_RPC_HELLO, /* here I am, and still am → rpc_welcome | rpc_busy */
    RM_MSG_RPC_CALL,  /* → rpc_result | rpc_error | rpc_busy */
    RM_MSG_RPC_BYE,   /* not answered */
    /* RPC server → client */
    RM_MSG_RPC_WELCOME,
    RM_MSG_RPC_RESULT,
    RM_MSG_RPC_ERROR,
    RM_MSG_RPC_BUSY,
    /* both ways */
    RM_MSG_SYNC,
    RM_MSG_TYPES
} rm_msg_type_t;

/* How a job ended, or that it has not. Numbers of the wire and of the ledger: never re-used. */
typedef enum {
    RM_OUTCOME_NONE = 0, /* still waiting or running */
    RM_OUTCOME_DONE = 1,
    RM_OUTCOME_DEAD = 2,
    RM_OUTCOME_CANCELLED = 3,
    RM_OUTCOME_EXPIRED = 4,
    RM_OUTCOME_GONE = 5,   /* ended, and kept no longer */
    RM_OUTCOME_UNKNOWN = 6 /* no such job was ever accepted */
} rm_outcome_t;

/* What a worker says of a run. Numbers of the wire and of the ledger. */
typedef enum {
    RM_VERDICT_OK = 0,         /* done; data is the result */
    RM_VERDICT_RETRY = 1,      /* the handler failed: another try, if the job has one left */
    RM_VERDICT_DEAD = 2,       /* the handler failed for good */
    RM_VERDICT_TIMEOUT = 3,    /* ran past its timeout and was stopped: counts as a failure */
    RM_VERDICT_INTERRUPTED = 4 /* stopped by a lost lease: counts as a crash */
} rm_verdict_t;

enum { RM_JOB_AT_MOST_ONCE = 1 }; /* flags of a job */

/* ---- client ↔ master ------------------------------------------------------------------------------------------- */

/* What few jobs ask for; all zero: nothing. */
typedef struct {
    uint64_t delay_ms;       /* not started before so long after it was accepted */
    uint64_t deadline_ms;    /* ends `expired` unless it has ended so long after it was accepted; 0: never */
    uint32_t priority;       /* 1 … RM_PRIORITY_MAX; 0: RM_PRIORITY_NORMAL */
    uint32_t retry_delay_ms; /* between its attempts; 0: as its queue does, and the next three are 0 */
    uint32_t retry_permille; /* how that grows; 0: RM_RETRY_PERMILLE */
    uint32_t retry_cap_ms;   /* 0: RM_RETRY_CAP_MS, or the delay if that is longer */
    uint32_t retry_jitter;   /* an rm_jitter_t and 1; 0: full */
    rm_bytes_t uid;          /* the caller's own name of the job, once in its queue while it is kept; empty: none */
} rm_job_options_t;

/* On the wire: [seq, queue, key|nil, data, tries, timeout_ms, flags] and, as far as one of them is not zero, delay_ms,
   deadline_ms, priority, uid, retry_delay_ms, retry_permille, retry_cap_ms, retry_jitter. */
typedef struct {
    uint64_t seq; /* the request's number in its session, from 1 */
    rm_bytes_t queue;
    rm_bytes_t key; /* data == NULL: without a key */
    rm_bytes_t data;
    uint32_t tries;      /* 0: the queue's setting */
    uint32_t timeout_ms; /* 0: the queue's setting */
    uint32_t flags;      /* RM_JOB_… */
    rm_job_options_t options;
} rm_submit_job_t;

typedef struct {
    rm_session_id_t session;
    uint64_t floor;        /* every reply up to here has been received */
    rm_submit_job_t *jobs; /* admitted all, or refused all */
    uint32_t job_count;
    uint64_t after; /* taken only where this number was accepted, or is on its way into the ledger; 0: in any case */
} rm_msg_submit_t;

typedef struct { /* [seq, id] */
    uint64_t seq;
    uint64_t id;
} rm_accepted_job_t;

typedef struct {
    rm_session_id_t session;
    rm_accepted_job_t *jobs;
    uint32_t job_count;
} rm_msg_accepted_t;

typedef struct {
    rm_session_id_t session; /* keeps the session alive; all zero: none */
    uint64_t *ids;
    uint32_t id_count;
    uint32_t timeout_ms; /* answered at the latest after this */
    uint32_t any;        /* 1: answered when one of them has ended; 0: when all have */
    uint32_t each;   /* 1: answered as often as some have ended, with those; and at the end of its time with the rest */
    uint32_t follow; /* 1: answered too when more was told of one of them than by `stamp`; 2: partial results too */
    uint64_t stamp;  /* of the newest result; 0: none yet */
} rm_msg_wait_t;

/* [id, outcome, attempt, reason, data] and, as far as one of them is not zero, progress, note */
typedef struct {
    uint64_t id;
    uint32_t outcome;  /* rm_outcome_t; NONE: not ended when the wait's time was over */
    uint32_t attempt;  /* attempts begun so far */
    rm_bytes_t reason; /* empty when done */
    rm_bytes_t data;   /* the result */
    uint32_t progress; /* of this attempt while it runs: permille and 1; 0: none was told */
    rm_bytes_t note;   /* what was told with it */
} rm_result_job_t;

typedef struct { /* [id, attempt, n, data] */
    uint64_t id;
    uint32_t attempt; /* from 1 */
    uint64_t n;       /* which of this attempt, from 1 */
    rm_bytes_t data;
} rm_partial_t;

typedef struct {
    rm_result_job_t *jobs; /* in the order asked; a frame that would be too large ends early: ask again for the rest */
    uint32_t job_count;
    uint64_t stamp;         /* to go on following with; 0: nothing was told yet, or it was not asked to follow */
    rm_partial_t *partials; /* follow 2, of one job: those since, in order */
    uint32_t partial_count;
} rm_msg_result_t;

typedef struct {
    rm_bytes_t client; /* who asks, for the log; may be empty */
} rm_msg_hello_t;

typedef struct {
    uint64_t term;
    rm_bytes_t work; /* endpoints to connect to */
    rm_bytes_t sync;
    rm_bytes_t http;
    uint32_t payload_bytes_max;
    uint32_t result_bytes_max;
    rm_bytes_t *masters; /* jobs endpoints of the group, the leader's included; none: it is the only one */
    uint32_t master_count;
    uint32_t ahead; /* submits of a session that may be under way, by their `after`; 0: one */
} rm_msg_welcome_t;

typedef struct {
    rm_bytes_t what; /* one of the words of docs/protocol.md, query */
    uint64_t id;     /* why, trace, peek: the job; events: after which number */
    rm_bytes_t
        queue;      /* jobs: only of this queue; empty: of all, and so with the next three. peek: the next one of it */
    uint32_t limit; /* jobs: at most so many; peek: bytes */
    rm_bytes_t state;
    rm_bytes_t key;
    rm_bytes_t worker;
    uint64_t before; /* jobs: only those with a lower id; 0: all */
} rm_msg_query_t;

typedef struct {
    rm_bytes_t json; /* one JSON document, UTF-8 */
} rm_msg_answer_t;

typedef struct {
    rm_bytes_t worker; /* a worker's name */
} rm_msg_drain_t;

typedef struct {
    rm_bytes_t what; /* "add", "remove", "transfer", "upgrade" */
    uint64_t id;     /* of the master, or the format to upgrade to */
    rm_bytes_t at;   /* add: its jobs endpoint; empty else */
} rm_msg_change_t;

typedef struct {
    rm_bytes_t what;  /* "cancel", "bury", "kick", "set" */
    uint64_t id;      /* the job; 0: those of the queue (kick) */
    rm_bytes_t queue; /* kick without an id, set: its name; empty else */
    rm_bytes_t text;  /* bury: why; set: "NAME=VALUE …", empty: only tell how it is set */
    uint32_t limit;   /* kick without an id: at most so many; 0: RM_MESSAGE_JOBS_MAX */
} rm_msg_order_t;

typedef struct {
    uint32_t retry_after_ms;
    rm_bytes_t text; /* what is full, a sentence */
} rm_msg_busy_t;

typedef struct {
    rm_bytes_t leader;   /* jobs endpoint of the leader; empty: not known yet */
    rm_bytes_t *masters; /* those of the group, as far as they are known */
    uint32_t master_count;
} rm_msg_not_leader_t;

typedef struct {
    int32_t code;    /* RM_E… */
    rm_bytes_t text; /* a sentence */
    uint64_t seq;    /* which request of a submit; 0: none in particular */
} rm_msg_error_t;

/* ---- worker ↔ master ------------------------------------------------------------------------------------------- */

typedef struct {
    rm_bytes_t name;
    uint64_t inc; /* incarnation: random per process start and per rejoin, never 0 */
    rm_bytes_t pool;
    rm_bytes_t *queues;
    uint32_t queue_count;
    uint32_t threads;
} rm_msg_join_t;

typedef struct {
    uint64_t term, epoch, inc;
    uint32_t lease_ms, grace_ms, heartbeat_ms;
    uint32_t result_bytes_max;
} rm_msg_joined_t;

/* What every worker → master message of a member says of itself. */
typedef struct {
    uint64_t term, inc;
    uint64_t upto;  /* every dispatch up to this seq has been received */
    uint64_t *held; /* ids received and neither handed back nor committed, finished ones included */
    uint32_t held_count;
} rm_report_t;

typedef struct {
    rm_report_t report;
    uint64_t n;    /* the heartbeat's number, from 1 */
    uint64_t seen; /* last_seq of the newest heartbeat_ok received in this term: upto < seen is a gap */
} rm_msg_heartbeat_t;

typedef struct {
    uint64_t term, epoch, inc;
    uint64_t n;        /* of the heartbeat answered */
    uint64_t last_seq; /* the newest dispatch sent to it in this term */
} rm_msg_heartbeat_ok_t;

typedef struct
{ /* [id, token, slot|nil, attempt, timeout_ms, flags, queue, key|nil, data]; seq counts up from the message's */
    uint64_t id;
    uint64_t token;
    uint32_t slot;    /* RM_SLOTS: without a key */
    uint32_t attempt; /* from 1 */
    uint32_t timeout_ms;
    uint32_t flags;
    rm_bytes_t queue;
    rm_bytes_t key; /* data == NULL: without a key */
    rm_bytes_t data;
} rm_dispatch_job_t;

typedef struct {
    uint64_t term, epoch, inc;
    uint64_t seq; /* of the first job */
    rm_dispatch_job_t *jobs;
    uint32_t job_count;
} rm_msg_dispatch_t;

typedef struct { /* [id, token, attempt, verdict, ran_us, reason, data] */
    uint64_t id;
    uint64_t token;
    uint32_t attempt;
    uint32_t verdict; /* rm_verdict_t */
    uint64_t ran_us;  /* how long the handler ran */
    rm_bytes_t reason;
    rm_bytes_t data;
} rm_done_job_t;

typedef struct {
    rm_report_t report;
    rm_done_job_t *jobs;
    uint32_t job_count;
} rm_msg_done_t;

typedef struct { /* [id, attempt] */
    uint64_t id;
    uint32_t attempt; /* from 1: this one and all before it are settled */
} rm_committed_job_t;

typedef struct {
    uint64_t term, inc;
    rm_committed_job_t *jobs;
    uint32_t job_count;
} rm_msg_committed_t;

typedef struct { /* [id, attempt] */
    uint64_t id;
    uint32_t attempt; /* this one */
} rm_stop_job_t;

typedef struct {
    uint64_t term, inc;
    rm_stop_job_t *jobs;
    uint32_t job_count;
} rm_msg_stop_t;

typedef struct {
    rm_report_t report;
} rm_msg_leave_t;

typedef struct { /* [id, attempt, permille, note] */
    uint64_t id;
    uint32_t attempt; /* from 1 */
    uint32_t permille;
    rm_bytes_t note;
} rm_progress_job_t;

typedef struct {
    uint64_t term, inc;
    rm_progress_job_t *jobs;
    uint32_t job_count;
} rm_msg_progress_t;

typedef struct {
    uint64_t term, inc;
    rm_partial_t *partials;
    uint32_t partial_count;
} rm_msg_partial_t;

typedef struct {
    uint64_t term, inc;
} rm_msg_rejoin_t;

typedef struct {
    uint64_t term, inc;
} rm_msg_left_t;

typedef struct { /* [name, inc] */
    rm_bytes_t name;
    uint64_t inc;
} rm_sync_member_t;

typedef struct { /* [first, last, from, to] below its pool's name */
    rm_bytes_t pool;
    uint32_t first, last; /* slots, both included */
    uint64_t from, to;    /* incarnations; 0: nobody */
} rm_sync_move_t;

/* {type:"sync", name, phase, data:{…}}. Which members of `data` are there depends on who speaks and on the phase. */
typedef struct {
    bool from_master; /* name == "Master" */
    rm_bytes_t name;
    uint32_t phase;            /* 1, 2, 3 */
    uint64_t term, epoch;      /* always */
    rm_report_t report;        /* worker: inc (always), upto and held (phases 1 and 2); its term is the message's */
    uint64_t current_job;      /* worker, 1: the highest job id it has received */
    uint64_t sync_to;          /* master, 2 */
    rm_sync_member_t *members; /* master, 2: every live incarnation */
    uint32_t member_count;
    rm_sync_move_t *moved; /* master, 2; grouped by pool */
    uint32_t moved_count;
    bool ok;            /* worker, 2 and 3: ack "ok", else "draining" */
    uint64_t *returned; /* worker, 2: ids handed back by this phase */
    uint32_t returned_count;
} rm_msg_sync_t;

/* ---- RPC client ↔ server (docs/rpc.md) --------------------------------------------------------------------------- */

typedef struct {
    rm_session_id_t session; /* the client */
    rm_bytes_t name;         /* what it calls itself; may be empty */
} rm_msg_rpc_hello_t;

typedef struct {
    rm_session_id_t session;
    uint64_t seq;     /* with the session: which call; from 1 */
    uint64_t floor;   /* every reply up to here has been received, or is not wanted any more */
    rm_bytes_t name;  /* of the function */
    rm_bytes_t args;  /* a MessagePack array (proto/rpc_values.h) */
    uint64_t left_ms; /* what is left of the time the client waits; 0: it waits for ever */
    uint32_t one;     /* 1: the session has no other call under way, so that the floor is one below `seq` */
} rm_msg_rpc_call_t;

typedef struct {
    rm_session_id_t session;
} rm_msg_rpc_bye_t;

typedef struct {
    rm_session_id_t session;
    uint32_t silence_ms; /* who says nothing for so long is taken for gone */
    uint32_t once;       /* 1: at-most-once */
} rm_msg_rpc_welcome_t;

typedef struct {
    rm_session_id_t session;
    uint64_t seq;
    rm_bytes_t values; /* a MessagePack array */
} rm_msg_rpc_result_t;

typedef struct {
    rm_session_id_t session;
    uint64_t seq;
    int32_t code;    /* RM_E… */
    uint32_t fault;  /* the function's own code, if it failed; else 0 */
    rm_bytes_t text; /* a sentence */
} rm_msg_rpc_error_t;

typedef struct {
    rm_session_id_t session;
    uint64_t seq; /* 0: the hello */
    uint32_t retry_after_ms;
    rm_bytes_t text; /* what is full, a sentence */
} rm_msg_rpc_busy_t;

/* ---- any ------------------------------------------------------------------------------------------------------- */

typedef struct {
    rm_msg_type_t type;
    union {
        rm_msg_hello_t hello;
        rm_msg_submit_t submit;
        rm_msg_wait_t wait;
        rm_msg_query_t query;
        rm_msg_drain_t drain;
        rm_msg_change_t change;
        rm_msg_order_t order;
        rm_msg_welcome_t welcome;
        rm_msg_accepted_t accepted;
        rm_msg_result_t result;
        rm_msg_answer_t answer;
        rm_msg_busy_t busy;
        rm_msg_not_leader_t not_leader;
        rm_msg_error_t error;
        rm_msg_join_t join;
        rm_msg_heartbeat_t heartbeat;
        rm_msg_done_t done;
        rm_msg_leave_t leave;
        rm_msg_progress_t progress;
        rm_msg_partial_t partial;
        rm_msg_joined_t joined;
        rm_msg_heartbeat_ok_t heartbeat_ok;
        rm_msg_dispatch_t dispatch;
        rm_msg_committed_t committed;
        rm_msg_stop_t stop;
        rm_msg_rejoin_t rejoin;
        rm_msg_left_t left;
        rm_msg_rpc_hello_t rpc_hello;
        rm_msg_rpc_call_t rpc_call;
        rm_msg_rpc_bye_t rpc_bye;
        rm_msg_rpc_welcome_t rpc_welcome;
        rm_msg_rpc_result_t rpc_result;
        rm_msg_rpc_error_t rpc_error;
        rm_msg_rpc_busy_t rpc_busy;
        rm_msg_sync_t sync;
    };
    void *arrays; /* memory of the arrays of a decoded message; NULL in one that is being built */
} rm_msg_t;

/* Reads one frame. 0, RM_EPROTO (`*why` is then a sentence in static memory, if `why` is not NULL) or RM_ENOMEM.
 * Only after 0 must the message be closed. `frame` must outlive the message. */
int rm_msg_decode (rm_msg_t *self, const void *frame, size_t size, const char **why);

/* Appends the message to `out`; 0 or RM_ENOMEM. RM_ASSERTs what only a bug of ours could get wrong. */
int rm_msg_encode (const rm_msg_t *self, rm_buf_t *out);

/* Frees the arrays of a decoded message. */
void rm_msg_close (rm_msg_t *self);

/* The name on the wire ("submit"); never NULL. */
const char *rm_msg_name (rm_msg_type_t type);

/* 1 … 128 bytes of printable ASCII without white space, '/' or '"': a queue's, pool's or worker's name. */
bool rm_name_valid (rm_bytes_t name);
