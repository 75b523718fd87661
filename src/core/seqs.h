/*  The client's side of a session: which number a submit carries, and up to where replies have been received
 *  (docs/protocol.md, "Sessions"; RIFL, Lee et al., SOSP 2015).
 *
 *  One submit is under way at a time, of one job or of several with numbers in a row, so `floor` is always one below the
 *  first number that is sent. A submit whose outcome is
 *  not known keeps its number: the same submit again is the same request, and another one gives the old one up, which
 *  the raised floor tells the master (a late copy of it is then refused as stale, so it cannot slip in afterwards). With
 *  the first one the session is given up, too: the master may not know it, and would refuse its second number until a late
 *  copy of the first came, which would let a late copy of the second in beside the one that was sent in another session.
 *
 *  Invariants: 1 <= seq, floor == seq - 1; `pending` is 0 or belongs to `seq`.
 *  Thread rule: none of its own; pure.
 */
#pragma once

#include "proto/msg.h"

enum { RM_SEQS_TEXT_BYTES = 128 }; /* room for every text of rm_seqs_save, its NUL included */

typedef struct {
    rm_session_id_t session;
    uint64_t seq;     /* of the pending submit, or of the next one */
    uint64_t floor;   /* every reply up to here has been received, or is not wanted any more */
    uint64_t pending; /* fingerprint of the submit that `seq` was sent with; 0: none is pending */
    uint32_t count;   /* of its jobs, with the numbers from `seq` */
    int64_t since_ms; /* when `seq` was sent first; signed, since that may be before this clock began */
    bool inherited;   /* from a text: the process before us may have sent `seq` already */
    bool known;       /* the master has accepted a submit of it, so that there is something to keep alive */
    bool over;        /* expired: the next submit begins a new session */
} rm_seqs_t;

/* A session in which nothing was sent yet. */
void rm_seqs_init (rm_seqs_t *self, const rm_session_id_t *session);

/* Begins a submit of 1 … RM_MESSAGE_JOBS_MAX jobs: sets the `seq` of each. `spare` becomes the session if this one is over. */
void rm_seqs_begin (rm_seqs_t *self, rm_submit_job_t *jobs, uint32_t count, const rm_session_id_t *spare,
                    int64_t now_ms);

/* The master accepted the pending submit: its numbers are used, its reply received. */
void rm_seqs_accepted (rm_seqs_t *self);

/* The master ended the pending submit with `error` (RM_E…). A refusal leaves the numbers unused; `stale` and `conflict`
 * say that they were used before; `expired` ends the session. */
void rm_seqs_refused (rm_seqs_t *self, int error);

/* Begins a new session for the pending submit, which the old one is known not to have run. */
void rm_seqs_renew (rm_seqs_t *self, rm_submit_job_t *jobs, const rm_session_id_t *spare, int64_t now_ms);

/* True once a re-send of the pending submit might meet a master that has forgotten the session: half its ttl after it
 * was sent first. */
bool rm_seqs_too_old (const rm_seqs_t *self, int64_t now_ms);

/* Writes "session:seq:floor:pending:sent" (hex, decimal, decimal, hex, milliseconds of `unix_ms`' calendar clock), and
 * ":count" behind it if several jobs are pending, all another process needs to go on here; of a session that is over,
 * one that rm_seqs_load finds too old. 0, or RM_ETOOBIG if `size` is too small. */
int rm_seqs_save (const rm_seqs_t *self, int64_t now_ms, int64_t unix_ms, char *text, size_t size);

/* Reads a text of rm_seqs_save. 0, RM_EINVAL (not such a text), RM_EEXPIRED (too old to be sent again safely); `self`
 * is unchanged on error. */
int rm_seqs_load (rm_seqs_t *self, const char *text, int64_t now_ms, int64_t unix_ms);
