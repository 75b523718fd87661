#include "order.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/splitmix.h"

enum {
    OWN_KEYS = 40,
    SHARED_KEYS = 4,      /* that all clients use */
    KEYS_CHANGE_AT = 400, /* so many jobs, and the keys are new ones */
    COMMON_BYTES = 64,
    LONG_MS = 100,
};

/* Of a hundred jobs so many are of a kind. */
typedef struct {
    unsigned share;
    const char *verb; /* of recorder.c */
    const char *queue;
    unsigned ms_min, ms_max; /* how long it works */
    unsigned tries, timeout_ms;
    bool at_most_once;
    unsigned may_end, may_die_of;
    size_t bytes_max; /* of the payload; 0: a line */
} kind_t;

#define DONE (1 << RM_DONE)
#define DEAD (1 << RM_DIED)

static const kind_t kinds[] = {
    {52, "ok", "rec", 0, 30, 0, 0, false, DONE | DEAD, HISTORY_OF_CRASHES, 0},
    {4, "ok", "rec", 0, 10, 0, 0, false, DONE | DEAD, HISTORY_OF_CRASHES, ORDER_PAYLOAD_BYTES_MAX},
    {7, "ok", "rec", 5, 40, 0, 0, true, DONE | DEAD, HISTORY_OF_LOST, 0},
    {5, "ok", "rec", 400, 2500, 0, 0, false, DONE | DEAD, HISTORY_OF_CRASHES, 0},
    {2, "ok", "rec", 2000, 5000, 0, 0, false, DONE | DEAD, HISTORY_OF_CRASHES, 0},
    {2, "ok", "rec", 400, 2500, 0, 0, true, DONE | DEAD, HISTORY_OF_LOST, 0},
    {6, "fail1", "rec", 0, 20, 3, 0, false, DONE | DEAD, HISTORY_OF_CRASHES, 0},
    {4, "fail", "rec", 0, 20, 2, 0, false, DEAD, HISTORY_OF_CRASHES | HISTORY_OF_ITSELF, 0},
    {4, "bad", "rec", 0, 20, 0, 0, false, DEAD, HISTORY_OF_CRASHES | HISTORY_OF_ITSELF, 0},
    /* Takes too long; one that stood still meanwhile may be done before anybody notices. */
    {2, "ok", "rec", 3000, 3000, 2, 300, false, DONE | DEAD, HISTORY_OF_CRASHES | HISTORY_OF_ITSELF, 0},
    {9, "ok", "sh", 0, 60, 0, 0, false, DONE | DEAD, HISTORY_OF_CRASHES, 0},
    {2, "ok", "sh", 1500, 5000, 0, 0, false, DONE | DEAD, HISTORY_OF_CRASHES, 0},
    {1, "bad", "sh", 0, 20, 0, 0, false, DEAD, HISTORY_OF_CRASHES | HISTORY_OF_ITSELF, 0},
};

/* One in so many hangs in its first attempt, which costs its worker's life. */
enum { HANGS_EVERY = 700 };
static const kind_t hanging = {
    0, "hang1", "rec", 0, 0, 3, 500, false, DONE | DEAD, HISTORY_OF_CRASHES | HISTORY_OF_ITSELF, 0};

static unsigned draw (uint64_t *state, unsigned below)
{
    return (unsigned)(rm_splitmix (state) % below);
}

static const kind_t *kind_of (uint64_t *state)
{
    if (!draw (state, HANGS_EVERY))
        return &hanging;
    unsigned at = draw (state, 100);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (at < kinds[i].share)
            return &kinds[i];
        at -= kinds[i].share;
    }
    return &kinds[0];
}

/* Long ones are kept away from what all share: behind a few of them everybody would wait. */
static void choose_key (order_t *self, uint64_t *state, const char *client, uint64_t n, bool is_long)
{
    unsigned at = draw (state, OWN_KEYS + SHARED_KEYS + OWN_KEYS / 4);
    if (is_long && at < OWN_KEYS + SHARED_KEYS)
        at %= OWN_KEYS;
    self->keyed = at < OWN_KEYS + SHARED_KEYS;
    if (at < OWN_KEYS)
        snprintf (self->key, sizeof self->key, "%s.%u.%" PRIu64, client, at, n / KEYS_CHANGE_AT);
    else if (self->keyed)
        snprintf (self->key, sizeof self->key, "shared.%u.%" PRIu64, at - OWN_KEYS, n / KEYS_CHANGE_AT);
}

/* "MS VERB CLIENT N", filled up with letters where it shall be large. */
static void write_payload (order_t *self, const kind_t *kind, uint64_t *state, const char *client, uint64_t n)
{
    size_t room = COMMON_BYTES + (kind->bytes_max ? draw (state, (unsigned)kind->bytes_max) : 0);
    unsigned ms = kind->ms_min + draw (state, kind->ms_max - kind->ms_min + 1);
    self->payload = malloc (room);
    if (!self->payload)
        abort ();
    int size = snprintf (self->payload, room, "%u %s %s %" PRIu64 " ", ms, kind->verb, client, n);
    self->size = (size_t)size;
    for (; kind->bytes_max && self->size < room; self->size++)
        self->payload[self->size] = (char)('a' + (self->size + n) % 26);
}

void order_make (order_t *self, uint64_t seed, const char *client, uint64_t n)
{
    uint64_t state = seed ^ n * 0x9e3779b97f4a7c15;
    for (const char *at = client; *at; at++)
        state = rm_splitmix (&state) ^ (unsigned char)*at;
    const kind_t *kind = kind_of (&state);
    *self = (order_t){.queue = kind->queue,
                      .at_most_once = kind->at_most_once,
                      .tries = kind->tries,
                      .timeout_ms = kind->timeout_ms,
                      .may_end = (unsigned)kind->may_end,
                      .may_die_of = kind->may_die_of};
    choose_key (self, &state, client, n, kind->ms_max > LONG_MS);
    write_payload (self, kind, &state, client, n);
}

void order_close (order_t *self)
{
    free (self->payload);
    self->payload = NULL;
}

history_outcome_t outcome_of (uint64_t id, const rm_result_t *result)
{
    history_outcome_t outcome = {
        .id = id, .outcome = rm_result_outcome (result), .attempt = rm_result_attempt (result)};
    snprintf (outcome.bytes, sizeof outcome.bytes, "%s", rm_result_text (result));
    snprintf (outcome.reason, sizeof outcome.reason, "%s", rm_result_reason (result));
    return outcome;
}
