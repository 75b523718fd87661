/*  Fair hand-out: nobody starves, nothing is lost or doubled, and memory follows the content. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/fair.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

enum { JOBS = 20000 };

typedef struct {
    rm_fair_item_t item;
    uint32_t queue;
    uint64_t client;
    uint32_t priority;
    int number;
} job_t;

static job_t jobs[JOBS];
static int job_count;
static rm_fair_t fair;

static long blocks; /* allocated and not freed */
static long allocations_left = -1;

static void *counted_resize (void *memory, size_t size)
{
    if (allocations_left == 0)
        return NULL;
    if (allocations_left > 0)
        allocations_left--;
    blocks += memory == NULL;
    return realloc (memory, size);
}

static void counted_release (void *memory)
{
    blocks -= memory != NULL;
    free (memory);
}

static const rm_allocator_t counted = {counted_resize, counted_release};

static void setup (void)
{
    rm_alloc_set (&counted);
    rm_fair_init (&fair);
}

static void teardown (void)
{
    rm_fair_close (&fair);
    cr_expect_eq (blocks, 0, "%ld blocks leaked", blocks);
    rm_alloc_set (NULL);
}

TestSuite (fair, .init = setup, .fini = teardown);

static uint32_t priority = RM_PRIORITY_NORMAL; /* of what is pushed from now on */

static job_t *push_any (uint32_t queue, uint64_t client, uint32_t cost, bool front)
{
    cr_assert_lt (job_count, JOBS);
    job_t *job = &jobs[job_count];
    *job = (job_t){.queue = queue, .client = client, .priority = priority, .number = job_count++};
    cr_assert_eq (rm_fair_push (&fair, queue, client, job->priority, &job->item, cost, front), 0);
    return job;
}

static job_t *push (uint32_t queue, uint64_t client)
{
    return push_any (queue, client, 1, false);
}

static job_t *next_allowed (rm_fair_allowed_fn *allowed, void *arg)
{
    rm_fair_item_t *item = rm_fair_next (&fair, allowed, arg);
    if (!item)
        return NULL;
    cr_assert_not (rm_fair_contains (item));
    return (job_t *)item;
}

static job_t *next (void)
{
    return next_allowed (NULL, NULL);
}

static void flood (uint32_t queue, uint64_t client, int count)
{
    while (count-- > 0)
        push (queue, client);
}

Test (fair, an_empty_one_has_nothing)
{
    cr_assert_null (next ());
    cr_assert_eq (rm_fair_count (&fair), 0);
    cr_assert_eq (rm_fair_queue_count (&fair, 1), 0);
}

Test (fair, a_flow_is_first_in_first_out)
{
    flood (1, 1, 100);
    for (int i = 0; i < 100; i++)
        cr_assert_eq (next ()->number, i);
    cr_assert_null (next ());
}

Test (fair, the_front_goes_before_all_of_its_flow)
{
    flood (1, 1, 3);
    push_any (1, 1, 1, true);
    push_any (1, 1, 1, true);
    static const int expected[] = {4, 3, 0, 1, 2};
    for (int i = 0; i < 5; i++)
        cr_assert_eq (next ()->number, expected[i]);
}

Test (fair, the_front_of_a_flow_does_not_overtake_others)
{
    flood (1, 1, 2);
    flood (1, 2, 2);
    cr_assert_eq (next ()->client, 1);
    push_any (1, 1, 1, true);
    cr_assert_eq (next ()->client, 2);
    cr_assert_eq (next ()->number, 4);
}

Test (fair, a_flooded_queue_starves_no_other)
{
    flood (1, 1, 5000);
    for (uint32_t queue = 2; queue <= 9; queue++)
        flood (queue, 1, 100);
    int last[10] = {0};
    for (int i = 1; i <= 900; i++) {
        job_t *job = next ();
        cr_assert_leq (i - last[job->queue], 9, "queue %u waited for %d others", job->queue, i - last[job->queue]);
        last[job->queue] = i;
    }
    for (uint32_t queue = 2; queue <= 9; queue++)
        cr_assert_eq (rm_fair_queue_count (&fair, queue), 0);
    cr_assert_eq (rm_fair_queue_count (&fair, 1), 4900);
}

Test (fair, a_latecomer_waits_for_one_job_of_each_other_queue)
{
    for (uint32_t queue = 1; queue <= 20; queue++)
        flood (queue, 1, 50);
    for (int i = 0; i < 137; i++)
        next ();
    push (99, 1);
    int waited = 0;
    while (next ()->queue != 99)
        waited++;
    cr_assert_leq (waited, 20);
}

