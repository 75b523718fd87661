#include "plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/splitmix.h"

enum { MS = 1000, SECOND = 1000 * MS };

static uint64_t below (uint64_t *random, uint64_t n)
{
    return rm_splitmix (random) % n;
}

static uint64_t between (uint64_t *random, uint64_t least, uint64_t most)
{
    return least + below (random, most - least + 1);
}

static bool once_in (uint64_t *random, uint64_t n)
{
    return below (random, n) == 0;
}

/* ---- jobs -------------------------------------------------------------------------------------------------------- */

/* What the jobs of a life are like. */
typedef struct {
    uint32_t keys, queues;
    uint32_t at_most_once_in, fails_in; /* one in so many is at-most-once, fails */
    uint64_t long_us;                   /* that the longest take */
} taste_t;

static void draw_item (plan_t *self, uint64_t *random, const taste_t *taste)
{
    plan_item_t *item = &self->items[self->item_count];
    *item = (plan_item_t){
        .index = self->item_count++,
        .client = (uint32_t)below (random, self->client_count),
        .queue = (uint32_t)below (random, taste->queues),
        .key = once_in (random, 4) ? -1 : (int32_t)below (random, taste->keys),
        .at_most_once = once_in (random, taste->at_most_once_in),
        .rest_us = (uint32_t)(once_in (random, 3) ? between (random, 1, 400 * MS) : between (random, 1, 20 * MS)),
        .waits = once_in (random, 4),
        .run_us = (uint32_t)(once_in (random, 12) ? between (random, 100 * MS, taste->long_us)
                                                  : between (random, 0, 40 * MS)),
        .deaf = once_in (random, 4),
    };
    if (once_in (random, taste->fails_in)) {
        item->fails = (uint32_t)between (random, 1, 3);
        item->dies = once_in (random, 3);
        item->tries = (uint32_t)below (random, 4);
    }
    if (once_in (random, 15)) {
        item->timeout_ms = 60;
        item->run_us = 100 * MS;
    }
    if (once_in (random, 12))
        item->give_up_ms = (uint32_t)between (random, 50, 900);
}

/* ---- faults ------------------------------------------------------------------------------------------------------ */

/* How often each kind is drawn. */
static const uint8_t weights[FAULT_KINDS] = {
    [FAULT_KILL] = 6,  [FAULT_KILL_AT] = 10,  [FAULT_PAUSE] = 5,     [FAULT_LOSSY] = 6,    [FAULT_SLOW] = 6,
    [FAULT_CUT] = 6,   [FAULT_STALL] = 4,     [FAULT_BREAK] = 3,     [FAULT_ISOLATE] = 4,  [FAULT_RATE] = 2,
    [FAULT_WALL] = 3,  [FAULT_DISK_SLOW] = 3, [FAULT_DISK_FULL] = 1, [FAULT_SNAPSHOT] = 4, [FAULT_DEPOSE] = 3,
    [FAULT_LEAVE] = 4, [FAULT_DRAIN] = 2,
};

/* Half of the kinds, whichever: lives that have only some of what can go wrong differ more than those that have a little of
 * everything, and what needs the same thing twice is met in them. */
static uint32_t draw_kinds (uint64_t *random)
{
    uint32_t kinds = (uint32_t)below (random, 1 << FAULT_KINDS);
    return kinds ? kinds : 1 << FAULT_KILL;
}

static plan_fault_kind_t draw_kind (uint64_t *random, uint32_t kinds)
{
    uint32_t all = 0;
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        all += kinds >> kind & 1 ? weights[kind] : 0;
    uint32_t left = (uint32_t)below (random, all);
    for (int kind = 0;; kind++) {
        uint32_t weight = kinds >> kind & 1 ? weights[kind] : 0;
        if (left < weight)
            return kind;
        left -= weight;
    }
}

/* The fault before, if this one is to keep it company: at about the same moment, and often about the same process. */
static const plan_fault_t *draw_company (const plan_t *self, uint64_t *random)
{
    return self->fault_count && once_in (random, 2) ? &self->faults[self->fault_count - 1] : NULL;
}

