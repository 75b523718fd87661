/*  The history of a cluster: what was accepted, what ended how, what ran where and when, and which processes were killed
 *  or stopped. One checker over all of it, used by every integration test.
 *
 *  What it demands:
 *    - a request (session, seq) is one job, and a job is one request;
 *    - every accepted job has an outcome, one of those it may have and for a reason it may have, the same to everyone who
 *      asks; `done` has the bytes that its payload stands for, and a run in the attempt that counts came to its end;
 *    - no job of a key has its outcome while an older one has none;
 *    - the jobs of a key start in the order of their places, which is that in which they were accepted but for what held its
 *      key and was kicked: none starts once one behind it has;
 *    - no key and no job runs twice at a time;
 *    - the tokens of a key grow with every start;
 *    - an at-most-once job starts once at most; what was not accepted never runs;
 *    - a worker that is cut off from the master runs nothing any more once its lease is over.
 *
 *  A process that was stopped (SIGSTOP) is excused from its first stopped moment until HISTORY_WAKE_MS after it went on:
 *  it cannot know that its lease is over. The same holds if it noticed by itself that the machine had not let it run for a
 *  while (`slept`, see history_pen.h). That is all that is excused.
 *
 *  Thread rule: history_read, history_line and history_check in one thread; the others in any.
 *  Times: microseconds of CLOCK_MONOTONIC.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "answer.h"

enum {
    HISTORY_KEY_BYTES = 64,
    HISTORY_BYTES_MAX = 64,  /* of a result, with a NUL */
    HISTORY_WAKE_MS = 1500,  /* grace, and a machine under load */
    HISTORY_LEASE_MS = 1000, /* a master's own, unless it is told another */
    HISTORY_HALT_MS = 750,   /* until nothing runs when it is over: grace, and a machine under load */
    HISTORY_TEXT_BYTES = 240,
    HISTORY_WHO_BYTES = 32,
};

/* Why a job may be dead. */
enum {
    HISTORY_OF_LOST = 1,    /* at-most-once, and its worker died */
    HISTORY_OF_CRASHES = 2, /* three workers died with it */
    HISTORY_OF_ITSELF = 4,  /* its handler failed, or took too long */
};

typedef struct history history_t;

/* A job that was accepted. */
typedef struct {
    char session[33];            /* hex */
    uint64_t seq;                /* of its request */
    uint64_t id;                 /* accept order */
    uint64_t place;              /* it stands in its key's line as if it had this id; 0: as it has */
    char key[HISTORY_KEY_BYTES]; /* "queue/key"; "-": without a key */
    unsigned may_end;            /* 1 << RM_DONE, 1 << RM_DIED: the outcomes it may have */
    bool at_most_once;
    char bytes[HISTORY_BYTES_MAX]; /* what `done` must bring; "": anything */
    unsigned may_die_of;           /* HISTORY_OF_…; 0: of anything */
} history_job_t;

/* How a job ended, as a client was told. */
typedef struct {
    uint64_t id;
    int outcome; /* RM_DONE … */
    unsigned attempt;
    char bytes[HISTORY_BYTES_MAX];
    char reason[HISTORY_BYTES_MAX];
} history_outcome_t;

history_t *history_new (void);
void history_destroy (history_t **self_p);

void history_accepted (history_t *self, const history_job_t *job);
/* May be said of a job again and again, by whoever asked. */
void history_ended (history_t *self, const history_outcome_t *outcome);
/* `older` was asked about after `younger`, of the same key, had ended; and it had not. */
void history_overtaken (history_t *self, uint64_t older, uint64_t younger);
void history_died (history_t *self, pid_t pid, uint64_t us);
void history_stopped (history_t *self, pid_t pid, uint64_t from_us, uint64_t to_us);

/* Takes a line as history_pen.h spells them, without its end; false if it is none. */
bool history_line (history_t *self, const char *line);
/* Takes all lines of a file; how many there were, -1 if one is none or the file cannot be read. */
long history_read (history_t *self, const char *path);

/* Nothing happens in this test that is a reason to start a job again: the checker allows one start of each. */
void history_forbid_restarts (history_t *self);

/* How many acceptances were noted; after the check: how many jobs. */
size_t history_size (history_t *self);

/* Says each fault in a line on `out`; how many there are. */
size_t history_check (history_t *self, FILE *out);

/* "done", "dead" … */
const char *history_outcome_name (int outcome);

/* What there was in it all. */
typedef struct {
    size_t jobs, done;
    size_t died_lost, died_crashed, died_itself; /* and what became of the others */
    size_t starts, ended;                        /* runs, and those of them that came to an end of their own */
    size_t excused;                              /* starts that were not judged */
    size_t deaths, stops, sleeps, cuts;          /* of processes */
    uint64_t gap_us;                             /* the longest time without an acceptance */
} history_tally_t;

/* After history_check. */
history_tally_t history_tally (const history_t *self);
