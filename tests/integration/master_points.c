/* The master is killed at each of its fail points and started again, while jobs of every sort flow. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cases.h"
#include "orderer.h"

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

/* What people order, and jobs with options. */
static const point_t orders[] = {
    BOTH ("master.commit.submit_more", BY_ITSELF, 3),
    BOTH ("master.commit.stop", BY_ITSELF, 2),
    BOTH ("master.commit.kick", BY_ITSELF, 1),
    BOTH ("master.commit.queue_set", BY_ITSELF, 1),
    {NULL, BY_ITSELF, 0},
};

/* On an empty directory: first before, then, when it begins again, after. */
static const point_t formats[] = {
    BOTH ("master.commit.format", BY_ITSELF, 1),
    {NULL, BY_ITSELF, 0},
};

/* What is forgotten: by a master that forgets early. */
static const point_t forgets[] = {
    BOTH ("master.commit.result_expire", BY_ITSELF, 1),
    BOTH ("master.commit.session_expire", BY_ITSELF, 1),
    {0},
};

const char *const *master_points_tried (void)
{
    static const point_t *const tables[] = {sends, resizes, commits, orders, formats, forgets};
    static const char *names[64];
    size_t count = 0;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const point_t *point = tables[i]; point->name; point++)
            names[count++] = point->name;
    return names;
}

/* One more worker than the steady ones. */
typedef struct {
    process_t *process; /* NULL: there is none */
    bool told;          /* to leave */
    uint64_t frozen_us;
} other_t;

static void tell (other_t *other)
{
    process_signal (other->process, SIGTERM);
    other->told = true;
}

/* It leaves in good order, told now unless it was before: then only when it is a member of this master, and whatever was
 * going on has ended. */
static void see_off (cluster_t *cluster, other_t *other)
{
    if (!other->process)
        return;
    if (!other->told) {
        cluster_settle (cluster, STEADY + 1);
        tell (other);
    }
    must (process_wait (other->process, CLUSTER_PATIENCE_MS) == 0);
    process_destroy (&other->process);
}

