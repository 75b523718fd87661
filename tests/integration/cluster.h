/*  A cluster of real processes for the integration tests: a master, or a group of three, on fixed ports, so that each can be
 *  killed and started again under its address, recorders as workers, and the history of it all, checked at the end. A group
 *  may be on a network of its own (net.h), with a seat for each master; the test itself reaches all of them.
 *
 *  Nothing here waits for time to pass: `until` waits for a condition, with a deadline after which the test has failed.
 *  Thread rule: the test's main thread; clients may be made in any thread.
 */
#pragma once

#include <jansson.h>
#include <pthread.h>

#include "history.h"
#include "process.h"
#include "ringmaster/client.h"

enum {
    CLUSTER_PROCESSES_MAX = 128, /* recorders in one test */
    CLUSTER_MASTERS = 3,         /* in a group */
    CLUSTER_PORTS = 5,           /* of each */
    CLUSTER_PATIENCE_MS = 30000, /* for what takes a second on an idle machine */
    CLUSTER_ADDRESS_BYTES = 64,
    CLUSTER_NO_SEAT = UINT32_MAX
};

typedef enum { CLUSTER_ALONE, CLUSTER_GROUP, CLUSTER_NETWORK } cluster_kind_t;

/* Waits for a condition; fails the test with it as the message. */
#define until(condition) until_within (CLUSTER_PATIENCE_MS, condition)
#define until_within(ms, condition)                                                                                    \
    do {                                                                                                               \
        uint64_t until_end = time_ms () + (ms);                                                                        \
        while (!(condition)) {                                                                                         \
            if (time_ms () > until_end)                                                                                \
                harness_fail ("%s:%d: not within %d ms: %s", __FILE__, __LINE__, (int)(ms), #condition);               \
            sleep_ms (5);                                                                                              \
        }                                                                                                              \
    } while (0)

/* Fails the test with the condition as the message. */
#define must(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            harness_fail ("%s:%d: it is not so: %s", __FILE__, __LINE__, #condition);                                  \
    } while (0)

typedef struct {
    char bin[512];      /* folder of the programs */
    char data[600];     /* the master's directory; in a group a number follows */
    char jobs[256];     /* its endpoint, or those of the group */
    char recorded[600]; /* the recorders' file */
    cluster_kind_t kind;
    int base;      /* its first port; in a group without a network, of the others CLUSTER_PORTS further each */
    unsigned seat; /* that the next process but a master is started in; CLUSTER_NO_SEAT: the test's own */
    history_t *history;
    process_t *master;                         /* NULL: none runs; in a group, `masters` are instead */
    process_t *masters[CLUSTER_MASTERS];       /* those of the group by their place; NULL: does not run */
    int ids[CLUSTER_MASTERS];                  /* who is at each place */
    unsigned seats[CLUSTER_MASTERS];           /* and in which seat of the network */
    rm_client_t *client;                       /* the main thread's */
    pthread_t watchers[CLUSTER_PROCESSES_MAX]; /* each notes when a recorder died */
    unsigned watcher_count;
} cluster_t;

/* Starts a master with an empty ledger, or a group; on a network: after net_open. */
void cluster_open (cluster_t *self, cluster_kind_t kind);
/* Ends everything, then judges the whole history; a fault in it fails the test. */
void cluster_close (cluster_t *self);

/* Starts the master, with RM_FAILPOINTS unless NULL. False: a fail point killed it before it was ready. */
bool cluster_master (cluster_t *self, const char *failpoints);
/* The same, with up to 8 more words on its command line, ended by NULL. */
bool cluster_master_with (cluster_t *self, const char *failpoints, char *const *more);
/* kill -9, and waits for the end. */
void cluster_kill_master (cluster_t *self);

