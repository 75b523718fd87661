#include "worker/child_say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A line of so many bytes, with a NUL behind it, and room for one more. */
static void say_line (rm_job_t *job, char *line, size_t size)
{
    char *end;
    if (*line == '+') {
        line[size] = '\n';
        rm_job_partial (job, line + 1, size);
        return;
    }
    errno = 0;
    unsigned long permille = strtoul (line, &end, 10);
    if (*line < '0' || *line > '9' || errno || permille > RM_PERMILLE_MAX || (*end && *end != ' ' && *end != '\t'))
        return;
    rm_job_progress (job, (unsigned)permille, "%s", end + strspn (end, " \t"));
}

void rm_child_say (rm_child_say_t *self, rm_job_t *job, const char *piece, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (piece[i] != '\n' && self->size < sizeof self->line - 1)
            self->line[self->size++] = piece[i];
        if (piece[i] != '\n')
            continue;
        self->line[self->size] = 0;
        say_line (job, self->line, self->size);
        self->size = 0;
    }
}
