/*  Ledger entries: how a batch is spelled (docs/ledger.md). Little-endian, packed, strict: an unknown kind, a length that
 *  does not fit or trailing bytes make the whole batch RM_ECORRUPT ("ignore what you do not know" is for the wire only).
 *
 *     batch  = format:u8  time_ms:u64  entry*
 *     entry  = kind:u8  body
 *
 *  Thread rule: pure functions.
 */
#pragma once

#include "proto/buf.h"
#include "proto/msg.h"

/* Numbers of the log: never re-used. */
typedef enum {
    RM_ENTRY_LEAD = 1, /* a leader's barrier: raises the term */
    RM_ENTRY_SUBMIT = 2,
    RM_ENTRY_START = 3,   /* at-most-once: is about to be dispatched */
    RM_ENTRY_UNSTART = 4, /* at-most-once: came back without having started */
    RM_ENTRY_DONE = 5,
    RM_ENTRY_FAIL = 6, /* with the time of the next attempt */
    RM_ENTRY_BURY = 7,
    RM_ENTRY_MEMBER_ADD = 8,
    RM_ENTRY_MEMBER_REMOVE = 9, /* with the ids that were in flight there */
    RM_ENTRY_RESIZE_BEGIN = 10,
    RM_ENTRY_RESIZE_COMMIT = 11,
    RM_ENTRY_SESSION_EXPIRE = 12,
    RM_ENTRY_RESULT_EXPIRE = 13,
    /* Those below are of the state's format 2: RM_ENTRY_FORMAT comes before any of them. */
    RM_ENTRY_FORMAT = 14,      /* the state's format is this from now on */
    RM_ENTRY_SUBMIT_MORE = 15, /* a submit whose jobs may have options */
    RM_ENTRY_STOP = 16,        /* a job is to end: cancelled, expired or buried */
    RM_ENTRY_KICK = 17,        /* a dead job is submitted again */
    RM_ENTRY_QUEUE_SET = 18,
    RM_ENTRY_KINDS
} rm_entry_kind_t;

typedef struct {
    rm_session_id_t session;
    uint64_t floor;
    const rm_submit_job_t *jobs; /* reading: one, see rm_entry_next_job */
    uint32_t job_count;
} rm_entry_submit_t;

typedef struct { /* start, unstart */
    uint64_t id, inc;
} rm_entry_start_t;

typedef struct { /* done: verdict OK; fail: any other */
    uint64_t id, inc;
    uint32_t attempt;
    uint32_t verdict;
    uint64_t not_before_ms; /* fail: ledger time of the next attempt, should there be one */
    rm_bytes_t reason;      /* fail */
    rm_bytes_t data;        /* done */
} rm_entry_done_t;

typedef struct {
    uint64_t id;
    rm_bytes_t reason;
} rm_entry_bury_t;

typedef struct {
    uint64_t id;
    uint32_t outcome; /* rm_outcome_t: DEAD, CANCELLED or EXPIRED */
    bool at_once;     /* no worker has it; else it ends so when its worker is through with it, unless it is done then */
    rm_bytes_t reason;
} rm_entry_stop_t;

typedef struct {
    rm_bytes_t queue;
    uint32_t setting; /* rm_setting_t */
    uint64_t value;
} rm_entry_queue_set_t;

typedef struct {
    uint64_t inc;
    const uint64_t *ids; /* writing only; read one by one */
    uint32_t id_count;
} rm_entry_remove_t;

typedef struct {
    uint64_t epoch;
    const uint64_t *incs; /* members of the new assignment, in order of member number */
    uint32_t inc_count;
    const uint64_t *leaving; /* incarnations left out on purpose */
    uint32_t leaving_count;
} rm_entry_begin_t;

typedef struct {
    uint32_t queue; /* its number */
    uint32_t count; /* so many of its oldest outcomes are forgotten */
} rm_entry_expire_t;

/* Begins a batch: its header. */
void rm_entry_batch (rm_buf_t *out, uint64_t time_ms);
/* Sets the stamp of a batch that was begun with rm_entry_batch. */
void rm_entry_stamp (rm_buf_t *batch, uint64_t time_ms);
enum { RM_BATCH_HEADER_BYTES = 9 };