/* Of the master at a place, its jobs socket's: HOST:PORT. */
void cluster_address (const cluster_t *self, int place, char address[CLUSTER_ADDRESS_BYTES]);
/* Starts the master at a place (from 0), and does not wait for it. Its log is "m1", "m2" … by its id. */
void cluster_start_one (cluster_t *self, int place, const char *failpoints);
/* Starts it again, and waits until it belongs to the group. */
void cluster_start_again (cluster_t *self, int place);
/* Has the group of masters changed ("add", "remove" …), and fails the test if that is refused. */
void cluster_change (cluster_t *self, const char *what, int id, const char *at);
/* What the master at a place says of itself, leader or not; NULL: it does not answer. The caller's to decref. */
json_t *cluster_status (const cluster_t *self, int place);
/* A number of what it says of its ledger ("batches", "snapshots", "restored", "verified"); -1: it does not answer. */
json_int_t cluster_ledger (const cluster_t *self, int place, const char *what);
/* Waits until all three masters have compared a state that is newer than this moment; fails the test if that does not come
 * about: one whose state is not the leader's stops. Submits jobs, so there must be a worker. */
void cluster_agree (cluster_t *self);
/* Removes the data directory of the one at a place, or of the only one. */
void cluster_wipe (const cluster_t *self, int place);
/* The place of the one that leads; waits until there is one. */
int cluster_leader (cluster_t *self);

/* Starts a process in the cluster's seat of the moment. */
process_t *cluster_process (const cluster_t *self, const char *name, char *const argv[], char *const environment[]);
/* Starts a recorder that serves the queue "rec", with RM_FAILPOINTS unless NULL, and does not wait for it. */
process_t *cluster_recorder (cluster_t *self, const char *name, int threads, const char *failpoints);
/* The same without fail points; waits until it has joined. */
process_t *cluster_worker (cluster_t *self, const char *name, int threads);
/* As cluster_recorder with a ringworker: `queues` are NAME=HANDLER, end in NULL. */
process_t *cluster_ringworker (cluster_t *self, const char *name, int threads, const char *const *queues);
/* Waits until it has joined. */
void cluster_ready (process_t *worker);
/* kill -9, waits for the end, forgets the process. */
void cluster_kill (process_t **worker_p);
/* SIGSTOP; waits until it stands. When that was, in microseconds. */
uint64_t cluster_freeze (process_t *worker);
/* SIGCONT; the history excuses it for the time between. */
void cluster_thaw (cluster_t *self, process_t *worker, uint64_t frozen_us);
/* Waits until the process stands still by itself (a fail point that stops it). When that was seen. */
uint64_t cluster_stands (process_t *worker);
/* Waits for the end that a fail point called `point` makes, and fails the test if there is another end, or none. */
void cluster_fired (process_t *process, const char *point);

/* How many lines of a kind ("start", "end") the recorders have written about a job; `worker`, unless NULL, becomes the
 * name of the newest one's. */
unsigned cluster_recorded (const cluster_t *self, const char *what, uint64_t id, char worker[32]);
/* How many lines with `text` are in the log of that name. */
unsigned logged (const char *name, const char *text);

/* Asks the master, by the main thread's client; NULL: it did not answer. The caller's to decref. */
json_t *cluster_ask (cluster_t *self, const char *what);
/* How many workers are live members with slots of their own, -1: the master did not answer. */
int cluster_live (cluster_t *self);
/* Waits until there are just so many workers, all live and with slots, and no resize runs. */
void cluster_settle (cluster_t *self, int workers);

/* A new client of this cluster's master, that tries often. */
rm_client_t *cluster_client (const cluster_t *self);
uint64_t time_us (void);

/* A job to submit. */
typedef struct {
    const char *queue;   /* NULL: "rec" */
    const char *key;     /* NULL: none */
    const char *payload; /* of a recorder */
    unsigned tries, timeout_ms;
    bool at_most_once;
    const char *uid; /* as rm_spec_t has them */
    uint64_t delay_ms, deadline_ms;
    unsigned priority;
    const char *retry;
    unsigned may_end;  /* 0: must be done */
    const char *bytes; /* of `done`; NULL: the payload's answer; "": anything */
} job_t;

/* Submits, and notes it in the history; fails the test if that takes longer than a minute. The id. */
uint64_t cluster_submit (cluster_t *self, rm_client_t *client, const job_t *job);
#define submit(cluster, ...) cluster_submit (cluster, (cluster)->client, &(job_t){__VA_ARGS__})

/* Waits for a job's outcome, and notes it in the history; fails the test if that takes longer than a minute. */
history_outcome_t cluster_wait (cluster_t *self, rm_client_t *client, uint64_t id);
