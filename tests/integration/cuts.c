/* Three masters on a network of their own, which is cut between them: who is on the side of the few accepts nothing, and when
 * it is healed all agree. */
#include <inttypes.h>
#include <stdio.h>

#include "cases.h"
#include "net.h"
#include "submitters.h"

enum {
    THREADS = 4,
    ROUNDS = 3,
    CLIENTS = 3, /* of a side in a round */
    CUT_MS = 2500,
    NOTICED_US = 500000, /* by then a leader without followers renews no lease */
    HARMS_MAX = 64,
    PEER_HOST = 10, /* and above: of clients and workers */
    FAINT_PERCENT = 40
};

/* What has been done to the network. */
typedef struct {
    unsigned harms[HARMS_MAX], count;
} cut_t;

static void harm (cut_t *self, unsigned from, unsigned into, net_harm_t what, unsigned percent)
{
    must (self->count < HARMS_MAX);
    self->harms[self->count++] = net_harm (from, into, what, percent);
}

static void cut_off (cut_t *self, unsigned one, unsigned other)
{
    harm (self, one, other, NET_CUT, 0);
    harm (self, other, one, NET_CUT, 0);
}

/* Ends it; it must have hit packets. */
static void heal (cut_t *self)
{
    uint64_t packets = 0;
    for (unsigned i = 0; i < self->count; i++)
        packets += net_heal (self->harms[i]);
    self->count = 0;
    must (packets > 0);
}

static load_t *start_load (cluster_t *cluster)
{
    return load_start (cluster, &(load_plan_t){.name = "k", .keys = 24, .ms = 5, .plain_every = 5, .bytes = 400});
}

/* All of the load goes on, and all masters have the same state. */
static void check_healed (cluster_t *cluster, load_t *load)
{
    unsigned ended = load_ended (load);
    cluster_settle (cluster, 2);
    until (load_ended (load) >= ended + 50);
    cluster_agree (cluster);
}

/* Another one leads than the one at that place, and accepts and ends jobs. How long that took. */
static unsigned gets_on_without (cluster_t *cluster, int place, load_t *load)
{
    uint64_t begun_ms = time_ms ();
    until (cluster_leader (cluster) != place);
    unsigned ended = load_ended (load);
    until (load_ended (load) >= ended + 20);
    return (unsigned)(time_ms () - begun_ms);
}

/* ---- clients on both sides --------------------------------------------------------------------------------------- */

typedef struct {
    char key[32], payload[64];
    process_t *process;
    history_job_t job;
} client_t;

static void start_client (cluster_t *cluster, client_t *self, const char *side, unsigned seat, unsigned n)
{
    char session[64];
    snprintf (self->key, sizeof self->key, "%s%u", side, n);
    snprintf (self->payload, sizeof self->payload, "0 ok %s", self->key);
    snprintf (session, sizeof session, "session-%s", self->key);
    cluster->seat = seat;
    self->process = submitter_start (cluster, self->key, session, self->key, self->payload);
    cluster->seat = CLUSTER_NO_SEAT;
    submitter_began (self->process, self->key, self->payload, &self->job);
}

static void finish_client (cluster_t *cluster, client_t *self)
{
    if (!self->job.id)
        must (submitter_accepted (cluster, self->process, &self->job, CLUSTER_PATIENCE_MS));
    submitter_ended (cluster, self->process, self->job.id);
    process_destroy (&self->process);
}

/* A worker that only the leader without followers hears is held to its lease. */
static void note_cut (cluster_t *cluster, const char *what, uint64_t us, const char *worker)
{
    char line[64];
    snprintf (line, sizeof line, "%s %" PRIu64 " 0 %s", what, us, worker);
    must (history_line (cluster->history, line));
}

enum { FEW_CLIENT, FEW_WORKER, MANY_CLIENT, MANY_WORKER, SEATS };

/* The leader, and a client and a worker with it, on one side. */
static void cut_in_two (cut_t *cut, const cluster_t *cluster, int leader, const unsigned seats[SEATS])
{
    for (int i = 0; i < CLUSTER_MASTERS; i++) {
        unsigned master = cluster->seats[i];
        if (i != leader)
            cut_off (cut, cluster->seats[leader], master);
        cut_off (cut, seats[i == leader ? MANY_CLIENT : FEW_CLIENT], master);
        cut_off (cut, seats[i == leader ? MANY_WORKER : FEW_WORKER], master);
    }
}

