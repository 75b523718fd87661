#include "plan.h"

#include <string.h>

#include "core/splitmix.h"

enum {
    GAP_MS_MIN = 50,
    GAP_MS_MAX = 1300,
    REST_EVERY = 25, /* steps, and then a rest, so that things also come to their end in between */
    REST_MS = 4000,
    BACK_MS = 1500, /* that a process is left alone after it came back */
    DRAWS_MAX = 50,
};

/* Whom a step may hit. */
typedef enum { ANY_WORKER, GUEST, MASTER, CLIENT, SOME_PEERS, FAR, OTHER_MASTERS } whom_t;

static const struct {
    step_kind_t kind;
    unsigned share;
    whom_t whom;
    uint64_t ms_min, ms_max;
    unsigned amount_min, amount_max;
} steps[] = {
    {STEP_KILL, 12, ANY_WORKER, 0, 2500, 0, 0},
    {STEP_POINT, 6, ANY_WORKER, 0, 500, 1, 30},
    {STEP_STOP, 8, ANY_WORKER, 50, 900, 0, 0},
    {STEP_STOP_LONG, 9, ANY_WORKER, 1100, 4000, 0, 0},
    {STEP_STOP_KILL, 2, ANY_WORKER, 200, 2500, 0, 0},
    {STEP_LEAVE, 5, ANY_WORKER, 500, 3000, 0, 0},
    {STEP_DRAIN, 3, ANY_WORKER, 500, 3000, 0, 0},
    {STEP_JOIN, 6, GUEST, 500, 6000, 0, 0},
    {STEP_KILL, 6, MASTER, 0, 1500, 0, 0},
    {STEP_POINT, 5, MASTER, 0, 500, 1, 60},
    {STEP_STOP, 4, MASTER, 50, 900, 0, 0},
    {STEP_STOP_LONG, 3, MASTER, 1100, 4000, 0, 0},
    {STEP_LEAVE, 2, MASTER, 100, 1000, 0, 0},
    {STEP_KILL_BOTH, 3, ANY_WORKER, 0, 1500, 0, 0},
    {STEP_KILL, 5, CLIENT, 0, 1500, 0, 0},
    {STEP_STOP, 2, CLIENT, 50, 900, 0, 0},
    {STEP_STOP_LONG, 2, CLIENT, 1100, 5000, 0, 0},
    {STEP_LOSS, 8, SOME_PEERS, 500, 5000, 2, 60},
    {STEP_CUT_TO, 4, SOME_PEERS, 200, 1300, 0, 0},
    {STEP_CUT_TO, 6, SOME_PEERS, 1500, 5000, 0, 0},
    {STEP_CUT_FROM, 4, SOME_PEERS, 200, 1300, 0, 0},
    {STEP_CUT_FROM, 6, SOME_PEERS, 1500, 5000, 0, 0},
    {STEP_CUT, 4, SOME_PEERS, 200, 1300, 0, 0},
    {STEP_CUT, 7, SOME_PEERS, 1500, 5000, 0, 0},
    {STEP_RESET, 4, SOME_PEERS, 200, 1500, 0, 0},
    {STEP_DELAY, 6, FAR, 1000, 5000, 1, 300},
    {STEP_STALL, 3, FAR, 200, 3000, 0, 0},
    {STEP_BREAK, 3, FAR, 0, 0, 0, 3},
    {STEP_TEAR, 3, FAR, 0, 0, 0, 3},
    {STEP_KILL_PROXY, 2, FAR, 0, 1500, 0, 0},
    {STEP_SPLIT, 5, OTHER_MASTERS, 100, 700, 0, 0},
    {STEP_SPLIT, 8, OTHER_MASTERS, 1200, 4000, 0, 0},
    {STEP_SPLIT_TO, 5, OTHER_MASTERS, 300, 3000, 0, 0},
    {STEP_SPLIT_FROM, 5, OTHER_MASTERS, 300, 3000, 0, 0},
    {STEP_FAINT, 6, OTHER_MASTERS, 500, 4000, 2, 60},
};

