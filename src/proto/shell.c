#include "proto/shell.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/assert.h"

/* ---- the request ------------------------------------------------------------------------------------------------ */

static void put_text (rm_buf_t *to, const char *text)
{
    rm_buf_put (to, text, strlen (text) + 1);
}

void rm_shell_request_begin (rm_buf_t *to, const char *directory, const char *command, const char *spill,
                             uint64_t timeout_ms)
{
    char number[24];
    snprintf (number, sizeof number, "%" PRIu64, timeout_ms);
    put_text (to, directory);
    put_text (to, command);
    put_text (to, spill);
    put_text (to, number);
}

void rm_shell_request_set (rm_buf_t *to, const char *name, const char *value)
{
    rm_buf_put (to, name, strlen (name));
    rm_buf_put (to, "=", 1);
    put_text (to, value);
}

/* The text at `*at`, which then stands behind it; "" at the end. */
static const char *take_text (const char **at, const char *end)
{
    if (*at >= end)
        return "";
    const char *text = *at;
    *at += strlen (text) + 1;
    return text;
}

static bool read_number (const char *text, const char *end, uint64_t *number)
{
    const char *at = text;
    for (*number = 0; at < end && *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow (*number, 10, number) ||
            __builtin_add_overflow (*number, (uint64_t)(*at - '0'), number))
            return false;
    return at == end && end > text;
}

const char *rm_shell_request_read (rm_shell_request_t *self, const char *data, size_t size)
{
    const char *at = data, *end = data + size;
    *self = (rm_shell_request_t){.directory = take_text (&at, end), .command = take_text (&at, end)};
    self->spill = take_text (&at, end);
    const char *number = take_text (&at, end);
    self->environment = at < end ? at : end;
    self->end = end;
    if (!*self->command)
        return "the payload must be a directory, a NUL and a command";
    if (*number && !read_number (number, number + strlen (number), &self->timeout_ms))
        return "the payload's fourth text must be a number of milliseconds";
    at = NULL;
    for (const char *each; (each = rm_shell_request_next (self, &at));)
        if (*each == '=' || !strchr (each, '='))
            return "the payload's texts from the fifth must be NAME=VALUE";
    return NULL;
}

const char *rm_shell_request_next (const rm_shell_request_t *self, const char **at)
{
    if (!*at)
        *at = self->environment;
    return *at < self->end ? take_text (at, self->end) : NULL;
}

/* ---- the reply -------------------------------------------------------------------------------------------------- */

void rm_shell_reply_write (const rm_shell_reply_t *self, rm_buf_t *to)
{
    char head[RM_SHELL_HEAD_BYTES_MAX + 1];
    RM_ASSERT (self->host.size <= RM_SHELL_WORD_BYTES_MAX && self->file.size <= RM_SHELL_WORD_BYTES_MAX);
    int size = snprintf (head, sizeof head,
                         "exit=%" PRIu32 " signal=%" PRIu32 " timed_out=%d start_ms=%" PRIu64 " ran_ms=%" PRIu64
                         " stdout=%" PRIu64 " stderr=%" PRIu64 " host=%.*s file=%.*s\n",
                         self->exit, self->signal, self->timed_out, self->start_ms, self->ran_ms, self->stdout_bytes,
                         self->stderr_bytes, (int)self->host.size, self->host.size ? (const char *)self->host.data : "",
                         (int)self->file.size, self->file.size ? (const char *)self->file.data : "");
    rm_buf_put (to, head, (size_t)size);
    rm_buf_put (to, self->out.data, self->out.size);
    rm_buf_put (to, self->err.data, self->err.size);
}

/* The value of `key` in the line; {NULL, 0} if it is not there. */
static rm_bytes_t value_of (const char *line, const char *end, const char *key)
{
    size_t length = strlen (key);
    for (const char *at = line; at < end;) {
        const char *stop = memchr (at, ' ', (size_t)(end - at));
        stop = stop ? stop : end;
        if ((size_t)(stop - at) > length && !memcmp (at, key, length) && at[length] == '=')
            return (rm_bytes_t){at + length + 1, (uint32_t)(stop - at - (long)length - 1)};
        at = stop + 1;
    }
    return (rm_bytes_t){NULL, 0};
}

static bool number_of (const char *line, const char *end, const char *key, uint64_t max, uint64_t *number)
{
    rm_bytes_t value = value_of (line, end, key);
    const char *text = value.data;
    return text && read_number (text, text + value.size, number) && *number <= max;
}

bool rm_shell_reply_read (rm_shell_reply_t *self, const char *data, size_t size)
{
    *self = (rm_shell_reply_t){0};
    const char *end =
        size ? memchr (data, '\n', size < RM_SHELL_HEAD_BYTES_MAX ? size : RM_SHELL_HEAD_BYTES_MAX) : NULL;
    uint64_t status, number, timed_out;
    if (!end || !number_of (data, end, "exit", 255, &status) || !number_of (data, end, "signal", 255, &number) ||
        !number_of (data, end, "timed_out", 1, &timed_out) ||
        !number_of (data, end, "start_ms", INT64_MAX, &self->start_ms) ||
        !number_of (data, end, "ran_ms", INT64_MAX, &self->ran_ms) ||
        !number_of (data, end, "stdout", UINT64_MAX, &self->stdout_bytes) ||
        !number_of (data, end, "stderr", UINT64_MAX, &self->stderr_bytes))
        return false;
    self->exit = (uint32_t)status;
    self->signal = (uint32_t)number;
    self->timed_out = timed_out;
    self->host = value_of (data, end, "host");
    self->file = value_of (data, end, "file");
    /* A file's name leads nowhere else. */
    if (self->file.size &&
        (self->file.size > RM_SHELL_WORD_BYTES_MAX || memchr (self->file.data, '/', self->file.size)))
        return false;
    size_t left = size - (size_t)(end + 1 - data);
    if (self->file.size)
        return left == 0;
    if (self->stdout_bytes > left || self->stderr_bytes != left - self->stdout_bytes)
        return false;
    self->out = (rm_bytes_t){end + 1, (uint32_t)self->stdout_bytes};
    self->err = (rm_bytes_t){end + 1 + self->stdout_bytes, (uint32_t)self->stderr_bytes};
    return true;
}
