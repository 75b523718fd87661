/*  What has happened to jobs lately, for whoever watches: a ring of events that is there only while somebody asks for it, so
 *  that it costs nothing otherwise. It is in memory only, and one leader's: the next one begins another.
 *
 *  Each event has a number, which grows by one and is spent also while nobody watches: who comes back too late is told how
 *  many were missed.
 *
 *  Invariant: the events kept are those of the newest `count` numbers.
 *  Thread rule: the leader's. Pure: the time comes in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    RM_JOURNAL_EVENTS = 16384,     /* that are kept */
    RM_JOURNAL_WATCHED_MS = 10000, /* how long after the last question it is kept */
};

typedef enum {
    RM_EVENT_ACCEPTED,
    RM_EVENT_BEGUN,    /* given to a worker */
    RM_EVENT_RETURNED, /* given back by it, not started */
    RM_EVENT_FAILED,   /* an attempt, and another one will be */
    RM_EVENT_ENDED,
    RM_EVENT_PROGRESS, /* it said how far it is */
    RM_EVENT_STOPPING, /* it is to end before it is done; only remembered, not told to whoever watches */
    RM_EVENTS
} rm_event_kind_t;

typedef struct {
    uint64_t id;      /* of the job */
    uint64_t inc;     /* of the worker; 0: none */
    uint64_t wall_ms; /* when */
    uint32_t attempt;
    uint16_t kind;    /* rm_event_kind_t */
    uint16_t outcome; /* ended: rm_outcome_t; progress: permille */
} rm_event_t;

typedef struct {
    rm_event_t *events; /* NULL: nobody watches */
    uint32_t count;
    uint64_t last;       /* the newest number; its high bits are the term */
    uint64_t watched_ms; /* mono: until when it is kept */
} rm_journal_t;

/* Begins the numbers of a term: they are above those of every earlier one. Drops what there is. */
void rm_journal_begin (rm_journal_t *self, uint64_t term);
void rm_journal_close (rm_journal_t *self);

/* Somebody asks: events are kept from now on. False: there is no memory for them. */
bool rm_journal_watch (rm_journal_t *self, uint64_t mono_ms);

/* True if an event would be kept; spends its number if not. */
bool rm_journal_wants (rm_journal_t *self, uint64_t mono_ms);

/* Keeps an event, in place of the oldest one if there is no room. Only while it is wanted. */
void rm_journal_note (rm_journal_t *self, const rm_event_t *event);

/* The first number after `after` that is kept; *lost: how many between them are not. Above `last`: there is none. What is
 * not of this term is before all. */
uint64_t rm_journal_next (const rm_journal_t *self, uint64_t after, uint64_t *lost);

/* The event of a number that is kept. */
const rm_event_t *rm_journal_event (const rm_journal_t *self, uint64_t number);
