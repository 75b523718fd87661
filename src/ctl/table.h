/*  A table for people: aligned columns that fit the terminal, with a bold head on one; plain text elsewhere.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include <stddef.h>

typedef struct rm_ctl_table rm_ctl_table_t;

/* A table with the titles between the bars of `titles`; a title behind '>' is of a column of numbers, aligned right.
 * Exits if memory runs out, as everything here. */
rm_ctl_table_t *rm_ctl_table_new (const char *titles);

/* Fills the next cell, row by row. */
void rm_ctl_table_cell (rm_ctl_table_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

/* Prints it (nothing if it has no row) and frees it. */
void rm_ctl_table_print (rm_ctl_table_t **self_p);
