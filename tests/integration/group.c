/* Three masters: the leader is killed, stopped, or lets another one lead, while jobs flow. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

enum { THREADS = 4, KILLS = 6, KILLS_MAX = 1000 };

static load_t *start_load (cluster_t *cluster)
{
    return load_start (cluster, &(load_plan_t){.name = "k",
                                               .keys = 24,
                                               .ms = 5,
                                               .long_every = 19,
                                               .long_ms = 400,
                                               .fail_every = 97,
                                               .plain_every = 5,
                                               .bytes = 400});
}

static void kill_one (cluster_t *cluster, int place)
{
    cluster_kill (&cluster->masters[place]);
}

/* Tries to let the master at a place lead: it may not be able to yet. */
static bool hands_over_to (cluster_t *cluster, int place)
{
    const char *json;
    return !rm_client_change (cluster->client, "transfer", (uint64_t)cluster->ids[place], NULL, 5000, &json);
}

/* ---- the leader is killed ---------------------------------------------------------------------------------------- */

static int by_size (const void *a, const void *b)
{
    int left = *(const int *)a, right = *(const int *)b;
    return (left > right) - (left < right);
}

void case_group_leader_killed (cluster_t *cluster, unsigned times)
{
    static int waits[KILLS_MAX];
    unsigned seed = (unsigned)time_us (), kills = times ? times : KILLS;
    must (kills <= KILLS_MAX);
    printf ("seed %u\n", seed);
    cluster_worker (cluster, "w1", THREADS);
    cluster_worker (cluster, "w2", THREADS);
    load_t *load = start_load (cluster);
    for (unsigned n = 0; n < kills; n++) {
        sleep_ms (20 + rand_r (&seed) % 400);
        int leader = cluster_leader (cluster);
        uint64_t begun_ms = time_ms ();
        kill_one (cluster, leader);
        uint64_t probe = submit (cluster, .payload = "0 ok probe");
        waits[n] = (int)(time_ms () - begun_ms);
        printf ("kill %u of %u: master %d; the next job was accepted after %d ms\n", n + 1, kills, cluster->ids[leader],
                waits[n]);
        cluster_start_again (cluster, leader);
        cluster_wait (cluster, cluster->client, probe);
        unsigned ended = load_ended (load);
        until (load_ended (load) >= ended + 20);
    }
    load_stop (&load);
    cluster_agree (cluster);
    qsort (waits, kills, sizeof *waits, by_size);
    printf ("from the kill to the next accepted job: median %d ms, p99 %d ms, longest %d ms\n", waits[kills / 2],
            waits[kills * 99 / 100], waits[kills - 1]);
}

/* Whoever leads dies at that place; the two that are left go on with the resize. */
void case_group_leader_killed_in_a_resize (cluster_t *cluster, unsigned times)
{
    (void)times;
    static const char *const points[] = {"master.commit.resize_begin.after",   "master.send.sync1.after",
                                         "master.send.sync2.before",           "master.send.sync2.after",
                                         "master.commit.resize_commit.before", "master.send.sync3.before"};
    process_t *steady = cluster_worker (cluster, "steady", THREADS);
    cluster_settle (cluster, 1);
    load_t *load = start_load (cluster);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        char failpoints[128], name[16];
        int leader = cluster_leader (cluster), next = (leader + 1) % CLUSTER_MASTERS;
        snprintf (failpoints, sizeof failpoints, "%s=kill@2", points[i]);
        kill_one (cluster, next);
        cluster_start_one (cluster, next, failpoints);
        must (process_line (cluster->masters[next], "ready ", CLUSTER_PATIENCE_MS));
        until (hands_over_to (cluster, next));
        process_t *guest = NULL;
        for (unsigned round = 0; process_alive (cluster->masters[next]); round++) {
            must (round < 20);
            if (cluster_leader (cluster) != next)
                hands_over_to (cluster, next);
            snprintf (name, sizeof name, "g%zu.%u", i, round);
            guest = cluster_worker (cluster, name, THREADS);
            until (cluster_live (cluster) == 2);
            process_signal (guest, SIGTERM);
            must (process_wait (guest, CLUSTER_PATIENCE_MS) == 0);
            process_destroy (&guest);
        }
        cluster_fired (cluster->masters[next], points[i]);
        process_destroy (&cluster->masters[next]);
        unsigned ended = load_ended (load);
        until (load_ended (load) >= ended + 20);
        cluster_start_again (cluster, next);
    }
    load_stop (&load);
    cluster_settle (cluster, 1);
    cluster_kill (&steady);
}

