/*  The processes of the chaos, each with a part: started, killed, stopped, and started again when they are due, as a
 *  supervisor would. What is done to them is in the history.
 *
 *  Thread rule: the main thread; a thread for each process notes when it died.
 */
#pragma once

#include "desk.h"
#include "history_pen.h"
#include "plan.h"
#include "process.h"

enum { STAGE_NEVER = 0, STAGE_ENDPOINTS_BYTES = 256 };

typedef struct {
    char name[16];
    unsigned seat;      /* in the network */
    process_t *process; /* NULL: down */
    uint64_t due_us;    /* when it is to be started if it is down; STAGE_NEVER */
    bool stopped;       /* by SIGSTOP */
    bool leaving;       /* was told to */
    const char *point;  /* the fail point that it was started with, or is to be started with; NULL */
    unsigned point_at;  /* at its so-manieth time */
    desk_t *desk;       /* of a client */
    char desk_path[512];
} actor_t;

typedef struct {
    cast_t cast;
    actor_t actors[CAST_MAX];
    history_pen_t pen;
    uint64_t seed;
    char history[700], commands[700]; /* the proxy's FIFO */
    int commands_fd;
    unsigned proxy_far;           /* the seat of its other leg */
    int port;                     /* of the first master */
    unsigned exits, master_exits; /* of processes that ended by themselves; of the master */
} stage_t;

/* Takes the cast and names its actors, nothing more. */
void stage_name (stage_t *self, const cast_t *cast);
/* With the history at `history`. Makes the seats, if the cast has a network; starts nothing. */
void stage_open (stage_t *self, const cast_t *cast, uint64_t seed, const char *history);
/* Kills everything that is left. */
void stage_close (stage_t *self);
/* Asks the programs for their fail points: the master's, a worker's. */
const char *stage_point (const stage_t *self, unsigned actor, uint64_t random);

/* What the ledger of a master says of itself ("batches", "verified"); -1: it does not answer. */
int64_t stage_ledger (const stage_t *self, unsigned master, const char *what);

bool stage_is_worker (const stage_t *self, unsigned actor);
bool stage_is_client (const stage_t *self, unsigned actor);
bool stage_is_guest (const stage_t *self, unsigned actor);

/* Starts all masters, and waits until each is ready. False: one is not. */
bool stage_start_masters (stage_t *self);
/* Starts it at once. */
void stage_start (stage_t *self, unsigned actor);
/* The same, and waits until it is ready; false: it is not. */
bool stage_start_ready (stage_t *self, unsigned actor);
/* kill -9, and starts it again `back_ms` later. */
void stage_kill (stage_t *self, unsigned actor, uint64_t back_ms);
void stage_stop (stage_t *self, unsigned actor);
void stage_cont (stage_t *self, unsigned actor);
/* SIGTERM; once it has ended, and not before `back_ms`, it is started again. */
void stage_leave (stage_t *self, unsigned actor, uint64_t back_ms, bool for_good);
/* A command for the proxy. */
void stage_command (stage_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

/* Looks for the dead, and starts what is due. Whoever died of a signal nobody sent is a complaint. */
void stage_tick (stage_t *self);
/* The masters' endpoints. */
void stage_endpoint (const stage_t *self, char *text, size_t size);