/* Each appends an entry. Memory that runs out shows in `out->failed`. */
void rm_entry_lead (rm_buf_t *out);
void rm_entry_submit (rm_buf_t *out, const rm_entry_submit_t *entry);
void rm_entry_start (rm_buf_t *out, const rm_entry_start_t *entry);
void rm_entry_unstart (rm_buf_t *out, const rm_entry_start_t *entry);
void rm_entry_done (rm_buf_t *out, const rm_entry_done_t *entry);
void rm_entry_bury (rm_buf_t *out, const rm_entry_bury_t *entry);
void rm_entry_member_add (rm_buf_t *out, const rm_msg_join_t *entry);
void rm_entry_member_remove (rm_buf_t *out, const rm_entry_remove_t *entry);
void rm_entry_resize_begin (rm_buf_t *out, const rm_entry_begin_t *entry);
void rm_entry_resize_commit (rm_buf_t *out, uint64_t epoch);
void rm_entry_session_expire (rm_buf_t *out, const rm_session_id_t *session);
void rm_entry_result_expire (rm_buf_t *out, const rm_entry_expire_t *entry);
void rm_entry_format (rm_buf_t *out, uint8_t format);
void rm_entry_stop (rm_buf_t *out, const rm_entry_stop_t *entry);
void rm_entry_kick (rm_buf_t *out, uint64_t id);
void rm_entry_queue_set (rm_buf_t *out, const rm_entry_queue_set_t *entry);

/* Reads a batch from the front. `bad` stays set once anything did not fit; what was read then is zero or empty. */
typedef struct {
    const uint8_t *at, *end;
    bool bad;
} rm_reader_t;

/* Each reads a value and steps behind it. */
uint8_t rm_read_u8 (rm_reader_t *self);
uint32_t rm_read_u32 (rm_reader_t *self);
uint64_t rm_read_u64 (rm_reader_t *self);
/* u32 length and bytes; aliases the input. */
rm_bytes_t rm_read_bytes (rm_reader_t *self);
/* The same for a queue's, pool's or worker's name: what is not rm_name_valid is bad. */
rm_bytes_t rm_read_name (rm_reader_t *self);
/* Copies `size` bytes. */
void rm_read_raw (rm_reader_t *self, void *to, size_t size);
/* A count of things of at least `least` bytes each: more than the bytes left can hold is bad. */
uint32_t rm_read_count (rm_reader_t *self, size_t least);

/* Each appends a value as rm_read_… reads it. */
void rm_write_u8 (rm_buf_t *out, uint8_t value);
void rm_write_u32 (rm_buf_t *out, uint32_t value);
void rm_write_u64 (rm_buf_t *out, uint64_t value);
void rm_write_bytes (rm_buf_t *out, rm_bytes_t value);

/* One job of a submit entry, written and read the same way everywhere. An absent key is told from an empty one. `more`: of
 * RM_ENTRY_SUBMIT_MORE, with its options. */
void rm_write_submit_job (rm_buf_t *out, const rm_submit_job_t *job, bool more);
rm_submit_job_t rm_read_submit_job (rm_reader_t *self, bool more);
/* True if the job asks for anything that only RM_ENTRY_SUBMIT_MORE can say. */
bool rm_job_has_options (const rm_submit_job_t *job);
/* The options: a bit for each that is not zero, then those. */
void rm_write_options (rm_buf_t *out, const rm_job_options_t *options);
rm_job_options_t rm_read_options (rm_reader_t *self);
rm_entry_stop_t rm_read_stop (rm_reader_t *self);
rm_entry_queue_set_t rm_read_queue_set (rm_reader_t *self);
/* A done or fail entry's body (both share one). */
rm_entry_done_t rm_read_done (rm_reader_t *self);
/* A member_add entry's body; `queues` has room for RM_WORKER_QUEUES_MAX. */
rm_msg_join_t rm_read_member_add (rm_reader_t *self, rm_bytes_t *queues);
