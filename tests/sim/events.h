/*  What is to happen when: a heap of events, those of one moment in the order they were added.
 *
 *  Thread rule: belongs to one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    SIM_ARRIVES,    /* what: the packet */
    SIM_TURN,       /* the end of a turn of a process's loop */
    SIM_WAKE,       /* a timer of it */
    SIM_WRITTEN,    /* number: of the write that is on a master's disk */
    SIM_RAFT,       /* a timer of a master's ledger */
    SIM_LETTER,     /* what: from one master to another */
    SIM_STANDS,     /* a master that was deposed may lead again */
    SIM_CONNECTED,  /* a worker has found the master */
    SIM_START,      /* a thread looks for a job */
    SIM_END,        /* number: thread; what: nothing; a handler returns */
    SIM_TELLS,      /* number: thread; more: its run; a handler says how far it is */
    SIM_TOLD,       /* the program of a worker returns from what it was told of its slots */
    SIM_BOOTS,      /* a process starts */
    SIM_GOES_ON,    /* a paused process goes on */
    SIM_FAULT,      /* number: of the plan; begins */
    SIM_FAULT_OVER, /* number: of the plan; ends */
    SIM_CALM,       /* nothing goes wrong any more */
    SIM_EVENT_KINDS
} sim_event_kind_t;

typedef struct {
    uint64_t at_us;
    uint64_t order; /* those added earlier first */
    sim_event_kind_t kind;
    uint32_t who;  /* which process it is for */
    uint32_t boot; /* 0: of whichever boot */
    uint64_t number, more;
    void *what;
} sim_event_t;

/* In-place struct; zero is empty. */
typedef struct {
    sim_event_t *all;
    uint32_t count, room;
    uint64_t added;
} sim_events_t;

void sim_events_add (sim_events_t *self, sim_event_t event);
/* Takes the next one out; false: there is none. */
bool sim_events_next (sim_events_t *self, sim_event_t *event);
void sim_events_close (sim_events_t *self);
