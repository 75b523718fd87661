#include "ctl/show/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ringmaster/error.h"

enum { COLUMNS_MAX = 16, GAP = 2, WIDTH_MIN = 8 /* what a column is not cut below */ };

typedef struct {
    char *title;   /* owned */
    bool right;    /* aligned right, and never cut */
    bool hidden;   /* there is no room for it */
    unsigned rank; /* 0: the most important */
    size_t width;  /* of the widest cell, then of the room it gets; in columns of the terminal */
} column_t;

typedef struct {
    char *text; /* owned */
    rm_ctl_tint_t tint;
} cell_t;

struct rm_ctl_table {
    column_t columns[COLUMNS_MAX];
    size_t column_count;
    unsigned rank_max;
    cell_t *cells; /* owned, row by row */
    size_t cell_count;
};

static void *checked (void *memory)
{
    if (memory)
        return memory;
    fprintf (stderr, "ringctl: %s\n", rm_strerror (RM_ENOMEM));
    exit (EXIT_FAILURE);
}

rm_ctl_table_t *rm_ctl_table_new (const char *titles)
{
    rm_ctl_table_t *self = checked (calloc (1, sizeof *self));
    for (const char *at = titles; *at && self->column_count < COLUMNS_MAX;) {
        column_t *column = &self->columns[self->column_count++];
        column->rank = (unsigned)strspn (at, "-");
        at += column->rank;
        column->right = *at == '>';
        at += column->right;
        size_t size = strcspn (at, "|");
        column->title = checked (strndup (at, size));
        column->width = rm_ctl_width (column->title);
        if (column->rank > self->rank_max)
            self->rank_max = column->rank;
        at += size + (at[size] == '|');
    }
    return self;
}

/* Takes over `text`. */
static void add (rm_ctl_table_t *self, char *text, rm_ctl_tint_t tint)
{
    rm_ctl_mask (checked (text), false);
    column_t *column = &self->columns[self->cell_count % self->column_count];
    size_t width = rm_ctl_width (text);
    self->cells = checked (realloc (self->cells, (self->cell_count + 1) * sizeof *self->cells));
    self->cells[self->cell_count++] = (cell_t){text, tint};
    if (width > column->width)
        column->width = width;
}

void rm_ctl_table_cell (rm_ctl_table_t *self, const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start (arguments, format);
    if (vasprintf (&text, format, arguments) < 0)
        text = NULL;
    va_end (arguments);
    add (self, text, RM_TINT_NONE);
}

void rm_ctl_table_state (rm_ctl_table_t *self, const char *state)
{
    add (self, strdup (state), rm_ctl_tint_of (state));
}

static size_t total_of (const rm_ctl_table_t *self)
{
    size_t total = 0;
    for (size_t i = 0; i < self->column_count; i++)
        if (!self->columns[i].hidden)
            total += self->columns[i].width + (total ? GAP : 0);
    return total;
}

/* The widest column of the rank that may be cut; NULL: none. */
static column_t *widest_of (rm_ctl_table_t *self, unsigned rank)
{
    column_t *widest = NULL;
    for (column_t *each = self->columns; each < self->columns + self->column_count; each++)
        if (each->rank == rank && !each->right && each->width > WIDTH_MIN && (!widest || each->width > widest->width))
            widest = each;
    return widest;
}

/* Cuts text until a line has room for all, the least important columns first; leaves those out where that is not enough. */
static void fit (rm_ctl_table_t *self, size_t line)
{
    for (unsigned rank = self->rank_max + 1; rank-- > 0;)
        for (column_t *widest; total_of (self) > line && (widest = widest_of (self, rank));)
            widest->width--;
    for (unsigned rank = self->rank_max; rank > 0; rank--)
        for (size_t i = self->column_count; i-- > 0 && total_of (self) > line;)
            self->columns[i].hidden = self->columns[i].hidden || self->columns[i].rank == rank;
}

static bool last_shown (const rm_ctl_table_t *self, size_t column)
{
    while (++column < self->column_count)
        if (!self->columns[column].hidden)
            return false;
    return true;
}

static void write_cell (const rm_ctl_table_t *self, const rm_ctl_paper_t *paper, FILE *out, size_t i, cell_t cell)
{
    const column_t *column = &self->columns[i];
    if (column->hidden)
        return;
    bool last = last_shown (self, i);
    size_t width = rm_ctl_width (cell.text), room = column->width;
    if (last && !column->right && width < room)
        room = width; /* nothing but blanks would follow */
    fputs (rm_ctl_tint_begin (paper, cell.tint), out);
    rm_ctl_put (out, paper, cell.text, room, column->right);
    fputs (rm_ctl_tint_end (paper, cell.tint), out);
    fprintf (out, "%*s", last ? 0 : GAP, "");
}

void rm_ctl_table_write (rm_ctl_table_t *self, const rm_ctl_paper_t *paper, FILE *out)
{
    if (!self->cell_count)
        return;
    if (paper->columns)
        fit (self, paper->columns);
    for (size_t i = 0; i < self->column_count; i++)
        write_cell (self, paper, out, i, (cell_t){self->columns[i].title, RM_TINT_HEAD});
    fputc ('\n', out);
    for (size_t i = 0; i < self->cell_count; i++) {
        write_cell (self, paper, out, i % self->column_count, self->cells[i]);
        if ((i + 1) % self->column_count == 0)
            fputc ('\n', out);
    }
}

void rm_ctl_table_destroy (rm_ctl_table_t **self_p)
{
    rm_ctl_table_t *self = *self_p;
    *self_p = NULL;
    for (size_t i = 0; i < self->column_count; i++)
        free (self->columns[i].title);
    for (size_t i = 0; i < self->cell_count; i++)
        free (self->cells[i].text);
    free (self->cells);
    free (self);
}

void rm_ctl_table_print (rm_ctl_table_t **self_p)
{
    rm_ctl_paper_t paper = rm_ctl_paper ();
    rm_ctl_table_write (*self_p, &paper, stdout);
    rm_ctl_table_destroy (self_p);
}
