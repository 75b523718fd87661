#include "load.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_MAX = 256, WINDOW = 64, NO_KEY = KEYS_MAX, DEADLINE_MS = 600 * 1000 /* later than any test */ };

typedef struct {
    uint64_t id;
    unsigned key; /* NO_KEY: none */
} pending_t;

static atomic_uint loads;

struct load {
    cluster_t *cluster;
    load_plan_t plan;
    unsigned number; /* of the load: no two have jobs of one name */
    pthread_t submitter, collector;
    pthread_mutex_t mutex; /* guards what stands below it */
    pthread_cond_t turn;
    pending_t *pending; /* a ring of `room`, from `first` */
    size_t room, first, count;
    bool stopping, submitted_all;
    atomic_uint accepted, ended;
};

/* ---- submitting ------------------------------------------------------------------------------------------------- */

static bool turn_of (unsigned every, unsigned n)
{
    return every && n % every == every - 1;
}

static void submit_one (load_t *self, rm_client_t *client, unsigned n)
{
    const load_plan_t *plan = &self->plan;
    char key[HISTORY_KEY_BYTES / 2], payload[LOAD_BYTES_MAX + 64], uid[64];
    unsigned number = turn_of (plan->plain_every, n) || !plan->keys ? NO_KEY : n % plan->keys;
    bool fails = turn_of (plan->fail_every, n), for_good = fails && n / plan->fail_every % 2;
    job_t job = {.payload = payload, .at_most_once = !fails && turn_of (plan->once_every, n), .tries = fails ? 2 : 0};
    snprintf (key, sizeof key, "%s%u", plan->name, number);
    if (turn_of (plan->more_every, n)) {
        snprintf (uid, sizeof uid, "%u %u", self->number, n);
        job.uid = uid;
        job.delay_ms = 1 + n % 30;
        job.deadline_ms = DEADLINE_MS;
        job.priority = 1 + n % 9;
        job.retry = "delay=20ms backoff=2 cap=1s jitter=full";
    }
    unsigned ms = turn_of (plan->long_every, n) ? plan->long_ms : plan->ms;
    const char *verb = for_good ? "fail" : fails ? "fail1" : "ok";
    int size = snprintf (payload, sizeof payload, "%u %s %s %u ", ms, verb, plan->name, n);
    for (; size < (int)plan->bytes; size++)
        payload[size] = (char)('a' + (unsigned)size % 26);
    payload[size] = 0;
    if (number != NO_KEY)
        job.key = key;
    if (for_good)
        job.may_end = 1 << RM_DIED;
    if (job.at_most_once)
        job.may_end = 1 << RM_DONE | 1 << RM_DIED; /* "lost" */
    uint64_t id = cluster_submit (self->cluster, client, &job);
    pthread_mutex_lock (&self->mutex);
    self->pending[(self->first + self->count++) % self->room] = (pending_t){id, number};
    atomic_fetch_add (&self->accepted, 1);
    pthread_cond_broadcast (&self->turn);
    pthread_mutex_unlock (&self->mutex);
}

/* Waits for room in the window; false when it is time to stop. */
static bool may_submit (load_t *self, unsigned n)
{
    pthread_mutex_lock (&self->mutex);
    while (!self->stopping && n - atomic_load (&self->ended) >= self->plan.window)
        pthread_cond_wait (&self->turn, &self->mutex);
    bool may = !self->stopping && (!self->plan.limit || n < self->plan.limit);
    pthread_mutex_unlock (&self->mutex);
    return may;
}

static void *submit_all (void *arg)
{
    load_t *self = arg;
    rm_client_t *client = cluster_client (self->cluster);
    for (unsigned n = 0; may_submit (self, n); n++)
        submit_one (self, client, n);
    rm_client_destroy (&client);
    pthread_mutex_lock (&self->mutex);
    self->submitted_all = true;
    pthread_cond_broadcast (&self->turn);
    pthread_mutex_unlock (&self->mutex);
    return NULL;
}

