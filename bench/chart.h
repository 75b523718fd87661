/*  Figures of benchmarks as SVG: panels above each other that share what is across, each with lines of its own.
 *
 *  A point that is not a number (NAN) breaks its line. On a logarithmic axis what is not above 0 counts as none.
 *  Thread rule: any thread. Texts and points are borrowed for the call; texts must need no escape in XML.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *name, *colour; /* what it is called beside the panel; "#1b6ca8" */
    const double *x, *y;
    size_t count;
    bool steps; /* each point's value holds until the next one: counts of equal spans */
} chart_line_t;

/* A stretch of x that is shaded in all panels, or, if it has no width, a line across them. */
typedef struct {
    double from, to;
    const char *text;
} chart_mark_t;

typedef struct {
    const char *title; /* what is up, with its unit */
    const chart_line_t *lines;
    size_t line_count;
    bool log;
} chart_panel_t;

typedef struct {
    const char *title, *x_title;
    bool x_log;
    const chart_mark_t *marks;
    size_t mark_count;
    const chart_panel_t *panels;
    size_t panel_count;
} chart_t;

/* Writes it to `path`. False: the file cannot be written, and errno says why. */
bool chart_draw (const chart_t *self, const char *path);