static uint32_t draw_master (const plan_t *self, uint64_t *random)
{
    return (uint32_t)below (random, self->master_count);
}

/* One of `count` processes from `first` on. */
static uint32_t draw_who (const plan_fault_t *company, uint64_t *random, uint32_t first, uint32_t count)
{
    uint32_t who = first + (uint32_t)below (random, count);
    bool same = company && once_in (random, 2) && company->who >= first && company->who < first + count;
    return same ? company->who : who;
}

static uint64_t draw_moment (const plan_fault_t *company, uint64_t *random, uint64_t until_us)
{
    uint64_t at_us = between (random, 20 * MS, until_us);
    return company ? company->at_us + at_us % (once_in (random, 2) ? 20 * MS : 300 * MS) : at_us;
}

/* Long enough to outlast a lease, or not. */
static uint64_t draw_span (uint64_t *random)
{
    return once_in (random, 3) ? between (random, 900 * MS, 2500 * MS) : between (random, 5 * MS, 700 * MS);
}

/* A way between a master and anyone else that is not as it should be. */
static void draw_way (const plan_t *self, uint64_t *random, const plan_fault_t *company, plan_fault_t *fault,
                      uint64_t span_us)
{
    uint32_t all = self->master_count + self->worker_count + self->client_count;
    fault->other = draw_master (self, random);
    fault->who = draw_who (company, random, 0, all);
    if (fault->who == fault->other)
        fault->who = (fault->who + 1) % all;
    fault->for_us = fault->kind == FAULT_BREAK ? 0 : span_us;
    fault->amount = (int64_t)(once_in (random, 3) ? between (random, 1 * MS, 1200 * MS) : between (random, 1, 60 * MS));
    fault->number = fault->kind == FAULT_LOSSY ? between (random, 20, 500) : below (random, 2);
    if (fault->kind == FAULT_SLOW && fault->who < self->master_count)
        fault->number = 0; /* TCP keeps the order */
}

static void draw_isolation (const plan_t *self, uint64_t *random, plan_fault_t *fault, uint64_t span_us)
{
    fault->who = draw_master (self, random);
    fault->for_us = span_us;
    if (self->master_count == 1)
        return;
    if (once_in (random, 2))
        fault->for_us = between (random, 2 * SECOND, 5 * SECOND);
    fault->number = once_in (random, 2);
}

static void draw_fault (plan_t *self, uint64_t *random, uint32_t kinds, uint64_t until_us)
{
    plan_fault_t *fault = &self->faults[self->fault_count];
    uint32_t all = self->master_count + self->worker_count + self->client_count;
    const plan_fault_t *company = draw_company (self, random);
    *fault = (plan_fault_t){
        .kind = draw_kind (random, kinds),
        .at_us = draw_moment (company, random, until_us),
        .ways = (uint32_t)between (random, 1, 3),
    };
    fault->index = self->fault_count++;
    uint64_t span_us = draw_span (random);
    switch (fault->kind) {
    case FAULT_KILL:
    case FAULT_KILL_AT:
        fault->who = draw_who (company, random, 0, all);
        fault->amount = (int64_t)(once_in (random, 2) ? between (random, 1, 100 * MS) : span_us);
        fault->number = 1 + below (random, 1 + below (random, 400));
        break;
    case FAULT_PAUSE:
        fault->who = draw_who (company, random, 0, self->master_count + self->worker_count);
        fault->for_us = span_us;
        break;
    case FAULT_LOSSY:
    case FAULT_SLOW:
    case FAULT_CUT:
    case FAULT_STALL:
    case FAULT_BREAK:
        draw_way (self, random, company, fault, span_us);
        break;
    case FAULT_ISOLATE:
        draw_isolation (self, random, fault, span_us);
        break;
    case FAULT_RATE:
        fault->who = draw_who (company, random, 0, all);
        fault->for_us = span_us + SECOND;
        fault->amount = (int64_t)between (random, 0, 60000) - 30000;
        break;
    case FAULT_WALL:
        fault->who = draw_master (self, random);
        fault->amount = (int64_t)between (random, 0, 2 * SECOND) - SECOND;
        if (once_in (random, 3))
            fault->amount *= 20;
        fault->number = below (random, 2);
        break;
    case FAULT_DISK_SLOW:
        fault->who = draw_master (self, random);
        fault->for_us = span_us;
        fault->amount = (int64_t)between (random, 1 * MS, 600 * MS);
        break;
    case FAULT_DISK_FULL:
        fault->who = draw_master (self, random);
        fault->for_us = span_us;
        break;
    case FAULT_SNAPSHOT:
        fault->who = draw_master (self, random);
        break;
    case FAULT_DEPOSE:
        fault->amount = (int64_t)between (random, 0, 300 * MS);
        break;
    case FAULT_LEAVE:
    case FAULT_DRAIN:
        fault->who = draw_who (company, random, self->master_count, self->worker_count);
        fault->amount = (int64_t)span_us;
        break;
    default:
        break;
    }
}

