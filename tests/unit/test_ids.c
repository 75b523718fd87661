/*  The map of ids: what was put in is found again, in order, wherever its id lies; and nothing is kept of what was taken
 *  out.
 */
#include <criterion/criterion.h>

#include "core/ids.h"
#include "core/splitmix.h"
#include "counting_alloc.h"
#include "ringmaster/error.h"

enum { IDS = 300 };

static rm_ids_t ids;
static uint64_t in[IDS]; /* the ids that are in, sorted */
static size_t in_count;

/* Values of their own, never NULL. */
static void *value_of (uint64_t id)
{
    return (void *)(uintptr_t)(id * 2 + 1);
}

static size_t place_of (uint64_t id)
{
    size_t place = 0;
    while (place < in_count && in[place] < id)
        place++;
    return place;
}

static bool is_in (uint64_t id)
{
    size_t place = place_of (id);
    return place < in_count && in[place] == id;
}

static void put (uint64_t id)
{
    size_t place = place_of (id);
    cr_assert_eq (rm_ids_put (&ids, id, value_of (id)), 0);
    memmove (in + place + 1, in + place, (in_count++ - place) * sizeof *in);
    in[place] = id;
}

static void take (uint64_t id)
{
    size_t place = place_of (id);
    rm_ids_remove (&ids, id);
    memmove (in + place, in + place + 1, (--in_count - place) * sizeof *in);
}

/* All that the map says of an id is what a sorted list says. */
static void check (uint64_t id)
{
    size_t place = place_of (id);
    bool there = is_in (id);
    size_t upto = place + there;
    cr_assert_eq (rm_ids_get (&ids, id), there ? value_of (id) : NULL);
    cr_assert_eq (rm_ids_from (&ids, id), place < in_count ? value_of (in[place]) : NULL);
    cr_assert_eq (rm_ids_upto (&ids, id), upto ? value_of (in[upto - 1]) : NULL);
}

static void check_all (void)
{
    cr_assert_eq (ids.count, in_count);
    check (0);
    check (UINT64_MAX);
    for (size_t i = 0; i < in_count; i++)
        for (uint64_t id = in[i] - 1; id != in[i] + 2; id++)
            check (id);
}

static void begin (void)
{
    count_allocations (-1);
}

static void end (void)
{
    while (in_count)
        take (in[in_count - 1]);
    cr_assert_null (ids.root);
    cr_assert_eq (counted.blocks, 0);
    count_no_more ();
}

TestSuite (ids, .init = begin, .fini = end);

Test (ids, an_empty_map_has_nothing)
{
    check_all ();
    rm_ids_remove (&ids, 7);
    check_all ();
}

Test (ids, what_grows_is_found_in_order)
{
    for (uint64_t id = 1; id <= IDS; id++)
        put (id);
    check_all ();
    for (uint64_t id = 1; id <= IDS; id += 3)
        take (id);
    check_all ();
}

Test (ids, a_gap_between_two_ids_is_stepped_over)
{
    const uint64_t lone[] = {0, 1, 63, 64, 4095, 4096, 1000000000000, 1000000000063, UINT64_MAX - 64, UINT64_MAX};
    for (size_t i = 0; i < sizeof lone / sizeof *lone; i++) {
        put (lone[i]);
        check_all ();
    }
}

Test (ids, a_map_that_was_emptied_begins_anew)
{
    put (UINT64_MAX);
    take (UINT64_MAX);
    cr_assert_eq (counted.blocks, 0);
    put (5);
    cr_assert_eq (ids.level, 0);
    check_all ();
}

Test (ids, whatever_comes_and_goes_the_map_says_what_a_sorted_list_says)
{
    uint64_t random = 20261128;
    for (int step = 0; step < 4000; step++) {
        uint64_t id = rm_splitmix (&random) >> rm_splitmix (&random) % 64;
        if (is_in (id))
            take (id);
        else if (in_count < IDS)
            put (id);
        else
            take (in[rm_splitmix (&random) % in_count]);
        check (id);
        check (rm_splitmix (&random));
        if (step % 400 == 0)
            check_all ();
    }
}

Test (ids, ids_that_lie_close_together_cost_little_more_than_a_pointer_each)
{
    enum { MANY = 100000 };
    for (uint64_t id = 1; id <= MANY; id++)
        cr_assert_eq (rm_ids_put (&ids, id, value_of (id)), 0);
    cr_assert_leq (counted.bytes, (size_t)MANY * 9);
    for (uint64_t id = 1; id <= MANY; id++)
        rm_ids_remove (&ids, id);
}

/* Each request for memory fails once: what is in stays, and nothing else is kept. */
Test (ids, a_put_without_memory_changes_nothing)
{
    const uint64_t wanted[] = {70, 1000000, UINT64_MAX};
    put (3);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        int rc = RM_ENOMEM;
        for (long granted = 0; rc; granted++) {
            counted.left = granted;
            rc = rm_ids_put (&ids, wanted[i], value_of (wanted[i]));
            counted.left = -1;
            if (rc) {
                cr_assert_eq (rc, RM_ENOMEM);
                check_all ();
                check (wanted[i]);
            }
        }
        rm_ids_remove (&ids, wanted[i]);
        check_all ();
    }
}
