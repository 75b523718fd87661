/*  What history.c gathers and history_check.c judges.
 *
 *  Thread rule: as history.h.
 */
#pragma once

#include <pthread.h>

#include "history.h"

typedef enum { RUN_OPEN, RUN_OK, RUN_FAILED, RUN_CANCELLED } run_end_t;

/* One start of a handler. */
typedef struct {
    uint64_t start_us;
    uint64_t end_us; /* UINT64_MAX while open */
    pid_t pid;
    uint64_t id;
    char key[HISTORY_KEY_BYTES];
    uint64_t token;
    unsigned attempt;
    run_end_t end;
} run_t;

typedef struct {
    pid_t pid;
    uint64_t from_us, to_us; /* of a death: the same */
} moment_t;

typedef struct {
    uint64_t older, younger;
} overtaken_t;

/* An array that grows. */
#define MANY(type)                                                                                                     \
    struct {                                                                                                           \
        type *all;                                                                                                     \
        size_t count, room;                                                                                            \
    }

struct history {
    pthread_mutex_t mutex;
    bool no_restarts;
    MANY (history_job_t) jobs;
    MANY (history_outcome_t) outcomes;
    MANY (overtaken_t) overtaken;
    MANY (moment_t) deaths;
    MANY (moment_t) stops;
    MANY (run_t) runs;
};