/* ---- plans ------------------------------------------------------------------------------------------------------- */

static void defaults (plan_t *self, uint64_t seed)
{
    *self = (plan_t){
        .seed = seed,
        .way_us = 200,
        .sync_us = 300,
        .keep_ms = 15 * 60 * 1000,
        .jobs_max = 1000,
    };
}

/* In one life of sixteen a client in a hurry has a line to one master from the beginning that loses half of what it says and
 * brings some of it late: what is given up there is often one of its first requests, and comes when others are under way. Drawn
 * by itself, so that the other lives are what they would be without it. */
static void draw_hurry (plan_t *self, uint64_t until_us)
{
    uint64_t random = self->seed * 0xd1342543de82ef95u + self->master_count;
    if (!once_in (&random, 16))
        return;
    uint32_t client = (uint32_t)below (&random, self->client_count);
    self->bursts[client] = self->streams[client] = false;
    for (uint32_t i = 0; i < self->item_count; i++)
        if (self->items[i].client == client)
            self->items[i].give_up_ms = (uint32_t)between (&random, 20, 120);
    self->faults[self->fault_count] = (plan_fault_t){
        .kind = FAULT_LOSSY,
        .index = self->fault_count,
        .who = self->master_count + self->worker_count + client,
        .other = draw_master (self, &random),
        .at_us = 1,
        .for_us = between (&random, until_us / 4, until_us),
        .ways = PLAN_TO_MASTER,
        .number = 500,
    };
    self->fault_count++;
}

static void draw_options (plan_item_t *item, uint64_t *random)
{
    if (once_in (random, 4))
        item->delay_ms = (uint32_t)between (random, 1, 300);
    if (once_in (random, 6))
        item->deadline_ms = item->delay_ms + (uint32_t)between (random, 20, 1500);
    if (once_in (random, 3))
        item->priority = (uint32_t)between (random, 1, 9);
}

/* In one life of four there are handlers that run for longer than their timeout, and say in time how far they are: some to
 * their end, and some that fall silent. Drawn by itself, so that the other lives are what they would be without it. */
static void draw_progress (plan_t *self)
{
    uint64_t random = self->seed * 0xda942042e4dd58b5u + self->master_count;
    if (!once_in (&random, 4))
        return;
    for (uint32_t i = 0; i < self->item_count; i++) {
        plan_item_t *item = &self->items[i];
        if (!once_in (&random, 3))
            continue;
        item->timeout_ms = (uint32_t)between (&random, 40, 120);
        item->tell_ms = (uint32_t)between (&random, item->timeout_ms / 4, item->timeout_ms * 2 / 3);
        item->run_us = (uint32_t)(item->timeout_ms * MS * between (&random, 2, 5));
        item->tells = once_in (&random, 3) ? (uint32_t)between (&random, 1, 3) : UINT32_MAX;
    }
}

