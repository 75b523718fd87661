/* The master is killed at each of its fail points and started again, while jobs of every sort flow. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cases.h"

enum { STEADY = 2, THREADS = 4, FIRED_MS = 600, RESIZES_MAX = 12 };

/* What makes the master pass the place. */
typedef enum {
    BY_ITSELF, /* jobs flow, some of them fail, some are at-most-once; or it just leads */
    RESIZES,   /* workers join and leave */
    LOSES,     /* a worker is killed */
    WAKES,     /* a worker is stopped past its lease, and goes on */
    RETURNS,   /* a worker leaves and hands at-most-once jobs back that it has not started */
    BURIES,    /* the master before it died between logging an at-most-once job's start and dispatching it */
} trigger_t;

typedef struct {
    const char *name;
    trigger_t trigger;
    unsigned at; /* the so-manieth time it passes there */
} point_t;

#define BOTH(name, trigger, at)                                                                                        \
    {name ".before", trigger, at},                                                                                     \
    {                                                                                                                  \
        name ".after", trigger, at                                                                                     \
    }

static const point_t sends[] = {
    BOTH ("master.send.accepted", BY_ITSELF, 5),
    BOTH ("master.send.result", BY_ITSELF, 5),
    BOTH ("master.send.heartbeat_ok", BY_ITSELF, 3),
    BOTH ("master.send.dispatch", BY_ITSELF, 5),
    BOTH ("master.send.committed", BY_ITSELF, 5),
    BOTH ("master.send.joined", RESIZES, 1),
    BOTH ("master.send.left", RESIZES, 1),
    BOTH ("master.send.rejoin", WAKES, 1),
    {NULL, BY_ITSELF, 0},
};

/* Once while it takes over from its predecessor, once later, while workers join and leave. */
static const point_t resizes[] = {
    BOTH ("master.send.sync1", BY_ITSELF, 1),
    BOTH ("master.send.sync2", BY_ITSELF, 1),
    BOTH ("master.send.sync3", BY_ITSELF, 1),
    BOTH ("master.send.sync1", RESIZES, 4),
    BOTH ("master.send.sync2", RESIZES, 4),
    BOTH ("master.send.sync3", RESIZES, 3),
    BOTH ("master.commit.resize_begin", RESIZES, 1),
    BOTH ("master.commit.resize_commit", RESIZES, 1),
    {NULL, BY_ITSELF, 0},
};

static const point_t commits[] = {
    BOTH ("master.commit.lead", BY_ITSELF, 1),      BOTH ("master.commit.submit", BY_ITSELF, 5),
    BOTH ("master.commit.done", BY_ITSELF, 5),      BOTH ("master.commit.fail", BY_ITSELF, 2),
    BOTH ("master.commit.start", BY_ITSELF, 3),     BOTH ("master.commit.unstart", RETURNS, 1),
    BOTH ("master.commit.bury", BURIES, 1),         BOTH ("master.commit.member_add", RESIZES, 1),
    BOTH ("master.commit.member_remove", LOSES, 1), {NULL, BY_ITSELF, 0},
};

const char *const *master_points_tried (void)
{
    static const point_t *const tables[] = {sends, resizes, commits};
    static const char *names[64];
    size_t count = 0;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const point_t *point = tables[i]; point->name; point++)
            names[count++] = point->name;
    return names;
}

/* The end of one that was told to leave: good order, if a master is there to see it off. */
static void await_leaver (process_t **leaver_p)
{
    must (process_wait (*leaver_p, CLUSTER_PATIENCE_MS) == 0);
    process_destroy (leaver_p);
}

/* One more joins and leaves again, and so on, until the master has passed the place. What it leaves behind. */
static process_t *resize_until_dead (cluster_t *cluster)
{
    for (int i = 0; i < RESIZES_MAX; i++) {
        process_t *other = cluster_recorder (cluster, "other", THREADS, NULL);
        while (process_alive (cluster->master) && !process_line (other, "ready ", 10))
            continue;
        process_wait (cluster->master, process_alive (cluster->master) ? FIRED_MS : 0);
        process_signal (other, SIGTERM);
        while (process_alive (cluster->master) && process_alive (other))
            sleep_ms (5);
        process_wait (cluster->master, FIRED_MS);
        if (!process_alive (cluster->master))
            return other;
        await_leaver (&other);
    }
    return NULL;
}

