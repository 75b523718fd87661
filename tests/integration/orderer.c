#include "orderer.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ORDER_MS = 60000, LONG_MS = 150, TEXT_BYTES = 64 };

struct orderer {
    cluster_t *cluster;
    pthread_t thread;
    rm_client_t *client; /* its thread's */
    unsigned rounds;
    unsigned tries; /* as the queue was set last */
    atomic_bool stopping;
};

/* The caller's to decref. */
static json_t *give (orderer_t *self, const char *what, uint64_t id, const char *text)
{
    const char *answer;
    if (rm_client_order (self->client, what, id, id ? NULL : "rec", text, 0, ORDER_MS, &answer))
        harness_fail ("the order to %s was not taken: %s", what, rm_client_error (self->client));
    json_t *json = json_loads (answer, 0, NULL);
    must (json);
    return json;
}

/* ---- the queue is set ------------------------------------------------------------------------------------------- */

static unsigned tries_of (json_t *answer)
{
    const char *text = json_string_value (json_object_get (json_object_get (answer, "settings"), "tries"));
    unsigned tries = text ? (unsigned)strtoul (text, NULL, 10) : 0;
    json_decref (answer);
    return tries;
}

/* It is as it was set last, whoever leads by now. */
static void set_queue (orderer_t *self)
{
    char text[TEXT_BYTES];
    if (self->tries)
        must (tries_of (give (self, "set", 0, NULL)) == self->tries);
    self->tries = 5 + self->rounds % 2;
    snprintf (text, sizeof text, "tries=%u", self->tries);
    must (tries_of (give (self, "set", 0, text)) == self->tries);
}

/* ---- a dead job is kicked --------------------------------------------------------------------------------------- */

static uint64_t kick (orderer_t *self, uint64_t dead)
{
    json_t *answer = give (self, "kick", dead, NULL);
    uint64_t id = (uint64_t)json_integer_value (json_object_get (answer, "kicked_as"));
    json_decref (answer);
    must (id > dead);
    return id;
}

/* Twice: it is one job. The dead one stays as it was. */
static void kick_dead (orderer_t *self, const char *key)
{
    uint64_t dead =
        cluster_submit (self->cluster, self->client, &(job_t){.key = key, .payload = "1 bad", .may_end = 1 << RM_DIED});
    cluster_wait (self->cluster, self->client, dead);
    for (int i = 0; i < 2; i++) {
        history_job_t again = {.session = "kicked", .seq = dead, .may_end = 1 << RM_DIED};
        snprintf (again.key, sizeof again.key, "rec/%s", key);
        again.id = kick (self, dead);
        history_accepted (self->cluster->history, &again);
        cluster_wait (self->cluster, self->client, again.id);
    }
    cluster_wait (self->cluster, self->client, dead);
}

/* ---- jobs are cancelled ----------------------------------------------------------------------------------------- */

static uint64_t submit_one (orderer_t *self, const char *key, unsigned ms)
{
    char payload[TEXT_BYTES];
    snprintf (payload, sizeof payload, "%u ok order %u", ms, self->rounds);
    return cluster_submit (self->cluster, self->client,
                           &(job_t){.key = key, .payload = payload, .may_end = 1 << RM_DONE | 1 << RM_CANCELLED});
}

/* Both may be done before; cancelling them again changes nothing. */
static void cancel (orderer_t *self, uint64_t id)
{
    for (int i = 0; i < 2; i++)
        if (rm_client_cancel (self->client, id, ORDER_MS))
            harness_fail ("job %llu was not cancelled: %s", (unsigned long long)id, rm_client_error (self->client));
}

/* The one that waits before the one that runs, and a third goes on. */
static void cancel_two (orderer_t *self, const char *key)
{
    uint64_t runs = submit_one (self, key, LONG_MS), waits = submit_one (self, key, LONG_MS);
    cancel (self, waits);
    cancel (self, runs);
    uint64_t last = cluster_submit (self->cluster, self->client, &(job_t){.key = key, .payload = "1 ok last"});
    cluster_wait (self->cluster, self->client, last);
    cluster_wait (self->cluster, self->client, waits);
    cluster_wait (self->cluster, self->client, runs);
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static void *give_all (void *arg)
{
    orderer_t *self = arg;
    self->client = cluster_client (self->cluster);
    for (; !atomic_load (&self->stopping); self->rounds++) {
        char key[TEXT_BYTES / 2];
        snprintf (key, sizeof key, "order%u", self->rounds % 4);
        set_queue (self);
        cancel_two (self, key);
        kick_dead (self, key);
    }
    rm_client_destroy (&self->client);
    return NULL;
}

orderer_t *orderer_start (cluster_t *cluster)
{
    orderer_t *self = calloc (1, sizeof *self);
    must (self);
    self->cluster = cluster;
    must (!pthread_create (&self->thread, NULL, give_all, self));
    return self;
}

void orderer_stop (orderer_t **self_p)
{
    orderer_t *self = *self_p;
    *self_p = NULL;
    atomic_store (&self->stopping, true);
    pthread_join (self->thread, NULL);
    free (self);
}
