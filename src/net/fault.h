/*  What went wrong, for the program (a number) and for a person (a sentence). In-place struct.
 *
 *  The sentence says what happened, to what, and what to do; it has no capital, no full stop and no program's name, so
 *  that a shell can print "ringmaster: <sentence>".
 *  Thread rule: a fault belongs to its caller.
 */
#pragma once

typedef struct {
    int error;      /* RM_E…; 0: nothing yet */
    char text[512]; /* the sentence, cut if it is longer */
} rm_fault_t;

/* Writes the sentence, if `self` is not NULL, and answers `error`, so that a function can return rm_fault (…). */
int rm_fault (rm_fault_t *self, int error, const char *format, ...) __attribute__ ((format (printf, 3, 4)));
