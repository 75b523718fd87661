/*  A client's line to the masters, the part that the lazy pirate and the pipelined client share: which master is asked, how
 *  long a try may take, where to go when one says that another leads, and how long to wait where nobody does (the
 *  ZeroMQ guide, chapter 4; docs/protocol.md, "A client").
 *
 *  Invariants: after an unanswered try the next one goes out on a fresh socket (`connected` is false), to the next master.
 *  Thread rule: none of its own; pure. The clock is the caller's, monotonic, in milliseconds. In-place struct.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/backoff.h"
#include "core/masters.h"

#define RM_LINE_FOREVER UINT64_MAX

enum {
    RM_LINE_INITIAL_MS = 250,       /* first per-try timeout */
    RM_LINE_FACTOR_PERMILLE = 2000, /* how it grows */
    RM_LINE_CAP_MS = 8000,          /* where its growth stops */
    RM_LINE_GROUP_MS = 400,         /* … where another master may lead by now: about an election */
    RM_LINE_GLANCE_MS = 75,         /* for a hello's first try of a master that is not the last one known */
    RM_LINE_REDIRECTS_MAX = 5,      /* `not_leader` followed at once, in a row */
    RM_LINE_ASK_MS = 1000,          /* how long a master may sit on one `wait` */
    RM_LINE_WORDS_BYTES = 512
};

typedef struct {
    rm_backoff_t policy;      /* of the per-try timeout, without its jitter */
    rm_retry_budget_t budget; /* re-sends it may make, so that a fleet of clients does not become the outage */
    rm_masters_t masters;
    bool connected;                        /* there is a socket to the master in turn */
    bool leaderless;                       /* the last answer was "not me" */
    char alone[RM_ENDPOINT_BYTES_MAX + 1]; /* who last said that, if it named no other one; else "" */
    bool apart;         /* they are RPC servers, each on its own, and no group that one of may lead */
    bool sure;          /* another master named the one in turn, and it is not taken to be dead */
    uint64_t heard_ms;  /* when a master last answered with more than "not me"; until then, when it began */
    uint32_t failures;  /* timeouts since a master was of use: the growth */
    uint32_t redirects; /* followed in a row */
    char words[RM_LINE_WORDS_BYTES]; /* what a master said with its last busy or error; one line of text */
} rm_line_t;

/* The defaults: 250 ms, doubled up to 8 s, without end. */
rm_backoff_t rm_line_policy (void);

/* A line to the masters at `masters` (copied). 0, RM_EINVAL (none, too many, or an endpoint that is empty or too long),
 * RM_ENOMEM. */
int rm_line_init (rm_line_t *self, const char *const *masters, uint32_t count, uint64_t now_ms);
void rm_line_close (rm_line_t *self);

/* Takes the growth of the per-try timeout; what it says of jitter is not looked at. 0, or RM_EINVAL with `*why` as
 * rm_backoff_check. */
int rm_line_configure (rm_line_t *self, const rm_backoff_t *policy, const char **why);

/* Something is asked after a time in which nothing was. */
void rm_line_begin (rm_line_t *self, uint64_t now_ms);

/* How long to wait for an answer to what is sent now, jitter included. */
uint64_t rm_line_try_ms (const rm_line_t *self, uint64_t random);
/* For a hello, which is harmless to ask twice: how long to wait before the next master is asked that was not asked yet. */
uint64_t rm_line_glance_ms (uint64_t random);
/* How long to listen on where there is no re-send left in the budget. */
uint64_t rm_line_listen_ms (const rm_line_t *self);

/* A master answered something of use. */
void rm_line_heard (rm_line_t *self, uint64_t now_ms);

/* The master in turn did not answer what was sent at `sent_ms`: the next one is in turn. */
void rm_line_silent (rm_line_t *self, uint64_t sent_ms, uint64_t now_ms);

/* It has not answered within a glance, and may well do so later: the next one is in turn, and nothing is held against it. */
void rm_line_pass_by (rm_line_t *self, uint64_t now_ms);

/* It does not lead: the one that leads, or the next one, is in turn. True: it has named the leader, which is to be asked at
 * once, if `may_follow`; false: wait first. */
bool rm_line_turn (rm_line_t *self, const rm_msg_not_leader_t *reply, bool may_follow, uint64_t now_ms);

/* How long to wait where nobody is known to lead, after so many sends that brought it no further; jitter included. */
uint64_t rm_line_pause_ms (const rm_line_t *self, uint32_t sends, uint64_t now_ms, uint64_t random);
/* How long a busy master is let alone; keeps its words. */
uint64_t rm_line_busy_ms (rm_line_t *self, const rm_msg_busy_t *busy, uint64_t random);

/* Keeps what a master said, fit for a terminal. */
void rm_line_keep_words (rm_line_t *self, rm_bytes_t words);
/* "no master answered for 3.1 s (asked …)", or that one is up, but has no majority with it. */
void rm_line_tell_silence (const rm_line_t *self, uint64_t now_ms, char *text, size_t size);

/* `base` plus `more`, or for ever. */
static inline uint64_t rm_line_after (uint64_t base_ms, uint64_t more_ms)
{
    return more_ms > RM_LINE_FOREVER - base_ms ? RM_LINE_FOREVER : base_ms + more_ms;
}