static void draw_orders (plan_t *self, uint64_t until_us)
{
    uint64_t random = self->seed * 0xaef17502108ef2d9u + self->master_count;
    for (uint32_t i = 0; i < self->item_count; i++)
        draw_options (&self->items[i], &random);
    for (uint64_t left = between (&random, 1, PLAN_ORDERS_MAX); left; left--) {
        plan_fault_t *fault = &self->faults[self->fault_count];
        *fault = (plan_fault_t){.kind = FAULT_ORDER,
                                .index = self->fault_count++,
                                .at_us = between (&random, 1, until_us),
                                .number = below (&random, ORDER_HOLD),
                                .amount = (int64_t)below (&random, 8)};
        if (fault->number == ORDER_PAUSE)
            fault->for_us = draw_span (&random);
    }
    self->orders = true;
}

static void add_order (plan_t *self, plan_order_t what, uint64_t at_us, uint64_t amount)
{
    plan_fault_t *fault = &self->faults[self->fault_count];
    *fault = (plan_fault_t){
        .kind = FAULT_ORDER, .index = self->fault_count++, .at_us = at_us, .number = what, .amount = (int64_t)amount};
}

/* In half of the lives a queue holds the keys of its dead from early on, and some of those are kicked or let go of. Drawn by
 * itself, so that the other lives are what they would be without it. */
static void draw_holds (plan_t *self, uint64_t until_us)
{
    uint64_t random = self->seed * 0x8ebc6af09c88c6e3u + self->master_count;
    if (!once_in (&random, 2))
        return;
    add_order (self, ORDER_HOLD, between (&random, 1, until_us / 2), below (&random, PLAN_QUEUES_MAX));
    for (uint64_t left = between (&random, 1, PLAN_HOLDS_MAX - 1); left; left--)
        add_order (self, once_in (&random, 4) ? ORDER_CANCEL : ORDER_KICK, between (&random, until_us / 3, until_us),
                   below (&random, 8));
}

/* Of the clients that do not wait, half are the real one. */
static void draw_streams (plan_t *self)
{
    uint64_t random = self->seed * 0x9fb21c651e98df25u + self->master_count;
    for (uint32_t i = 0; i < self->client_count; i++) {
        self->streams[i] = self->bursts[i] && once_in (&random, 2);
        self->bursts[i] = self->bursts[i] && !self->streams[i];
    }
}

void plan_draw (plan_t *self, uint32_t masters, bool orders, uint64_t seed)
{
    uint64_t random = seed * 0x9e3779b97f4a7c15u + 0x6a09e667f3bcc909u;
    defaults (self, seed);
    self->master_count = masters;
    self->worker_count = (uint32_t)between (&random, 1, PLAN_WORKERS_MAX);
    self->client_count = (uint32_t)between (&random, 1, PLAN_CLIENTS_MAX);
    for (uint32_t i = 0; i < self->client_count; i++)
        self->bursts[i] = once_in (&random, 3);
    self->threads = (uint32_t)between (&random, 1, 3);
    self->way_us = (uint32_t)(once_in (&random, 4) ? between (&random, 1 * MS, 40 * MS) : between (&random, 50, 1500));
    self->sync_us = (uint32_t)(once_in (&random, 4) ? between (&random, 3 * MS, 80 * MS) : between (&random, 50, 3000));
    if (once_in (&random, 8))
        self->keep_ms = (uint32_t)between (&random, 300, 3000);
    if (once_in (&random, 10))
        self->jobs_max = between (&random, 2, 6);
    bool group = masters > 1; /* then an election comes before a lease that is not renewed, and all takes longer */
    uint64_t trouble_us = between (&random, 500 * MS, (group ? 8 : 4) * SECOND);
    for (uint32_t i = 0; i < self->worker_count; i++)
        self->worker_boot_us[i] =
            once_in (&random, 3) ? between (&random, 1, trouble_us) : between (&random, 1, 60 * MS);
    uint32_t items = (uint32_t)between (&random, 4, once_in (&random, 4) ? PLAN_ITEMS_MAX : 24);
    const taste_t taste = {
        .keys = (uint32_t)between (&random, 1, PLAN_KEYS_MAX),
        .queues = (uint32_t)between (&random, 1, PLAN_QUEUES_MAX),
        .at_most_once_in = once_in (&random, 3) ? 2 : 10,
        .fails_in = once_in (&random, 3) ? 2 : 10,
        .long_us = (group ? 4000 : 1500) * MS,
    };
    while (self->item_count < items)
        draw_item (self, &random, &taste);
    uint32_t faults = (uint32_t)below (&random, once_in (&random, 4) ? PLAN_FAULTS_MAX : 9);
    uint32_t kinds = draw_kinds (&random);
    while (self->fault_count < faults)
        draw_fault (self, &random, kinds, trouble_us);
    draw_streams (self);
    draw_hurry (self, trouble_us);
    if (orders) {
        draw_orders (self, trouble_us);
        draw_holds (self, trouble_us);
        draw_progress (self);
    }
    self->calm_us = trouble_us + 200 * MS;
}

