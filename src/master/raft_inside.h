/*  The ledger's insides, shared by the files that make it: raft_ledger.c (its life), raft_machine.c (what libraft calls) and
 *  raft_snapshot.c (how a snapshot is taken).
 *
 *  Thread rule: the loop's thread; `sealing` says when another one reads the snapshot.
 */
#pragma once

#include <raft.h>
#include <raft/uv.h>
#include <uv.h>

#include "master/raft_batch.h"
#include "master/raft_dir.h"
#include "master/raft_ledger.h"
#include "master/raft_mark.h"
#include "master/raft_scan.h"

enum { RM_RAFT_TAIL_BATCHES = 4096 }; /* kept in the log behind a snapshot, at most */

/*      NEW ──start──▶ LOADING ──▶ OPEN ──close──▶ CLOSING ──▶ CLOSED ──▶ freed
 *       │                │                           ▲
 *       └──close──▶ freed└──────── close ────────────┘
 */
typedef enum {
    RM_RAFT_NEW,     /* nothing of libraft's is there */
    RM_RAFT_LOADING, /* libraft is there, and reads or has read; start has not succeeded */
    RM_RAFT_OPEN,
    RM_RAFT_CLOSING, /* libraft is on its way down */
    RM_RAFT_CLOSED   /* libraft is gone; our handles are on their way */
} rm_raft_stage_t;

/* A snapshot that is being taken. */
typedef struct {
    bool active;             /* one is being taken */
    rm_ledger_part_t *parts; /* the owner's */
    size_t part_count;
    struct raft_buffer *buffers; /* the header and the parts in pieces, for libraft */
    unsigned buffer_count;
    uint8_t header[RM_RAFT_SNAPSHOT_HEADER_BYTES]; /* the first of the buffers */
    rm_raft_snapshot_head_t head;
    raft_index index;   /* of the newest entry in it */
    uint64_t log_bytes; /* logged since the snapshot before, when this one was taken */

    /* While another thread computes the checksum: what libraft asked for, to go on with. */
    bool sealing;
    uv_work_t work;
    unsigned trailing;
    struct raft_io_snapshot_put *request;
    const struct raft_snapshot *snapshot;
    raft_io_snapshot_put_cb done;
} rm_raft_taking_t;

struct rm_ledger {
    uv_loop_t *loop;
    rm_ledger_events_t events;
    rm_ledger_config_t config; /* without zeros; its strings are owned */

    rm_raft_stage_t stage;
    bool broken;    /* `error` says why; nothing is applied or settled with 0 any more */
    bool told;      /* the owner knows it */
    bool leader;    /* as told to the owner */
    raft_term term; /* in which it leads */
    bool caught_up; /* snapshots may be taken */
    char error[RM_RAFT_SENTENCE_BYTES + 256];

    rm_raft_dir_t dir;
    rm_raft_mark_t mark;
    struct raft_uv_transport transport;
    struct raft_io io;
    struct raft_fsm fsm;
    struct raft raft;
    int (*snapshot_put) (struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *request,
                         const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb done); /* libraft's own */

    uv_prepare_t prepare; /* before and after each wait of the loop, to see what has changed */
    uv_check_t check;
    uv_timer_t timer;   /* to see what has not */
    unsigned handles;   /* of the three, not yet closed */
    uint64_t ticked_ms; /* when the timer fired last */
    unsigned ticks;

    rm_raft_link_t applied; /* the newest batch in the state */
    rm_raft_link_t chained; /* the newest batch proposed: the next one follows it */
    uint64_t issued;        /* tickets given */
    uint64_t settled;       /* tickets settled */
    uint64_t watched;       /* `settled`, when the timer fired last */
    uint64_t waited_ms;     /* for it to grow */
    uint64_t inflight_bytes;

    uint64_t log_bytes;                  /* since the newest snapshot */
    uint32_t tail[RM_RAFT_TAIL_BATCHES]; /* bytes of the newest batches in the log, by number */
    uint64_t tail_count;                 /* how many of them are known */
    uint64_t snapshots;                  /* written */
    uint64_t snapshot_bytes;             /* of the newest one */
    uint64_t retry_bytes;                /* of log, before which no other snapshot is tried */
    uint64_t free_bytes;                 /* on the disk */
    rm_raft_taking_t taking;

    void (*closed) (void *arg); /* set: to be closed */
    void *closed_arg;
};

/* Stops applying and settling, for the reason given; the owner is told from the loop. The first reason counts. */
void rm_raft_ledger_fail (rm_ledger_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

/* Takes libraft down, once nobody reads a snapshot any more; the rest follows from the loop. */
void rm_raft_ledger_shut (rm_ledger_t *self);

/* Fills in what libraft calls: the state machine, and our part of its disk. */
void rm_raft_machine_init (rm_ledger_t *self);

/* Lets libraft take a snapshot at its next event, if enough was logged and none is being taken. */
void rm_raft_snapshot_arm (rm_ledger_t *self);

/* libraft's three calls about snapshots, and the one to its disk that waits for the checksum. */
int rm_raft_snapshot_take (struct raft_fsm *fsm, struct raft_buffer **buffers, unsigned *count);
int rm_raft_snapshot_done (struct raft_fsm *fsm, struct raft_buffer **buffers, unsigned *count);
int rm_raft_snapshot_put (struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *request,
                          const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb done);
