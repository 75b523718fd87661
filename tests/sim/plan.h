/*  The plan of a life: who takes part, what clients want, and what goes wrong when. Drawn from a seed, or made by hand for
 *  the enumeration; a plan with some of its faults or jobs left out is one too, which is how a failure is shrunk.
 *
 *  Thread rule: belongs to one thread. Times are microseconds of the life.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PLAN_MASTERS_MAX = 3,
    PLAN_WORKERS_MAX = 5,
    PLAN_CLIENTS_MAX = 3,
    PLAN_FAULTS_MAX = 24,
    PLAN_ORDERS_MAX = 8,
    PLAN_HOLDS_MAX = 6,
    PLAN_ITEMS_MAX = 64,
    PLAN_QUEUES_MAX = 2,
    PLAN_KEYS_MAX = 8,
};

typedef enum {
    FAULT_KILL,      /* kill -9, down for `amount` µs */
    FAULT_KILL_AT,   /* the same at the point that is the `number`-th from then on */
    FAULT_PAUSE,     /* SIGSTOP */
    FAULT_LOSSY,     /* a way loses and doubles `number` of 1000 messages */
    FAULT_SLOW,      /* a way delays by up to `amount` µs, and reorders if `number` */
    FAULT_CUT,       /* a way lets nothing through */
    FAULT_STALL,     /* a way lets nothing through now, and all of it later */
    FAULT_ISOLATE,   /* nothing gets through between a master and the others; if `number`, it hands over just before */
    FAULT_BREAK,     /* a connection breaks */
    FAULT_RATE,      /* a clock runs `amount` ppm fast (or slow) */
    FAULT_WALL,      /* the calendar is set `amount` µs forward (or back); a master is killed if `number` */
    FAULT_DISK_SLOW, /* each write takes up to `amount` µs */
    FAULT_DISK_FULL,
    FAULT_SNAPSHOT, /* a master takes a snapshot */
    FAULT_DEPOSE,   /* the master that leads hands over; one without others leads again after `amount` µs */
    FAULT_LEAVE,    /* SIGTERM to a worker */
    FAULT_DRAIN,    /* an operator takes a worker out */
    FAULT_ORDER, /* an operator orders `number` (plan_order_t) about the `amount`-th job that it fits, or about a queue */
    FAULT_KINDS
} plan_fault_kind_t;

typedef enum { ORDER_CANCEL, ORDER_BURY, ORDER_KICK, ORDER_PAUSE, ORDER_HOLD, ORDER_KINDS } plan_order_t;

enum { PLAN_TO_PEER = 1, PLAN_TO_MASTER = 2, PLAN_BOTH_WAYS = 3 };

typedef struct {
    plan_fault_kind_t kind;
    uint32_t index; /* in the whole plan: its name when others are left out */
    uint32_t who;   /* which process … */
    uint32_t other; /* … and, of a way, to or from which master */
    uint64_t at_us;
    uint64_t for_us; /* how long it lasts; 0: a moment */
    uint32_t ways;   /* PLAN_TO_PEER (to `who`) … */
    int64_t amount;
    uint64_t number;
} plan_fault_t;

/* A job that a client wants to have done. */
typedef struct {
    uint32_t index; /* in the whole plan; its payload says it */
    uint32_t client;
    uint32_t queue;
    int32_t key; /* -1: none */
    bool at_most_once;
    uint32_t tries;                           /* 0: the queue's */
    uint32_t timeout_ms;                      /* 0: the queue's */
    uint32_t rest_us;                         /* the client rests before it */
    uint32_t give_up_ms;                      /* stops asking after so long; 0: never */
    bool waits;                               /* for its outcome, before the next job */
    uint32_t run_us;                          /* how long its handler runs */
    uint32_t fails;                           /* so many attempts fail */
    bool dies;                                /* the last of these for good */
    uint32_t delay_ms, deadline_ms, priority; /* 0: none, none, normal */
    bool deaf;                                /* its handler does not hear that it should stop, for a while */
    uint32_t tell_ms, tells; /* its handler says so often how far it is, at most so many times; 0: never */
} plan_item_t;

typedef struct {
    uint64_t seed;
    uint32_t master_count, worker_count, client_count;
    bool bursts[PLAN_CLIENTS_MAX];  /* that client does not wait for one answer before it asks for more */
    bool streams[PLAN_CLIENTS_MAX]; /* likewise, and is the real pipelined client */
    uint32_t threads;
    uint64_t worker_boot_us[PLAN_WORKERS_MAX];
    bool orders; /* people order, too, and jobs have options */
    plan_fault_t faults[PLAN_FAULTS_MAX + PLAN_ORDERS_MAX + PLAN_HOLDS_MAX];
    uint32_t fault_count;
    plan_item_t items[PLAN_ITEMS_MAX];
    uint32_t item_count;
    uint64_t calm_us;  /* nothing goes wrong from here on */
    uint32_t way_us;   /* a message takes half to one and a half of it */
    uint32_t sync_us;  /* and so does a write */
    uint32_t keep_ms;  /* of outcomes */
    uint64_t jobs_max; /* waiting, in all */
} plan_t;

/* The plan of that seed, with so many masters, and with orders or without: they change nothing else in it. */
void plan_draw (plan_t *self, uint32_t masters, bool orders, uint64_t seed);

/* The small cluster of the enumeration: one master or more, three workers, of which one joins, one leaves and is back, and
 * one dies, which is noticed in the middle of the next resize. Killed at its `point`-th point is process `who` (0 and 0:
 * nobody is). */
void plan_enumerate (plan_t *self, uint32_t masters, uint32_t who, uint64_t point);

/* Leaves out all faults (jobs) whose index is not in the list. */
void plan_keep_faults (plan_t *self, const uint32_t *indices, uint32_t count);
void plan_keep_items (plan_t *self, const uint32_t *indices, uint32_t count);

/* A job's payload, which names it, and its key. */
void plan_payload (const plan_item_t *item, char payload[16]);
void plan_key (const plan_item_t *item, char key[8]);

/* What a fault is, as words: "kill w2 for 310 ms". */
void plan_fault_text (const plan_t *self, const plan_fault_t *fault, char *text, size_t size);
/* m (or m1 …), w1 …, c1 … */
void plan_process_name (const plan_t *self, uint32_t who, char name[8]);