void plan_enumerate (plan_t *self, uint32_t masters, uint32_t who, uint64_t point)
{
    const taste_t taste = {.keys = 5, .queues = 2, .at_most_once_in = 7, .fails_in = 6, .long_us = 1500 * MS};
    uint64_t random = 7;
    defaults (self, 0);
    self->master_count = masters;
    self->worker_count = 3;
    self->client_count = 1;
    self->threads = 2;
    self->worker_boot_us[0] = 1 * MS;
    self->worker_boot_us[1] = 2 * MS;
    self->worker_boot_us[2] = 250 * MS;
    for (uint32_t i = 0; i < 24; i++) {
        draw_item (self, &random, &taste);
        self->items[i].rest_us = 25 * MS;
        self->items[i].run_us = 60 * MS;
        self->items[i].timeout_ms = self->items[i].give_up_ms = 0;
        self->items[i].waits = false;
    }
    self->faults[0] =
        (plan_fault_t){.kind = FAULT_LEAVE, .index = 0, .who = masters, .at_us = 500 * MS, .amount = 100 * MS};
    self->faults[1] =
        (plan_fault_t){.kind = FAULT_KILL, .index = 1, .who = masters + 1, .at_us = 560 * MS, .amount = 100 * MS};
    self->fault_count = 2;
    if (point)
        self->faults[self->fault_count++] =
            (plan_fault_t){.kind = FAULT_KILL_AT, .index = 2, .who = who, .number = point, .amount = 50 * MS};
    self->calm_us = 3 * SECOND;
}

/* ---- less of it -------------------------------------------------------------------------------------------------- */

static bool is_in (const uint32_t *indices, uint32_t count, uint32_t index)
{
    for (uint32_t i = 0; i < count; i++)
        if (indices[i] == index)
            return true;
    return false;
}

void plan_keep_faults (plan_t *self, const uint32_t *indices, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->fault_count; i++)
        if (is_in (indices, count, self->faults[i].index))
            self->faults[kept++] = self->faults[i];
    self->fault_count = kept;
}

void plan_keep_items (plan_t *self, const uint32_t *indices, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->item_count; i++)
        if (is_in (indices, count, self->items[i].index))
            self->items[kept++] = self->items[i];
    self->item_count = kept;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

void plan_process_name (const plan_t *self, uint32_t who, char name[8])
{
    uint32_t first_client = self->master_count + self->worker_count;
    if (who < self->master_count)
        snprintf (name, 8, self->master_count > 1 ? "m%u" : "m", who % 1000 + 1);
    else if (who < first_client)
        snprintf (name, 8, "w%u", (who - self->master_count) % 1000 + 1);
    else
        snprintf (name, 8, "c%u", (who - first_client) % 1000 + 1);
}

void plan_payload (const plan_item_t *item, char payload[16])
{
    snprintf (payload, 16, "%u", item->index);
}

