/*  A leader that is one of several masters: what it says and leaves unsaid while another one may lead, and how long it
 *  waits for what a former one may have promised (docs/mended.md). */
#include "leader_fixture.h"

enum { REMOVED_AFTER_MS = RM_LEASE_MS + RM_GRACE_MS + RM_MARGIN_MS, TAKEOVER_MS = 500 };

static rm_bytes_t group[2];

static void begin (void)
{
    cluster_begin ();
    group[0] = rm_bytes ("tcp://a:1");
    group[1] = rm_bytes ("tcp://b:1");
    leader->group = (rm_group_t){.leader = group[1], .masters = group, .count = 2};
}

TestSuite (leader_masters, .init = begin, .fini = cluster_end);

static const rm_msg_not_leader_t *ask_elsewhere (void)
{
    const uint64_t id = 1;
    mark ();
    ask_wait (client.address, &id, 1, 0);
    turn ();
    const rm_msg_t *answer = sent (client.address, RM_MSG_NOT_LEADER);
    cr_assert (answer);
    return &answer->not_leader;
}

Test (leader_masters, who_does_not_lead_names_the_leader_and_the_group)
{
    rm_leader_step_down (leader);
    const rm_msg_not_leader_t *answer = ask_elsewhere ();
    cr_expect (rm_bytes_equal (answer->leader, group[1]));
    cr_assert_eq (answer->master_count, 2);
    cr_expect (rm_bytes_equal (answer->masters[0], group[0]));
}

Test (leader_masters, one_that_is_cut_off_names_the_group_and_no_leader)
{
    leader->cut_off = true;
    const rm_msg_not_leader_t *answer = ask_elsewhere ();
    cr_expect_eq (answer->leader.size, 0);
    cr_expect_eq (answer->master_count, 2);
}

Test (leader_masters, one_that_is_cut_off_accepts_and_hands_out_nothing)
{
    worker_t *worker = join_settled ("w", 2);
    rm_submit_job_t jobs[] = {job_of ("q", NULL, "a"), job_of ("q", NULL, "b")};
    jobs[0].seq = 1;
    jobs[1].seq = 2;
    submit_jobs (&client, &jobs[0], 1);
    flush_once ();
    leader->cut_off = true;
    disk (); /* what was proposed before may become durable all the same */
    mark ();
    submit_jobs (&client, &jobs[1], 1);
    turn ();
    cr_expect (sent (client.address, RM_MSG_NOT_LEADER));
    cr_expect_eq (state->waiting_count, 1);
    cr_expect_eq (worker->received, 0);
    leader->cut_off = false;
    turn ();
    cr_expect_eq (worker->received, 1);
}

Test (leader_masters, one_that_is_cut_off_renews_no_lease)
{
    worker_t *worker = join_settled ("w", 1);
    leader->cut_off = true;
    mark ();
    beat (worker);
    turn ();
    cr_expect_not (sent (worker->address, RM_MSG_HEARTBEAT_OK));
    leader->cut_off = false;
    beat (worker);
    turn ();
    cr_expect (sent (worker->address, RM_MSG_HEARTBEAT_OK));
}

Test (leader_masters, the_time_in_which_it_was_cut_off_counts_against_no_worker)
{
    worker_t *worker = join_settled ("w", 1);
    worker->silent = true;
    beat (worker);
    turn ();
    leader->cut_off = true;
    after (2 * REMOVED_AFTER_MS);
    leader->cut_off = false;
    after (REMOVED_AFTER_MS - 100);
    cr_expect (rm_state_member (state, worker->inc));
    after (200);
    cr_expect_null (rm_state_member (state, worker->inc));
}

Test (leader_masters, a_new_one_waits_for_leases_that_a_former_one_may_still_renew)
{
    worker_t *worker = join_settled ("w", 1);
    worker->silent = true;
    config.takeover_ms = TAKEOVER_MS;
    restart_from_log (0);
    after (TAKEOVER_MS + REMOVED_AFTER_MS - 10);
    cr_expect (rm_state_member (state, worker->inc));
    after (10);
    cr_expect_null (rm_state_member (state, worker->inc));
}

Test (leader_masters, who_joins_later_has_no_more_than_its_lease)
{
    config.takeover_ms = TAKEOVER_MS;
    restart_from_log (0);
    after (TAKEOVER_MS);
    worker_t *worker = join_settled ("w", 1);
    worker->silent = true;
    beat (worker);
    after (REMOVED_AFTER_MS - 10);
    cr_expect (rm_state_member (state, worker->inc));
    after (10);
    cr_expect_null (rm_state_member (state, worker->inc));
}
