/*  Keys that a dead job holds (docs/guarantees.md). */
#include "leader_orders.h"

TestSuite (leader_hold, .init = orders_begin, .fini = cluster_end);

static const char *why (uint64_t id)
{
    static char text[512];
    cr_assert (rm_leader_why (leader, now, id, text, sizeof text));
    return text;
}

static const char *state_of (uint64_t id)
{
    return rm_record_state_name (record_of (id), now.wall_ms);
}

/* A queue that holds, whose job of "key" is dead; two wait behind it. */
static worker_t *hold_key (uint64_t *dead, uint64_t *behind)
{
    worker_t *worker = join_settled ("w", 10);
    ordered ("set", 0, "q", "on_dead=hold");
    *dead = put ("key", "a");
    behind[0] = put ("key", "b");
    behind[1] = put ("key", "c");
    fail (worker, *dead, RM_VERDICT_DEAD);
    cr_assert_eq (outcome_of (*dead), RM_OUTCOME_DEAD);
    return worker;
}

Test (leader_hold, after_a_death_the_next_of_the_key_runs_unless_its_queue_holds)
{
    worker_t *worker = join_settled ("w", 10);
    uint64_t first = put ("key", "a"), second = put ("key", "b"), third = put ("key", "c");
    fail (worker, first, RM_VERDICT_DEAD);
    cr_assert (at (second, worker));
    SAYS (text_of_order ("set", 0, "q", "on_dead=hold"), "\"on_dead\": \"hold\"");
    fail (worker, second, RM_VERDICT_DEAD);
    after (500);
    cr_assert (!at (third, worker));
    cr_assert (at (put ("other", "d"), worker) && at (put (NULL, "e"), worker), "nothing else is held");
}

Test (leader_hold, a_held_key_says_who_holds_it)
{
    uint64_t dead, behind[2];
    hold_key (&dead, behind);
    SAYS (why (behind[0]), "held by job 1");
    SAYS (why (behind[1]), "held by job 1");
    SAYS (why (dead), "holds its key");
    cr_assert_str_eq (state_of (behind[1]), "held");
    cr_assert_str_eq (state_of (dead), "dead");
    cr_assert_eq (rm_queue_held_count (record_of (dead)->queue), 2);
    SAYS (text_of_order ("bury", dead, "", ""), "\"holds\": true");
}

Test (leader_hold, what_held_a_key_is_kicked_to_where_it_stood)
{
    uint64_t dead, behind[2];
    worker_t *worker = hold_key (&dead, behind);
    SAYS (text_of_order ("kick", dead, "", ""), "\"kicked_as\": 4");
    cr_assert (at (4, worker) && !at (behind[0], worker));
    fail (worker, 4, RM_VERDICT_DEAD);
    cr_assert (!at (behind[0], worker), "it holds the key like the one that it is again");
    SAYS (why (behind[0]), "held by job 4");
    ordered ("kick", 4, "", "");
    finish (worker, 5);
    cr_assert (at (behind[0], worker));
    finish (worker, behind[0]);
    cr_assert (at (behind[1], worker));
}

Test (leader_hold, a_hold_survives_a_new_leader)
{
    uint64_t dead, behind[2];
    worker_t *worker = hold_key (&dead, behind);
    restart_from_log (99);
    settle ();
    after (1000);
    cr_assert (!at (behind[0], worker));
    ordered ("kick", dead, "", "");
    restart_from_log (99);
    settle ();
    after (1000);
    cr_assert (at (4, worker) && !at (behind[0], worker));
}

Test (leader_hold, a_dead_job_is_cancelled_to_go_on_without_it)
{
    uint64_t dead, behind[2];
    worker_t *worker = hold_key (&dead, behind);
    SAYS (text_of_order ("cancel", dead, "", ""), "\"state\": \"dead\", \"holds\": false");
    cr_assert (at (behind[0], worker));
    SAYS (text_of_order ("cancel", dead, "", ""), "\"state\": \"dead\", \"holds\": false");
    ordered ("kick", dead, "", "");
    finish (worker, behind[0]);
    cr_assert (at (behind[1], worker), "what is kicked then stands at the end");
}

Test (leader_hold, a_queue_that_holds_no_longer_lets_go_of_all)
{
    uint64_t dead, behind[2];
    worker_t *worker = hold_key (&dead, behind);
    ordered ("set", 0, "q", "on_dead=continue");
    cr_assert (at (behind[0], worker));
    ordered ("set", 0, "q", "on_dead=hold");
    finish (worker, behind[0]);
    cr_assert (at (behind[1], worker), "who is dead already holds nothing");
}

Test (leader_hold, what_holds_a_key_is_kept_and_counts_as_waiting)
{
    uint64_t dead, behind[2];
    hold_key (&dead, behind);
    ordered ("set", 0, "q", "keep=100ms jobs-max=3");
    after (5000);
    cr_assert_eq (outcome_of (dead), RM_OUTCOME_DEAD);
    rm_submit_job_t job = job_of ("q", NULL, "d");
    job.seq = client.seq + 1;
    mark ();
    submit_jobs (&client, &job, 1);
    cr_assert_not_null (sent (client.address, RM_MSG_BUSY));
    ordered ("cancel", dead, "", "");
    after (5000);
    cr_assert_null (rm_state_record (state, dead));
}

Test (leader_hold, what_holds_a_key_is_kicked_however_full_its_queue_is)
{
    uint64_t dead, behind[2];
    worker_t *worker = hold_key (&dead, behind);
    ordered ("set", 0, "q", "jobs-max=3");
    SAYS (text_of_order ("kick", 0, "q", ""), "\"kicked\": 1, \"left\": 0");
    finish (worker, 4);
    cr_assert (at (behind[0], worker));
}

Test (leader_hold, what_is_buried_in_the_middle_holds_only_what_stands_behind_it)
{
    worker_t *worker = join_settled ("w", 10);
    ordered ("set", 0, "q", "on_dead=hold");
    uint64_t ids[4];
    for (int i = 0; i < 4; i++)
        ids[i] = put ("key", "a");
    ordered ("bury", ids[2], "", "");
    finish (worker, ids[0]);
    finish (worker, ids[1]);
    after (100);
    cr_assert (!at (ids[3], worker));
    ordered ("kick", 0, "q", "");
    finish (worker, 5);
    cr_assert (at (ids[3], worker));
}
