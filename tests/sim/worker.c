/*  A worker: the real half of the protocol, with simulated threads and handlers. What src/worker does around it, and
 *  nothing else: a job is offered, waits in a run queue, a thread tries to start it some time later, its handler runs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/assert.h"
#include "sim.h"
#include "story.h"

enum {
    THREADS_MAX = 4,
    OFFERED_MAX = 4096,
    FIND_US = 30000, /* it takes up to so long to find a master */
    FIND_AGAIN_US = 250000,
    HEAR_US = 100000,  /* a handler that is told to stop does so within this */
    DEAF_US = 220000,  /* one that listens badly, within this: still before it is given up */
    PICK_US = 200,     /* a thread picks a job up within this */
    TOLD_US = 20000,   /* a program that is told of its slots returns within this … */
    SLOW_US = 2000000, /* … or, now and then, within this: longer than a lease */
    AWAY_US = 50000,   /* who left is back after so long at least */
};

struct sim_worker {
    rm_work_t *half;
    uint64_t connection; /* 0: none */
    uint32_t master;     /* … to that one; without one, the next to be asked */
    uint64_t connections;
    rm_work_job_t *offered[OFFERED_MAX];
    uint32_t offered_count;
    sim_run_t runs[THREADS_MAX];
    uint64_t end_us[THREADS_MAX];   /* when the handler returns */
    uint32_t permille[THREADS_MAX]; /* what the handler said, and … */
    uint64_t said_ms[THREADS_MAX];  /* … when, until the loop takes it; 0: nothing */
    uint32_t tells_left[THREADS_MAX];
    uint64_t run_count;
    bool searches;             /* for a master */
    const rm_slots_t *telling; /* its program is being told that; NULL: nothing */
    bool known[RM_SLOTS];      /* the slots that its program knows to be its own */
};

static sim_worker_t *worker_of (const sim_t *self, uint32_t who)
{
    return self->workers[sim_worker_place (self, who)];
}

uint64_t sim_worker_connection (const sim_t *self, uint32_t who, uint32_t master)
{
    const sim_worker_t *worker = worker_of (self, who);
    return worker && worker->master == master ? worker->connection : 0;
}

rm_work_t *sim_work (const sim_t *self, uint32_t who)
{
    return worker_of (self, who) ? worker_of (self, who)->half : NULL;
}

