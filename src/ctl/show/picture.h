/*  A pool's ring in one line: who owns what, a letter for each worker.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include <jansson.h>

#include "ctl/show/text.h"

/* The letter of the n-th member of a pool, from 0; '*' where letters have run out. */
char rm_ctl_picture_letter (size_t member);

/* Prints the ring of a pool, as a query of "ring" answers it, in as many columns as the paper has (64 if it has no end): each
 * stands for so many slots in a row, and shows whose most of them are; '.' is nobody's. Blocks of colour on paper that
 * has colour. */
void rm_ctl_picture_put (FILE *out, const rm_ctl_paper_t *paper, const json_t *pool);