enum { ROWS = sizeof steps / sizeof *steps };

/* There is somebody whom it may hit, whatever befalls them. */
static bool row_counts (const cast_t *cast, unsigned at)
{
    return cast->masters > 1 ? steps[at].whom != FAR : steps[at].whom != OTHER_MASTERS;
}

const char *step_name (step_kind_t kind)
{
    static const char *const names[STEPS] = {
        [STEP_KILL] = "kill",
        [STEP_POINT] = "kill_at_point",
        [STEP_STOP] = "stop",
        [STEP_STOP_LONG] = "stop",
        [STEP_STOP_KILL] = "stop_kill",
        [STEP_LEAVE] = "leave",
        [STEP_DRAIN] = "drain",
        [STEP_JOIN] = "join",
        [STEP_KILL_BOTH] = "kill_both",
        [STEP_LOSS] = "loss",
        [STEP_CUT_TO] = "cut_to",
        [STEP_CUT_FROM] = "cut_from",
        [STEP_CUT] = "cut",
        [STEP_RESET] = "reset",
        [STEP_DELAY] = "delay",
        [STEP_STALL] = "stall",
        [STEP_BREAK] = "break",
        [STEP_TEAR] = "tear",
        [STEP_KILL_PROXY] = "kill_proxy",
        [STEP_SPLIT] = "split",
        [STEP_SPLIT_TO] = "split_to",
        [STEP_SPLIT_FROM] = "split_from",
        [STEP_FAINT] = "faint",
    };
    return names[kind];
}

bool step_harms (step_kind_t kind)
{
    return kind >= STEP_LOSS && kind <= STEP_RESET;
}

bool step_splits (step_kind_t kind)
{
    return kind >= STEP_SPLIT && kind <= STEP_FAINT;
}

static uint64_t draw (plan_t *self, uint64_t low, uint64_t high)
{
    return low + rm_splitmix (&self->state) % (high - low + 1);
}

void plan_open (plan_t *self, const cast_t *cast, uint64_t seed)
{
    *self = (plan_t){.cast = *cast, .state = seed};
}

static unsigned row (plan_t *self)
{
    unsigned all = 0, at = 0;
    for (unsigned i = 0; i < ROWS; i++)
        all += row_counts (&self->cast, i) ? steps[i].share : 0;
    for (uint64_t left = draw (self, 0, all - 1); !row_counts (&self->cast, at) || left >= steps[at].share; at++)
        left -= row_counts (&self->cast, at) ? steps[at].share : 0;
    return at;
}

/* Whoever the step may hit, the first and how many. */
static void range_of (const cast_t *cast, whom_t whom, unsigned *first, unsigned *count)
{
    unsigned guests = CAST_PEER + cast->workers, tools = guests + cast->guests, clients = tools + cast->tools;
    *first = whom == MASTER ? CAST_MASTER : whom == GUEST ? guests : whom == CLIENT ? clients : CAST_PEER;
    *count = whom == MASTER   ? 1
             : whom == GUEST  ? cast->guests
             : whom == CLIENT ? cast->clients
                              : clients + cast->clients - CAST_PEER;
}

/* A worker or a tool: all peers but guests and clients. */
static unsigned any_worker (plan_t *self)
{
    unsigned at = (unsigned)draw (self, 0, self->cast.workers + self->cast.tools - 1);
    return CAST_PEER + at + (at >= self->cast.workers ? self->cast.guests : 0);
}

/* By the random bits that the step has, so that there is no other draw with one master than before there were groups. */
static unsigned any_master (const plan_t *self, const step_t *step)
{
    return cast_master (&self->cast, (unsigned)(step->random >> 32) % self->cast.masters);
}

