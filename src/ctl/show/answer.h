/*  The members of a master's answer, and cells of a table made of them. What an answer does not have (an older or a newer
 *  master's) is shown as a dash.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include <jansson.h>

#include "ctl/show/table.h"

/* A text; "-" if it is not there or empty. */
const char *rm_ctl_text_of (const json_t *object, const char *name);

/* A number from 0; -1 if it is not there. */
long long rm_ctl_number_of (const json_t *object, const char *name);

/* A number as text, a dash if it is not there; up to eight live at a time. */
const char *rm_ctl_count_of (const json_t *object, const char *name);

/* Fills a cell each: with a text, a number, a time of so many milliseconds, "a, b, c" of an array of strings. */
void rm_ctl_cell_text (rm_ctl_table_t *table, const json_t *object, const char *name);
void rm_ctl_cell_number (rm_ctl_table_t *table, const json_t *object, const char *name);
void rm_ctl_cell_time (rm_ctl_table_t *table, const json_t *object, const char *name);
/* … with how far a job is, "42.0 %, page 5"; a dash if it has not said anything. */
void rm_ctl_cell_progress (rm_ctl_table_t *table, const json_t *job);
/* Name, pool, and how many wait, (`held`) are held, run, are done, are dead and serve it: what a row of a queue begins with. */
void rm_ctl_cells_queue (rm_ctl_table_t *table, const json_t *queue, bool held);
void rm_ctl_cell_list (rm_ctl_table_t *table, const json_t *array);
