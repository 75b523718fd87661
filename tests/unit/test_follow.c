/*  A subscriber's memory: what it gives, what it counts as lost, and when it asks. */
#include <criterion/criterion.h>

#include "core/follow.h"
#include "ringmaster/error.h"

enum { INC = 7, ASKER = 100 };

static rm_follow_t follow;
static uint64_t now_ms;

static void setup (void)
{
    now_ms = 1000;
    rm_follow_init (&follow);
    cr_assert_eq (rm_follow_add (&follow, rm_bytes ("t"), now_ms), 0);
    rm_follow_pattern_t *due = rm_follow_due (&follow, now_ms);
    cr_assert (due);
    rm_follow_asked (due, ASKER, now_ms);
    cr_assert_null (rm_follow_due (&follow, now_ms));
}

static void teardown (void)
{
    rm_follow_close (&follow);
}

TestSuite (follow, .init = setup, .fini = teardown);

enum { NOT_GIVEN = -100 };

/* News of topic and number: how many were missed before it, or NOT_GIVEN. `data` NULL: only the number. */
static int64_t news (uint64_t inc, const char *topic, uint64_t seq, const char *data)
{
    rm_news_frame_t frame = {.kind = RM_NEWS_LIVE, .inc = inc, .item = {rm_bytes (topic), seq, rm_bytes (data)}};
    rm_follow_given_t given;
    cr_assert (rm_follow_frame (&follow, &frame, now_ms));
    int rc = rm_follow_item (&follow, &frame.item, &given);
    cr_assert (rc == 0 || rc == 1);
    return rc ? (int64_t)given.missed : NOT_GIVEN;
}

/* A part of an answer begins: whether it is ours. */
static bool part (uint64_t inc, uint64_t asker, uint32_t number, bool last)
{
    rm_news_frame_t frame = {.kind = RM_NEWS_KEPT, .inc = inc, .asker = asker, .part = number, .last = last};
    frame.pattern = rm_bytes ("t");
    return rm_follow_frame (&follow, &frame, now_ms);
}

/* A value in it. */
static int64_t kept (const char *topic, uint64_t seq)
{
    rm_news_item_t item = {rm_bytes (topic), seq, rm_bytes ("kept")};
    rm_follow_given_t given;
    int rc = rm_follow_item (&follow, &item, &given);
    cr_assert (rc == 0 || rc == 1);
    return rc ? (int64_t)given.missed : NOT_GIVEN;
}

Test (follow, a_number_that_is_left_out_is_counted_and_an_old_one_is_not_given_again)
{
    cr_assert_eq (news (INC, "t1", 5, "x"), 0); /* where one joins is no loss */
    cr_assert_eq (news (INC, "t1", 6, "x"), 0);
    cr_assert_eq (news (INC, "t1", 9, "x"), 2);
    cr_assert_eq (news (INC, "t1", 9, "x"), NOT_GIVEN);
    cr_assert_eq (news (INC, "t1", 8, "x"), NOT_GIVEN);
    cr_assert_eq (news (INC, "t2", 1, "x"), 0);
    cr_assert_eq (news (INC, "t1", 10, "x"), 0);
    cr_assert_eq (follow.missed, 2);
}

Test (follow, a_late_joiner_is_given_the_kept_values_and_has_missed_nothing)
{
    cr_assert (part (INC, ASKER, 0, false));
    cr_assert_eq (kept ("t1", 50), 0);
    cr_assert_eq (news (INC, "t2", 8, "x"), 0);
    cr_assert (part (INC, ASKER, 1, true));
    cr_assert_eq (kept ("t2", 8), NOT_GIVEN); /* was given already */
    cr_assert_eq (kept ("t3", 4), 0);         /* also in the last part */
    cr_assert_eq (rm_follow_due_ms (&follow), UINT64_MAX);
    cr_assert_eq (news (INC, "t3", 5, "x"), 0);
}

Test (follow, a_topic_that_is_new_since_the_answer_began_at_number_one)
{
    cr_assert (part (INC, ASKER, 0, true));
    cr_assert_eq (news (INC, "t1", 3, "x"), 2);
}

