#include "history_pen.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "history_inside.h"

enum { LINE_BYTES_MAX = 1024 };

uint64_t history_now_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int history_pen_open (history_pen_t *self, const char *path, const char *who)
{
    *self = (history_pen_t){open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644), who};
    return self->fd < 0 ? -1 : 0;
}

/* Cuts what is too long; a line has one end, at its end. */
static void write_line (const history_pen_t *self, char *line, int size)
{
    size_t used = size < 0 ? 0 : size >= LINE_BYTES_MAX - 1 ? LINE_BYTES_MAX - 2 : (size_t)size;
    for (size_t i = 0; i < used; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    line[used++] = '\n';
    if (write (self->fd, line, used) != (ssize_t)used) {
        perror ("the history cannot be written");
        abort ();
    }
}

void history_pen_write (const history_pen_t *self, const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    va_list arguments;
    va_start (arguments, format);
    int size = vsnprintf (line, sizeof line, format, arguments);
    va_end (arguments);
    write_line (self, line, size);
}

/* "accepted 12 7 c1 " */
#define HEAD         "%s %" PRIu64 " %ld %s "
#define HEADED(kind) kind, history_now_us (), (long)getpid (), self->who

void history_pen_accepted (const history_pen_t *self, const history_job_t *job)
{
    history_pen_write (self, HEAD "%" PRIu64 " %s %s:%" PRIu64 " %u %u %s %s", HEADED ("accepted"), job->id, job->key,
                       job->session, job->seq, job->may_end, job->may_die_of, job->at_most_once ? "once" : "-",
                       *job->bytes ? job->bytes : "-");
}

void history_pen_outcome (const history_pen_t *self, const history_outcome_t *outcome)
{
    history_pen_write (self, HEAD "%" PRIu64 " %s %u %s %s", HEADED ("outcome"), outcome->id,
                       history_outcome_name (outcome->outcome), outcome->attempt,
                       *outcome->bytes ? outcome->bytes : "-", outcome->reason);
}

void history_pen_overtaken (const history_pen_t *self, uint64_t older, uint64_t younger)
{
    history_pen_write (self, HEAD "%" PRIu64 " %" PRIu64, HEADED ("overtaken"), older, younger);
}

void history_pen_complaint (const history_pen_t *self, const char *format, ...)
{
    char text[HISTORY_TEXT_BYTES];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (text, sizeof text, format, arguments);
    va_end (arguments);
    history_pen_write (self, HEAD "%s", HEADED ("complaint"), text);
}