static void cut_with_clients (cluster_t *cluster, load_t *load, const unsigned seats[SEATS], unsigned round)
{
    client_t few[CLIENTS], many[CLIENTS];
    cut_t cut = {.count = 0};
    int leader = cluster_leader (cluster);
    cut_in_two (&cut, cluster, leader, seats);
    note_cut (cluster, "cut", time_us () + NOTICED_US, "few");
    for (unsigned i = 0; i < CLIENTS; i++) {
        start_client (cluster, &few[i], "few", seats[FEW_CLIENT], round * CLIENTS + i);
        start_client (cluster, &many[i], "many", seats[MANY_CLIENT], round * CLIENTS + i);
        sleep_ms (CUT_MS / CLIENTS);
    }
    gets_on_without (cluster, leader, load);
    for (unsigned i = 0; i < CLIENTS; i++)
        finish_client (cluster, &many[i]);
    json_int_t batches = cluster_ledger (cluster, leader, "batches");
    for (unsigned i = 0; i < CLIENTS; i++)
        must (!submitter_accepted (cluster, few[i].process, &few[i].job, CUT_MS / CLIENTS));
    must (cluster_ledger (cluster, leader, "batches") == batches);
    note_cut (cluster, "uncut", time_us (), "few");
    heal (&cut);
    for (unsigned i = 0; i < CLIENTS; i++)
        finish_client (cluster, &few[i]);
    check_healed (cluster, load);
}

/* The load's own client sees both sides. */
void case_net_leader_alone_with_clients (cluster_t *cluster, unsigned times)
{
    unsigned seats[SEATS], rounds = times ? times : ROUNDS;
    for (unsigned i = 0; i < SEATS; i++)
        seats[i] = net_seat (PEER_HOST + i, false);
    cluster->seat = seats[FEW_WORKER];
    cluster_worker (cluster, "few", THREADS);
    cluster->seat = seats[MANY_WORKER];
    cluster_worker (cluster, "many", THREADS);
    cluster->seat = CLUSTER_NO_SEAT;
    cluster_settle (cluster, 2);
    load_t *load = start_load (cluster);
    for (unsigned round = 0; round < rounds; round++)
        cut_with_clients (cluster, load, seats, round);
    load_stop (&load);
}

/* ---- the leader and its peers ------------------------------------------------------------------------------------ */

static load_t *start_workers_and_load (cluster_t *cluster)
{
    cluster_worker (cluster, "w1", THREADS);
    cluster_worker (cluster, "w2", THREADS);
    cluster_settle (cluster, 2);
    return start_load (cluster);
}

/* Everyone else reaches it still. */
void case_net_leader_without_its_peers (cluster_t *cluster, unsigned times)
{
    unsigned rounds = times ? times : ROUNDS;
    load_t *load = start_workers_and_load (cluster);
    for (unsigned round = 0; round < rounds; round++) {
        cut_t cut = {.count = 0};
        int leader = cluster_leader (cluster);
        for (int i = 0; i < CLUSTER_MASTERS; i++)
            if (i != leader)
                cut_off (&cut, cluster->seats[leader], cluster->seats[i]);
        printf ("round %u: without master %d 20 jobs had ended after %u ms\n", round + 1, cluster->ids[leader],
                gets_on_without (cluster, leader, load));
        json_int_t batches = cluster_ledger (cluster, leader, "batches");
        sleep_ms (CUT_MS);
        must (cluster_ledger (cluster, leader, "batches") == batches);
        heal (&cut);
        check_healed (cluster, load);
    }
    load_stop (&load);
}

/* What the leader says does not arrive; what is said to it does not; some of it does not. */
void case_net_one_way (cluster_t *cluster, unsigned times)
{
    (void)times;
    enum { FROM_LEADER, TO_LEADER, FAINT, WAYS };
    load_t *load = start_workers_and_load (cluster);
    for (int way = 0; way < WAYS; way++) {
        cut_t cut = {.count = 0};
        int leader = cluster_leader (cluster);
        for (int i = 0; i < CLUSTER_MASTERS; i++) {
            unsigned one = cluster->seats[leader], other = cluster->seats[i];
            if (i != leader)
                harm (&cut, way == TO_LEADER ? other : one, way == TO_LEADER ? one : other,
                      way == FAINT ? NET_LOSS : NET_CUT, FAINT_PERCENT);
        }
        if (way == FAINT)
            sleep_ms (CUT_MS);
        else
            gets_on_without (cluster, leader, load);
        heal (&cut);
        check_healed (cluster, load);
    }
    load_stop (&load);
}
