/*  A new generation: what a state becomes when a cluster begins anew with it, from a backup (docs/ledger.md, "A backup").
 *
 *  The cluster that the backup is of may have gone on for a while after it, and some of its workers and clients may still be
 *  there. Whatever it gave out in that while (terms, epochs, tokens, job ids) is skipped, so that none of it can be taken for
 *  something of the new generation.
 *  Thread rule: pure functions.
 */
#pragma once

#include <stdint.h>

#include "core/state.h"

enum {
    RM_GENERATION_TERMS = 100000, /* elections */
    RM_GENERATION_TERM_MAX =
        (1 << 24) - 1, /* a token has 24 bits for the term: a lower one would not be told from a new one */
    RM_GENERATION_EPOCHS = 1000000000 /* resizes */
};

/* Skips them, removes every member (which ends at-most-once jobs with a logged start, reason `lost`), and ends every session:
 * what comes of one is refused. All other jobs that have not ended wait as they did, and outcomes stay. `now_ms` is the wall
 * clock. 0, RM_ENOMEM, or RM_ETOOBIG (the numbers would run out: that of terms after some 167 restores); on error the
 * state is to be closed. */
int rm_generation_begin (rm_state_t *state, uint64_t now_ms);
