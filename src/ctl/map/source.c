#include "ctl/map/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/alloc.h"
#include "ringmaster/error.h"

enum { ROWS_MAX = 10 * 1000 * 1000 };

static int add (rm_map_source_t *self, const char *text, size_t size)
{
    if (!(self->count & (self->count - 1))) { /* a power of two: it is full */
        char **values = rm_realloc (self->values, (self->count ? 2 * self->count : 1) * sizeof *values);
        if (!values)
            return RM_ENOMEM;
        self->values = values;
    }
    char *value = rm_strndup (text, size);
    if (!value)
        return RM_ENOMEM;
    self->values[self->count++] = value;
    return 0;
}

static int read_lines (rm_map_source_t *self, FILE *from, int end)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    int error = 0;
    while (!error && (size = getdelim (&line, &room, end, from)) > 0) {
        if (line[size - 1] == end)
            size--;
        error = add (self, line, (size_t)size);
    }
    free (line);
    return error;
}

static int read_file (rm_map_source_t *self, const char *path, bool null, rm_fault_t *fault)
{
    bool is_stdin = !strcmp (path, "-");
    if (is_stdin && isatty (STDIN_FILENO))
        fputs ("ringctl: reading the arguments from the terminal, one a line; ctrl-d ends them\n", stderr);
    FILE *from = is_stdin ? stdin : fopen (path, "re");
    if (!from)
        return rm_fault (fault, RM_EINVAL, "cannot read the arguments from %s: %s", path, strerror (errno));
    int error = read_lines (self, from, null ? 0 : '\n');
    if (!error && ferror (from))
        error = rm_fault (fault, RM_EINVAL, "cannot read the arguments from %s: %s", path, strerror (errno));
    if (!is_stdin)
        fclose (from);
    return error;
}

static bool is_words (const char *word)
{
    return !strcmp (word, ":::");
}

static bool is_files (const char *word)
{
    return !strcmp (word, "::::");
}

/* The sources behind one ::: or ::::, up to the next; `*at` is behind them then. */
static int read_part (rm_map_sources_t *self, char *const *words, size_t count, bool null, size_t *at,
                      rm_fault_t *fault)
{
    bool files = is_files (words[(*at)++]);
    int error = 0;
    for (bool first = true; !error && *at < count && !is_words (words[*at]) && !is_files (words[*at]); (*at)++) {
        if (first || files) { /* each file is a source of its own */
            if (self->count == RM_MAP_SOURCES_MAX)
                return rm_fault (fault, RM_EINVAL, "there are more than %d sources of arguments", RM_MAP_SOURCES_MAX);
            self->count++;
        }
        first = false;
        rm_map_source_t *source = &self->list[self->count - 1];
        error = files ? read_file (source, words[*at], null, fault) : add (source, words[*at], strlen (words[*at]));
    }
    return error;
}

static int count_rows (rm_map_sources_t *self, rm_fault_t *fault)
{
    self->rows = self->count ? 1 : 0;
    for (size_t i = 0; i < self->count; i++)
        if (__builtin_mul_overflow (self->rows, self->list[i].count, &self->rows) || self->rows > ROWS_MAX)
            return rm_fault (fault, RM_EINVAL, "these arguments make more than %d commands", ROWS_MAX);
    return 0;
}

int rm_map_sources_read (rm_map_sources_t *self, char *const *words, size_t count, bool null, size_t *command,
                         rm_fault_t *fault)
{
    *self = (rm_map_sources_t){.count = 0};
    size_t at = 0;
    int error = 0;
    while (at < count && !is_words (words[at]) && !is_files (words[at]))
        at++;
    *command = at;
    if (at == count) {
        self->count = 1;
        error = read_file (&self->list[0], "-", null, fault);
    }
    while (at < count && !error)
        error = read_part (self, words, count, null, &at, fault);
    return error ? error : count_rows (self, fault);
}

void rm_map_sources_close (rm_map_sources_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        for (size_t j = 0; j < self->list[i].count; j++)
            rm_free (self->list[i].values[j]);
        rm_free (self->list[i].values);
    }
    *self = (rm_map_sources_t){.count = 0};
}

void rm_map_sources_row (const rm_map_sources_t *self, size_t row, const char **values)
{
    for (size_t i = self->count; i-- > 0;) {
        values[i] = self->list[i].values[row % self->list[i].count];
        row /= self->list[i].count;
    }
}