void plan_key (const plan_item_t *item, char key[8])
{
    snprintf (key, 8, "k%d", item->key % 1000);
}

/* "m1 → w2", "m1 ← w2", "m1 ⇄ w2" */
static void ways_text (const plan_t *self, const plan_fault_t *fault, char *text, size_t size)
{
    char one[8], other[8];
    plan_process_name (self, fault->other, one);
    plan_process_name (self, fault->who, other);
    snprintf (text, size, "%s %s %s", one,
              fault->ways == PLAN_BOTH_WAYS ? "⇄"
              : fault->ways == PLAN_TO_PEER ? "→"
                                            : "←",
              other);
}

void plan_fault_text (const plan_t *self, const plan_fault_t *fault, char *text, size_t size)
{
    static const char *const orders[ORDER_KINDS] = {"cancel", "bury", "kick", "pause", "hold"};
    char who[8], way[32];
    double amount_ms = (double)fault->amount / MS, for_ms = (double)fault->for_us / MS;
    plan_process_name (self, fault->who, who);
    ways_text (self, fault, way, sizeof way);
    switch (fault->kind) {
    case FAULT_KILL:
        snprintf (text, size, "kill %s, down for %.1f ms", who, amount_ms);
        break;
    case FAULT_KILL_AT:
        snprintf (text, size, "kill %s at its point %" PRIu64 " from here, down for %.1f ms", who, fault->number,
                  amount_ms);
        break;
    case FAULT_PAUSE:
        snprintf (text, size, "pause %s for %.1f ms", who, for_ms);
        break;
    case FAULT_LOSSY:
        snprintf (text, size, "%s: %" PRIu64 " of 1000 messages lost, as many doubled, for %.1f ms", way, fault->number,
                  for_ms);
        break;
    case FAULT_SLOW:
        snprintf (text, size, "%s: up to %.1f ms late%s, for %.1f ms", way, amount_ms,
                  fault->number ? " and out of order" : "", for_ms);
        break;
    case FAULT_CUT:
        snprintf (text, size, "%s: nothing gets through for %.1f ms", way, for_ms);
        break;
    case FAULT_STALL:
        snprintf (text, size, "%s: what is sent arrives when %.1f ms are over", way, for_ms);
        break;
    case FAULT_ISOLATE:
        snprintf (text, size, "nothing gets through between %s and the other masters for %.1f ms%s", who, for_ms,
                  fault->number ? ", from when it has handed over, if it leads" : "");
        break;
    case FAULT_BREAK:
        snprintf (text, size, "%s: the connection breaks", way);
        break;
    case FAULT_RATE:
        snprintf (text, size, "the clock of %s runs %+.1f %% off for %.1f ms", who, (double)fault->amount / 10000,
                  for_ms);
        break;
    case FAULT_WALL:
        snprintf (text, size, "the calendar is set by %+.1f ms%s%s", amount_ms, fault->number ? ", and killed is " : "",
                  fault->number ? who : "");
        break;
    case FAULT_DISK_SLOW:
        snprintf (text, size, "the disk of %s takes up to %.1f ms a write, for %.1f ms", who, amount_ms, for_ms);
        break;
    case FAULT_DISK_FULL:
        snprintf (text, size, "the disk of %s is full for %.1f ms", who, for_ms);
        break;
    case FAULT_SNAPSHOT:
        snprintf (text, size, "%s takes a snapshot", who);
        break;
    case FAULT_DEPOSE:
        snprintf (text, size, "the master that leads hands over; without others, for %.1f ms", amount_ms);
        break;
    case FAULT_LEAVE:
        snprintf (text, size, "SIGTERM to %s, which is back %.1f ms after it went", who, amount_ms);
        break;
    case FAULT_ORDER:
        snprintf (text, size, "an operator orders: %s", orders[fault->number]);
        break;
    case FAULT_DRAIN:
        snprintf (text, size, "an operator drains %s, which is back %.1f ms after it went", who, amount_ms);
        break;
    default:
        *text = 0;
    }
}
