/*  The running totals, in one SQLite file that several processes write: exactly-once effects by one conditional UPDATE.
 *
 *  Ringmaster records a job's outcome once, but it may start a handler again after a crash, and a process that was
 *  paused past its lease may overlap with its successor for a moment. So each addition opens with a question to the row
 *  of its key in the table `fence`, in the same transaction:
 *
 *      UPDATE fence SET token = :token, job = :job WHERE key = :key AND token < :token AND job < :job
 *
 *  Jobs of one key are handed out in the order of their ids, and a key's token grows with every hand-out. So, if no row
 *  changes: either this very job was added before (its id is not above the row's): a repeat, which has to change
 *  nothing. Or a younger token has been here for an earlier job: we are the one who was given up, and must not touch
 *  it. If a row changes, the addition and the fence become durable together, or neither does.
 *
 *  Thread rule: any thread; additions of one process wait for each other.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "words.h"

typedef struct totals totals_t;

/* What became of an addition. */
enum {
    TOTALS_ADDED,  /* counted, durably */
    TOTALS_REPEAT, /* this job was counted before: nothing changed */
    TOTALS_FENCED, /* somebody with a younger token has the key now: nothing changed */
    TOTALS_DOWN    /* the file cannot be written now: nothing changed; `why` says why */
};

/* Opens the file, makes it if it is not there. NULL after a message on stderr. */
totals_t *totals_open (const char *path);
void totals_close (totals_t **self_p);

/* Adds the words for the job `job` of `key`, which was handed out under `token`. Answers TOTALS_…; `*why` is a sentence
 * in static memory. */
int totals_add (totals_t *self, const char *key, uint64_t job, uint64_t token, const words_t *words, const char **why);

/* Prints lines "count word", in the order of the words' bytes; 0 or -1. */
int totals_print (totals_t *self, FILE *out);
