/*  A whole run: everyone starts, the plan is carried out, then nothing is done to them any more and everything must come to
 *  its end; afterwards the history is judged.
 *
 *  Thread rule: the main thread.
 */
#pragma once

#include <stdio.h>

#include "plan.h"

typedef enum { PLAY_GOOD, PLAY_FAULTS, PLAY_INTERRUPTED } play_end_t;

/* Who takes part. */
cast_t play_cast (unsigned masters, unsigned workers, bool network);
/* Runs for `length_ms`; the history is kept at `history`, or, if that is NULL, only when there are faults, as
 * the logs are; `keep`: in any case. SIGINT and
 * SIGTERM end it at once. Prints a summary, and what it does meanwhile on stderr. */
play_end_t play (const cast_t *cast, uint64_t seed, uint64_t length_ms, const char *history, bool keep);
/* Judges a history: says the faults and what there was in it; how many faults. */
size_t play_judge (const char *path, FILE *out);
void play_print_plan (const cast_t *cast, uint64_t seed, uint64_t length_ms, FILE *out);
