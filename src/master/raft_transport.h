/*  How masters reach each other: TCP, each line opened with the hello of raft_hello.h. libraft dials through this and writes
 *  to the lines itself; what comes in is read here (raft_reader.c) and handed over as whole messages, so that libraft never
 *  reads from a socket. A snapshot travels on a line of its own, so that heartbeats do not queue up behind it.
 *
 *  A group of one needs no port: without a bind address nothing listens.
 *
 *  Limits: a hello takes 2 s at most; 32 are under way at a time from outside, the oldest makes room for the next; what it
 *  may be long is said in raft_hello.h, what a message may be in raft_wire.h. Without a secret, only this machine's own
 *  addresses are talked to, in either direction. SIGPIPE is ignored for the whole process: libuv's writes would raise it.
 *
 *  Thread rule: the loop's thread.
 */
#pragma once

#include <raft.h>
#include <raft/uv.h>
#include <uv.h>

#include "master/raft_hello.h"
#include "master/raft_wire.h"

enum {
    RM_RAFT_HELLO_MS = 2000,    /* from the first packet to the verdict */
    RM_RAFT_HALF_OPEN_MAX = 32, /* hellos under way, from outside */
    RM_RAFT_LINES_MAX = 64,     /* open ones from outside */
    RM_RAFT_SILENT_MS = 3000,   /* what was sent is not acknowledged by the other machine: the line is given up */
    RM_RAFT_SAYINGS = 16        /* sentences remembered, so that they are not said again for a while */
};

#define RM_RAFT_ELSEWHERE "!" /* at the end of a name: it cannot be reached */

typedef struct rm_raft_line rm_raft_line_t;

/* What it asks, and tells, its owner. */
typedef struct {
    void *arg; /* the first argument of each */

    /* Fills in what to say of this master. */
    void (*describe) (void *arg, rm_raft_facts_t *mine);

    /* What to think of a peer that wants that. On RM_RAFT_ASK the founders may be filled in. */
    rm_raft_verdict_t (*judge) (void *arg, rm_raft_wish_t wish, const rm_raft_facts_t *peer,
                                rm_raft_roster_t *founders);

    /* Whether libraft may reach that one at all; it goes on trying those that were removed. */
    bool (*knows) (void *arg, uint64_t id);

    /* A message has come, and belongs to the owner now. */
    void (*receive) (void *arg, const rm_raft_facts_t *peer, struct raft_message *message);

    /* A line that libraft writes to was closed by its peer, or failed. libraft does not know. */
    void (*gone) (void *arg, uint64_t id);

    /* For the log; not more often than is good for it. */
    void (*said) (void *arg, const char *sentence);
} rm_raft_transport_events_t;

typedef struct {
    uv_loop_t *loop;
    rm_raft_transport_events_t events;
    uint8_t key[RM_RAFT_KEY_BYTES];
    bool secret;           /* there is one */
    uv_tcp_t listener;     /* if it listens */
    unsigned port;         /* it listens on; 0: it does not */
    uv_timer_t timer;      /* looks for hellos that take too long */
    rm_raft_line_t *lines; /* all but those that libraft has */
    unsigned attempts;     /* dialled so far; names with several addresses are tried in turn */
    bool resolving;        /* a name, in another thread: one at a time, since the disk needs those threads */
    unsigned handles;      /* not yet closed: listener, timer, lines */
    bool open;             /* timer (and listener) are there */
    bool closing;
    struct raft_uv_transport *face;
    raft_uv_transport_close_cb closed;

    struct { /* said lately */
        uint64_t hash;
        uint64_t at_ms;
    } sayings[RM_RAFT_SAYINGS];
    double allowance; /* sentences that may be said at once */
    uint64_t allowed_ms;
    unsigned unsaid; /* since the last that was */
} rm_raft_transport_t;

/* Prepares it, and `face`, through which libraft sees it. Nothing is opened. */
void rm_raft_transport_init (rm_raft_transport_t *self, uv_loop_t *loop, const rm_raft_transport_events_t *events,
                             const void *secret, size_t secret_size, struct raft_uv_transport *face);

/* Begins, and listens at `bind` (host:port; NULL: does not). 0, or RM_EINVAL, RM_EDENIED or RM_EIO with a sentence. What
   was begun is closed by libraft, through the face. */
int rm_raft_transport_open (rm_raft_transport_t *self, const char *bind, char *error, size_t error_size);

/* What came of a call. */
typedef struct {
    int status; /* 0, RM_EUNREACHABLE, RM_ETIMEDOUT, RM_EDENIED (there is a verdict, or the hello failed), RM_EINTERRUPTED */
    rm_raft_verdict_t verdict;            /* 0: none came */
    const rm_raft_statement_t *statement; /* the other's; NULL: none came */
    uv_stream_t *stream; /* RM_RAFT_TALK and 0: the line, which is the callee's now, from raft_malloc */
} rm_raft_dialled_t;

typedef void rm_raft_dialled_fn (void *arg, const rm_raft_dialled_t *result);

/* Calls that master. With RM_RAFT_SHIP the cargo (two pieces, which must live until then) is sent before `done` is called.
   0: `done` is called once, later; or RM_E…, and it is not. */
int rm_raft_transport_dial (rm_raft_transport_t *self, rm_raft_wish_t wish, uint64_t id, const char *address,
                            const uv_buf_t *cargo, rm_raft_dialled_fn *done, void *arg);

/* Judges those again who have lines to us: the group may have changed. */
void rm_raft_transport_review (rm_raft_transport_t *self);

/* Tells the owner something about a peer, unless it said so lately. */
void rm_raft_transport_say (rm_raft_transport_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