/* One more joins and leaves again, and so on, until the master has passed the place. */
static void resize_until_dead (cluster_t *cluster, other_t *other)
{
    for (int i = 0; i < RESIZES_MAX && process_alive (cluster->master); i++) {
        see_off (cluster, other);
        *other = (other_t){.process = cluster_recorder (cluster, "other", THREADS, NULL)};
        while (process_alive (cluster->master) && !process_line (other->process, "ready ", 10))
            continue;
        if (process_wait (cluster->master, FIRED_MS) != -1)
            return;
        tell (other);
        while (process_alive (cluster->master) && process_alive (other->process))
            sleep_ms (5);
        process_wait (cluster->master, FIRED_MS);
    }
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
static void freeze (cluster_t *cluster, other_t *other)
{
    other->process = cluster_recorder (cluster, "other", THREADS, NULL);
    cluster_ready (other->process);
    cluster_settle (cluster, STEADY + 1);
    other->frozen_us = cluster_freeze (other->process);
}

static void wake (cluster_t *cluster, const other_t *other)
{
    cluster_settle (cluster, STEADY);
    cluster_thaw (cluster, other->process, other->frozen_us);
}

/* Its threads take jobs and wait before they start them; so what it hands back when it leaves was logged as started. */
static void return_some (cluster_t *cluster, other_t *other)
{
    other->process = cluster_recorder (cluster, "slow", THREADS, "worker.start.before=delay:400");
    cluster_ready (other->process);
    must (process_logged (other->process, "worker.start.before", CLUSTER_PATIENCE_MS));
    tell (other);
}

static void pull (cluster_t *cluster, trigger_t trigger, other_t *other)
{
    if (trigger == RESIZES)
        resize_until_dead (cluster, other);
    else if (trigger == LOSES)
        lose_one (cluster);
    else if (trigger == WAKES)
        wake (cluster, other);
    else if (trigger == RETURNS)
        return_some (cluster, other);
}

static void start_again (cluster_t *cluster, const char *failpoints)
{
    if (process_alive (cluster->master))
        cluster_kill_master (cluster);
    else
        process_destroy (&cluster->master);
    cluster_master (cluster, failpoints);
}

static void kill_at (cluster_t *cluster, const point_t *point, bool ordered)
{
    char setting[128];
    bool all_once = point->trigger == RETURNS;
    const load_plan_t plan = {.name = "k",
                              .keys = 24,
                              .ms = 10,
                              .long_every = 9,
                              .long_ms = 300,
                              .plain_every = 5,
                              .once_every = all_once ? 1 : 4,
                              .fail_every = all_once ? 0 : 23,
                              .more_every = ordered ? 3 : 0};
    load_t *load = load_start (cluster, &plan);
    orderer_t *orderer = ordered ? orderer_start (cluster) : NULL;
    until (load_ended (load) >= 10);
    uint64_t begun_ms = time_ms ();
    if (point->trigger == BURIES) {
        start_again (cluster, "master.commit.start.after=kill@3");
        cluster_fired (cluster->master, "master.commit.start.after");
    }
    other_t other = {0};
    if (point->trigger == WAKES)
        freeze (cluster, &other);
    snprintf (setting, sizeof setting, "%s=kill@%u", point->name, point->at);
    start_again (cluster, setting);
    pull (cluster, point->trigger, &other);
    cluster_fired (cluster->master, point->name);
    start_again (cluster, NULL);
    see_off (cluster, &other);
    cluster_settle (cluster, STEADY);
    if (orderer)
        orderer_stop (&orderer);
    load_stop (&load);
    printf ("%s: killed, started again, all ended, %d ms\n", setting, (int)(time_ms () - begun_ms));
}

static void kill_at_each (cluster_t *cluster, const point_t *points, bool ordered)
{
    cluster_worker (cluster, "w1", THREADS);
    cluster_worker (cluster, "w2", THREADS);
    cluster_settle (cluster, STEADY);
    for (; points->name; points++)
        kill_at (cluster, points, ordered);
}

void case_master_killed_while_it_sends (cluster_t *cluster, unsigned times)
{
    (void)times;
    kill_at_each (cluster, sends, false);
}

void case_master_killed_in_a_resize (cluster_t *cluster, unsigned times)
{
    (void)times;
    kill_at_each (cluster, resizes, false);
}

void case_master_killed_while_it_commits (cluster_t *cluster, unsigned times)
{
    (void)times;
    kill_at_each (cluster, commits, false);
}

void case_master_killed_while_it_takes_orders (cluster_t *cluster, unsigned times)
{
    (void)times;
    kill_at_each (cluster, orders, true);
}

/* Clients and workers are there already. The third master finds it raised. */
void case_master_killed_while_its_format_rises (cluster_t *cluster, unsigned times)
{
    (void)times;
    const load_plan_t plan = {.name = "r", .keys = 8, .ms = 2, .plain_every = 4, .more_every = 2};
    cluster_kill_master (cluster);
    cluster_wipe (cluster, 0);
    cluster_recorder (cluster, "w1", THREADS, NULL);
    load_t *load = load_start (cluster, &plan);
    orderer_t *orderer = orderer_start (cluster);
    for (const point_t *point = formats; point->name; point++) {
        char setting[128];
        snprintf (setting, sizeof setting, "%s=kill@%u", point->name, point->at);
        cluster_master (cluster, setting);
        cluster_fired (cluster->master, point->name);
        process_destroy (&cluster->master);
    }
    cluster_master (cluster, "master.commit.format.before=kill@1");
    until (load_ended (load) >= 50);
    orderer_stop (&orderer);
    load_stop (&load);
}

/* Jobs flow before and after. Each has its answer within the 3 s; what is forgotten is older, and stays the same when the
 * master dies over it. */
static void forget_at (cluster_t *cluster, const point_t *point)
{
    char setting[128];
    const load_plan_t plan = {.name = "f", .keys = 8, .ms = 2, .plain_every = 4};
    snprintf (setting, sizeof setting, "%s=kill@%u", point->name, point->at);
    load_t *load = load_start (cluster, &plan);
    until (load_ended (load) >= 50);
    cluster_kill_master (cluster);
    setenv ("RM_TEST_SESSION_TTL_MS", "2000", 1);
    cluster_master_with (cluster, setting, (char *[]){"--keep", "3000", NULL});
    unsetenv ("RM_TEST_SESSION_TTL_MS");
    cluster_fired (cluster->master, point->name);
    start_again (cluster, NULL);
    unsigned ended = load_ended (load);
    until (load_ended (load) >= ended + 50);
    load_stop (&load);
    printf ("%s: killed, started again, goes on\n", setting);
}

void case_master_killed_while_it_forgets (cluster_t *cluster, unsigned times)
{
    (void)times;
    cluster_worker (cluster, "w1", THREADS);
    for (const point_t *point = forgets; point->name; point++)
        forget_at (cluster, point);
}
