#include "core/backoff.h"

#include <string.h>

#include "proto/assert.h"
#include "ringmaster/error.h"

enum {
    ONE_MS = 1 << 16, /* a grown delay keeps fractions, or a small one could never grow by a small factor */
    TOKEN = 1000      /* a budget counts thousandths */
};

/* The largest product while a delay grows. */
_Static_assert((uint64_t)RM_BACKOFF_MS_MAX *ONE_MS <= UINT64_MAX / RM_BACKOFF_PERMILLE_MAX, "a delay overflows");
_Static_assert((uint64_t)RM_BACKOFF_MS_MAX <= UINT32_MAX, "a delay must fit its type");

static const char *const jitter_names[RM_JITTERS] = {
    [RM_JITTER_NONE] = "none",   [RM_JITTER_FULL] = "full",
    [RM_JITTER_EQUAL] = "equal", [RM_JITTER_DECORRELATED] = "decorrelated",
    [RM_JITTER_TURNS] = "turns",
};

static const char *find_fault (const rm_backoff_t *policy)
{
    if (policy->tries < 0)
        return "tries must be 0 (no end) or more";
    if (policy->delay_ms <= 0)
        return "delay must be more than 0 ms";
    if (policy->factor_permille <= 1000)
        return "backoff must be more than 1, or the delays would not grow";
    if (policy->factor_permille > RM_BACKOFF_PERMILLE_MAX)
        return "backoff must be 1000 or less";
    if (policy->cap_ms < policy->delay_ms)
        return "cap must not be less than delay";
    if (policy->cap_ms > RM_BACKOFF_MS_MAX)
        return "cap must be one day or less";
    if ((unsigned)policy->jitter >= RM_JITTERS)
        return "jitter must be none, full, equal, decorrelated or turns";
    return NULL;
}

int rm_backoff_check (const rm_backoff_t *policy, const char **why)
{
    const char *fault = find_fault (policy);
    if (why)
        *why = fault;
    return fault ? RM_EINVAL : 0;
}

int rm_jitter_parse (const char *name, rm_jitter_t *jitter)
{
    for (int i = 0; i < RM_JITTERS; i++)
        if (strcmp (name, jitter_names[i]) == 0) {
            *jitter = (rm_jitter_t)i;
            return 0;
        }
    return RM_EINVAL;
}

const char *rm_jitter_name (rm_jitter_t jitter)
{
    return jitter_names[jitter];
}

bool rm_backoff_gives_up (const rm_backoff_t *policy, uint64_t failures)
{
    return policy->tries > 0 && failures >= (uint64_t)policy->tries;
}

/* delay × factor^(failure - 1), at most the cap. Every factor that is allowed reaches any cap in 20,000 steps. */
static uint64_t grown (const rm_backoff_t *policy, uint64_t failure)
{
    uint64_t delay = (uint64_t)policy->delay_ms * ONE_MS;
    uint64_t cap = (uint64_t)policy->cap_ms * ONE_MS;
    for (uint64_t i = 1; i < failure && delay < cap; i++)
        delay = delay * (uint64_t)policy->factor_permille / 1000;
    return (delay < cap ? delay : cap) / ONE_MS;
}

/* Spreads 64 random bits evenly over low … high, both included. */
static uint64_t between (uint64_t low, uint64_t high, uint64_t random)
{
    return low + (uint64_t)((unsigned __int128)random * (high - low + 1) >> 64);
}

static uint64_t decorrelated (uint64_t delay, uint64_t cap, uint64_t previous, uint64_t random)
{
    uint64_t next = between (delay, 3 * (previous > delay ? previous : delay), random);
    return next < cap ? next : cap;
}

/* The cap bounds the number of turns before one is drawn, so that late failures do not all end up at the cap. */
static uint64_t turns (uint64_t delay, uint64_t cap, uint64_t failure, uint64_t random)
{
    uint64_t most = cap / delay;
    if (failure < 63 && 1ull << failure < most)
        most = 1ull << failure;
    return delay * between (1, most, random);
}

uint32_t rm_backoff_next (const rm_backoff_t *policy, uint64_t failure, uint32_t previous_ms, uint64_t random)
{
    RM_ASSERT (!find_fault (policy) && failure > 0);
    uint64_t delay = (uint64_t)policy->delay_ms, cap = (uint64_t)policy->cap_ms;
    uint64_t longest = grown (policy, failure);
    switch (policy->jitter) {
    case RM_JITTER_FULL:
        return (uint32_t)between (0, longest, random);
    case RM_JITTER_EQUAL:
        return (uint32_t)between (longest / 2, longest, random);
    case RM_JITTER_DECORRELATED:
        return (uint32_t)decorrelated (delay, cap, previous_ms, random);
    case RM_JITTER_TURNS:
        return (uint32_t)turns (delay, cap, failure, random);
    default:
        return (uint32_t)longest;
    }
}

static void add (rm_retry_budget_t *self, uint64_t thousandths)
{
    uint64_t room = self->full - self->balance;
    self->balance += thousandths < room ? thousandths : room;
}

void rm_retry_budget_init (rm_retry_budget_t *self, uint32_t ratio_permille, uint32_t floor_per_s, uint32_t tokens_max,
                           uint64_t now_ms)
{
    uint64_t full = (uint64_t)tokens_max * TOKEN;
    *self = (rm_retry_budget_t){ratio_permille, floor_per_s, full, full, now_ms};
}

void rm_retry_budget_success (rm_retry_budget_t *self)
{
    add (self, self->ratio_permille);
}

bool rm_retry_budget_take (rm_retry_budget_t *self, uint64_t now_ms)
{
    if (now_ms > self->filled_ms) {
        uint64_t thousandths; /* one a second is one thousandth a millisecond */
        if (__builtin_mul_overflow (now_ms - self->filled_ms, self->floor_per_s, &thousandths))
            thousandths = self->full;
        add (self, thousandths);
        self->filled_ms = now_ms;
    }
    if (self->balance < TOKEN)
        return false;
    self->balance -= TOKEN;
    return true;
}
