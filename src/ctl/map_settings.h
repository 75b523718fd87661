/*  What was said to ringctl map, and what its two halves share: the command (map.c) and the run (map_run.c).
 *
 *  Thread rule: one thread.
 */
#pragma once

#include "ctl/ctl.h"
#include "ctl/map/halt.h"
#include "ctl/map/journal.h"
#include "ctl/map/local.h"
#include "ctl/map/output.h"

/* Exit codes of a shell for signals. */
enum { RM_CTL_INTERRUPTED = 130, RM_CTL_TERMINATED = 143 };

typedef struct {
    const char *queue;   /* of a worker's shell */
    const char *key;     /* a template; NULL: without keys */
    const char *log;     /* --joblog */
    const char *results; /* --results */
    const char *halt_text;
    const char *name;         /* --name */
    const char *timeout_text; /* seconds */
    int64_t slots;            /* of --local; 0: the pool's */
    int64_t jobs;             /* under way at a time; 0: so many that no slot waits for us */
    int64_t tries;            /* of a command that fails */
    bool bar, eta, keep_order, tag, dry_run, null;
    /* made of these */
    rm_map_halt_t halt;
    uint64_t timeout_ms;  /* 0: none */
    char directory[4096]; /* where the commands run */
    char place[4096];     /* what the run writes for itself; spilled output too */
} rm_map_settings_t;

/* A map on its way. */
typedef struct {
    const rm_ctl_t *ctl;
    const rm_map_settings_t *settings;
    rm_client_t *client;
    rm_map_plan_t *plan;
    rm_map_journal_t *journal;
    rm_map_output_t *output;
    rm_map_local_t *local; /* NULL: the pool serves it */
} rm_map_run_t;

/* Submits what has not ended and waits for it; the exit code. */
int rm_map_run (const rm_map_run_t *self);
