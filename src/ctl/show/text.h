/*  Text as a terminal shows it: what it must not obey, how wide it is, times and sizes for people.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What is printed on. */
typedef struct {
    size_t columns; /* of a line; 0: as many as there are */
    bool colour;
    bool utf8; /* it shows more than ASCII */
} rm_ctl_paper_t;

/* stdout as it is: colour and a width only on a terminal; no colour if $NO_COLOR says so. */
rm_ctl_paper_t rm_ctl_paper (void);

/* What a cell or a letter is about. */
typedef enum {
    RM_TINT_NONE,
    RM_TINT_HEAD,
    RM_TINT_GOOD,
    RM_TINT_BUSY,
    RM_TINT_WARN,
    RM_TINT_BAD,
    RM_TINTS,
} rm_ctl_tint_t;

/* The sequence that begins a tint; "" without colour or for RM_TINT_NONE. */
const char *rm_ctl_tint_begin (const rm_ctl_paper_t *paper, rm_ctl_tint_t tint);
/* … and the one that ends it. */
const char *rm_ctl_tint_end (const rm_ctl_paper_t *paper, rm_ctl_tint_t tint);

/* The tint of a job's, worker's or master's state by its name. */
rm_ctl_tint_t rm_ctl_tint_of (const char *state);

/* Replaces in place what a terminal might obey, byte by byte; with `lines`, newlines and tabs stay. */
void rm_ctl_mask (char *text, bool lines);

/* The text with everything a terminal might obey replaced but newlines and tabs; in static memory, until the next call. */
const char *rm_ctl_plain (const char *text);

/* How many columns of a terminal UTF-8 takes: two for a wide letter, none for a combining one. */
size_t rm_ctl_width (const char *text);

/* How many bytes of it fit in so many columns; never a part of a letter, and the marks that belong to it come along. */
size_t rm_ctl_fitting (const char *text, size_t columns);

/* Prints text in so many columns: cut with an ellipsis, or filled with blanks (in front of it with `right`). */
void rm_ctl_put (FILE *out, const rm_ctl_paper_t *paper, const char *text, size_t columns, bool right);

/* "250 ms", "12 s", "3 min 12 s", "5 h 3 min", "12 d 5 h"; "-" below 0. Answers `text`. */
const char *rm_ctl_time_text (long long ms, char *text, size_t size);

/* "42.0 %", "42.0 %, page 5": how far a job is, and what it says of that. Answers `text`. */
const char *rm_ctl_progress_text (long long permille, const char *note, char *text, size_t size);

/* "123 B", "1.3 MiB"; "-" below 0. Answers `text`. */
const char *rm_ctl_bytes_text (long long bytes, char *text, size_t size);
