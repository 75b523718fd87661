/*  A worker that writes down what it runs, for the tests that check whole histories.
 *
 *      recorder MASTER NAME THREADS HISTORY QUEUE…
 *
 *  A payload is "MS VERB …": it works for MS milliseconds (or until it is cancelled), then VERB says how it ends:
 *
 *      ok      answers the payload's hash (answer.h)      who     answers the worker's name
 *      fail    fails, to be tried again                   fail1   the same in its first attempt only, then ok
 *      bad     fails for good                             die     kills its own process
 *      hang    never ends, and does not heed cancelling   hang1   the same in its first attempt only, then ok
 *
 *  HISTORY gets a line for each start and each end, in one write each, so that those of many processes do not mix:
 *
 *      start MICROSECONDS PID WORKER ID QUEUE/KEY TOKEN ATTEMPT           (without a key: - for QUEUE/KEY)
 *      end   MICROSECONDS PID WORKER ID QUEUE/KEY TOKEN ATTEMPT ok|failed|cancelled
 *
 *  An end is written before the answer is given: what comes later than the line is the library's.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "ringmaster/worker.h"

enum { SLICE_MS = 5 };

typedef struct {
    const char *name;
    int history;
} recorder_t;

static uint64_t now_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void write_down (const recorder_t *self, const rm_job_t *job, const char *what, const char *how)
{
    char line[512], key[300] = "-";
    if (rm_job_key (job))
        snprintf (key, sizeof key, "%s/%s", rm_job_queue (job), rm_job_key (job));
    int size = snprintf (line, sizeof line, "%s %" PRIu64 " %ld %s %" PRIu64 " %s %" PRIu64 " %u%s%s\n", what,
                         now_us (), (long)getpid (), self->name, rm_job_id (job), key, rm_job_token (job),
                         rm_job_attempt (job), how ? " " : "", how ? how : "");
    if (write (self->history, line, (size_t)size) != size)
        abort ();
}

static void doze (long ms)
{
    nanosleep (&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* False if it was cancelled before. */
static bool work_for (const rm_job_t *job, long ms)
{
    uint64_t end_us = now_us () + (uint64_t)ms * 1000;
    for (uint64_t us; (us = now_us ()) < end_us;) {
        if (rm_job_cancelled (job))
            return false;
        long left_ms = (long)((end_us - us + 999) / 1000);
        doze (left_ms < SLICE_MS ? left_ms : SLICE_MS);
    }
    return !rm_job_cancelled (job);
}

static int answer (const recorder_t *self, rm_job_t *job, const char *verb)
{
    char text[ANSWER_BYTES];
    size_t size;
    const void *data = rm_job_data (job, &size);
    answer_for (data, size, text);
    write_down (self, job, "end", "ok");
    return strcmp (verb, "who") ? rm_job_reply (job, text, strlen (text))
                                : rm_job_reply (job, self->name, strlen (self->name));
}

static int fail (const recorder_t *self, rm_job_t *job, int verdict, const char *how, const char *reason)
{
    write_down (self, job, "end", how);
    return rm_job_fail (job, verdict, "%s", reason);
}

static int handle (rm_job_t *job, void *arg)
{
    const recorder_t *self = arg;
    char verb[16] = "";
    long ms = 0;
    write_down (self, job, "start", NULL);
    if (sscanf (rm_job_text (job), "%ld %15s", &ms, verb) != 2)
        return fail (self, job, RM_DEAD, "failed", "this is no payload for a recorder");
    bool first = rm_job_attempt (job) == 1;
    if (!work_for (job, ms))
        return fail (self, job, RM_RETRY, "cancelled", "cancelled");
    if (!strcmp (verb, "die"))
        kill (getpid (), SIGKILL);
    while (!strcmp (verb, "hang") || (!strcmp (verb, "hang1") && first))
        doze (1000);
    if (!strcmp (verb, "fail") || (!strcmp (verb, "fail1") && first))
        return fail (self, job, RM_RETRY, "failed", "told to fail");
    if (!strcmp (verb, "bad"))
        return fail (self, job, RM_DEAD, "failed", "told to be bad");
    return answer (self, job, verb);
}

static void ready (const char *name, void *arg)
{
    (void)arg;
    printf ("ready name=%s\n", name);
    fflush (stdout);
}

int main (int argc, char **argv)
{
    if (argc < 6) {
        fprintf (stderr, "usage: recorder MASTER NAME THREADS HISTORY QUEUE...\n");
        return 2;
    }
    recorder_t self = {.name = argv[2], .history = open (argv[4], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)};
    if (self.history < 0) {
        perror (argv[4]);
        return 2;
    }
    rm_worker_t *worker = rm_worker_new (argv[1]);
    if (!worker || rm_worker_set (worker, "name", self.name) || rm_worker_set (worker, "threads", argv[3]))
        return 2;
    for (int i = 5; i < argc; i++)
        if (rm_worker_handle (worker, argv[i], handle, &self))
            return 2;
    rm_worker_on_ready (worker, ready, NULL);
    int rc = rm_worker_run (worker);
    if (rc)
        fprintf (stderr, "recorder: %s\n", rm_worker_error (worker));
    rm_worker_destroy (&worker);
    return rc ? 1 : 0;
}
