/*  A publisher's memory. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/newest.h"
#include "counting_alloc.h"
#include "ringmaster/error.h"

static rm_newest_t newest;

static void setup (void)
{
    rm_newest_init (&newest, 3, 100);
}

static void teardown (void)
{
    rm_newest_close (&newest);
}

TestSuite (newest, .init = setup, .fini = teardown);

static uint64_t put (const char *topic, const char *data, uint64_t now_ms)
{
    rm_news_item_t item;
    cr_assert_eq (rm_newest_put (&newest, rm_bytes (topic), rm_bytes (data), now_ms, &item), 0);
    cr_assert (rm_bytes_equal (item.topic, rm_bytes (topic)) && rm_bytes_equal (item.data, rm_bytes (data)));
    return item.seq;
}

Test (newest, each_topic_counts_by_itself)
{
    cr_assert_eq (put ("a", "1", 0), 1);
    cr_assert_eq (put ("a", "2", 0), 2);
    cr_assert_eq (put ("b", "", 0), 1);
    cr_assert_eq (put ("a", "3", 0), 3);
}

Test (newest, what_would_go_beyond_its_bounds_is_refused_and_changes_nothing)
{
    static char large[RM_NEWS_BYTES_MAX + 1];
    rm_news_item_t item;
    put ("a", "1", 0);
    put ("b", "2", 0);
    put ("c", "3", 0);
    cr_assert_eq (rm_newest_put (&newest, rm_bytes ("d"), rm_bytes ("4"), 0, &item), RM_ETOOBIG);
    cr_assert_eq (rm_newest_put (&newest, rm_bytes ("a"), (rm_bytes_t){large, 99}, 0, &item), RM_ETOOBIG);
    cr_assert_eq (rm_newest_put (&newest, rm_bytes ("a"), (rm_bytes_t){large, sizeof large}, 0, &item), RM_ETOOBIG);
    cr_assert_eq (rm_newest_put (&newest, rm_bytes (""), rm_bytes ("4"), 0, &item), RM_EINVAL);
    cr_assert_eq (rm_newest_put (&newest, rm_bytes ("a"), (rm_bytes_t){large, 98}, 0, &item), 0);
    cr_assert_eq (item.seq, 2);
    cr_assert_eq (newest.bytes, 100);
}

Test (newest, a_topic_that_falls_silent_is_named_again_in_growing_distances)
{
    static const uint64_t due[] = {250, 750, 1750, 3750, 7750, 15750, 23750, 31750};
    rm_news_item_t item;
    cr_assert_eq (rm_newest_due (&newest), UINT64_MAX);
    put ("a", "1", 0);
    for (size_t i = 0; i < sizeof due / sizeof *due; i++) {
        cr_assert_eq (rm_newest_due (&newest), due[i]);
        cr_assert_not (rm_newest_silent (&newest, due[i] - 1, &item));
        cr_assert (rm_newest_silent (&newest, due[i], &item));
        cr_assert (rm_bytes_equal (item.topic, rm_bytes ("a")) && item.seq == 1 && !item.data.data);
    }
    put ("a", "2", 40000);
    cr_assert_eq (rm_newest_due (&newest), 40250);
    put ("a", "3", 40200);
    cr_assert_eq (rm_newest_due (&newest), 40450);
}

/* Collects a whole answer: "a1=x b2=y ". */
static const char *answer_to (const char *pattern, uint32_t size)
{
    static char text[200];
    static rm_news_item_t items[RM_NEWS_PART_ITEMS_MAX];
    rm_newest_answer_t answer;
    *text = 0;
    rm_newest_ask (&newest, 1, (rm_bytes_t){pattern, size}, &answer);
    for (bool last = false; !last;) {
        uint32_t count = rm_newest_part (&answer, items, &last);
        for (uint32_t i = 0; i < count; i++)
            snprintf (text + strlen (text), sizeof text - strlen (text), "%.*s%d=%.*s ", (int)items[i].topic.size,
                      (const char *)items[i].topic.data, (int)items[i].seq, (int)items[i].data.size,
                      (const char *)items[i].data.data);
    }
    return text;
}

Test (newest, an_answer_is_the_newest_of_what_was_asked_for)
{
    cr_assert_str_eq (answer_to ("", 0), "");
    put ("a", "1", 0);
    put ("ab", "2", 0);
    put ("b", "3", 0);
    put ("a", "4", 0);
    cr_assert_str_eq (answer_to ("", 0), "a2=4 ab1=2 b1=3 ");
    cr_assert_str_eq (answer_to ("a", 1), "a2=4 ab1=2 ");
    cr_assert_str_eq (answer_to ("a\0", 2), "a2=4 ");
    cr_assert_str_eq (answer_to ("c", 1), "");
}

Test (newest, a_large_answer_comes_in_parts_that_are_bounded)
{
    static char large[RM_NEWS_PART_BYTES];
    static rm_news_item_t items[RM_NEWS_PART_ITEMS_MAX];
    enum { SMALL = 3000, LARGE = 5 };
    rm_newest_t many;
    rm_news_item_t item;
    rm_newest_answer_t answer;
    rm_newest_init (&many, SMALL + LARGE, 10 << 20);
    for (int i = 0; i < SMALL + LARGE; i++) {
        char name[20];
        snprintf (name, sizeof name, "t%d", i);
        rm_bytes_t data = {large, i < SMALL ? 10 : RM_NEWS_PART_BYTES / 2 + 1};
        cr_assert_eq (rm_newest_put (&many, rm_bytes (name), data, 0, &item), 0);
    }
    rm_newest_ask (&many, 1, rm_bytes ("t"), &answer);
    uint32_t all = 0, parts = 0;
    for (bool last = false; !last; parts++) {
        size_t bytes = 0;
        cr_assert_eq (answer.part, parts);
        uint32_t count = rm_newest_part (&answer, items, &last);
        for (uint32_t i = 0; i < count; i++)
            bytes += items[i].data.size;
        cr_assert (count == 1 || bytes <= RM_NEWS_PART_BYTES);
        all += count;
    }
    cr_assert_eq (all, SMALL + LARGE);
    cr_assert_eq (parts, 3 + LARGE - 1); /* the first large one goes with the last small ones */
    rm_newest_close (&many);
}

Test (newest, memory_that_runs_out_changes_nothing)
{
    for (long left = 0;; left++) {
        rm_newest_t small;
        rm_news_item_t item;
        count_allocations (left);
        rm_newest_init (&small, 2, 100);
        int rc = rm_newest_put (&small, rm_bytes ("a"), rm_bytes ("1"), 0, &item);
        cr_assert (!rc || rc == RM_ENOMEM);
        cr_assert_eq (small.count, rc ? 0 : 1);
        cr_assert_eq (small.bytes, rc ? 0 : 1);
        counted.left = -1;
        cr_assert_eq (rm_newest_put (&small, rm_bytes ("a"), rm_bytes ("2"), 0, &item), 0);
        cr_assert_eq (item.seq, rc ? 1 : 2);
        rm_newest_close (&small);
        cr_assert_eq (counted.blocks, 0);
        count_no_more ();
        if (!rc)
            break;
    }
}
