/*  A table for people: aligned columns that fit a terminal, the least important ones shortened first; tints and a bold head
 *  only there.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "ctl/show/text.h"

typedef struct rm_ctl_table rm_ctl_table_t;

/* A table with the titles between the bars of `titles`. Before a title may stand '-', once or more: the more, the less
 * important is its column, and the sooner it is cut, or left out where cutting is not enough; then '>': a column of
 * numbers, aligned right, never cut. Exits if memory runs out, as everything here. */
rm_ctl_table_t *rm_ctl_table_new (const char *titles);

/* Fills the next cell, row by row. */
void rm_ctl_table_cell (rm_ctl_table_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

/* The same with a state's name, in its tint. */
void rm_ctl_table_state (rm_ctl_table_t *self, const char *state);

/* Writes it; nothing if it has no row. */
void rm_ctl_table_write (rm_ctl_table_t *self, const rm_ctl_paper_t *paper, FILE *out);

/* Frees it; nulls the pointer. */
void rm_ctl_table_destroy (rm_ctl_table_t **self_p);

/* Writes it on stdout and frees it. */
void rm_ctl_table_print (rm_ctl_table_t **self_p);