Test (fair, a_flooding_client_starves_no_other_of_its_queue)
{
    flood (1, 1, 5000);
    for (uint64_t client = 2; client <= 9; client++)
        flood (1, client, 100);
    int last[10] = {0};
    for (int i = 1; i <= 900; i++) {
        job_t *job = next ();
        cr_assert_leq (i - last[job->client], 9, "client %d waited for %d others", (int)job->client,
                       i - last[job->client]);
        last[job->client] = i;
    }
    cr_assert_eq (rm_fair_count (&fair), 4900);
}

Test (fair, many_clients_do_not_make_a_queue_s_share_larger)
{
    for (uint64_t client = 0; client < 100; client++)
        flood (1, client, 20);
    flood (2, 7, 500);
    int got[3] = {0};
    for (int i = 0; i < 1000; i++)
        got[next ()->queue]++;
    cr_assert_eq (got[1], 500);
    cr_assert_eq (got[2], 500);
}

/* By cost, two that always have something waiting get the same, but for one item of each. */
static void expect_equal_by_cost (bool by_client)
{
    for (int i = 0; i < 400; i++)
        push_any (1, 1, 1, false);
    for (int i = 0; i < 40; i++)
        push_any (by_client ? 1 : 2, by_client ? 2 : 1, 10, false);
    int small = 0, large = 0;
    while (small < 400 && large < 40) {
        job_t *job = next ();
        if ((by_client ? job->client : job->queue) == 2)
            large++;
        else
            small++;
        cr_assert_leq (abs (large * 10 - small), 10, "after %d small and %d large jobs", small, large);
    }
}

Test (fair, large_items_cost_a_queue_more)
{
    expect_equal_by_cost (false);
}

Test (fair, large_items_cost_a_client_more)
{
    expect_equal_by_cost (true);
}

Test (fair, mixed_costs_come_out_even)
{
    uint32_t state = 1;
    for (int i = 0; i < 3000; i++)
        for (uint32_t queue = 0; queue < 3; queue++)
            push_any (queue, (uint64_t)i % 4, 1 + (state = state * 1664525 + 1013904223) % (1 + 30 * queue), false);
    long got[3] = {0};
    while (rm_fair_queue_count (&fair, 0) > 0) {
        job_t *job = next ();
        got[job->queue] += job->item.cost;
        for (int queue = 1; queue < 3; queue++)
            cr_assert_leq (labs (got[0] - got[queue]), 61, "queues got %ld, %ld, %ld", got[0], got[1], got[2]);
    }
}

Test (fair, an_item_of_any_cost_goes_out_at_once_when_nothing_else_waits)
{
    push_any (1, 1, UINT32_MAX, false);
    push_any (1, 1, UINT32_MAX, false);
    cr_assert_eq (next ()->number, 0);
    cr_assert_eq (next ()->number, 1);
}

Test (fair, huge_items_of_many_go_out_cheapest_first)
{
    for (uint32_t queue = 0; queue < 50; queue++)
        push_any (queue, 1, 4000000000u - queue, false);
    for (uint32_t queue = 50; queue-- > 0;)
        cr_assert_eq (next ()->queue, queue);
}

Test (fair, huge_items_of_many_clients_go_out_cheapest_first)
{
    for (uint32_t client = 0; client < 50; client++)
        push_any (1, client, 4000000000u - client, false);
    for (uint32_t client = 50; client-- > 0;)
        cr_assert_eq (next ()->client, client);
}

Test (fair, emptying_a_flow_between_large_items_is_no_trick)
{
    flood (1, 1, 1000);
    int small = 0;
    for (int i = 0; i < 20; i++) {
        push_any (1, 2, 20, false);
        while (next ()->client == 1)
            small++;
    }
    cr_assert_geq (small, 19 * 20);
}

Test (fair, what_was_saved_for_a_cancelled_item_is_no_burst)
{
    job_t *large = push_any (2, 1, 500, false);
    flood (2, 1, 500);
    flood (1, 1, 1000);
    for (int i = 0; i < 400; i++)
        cr_assert_eq (next ()->queue, 1);
    rm_fair_remove (&fair, &large->item);
    int got[3] = {0};
    for (int i = 0; i < 200; i++)
        got[next ()->queue]++;
    cr_assert_eq (got[1], 100);
    cr_assert_eq (got[2], 100);
}

/* Cancels a large item when half is saved for it, puts it in again, and counts who goes before it. */
static int count_before_a_second_try (uint32_t queue, uint64_t client)
{
    flood (1, 1, 1000);
    job_t *large = push_any (queue, client, 500, false);
    for (int i = 0; i < 250; i++)
        cr_assert_neq (next (), large);
    rm_fair_remove (&fair, &large->item);
    large = push_any (queue, client, 500, false);
    int before = 0;
    while (next () != large)
        before++;
    return before;
}

Test (fair, a_queue_without_items_forgets_what_it_saved)
{
    cr_assert_geq (count_before_a_second_try (2, 1), 499);
}

