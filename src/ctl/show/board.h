/*  What ringctl top shows, line by line: totals and rates over tables of the queues, of the workers,
 *  and of jobs that say how far they are. Two answers of the master
 *  a known time apart make a rate.
 *
 *  Thread rule: one thread. Draws nothing: the time comes in, lines of text go out.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/show/text.h"

typedef enum {
    RM_BOARD_BY_LOAD, /* what waits and runs there, the most first */
    RM_BOARD_BY_RATE, /* what ends there, the most first */
    RM_BOARD_BY_NAME,
    RM_BOARD_SORTS
} rm_board_sort_t;

enum { RM_BOARD_HEAD = 5 /* lines that stay; the others are scrolled */ };

/* A line; its tint is of all of it. */
typedef struct {
    char *text; /* owned */
    rm_ctl_tint_t tint;
} rm_board_line_t;

typedef struct {
    json_t *status, *workers;               /* the newest answers; NULL: none yet */
    json_t *progress;                       /* jobs that say how far they are, as of status; NULL: none */
    json_t *status_before, *workers_before; /* those that rates are counted from */
    uint64_t taken_ms, before_ms;           /* when; mono */
    bool answers;                           /* the master answered when it was asked last */
    bool paused;
    bool help;
    rm_board_sort_t sort;
    size_t scroll; /* lines of the tables that are above the window */
    rm_board_line_t *lines;
    size_t line_count;
} rm_board_t;

/* In place: nothing is known yet. */
void rm_board_init (rm_board_t *self);
void rm_board_close (rm_board_t *self);

/* The master's answers to status, workers and progress; takes them over. What is no object counts as no answer; of progress,
 * that may be so, and is shown as nothing: it was not asked, or an older master does not know the question. */
void rm_board_take (rm_board_t *self, json_t *status, json_t *workers, json_t *progress, uint64_t now_ms);
/* It did not answer. */
void rm_board_miss (rm_board_t *self);

/* Counted ones a second between the answers before and now of what `count` counts in both; below 0: not known, or it was
 * counted anew. */
double rm_board_rate (const rm_board_t *self, const json_t *before, const json_t *now, const char *count);

/* Writes `width` columns of a bar, "[||||   ]", of which `part` of `whole` is full; something of nothing is full. */
void rm_board_bar (char *text, size_t size, long long part, long long whole, size_t width);

/* Makes the lines anew, for a terminal of that size. */
void rm_board_draw (rm_board_t *self, const rm_ctl_paper_t *paper, size_t rows, uint64_t now_ms);

/* Moves the window by so many lines, as far as there are lines; `rows` as in draw. */
void rm_board_scroll (rm_board_t *self, long lines, size_t rows);
