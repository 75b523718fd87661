/*  Random trouble: a leader and the workers' real halves over a network that loses, doubles and reorders, while workers and
 *  masters die. All along the books must agree, no key may run twice at a time, tokens must grow, nothing that has ended
 *  may start; and when the trouble is over, everything that was accepted must end.
 *
 *  A run is its seed: RM_SEED=n repeats one. */
#include <stdio.h>
#include <stdlib.h>

#include "core/work.h"
#include "leader_fixture.h"

enum { PROCESSES = 5, THREADS = 2, PACKETS = 8192, IDS = 4096, JOBS_OFFERED = 2048, STEPS = 1000 };

/* What goes wrong, each once in so many times; 0: never. */
typedef struct {
    uint32_t loss, doubling, reorder, worker_death, master_death, disconnect, leave, slow_disk;
} trouble_t;

typedef struct {
    rm_work_t *half; /* NULL: not running */
    char address[16];
    bool connected, alive_wanted;
    uint64_t back_at; /* when it starts, or connects again */
    rm_work_job_t *offered[JOBS_OFFERED];
    uint32_t offered_count;
    struct {
        rm_work_job_t *job;
        uint64_t end_at;
    } running[THREADS];
} process_t;

typedef struct {
    uint64_t due;
    bool to_master;
    uint32_t process;
    const rm_msg_t *msg; /* to a worker: lives in the fixture */
    rm_buf_t frame;      /* to the master */
} packet_t;

static trouble_t trouble;
static uint64_t seed, random_state;
static process_t processes[PROCESSES];
static packet_t packets[PACKETS];
static uint32_t packet_count;
static size_t frames_seen;
static uint64_t accepted[IDS]; /* by seq: the id, once answered */
static uint32_t starts[IDS];   /* by id */
static uint64_t token_of[32];  /* by key */

