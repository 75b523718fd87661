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
 *  HISTORY gets a line for each start and each end (history_pen.h), and one when the machine has not let it run for a
 *  while. An end is written before the answer is given: what comes later than the line is the library's.
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "history_pen.h"
#include "ringmaster/worker.h"

enum { SLICE_MS = 5, NAP_MS = 20, OVERSLEPT_US = 150000 };

typedef struct {
    const char *name;
    history_pen_t pen;
} recorder_t;

static void write_down (const recorder_t *self, const rm_job_t *job, const char *what, const char *how)
{
    char key[300] = "-";
    if (rm_job_key (job))
        snprintf (key, sizeof key, "%s/%s", rm_job_queue (job), rm_job_key (job));
    history_pen_write (&self->pen, "%s %" PRIu64 " %ld %s %" PRIu64 " %s %" PRIu64 " %u%s%s", what, history_now_us (),
                       (long)getpid (), self->name, rm_job_id (job), key, rm_job_token (job), rm_job_attempt (job),
                       how ? " " : "", how ? how : "");
}

static void doze (long ms)
{
    nanosleep (&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* False if it was cancelled before. */
static bool work_for (const rm_job_t *job, long ms)
{
    uint64_t end_us = history_now_us () + (uint64_t)ms * 1000;
    for (uint64_t us; (us = history_now_us ()) < end_us;) {
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

/* A process that is kept from running for as long as a lease's grace is like one that was stopped: it cannot know. */
static void *notice_sleep (void *arg)
{
    const recorder_t *self = arg;
    for (uint64_t before_us = history_now_us (), us;; before_us = us) {
        doze (NAP_MS);
        us = history_now_us ();
        if (us - before_us > NAP_MS * 1000 + OVERSLEPT_US)
            history_pen_write (&self->pen, "slept %" PRIu64 " %ld %s %" PRIu64, us, (long)getpid (), self->name,
                               before_us);
    }
    return NULL;
}

/* The worker's signals are not for this thread. */
static void start_noticing (recorder_t *self)
{
    sigset_t all, before;
    pthread_t thread;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    if (!pthread_create (&thread, NULL, notice_sleep, self))
        pthread_detach (thread);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
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
    recorder_t self = {.name = argv[2]};
    if (history_pen_open (&self.pen, argv[4], argv[2])) {
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
    start_noticing (&self);
    int rc = rm_worker_run (worker);
    if (rc)
        fprintf (stderr, "recorder: %s\n", rm_worker_error (worker));
    rm_worker_destroy (&worker);
    return rc ? 1 : 0;
}
