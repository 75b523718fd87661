/*  What happens to jobs, for whoever watches: in order, once, and at no cost while nobody does. */
#include <stdio.h>

#include "leader_fixture.h"

TestSuite (leader_events, .init = cluster_begin, .fini = cluster_end);
TestSuite (journal);

static char story[4096];
static uint64_t next, lost;

static void tell_event (void *arg, const rm_event_t *event)
{
    (void)arg;
    size_t used = strlen (story);
    snprintf (story + used, sizeof story - used, "%s%s %d.%u", used ? ", " : "",
              rm_event_name ((rm_event_kind_t)event->kind), (int)event->id, event->attempt);
    if (event->kind == RM_EVENT_ENDED)
        cr_assert_neq (event->outcome, RM_OUTCOME_NONE);
    if (event->kind == RM_EVENT_BEGUN)
        cr_assert_neq (event->inc, 0, "begun at nobody's");
}

/* What has happened since the last look. */
static const char *look (uint32_t limit)
{
    *story = 0;
    rm_msg_query_t query = {.id = next, .limit = limit};
    cr_assert_eq (rm_leader_events (leader, now, &query, tell_event, NULL, &next, &lost), 0);
    return story;
}

Test (leader_events, a_job_is_accepted_begun_and_ended)
{
    worker_t *w1 = join_settled ("w1", 1);
    cr_assert_str_eq (look (0), "");
    uint64_t id = put ("bob", "x");
    turn ();
    finish (w1, id);
    cr_assert_str_eq (look (0), "accepted 1.1, begun 1.1, ended 1.1");
    cr_assert_str_eq (look (0), "", "told once");
    cr_assert_eq (lost, 0);
}

Test (leader_events, an_attempt_that_failed_is_followed_by_another)
{
    worker_t *w1 = join_settled ("w1", 1);
    look (0);
    uint64_t id = put (NULL, "x");
    turn ();
    fail (w1, id, RM_VERDICT_RETRY);
    after (config.retry.delay_ms);
    fail (w1, id, RM_VERDICT_DEAD);
    cr_assert_str_eq (look (0), "accepted 1.1, begun 1.1, failed 1.2, begun 1.2, ended 1.2");
}

Test (leader_events, what_a_worker_gives_back_begins_again)
{
    worker_t *w1 = join_settled ("w1", 1);
    look (0);
    uint64_t id = put (NULL, "x");
    turn ();
    drop (w1, id);
    beat (w1);
    turn ();
    cr_assert_str_eq (look (0), "accepted 1.1, begun 1.1, returned 1.1, begun 1.1");
}

Test (leader_events, a_limit_is_gone_on_from)
{
    look (0);
    for (int i = 0; i < 5; i++)
        put (NULL, "x");
    cr_assert_str_eq (look (2), "accepted 1.1, accepted 2.1");
    cr_assert_str_eq (look (2), "accepted 3.1, accepted 4.1");
    cr_assert_str_eq (look (2), "accepted 5.1");
}

Test (leader_events, what_nobody_watched_is_counted_and_not_kept)
{
    put (NULL, "x");
    cr_assert_null (leader->journal.events, "kept for nobody");
    look (0);
    put (NULL, "x");
    cr_assert_str_eq (look (0), "accepted 2.1");
    after (RM_JOURNAL_WATCHED_MS);
    put (NULL, "x");
    cr_assert_null (leader->journal.events, "kept for somebody who is gone");
    put (NULL, "x");
    cr_assert_str_eq (look (0), "");
    cr_assert_eq (lost, 2);
    put (NULL, "x");
    cr_assert_str_eq (look (0), "accepted 5.1");
    cr_assert_eq (lost, 0);
}

Test (leader_events, the_next_leader_begins_anew)
{
    look (0);
    put (NULL, "x");
    look (0);
    failover (unapplied ());
    cr_assert_str_eq (look (0), "");
    put (NULL, "x");
    cr_assert_str_eq (look (0), "accepted 2.1");
}

Test (journal, the_newest_are_kept)
{
    rm_journal_t journal = {0};
    uint64_t missed;
    rm_journal_begin (&journal, 3);
    uint64_t first = journal.last;
    cr_assert (rm_journal_watch (&journal, 5));
    for (uint64_t id = 1; id <= RM_JOURNAL_EVENTS + 10; id++) {
        cr_assert (rm_journal_wants (&journal, 6));
        rm_journal_note (&journal, &(rm_event_t){.id = id});
    }
    uint64_t number = rm_journal_next (&journal, first, &missed);
    cr_assert_eq (missed, 10);
    cr_assert_eq (rm_journal_event (&journal, number)->id, 11);
    cr_assert_eq (rm_journal_event (&journal, journal.last)->id, RM_JOURNAL_EVENTS + 10);
    cr_assert_eq (rm_journal_next (&journal, journal.last, &missed), journal.last + 1);
    cr_assert_eq (missed, 0);
    rm_journal_begin (&journal, 4);
    cr_assert_gt (journal.last, number, "numbers of the next term are higher");
    rm_journal_close (&journal);
}

Test (journal, numbers_of_another_term_are_before_all)
{
    rm_journal_t journal = {0};
    uint64_t missed;
    rm_journal_begin (&journal, 3);
    cr_assert (rm_journal_watch (&journal, 0));
    uint64_t first = journal.last;
    cr_assert (rm_journal_wants (&journal, 1));
    rm_journal_note (&journal, &(rm_event_t){.id = 7});
    static const uint64_t others[] = {1, (2ull << 40) + 9, 4ull << 40, UINT64_MAX};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        cr_assert_eq (rm_journal_next (&journal, others[i], &missed), first + 1);
        cr_assert_eq (missed, 0);
    }
    rm_journal_close (&journal);
}