static bool choose_actor (plan_t *self, step_t *step, whom_t whom)
{
    unsigned first, count;
    range_of (&self->cast, whom, &first, &count);
    step->master = any_master (self, step);
    if (whom == ANY_WORKER)
        step->actor = any_worker (self);
    else
        step->actor = first + (unsigned)draw (self, 0, count - 1);
    if (whom == MASTER)
        step->actor = step->master;
    bool free = self->busy_until_ms[step->actor] <= self->now_ms;
    if (step->kind == STEP_KILL_BOTH)
        free = free && self->busy_until_ms[step->master] <= self->now_ms;
    if (!free)
        return false;
    self->busy_until_ms[step->actor] = self->now_ms + step->for_ms + BACK_MS;
    if (step->kind == STEP_KILL_BOTH)
        self->busy_until_ms[step->master] = self->busy_until_ms[step->actor];
    return true;
}

/* One master, and its network towards the others. */
static bool choose_split (plan_t *self, step_t *step)
{
    step->actor = any_master (self, step);
    if (self->harmed_until_ms[step->actor] > self->now_ms)
        return false;
    self->harmed_until_ms[step->actor] = self->now_ms + step->for_ms + BACK_MS / 3;
    return true;
}

/* Half of the time all masters, else some of them. */
static uint64_t some_masters (const plan_t *self, const step_t *step)
{
    uint64_t all = 0, some = 0;
    for (unsigned i = 0; i < self->cast.masters; i++) {
        uint64_t bit = 1ULL << cast_master (&self->cast, i);
        all |= bit;
        some |= step->random >> (i + 1) & 1 ? bit : 0;
    }
    return step->random & 1 || !some ? all : some;
}

/* One peer mostly, a worker rather than a client; sometimes some, now and then all: that is the master's own cable. */
static bool choose_peers (plan_t *self, step_t *step)
{
    unsigned first, count;
    range_of (&self->cast, SOME_PEERS, &first, &count);
    unsigned how = (unsigned)draw (self, 0, 9);
    step->peers = 0;
    for (unsigned i = 0; i < count; i++)
        if (how == 9 || (how >= 6 && draw (self, 0, 2) == 0))
            step->peers |= 1ULL << (first + i);
    if (!step->peers)
        step->peers = 1ULL << (draw (self, 0, 3) ? any_worker (self) : first + draw (self, 0, count - 1));
    for (unsigned i = first; i < first + count; i++)
        if (step->peers >> i & 1 && self->harmed_until_ms[i] > self->now_ms)
            return false;
    for (unsigned i = first; i < first + count; i++)
        if (step->peers >> i & 1)
            self->harmed_until_ms[i] = self->now_ms + step->for_ms + BACK_MS / 3;
    step->peers |= some_masters (self, step);
    return true;
}

static bool choose_proxy (plan_t *self, const step_t *step)
{
    if (self->busy_until_ms[CAST_PROXY] > self->now_ms)
        return false;
    self->busy_until_ms[CAST_PROXY] = self->now_ms + step->for_ms + BACK_MS / 3;
    return true;
}

/* False: they have other trouble at that time. */
static bool try_row (plan_t *self, unsigned at, step_t *step)
{
    *step = (step_t){.at_ms = self->now_ms, .kind = steps[at].kind};
    step->for_ms = draw (self, steps[at].ms_min, steps[at].ms_max);
    step->amount = (unsigned)draw (self, steps[at].amount_min, steps[at].amount_max);
    step->random = rm_splitmix (&self->state);
    if (steps[at].whom >= SOME_PEERS && !self->cast.network)
        return false;
    return steps[at].whom == FAR             ? choose_proxy (self, step)
           : steps[at].whom == OTHER_MASTERS ? choose_split (self, step)
           : steps[at].whom == SOME_PEERS    ? choose_peers (self, step)
                                             : choose_actor (self, step, steps[at].whom);
}

void plan_next (plan_t *self, step_t *step)
{
    for (;;) {
        self->now_ms += draw (self, GAP_MS_MIN, GAP_MS_MAX) + (++self->count % REST_EVERY ? 0 : REST_MS);
        for (unsigned draws = 0; draws < DRAWS_MAX; draws++)
            if (try_row (self, row (self), step))
                return;
    }
}
