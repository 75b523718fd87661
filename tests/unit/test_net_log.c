#include "net/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *quoted (const void *data, size_t size)
{
    static rm_quoted_t text;
    memset (&text, 'x', sizeof text);
    return rm_quote (&text, data, size);
}

Test (net_log, a_plain_value_stands_bare)
{
    cr_assert_str_eq (quoted ("worker-1", 8), "worker-1");
    cr_assert_str_eq (quoted ("tcp://127.0.0.1:5550", 20), "tcp://127.0.0.1:5550");
}

Test (net_log, anything_else_stands_in_quotes)
{
    cr_assert_str_eq (quoted (NULL, 0), "\"\"");
    cr_assert_str_eq (quoted ("a b", 3), "\"a b\"");
    cr_assert_str_eq (quoted ("a=b", 3), "\"a=b\"");
    cr_assert_str_eq (quoted ("say \"hi\"\\", 9), "\"say \\\"hi\\\"\\\\\"");
    cr_assert_str_eq (quoted ("\n\t\r\0\x7f\xc3\xa4\x1b", 8), "\"\\n\\t\\x0d\\x00\\x7f\\xc3\\xa4\\x1b\"");
    cr_assert_str_eq (rm_quote_text (&(rm_quoted_t){{0}}, NULL), "-");
}

Test (net_log, a_long_value_is_cut_and_says_so)
{
    char data[3 * RM_QUOTED_BYTES_MAX];
    for (size_t size = RM_QUOTED_BYTES_MAX - 10; size < sizeof data; size++)
        for (int kind = 0; kind < 3; kind++) {
            memset (data, "a \x01"[kind], size);
            const char *text = quoted (data, size);
            size_t length = strlen (text);
            cr_assert_leq (length, RM_QUOTED_BYTES_MAX);
            if (*text != '"') {
                cr_assert_eq (length, size);
                continue;
            }
            bool cut = length > 4 && !strcmp (text + length - 4, "...\"");
            cr_assert_eq (cut, size * (kind == 2 ? 4 : 1) > RM_QUOTED_BYTES_MAX - 5, "%zu bytes became %zu", size,
                          length);
        }
}

/* Sends stderr into a pipe, from which it can be read afterwards. */
static int capture (void)
{
    int fds[2];
    cr_assert_eq (pipe (fds), 0);
    dup2 (fds[1], STDERR_FILENO);
    close (fds[1]);
    return fds[0];
}

static const char *captured (int fd)
{
    static char text[1 << 20];
    size_t used = 0;
    close (STDERR_FILENO);
    for (ssize_t got; (got = read (fd, text + used, sizeof text - 1 - used)) > 0;)
        used += (size_t)got;
    text[used] = 0;
    return text;
}

Test (net_log, a_line_has_a_time_a_level_and_its_pairs)
{
    unsetenv ("RM_LOG");
    int fd = capture ();
    errno = 77;
    rm_log (RM_LOG_INFO, "event=joined worker=%s n=%d", RM_QUOTE ("a b", 3), 7);
    cr_assert_eq (errno, 77);
    rm_log (RM_LOG_DEBUG, "event=hidden");
    const char *text = captured (fd);
    regex_t regex;
    regcomp (&regex,
             "^ts=20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z level=info event=joined "
             "worker=\"a b\" n=7\n$",
             REG_EXTENDED);
    cr_assert_eq (regexec (&regex, text, 0, NULL, 0), 0, "%s", text);
    regfree (&regex);
}

static int count_lines (const char *text)
{
    int lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static int log_all (const char *level)
{
    setenv ("RM_LOG", level, 1);
    int fd = capture ();
    rm_log (RM_LOG_ERROR, "event=1");
    rm_log (RM_LOG_WARN, "event=2");
    rm_log (RM_LOG_INFO, "event=3");
    rm_log (RM_LOG_DEBUG, "event=4");
    return count_lines (captured (fd));
}

Test (net_log, error_level)
{
    cr_assert_eq (log_all ("error"), 1);
}
Test (net_log, warn_level)
{
    cr_assert_eq (log_all ("warn"), 2);
}
Test (net_log, debug_level)
{
    cr_assert_eq (log_all ("debug"), 4);
}
Test (net_log, an_unknown_level_is_info_and_is_told)
{
    cr_assert_eq (log_all ("loud"), 3 + 1);
}
Test (net_log, nothing_is_logged_when_told_so)
{
    rm_log_set_level (RM_LOG_NOTHING);
    cr_assert_eq (log_all ("debug"), 0);
}

Test (net_log, what_is_not_logged_is_not_evaluated)
{
    rm_log_set_level (RM_LOG_INFO);
    int evaluated = 0;
    rm_log (RM_LOG_DEBUG, "n=%d", ++evaluated);
    cr_assert_eq (evaluated, 0);
}

Test (net_log, one_event_is_one_line_however_long_or_broken)
{
    int fd = capture ();
    char data[10000];
    memset (data, 'a', sizeof data);
    rm_log_write (RM_LOG_INFO, "event=long value=%.*s", (int)sizeof data, data);
    rm_log_write (RM_LOG_INFO, "event=broken value=%s", "a\nts=0 level=error event=fake\r\n");
    const char *text = captured (fd);
    cr_assert_eq (count_lines (text), 2, "%s", text);
    cr_assert_eq (strcspn (text, "\n"), 2047);
}

enum { THREADS = 4, LINES = 200 };

static void *chatter (void *arg)
{
    for (int i = 0; i < LINES; i++)
        rm_log_write (RM_LOG_INFO, "event=chatter thread=%s end=1", (const char *)arg);
    return NULL;
}

Test (net_log, lines_of_threads_do_not_mix)
{
    int fd = capture ();
    pthread_t threads[THREADS];
    static char names[THREADS][40];
    for (int i = 0; i < THREADS; i++) {
        memset (names[i], 'a' + i, sizeof names[i] - 1);
        cr_assert_eq (pthread_create (&threads[i], NULL, chatter, names[i]), 0);
    }
    /* All of it fits neither into the pipe nor into patience: read while they write. */
    static char text[THREADS * LINES * 128];
    size_t used = 0;
    int lines = 0;
    while (lines < THREADS * LINES) {
        ssize_t got = read (fd, text + used, sizeof text - 1 - used);
        cr_assert_gt (got, 0);
        text[used + (size_t)got] = 0;
        lines += count_lines (text + used);
        used += (size_t)got;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join (threads[i], NULL);
    for (char *line = strtok (text, "\n"); line; line = strtok (NULL, "\n")) {
        const char *thread = strstr (line, "thread=");
        cr_assert (thread && !strncmp (line, "ts=", 3));
        thread += strlen ("thread=");
        cr_assert_eq (strspn (thread, (char[]){*thread, 0}), 39);
        cr_assert_str_eq (thread + 39, " end=1");
    }
}