/* A worker's death, seen by the master that is to die of it. */
static void lose_one (cluster_t *cluster)
{
    process_t *other = cluster_recorder (cluster, "other", THREADS, NULL);
    cluster_ready (other);
    cluster_kill (&other);
}

/* One that stands still from before this master began until it was removed: it cannot have seen that in a sync, and its
 * next message is answered `rejoin`. */
static process_t *freeze_one (cluster_t *cluster, uint64_t *frozen_us)
{
    process_t *other = cluster_recorder (cluster, "other", THREADS, NULL);
    cluster_ready (other);
    cluster_settle (cluster, STEADY + 1);
    *frozen_us = cluster_freeze (other);
    return other;
}

static void wake (cluster_t *cluster, process_t *frozen, uint64_t frozen_us)
{
    cluster_settle (cluster, STEADY);
    cluster_thaw (cluster, frozen, frozen_us);
}

/* Its threads take jobs and wait before they start them; so what it hands back when it leaves was logged as started. */
static process_t *return_some (cluster_t *cluster)
{
    process_t *other = cluster_recorder (cluster, "slow", THREADS, "worker.start.before=delay:400");
    cluster_ready (other);
    must (process_logged (other, "worker.start.before", CLUSTER_PATIENCE_MS));
    process_signal (other, SIGTERM);
    return other;
}

/* Pulls the trigger; a worker that is still to leave, or NULL. */
static process_t *pull (cluster_t *cluster, trigger_t trigger)
{
    switch (trigger) {
    case RESIZES:
        return resize_until_dead (cluster);
    case LOSES:
        lose_one (cluster);
        return NULL;
    case RETURNS:
        return return_some (cluster);
    default:
        return NULL;
    }
}

static void start_again (cluster_t *cluster, const char *failpoints)
{
    if (process_alive (cluster->master))
        cluster_kill_master (cluster);
    else
        process_destroy (&cluster->master);
    cluster_master (cluster, failpoints);
}

static void kill_at (cluster_t *cluster, const point_t *point)
{
    char setting[128];
    const load_plan_t plan = {.name = "k",
                              .keys = 24,
                              .ms = 10,
                              .plain_every = 5,
                              .once_every = point->trigger == RETURNS ? 1 : 4,
                              .fail_every = 23};
    load_t *load = load_start (cluster, &plan);
    until (load_ended (load) >= 10);
    uint64_t begun_ms = time_ms ();
    if (point->trigger == BURIES) {
        start_again (cluster, "master.commit.start.after=kill@3");
        cluster_fired (cluster->master, "master.commit.start.after");
    }
    uint64_t frozen_us = 0;
    process_t *frozen = point->trigger == WAKES ? freeze_one (cluster, &frozen_us) : NULL;
    snprintf (setting, sizeof setting, "%s=kill@%u", point->name, point->at);
    start_again (cluster, setting);
    if (frozen)
        wake (cluster, frozen, frozen_us);
    process_t *leaver = pull (cluster, point->trigger);
    cluster_fired (cluster->master, point->name);
    start_again (cluster, NULL);
    if (frozen)
        process_signal (frozen, SIGTERM);
    if (frozen || leaver)
        await_leaver (frozen ? &frozen : &leaver);
    cluster_settle (cluster, STEADY);
    load_stop (&load);
    printf ("%s: killed, started again, all ended, %d ms\n", setting, (int)(time_ms () - begun_ms));
}

static void kill_at_each (cluster_t *cluster, const point_t *points)
{
    cluster_ready (cluster_recorder (cluster, "w1", THREADS, NULL));
    cluster_ready (cluster_recorder (cluster, "w2", THREADS, NULL));
    cluster_settle (cluster, STEADY);
    for (; points->name; points++)
        kill_at (cluster, points);
}

void case_master_killed_while_it_sends (cluster_t *cluster, unsigned times)
{
    (void)times;
    kill_at_each (cluster, sends);
}

void case_master_killed_in_a_resize (cluster_t *cluster, unsigned times)
{
    (void)times;
    kill_at_each (cluster, resizes);
}

void case_master_killed_while_it_commits (cluster_t *cluster, unsigned times)
{
    (void)times;
    kill_at_each (cluster, commits);
}