void case_group_leader_and_worker_killed_together (cluster_t *cluster, unsigned times)
{
    (void)times;
    process_t *w1 = cluster_worker (cluster, "w1", THREADS);
    cluster_worker (cluster, "w2", THREADS);
    cluster_settle (cluster, 2);
    load_t *load = start_load (cluster);
    for (int i = 0; i < 3; i++) {
        unsigned before = load_ended (load);
        until (load_ended (load) >= before + 30);
        int leader = cluster_leader (cluster);
        process_signal (w1, SIGKILL);
        kill_one (cluster, leader);
        cluster_kill (&w1);
        w1 = cluster_worker (cluster, "w1", THREADS);
        cluster_start_again (cluster, leader);
        cluster_settle (cluster, 2);
    }
    load_stop (&load);
}

/* ---- it lives, and leads no longer ------------------------------------------------------------------------------- */

/* When it goes on it must not answer for what it believed: another one leads by then. */
void case_group_leader_stopped (cluster_t *cluster, unsigned times)
{
    (void)times;
    cluster_worker (cluster, "w1", THREADS);
    cluster_worker (cluster, "w2", THREADS);
    cluster_settle (cluster, 2);
    load_t *load = start_load (cluster);
    for (int i = 0; i < 3; i++) {
        int leader = cluster_leader (cluster), successor;
        cluster_freeze (cluster->masters[leader]);
        cluster_wait (cluster, cluster->client, submit (cluster, .payload = "0 ok probe"));
        until ((successor = cluster_leader (cluster)) != leader);
        sleep_ms (i * 700);
        process_signal (cluster->masters[leader], SIGCONT);
        unsigned ended = load_ended (load);
        until (load_ended (load) >= ended + 50);
    }
    load_stop (&load);
    cluster_settle (cluster, 2);
    cluster_agree (cluster);
}

void case_group_leader_hands_over (cluster_t *cluster, unsigned times)
{
    (void)times;
    cluster_worker (cluster, "w1", THREADS);
    cluster_worker (cluster, "w2", THREADS);
    load_t *load = start_load (cluster);
    for (int i = 0; i < 6; i++) {
        int leader = cluster_leader (cluster), next = (leader + 1) % CLUSTER_MASTERS;
        cluster_change (cluster, "transfer", cluster->ids[next], NULL);
        must (cluster_leader (cluster) == next);
        unsigned ended = load_ended (load);
        until (load_ended (load) >= ended + 20);
    }
    load_stop (&load);
    cluster_settle (cluster, 2);
    cluster_agree (cluster);
}

/* ---- a master is replaced ---------------------------------------------------------------------------------------- */

/* One that lost its disk has forgotten its votes, and what it acknowledged. */
void case_group_disk_lost_and_master_replaced (cluster_t *cluster, unsigned times)
{
    (void)times;
    enum { NEWCOMER = 4 };
    char at[CLUSTER_ADDRESS_BYTES];
    cluster_worker (cluster, "w1", THREADS);
    cluster_worker (cluster, "w2", THREADS);
    load_t *load = start_load (cluster);
    until (cluster_ledger (cluster, cluster_leader (cluster), "snapshots") >= 2); /* the log has lost its beginning */
    int lost = (cluster_leader (cluster) + 1) % CLUSTER_MASTERS;
    kill_one (cluster, lost);
    cluster_wipe (cluster, lost);
    cluster_start_one (cluster, lost, NULL);
    must (process_logged (cluster->masters[lost], "this one was emptied or replaced", CLUSTER_PATIENCE_MS));
    must (!process_line (cluster->masters[lost], "ready ", 1500));
    kill_one (cluster, lost);
    cluster_wipe (cluster, lost);
    cluster_change (cluster, "remove", cluster->ids[lost], NULL);
    cluster->ids[lost] = NEWCOMER;
    cluster_start_one (cluster, lost, NULL);
    must (process_logged (cluster->masters[lost], "still to be added", CLUSTER_PATIENCE_MS));
    cluster_address (cluster, lost, at);
    cluster_change (cluster, "add", NEWCOMER, at);
    must (process_line (cluster->masters[lost], "ready ", CLUSTER_PATIENCE_MS));
    /* It can lead, and the group goes on without one of the two that were there before. */
    until (hands_over_to (cluster, lost));
    kill_one (cluster, (lost + 1) % CLUSTER_MASTERS);
    unsigned ended = load_ended (load);
    until (load_ended (load) >= ended + 50);
    cluster_start_again (cluster, (lost + 1) % CLUSTER_MASTERS);
    must (cluster_ledger (cluster, lost, "restored") > 0);
    load_stop (&load);
    cluster_agree (cluster);
}
