/* Three masters, and one that was away for so long that the log it needs is gone: it gets a snapshot instead, under load. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cases.h"

enum { THREADS = 4, SNAPSHOTS = 2, RESTARTS = 20 };

static load_t *start_load (cluster_t *cluster)
{
    cluster_worker (cluster, "w1", THREADS);
    cluster_worker (cluster, "w2", THREADS);
    return load_start (cluster, &(load_plan_t){.name = "k", .keys = 24, .ms = 1, .plain_every = 5, .bytes = 600});
}

/* A place where nobody leads. */
static int follower (cluster_t *cluster)
{
    return (cluster_leader (cluster) + 1) % CLUSTER_MASTERS;
}

/* Until the leader's log no longer reaches back to what was logged last by now. */
static void let_snapshots_pass (cluster_t *cluster, json_int_t count)
{
    int leader = cluster_leader (cluster);
    json_int_t before = cluster_ledger (cluster, leader, "snapshots");
    until (cluster_ledger (cluster, leader, "snapshots") >= before + count);
}

static void end (cluster_t *cluster, load_t *load)
{
    unsigned ended = load_ended (load);
    until (load_ended (load) >= ended + 50);
    load_stop (&load);
    cluster_agree (cluster);
}

/* Until it has what the one that leads has now. */
static void catch_up (cluster_t *cluster, int place)
{
    json_int_t batches = cluster_ledger (cluster, cluster_leader (cluster), "batches");
    until (cluster_ledger (cluster, place, "batches") >= batches);
}

/* A stopped one may find all that it needs in what was sent to it meanwhile; a dead one does not. */
void case_group_follower_left_behind (cluster_t *cluster, unsigned times)
{
    (void)times;
    load_t *load = start_load (cluster);
    int away = follower (cluster);
    cluster_kill (&cluster->masters[away]);
    let_snapshots_pass (cluster, SNAPSHOTS);
    cluster_start_again (cluster, away);
    until (cluster_ledger (cluster, away, "restored") > 0);
    catch_up (cluster, away);
    away = follower (cluster);
    cluster_freeze (cluster->masters[away]);
    let_snapshots_pass (cluster, SNAPSHOTS);
    process_signal (cluster->masters[away], SIGCONT);
    catch_up (cluster, away);
    end (cluster, load);
}

/* Every place in its own snapshot, in the leader's and in the log may be the one it is killed at; stopped ones are sent a
 * snapshot while they take one themselves. */
void case_group_follower_restarted_under_load (cluster_t *cluster, unsigned times)
{
    unsigned seed = (unsigned)time_us (), restarts = times ? times : RESTARTS, restored = 0;
    printf ("seed %u\n", seed);
    load_t *load = start_load (cluster);
    int away = follower (cluster);
    for (unsigned n = 0; n < restarts; n++) {
        sleep_ms (rand_r (&seed) % 300);
        if (n % 2) {
            json_int_t before = cluster_ledger (cluster, away, "restored");
            cluster_freeze (cluster->masters[away]);
            let_snapshots_pass (cluster, rand_r (&seed) % (SNAPSHOTS + 1));
            process_signal (cluster->masters[away], SIGCONT);
            until (cluster_ledger (cluster, away, "restored") >= before);
            restored += cluster_ledger (cluster, away, "restored") > before;
        } else {
            cluster_kill (&cluster->masters[away]);
            let_snapshots_pass (cluster, rand_r (&seed) % (SNAPSHOTS + 1));
            cluster_start_again (cluster, away);
            restored += cluster_ledger (cluster, away, "restored") > 0;
        }
        must (process_alive (cluster->masters[away]));
    }
    end (cluster, load);
    must (process_alive (cluster->masters[away]));
    printf ("%u restarts, %u times with a snapshot from the leader; it has taken %d of its own since the last\n",
            restarts, restored, (int)cluster_ledger (cluster, away, "snapshots"));
    must (restored > 0);
}
