#include "crowd.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/files.h"
#include "process.h"
#include "proto/alloc.h"
#include "ringmaster/stream.h"

enum { SAMPLES_MAX = 1 << 21, PATIENCE_MS = 60000, EVENTS_MAX = 64, COMING_MAX = 8 };

struct crowd_shared {
    atomic_uint ready, over; /* processes whose clients are all there; that have measured */
    _Atomic uint64_t go_us;  /* when measuring begins; 0: not yet */
    atomic_bool stop;
    struct {
        uint64_t jobs, took_us;
        uint32_t samples[SAMPLES_MAX]; /* waits in microseconds, of the first jobs */
    } of[];
};

/* One process and its clients. */
typedef struct {
    const crowd_t *crowd;
    uint32_t number, clients;
    rm_stream_t *streams[CROWD_PROCESS_CLIENTS];
    uint64_t sent, done, start_us;
    int epoll;
} gang_t;

/* ---- a process of clients --------------------------------------------------------------------------------------- */

/* The tag is when it was due. */
static void send_job (gang_t *self, uint32_t client, uint64_t due_us)
{
    const crowd_options_t *options = &self->crowd->options;
    uint64_t number = self->sent++ * self->crowd->processes + self->number;
    char key[24];
    snprintf (key, sizeof key, "k%llu", (unsigned long long)(options->keys ? number % options->keys : 0));
    if (rm_stream_send (self->streams[client],
                        rm_spec ("crowd", .key = options->keys ? key : NULL, .data = "x", .size = 1, .tag = due_us)))
        harness_fail ("cannot send: %s", rm_stream_error (self->streams[client]));
}

static void take_result (gang_t *self, rm_result_t *result)
{
    uint64_t now_us = rm_clock_us ();
    if (rm_result_outcome (result) != RM_DONE)
        harness_fail ("a job was not done: %s", rm_result_reason (result));
    if (self->start_us && self->done < SAMPLES_MAX)
        self->crowd->shared->of[self->number].samples[self->done] = (uint32_t)(now_us - rm_result_tag (result));
    self->done++;
    rm_result_destroy (&result);
}

/* Whatever has come until `until_us`, or a little later. */
static void serve (gang_t *self, uint64_t until_us)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t now_us = rm_clock_us (), wait_us = until_us > now_us ? until_us - now_us : 0;
    const struct timespec timeout = {(time_t)(wait_us / 1000000), (long)(wait_us % 1000000 * 1000)};
    int count = epoll_pwait2 (self->epoll, events, EVENTS_MAX, &timeout, NULL);
    for (int i = 0; i < count; i++) {
        uint32_t client = events[i].data.u32;
        for (rm_result_t *result; (result = rm_stream_next (self->streams[client], 0));) {
            take_result (self, result);
            if (self->start_us && !self->crowd->options.rate)
                send_job (self, client, rm_clock_us ());
        }
    }
}

static void connect_one (gang_t *self, uint32_t client)
{
    const crowd_options_t *options = &self->crowd->options;
    char window[16];
    snprintf (window, sizeof window, "%u", options->rate ? RM_STREAM_WINDOW_MAX : options->window + 1);
    self->streams[client] = rm_stream_new (options->masters);
    if (!self->streams[client])
        harness_fail ("memory ran out");
    rm_stream_set (self->streams[client], "window", window);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = client};
    if (epoll_ctl (self->epoll, EPOLL_CTL_ADD, rm_stream_fd (self->streams[client]), &event))
        harness_fail ("a process has no room for %u clients", self->clients);
    send_job (self, client, 0);
}

/* A few at a time: what is measured is how they live, not how they all come at once. */
static void connect_all (gang_t *self)
{
    uint64_t end_ms = rm_clock_ms () + PATIENCE_MS;
    for (uint32_t i = 0; self->done < self->clients;) {
        for (; i < self->clients && i < self->done + COMING_MAX; i++)
            connect_one (self, i);
        if (rm_clock_ms () > end_ms)
            harness_fail ("after %d s %llu of %u clients have no answer", PATIENCE_MS / 1000,
                          (unsigned long long)(self->clients - self->done), self->clients);
        serve (self, rm_clock_us () + 100000);
    }
}

/* Jobs are due at an even pace, each process's between those of the others. */
static void at_a_rate (gang_t *self, uint64_t end_us)
{
    const crowd_options_t *options = &self->crowd->options;
    double period_us = 1e6 / options->rate;
    for (uint64_t n = 0;; n++) {
        uint64_t due_us = self->start_us + (uint64_t)((double)(n * self->crowd->processes + self->number) * period_us);
        while (rm_clock_us () < due_us && due_us < end_us)
            serve (self, due_us);
        if (due_us >= end_us)
            break;
        send_job (self, (uint32_t)(n % self->clients), due_us);
    }
    while (self->done < self->sent && rm_clock_us () < end_us + PATIENCE_MS * 1000ull)
        serve (self, rm_clock_us () + 10000);
}

