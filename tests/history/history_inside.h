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
    pid_t worker; /* whose child it is; 0: it is the worker */
    char who[HISTORY_WHO_BYTES];
    uint64_t id;
    char key[HISTORY_KEY_BYTES];
    uint64_t token;
    unsigned attempt;
    run_end_t end;
} run_t;

/* So that some time after it is a number, too. */
#define HISTORY_NEVER_US (UINT64_MAX / 2)

typedef struct {
    pid_t pid;
    uint64_t from_us;
    uint64_t to_us; /* of a death: the same; of a stop that goes on: HISTORY_NEVER_US */
} moment_t;

/* A worker of that name could not be heard, or could not hear. */
typedef struct {
    char who[HISTORY_WHO_BYTES];
    uint64_t from_us, to_us; /* HISTORY_NEVER_US: it goes on */
} cut_t;

typedef struct {
    uint64_t older, younger;
} overtaken_t;

typedef struct {
    char text[HISTORY_TEXT_BYTES];
} complaint_t;

/* An array that grows. */
#define MANY(type)                                                                                                     \
    struct {                                                                                                           \
        type *all;                                                                                                     \
        size_t count, room;                                                                                            \
    }

/* Makes room for one more and counts it. */
#define MORE(many)                                                                                                     \
    ((many).count < (many).room ? &(many).all[(many).count++]                                                          \
                                : ((many).room = (many).room ? (many).room * 2 : 64,                                   \
                                   (many).all = history_must (realloc ((many).all, (many).room * sizeof *(many).all)), \
                                   &(many).all[(many).count++]))

/* Ends the process if there is none. */
void *history_must (void *memory);

struct history {
    pthread_mutex_t mutex;
    bool no_restarts;
    uint64_t accepted_us; /* the newest acceptance that a file told of … */
    uint64_t gap_us;      /* … and the longest time between two */
    size_t excused;       /* starts that were not judged, since their process had been stopped */
    MANY (history_job_t) jobs;
    MANY (history_outcome_t) outcomes;
    MANY (overtaken_t) overtaken;
    MANY (moment_t) deaths;
    MANY (moment_t) stops;
    MANY (moment_t) sleeps;
    MANY (cut_t) cuts;
    MANY (complaint_t) complaints;
    MANY (run_t) runs;
};
