#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/shell.h"

static rm_buf_t buf;

static void close_buf (void)
{
    rm_buf_close (&buf);
}

TestSuite (shell, .fini = close_buf);

/* ---- requests --------------------------------------------------------------------------------------------------- */

/* Reads `size` bytes of `text`, which must have a NUL behind them. */
static const char *read_request (rm_shell_request_t *request, const char *text, size_t size)
{
    return rm_shell_request_read (request, text, size);
}

Test (shell, a_request_comes_back_as_it_was_written)
{
    rm_shell_request_begin (&buf, "/tmp/a b", "echo 'x'\n", "/spill", 1500);
    rm_shell_request_set (&buf, "A", "1=2");
    rm_shell_request_set (&buf, "B", "");
    rm_buf_put (&buf, "", 1); /* a job's payload has a NUL behind it */
    rm_shell_request_t request;
    cr_assert_null (read_request (&request, (const char *)buf.data, buf.size - 1));
    cr_assert_str_eq (request.directory, "/tmp/a b");
    cr_assert_str_eq (request.command, "echo 'x'\n");
    cr_assert_str_eq (request.spill, "/spill");
    cr_assert_eq (request.timeout_ms, 1500);
    const char *at = NULL;
    cr_assert_str_eq (rm_shell_request_next (&request, &at), "A=1=2");
    cr_assert_str_eq (rm_shell_request_next (&request, &at), "B=");
    cr_assert_null (rm_shell_request_next (&request, &at));
}

Test (shell, directory_and_command_are_enough)
{
    static const char text[] = "\0echo hi";
    rm_shell_request_t request;
    cr_assert_null (read_request (&request, text, sizeof text - 1));
    cr_assert_str_eq (request.directory, "");
    cr_assert_str_eq (request.command, "echo hi");
    cr_assert_str_eq (request.spill, "");
    cr_assert_eq (request.timeout_ms, 0);
    const char *at = NULL;
    cr_assert_null (rm_shell_request_next (&request, &at));
}

Test (shell, what_is_no_request_is_refused_with_a_sentence)
{
    rm_shell_request_t request;
    cr_expect_not_null (read_request (&request, "", 0));
    cr_expect_not_null (read_request (&request, "/tmp", 4));
    cr_expect_not_null (read_request (&request, "/tmp\0", 5));
    cr_expect_not_null (read_request (&request, "/\0c\0\0x", 6));
    cr_expect_not_null (read_request (&request, "/\0c\0\0-1", 7));
    cr_expect_not_null (read_request (&request,
                                      "/\0c\0\0"
                                      "99999999999999999999999",
                                      28));
    cr_expect_not_null (read_request (&request,
                                      "/\0c\0\0"
                                      "1\0A",
                                      8));
    cr_expect_not_null (read_request (&request,
                                      "/\0c\0\0"
                                      "1\0=A",
                                      9));
    cr_expect_null (read_request (&request,
                                  "/\0c\0\0"
                                  "1\0A=",
                                  9));
}

/* ---- replies ---------------------------------------------------------------------------------------------------- */

static rm_shell_reply_t sample (void)
{
    return (rm_shell_reply_t){.exit = 3,
                              .start_ms = 1795855787634,
                              .ran_ms = 12,
                              .stdout_bytes = 4,
                              .stderr_bytes = 2,
                              .host = {"box", 3},
                              .out = {"a\nb\0", 4},
                              .err = {"e\n", 2}};
}

Test (shell, a_reply_comes_back_as_it_was_written)
{
    rm_shell_reply_t said = sample (), read;
    rm_shell_reply_write (&said, &buf);
    cr_assert (rm_shell_reply_read (&read, (const char *)buf.data, buf.size));
    cr_assert_eq (read.exit, 3);
    cr_assert_eq (read.signal, 0);
    cr_assert_eq (read.start_ms, 1795855787634);
    cr_assert_eq (read.ran_ms, 12);
    cr_assert_eq (read.file.size, 0);
    cr_assert (rm_bytes_equal (read.host, said.host));
    cr_assert_eq (read.out.size, 4);
    cr_assert_eq (memcmp (read.out.data, "a\nb\0", 4), 0);
    cr_assert_eq (read.err.size, 2);
    cr_assert_eq (memcmp (read.err.data, "e\n", 2), 0);
}

Test (shell, a_reply_with_a_file_has_nothing_behind_its_line)
{
    rm_shell_reply_t said = sample (), read;
    said.file = (rm_bytes_t){"7-8", 3};
    said.out = said.err = (rm_bytes_t){NULL, 0};
    rm_shell_reply_write (&said, &buf);
    cr_assert (rm_shell_reply_read (&read, (const char *)buf.data, buf.size));
    cr_assert (rm_bytes_equal (read.file, said.file));
    cr_assert_eq (read.stdout_bytes, 4);
    cr_assert_eq (read.out.size, 0);
    rm_buf_put (&buf, "x", 1);
    cr_assert_not (rm_shell_reply_read (&read, (const char *)buf.data, buf.size));
}

Test (shell, a_reply_that_was_cut_or_lengthened_is_none)
{
    rm_shell_reply_t said = sample (), read;
    rm_shell_reply_write (&said, &buf);
    for (size_t size = 0; size < buf.size; size++) {
        char *copy = malloc (size + 1); /* so that a sanitizer sees a step too far */
        memcpy (copy, buf.data, size);
        cr_expect_not (rm_shell_reply_read (&read, copy, size), "%zu bytes", size);
        free (copy);
    }
    rm_buf_put (&buf, "x", 1);
    cr_expect_not (rm_shell_reply_read (&read, (const char *)buf.data, buf.size));
}

Test (shell, a_reply_whose_numbers_lie_or_whose_file_leads_elsewhere_is_none)
{
    static const char *const lies[] = {
        "exit=256 signal=0 timed_out=0 start_ms=1 ran_ms=1 stdout=0 stderr=0 host=h file=\n",
        "exit=0 signal=0 timed_out=2 start_ms=1 ran_ms=1 stdout=0 stderr=0 host=h file=\n",
        "exit=0 signal=0 timed_out=0 start_ms=-1 ran_ms=1 stdout=0 stderr=0 host=h file=\n",
        "exit=0 signal=0 timed_out=0 start_ms=1 ran_ms=1 stdout=18446744073709551615 stderr=1 host=h file=\n",
        "exit=0 signal=0 timed_out=0 start_ms=1 ran_ms=1 stdout=0 stderr=0 host=h file=../x\n",
        "exit=0 signal=0 timed_out=0 start_ms=1 ran_ms=1 stdout=0 host=h file=\n",
    };
    rm_shell_reply_t read;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        cr_expect_not (rm_shell_reply_read (&read, lies[i], strlen (lies[i])), "%s", lies[i]);
}
