/*  The log: one line of key=value pairs on stderr for each event.
 *
 *      rm_log (RM_LOG_INFO, "event=joined worker=%s threads=%u", RM_QUOTE (name.data, name.size), threads);
 *      ts=2024-05-01T12:00:00.123Z level=info event=joined worker=w1 threads=4
 *
 *  Each line is one write(2), so that lines of threads and processes on one pipe do not mix. The level comes from the
 *  environment, RM_LOG=error|warn|info|debug, and is info unless said.
 *  Thread rule: any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    RM_LOG_NOTHING, /* as a level to log up to: not a line */
    RM_LOG_ERROR,   /* it cannot go on, or something is lost */
    RM_LOG_WARN,    /* someone should look */
    RM_LOG_INFO,    /* what an operator wants to read later */
    RM_LOG_DEBUG
} rm_log_level_t;

/* Logs a line of this level. The arguments are evaluated only if the level is on. A line longer than 2 KiB is cut. */
#define rm_log(level, ...)                                                                                             \
    do {                                                                                                               \
        if (rm_log_enabled (level))                                                                                    \
            rm_log_write (level, __VA_ARGS__);                                                                         \
    } while (0)

/* A value as it may stand in a line: bare if it is plain, in double quotes with \" \\ \n \t \xHH otherwise, and cut
 * behind RM_QUOTED_BYTES_MAX bytes. Only as an argument of rm_log: it lives in the block it is written in. */
#define RM_QUOTE(data, size) rm_quote (&(rm_quoted_t){{0}}, data, size)
#define RM_QUOTE_TEXT(text)  rm_quote_text (&(rm_quoted_t){{0}}, text)

enum { RM_QUOTED_BYTES_MAX = 1024 };

typedef struct {
    char text[RM_QUOTED_BYTES_MAX + 1];
} rm_quoted_t;

/* Writes the value into `self` and answers its text. `data` may be NULL if `size` is 0. */
const char *rm_quote (rm_quoted_t *self, const void *data, size_t size);
/* The same for a string; NULL is written as a dash. */
const char *rm_quote_text (rm_quoted_t *self, const char *text);

/* Logs up to `level` from now on, whatever the environment says. */
void rm_log_set_level (rm_log_level_t level);
bool rm_log_enabled (rm_log_level_t level);

/* Writes a line, whether its level is on or not. Keeps errno. */
void rm_log_write (rm_log_level_t level, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
