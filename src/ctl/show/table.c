#include "ctl/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/json.h"

enum { COLUMNS_MAX = 16, GAP = 2, WIDTH_MIN = 8 /* what a column is not cut below */ };

struct rm_ctl_table {
    char *titles[COLUMNS_MAX]; /* owned */
    bool right[COLUMNS_MAX];   /* aligned right, and never cut */
    size_t width[COLUMNS_MAX]; /* of the widest cell, in characters */
    size_t columns;
    char **cells; /* owned, row by row */
    size_t cell_count;
};

static void *checked (void *memory)
{
    if (memory)
        return memory;
    rm_ctl_say ("%s", rm_strerror (RM_ENOMEM));
    exit (RM_CTL_FAILED);
}

/* How many characters of UTF-8. */
static size_t width_of (const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/* How many bytes the first `width` characters take. */
static size_t bytes_of (const char *text, size_t width)
{
    size_t size = 0;
    for (; text[size]; size++)
        if (((unsigned char)text[size] & 0xc0) != 0x80 && !width--)
            break;
    return size;
}

rm_ctl_table_t *rm_ctl_table_new (const char *titles)
{
    rm_ctl_table_t *self = checked (calloc (1, sizeof *self));
    for (const char *at = titles; *at && self->columns < COLUMNS_MAX;) {
        size_t size = strcspn (at, "|"), skip = *at == '>';
        self->right[self->columns] = skip;
        self->titles[self->columns] = checked (strndup (at + skip, size - skip));
        self->width[self->columns++] = size - skip;
        at += size + (at[size] == '|');
    }
    return self;
}

void rm_ctl_table_cell (rm_ctl_table_t *self, const char *format, ...)
{
    char *cell;
    va_list arguments;
    va_start (arguments, format);
    if (vasprintf (&cell, format, arguments) < 0)
        cell = NULL;
    va_end (arguments);
    checked (cell);
    rm_ctl_mask (cell, false);
    self->cells = checked (realloc (self->cells, (self->cell_count + 1) * sizeof *self->cells));
    size_t column = self->cell_count % self->columns, width = width_of (cell);
    self->cells[self->cell_count++] = cell;
    if (width > self->width[column])
        self->width[column] = width;
}

/* How many characters fit in a line; 0: as many as there are. */
static size_t line_width (void)
{
    struct winsize size;
    if (!isatty (STDOUT_FILENO) || ioctl (STDOUT_FILENO, TIOCGWINSZ, &size))
        return 0;
    return size.ws_col;
}

/* Takes from the widest columns of text what the line has no room for. */
static void fit (rm_ctl_table_t *self, size_t line)
{
    size_t total = 0;
    for (size_t i = 0; i < self->columns; i++)
        total += self->width[i] + (i ? GAP : 0);
    while (line && total > line) {
        size_t widest = self->columns;
        for (size_t i = 0; i < self->columns; i++)
            if (!self->right[i] && self->width[i] > WIDTH_MIN &&
                (widest == self->columns || self->width[i] > self->width[widest]))
                widest = i;
        if (widest == self->columns)
            return;
        self->width[widest]--;
        total--;
    }
}

static void print_cell (const rm_ctl_table_t *self, size_t column, const char *text)
{
    size_t width = width_of (text), room = self->width[column];
    bool last = column + 1 == self->columns;
    if (self->right[column])
        printf ("%*s", (int)(room > width ? room - width : 0), "");
    if (width > room)
        printf ("%.*s~", (int)bytes_of (text, room - 1), text);
    else
        printf ("%s", text);
    if (!self->right[column] && !last)
        printf ("%*s", (int)(room > width ? room - width : 0), "");
    printf ("%*s", last ? 0 : GAP, "");
}

static void print_rows (const rm_ctl_table_t *self)
{
    const char *terminal = getenv ("TERM");
    bool bold = isatty (STDOUT_FILENO) && terminal && strcmp (terminal, "dumb") && !getenv ("NO_COLOR");
    fputs (bold ? "\033[1m" : "", stdout);
    for (size_t i = 0; i < self->columns; i++)
        print_cell (self, i, self->titles[i]);
    puts (bold ? "\033[0m" : "");
    for (size_t i = 0; i < self->cell_count; i++) {
        print_cell (self, i % self->columns, self->cells[i]);
        if (i % self->columns == self->columns - 1)
            putchar ('\n');
    }
}

void rm_ctl_table_print (rm_ctl_table_t **self_p)
{
    rm_ctl_table_t *self = *self_p;
    *self_p = NULL;
    if (self->cell_count) {
        fit (self, line_width ());
        print_rows (self);
    }
    for (size_t i = 0; i < self->columns; i++)
        free (self->titles[i]);
    for (size_t i = 0; i < self->cell_count; i++)
        free (self->cells[i]);
    free (self->cells);
    free (self);
}
