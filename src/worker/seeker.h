/*  Looks for the masters of a project at a catalog while the worker hears none: they may have moved. It asks in a thread of
 *  its own, since a catalog may be slow, and the loop has leases to keep.
 *
 *  Thread rule: the loop's thread. In-place struct; `rm_seeker_t seeker = {0};` seeks nothing.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/masters.h"
#include "net/wake.h"
#include "ringmaster/catalog.h"

typedef struct {
    const char *project;   /* NULL: nothing is sought; borrowed … */
    const char *catalogs;  /* … as this is; NULL: the environment's */
    const rm_wake_t *wake; /* rung when something was found, or not */
    bool seeks;            /* there is a thread */
    atomic_bool done;      /* it has ended, and what follows is the loop's again */
    uint64_t next_ms;      /* not before */
    pthread_t thread;
    int count; /* found; below 0: none */
    char found[RM_CATALOG_BYTES_MAX];
} rm_seeker_t;

/* Begins to look, unless it does so already, or did a moment ago. */
void rm_seeker_look (rm_seeker_t *self, uint64_t now_ms);

/* Hands what was found to `masters`. True: there was something. */
bool rm_seeker_take (rm_seeker_t *self, rm_masters_t *masters);

/* Waits for its thread, for as long as a catalog is waited for (3 s). */
void rm_seeker_close (rm_seeker_t *self);
