#include <criterion/criterion.h>
#include <stdio.h>

#include "core/masters.h"
#include "ringmaster/error.h"

static rm_masters_t masters;
static uint64_t now_ms;

static void init (void)
{
    now_ms = 100;
    const char *const given[] = {"tcp://a:1", "tcp://b:1"};
    cr_assert_eq (rm_masters_init (&masters, given, 2), 0);
}

static void fini (void)
{
    rm_masters_close (&masters);
}

TestSuite (masters, .init = init, .fini = fini);

static void learn (const char *one, const char *other)
{
    const rm_bytes_t endpoints[] = {rm_bytes (one), rm_bytes (other)};
    rm_masters_learn (&masters, endpoints, other ? 2 : 1);
}

static void expect_next (const char *endpoint)
{
    rm_masters_next (&masters, now_ms);
    cr_expect_str_eq (rm_masters_current (&masters), endpoint);
}

static bool turn_to (const char *endpoint)
{
    return rm_masters_turn_to (&masters, rm_bytes (endpoint), now_ms);
}

Test (masters, those_given_are_asked_in_turn)
{
    cr_expect_str_eq (rm_masters_current (&masters), "tcp://a:1");
    expect_next ("tcp://b:1");
    expect_next ("tcp://a:1");
}

Test (masters, those_learnt_come_behind_and_none_comes_twice)
{
    learn ("tcp://b:1", "tcp://c:1");
    learn ("tcp://c:1", "tcp://b:1");
    expect_next ("tcp://b:1");
    expect_next ("tcp://c:1");
    expect_next ("tcp://a:1");
}

Test (masters, what_was_learnt_is_replaced_and_what_was_given_is_not)
{
    learn ("tcp://c:1", "tcp://d:1");
    learn ("tcp://e:1", NULL);
    cr_expect_eq (masters.count, 3);
    expect_next ("tcp://b:1");
    expect_next ("tcp://e:1");
    expect_next ("tcp://a:1");
}

Test (masters, the_one_in_turn_is_not_taken_away)
{
    learn ("tcp://c:1", "tcp://d:1");
    cr_assert (turn_to ("tcp://d:1"));
    learn ("tcp://e:1", NULL);
    cr_expect_str_eq (rm_masters_current (&masters), "tcp://d:1");
    expect_next ("tcp://e:1");
}

Test (masters, to_be_told_of_nobody_changes_nothing)
{
    learn ("tcp://c:1", NULL);
    rm_masters_learn (&masters, NULL, 0);
    cr_expect_eq (masters.count, 3);
}

Test (masters, a_leader_that_was_not_known_is_learnt)
{
    cr_assert (turn_to ("tcp://z:9"));
    cr_expect_str_eq (rm_masters_current (&masters), "tcp://z:9");
    expect_next ("tcp://a:1");
}

/* Followers name the dead leader until they elect. */
Test (masters, a_silent_one_is_not_turned_to_before_it_must_have_been_missed)
{
    rm_masters_silent (&masters, now_ms);
    expect_next ("tcp://b:1");
    cr_expect_not (turn_to ("tcp://a:1"));
    cr_expect_str_eq (rm_masters_current (&masters), "tcp://b:1");
    now_ms += RM_MASTERS_DOUBT_MS - 1;
    cr_expect_not (turn_to ("tcp://a:1"));
    now_ms++;
    cr_expect (turn_to ("tcp://a:1"));
    cr_expect_str_eq (rm_masters_current (&masters), "tcp://a:1");
}

Test (masters, silent_ones_are_asked_last_and_the_one_longest_ago_first)
{
    learn ("tcp://c:1", "tcp://d:1");
    rm_masters_silent (&masters, now_ms + 50);
    expect_next ("tcp://b:1");
    rm_masters_silent (&masters, now_ms);
    now_ms += 100;
    expect_next ("tcp://c:1");
    expect_next ("tcp://d:1");
    expect_next ("tcp://c:1");
    rm_masters_silent (&masters, now_ms);
    expect_next ("tcp://d:1");
    expect_next ("tcp://d:1");
    rm_masters_silent (&masters, now_ms);
    expect_next ("tcp://b:1");
}

Test (masters, silence_is_forgotten_by_an_answer_and_by_time)
{
    rm_masters_silent (&masters, now_ms);
    rm_masters_heard (&masters);
    expect_next ("tcp://b:1");
    expect_next ("tcp://a:1");
    rm_masters_silent (&masters, now_ms);
    expect_next ("tcp://b:1");
    now_ms += RM_MASTERS_LAST_MS - 1;
    expect_next ("tcp://b:1");
    now_ms++;
    expect_next ("tcp://a:1");
}

Test (masters, silence_moves_with_whom_it_is_about)
{
    learn ("tcp://c:1", "tcp://d:1");
    cr_assert (turn_to ("tcp://d:1"));
    rm_masters_silent (&masters, now_ms);
    learn ("tcp://d:1", NULL);
    expect_next ("tcp://a:1");
    expect_next ("tcp://b:1");
    expect_next ("tcp://a:1");
}

Test (masters, what_is_no_endpoint_is_left_out)
{
    const rm_bytes_t nonsense[] = {rm_bytes ("ipc:///etc/passwd"), rm_bytes ("tcp://"), {"tcp://a\0b:1", 11}, {0}};
    rm_masters_learn (&masters, nonsense, 4);
    cr_expect_eq (masters.count, 2);
    for (int i = 0; i < 4; i++)
        cr_expect_not (rm_masters_turn_to (&masters, nonsense[i], now_ms));
}

Test (masters, more_than_there_is_room_for_are_left_out)
{
    char text[32];
    for (int i = 0; i < 2 * RM_MASTERS_MAX; i++) {
        snprintf (text, sizeof text, "tcp://n%d:1", i);
        turn_to (text);
    }
    cr_expect_eq (masters.count, RM_MASTERS_MAX);
}

Test (masters, none_or_nonsense_cannot_be_given)
{
    rm_masters_t other;
    const char *const empty[] = {""};
    cr_expect_eq (rm_masters_init (&other, NULL, 0), RM_EINVAL);
    cr_expect_eq (rm_masters_init (&other, empty, 1), RM_EINVAL);
}