Test (follow, another_incarnation_begins_anew_and_says_so_once)
{
    rm_news_frame_t frame = {.kind = RM_NEWS_LIVE, .inc = INC + 1, .item = {rm_bytes ("t1"), 1, rm_bytes ("x")}};
    rm_follow_given_t given;
    cr_assert (part (INC, ASKER, 0, true));
    cr_assert_eq (kept ("t1", 50), 0);
    cr_assert (rm_follow_frame (&follow, &frame, now_ms));
    cr_assert_eq (rm_follow_item (&follow, &frame.item, &given), 1);
    cr_assert (given.restarted && !given.missed);
    frame.item.seq = 2;
    cr_assert_eq (rm_follow_item (&follow, &frame.item, &given), 1);
    cr_assert_not (given.restarted);
    cr_assert_eq (news (INC + 1, "t2", 4, "x"), 3); /* it was subscribed all the time */
    cr_assert_neq (rm_follow_due_ms (&follow), UINT64_MAX);
    cr_assert (part (INC + 1, ASKER, 0, true));
    cr_assert_eq (rm_follow_due_ms (&follow), UINT64_MAX);
}

Test (follow, a_lost_end_is_noticed_by_its_number_and_asked_for)
{
    cr_assert (part (INC, ASKER, 0, true));
    cr_assert_eq (kept ("t1", 5), 0);
    cr_assert_eq (news (INC, "t1", 5, NULL), NOT_GIVEN); /* silent, and nothing lost */
    cr_assert_eq (rm_follow_due_ms (&follow), UINT64_MAX);
    now_ms += 10000;
    cr_assert_eq (news (INC, "t1", 8, NULL), NOT_GIVEN);
    rm_follow_pattern_t *due = rm_follow_due (&follow, now_ms);
    cr_assert (due);
    rm_follow_asked (due, ASKER + 1, now_ms);
    cr_assert_not (part (INC, ASKER, 0, true)); /* the old question's */
    cr_assert (part (INC, ASKER + 1, 0, true));
    cr_assert_eq (kept ("t1", 8), 2);
    cr_assert_eq (news (INC, "t9", 1, NULL), NOT_GIVEN); /* a topic of which nothing came at all */
    cr_assert_neq (rm_follow_due_ms (&follow), UINT64_MAX);
}

Test (follow, an_answer_that_is_not_whole_is_asked_for_again)
{
    cr_assert (part (INC, ASKER, 0, false));
    cr_assert (part (INC, ASKER, 2, true)); /* part 1 was lost */
    cr_assert_neq (rm_follow_due_ms (&follow), UINT64_MAX);
    cr_assert_eq (news (INC, "t1", 9, "x"), 0); /* still joining */
    now_ms += 100;
    cr_assert (part (INC, ASKER, 0, false)); /* the connection was renewed */
    cr_assert (part (INC, ASKER, 1, true));
    cr_assert_eq (rm_follow_due_ms (&follow), UINT64_MAX);
}

Test (follow, questions_get_rarer_and_frequent_again_after_a_while)
{
    static const uint64_t waits[] = {500, 1000, 2000, 4000, 8000, 8000};
    uint64_t asker = ASKER;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        cr_assert_eq (rm_follow_due_ms (&follow), now_ms + waits[i]);
        now_ms += waits[i];
        cr_assert_null (rm_follow_due (&follow, now_ms - 1));
        rm_follow_asked (rm_follow_due (&follow, now_ms), ++asker, now_ms);
    }
    cr_assert (part (INC, asker, 0, true));
    now_ms += 60000;
    cr_assert_eq (news (INC, "t9", 1, NULL), NOT_GIVEN);
    rm_follow_asked (rm_follow_due (&follow, now_ms), ++asker, now_ms);
    cr_assert_eq (rm_follow_due_ms (&follow), now_ms + 500);
}

Test (follow, patterns_have_their_limits)
{
    cr_assert_eq (rm_follow_add (&follow, rm_bytes ("t"), now_ms), RM_EINVAL);
    cr_assert_eq (rm_follow_add (&follow, rm_bytes ("\n"), now_ms), RM_EINVAL);
    for (uint32_t i = 1; i < RM_FOLLOW_PATTERNS_MAX; i++) {
        char text[2] = {(char)(' ' + i), 0};
        cr_assert_eq (rm_follow_add (&follow, (rm_bytes_t){text, *text == 't' ? 2 : 1}, now_ms), 0);
    }
    cr_assert_eq (rm_follow_add (&follow, rm_bytes ("more"), now_ms), RM_ETOOBIG);
}
