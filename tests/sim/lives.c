#include "lives.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES_MAX = 256, PROGRESS_EVERY = 256 };

/* A line of a child to its parent: written in one piece. */
typedef struct {
    unsigned child;
    uint64_t number;
    sim_result_t result;
} word_t;

_Static_assert(sizeof (word_t) <= 4096, "a pipe keeps this in one piece");

static double seconds (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- a child ----------------------------------------------------------------------------------------------------- */

static _Noreturn void live_some (const lives_t *self, unsigned child, int to)
{
    static plan_t plan;
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    for (uint64_t number = child; number < self->count; number += self->processes) {
        word_t word;
        memset (&word, 0, sizeof word);
        word.child = child;
        word.number = self->from + number;
        self->plan (&plan, word.number, self->arg);
        sim_live (&plan, &word.result);
        if (write (to, &word, sizeof word) != sizeof word)
            _exit (1);
        if (word.result.violated)
            break;
    }
    _exit (0);
}

/* ---- the parent -------------------------------------------------------------------------------------------------- */

static void show (const lives_t *self, const lives_result_t *result, double begun)
{
    double gone = seconds () - begun;
    fprintf (stderr, "\r%" PRIu64 " of %" PRIu64 " %s, %.0f a second ", result->lived, self->count, self->what,
             gone > 0 ? (double)result->lived / gone : 0);
}

static void add (lives_result_t *result, const word_t *word)
{
    result->lived++;
    result->jobs += word->result.jobs;
    result->starts += word->result.starts;
    result->resizes += word->result.resizes;
    result->terms += word->result.terms;
    result->deaths += word->result.deaths;
    result->steps += word->result.steps;
    if (!word->result.violated || (result->violated && result->number < word->number))
        return;
    result->violated = true;
    result->number = word->number;
    result->first = word->result;
}

/* A child that is beyond the lowest violation has nothing to add. */
static void end_those_beyond (const lives_result_t *result, pid_t *children, const uint64_t *next, unsigned count)
{
    for (unsigned i = 0; result->violated && i < count; i++)
        if (children[i] && next[i] > result->number) {
            kill (children[i], SIGKILL);
            children[i] = 0;
        }
}

static void listen_to (const lives_t *self, int from, pid_t *children, uint64_t *next, lives_result_t *result)
{
    double begun = seconds ();
    bool person = isatty (STDERR_FILENO);
    word_t word;
    for (ssize_t size; (size = read (from, &word, sizeof word)) != 0;) {
        if (size < 0 && errno == EINTR)
            continue;
        if (size != sizeof word)
            break;
        next[word.child] = word.number + self->processes;
        add (result, &word);
        end_those_beyond (result, children, next, self->processes);
        if (person && result->lived % PROGRESS_EVERY == 0)
            show (self, result, begun);
    }
    if (person)
        fputs ("\r\033[K", stderr);
    result->seconds = seconds () - begun;
}

/* Of whatever a life does not say itself: the machine had no memory left, say. */
static void say_died (const lives_t *self, uint64_t number, int status)
{
    char how[64], where[64] = "after its last life";
    if (WIFSIGNALED (status))
        snprintf (how, sizeof how, "was killed by signal %d (%s)", WTERMSIG (status), strsignal (WTERMSIG (status)));
    else
        snprintf (how, sizeof how, "ended with exit code %d", WEXITSTATUS (status));
    if (number - self->from < self->count)
        snprintf (where, sizeof where, "at %s %" PRIu64 ", or just before", self->number, number);
    fprintf (stderr, "ringsim: a process %s %s: not all %s were lived\n", how, where, self->what);
}

/* Takes leave of all children. Those that were not ended here must have come to their end. */
static void wait_for (const lives_t *self, const pid_t *all, const pid_t *children, const uint64_t *next,
                      lives_result_t *result)
{
    for (unsigned i = 0; i < self->processes; i++) {
        int status;
        if (waitpid (all[i], &status, 0) < 0 || !children[i] || (WIFEXITED (status) && !WEXITSTATUS (status)))
            continue;
        say_died (self, next[i], status);
        result->died = true;
    }
}

static bool start (const lives_t *self, pid_t *children, const int pipes[2])
{
    fflush (NULL);
    for (unsigned i = 0; i < self->processes; i++) {
        children[i] = fork ();
        if (children[i] < 0)
            return false;
        if (!children[i]) {
            close (pipes[0]);
            live_some (self, i, pipes[1]);
        }
    }
    return true;
}

bool lives_run (const lives_t *self, lives_result_t *result)
{
    pid_t children[PROCESSES_MAX] = {0}, all[PROCESSES_MAX];
    uint64_t next[PROCESSES_MAX]; /* the number that each lives */
    int pipes[2];
    *result = (lives_result_t){0};
    if (self->processes < 1 || self->processes > PROCESSES_MAX || pipe (pipes) || !start (self, children, pipes)) {
        fprintf (stderr, "ringsim: no process could be started: %s\n", strerror (errno));
        return false;
    }
    for (unsigned i = 0; i < self->processes; i++)
        next[i] = self->from + i;
    memcpy (all, children, sizeof all);
    close (pipes[1]);
    listen_to (self, pipes[0], children, next, result);
    close (pipes[0]);
    wait_for (self, all, children, next, result);
    return true;
}
