#include "core/ring.h"

#include <string.h>
#include <xxhash.h>

#include "proto/assert.h"
#include "ringmaster/error.h"

_Static_assert((int)RM_MEMBERS_MAX <= (int)RM_SLOTS, "every member must be able to own a slot");
_Static_assert((int)RM_SLOTS < (int)RM_RING_NOBODY, "a share must fit in 16 bits");

enum { NOT_A_MEMBER = 0xffff };

/* A computation under way. A slot that is yet to be handed out is RM_RING_NOBODY in `next`. */
typedef struct {
    const uint16_t *previous;
    const uint16_t *members;
    size_t count;
    uint16_t *next;
    uint32_t cursor;                   /* the members before this one need nothing more */
    int32_t held[RM_MEMBERS_MAX];      /* by index: slots it had before */
    int32_t need[RM_MEMBERS_MAX];      /* by index: slots it must still get; below zero: must still give up */
    uint16_t index_of[RM_RING_NOBODY]; /* by member number: its index in `members`, or NOT_A_MEMBER */
} ring_work_t;

uint32_t rm_ring_slot (const void *key, size_t size)
{
    return (uint32_t)(XXH3_64bits (key, size) % RM_SLOTS);
}

static int index_members (ring_work_t *work)
{
    if (work->count > RM_MEMBERS_MAX)
        return RM_EINVAL;
    memset (work->index_of, 0xff, sizeof work->index_of);
    for (size_t i = 0; i < work->count; i++) {
        uint16_t member = work->members[i];
        if (member == RM_RING_NOBODY || work->index_of[member] != NOT_A_MEMBER)
            return RM_EINVAL;
        work->index_of[member] = (uint16_t)i;
    }
    return 0;
}

/* Members keep what they have, for now; the rest is free. */
static void keep_what_members_have (ring_work_t *work)
{
    memset (work->held, 0, work->count * sizeof *work->held);
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++) {
        uint16_t owner = work->previous[slot];
        uint16_t index = owner == RM_RING_NOBODY ? (uint16_t)NOT_A_MEMBER : work->index_of[owner];
        work->next[slot] = index == NOT_A_MEMBER ? (uint16_t)RM_RING_NOBODY : owner;
        if (index != NOT_A_MEMBER)
            work->held[index]++;
    }
}

/* A larger share saves a move exactly if its member holds more than the smaller one: those members come first. */
static void set_shares (ring_work_t *work)
{
    int32_t small = RM_SLOTS / (int32_t)work->count;
    int32_t larger = RM_SLOTS % (int32_t)work->count;
    for (int holds_more = 1; holds_more >= 0; holds_more--)
        for (size_t i = 0; i < work->count; i++) {
            if ((work->held[i] > small) != holds_more)
                continue;
            int32_t share = larger > 0 ? small + 1 : small;
            larger--;
            work->need[i] = share - work->held[i];
        }
}

/* The first slot behind the run that starts at `first`: the same owner before, and free now or not alike. */
static uint32_t end_of_run (const ring_work_t *work, uint32_t first)
{
    uint32_t end = first + 1;
    while (end < RM_SLOTS && work->previous[end] == work->previous[first] && work->next[end] == work->next[first])
        end++;
    return end;
}

/* Frees what members hold above their share, from the ends of their longest runs, so that it moves in few ranges. Runs
 * are sorted by length only as far as its highest bit: one pass a bit, no memory. A run that is cut short ends its
 * member's surplus, so that what it was cut into is never looked at again. */
static void free_surplus (ring_work_t *work)
{
    int32_t surplus = 0;
    for (size_t i = 0; i < work->count; i++)
        if (work->need[i] < 0)
            surplus -= work->need[i];
    for (uint32_t length_min = RM_SLOTS; length_min && surplus; length_min /= 2)
        for (uint32_t first = 0, end; first < RM_SLOTS; first = end) {
            end = end_of_run (work, first);
            if (work->next[first] == RM_RING_NOBODY || end - first < length_min)
                continue;
            int32_t *need = &work->need[work->index_of[work->next[first]]];
            for (uint32_t slot = end; slot > first && *need < 0; slot--) {
                work->next[slot - 1] = RM_RING_NOBODY;
                ++*need;
                surplus--;
            }
        }
}

/* Gives the slots from `first` on to a member, as many as it needs and at most up to `end`; answers where it stopped. */
static uint32_t give (ring_work_t *work, uint16_t member, uint32_t first, uint32_t end)
{
    int32_t *need = &work->need[work->index_of[member]];
    for (; first<end && * need> 0; first++, --*need)
        work->next[first] = member;
    return first;
}

/* Fills one free run. Its left neighbour comes first, which keeps the ring in fewer pieces. Each range that this makes
 * ends its run or a member's need, so that there are never more ranges than free runs and members in need. */
static void give_run (ring_work_t *work, uint32_t first, uint32_t end)
{
    if (first > 0)
        first = give (work, work->next[first - 1], first, end);
    while (first < end) {
        RM_ASSERT (work->cursor < work->count);
        first = give (work, work->members[work->cursor], first, end);
        if (work->need[work->cursor] == 0)
            work->cursor++;
    }
}

int rm_ring_assign (const uint16_t *previous, const uint16_t *members, size_t count, uint16_t *next)
{
    RM_ASSERT (previous != next);
    ring_work_t work;
    work.previous = previous;
    work.members = members;
    work.count = count;
    work.next = next;
    work.cursor = 0;
    int rc = index_members (&work);
    if (rc)
        return rc;
    if (count == 0) {
        memset (next, 0xff, RM_SLOTS * sizeof *next);
        return 0;
    }
    keep_what_members_have (&work);
    set_shares (&work);
    free_surplus (&work);
    for (uint32_t first = 0, end; first < RM_SLOTS; first = end) {
        end = end_of_run (&work, first);
        if (next[first] == RM_RING_NOBODY)
            give_run (&work, first, end);
    }
    for (size_t i = 0; i < count; i++)
        RM_ASSERT (work.need[i] == 0);
    return 0;
}
