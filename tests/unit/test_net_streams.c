#include "net/streams.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Criterion runs each test in a process of its own, so that its streams are ours to close. */
static void run_without (unsigned closed, bool taken[3])
{
    int saved[3];
    for (int i = 0; i < 3; i++)
        saved[i] = fcntl (i, F_DUPFD, 10);
    for (int i = 0; i < 3; i++)
        if (closed & 1u << i)
            close (i);
    rm_streams_open ();
    int next = open ("/dev/null", O_RDWR);
    for (int i = 0; i < 3; i++)
        taken[i] = next == i;
    close (next);
    for (int i = 0; i < 3; i++)
        dup2 (saved[i], i);
}

Test (net_streams, a_file_never_gets_the_number_of_a_stream_that_was_closed)
{
    for (unsigned closed = 0; closed < 8; closed++) {
        bool taken[3];
        run_without (closed, taken);
        cr_expect (!taken[0] && !taken[1] && !taken[2], "streams closed: %u", closed);
    }
}

Test (net_streams, what_is_written_to_a_closed_stream_is_an_error)
{
    int saved = fcntl (STDOUT_FILENO, F_DUPFD, 10);
    close (STDOUT_FILENO);
    rm_streams_open ();
    ssize_t rc = write (STDOUT_FILENO, "x", 1);
    int error = errno;
    dup2 (saved, STDOUT_FILENO);
    cr_expect_eq (rc, -1);
    cr_expect_eq (error, EBADF);
}
