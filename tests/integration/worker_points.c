/* A worker is killed at each of its fail points, while keyed jobs flow and workers come and go. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cases.h"

enum { STEADY = 2, THREADS = 4, FIRED_MS = 600, RESIZES_MAX = 12 };

/* What makes the victim pass the place. */
typedef enum {
    BY_ITSELF, /* it joins, keeps its lease and gets work */
    LEAVES,    /* SIGTERM */
    WAKES,     /* is stopped past its lease, and goes on */
    OTHERS,    /* others join and leave */
} trigger_t;

typedef struct {
    const char *name;
    trigger_t trigger;
    unsigned at; /* the so-manieth time it passes there */
} point_t;

static const point_t coming_and_going[] = {
    {"worker.join.before", BY_ITSELF, 1},
    {"worker.join.after", BY_ITSELF, 1},
    {"worker.joined.received", BY_ITSELF, 1},
    {"worker.heartbeat.before", BY_ITSELF, 2},
    {"worker.heartbeat.after", BY_ITSELF, 2},
    {"worker.heartbeat_ok.received", BY_ITSELF, 2},
    {"worker.leave.before", LEAVES, 1},
    {"worker.leave.after", LEAVES, 1},
    {"worker.left.received", LEAVES, 1},
    {"worker.rejoin.received", WAKES, 1},
    {NULL, BY_ITSELF, 0},
};

static const point_t working[] = {
    {"worker.dispatch.received", BY_ITSELF, 2},
    {"worker.start.before", BY_ITSELF, 5},
    {"worker.start.after", BY_ITSELF, 5},
    {"worker.done.before", BY_ITSELF, 4},
    {"worker.done.after", BY_ITSELF, 4},
    {"worker.committed.received", BY_ITSELF, 4},
    {NULL, BY_ITSELF, 0},
};

static const point_t own_resize[] = {
    {"worker.sync1.received", BY_ITSELF, 1},  {"worker.sync1.before", BY_ITSELF, 1},
    {"worker.sync1.after", BY_ITSELF, 1},     {"worker.sync2.received", BY_ITSELF, 1},
    {"worker.sync2.ok.before", BY_ITSELF, 1}, {"worker.sync2.ok.after", BY_ITSELF, 1},
    {"worker.sync3.received", BY_ITSELF, 1},  {"worker.sync3.before", BY_ITSELF, 1},
    {"worker.sync3.after", BY_ITSELF, 1},     {NULL, BY_ITSELF, 0},
};

/* Its own resize may be asked about more than once: the second time, or the resize of a worker that joins or leaves. */
static const point_t others_resize[] = {
    {"worker.sync1.received", OTHERS, 2},        {"worker.sync1.before", OTHERS, 2},
    {"worker.sync1.after", OTHERS, 2},           {"worker.sync2.received", OTHERS, 2},
    {"worker.sync2.draining.before", OTHERS, 1}, {"worker.sync2.draining.after", OTHERS, 1},
    {"worker.sync2.ok.before", OTHERS, 2},       {"worker.sync2.ok.after", OTHERS, 2},
    {"worker.sync3.received", OTHERS, 2},        {"worker.sync3.before", OTHERS, 2},
    {"worker.sync3.after", OTHERS, 2},           {NULL, BY_ITSELF, 0},
};

const char *const *worker_points_tried (void)
{
    static const point_t *const tables[] = {coming_and_going, working, own_resize, others_resize};
    static const char *names[64];
    size_t count = 0;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const point_t *point = tables[i]; point->name; point++)
            names[count++] = point->name;
    return names;
}

/* One more joins, it leaves again, and so on, until the victim has passed the place in a resize that makes. */
static void resize_until_dead (cluster_t *cluster, process_t *victim)
{
    for (int i = 0; i < RESIZES_MAX && process_alive (victim); i++) {
        process_t *other = cluster_recorder (cluster, "other", THREADS, NULL);
        cluster_ready (other);
        if (process_wait (victim, FIRED_MS) == -1)
            process_signal (other, SIGTERM);
        else
            process_signal (other, SIGKILL);
        must (process_wait (other, CLUSTER_PATIENCE_MS) != -1);
        process_destroy (&other);
        process_wait (victim, FIRED_MS);
    }
}

/* Another master removes it while it is stopped: it cannot have seen that in a sync, and is told. */
static void wake (cluster_t *cluster, process_t *victim)
{
    uint64_t frozen_us = cluster_freeze (victim);
    cluster_kill_master (cluster);
    cluster_master (cluster, NULL);
    cluster_settle (cluster, STEADY);
    cluster_thaw (cluster, victim, frozen_us);
}

static void pull (cluster_t *cluster, process_t *victim, trigger_t trigger, load_t *load)
{
    if (trigger == BY_ITSELF)
        return;
    cluster_ready (victim);
    cluster_settle (cluster, STEADY + 1);
    unsigned before = load_ended (load);
    until (load_ended (load) > before + 20);
    if (trigger == LEAVES)
        process_signal (victim, SIGTERM);
    else if (trigger == WAKES)
        wake (cluster, victim);
    else
        resize_until_dead (cluster, victim);
}

static void kill_at (cluster_t *cluster, const point_t *point)
{
    char setting[128], name[64];
    static unsigned number;
    const load_plan_t plan = {.name = "k", .keys = 24, .ms = point->trigger == OTHERS ? 100 : 20, .plain_every = 5};
    load_t *load = load_start (cluster, &plan);
    until (load_ended (load) >= 20);
    uint64_t begun_ms = time_ms ();
    snprintf (setting, sizeof setting, "%s=kill@%u", point->name, point->at);
    snprintf (name, sizeof name, "victim%u", ++number);
    process_t *victim = cluster_recorder (cluster, name, 2 * THREADS, setting);
    pull (cluster, victim, point->trigger, load);
    cluster_fired (victim, point->name);
    process_destroy (&victim);
    cluster_settle (cluster, STEADY);
    load_stop (&load);
    printf ("%s: killed, all ended, %d ms\n", setting, (int)(time_ms () - begun_ms));
}

static void kill_at_each (cluster_t *cluster, const point_t *points)
{
    cluster_worker (cluster, "w1", THREADS);
    cluster_worker (cluster, "w2", THREADS);
    cluster_settle (cluster, STEADY);
    for (; points->name; points++)
        kill_at (cluster, points);
}

void case_worker_killed_while_it_comes_and_goes (cluster_t *cluster, unsigned times)
{
    (void)times;
    kill_at_each (cluster, coming_and_going);
}

void case_worker_killed_at_its_work (cluster_t *cluster, unsigned times)
{
    (void)times;
    kill_at_each (cluster, working);
}

void case_worker_killed_in_its_own_resize (cluster_t *cluster, unsigned times)
{
    (void)times;
    kill_at_each (cluster, own_resize);
}

void case_worker_killed_in_a_resize_of_others (cluster_t *cluster, unsigned times)
{
    (void)times;
    kill_at_each (cluster, others_resize);
}