sim_run_t *sim_worker_runs (const sim_t *self, uint32_t who, uint32_t *count)
{
    *count = worker_of (self, who) ? self->plan->threads : 0;
    return worker_of (self, who) ? worker_of (self, who)->runs : NULL;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static bool gets_through (const sim_t *self, uint32_t from, uint32_t to)
{
    return !self->ways[from][to].cut && self->ways[from][to].held_us <= self->now_us;
}

static void search (sim_t *self, uint32_t who, uint64_t within_us)
{
    if (worker_of (self, who)->searches)
        return;
    worker_of (self, who)->searches = true;
    sim_after (self, 1 + sim_draw (self, within_us), SIM_CONNECTED, who, NULL, 0);
}

void sim_worker_boot (sim_t *self, uint32_t who)
{
    static const char *const queues[PLAN_QUEUES_MAX] = {"q", "r"};
    char name[8];
    plan_process_name (self->plan, who, name);
    sim_worker_t *worker = calloc (1, sizeof *worker);
    const rm_work_config_t config = {.name = name,
                                     .pool = "default",
                                     .queues = queues,
                                     .queue_count = PLAN_QUEUES_MAX,
                                     .threads = self->plan->threads,
                                     .slots = self->plan->orders};
    if (!worker || !(worker->half = rm_work_new (&config)))
        abort ();
    worker->connections = (uint64_t)self->processes[who].boot << 32;
    self->workers[sim_worker_place (self, who)] = worker;
    search (self, who, FIND_US);
    sim_want_turn (self, who);
}

void sim_worker_down (sim_t *self, uint32_t who)
{
    sim_worker_t *worker = worker_of (self, who);
    if (!worker)
        return;
    self->workers[sim_worker_place (self, who)] = NULL;
    rm_work_destroy (&worker->half);
    free (worker);
}

/* Whether that master leads and can be talked to. */
static bool answers (const sim_t *self, uint32_t who, uint32_t master)
{
    const rm_leader_t *leader = sim_leader (self, master);
    return leader && leader->leading && !leader->cut_off && !self->processes[master].paused_us &&
           gets_through (self, who, master) && gets_through (self, master, who);
}

/* It asks one master after the other who leads, and is told where to connect to: that takes a way there and back. */
void sim_worker_connect (sim_t *self, uint32_t who)
{
    sim_worker_t *worker = worker_of (self, who);
    worker->searches = false;
    if (!answers (self, who, worker->master)) {
        worker->master = (worker->master + 1) % self->plan->master_count;
        search (self, who, worker->master ? FIND_US : FIND_AGAIN_US);
        return;
    }
    worker->connection = ++worker->connections;
    story (self, who, "has found the master");
    rm_work_connected (worker->half, sim_clock_ms (self, who));
    sim_want_turn (self, who);
}

void sim_worker_leave (sim_t *self, uint32_t who)
{
    if (!worker_of (self, who))
        return;
    story (self, who, "is told to leave");
    rm_work_stop (worker_of (self, who)->half, sim_clock_ms (self, who));
    sim_want_turn (self, who);
}

void sim_worker_receive (sim_t *self, const sim_packet_t *packet)
{
    check_arrives (self->check, packet);
    rm_work_receive (worker_of (self, packet->to)->half, &packet->msg, sim_clock_ms (self, packet->to));
    check_arrived (self->check, packet);
    sim_want_turn (self, packet->to);
}

/* ---- handlers ---------------------------------------------------------------------------------------------------- */

/* The job of the plan that a payload names; NULL: none does, and the worker is not told of it. */
static const plan_item_t *item_of (const sim_t *self, const rm_work_job_t *job)
{
    uint32_t index = (uint32_t)strtoul (job->data.data, NULL, 10);
    for (uint32_t i = 0; i < self->plan->item_count; i++)
        if (self->plan->items[i].index == index)
            return &self->plan->items[i];
    return NULL;
}

static void in_run (sim_t *self, uint32_t who, uint32_t thread, sim_event_kind_t kind, uint64_t at_us)
{
    sim_events_add (&self->events, (sim_event_t){.at_us = at_us,
                                                 .kind = kind,
                                                 .who = who,
                                                 .boot = self->processes[who].boot,
                                                 .number = thread,
                                                 .more = worker_of (self, who)->runs[thread].run});
}

static void begin_run (sim_t *self, uint32_t who, uint32_t thread, rm_work_job_t *job)
{
    sim_worker_t *worker = worker_of (self, who);
    if (self->plan->orders && job->slot < RM_SLOTS && !worker->known[job->slot])
        sim_violation (self, "slots-told", "job %" PRIu64 " starts in slot %u, which its program does not have",
                       job->id, job->slot);
    const plan_item_t *item = item_of (self, job);
    worker->runs[thread] = (sim_run_t){.job = job,
                                       .run = ++worker->run_count,
                                       .inc = rm_work_incarnation (worker->half),
                                       .slot = job->slot,
                                       .started_us = self->now_us,
                                       .told_ms = sim_clock_ms (self, who)};
    uint64_t run_us = item ? item->run_us : 0;
    worker->end_us[thread] = self->now_us + run_us;
    story (self, who, "starts job %" PRIu64 "/%u of slot %u", job->id, job->attempt, job->slot);
    check_starts (self->check, who, &worker->runs[thread]);
    in_run (self, who, thread, SIM_END, worker->end_us[thread]);
    worker->tells_left[thread] = item ? item->tells : 0;
    if (worker->tells_left[thread])
        in_run (self, who, thread, SIM_TELLS, self->now_us + item->tell_ms * 1000);
}

void sim_worker_start (sim_t *self, uint32_t who)
{
    sim_worker_t *worker = worker_of (self, who);
    uint32_t thread = 0;
    while (thread < self->plan->threads && worker->runs[thread].job)
        thread++;
    if (thread == self->plan->threads || !worker->offered_count)
        return;
    rm_work_job_t *job = worker->offered[0];
    memmove (worker->offered, worker->offered + 1, --worker->offered_count * sizeof job);
    if (rm_work_try_start (worker->half, job, sim_clock_ms (self, who)))
        begin_run (self, who, thread, job);
    else
        rm_work_declined (worker->half, job);
    sim_want_turn (self, who);
}

/* What the handlers have said since the turn before, with the time when they did. */
static void take_said (sim_worker_t *worker)
{
    for (uint32_t thread = 0; thread < THREADS_MAX; thread++) {
        if (worker->said_ms[thread])
            rm_work_progress (worker->half, worker->runs[thread].job, worker->permille[thread], rm_bytes ("so far"),
                              worker->said_ms[thread]);
        worker->said_ms[thread] = 0;
    }
}

/* One that was told to stop says no more. */
void sim_worker_tells (sim_t *self, uint32_t who, uint64_t thread, uint64_t run)
{
    sim_worker_t *worker = worker_of (self, who);
    sim_run_t *tells = &worker->runs[thread];
    if (!tells->job || tells->run != run || tells->job->cancelled)
        return;
    const plan_item_t *item = item_of (self, tells->job);
    uint64_t now_ms = sim_clock_ms (self, who);
    worker->permille[thread] = (uint32_t)((self->now_us - tells->started_us) * 1000 / item->run_us);
    worker->said_ms[thread] = now_ms;
    if (now_ms < tells->told_ms + tells->job->timeout_ms)
        tells->told_ms = now_ms;
    story (self, who, "job %" PRIu64 "/%u says that it is at %u permille", tells->job->id, tells->job->attempt,
           worker->permille[thread]);
    if (--worker->tells_left[thread])
        in_run (self, who, (uint32_t)thread, SIM_TELLS, self->now_us + item->tell_ms * 1000);
    sim_want_turn (self, who);
}

static void put_text (rm_buf_t *to, const char *text)
{
    rm_buf_put (to, text, strlen (text));
}

/* The result says which job it is of, and which run. */
static void conclude (const sim_t *self, rm_work_job_t *job)
{
    const plan_item_t *item = item_of (self, job);
    char text[64];
    if (job->stop == RM_WORK_STOP_ORDER) {
        job->result.verdict = RM_VERDICT_RETRY;
        put_text (&job->result.reason, "told to stop");
        return;
    }
    if (item && job->attempt <= item->fails) {
        job->result.verdict = item->dies && job->attempt == item->fails ? RM_VERDICT_DEAD : RM_VERDICT_RETRY;
        put_text (&job->result.reason, "fails");
        return;
    }
    job->result.verdict = RM_VERDICT_OK;
    snprintf (text, sizeof text, "%.*s=%" PRIx64, (int)job->data.size, (const char *)job->data.data, job->token);
    put_text (&job->result.data, text);
}

void sim_worker_end (sim_t *self, uint32_t who, uint64_t thread, uint64_t run)
{
    sim_worker_t *worker = worker_of (self, who);
    sim_run_t *ended = &worker->runs[thread];
    if (!ended->job || ended->run != run || self->now_us < worker->end_us[thread])
        return;
    rm_work_job_t *job = ended->job;
    take_said (worker);
    conclude (self, job);
    job->result.ran_us = self->now_us - ended->started_us;
    story (self, who, "ends job %" PRIu64 "/%u%s", job->id, job->attempt, job->cancelled ? ", told to stop" : "");
    check_ends (self->check, who, ended);
    *ended = (sim_run_t){0};
    rm_work_finished (worker->half, job);
    sim_want_turn (self, who);
}

/* Told to stop, a handler returns soon, and a deaf one later. */
static void cancel (sim_t *self, uint32_t who, const rm_work_job_t *job)
{
    sim_worker_t *worker = worker_of (self, who);
    for (uint32_t thread = 0; thread < self->plan->threads; thread++) {
        if (worker->runs[thread].job != job)
            continue;
        check_stops (self->check, who, &worker->runs[thread]);
        const plan_item_t *item = item_of (self, job);
        uint64_t in_us = item && item->deaf ? DEAF_US : sim_draw (self, HEAR_US);
        if (worker->end_us[thread] < self->now_us + in_us)
            return;
        worker->end_us[thread] = self->now_us + in_us;
        in_run (self, who, thread, SIM_END, worker->end_us[thread]);
    }
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */

static void lose (sim_t *self, uint32_t who, uint32_t slot)
{
    sim_worker_t *worker = worker_of (self, who);
    if (!worker->known[slot])
        sim_violation (self, "slots-told", "slot %u is told of as lost, and was not gained", slot);
    for (uint32_t thread = 0; thread < self->plan->threads; thread++)
        if (worker->runs[thread].job && worker->runs[thread].slot == slot)
            sim_violation (self, "slots-told", "slot %u is told of as lost while job %" PRIu64 " runs in it", slot,
                           worker->runs[thread].job->id);
    worker->known[slot] = false;
}

/* The program is told, on a thread of its own: what is lost is not its own from then on, what is gained is when it returns. */
static void tell (sim_t *self, uint32_t who, const rm_slots_t *slots)
{
    sim_worker_t *worker = worker_of (self, who);
    if (worker->telling)
        sim_violation (self, "slots-told", "a program is told of its slots while it is told of others");
    worker->telling = slots;
    story (self, who, "tells its program of slots: %zu ranges gained, %zu lost", slots->gained_count,
           slots->lost_count);
    for (size_t i = 0; i < slots->lost_count; i++)
        for (uint32_t slot = slots->lost[i].first; slot <= slots->lost[i].last; slot++)
            lose (self, who, slot);
    sim_after (self, 1 + sim_draw (self, sim_draw (self, 8) ? TOLD_US : SLOW_US), SIM_TOLD, who, NULL, 0);
}

void sim_worker_told (sim_t *self, uint32_t who)
{
    sim_worker_t *worker = worker_of (self, who);
    const rm_slots_t *slots = worker->telling;
    for (size_t i = 0; i < slots->gained_count; i++)
        for (uint32_t slot = slots->gained[i].first; slot <= slots->gained[i].last; slot++) {
            if (worker->known[slot])
                sim_violation (self, "slots-told", "slot %u is told of as gained twice", slot);
            worker->known[slot] = true;
        }
    worker->telling = NULL;
    rm_work_slots_told (worker->half);
    sim_want_turn (self, who);
}

/* Nothing that a resize takes away is the program's any more when the worker says so. */
static void check_ok (sim_t *self, uint32_t who, const rm_msg_t *msg)
{
    const sim_worker_t *worker = worker_of (self, who);
    if (msg->type == RM_MSG_SYNC && msg->sync.phase == 2 && msg->sync.ok && worker->telling &&
        worker->telling->lost_count)
        sim_violation (self, "slots-told", "%s says ok, and its program has not returned from what it lost",
                       self->processes[who].name);
}

/* ---- a turn ------------------------------------------------------------------------------------------------------ */

static void withdraw (sim_worker_t *worker, rm_work_job_t *job)
{
    for (uint32_t i = 0; i < worker->offered_count; i++)
        if (worker->offered[i] == job) {
            memmove (worker->offered + i, worker->offered + i + 1, (--worker->offered_count - i) * sizeof job);
            rm_work_declined (worker->half, job);
            return;
        }
}

static void send_all (sim_t *self, uint32_t who, const rm_work_effects_t *effects)
{
    const sim_worker_t *worker = worker_of (self, who);
    for (size_t i = 0; i < effects->send_count && worker->connection; i++) {
        rm_buf_t frame = {0};
        check_ok (self, who, &effects->sends[i]);
        if (rm_msg_encode (&effects->sends[i], &frame))
            sim_violation (self, "memory", "a worker has run out of memory");
        sim_send (self, who, worker->master, worker->connection, &frame);
    }
}

/* How long it stays away when it has ended by itself. */
static uint64_t away_us (const sim_t *self, uint32_t who)
{
    for (uint32_t i = 0; i < self->plan->fault_count; i++) {
        const plan_fault_t *fault = &self->plan->faults[i];
        if (fault->who == who && (fault->kind == FAULT_LEAVE || fault->kind == FAULT_DRAIN) &&
            fault->at_us < self->now_us)
            return AWAY_US + (uint64_t)fault->amount;
    }
    return AWAY_US;
}

void sim_worker_turn (sim_t *self, uint32_t who)
{
    sim_worker_t *worker = worker_of (self, who);
    uint64_t now_ms = sim_clock_ms (self, who);
    take_said (worker);
    rm_work_tick (worker->half, now_ms, sim_draw (self, UINT64_MAX));
    const rm_work_effects_t effects = *rm_work_effects (worker->half, now_ms);
    send_all (self, who, &effects);
    if (self->processes[who].dying)
        return;
    for (rm_work_job_t *job = effects.cancels; job; job = job->next_effect)
        cancel (self, who, job);
    for (rm_work_job_t *job = effects.withdrawn, *next; job; job = next) {
        next = job->next_effect;
        withdraw (worker, job);
    }
    for (rm_work_job_t *job = effects.starts; job; job = job->next_effect) {
        RM_ASSERT (worker->offered_count < OFFERED_MAX);
        worker->offered[worker->offered_count++] = job;
    }
    for (uint32_t i = 0; i < worker->offered_count && i < self->plan->threads; i++)
        if (!worker->runs[i].job)
            sim_after (self, sim_draw (self, PICK_US), SIM_START, who, NULL, 0);
    if (effects.slots && effects.end == RM_WORK_GOES_ON)
        tell (self, who, effects.slots);
    if (effects.reconnect) {
        worker->connection = 0;
        worker->master = (worker->master + 1) % self->plan->master_count;
        story (self, who, "gives its connection up");
        search (self, who, FIND_US);
    }
    if (effects.end != RM_WORK_GOES_ON) {
        story (self, who, "is at its end: %s", effects.text);
        check_gives_up (self->check, who, effects.end);
        sim_exit (self, who, away_us (self, who));
        return;
    }
    sim_want_wake (self, who, effects.deadline_ms);
}