Test (fair, a_client_without_items_forgets_what_it_saved)
{
    cr_assert_geq (count_before_a_second_try (1, 2), 499);
}

Test (fair, an_item_is_removed_from_anywhere)
{
    flood (1, 1, 5);
    push (1, 2);
    cr_assert (rm_fair_contains (&jobs[2].item));
    rm_fair_remove (&fair, &jobs[2].item);
    rm_fair_remove (&fair, &jobs[0].item);
    rm_fair_remove (&fair, &jobs[4].item);
    rm_fair_remove (&fair, &jobs[5].item);
    cr_assert_not (rm_fair_contains (&jobs[2].item));
    cr_assert_eq (rm_fair_count (&fair), 2);
    cr_assert_eq (next ()->number, 1);
    cr_assert_eq (next ()->number, 3);
    cr_assert_null (next ());
}

static bool not_this_queue (uint32_t queue, void *arg)
{
    return queue != *(uint32_t *)arg;
}

static bool nothing (uint32_t queue, void *arg)
{
    (void)queue, (void)arg;
    return false;
}

Test (fair, nothing_of_a_queue_that_is_not_allowed)
{
    uint32_t closed = 2;
    for (uint32_t queue = 1; queue <= 3; queue++)
        flood (queue, 1, 10);
    for (int i = 0; i < 20; i++)
        cr_assert_neq (next_allowed (not_this_queue, &closed)->queue, 2);
    cr_assert_null (next_allowed (not_this_queue, &closed));
    cr_assert_eq (rm_fair_count (&fair), 10);
    for (int i = 0; i < 10; i++)
        cr_assert_eq (next ()->queue, 2);
}

Test (fair, with_nothing_allowed_nothing_changes)
{
    for (uint32_t queue = 1; queue <= 3; queue++)
        flood (queue, 1, 2);
    for (int i = 0; i < 100; i++)
        cr_assert_null (next_allowed (nothing, NULL));
    for (uint32_t i = 0; i < 6; i++)
        cr_assert_eq (next ()->queue, i % 3 + 1);
}

Test (fair, a_queue_that_was_not_allowed_is_next_but_gets_no_burst)
{
    uint32_t closed = 1;
    for (uint32_t queue = 1; queue <= 3; queue++)
        flood (queue, 1, 300);
    for (int turns = 1; turns < 8; turns++) {
        for (int i = 0; i < turns; i++)
            cr_assert_neq (next_allowed (not_this_queue, &closed)->queue, closed);
        cr_assert_eq (next ()->queue, closed, "it lost its place after %d turns of others", turns);
        int got[4] = {0};
        for (int i = 0; i < 30; i++)
            got[next ()->queue]++;
        for (int queue = 1; queue <= 3; queue++)
            cr_assert_eq (got[queue], 10);
        while (next ()->queue != 3)
            continue;
    }
}

Test (fair, a_queue_that_is_not_allowed_saves_nothing)
{
    uint32_t closed = 1;
    push_any (1, 1, 100, false);
    for (int i = 0; i < 20; i++)
        push_any (2, 1, 50, false);
    for (int i = 0; i < 20; i++)
        cr_assert_eq (next_allowed (not_this_queue, &closed)->queue, 2);
    flood (2, 1, 200);
    int before = 0;
    while (next ()->queue == 2)
        before++;
    cr_assert_eq (before, 99);
}

Test (fair, what_is_left_at_the_end_waits_nowhere)
{
    for (uint32_t queue = 0; queue < 10; queue++)
        for (uint64_t client = 0; client < 10; client++)
            flood (queue, client, 3);
    rm_fair_close (&fair);
    for (int i = 0; i < job_count; i++)
        cr_assert_not (rm_fair_contains (&jobs[i].item));
    cr_assert_eq (blocks, 0);
    rm_fair_init (&fair);
}

Test (fair, memory_follows_the_content)
{
    for (uint64_t client = 0; client < JOBS; client++)
        push ((uint32_t)client % 5000, client);
    cr_assert_geq (blocks, JOBS + 5000);
    while (next ())
        continue;
    cr_assert_leq (blocks, 2 * RM_FAIR_IDLE_MAX + 4, "idle flows, their queues, and two tables");
    cr_assert_geq (blocks, RM_FAIR_IDLE_MAX);
}

Test (fair, a_client_that_comes_and_goes_needs_no_new_memory)
{
    push (1, 1);
    next ();
    allocations_left = 0;
    push (1, 1);
    next ();
    allocations_left = -1;
}

Test (fair, two_queues_of_one_client_are_two_flows)
{
    push (1, 7);
    push (2, 7);
    cr_assert_eq (rm_fair_queue_count (&fair, 1), 1);
    cr_assert_eq (rm_fair_queue_count (&fair, 2), 1);
}

