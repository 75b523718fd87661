#include "net/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 2048, LEVEL_UNSET = -1 };

static const char *const level_names[] = {"nothing", "error", "warn", "info", "debug"};

static atomic_int current_level = LEVEL_UNSET;

static int level_from_environment (void)
{
    const char *text = getenv ("RM_LOG");
    if (!text || !*text)
        return RM_LOG_INFO;
    for (int level = RM_LOG_ERROR; level <= RM_LOG_DEBUG; level++)
        if (!strcmp (text, level_names[level]))
            return level;
    rm_log_write (RM_LOG_WARN, "event=bad_log_level RM_LOG=%s using=info hint=\"error, warn, info or debug\"",
                  RM_QUOTE_TEXT (text));
    return RM_LOG_INFO;
}

bool rm_log_enabled (rm_log_level_t level)
{
    int limit = atomic_load_explicit (&current_level, memory_order_relaxed);
    if (limit == LEVEL_UNSET) {
        limit = level_from_environment ();
        int unset = LEVEL_UNSET;
        if (!atomic_compare_exchange_strong (&current_level, &unset, limit))
            limit = unset;
    }
    return (int)level <= limit;
}

void rm_log_set_level (rm_log_level_t level)
{
    atomic_store (&current_level, (int)level);
}

static int write_head (char *line, rm_log_level_t level)
{
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    struct tm utc;
    gmtime_r (&now.tv_sec, &utc);
    size_t used = strftime (line, LINE_BYTES_MAX, "ts=%Y-%m-%dT%H:%M:%S", &utc);
    return (int)used + snprintf (line + used, LINE_BYTES_MAX - used, ".%03ldZ level=%s ", now.tv_nsec / 1000000,
                                 level_names[level]);
}

void rm_log_write (rm_log_level_t level, const char *format, ...)
{
    int error = errno;
    char line[LINE_BYTES_MAX];
    size_t used = (size_t)write_head (line, level);
    va_list arguments;
    va_start (arguments, format);
    int wanted = vsnprintf (line + used, sizeof line - used, format, arguments);
    va_end (arguments);
    if (wanted > 0)
        used += (size_t)wanted;
    if (used > sizeof line - 1)
        used = sizeof line - 1;
    /* A stray line end in a value must not begin a line that looks like ours. */
    for (char *at = line; at < line + used; at++)
        if (*at == '\n' || *at == '\r')
            *at = ' ';
    line[used++] = '\n';
    ssize_t written = write (STDERR_FILENO, line, used);
    (void)written; /* nobody could be told */
    errno = error;
}

static bool is_plain (const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] <= ' ' || data[i] >= 0x7f || data[i] == '"' || data[i] == '=' || data[i] == '\\')
            return false;
    return size > 0;
}

/* How `byte` stands between quotes, written to `out` (5 bytes); the number of characters. */
static size_t escape (char *out, uint8_t byte)
{
    switch (byte) {
    case '"':
    case '\\':
        return (size_t)sprintf (out, "\\%c", byte);
    case '\n':
        return (size_t)sprintf (out, "\\n");
    case '\t':
        return (size_t)sprintf (out, "\\t");
    default:
        return (size_t)sprintf (out, byte >= ' ' && byte < 0x7f ? "%c" : "\\x%02x", byte);
    }
}

const char *rm_quote (rm_quoted_t *self, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    if (size <= RM_QUOTED_BYTES_MAX && is_plain (bytes, size)) {
        memcpy (self->text, data, size);
        self->text[size] = 0;
        return self->text;
    }
    static const char cut[] = "...";
    const size_t room = RM_QUOTED_BYTES_MAX - sizeof cut; /* for all before the cut mark and the closing quote */
    size_t used = 0, i = 0;
    self->text[used++] = '"';
    for (; i < size; i++) {
        char piece[5];
        size_t length = escape (piece, bytes[i]);
        if (used + length > room)
            break;
        memcpy (self->text + used, piece, length);
        used += length;
    }
    sprintf (self->text + used, "%s\"", i < size ? cut : "");
    return self->text;
}

const char *rm_quote_text (rm_quoted_t *self, const char *text)
{
    return text ? rm_quote (self, text, strlen (text)) : "-";
}
