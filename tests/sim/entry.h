/*  An entry of the log, read to its end without asking what it does: what the checks and the model's view need of it.
 *
 *  Thread rule: one thread. In-place struct; its lists point into the batch.
 */
#pragma once

#include "core/entry.h"

typedef struct {
    rm_entry_kind_t kind;
    uint64_t id, inc, epoch;
    uint32_t attempt, verdict;
    rm_outcome_t outcome; /* of a stop */
    rm_reader_t lists[2]; /* of member_remove: jobs; of resize_begin: who is in the ring, and who leaves */
} sim_entry_t;

/* Reads an entry and steps behind it. False: there is no such kind. */
bool sim_entry_read (sim_entry_t *self, rm_reader_t *reader);