/* Fails the n-th allocation of the same story, for every n that it has. */
Test (fair, memory_running_out_changes_nothing)
{
    enum { STORY = 700 };
    bool failed = true;
    for (int limit = 0; failed; limit++) {
        failed = false;
        job_count = 0;
        allocations_left = limit;
        size_t expected = 0;
        for (int i = 0; i < STORY; i++) {
            job_t *job = &jobs[i];
            *job = (job_t){.queue = (uint32_t)(i % 2 ? i : i % 100), .client = (uint64_t)i, .number = i};
            int rc = rm_fair_push (&fair, job->queue, job->client, RM_PRIORITY_NORMAL, &job->item, 1, false);
            cr_assert (rc == 0 || rc == RM_ENOMEM);
            cr_assert_eq (rm_fair_contains (&job->item), rc == 0);
            expected += rc == 0;
            if (rc && !failed) {
                failed = true;
                allocations_left = -1; /* one failure, and on */
            }
            cr_assert_eq (rm_fair_count (&fair), expected);
        }
        allocations_left = -1;
        for (; expected > 0; expected--)
            cr_assert_not_null (next ());
        cr_assert_null (next ());
        rm_fair_close (&fair);
        cr_assert_eq (blocks, 0, "%ld blocks leaked after failing allocation %d", blocks, limit);
        rm_fair_init (&fair);
    }
}

/* The head of each flow, kept the slow way. */
static int oldest_of (const job_t *like)
{
    for (int i = 0; i < job_count; i++)
        if (rm_fair_contains (&jobs[i].item) && jobs[i].queue == like->queue && jobs[i].client == like->client)
            return jobs[i].number;
    return JOBS;
}

Test (fair, anything_in_any_order_keeps_the_books)
{
    uint64_t state = 88172645463325252u;
    size_t waiting = 0;
    while (job_count < 3000) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        uint32_t choice = (uint32_t)(state >> 20) % 10;
        if (choice < 5) {
            push_any ((uint32_t)(state >> 30) % 4, (state >> 40) % 5, 1 + (uint32_t)(state >> 50) % 40, false);
            waiting++;
        } else if (choice < 9) {
            uint32_t closed = (uint32_t)(state >> 30) % 6;
            size_t allowed = waiting - rm_fair_queue_count (&fair, closed);
            job_t *job = next_allowed (not_this_queue, &closed);
            cr_assert_eq (job != NULL, allowed > 0, "a queue stood still");
            if (job) {
                cr_assert_neq (job->queue, closed);
                cr_assert_lt (job->number, oldest_of (job));
                waiting--;
            }
        } else if (job_count > 0) {
            job_t *job = &jobs[(state >> 30) % (uint64_t)job_count];
            if (rm_fair_contains (&job->item)) {
                rm_fair_remove (&fair, &job->item);
                waiting--;
            }
        }
        cr_assert_eq (rm_fair_count (&fair), waiting);
    }
    for (; waiting > 0; waiting--)
        cr_assert_not_null (next ());
    cr_assert_null (next ());
}

Test (fair, cost_counts_bytes)
{
    cr_assert_eq (rm_fair_cost (0), 1);
    cr_assert_eq (rm_fair_cost (RM_FAIR_COST_BYTES - 1), 1);
    cr_assert_eq (rm_fair_cost (RM_FAIR_COST_BYTES), 2);
    cr_assert_eq (rm_fair_cost (RM_PAYLOAD_BYTES_MAX), 1 + RM_PAYLOAD_BYTES_MAX / RM_FAIR_COST_BYTES);
}

/* ---- priority --------------------------------------------------------------------------------------------------- */

Test (fair, higher_priorities_of_a_queue_go_first_whosever_they_are)
{
    priority = 1;
    job_t *low = push (1, 1);
    priority = RM_PRIORITY_NORMAL;
    job_t *normal[] = {push (1, 1), push (1, 2), push (1, 1)};
    priority = 9;
    job_t *high = push (1, 2);
    cr_assert_eq (next (), high);
    cr_assert_eq (next (), normal[0]);
    priority = 8;
    job_t *later = push (1, 1);
    cr_assert_eq (next (), later);
    cr_assert_eq (next (), normal[1], "clients of one priority take turns");
    cr_assert_eq (next (), normal[2]);
    cr_assert_eq (next (), low);
    cr_assert_null (next ());
}

Test (fair, a_priority_is_its_queues_own)
{
    priority = 1;
    job_t *other = push (2, 1);
    priority = 9;
    job_t *first = push (1, 1), *second = push (1, 1);
    cr_assert_eq (next (), other, "its queue came first in the round");
    cr_assert_eq (next (), first);
    cr_assert_eq (next (), second);
}
