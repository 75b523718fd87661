/*  What a client of the chaos must not forget when it is killed: a file in memory that its successor takes over, and that
 *  the chaos reads while it runs.
 *
 *  Invariants: a job is pending from before its request is struck off until after its outcome is in the history, so that
 *  whatever moment the client dies at, its successor says too much (the same acceptance or outcome again), never too
 *  little. `notes[note]` is whole at any moment.
 *  Thread rule: atomics, and one thread each that submits and collects.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    DESK_WINDOW = 64,  /* jobs that were submitted and have not ended */
    DESK_RECENT = 256, /* outcomes that are asked for again at the end */
    DESK_SESSION_BYTES = 128
};

typedef struct {
    _Atomic uint64_t id; /* 0: the place is free */
    _Atomic uint64_t n;
} desk_job_t;

/* Where a client is: its session before request `n`. */
typedef struct {
    char session[DESK_SESSION_BYTES]; /* "": a new one */
    uint64_t n;
} desk_note_t;

typedef struct {
    desk_note_t notes[2];
    atomic_uint note; /* the valid one */
    desk_job_t pending[DESK_WINDOW];
    _Atomic uint64_t recent[DESK_RECENT];
    _Atomic uint64_t accepted, ended; /* for the progress line: a killed client may have counted twice */
} desk_t;

/* Maps the file, made if it is not there; NULL with errno. It stays mapped. */
desk_t *desk_open (const char *path);

/* Notes the session in front of request `n`. */
void desk_note (desk_t *self, const char *session, uint64_t n);
/* Puts an accepted job among the pending ones; false if there is no room. */
bool desk_put (desk_t *self, uint64_t id, uint64_t n);
/* Takes it out again, with its outcome known. */
void desk_take (desk_t *self, desk_job_t *job);
unsigned desk_pending (const desk_t *self);
