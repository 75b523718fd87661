/*  The deciding half of the pipelined client: many jobs under way at a time, batched on the wire, their results as they
 *  end (docs/protocol.md, "A client"; sessions: RIFL, Lee et al., SOSP 2015).
 *
 *           ┌──────── busy, silence, another leader: the same (session, seq) once more ───────┐
 *           ▼                                                                                 │
 *      ──▶ GATHERED ── no more under way than may be ───────────▶ SENT ───────────────────────┤
 *                                                                  │ accepted                 │ refused, or nobody
 *                                                                  ▼                          ▼ knows
 *           ┌─────────── its wait is over, or lost ─────────── UNASKED ── wait ──▶ ASKED    ended
 *           └─────────────────────────────────────────────────────▲──────────────────┤        ▲
 *                                                                                     └─ ended ┘
 *
 *  One submit is under way, or a few, where the master says that it takes them one after the other or not at all: what
 *  is added meanwhile is gathered, and leaves with the next. So nothing waits where nothing is under way, a message
 *  grows with the load, and jobs are accepted in the order in which they were added, whatever is lost or refused on
 *  the way. Waits are beside that, as many as it takes.
 *
 *  Invariants: of the jobs that are not accepted, those that were sent come first, and their numbers are in a row; a
 *  number stands for one job as long as the session lives; everything below the first of them is behind the floor; a
 *  job is not sent again later than half the session's ttl after it was sent first; each job ends once.
 *  Thread rule: none of its own; pure. The clock is the caller's, monotonic, in milliseconds. In-place struct.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/hash.h"
#include "core/line.h"
#include "core/list.h"
#include "proto/buf.h"
#include "proto/msg.h"

enum {
    RM_FLOW_FRAME_BYTES = 1 << 20, /* a submit grows no larger; one job may be */
    RM_FLOW_SUBMITS_MAX = 2,       /* under way at a time; more make smaller messages and no more jobs */
    RM_FLOW_MERGE_MS = 100,        /* waits that end this close together become one */
    RM_FLOW_PATIENCE_MS = 4000     /* a submit goes unanswered for so long while the master says other things */
};

/* How a job ends beside the wire's outcomes. */
enum {
    RM_FLOW_REFUSED = 7, /* it was not accepted, and the reason says why */
    RM_FLOW_UNSURE = 8   /* it may have been accepted, or not */
};

typedef enum { RM_FLOW_GATHERED, RM_FLOW_SENT, RM_FLOW_UNASKED, RM_FLOW_ASKED, RM_FLOW_STATES } rm_flow_state_t;

typedef struct rm_flow_job {
    rm_link_t link; /* in `gathered`, `unasked` or `asked` */
    rm_flow_state_t state;
    uint64_t seq;             /* 0: it has no number yet */
    uint64_t id;              /* once accepted */
    uint64_t first_ms;        /* when it was sent first under this number */
    uint64_t asked_ms;        /* ASKED: when */
    UT_hash_handle hh;        /* rm_flow_t.by_id */
    struct rm_flow_job *twin; /* the same job in the master's eyes, by its own name; in no list, ends with this one */
    uint64_t tag;             /* the caller's */
    rm_submit_job_t job;      /* of bytes behind this struct */
} rm_flow_job_t;

/* What it has done; called within its functions, which must not be called from there. */
typedef struct {
    void *arg;
    void (*open) (void *arg, const char *endpoint); /* a socket to there, in place of the one there is */
    void (*close) (void *arg);                      /* drop the socket; a reply of it must not be handed in any more */
    void (*send) (void *arg, rm_buf_t *frame);      /* may take over what is in it */
    /* It ended; `row` says how, and lives until this returns. The job is freed then. False: there is no memory for that,
     * and it is told again later. */
    bool (*ended) (void *arg, const rm_flow_job_t *job, const rm_result_job_t *row);
} rm_flow_out_t;

typedef struct {
    rm_line_t line;
    rm_flow_out_t out;
    rm_session_id_t session, spare;
    bool wants_spare;   /* the spare one was used: rm_flow_spare */
    bool known;         /* the master has accepted something of the session */
    bool renewed;       /* the session was new when what is sent was sent */
    uint64_t last_seq;  /* newest number given in it */
    rm_link_t gathered; /* not accepted yet, in order, those sent first */
    rm_link_t unasked;  /* accepted, and no wait of ours stands */
    rm_link_t asked;    /* by `asked_ms` */
    rm_flow_job_t *by_id;
    uint32_t count;                      /* jobs in all */
    uint32_t under_way;                  /* the first so many of `gathered` are in submits that are not answered … */
    rm_flow_job_t *newest;               /* … of which this is the last one; valid while there are any … */
    uint32_t submits;                    /* … which are so many … */
    uint32_t parts[RM_FLOW_SUBMITS_MAX]; /* … of so many jobs each */
    uint32_t ahead;        /* submits that this master takes one after the other, before it has answered the first */
    bool alone;            /* one of them was refused: the next is sent when those before it are answered */
    uint32_t most;         /* jobs in the next submit; halved by busy */
    uint64_t sent_ms;      /* the submit under way: when */
    uint64_t due_ms;       /* … and when it is taken to be lost; none under way: not before that */
    uint64_t paused_ms;    /* nobody leads: nothing is said before that; 0: it is not so */
    uint64_t slack_ms;     /* how late the answer to a wait may be */
    uint32_t turns;        /* to another master, since one was of use */
    bool busy;             /* the newest answer to a submit */
    uint64_t random;       /* state of the jitter's generator */
    rm_submit_job_t *jobs; /* room for a message's */
    uint64_t *ids;         /* likewise */
    rm_buf_t frame;
} rm_flow_t;

/* A client of the masters at `masters` (copied). 0, RM_EINVAL (as rm_line_init), RM_ENOMEM. Both sessions are 128
 * random bits, `seed` is of the jitter. */
int rm_flow_init (rm_flow_t *self, const char *const *masters, uint32_t count, const rm_session_id_t session[2],
                  uint64_t seed, const rm_flow_out_t *out, uint64_t now_ms);
/* Nobody is told of the jobs that are left. */
void rm_flow_close (rm_flow_t *self);

/* Another spare session, when it wants one. */
void rm_flow_spare (rm_flow_t *self, const rm_session_id_t *spare);

/* Adds a job, of which it makes a copy. 0 or RM_ENOMEM. Nothing is sent yet: rm_flow_time does. */
int rm_flow_add (rm_flow_t *self, const rm_submit_job_t *job, uint64_t tag, uint64_t now_ms);
/* A reply came on the newest socket. */
void rm_flow_reply (rm_flow_t *self, const rm_msg_t *msg, uint64_t now_ms);
/* Does what is due: sends what may be sent, leaves a master that is silent. */
void rm_flow_time (rm_flow_t *self, uint64_t now_ms);
/* When rm_flow_time is to be called at the latest; RM_LINE_FOREVER. */
uint64_t rm_flow_until (const rm_flow_t *self);

/* What keeps the jobs from ending, as a sentence without a full stop. */
void rm_flow_tell (const rm_flow_t *self, uint64_t now_ms, char *text, size_t size);
