/*  The thread that tells the program of a worker which slots it has gained and lost (rm_worker_on_slots): one of its own, so
 *  that neither heartbeats nor handlers wait for the program.
 *
 *  Thread rule: the loop's thread calls everything.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "net/wake.h"
#include "ringmaster/worker.h"

typedef void rm_told_fn (const rm_slots_t *slots, void *arg);

/* In-place struct. */
typedef struct {
    rm_told_fn *told;
    void *arg;
    const rm_wake_t *wake; /* rung when the program has returned; borrowed */
    pthread_t thread;
    pthread_mutex_t mutex;   /* guards what follows */
    pthread_cond_t turn;     /* there is something to tell, or `quits` */
    const rm_slots_t *slots; /* to be told; NULL: nothing */
    bool returned;           /* the program has, and the loop has not seen it */
    bool quits;
} rm_teller_t;

/* Starts its thread; without `told` nothing of this is ever needed, and nothing is done. 0, or RM_EIO if the system has no
 * more threads to give. */
int rm_teller_start (rm_teller_t *self, rm_told_fn *told, void *arg, const rm_wake_t *wake);
/* Waits for the program if it is being told something, and ends the thread. */
void rm_teller_stop (rm_teller_t *self);

/* Has the program told. Nothing else may be under way; `slots` lives until rm_teller_returned. */
void rm_teller_tell (rm_teller_t *self, const rm_slots_t *slots);
/* True, once, when the program has returned. */
bool rm_teller_returned (rm_teller_t *self);