static uint64_t draw (void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static bool once_in (uint32_t n)
{
    return n && draw () % n == 0;
}

/* ---- the network ------------------------------------------------------------------------------------------------ */

static void post (packet_t packet)
{
    cr_assert_lt (packet_count, PACKETS);
    packet.due = now.mono_ms + (once_in (trouble.reorder) ? draw () % 80 : 1);
    packets[packet_count++] = packet;
}

static void send_frames (void)
{
    const frame_t *frame;
    for (; (frame = frame_at (frames_seen)); frames_seen++)
        for (uint32_t i = 0; i < PROCESSES; i++) {
            bool meant = !strcmp (frame->to, processes[i].address) || !strcmp (frame->to, "*");
            for (int times = once_in (trouble.doubling) ? 2 : 1; meant && times; times--)
                if (!once_in (trouble.loss))
                    post ((packet_t){.process = i, .msg = &frame->msg});
        }
}

static void say (uint32_t number, const rm_msg_t *msg)
{
    for (int times = once_in (trouble.doubling) ? 2 : 1; times; times--) {
        packet_t packet = {.to_master = true, .process = number};
        if (once_in (trouble.loss))
            continue;
        cr_assert_eq (rm_msg_encode (msg, &packet.frame), 0);
        post (packet);
    }
}

static void arrive (const packet_t *packet)
{
    process_t *process = &processes[packet->process];
    if (!packet->to_master) {
        if (process->half && process->connected)
            rm_work_receive (process->half, packet->msg, now.mono_ms);
        return;
    }
    rm_msg_t msg;
    rm_address_t from = {.size = (uint8_t)strlen (process->address)};
    memcpy (from.data, process->address, from.size);
    cr_assert_eq (rm_msg_decode (&msg, packet->frame.data, packet->frame.size, NULL), 0);
    rm_leader_from_worker (leader, now, &from, &msg);
    rm_msg_close (&msg);
}

static void carry (void)
{
    for (uint32_t i = 0; i < packet_count;) {
        if (packets[i].due > now.mono_ms) {
            i++;
            continue;
        }
        packet_t packet = packets[i];
        packet_count--;
        memmove (&packets[i], &packets[i + 1], (packet_count - i) * sizeof packets[0]);
        arrive (&packet);
        rm_buf_close (&packet.frame);
    }
}

/* ---- workers ---------------------------------------------------------------------------------------------------- */

static const char *const queues[] = {"q", "r"};

static void boot (uint32_t number)
{
    char name[8];
    process_t *process = &processes[number];
    snprintf (name, sizeof name, "w%u", number);
    snprintf (process->address, sizeof process->address, "w%u-%llx", number, (unsigned long long)draw () & 0xffffff);
    process->half = rm_work_new (
        &(rm_work_config_t){.name = name, .pool = "default", .queues = queues, .queue_count = 2, .threads = THREADS});
    process->connected = true;
    rm_work_connected (process->half, now.mono_ms);
}

static void kill_process (process_t *process)
{
    rm_work_destroy (&process->half);
    process->offered_count = 0;
    memset (process->running, 0, sizeof process->running);
    process->back_at = now.mono_ms + draw () % 3000;
}

static bool same_key (const rm_work_job_t *a, const rm_work_job_t *b)
{
    return a->key.data && b->key.data && a->queue == b->queue && a->key.size == b->key.size &&
           !memcmp (a->key.data, b->key.data, a->key.size);
}

/* The promises that can be seen at the moment a handler starts. */
static void check_start (const rm_work_job_t *job)
{
    for (uint32_t i = 0; i < PROCESSES; i++)
        for (uint32_t t = 0; t < THREADS; t++)
            cr_assert (!processes[i].running[t].job || !same_key (processes[i].running[t].job, job),
                       "seed %llu: two jobs of one key run at a time", (unsigned long long)seed);
    const rm_record_t *record = rm_state_record (state, job->id);
    cr_assert (record && record->outcome == RM_OUTCOME_NONE, "seed %llu: job %llu had ended", (unsigned long long)seed,
               (unsigned long long)job->id);
    starts[job->id]++;
    cr_assert (!(record->flags & RM_JOB_AT_MOST_ONCE) || starts[job->id] == 1, "seed %llu: job %llu started twice",
               (unsigned long long)seed, (unsigned long long)job->id);
    if (!job->key.data)
        return;
    uint64_t *token = &token_of[strtoul ((const char *)job->key.data, NULL, 10) * 2 + job->queue];
    cr_assert_gt (job->token, *token, "seed %llu: a token did not grow", (unsigned long long)seed);
    *token = job->token;
}

static void start_jobs (process_t *process)
{
    for (uint32_t t = 0; t < THREADS; t++)
        while (!process->running[t].job && process->offered_count) {
            rm_work_job_t *job = process->offered[0];
            memmove (process->offered, process->offered + 1, --process->offered_count * sizeof job);
            if (!rm_work_try_start (process->half, job, now.mono_ms)) {
                rm_work_declined (process->half, job);
                continue;
            }
            check_start (job);
            process->running[t].job = job;
            process->running[t].end_at = now.mono_ms + (once_in (20) ? draw () % 1500 : draw () % 40);
        }
}

static void end_jobs (process_t *process)
{
    for (uint32_t t = 0; t < THREADS; t++) {
        rm_work_job_t *job = process->running[t].job;
        if (!job || now.mono_ms < process->running[t].end_at)
            continue;
        job->result.verdict = once_in (20) ? RM_VERDICT_RETRY : once_in (40) ? RM_VERDICT_DEAD : RM_VERDICT_OK;
        job->result.ran_us = once_in (2) ? 100 : 20000;
        process->running[t].job = NULL;
        rm_work_finished (process->half, job);
    }
}

static void withdraw (process_t *process, rm_work_job_t *job)
{
    for (uint32_t i = 0; i < process->offered_count; i++)
        if (process->offered[i] == job) {
            memmove (process->offered + i, process->offered + i + 1, (--process->offered_count - i) * sizeof job);
            rm_work_declined (process->half, job);
            return;
        }
}

static void run_effects (uint32_t number)
{
    process_t *process = &processes[number];
    const rm_work_effects_t effects = *rm_work_effects (process->half, now.mono_ms);
    for (size_t i = 0; i < effects.send_count; i++)
        say (number, &effects.sends[i]);
    for (rm_work_job_t *job = effects.cancels; job; job = job->next_effect)
        for (uint32_t t = 0; t < THREADS; t++)
            if (process->running[t].job == job)
                process->running[t].end_at = now.mono_ms + draw () % 100;
    for (rm_work_job_t *job = effects.withdrawn, *next; job; job = next) {
        next = job->next_effect;
        withdraw (process, job);
    }
    for (rm_work_job_t *job = effects.starts; job; job = job->next_effect) {
        cr_assert_lt (process->offered_count, JOBS_OFFERED);
        process->offered[process->offered_count++] = job;
    }
    if (effects.reconnect) {
        process->connected = false;
        process->back_at = now.mono_ms + draw () % 200;
    }
    if (effects.end != RM_WORK_GOES_ON) {
        cr_assert_neq (effects.end, RM_WORK_END_HUNG, "seed %llu: %s", (unsigned long long)seed, effects.text);
        kill_process (process);
    }
}

static void run_process (uint32_t number)
{
    process_t *process = &processes[number];
    if (!process->half && now.mono_ms >= process->back_at)
        boot (number);
    if (!process->half)
        return;
    if (once_in (trouble.worker_death)) {
        kill_process (process);
        return;
    }
    if (once_in (trouble.leave))
        rm_work_stop (process->half, now.mono_ms);
    if (process->connected && once_in (trouble.disconnect)) {
        rm_work_disconnected (process->half);
        process->connected = false;
        process->back_at = now.mono_ms + draw () % 2000;
    }
    if (!process->connected && now.mono_ms >= process->back_at) {
        process->connected = true;
        rm_work_connected (process->half, now.mono_ms);
    }
    end_jobs (process);
    rm_work_tick (process->half, now.mono_ms, draw ());
    run_effects (number);
    if (process->half)
        start_jobs (process);
}

/* ---- clients and masters ---------------------------------------------------------------------------------------- */

/* One job at a time: asks again, under the same number, until it is answered. */
static void run_client (bool more)
{
    static char keys[16][4];
    static uint32_t wait;
    for (uint32_t n = 0; sent_nth ("client", RM_MSG_ACCEPTED, n); n++) {
        const rm_accepted_job_t *job = sent_nth ("client", RM_MSG_ACCEPTED, n)->accepted.jobs;
        cr_assert (!accepted[job->seq] || accepted[job->seq] == job->id, "one request, two ids");
        accepted[job->seq] = job->id;
    }
    mark ();
    if (client.seq && !accepted[client.seq] && wait++ % 8)
        return;
    if (client.seq == 0 || accepted[client.seq]) {
        if (!more || client.seq + 1 == IDS)
            return;
        client.seq++;
    }
    uint64_t dice = (client.seq * 0x9e3779b97f4a7c15ull ^ seed) >> 20; /* the same for each repeat */
    uint32_t key = dice % 16;
    snprintf (keys[key], sizeof keys[key], "%u", key);
    rm_submit_job_t job = job_of (dice >> 8 & 1 ? "q" : "r", dice >> 9 & 3 ? keys[key] : NULL, "data");
    job.flags = dice >> 12 & 7 ? 0 : RM_JOB_AT_MOST_ONCE;
    job.seq = client.seq;
    submit_jobs (&client, &job, 1);
}

static void run_master (void)
{
    if (once_in (trouble.master_death)) {
        if (once_in (2))
            crash_master (draw () % (unapplied () + 1));
        else
            failover (draw () % (unapplied () + 1));
        return;
    }
    if (once_in (40))
        rm_leader_drain (leader, now, (rm_bytes_t){"w3", 2});
    rm_leader_tick (leader, now);
    flush_once ();
    if (!once_in (trouble.slow_disk))
        disk ();
    flush_once ();
}

static void step (bool more)
{
    static uint32_t steps;
    jump (1 + draw () % 10);
    carry ();
    run_client (more);
    run_master ();
    send_frames ();
    for (uint32_t i = 0; i < PROCESSES; i++)
        run_process (i);
    books_off = steps++ % 4;
    check_books ();
    books_off = true;
}

/* ---- the runs --------------------------------------------------------------------------------------------------- */

static void run_seed (uint64_t chosen, const trouble_t *chosen_trouble)
{
    seed = random_state = chosen;
    trouble = *chosen_trouble;
    fprintf (stderr, "seed=%llu\n", (unsigned long long)seed);
    cluster_prepare ();
    config.retry.delay_ms = 100;
    config.retry.cap_ms = 300;
    books_off = true;
    cluster_begin ();
    for (int i = 0; i < STEPS; i++)
        step (true);
    trouble = (trouble_t){0};
    int quiet = 0;
    for (; quiet < 20000 && (state->waiting_count || !accepted[client.seq]); quiet++)
        step (false);
    RM_RECORD_EACH (state, record)
    if (record->outcome == RM_OUTCOME_NONE) {
        char why[256];
        rm_leader_why (leader, now, record->id, why, sizeof why);
        cr_expect (false, "seed %llu: %s (%s)", (unsigned long long)seed, why,
                   rm_resize_state_name (leader->resize.state));
    }
    cr_assert_gt (state->last_id, STEPS / 10);
    cr_assert_gt (state->done_count, state->dead_count);
    for (uint64_t seq = 1; seq <= client.seq; seq++)
        cr_assert (accepted[seq] && outcome_of (accepted[seq]) != RM_OUTCOME_NONE);
    for (uint32_t i = 0; i < PROCESSES; i++)
        rm_work_destroy (&processes[i].half);
    while (packet_count)
        rm_buf_close (&packets[--packet_count].frame);
    cluster_end ();
}

static void storm (int number, const trouble_t *chosen)
{
    const char *text = getenv ("RM_SEED");
    run_seed (text ? strtoull (text, NULL, 0) : (uint64_t)number, chosen);
}

#define STORM(name, ...)                                                                                               \
    Test (leader_storm, name##_1)                                                                                      \
    {                                                                                                                  \
        storm (1, &(trouble_t){__VA_ARGS__});                                                                          \
    }                                                                                                                  \
    Test (leader_storm, name##_2)                                                                                      \
    {                                                                                                                  \
        storm (2, &(trouble_t){__VA_ARGS__});                                                                          \
    }

STORM (everything_ends_over_a_network_that_loses_doubles_and_reorders, .loss = 12, .doubling = 12, .reorder = 4)
STORM (everything_ends_while_workers_die_leave_and_lose_connections, .worker_death = 500, .leave = 900,
       .disconnect = 500)
STORM (everything_ends_while_masters_die_with_what_they_had_not_written, .master_death = 70, .slow_disk = 3)
STORM (everything_ends_through_all_of_it_at_once, .loss = 10, .doubling = 10, .reorder = 3, .worker_death = 500,
       .master_death = 100, .leave = 900, .disconnect = 500, .slow_disk = 3)
