#include <criterion/criterion.h>
#include <stdio.h>

#include "core/masters.h"
#include "ringmaster/error.h"

static rm_masters_t masters;

static void init (void)
{
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
    rm_masters_next (&masters);
    cr_expect_str_eq (rm_masters_current (&masters), endpoint);
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
    cr_assert (rm_masters_turn_to (&masters, rm_bytes ("tcp://d:1")));
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
    cr_assert (rm_masters_turn_to (&masters, rm_bytes ("tcp://z:9")));
    cr_expect_str_eq (rm_masters_current (&masters), "tcp://z:9");
    expect_next ("tcp://a:1");
}

Test (masters, what_is_no_endpoint_is_left_out)
{
    const rm_bytes_t nonsense[] = {rm_bytes ("ipc:///etc/passwd"), rm_bytes ("tcp://"), {"tcp://a\0b:1", 11}, {0}};
    rm_masters_learn (&masters, nonsense, 4);
    cr_expect_eq (masters.count, 2);
    for (int i = 0; i < 4; i++)
        cr_expect_not (rm_masters_turn_to (&masters, nonsense[i]));
}

Test (masters, more_than_there_is_room_for_are_left_out)
{
    char text[32];
    for (int i = 0; i < 2 * RM_MASTERS_MAX; i++) {
        snprintf (text, sizeof text, "tcp://n%d:1", i);
        rm_masters_turn_to (&masters, rm_bytes (text));
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