static void at_will (gang_t *self, uint64_t end_us)
{
    uint64_t jobs = self->crowd->options.jobs / self->crowd->processes;
    for (uint32_t i = 0; i < self->clients; i++)
        for (uint32_t n = 0; n < self->crowd->options.window; n++)
            send_job (self, i, rm_clock_us ());
    for (uint64_t now_us; (now_us = rm_clock_us ()) < end_us || self->done < jobs;)
        serve (self, now_us < end_us ? end_us : now_us + 100000);
}

static void be_gang (const crowd_t *crowd, uint32_t number)
{
    static gang_t self;
    crowd_shared_t *shared = crowd->shared;
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    rm_files_allow_many ();
    self = (gang_t){.crowd = crowd, .number = number, .epoll = epoll_create1 (EPOLL_CLOEXEC)};
    self.clients = crowd->options.clients / crowd->processes + (number < crowd->options.clients % crowd->processes);
    connect_all (&self);
    atomic_fetch_add (&shared->ready, 1);
    uint64_t go_us;
    while (!(go_us = atomic_load (&shared->go_us)))
        serve (&self, rm_clock_us () + 1000);
    self.done = self.sent = 0;
    self.start_us = go_us;
    uint64_t end_us = go_us + crowd->options.seconds * 1000000ull;
    if (crowd->options.rate)
        at_a_rate (&self, end_us);
    else
        at_will (&self, end_us);
    shared->of[number].jobs = self.done;
    shared->of[number].took_us = rm_clock_us () - go_us;
    atomic_fetch_add (&shared->over, 1);
    while (!atomic_load (&shared->stop))
        sleep_ms (1);
    _exit (0);
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

static void look_after (const crowd_t *self)
{
    sleep_ms (1);
    for (uint32_t i = 0; i < self->processes; i++)
        if (waitpid (self->pids[i], NULL, WNOHANG) > 0)
            harness_fail ("a process of clients died");
}

void crowd_start (crowd_t *self, const crowd_options_t *options)
{
    *self = (crowd_t){.options = *options};
    self->processes = (options->clients + CROWD_PROCESS_CLIENTS - 1) / CROWD_PROCESS_CLIENTS;
    size_t size = sizeof *self->shared + self->processes * sizeof *self->shared->of;
    self->shared = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (self->shared == MAP_FAILED)
        harness_fail ("no memory for the times of %u clients", options->clients);
    fflush (stdout);
    for (uint32_t i = 0; i < self->processes; i++) {
        self->pids[i] = fork ();
        if (!self->pids[i])
            be_gang (self, i);
        if (self->pids[i] < 0)
            harness_fail ("cannot start a process of clients");
    }
    while (atomic_load (&self->shared->ready) < self->processes)
        look_after (self);
}

static int by_value (const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

crowd_result_t crowd_measure (crowd_t *self)
{
    enum { AHEAD_US = 20000 };
    crowd_result_t result = {0};
    size_t count = 0;
    atomic_store (&self->shared->go_us, rm_clock_us () + AHEAD_US);
    while (atomic_load (&self->shared->over) < self->processes)
        look_after (self);
    for (uint32_t i = 0; i < self->processes; i++) {
        result.rate += (double)self->shared->of[i].jobs * 1e6 / (double)self->shared->of[i].took_us;
        count += self->shared->of[i].jobs < SAMPLES_MAX ? self->shared->of[i].jobs : SAMPLES_MAX;
    }
    if (!count)
        return result;
    uint32_t *all = rm_calloc (count, sizeof *all);
    size_t used = 0;
    for (uint32_t i = 0; i < self->processes; i++)
        for (uint64_t n = 0; n < self->shared->of[i].jobs && n < SAMPLES_MAX; n++)
            all[used++] = self->shared->of[i].samples[n];
    qsort (all, count, sizeof *all, by_value);
    result.p50_ms = all[count / 2] / 1e3;
    result.p99_ms = all[count * 99 / 100] / 1e3;
    rm_free (all);
    return result;
}

void crowd_stop (crowd_t *self)
{
    atomic_store (&self->shared->stop, true);
    for (uint32_t i = 0; i < self->processes; i++)
        waitpid (self->pids[i], NULL, 0);
    munmap (self->shared, sizeof *self->shared + self->processes * sizeof *self->shared->of);
}
