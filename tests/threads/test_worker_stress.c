/* The worker's threads under fire: a master made of random numbers dispatches, resizes, removes and forgets to answer,
 * while handler threads start and end jobs through the same code as in ringworker (worker/crew.h), without sockets.
 *
 * Checked while it goes on: jobs of one key never overlap and start in order; what was reported as handed back has never
 * been started; what was started is reported once or was forgotten with its incarnation. The thread sanitizer checks the
 * rest. Bounded by a number of jobs and by time. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/splitmix.h"
#include "net/clock.h"
#include "net/poll.h"
#include "worker/crew.h"

enum {
    THREADS = 8,
    JOBS_AT_ONCE = 12, /* detached ones among them */
    KEYS = 24,
    JOBS_MAX = 20000, /* dispatched in all */
    TIME_MAX_MS = 8000,
    FLIGHT_MAX = 64, /* jobs at the worker */
    LEASE_MS = 60,
    HEARTBEAT_MS = 15,
    GRACE_MS = 20000 /* the machine may be slow: hanging is another test's */
};

#define CHECK(claim)                                                                                                   \
    do {                                                                                                               \
        if (!(claim)) {                                                                                                \
            fprintf (stderr, "%s:%d: not so: %s (seed %u)\n", __FILE__, __LINE__, #claim, seed);                       \
            exit (1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static unsigned seed;
static uint64_t state;

static uint64_t random_bits (void)
{
    return rm_splitmix (&state);
}

static bool one_in (unsigned n)
{
    return random_bits () % n == 0;
}

/* ---- the handlers' side ---------------------------------------------------------------------------------------- */

static atomic_uchar started[JOBS_MAX + 1];
static atomic_int inside[KEYS];      /* jobs of a key that run */
static atomic_ulong newest[KEYS];    /* the last one started; ids only grow */
static atomic_ulong starts, cancels; /* counted for the summary */

/* How every job ends. */
static int say (rm_job_t *job)
{
    size_t size;
    const char *mode = rm_job_data (job, &size), *key = rm_job_key (job);
    if (rm_job_cancelled (job))
        atomic_fetch_add (&cancels, 1);
    if (key)
        CHECK (atomic_fetch_sub (&inside[atoi (key)], 1) == 1);
    if (*mode == 'f')
        return rm_job_fail (job, RM_RETRY, "as wanted");
    return rm_job_reply (job, mode, size);
}

/* The detached jobs, on their way to the threads that finish them. */
static pthread_mutex_t away_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t away_turn = PTHREAD_COND_INITIALIZER;
static rm_job_t *away[JOBS_AT_ONCE];
static unsigned away_count;
static bool away_over;
static atomic_ulong finishes;

static void give_away (rm_job_t *job)
{
    pthread_mutex_lock (&away_mutex);
    CHECK (away_count < JOBS_AT_ONCE);
    away[away_count++] = job;
    pthread_cond_signal (&away_turn);
    pthread_mutex_unlock (&away_mutex);
}

static void *finish_detached (void *arg)
{
    (void)arg;
    pthread_mutex_lock (&away_mutex);
    for (;;) {
        while (!away_count && !away_over)
            pthread_cond_wait (&away_turn, &away_mutex);
        if (!away_count)
            break;
        rm_job_t *job = away[--away_count];
        pthread_mutex_unlock (&away_mutex);
        if (rm_job_id (job) % 3 == 0)
            nanosleep (&(struct timespec){0, 1000000}, NULL);
        CHECK (!say (job) && !rm_job_finish (&job));
        atomic_fetch_add (&finishes, 1);
        pthread_mutex_lock (&away_mutex);
    }
    pthread_mutex_unlock (&away_mutex);
    return NULL;
}

static int handle (rm_job_t *job, void *arg)
{
    (void)arg;
    uint64_t id = rm_job_id (job);
    const char *key = rm_job_key (job);
    CHECK (!atomic_exchange (&started[id], 1));
    atomic_fetch_add (&starts, 1);
    int at = key ? atoi (key) : -1;
    if (key) {
        CHECK (atomic_fetch_add (&inside[at], 1) == 0);
        CHECK (atomic_exchange (&newest[at], id) < id);
    }
    const char *mode = rm_job_text (job);
    if (*mode == 'd') {
        CHECK (!rm_job_detach (job));
        give_away (job);
        return 1; /* no verdict */
    }
    if (*mode == 'w') /* waits to be cancelled: by its timeout, a lost lease or a removal */
        while (!rm_job_cancelled (job))
            rm_job_sleep (job, rm_clock_ms () + 1000);
    if (*mode == 's')
        rm_job_sleep (job, rm_clock_ms () + 1);
    return say (job);
}

/* ---- the master's side ----------------------------------------------------------------------------------------- */

typedef enum { NOWHERE, AT_WORKER, ENDED } where_t;

static where_t where[JOBS_MAX + 1];
static uint64_t ids, flight, ended, returned, forgotten, resizes, removals, terms;
static uint64_t term = 1, epoch = 1, inc, seq;
static bool joined;
static uint64_t deaf_until; /* answers nothing before */
static rm_crew_t crew;
static rm_work_t *work;

static void give (const rm_msg_t *msg)
{
    rm_crew_lock (&crew);
    rm_work_receive (work, msg, rm_clock_ms ());
    rm_crew_unlock (&crew);
}

static void dispatch_some (void)
{
    rm_dispatch_job_t jobs[16];
    char keys[16][8];
    uint32_t count = 0, most = 1 + (uint32_t)(random_bits () % 16);
    for (; count < most && flight < FLIGHT_MAX && ids < JOBS_MAX; count++, flight++) {
        unsigned key = (unsigned)(random_bits () % KEYS);
        bool keyed = !one_in (4), waits = one_in (40);
        snprintf (keys[count], sizeof keys[count], "%u", key);
        const char *mode = waits ? "w" : one_in (10) ? "f" : one_in (6) ? "d" : one_in (3) ? "s" : "q";
        ids++;
        jobs[count] = (rm_dispatch_job_t){.id = ids,
                                          .token = ids,
                                          .slot = keyed ? key : RM_SLOTS,
                                          .attempt = 1,
                                          .timeout_ms = waits ? 20 : 5000,
                                          .queue = {"q", 1},
                                          .data = {mode, 1}};
        if (keyed)
            jobs[count].key = (rm_bytes_t){keys[count], (uint32_t)strlen (keys[count])};
        where[ids] = AT_WORKER;
    }
    if (!count)
        return;
    give (&(rm_msg_t){
        .type = RM_MSG_DISPATCH,
        .dispatch = {.term = term, .epoch = epoch, .inc = inc, .seq = seq + 1, .jobs = jobs, .job_count = count}});
    seq += count;
}

static void sync_phase (uint32_t phase)
{
    uint32_t first = (uint32_t)(random_bits () % KEYS);
    rm_sync_member_t member = {{"w", 1}, inc};
    rm_sync_move_t moved = {{"default", 7}, first, first + (uint32_t)(random_bits () % 4), inc, 1};
    rm_msg_t msg = {.type = RM_MSG_SYNC, .sync = {.from_master = true, .phase = phase, .term = term, .epoch = epoch}};
    if (phase == 2) {
        msg.sync.members = &member;
        msg.sync.member_count = 1;
        msg.sync.moved = &moved;
        msg.sync.moved_count = 1;
    }
    give (&msg);
}

static void resize (void)
{
    epoch++;
    resizes++;
    sync_phase (1);
    if (!one_in (4))
        sync_phase (2);
    if (one_in (2))
        sync_phase (3);
}

/* Everything at the worker is gone with its incarnation. What it had started may still run: its key has to wait, which
 * a real master does by waiting for the lease. */
static void forget (void)
{
    for (uint64_t id = 1; id <= ids; id++)
        if (where[id] == AT_WORKER) {
            where[id] = ENDED;
            forgotten++;
        }
    flight = seq = 0;
    joined = false;
}

static void remove_worker (void)
{
    removals++;
    give (&(rm_msg_t){.type = RM_MSG_REJOIN, .rejoin = {.term = term, .inc = inc}});
    forget ();
}

static void new_term (void)
{
    terms++;
    term++;
    seq = 0;
    sync_phase (1);
}

static bool in_report (const rm_report_t *report, uint64_t id)
{
    for (uint32_t i = 0; i < report->held_count; i++)
        if (report->held[i] == id)
            return true;
    return false;
}

/* The watermark says what was handed back: it was never started, and never will be (`handle` checks each start once,
 * `check_returned` at the end). */
static uint64_t first_of_term = 1;

static void take_report (const rm_report_t *report)
{
    if (!joined || report->inc != inc || report->term != term || report->upto != seq)
        return; /* something is still on the way */
    for (uint64_t id = first_of_term; id <= ids; id++) {
        if (where[id] != AT_WORKER || in_report (report, id))
            continue;
        CHECK (!atomic_load (&started[id]));
        where[id] = ENDED;
        started[id] = 1; /* a start from now on trips over it */
        returned++;
        flight--;
    }
    while (first_of_term <= ids && where[first_of_term] == ENDED)
        first_of_term++;
}

static void take_done (const rm_msg_done_t *done)
{
    rm_committed_job_t committed[RM_MESSAGE_JOBS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < done->job_count; i++) {
        uint64_t id = done->jobs[i].id;
        CHECK (atomic_load (&started[id]));
        if (where[id] != AT_WORKER)
            continue; /* told again */
        if (one_in (20))
            continue; /* lost: it will be told again */
        where[id] = ENDED;
        ended++;
        flight--;
        committed[count++] = (rm_committed_job_t){id, done->jobs[i].attempt};
    }
    /* Those told again are answered too. */
    for (uint32_t i = 0; i < done->job_count; i++)
        if (where[done->jobs[i].id] == ENDED && count < RM_MESSAGE_JOBS_MAX)
            committed[count++] = (rm_committed_job_t){done->jobs[i].id, done->jobs[i].attempt};
    give (&(rm_msg_t){.type = RM_MSG_COMMITTED,
                      .committed = {.term = term, .inc = inc, .jobs = committed, .job_count = count}});
}

static void take_join (const rm_msg_join_t *join)
{
    inc = join->inc;
    joined = true;
    first_of_term = ids + 1;
    give (&(rm_msg_t){.type = RM_MSG_JOINED,
                      .joined = {.term = term,
                                 .epoch = epoch,
                                 .inc = inc,
                                 .lease_ms = LEASE_MS,
                                 .grace_ms = GRACE_MS,
                                 .heartbeat_ms = HEARTBEAT_MS,
                                 .result_bytes_max = 100}});
}

/* What the worker said, decoded from the wire as a master would: the half's own memory changes with every answer. */
static void hear (const rm_buf_t *frame)
{
    rm_msg_t msg;
    CHECK (!rm_msg_decode (&msg, frame->data, frame->size, NULL));
    switch (msg.type) {
    case RM_MSG_JOIN:
        take_join (&msg.join);
        break;
    case RM_MSG_HEARTBEAT:
        take_report (&msg.heartbeat.report);
        if (msg.heartbeat.report.term == term)
            give (&(rm_msg_t){.type = RM_MSG_HEARTBEAT_OK,
                              .heartbeat_ok = {.term = term,
                                               .epoch = epoch,
                                               .inc = msg.heartbeat.report.inc,
                                               .n = msg.heartbeat.n,
                                               .last_seq = seq}});
        break;
    case RM_MSG_DONE:
        take_report (&msg.done.report);
        take_done (&msg.done);
        break;
    case RM_MSG_SYNC:
        if (msg.sync.phase < 3) /* the third says nothing of what is held */
            take_report (&msg.sync.report);
        break;
    default:
        break;
    }
    rm_msg_close (&msg);
}

/* ---- the loop -------------------------------------------------------------------------------------------------- */

enum { FRAMES_MAX = 256 };

static void turn (rm_wake_t *wake)
{
    rm_buf_t frames[FRAMES_MAX] = {{0}};
    size_t count = 0;
    rm_crew_lock (&crew);
    rm_crew_collect (&crew);
    uint64_t now_ms = rm_clock_ms ();
    rm_work_tick (work, now_ms, random_bits ());
    const rm_work_effects_t *effects = rm_work_effects (work, now_ms);
    rm_crew_unlock (&crew);
    bool deaf = now_ms < deaf_until;
    for (size_t i = 0; i < effects->send_count && count < FRAMES_MAX && !deaf; i++)
        CHECK (!rm_msg_encode (&effects->sends[i], &frames[count++]));
    rm_crew_apply (&crew, effects);
    CHECK (effects->end == RM_WORK_GOES_ON);
    if (effects->reconnect) {
        rm_crew_lock (&crew);
        rm_work_connected (work, now_ms);
        rm_crew_unlock (&crew);
    }
    uint64_t wake_ms = rm_crew_sleep_until (&crew, effects->deadline_ms);
    for (size_t i = 0; i < count; i++) {
        hear (&frames[i]);
        rm_buf_close (&frames[i]);
    }
    now_ms = rm_clock_ms ();
    if (count || wake_ms <= now_ms)
        return;
    rm_poll_t item = {.fd = wake->fd};
    rm_poll (&item, 1, wake_ms - now_ms < 2 ? (int64_t)(wake_ms - now_ms) : 2);
    rm_wake_clear (wake);
}

static void act (void)
{
    if (!joined)
        return;
    if (rm_clock_ms () >= deaf_until && one_in (600))
        deaf_until = rm_clock_ms () + 2 * LEASE_MS;
    else if (one_in (400))
        remove_worker ();
    else if (one_in (300))
        new_term ();
    else if (one_in (20))
        resize ();
    else
        dispatch_some ();
}

static void finish (rm_wake_t *wake)
{
    deaf_until = 0;
    uint64_t end_ms = rm_clock_ms () + 20000;
    while (flight || !joined || rm_work_held_count (work)) {
        turn (wake);
        CHECK (rm_clock_ms () < end_ms);
    }
}

int main (int argc, char **argv)
{
    static const char *const queues[] = {"q"};
    seed = argc > 1 ? (unsigned)atoi (argv[1]) : 1;
    state = seed;
    rm_wake_t wake;
    rm_served_t served = {.queue = "q", .handler = handle};
    rm_work_config_t config = {.name = "w", .pool = "default", .queues = queues, .queue_count = 1, .threads = THREADS};
    work = rm_work_new (&config);
    CHECK (work && !rm_wake_init (&wake));
    pthread_t finishers[2];
    for (int i = 0; i < 2; i++)
        CHECK (!pthread_create (&finishers[i], NULL, finish_detached, NULL));
    CHECK (!rm_crew_start (&crew, work, &served, THREADS, JOBS_AT_ONCE, &wake));
    rm_crew_lock (&crew);
    rm_work_connected (work, rm_clock_ms ());
    rm_crew_unlock (&crew);
    uint64_t end_ms = rm_clock_ms () + TIME_MAX_MS;
    while (ids < JOBS_MAX && rm_clock_ms () < end_ms) {
        act ();
        turn (&wake);
    }
    finish (&wake);
    rm_crew_stop (&crew);
    pthread_mutex_lock (&away_mutex);
    away_over = true;
    pthread_cond_broadcast (&away_turn);
    pthread_mutex_unlock (&away_mutex);
    for (int i = 0; i < 2; i++)
        pthread_join (finishers[i], NULL);
    rm_work_destroy (&work);
    rm_wake_close (&wake);
    printf ("seed %u: %lu dispatched, %lu started, %lu cancelled, %lu finished later, %lu ended, %lu handed back, %lu "
            "forgotten; "
            "%lu resizes, %lu terms, %lu removals\n",
            seed, (unsigned long)ids, (unsigned long)starts, (unsigned long)cancels, (unsigned long)finishes,
            (unsigned long)ended, (unsigned long)returned, (unsigned long)forgotten, (unsigned long)resizes,
            (unsigned long)terms, (unsigned long)removals);
    CHECK (ended + returned + forgotten == ids);
    CHECK (ended > 100 && returned && cancels && finishes && resizes && removals && terms);
    return 0;
}