/* ---- collecting ------------------------------------------------------------------------------------------------- */

static bool next_pending (load_t *self, pending_t *pending)
{
    pthread_mutex_lock (&self->mutex);
    while (!self->count && !self->submitted_all)
        pthread_cond_wait (&self->turn, &self->mutex);
    bool any = self->count > 0;
    if (any) {
        *pending = self->pending[self->first];
        self->first = (self->first + 1) % self->room;
        self->count--;
    }
    pthread_mutex_unlock (&self->mutex);
    return any;
}

static void collect (load_t *self, rm_client_t *client, uint64_t id)
{
    cluster_wait (self->cluster, client, id);
    pthread_mutex_lock (&self->mutex);
    atomic_fetch_add (&self->ended, 1);
    pthread_cond_broadcast (&self->turn);
    pthread_mutex_unlock (&self->mutex);
}

/* The younger one of a key has ended: has the older one? */
static void look_behind (load_t *self, rm_client_t *client, uint64_t older, uint64_t younger)
{
    const char *text;
    while (rm_client_query (client, "why", older, NULL, 0, 1000, &text))
        continue;
    json_t *answer = json_loads (text, 0, NULL);
    const char *state = json_string_value (json_object_get (answer, "state"));
    if (!state || (strcmp (state, "done") && strcmp (state, "dead")))
        history_overtaken (self->cluster->history, older, younger);
    json_decref (answer);
}

static void *collect_all (void *arg)
{
    load_t *self = arg;
    rm_client_t *client = cluster_client (self->cluster);
    uint64_t held[KEYS_MAX + 1] = {0}; /* of each key: a job that waits for the next one to be asked about first */
    for (pending_t pending; next_pending (self, &pending);) {
        uint64_t *older = &held[pending.key];
        if (pending.key != NO_KEY && !*older && self->plan.window > 2 * self->plan.keys) {
            *older = pending.id;
            continue;
        }
        collect (self, client, pending.id);
        if (*older) {
            look_behind (self, client, *older, pending.id);
            collect (self, client, *older);
        }
        *older = 0;
    }
    for (unsigned key = 0; key < KEYS_MAX; key++)
        if (held[key])
            collect (self, client, held[key]);
    rm_client_destroy (&client);
    return NULL;
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

load_t *load_start (cluster_t *cluster, const load_plan_t *plan)
{
    load_t *self = calloc (1, sizeof *self);
    must (self && plan->keys <= KEYS_MAX && plan->bytes <= LOAD_BYTES_MAX);
    self->cluster = cluster;
    self->plan = *plan;
    self->number = atomic_fetch_add (&loads, 1);
    if (!plan->window)
        self->plan.window = WINDOW;
    self->room = self->plan.window + 1;
    self->pending = calloc (self->room, sizeof *self->pending);
    must (self->pending);
    pthread_mutex_init (&self->mutex, NULL);
    pthread_cond_init (&self->turn, NULL);
    must (!pthread_create (&self->submitter, NULL, submit_all, self));
    must (!pthread_create (&self->collector, NULL, collect_all, self));
    return self;
}

unsigned load_accepted (const load_t *self)
{
    return atomic_load (&self->accepted);
}

unsigned load_ended (const load_t *self)
{
    return atomic_load (&self->ended);
}

void load_stop (load_t **self_p)
{
    load_t *self = *self_p;
    *self_p = NULL;
    pthread_mutex_lock (&self->mutex);
    self->stopping = true;
    pthread_cond_broadcast (&self->turn);
    pthread_mutex_unlock (&self->mutex);
    pthread_join (self->submitter, NULL);
    pthread_join (self->collector, NULL);
    must (load_ended (self) == load_accepted (self));
    pthread_cond_destroy (&self->turn);
    pthread_mutex_destroy (&self->mutex);
    free (self->pending);
    free (self);
}
