/*  A command for `exec:` that writes down what it runs, as recorder does.
 *
 *      ringworker --queue NAME='exec:exec recorder_job HISTORY WORKER'
 *
 *  A payload is "MS VERB …" on stdin; VERB is ok, fail or bad (recorder.c). A child that stands apart, so that nobody kills
 *  it along, writes down when this process died: a worker kills its commands without a word.
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "history_pen.h"

enum { PAYLOAD_BYTES_MAX = 4 << 20, TRY_AGAIN = 75 };

static const char *variable (const char *name)
{
    const char *value = getenv (name);
    return value ? value : "0";
}

static void write_down (const history_pen_t *pen, const char *what, const char *how)
{
    char key[300] = "-";
    const char *name = getenv ("RM_KEY");
    if (name)
        snprintf (key, sizeof key, "%s/%s", variable ("RM_QUEUE"), name);
    history_pen_write (pen, "%s %" PRIu64 " %ld %s %s %s %s %s %s", what, history_now_us (), (long)getpid (), pen->who,
                       variable ("RM_JOB_ID"), key, variable ("RM_TOKEN"), variable ("RM_ATTEMPT"), how);
}

/* Says so once it stands apart: before that it would be killed along. */
static void mourn (const history_pen_t *pen, pid_t pid, int ready)
{
    setsid ();
    for (int fd = 0; fd < 3; fd++)
        close (fd); /* whoever reads our output must not wait for this process */
    struct pollfd item = {(int)syscall (SYS_pidfd_open, pid, 0), POLLIN, 0};
    if (write (ready, "", 1) != 1)
        _exit (1);
    close (ready);
    while (item.fd >= 0 && getppid () == pid && poll (&item, 1, -1) < 0)
        continue;
    history_pen_write (pen, "died %" PRIu64 " %ld %s", history_now_us (), (long)pid, pen->who);
    _exit (0);
}

/* A command that nobody watches would look as if it ran for ever. */
static bool be_watched (const history_pen_t *pen)
{
    int ends[2];
    char byte;
    pid_t pid = getpid ();
    if (pipe (ends))
        return false;
    pid_t child = fork ();
    if (!child)
        mourn (pen, pid, ends[1]);
    close (ends[1]);
    bool watched = child > 0 && read (ends[0], &byte, 1) == 1;
    close (ends[0]);
    return watched;
}

int main (int argc, char **argv)
{
    history_pen_t pen;
    char verb[16] = "", worker[16], answer[ANSWER_BYTES];
    long ms = 0;
    char *payload = malloc (PAYLOAD_BYTES_MAX + 1);
    if (argc != 3 || !payload || history_pen_open (&pen, argv[1], argv[2]))
        return 2;
    snprintf (worker, sizeof worker, "%ld", (long)getppid ());
    size_t size = fread (payload, 1, PAYLOAD_BYTES_MAX, stdin);
    payload[size] = 0;
    if (!be_watched (&pen))
        return TRY_AGAIN;
    write_down (&pen, "start", worker);
    if (sscanf (payload, "%ld %15s", &ms, verb) != 2)
        strcpy (verb, "bad");
    nanosleep (&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
    write_down (&pen, "end", strcmp (verb, "ok") ? "failed" : "ok");
    answer_for (payload, size, answer);
    if (!strcmp (verb, "ok"))
        fputs (answer, stdout);
    free (payload);
    return !strcmp (verb, "ok") ? 0 : !strcmp (verb, "fail") ? TRY_AGAIN : 1;
}
