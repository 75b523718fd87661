/*  What goes wrong, when and with whom: a function of the seed and of who takes part, and of nothing else. Real time makes
 *  two runs of one plan differ, the plan itself does not.
 *
 *  Thread rule: a plan belongs to one thread. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who takes part. Actors are numbered: the master, the proxy, then the peers (workers, guests, tools, clients), then the
 * other masters of a group. A group has no proxy. */
typedef struct {
    unsigned masters;
    unsigned workers; /* recorders */
    unsigned guests;  /* recorders that are there only now and then */
    unsigned tools;   /* ringworkers with commands */
    unsigned clients;
    bool network; /* there is a network to harm */
} cast_t;

enum { CAST_MASTER, CAST_PROXY, CAST_PEER, CAST_MAX = 64 };

/* Behind the last peer. */
static inline unsigned cast_peers_end (const cast_t *cast)
{
    return CAST_PEER + cast->workers + cast->guests + cast->tools + cast->clients;
}

static inline unsigned cast_size (const cast_t *cast)
{
    return cast_peers_end (cast) + cast->masters - 1;
}

/* The actor of a master, numbered from 0. */
static inline unsigned cast_master (const cast_t *cast, unsigned number)
{
    return number ? cast_peers_end (cast) + number - 1 : CAST_MASTER;
}

static inline bool cast_is_master (const cast_t *cast, unsigned actor)
{
    return actor == CAST_MASTER || actor >= cast_peers_end (cast);
}

static inline bool cast_has_proxy (const cast_t *cast)
{
    return cast->network && cast->masters == 1;
}

typedef enum {
    STEP_KILL,       /* SIGKILL, started again afterwards */
    STEP_POINT,      /* killed, and started with a fail point that kills it again at some message */
    STEP_STOP,       /* SIGSTOP for less than a lease */
    STEP_STOP_LONG,  /* … for longer than a lease */
    STEP_STOP_KILL,  /* … and killed while it stands */
    STEP_LEAVE,      /* SIGTERM, started again afterwards */
    STEP_DRAIN,      /* ringctl drain, started again afterwards */
    STEP_JOIN,       /* a guest comes, and leaves afterwards */
    STEP_KILL_BOTH,  /* a worker and the master at once */
    STEP_LOSS,       /* some packets are lost, both ways */
    STEP_CUT_TO,     /* nothing reaches the peers from the master */
    STEP_CUT_FROM,   /* nothing reaches the master from the peers */
    STEP_CUT,        /* nothing passes either way */
    STEP_RESET,      /* whatever they say to the master is answered with a reset */
    STEP_DELAY,      /* the proxy delays, each port differently */
    STEP_STALL,      /* the proxy passes nothing on for a while */
    STEP_BREAK,      /* the proxy resets connections */
    STEP_TEAR,       /* … in the middle of a message */
    STEP_KILL_PROXY, /* the proxy dies with all its connections */
    STEP_SPLIT,      /* nothing passes between a master and the others */
    STEP_SPLIT_TO,   /* … from the others to it */
    STEP_SPLIT_FROM, /* … from it to the others */
    STEP_FAINT,      /* some of what passes between them is lost, both ways */
    STEPS
} step_kind_t;

typedef struct {
    uint64_t at_ms, for_ms;
    step_kind_t kind;
    unsigned actor;  /* of a process's step, or of one between masters */
    unsigned master; /* of one that hits a master, too */
    uint64_t peers;  /* of the network's: a bit for each actor, of masters, too, that it is harmed towards */
    unsigned amount; /* per cent of packets; the fail point and its count; the proxy's port + 1, 0: all */
    uint64_t random; /* for whatever else there is to choose */
} step_t;

typedef struct {
    cast_t cast;
    uint64_t state, now_ms;
    unsigned count;
    uint64_t busy_until_ms[CAST_MAX];   /* the process */
    uint64_t harmed_until_ms[CAST_MAX]; /* its network */
} plan_t;

void plan_open (plan_t *self, const cast_t *cast, uint64_t seed);
/* The next step; there is always one. */
void plan_next (plan_t *self, step_t *step);

/* "kill", "loss" … */
const char *step_name (step_kind_t kind);
/* Steps that harm the network between peers and the masters … */
bool step_harms (step_kind_t kind);
/* … and between the masters. */
bool step_splits (step_kind_t kind);
