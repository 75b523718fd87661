/*  Several masters: one log, whoever dies. */
#include "ledger_group.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "ringmaster/error.h"

static group_t group;

static void open_three (void)
{
    group_init (&group, 3);
}

static void clean (void)
{
    group_close (&group);
}

TestSuite (ledger_group, .init = open_three, .fini = clean, .timeout = 120);

static void stop (size_t seat, int signal)
{
    cr_assert_eq (kill (group.seats[seat].pid, signal), 0);
}

static bool same_cluster (size_t a, size_t b)
{
    static const uint8_t none[RM_LEDGER_CLUSTER_BYTES];
    const void *one = (const void *)group.seats[a].page->cluster, *other = (const void *)group.seats[b].page->cluster;
    return memcmp (one, none, sizeof none) != 0 && memcmp (one, other, sizeof none) == 0;
}

Test (ledger_group, three_empty_masters_found_one_cluster_and_agree_on_every_batch)
{
    size_t leader = group_start (&group);
    WAIT_FOR (same_cluster (0, 1) && same_cluster (1, 2), 5000);
    group_load (&group, 300);
    WAIT_FOR (group_acked (&group) >= 2000, 20000);
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
    cr_assert_eq (group.seats[leader].page->unknown, 0);
    for (size_t i = 0; i < 3; i++) {
        WAIT_FOR (group.seats[i].page->leader_id == group.seats[leader].id, 5000);
        cr_assert_str_eq (group.seats[i].page->leader_address, group.seats[leader].address);
        cr_assert_eq (group.seats[i].page->member_count, 3);
        cr_assert_eq (group.seats[i].page->leader, i == leader);
        seat_quit (&group, i);
    }
}

/* Small messages would wait for the acknowledgement of those before, and a commit take 40 ms. */
Test (ledger_group, neither_end_of_a_line_holds_small_messages_back)
{
    size_t leader = group_start (&group);
    group_load (&group, 300);
    WAIT_FOR (group_acked (&group) > 100, 10000);
    WAIT_FOR (group.seats[leader].page->lines >= 4, 5000); /* two to it, two from it */
    for (size_t i = 0; i < 3; i++) {
        WAIT_FOR (group.seats[i].page->lines >= 2, 5000);
        WAIT_FOR (group.seats[i].page->slow_lines == 0, 2000);
    }
}

Test (ledger_group, nobody_founds_a_cluster_before_all_have_come)
{
    seat_start (&group, 0);
    seat_start (&group, 1);
    uint64_t until = group_now_ms () + 1500;
    while (group_now_ms () < until) {
        cr_assert (group.seats[0].page->seeking && group.seats[1].page->seeking);
        group_rest ();
    }
    seat_start (&group, 2);
    group_leader (&group);
    WAIT_FOR (same_cluster (0, 1) && same_cluster (1, 2), 5000);
}

/* Kills the leader under load, again and again, and starts it again while the others go on. */
Test (ledger_group, nothing_acknowledged_is_lost_when_the_leader_is_killed_twenty_times)
{
    uint64_t slowest = 0, all = 0;
    group.config.snapshot_bytes = 2 << 20;
    group.filler = 100000;
    group_start (&group);
    group_load (&group, 900);
    for (int round = 0; round < 20; round++) {
        size_t leader = group_leader (&group);
        uint64_t before = group_acked (&group);
        WAIT_FOR (group_acked (&group) > before + 50, 20000);
        seat_kill (&group, leader);
        uint64_t killed = group_now_ms (), acked = group_acked (&group);
        WAIT_FOR (group_acked (&group) > acked, 15000);
        uint64_t took = group_now_ms () - killed;
        slowest = took > slowest ? took : slowest;
        all += took;
        size_t next = group_leader (&group);
        cr_assert_geq (group.seats[next].page->state, acked, "round %d: batch %llu of %llu is lost", round,
                       (unsigned long long)group.seats[next].page->state, (unsigned long long)acked);
        seat_start (&group, leader);
        cr_assert_eq (group.seats[leader].page->started, 0, "%s", group.seats[leader].page->failure);
    }
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
    cr_log_info ("from the kill to the next acknowledgement: %llu ms on average, %llu ms at most",
                 (unsigned long long)all / 20, (unsigned long long)slowest);
}

Test (ledger_group, a_follower_that_was_away_gets_what_it_missed)
{
    size_t leader = group_start (&group), follower = (leader + 1) % 3;
    group_load (&group, 500);
    for (int round = 0; round < 3; round++) {
        stop (follower, SIGSTOP); /* so that it dies with unread messages, which resets its lines */
        group_pass (30);
        seat_kill (&group, follower);
        uint64_t before = group_acked (&group);
        WAIT_FOR (group_acked (&group) > before + 500, 20000);
        seat_start (&group, follower);
        cr_assert_eq (group.seats[follower].page->started, 0, "%s", group.seats[follower].page->failure);
        WAIT_FOR (group.seats[follower].page->state >= before + 500, 10000);
        cr_assert_eq (group.seats[follower].page->restored, 0, "from the log, not by a snapshot");
    }
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}

Test (ledger_group, a_lone_leader_knows_it_and_acknowledges_nothing)
{
    size_t leader = group_start (&group);
    group_load (&group, 300);
    WAIT_FOR (group_acked (&group) > 100, 10000);
    seat_kill (&group, (leader + 1) % 3);
    seat_kill (&group, (leader + 2) % 3);
    uint64_t gone = group_now_ms ();
    WAIT_FOR (!group.seats[leader].page->quorum, 5000);
    uint64_t noticed = group_now_ms () - gone;
    cr_assert_leq (noticed, RM_LEDGER_ELECTION_MS + 250, "%llu ms", (unsigned long long)noticed);
    WAIT_FOR (!group.seats[leader].page->leader, 5000);
    uint64_t acked = group_acked (&group), until = group_now_ms () + 1000;
    while (group_now_ms () < until) {
        cr_assert_eq (group_acked (&group), acked);
        group_rest ();
    }
    seat_start (&group, (leader + 1) % 3);
    WAIT_FOR (group_acked (&group) > acked, 10000);
}

Test (ledger_group, a_leader_that_was_stopped_does_not_believe_it_still_leads)
{
    size_t leader = group_start (&group);
    group_load (&group, 300);
    for (int round = 0; round < 3; round++) {
        stop (leader, SIGSTOP);
        group.seats[leader].page->quorum = false;
        uint64_t stopped = group_acked (&group);
        WAIT_FOR (group_acked (&group) > stopped + 10, 15000);
        size_t next = group_leader (&group);
        cr_assert_neq (next, leader);
        stop (leader, SIGCONT);
        uint64_t until = group_now_ms () + 500;
        while (group_now_ms () < until) {
            cr_assert_not (group.seats[leader].page->quorum, "round %d", round);
            group_rest ();
        }
        leader = next;
    }
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}

/* What the others answered before they died still lies in its sockets. */
Test (ledger_group, a_leader_that_was_stopped_believes_nothing_that_was_said_before)
{
    for (int round = 0; round < 3; round++) {
        size_t leader = round == 0 ? group_start (&group) : group_leader (&group);
        const seat_page_t *page = group.seats[leader].page;
        group_load (&group, 60000); /* so that something is always under way */
        uint64_t acked = group_acked (&group);
        WAIT_FOR (group_acked (&group) > acked + 50, 10000);
        stop (leader, SIGSTOP);
        group_pass (50); /* in which they answer what it had sent */
        seat_kill (&group, (leader + 1) % 3);
        seat_kill (&group, (leader + 2) % 3);
        group_pass (600);
        group.seats[leader].page->quorum = false;
        bool believes = page->leader, honest = false;
        stop (leader, SIGCONT);
        for (uint64_t until = group_now_ms () + 400; group_now_ms () < until; group_rest ()) {
            cr_assert_not (page->quorum, "round %d", round);
            honest = honest || page->leader;
        }
        cr_assert (believes && honest, "libraft itself took longer to see it");
        seat_start (&group, (leader + 1) % 3);
        seat_start (&group, (leader + 2) % 3);
    }
}

/* The same where the machine is so busy that the next turn of the loop begins late. */
Test (ledger_group, a_leader_that_was_stopped_and_is_slow_believes_nothing_that_was_said_before)
{
    for (int round = 0; round < 4; round++) {
        size_t leader = round == 0 ? group_start (&group) : group_leader (&group);
        seat_page_t *page = group.seats[leader].page;
        group_load (&group, 20000);
        uint64_t acked = group_acked (&group);
        WAIT_FOR (group_acked (&group) > acked + 50, 10000);
        page->asked++;
        page->verb = SEAT_STOP;
        WAIT_FOR (page->answered == page->asked, 5000);
        group_pass (50);
        seat_kill (&group, (leader + 1) % 3);
        seat_kill (&group, (leader + 2) % 3);
        group_pass (600);
        page->quorum = false;
        stop (leader, SIGCONT);
        for (uint64_t until = group_now_ms () + 400; group_now_ms () < until; group_rest ())
            cr_assert_not (page->quorum, "round %d", round);
        seat_start (&group, (leader + 1) % 3);
        seat_start (&group, (leader + 2) % 3);
    }
}

/* It is no newcomer: it goes on taking snapshots of its own while the leader's comes. libraft would crash. */
Test (ledger_group, a_follower_that_was_stopped_gets_a_snapshot_while_it_takes_one)
{
    group.config.snapshot_bytes = 256 << 10;
    group.filler = 6000000;
    size_t leader = group_start (&group), follower = (leader + 1) % 3;
    group_load (&group, 3000);
    for (int round = 0; round < 8; round++) {
        WAIT_FOR (group.seats[follower].page->snapshots > 0, 30000);
        stop (follower, SIGSTOP);
        leader = group_leader (&group);
        uint64_t before = group.seats[leader].page->snapshots, restored = group.seats[follower].page->restored;
        WAIT_FOR (group.seats[leader].page->snapshots >= before + 8, 30000); /* more than lies in the sockets */
        stop (follower, SIGCONT);
        WAIT_FOR (group.seats[follower].page->restored > restored || waitpid (group.seats[follower].pid, NULL, WNOHANG),
                  30000);
        if (kill (group.seats[follower].pid, 0) != 0)
            group_tell ();
        cr_assert_eq (kill (group.seats[follower].pid, 0), 0, "it crashed");
        cr_assert_gt (group.seats[follower].page->restored, restored, "%s", group.seats[follower].page->failure);
    }
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}

#define asked_eq(group_, seat, verb, id, text, wanted)                                                                 \
    do {                                                                                                               \
        int answer_ = seat_ask (group_, seat, verb, id, text);                                                         \
        if (answer_ != (wanted))                                                                                       \
            group_tell ();                                                                                             \
        cr_assert_eq (answer_, wanted, "%s", rm_strerror (answer_));                                                   \
    } while (0)

/* ---- changes ---------------------------------------------------------------------------------------------------- */

Test (ledger_group, leadership_moves_to_the_one_that_is_named)
{
    size_t leader = group_start (&group);
    group_load (&group, 300);
    for (int round = 0; round < 10; round++) {
        size_t next = (leader + 1 + round % 2) % 3;
        asked_eq (&group, leader, SEAT_TRANSFER, group.seats[next].id, NULL, 0);
        WAIT_FOR (group.seats[next].page->quorum, 5000);
        cr_assert_not (group.seats[leader].page->leader);
        asked_eq (&group, leader, SEAT_TRANSFER, group.seats[leader].id, NULL, RM_ESTATE);
        leader = next;
    }
    asked_eq (&group, leader, SEAT_TRANSFER, 99, NULL, RM_EUNKNOWN);
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}

Test (ledger_group, a_master_is_added_under_load_and_another_removed)
{
    size_t leader = group_start (&group);
    group_load (&group, 500);
    WAIT_FOR (group_acked (&group) > 200, 10000);
    asked_eq (&group, leader, SEAT_ADD, 4, group.seats[3].address, RM_EUNREACHABLE);
    seat_start (&group, 3);
    asked_eq (&group, leader, SEAT_ADD, 3, group.seats[3].address, RM_ECONFLICT);
    asked_eq (&group, leader, SEAT_ADD, 5, group.seats[3].address, RM_EDENIED);
    cr_assert_eq (group_change (&group, SEAT_ADD, 4, group.seats[3].address), 0);
    WAIT_FOR (group_votes (&group, 4), 30000);
    leader = group_leader (&group);

    size_t removed = (leader + 1) % 3;
    asked_eq (&group, leader, SEAT_REMOVE, group.seats[leader].id, NULL, RM_ESTATE);
    asked_eq (&group, leader, SEAT_REMOVE, 77, NULL, RM_EUNKNOWN);
    asked_eq (&group, leader, SEAT_REMOVE, group.seats[removed].id, NULL, 0);
    WAIT_FOR (group.seats[leader].page->member_count == 3, 5000);
    seat_kill (&group, removed);
    uint64_t acked = group_acked (&group);
    WAIT_FOR (group_acked (&group) > acked + 100, 10000);

    /* Whoever was removed is no member any more, whatever it believes. */
    seat_start (&group, removed);
    WAIT_FOR (seat_said (&group, leader, "was refused: the group has no master of that number"), 5000);
    uint64_t until = group_now_ms () + 1500;
    while (group_now_ms () < until) {
        cr_assert (group.seats[leader].page->leader);
        group_rest ();
    }
    seat_kill (&group, removed);

    /* The new one counts: two of {leader, other, new} are a majority. */
    size_t other = 3 - leader - removed;
    seat_kill (&group, other);
    acked = group_acked (&group);
    WAIT_FOR (group_acked (&group) > acked + 100, 10000);
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}

Test (ledger_group, while_one_change_is_under_way_no_other_is_begun)
{
    size_t leader = group_start (&group);
    group_load (&group, 300);
    asked_eq (&group, leader, SEAT_BOTH, 4, group.seats[3].address, 0);
    WAIT_FOR (seat_said (&group, leader, "no master answers there, or none that knows this cluster's secret"), 10000);
    seat_start (&group, 3);
    asked_eq (&group, leader, SEAT_BOTH, 4, group.seats[3].address, 0);
    WAIT_FOR (group_votes (&group, 4), 30000);
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}

/* The one that leads next was away when the group was changed, and gets the change in the midst of other entries. If it noted
   it wrongly, it could never make a change itself. */
Test (ledger_group, whoever_leads_can_change_the_group_after_changes_that_others_made)
{
    group_start (&group);
    group_load (&group, 500);
    for (int round = 0; round < 3; round++) {
        size_t leader = group_leader (&group), next = (leader + 1) % 3;
        uint64_t acked = group_acked (&group);
        stop (next, SIGSTOP);
        seat_start (&group, 3);
        asked_eq (&group, leader, SEAT_ADD, 4, group.seats[3].address, 0);
        WAIT_FOR (group_votes (&group, 4) && group_acked (&group) > acked + 400, 30000);
        stop (next, SIGCONT);
        WAIT_FOR (group.seats[next].page->state > acked + 400, 30000);
        asked_eq (&group, leader, SEAT_TRANSFER, group.seats[next].id, NULL, 0);
        WAIT_FOR (group.seats[next].page->quorum, 5000);
        asked_eq (&group, next, SEAT_REMOVE, 4, NULL, 0);
        seat_kill (&group, 3);
        seat_wipe (&group, 3);
    }
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}

Test (ledger_group, a_new_master_gets_a_snapshot_under_load)
{
    group.config.snapshot_bytes = 4 << 20;
    group.filler = 10000000;
    size_t leader = group_start (&group);
    group_load (&group, 2000);
    WAIT_FOR (group.seats[leader].page->snapshots >= 3, 60000);
    seat_start (&group, 3);
    cr_assert_eq (group_change (&group, SEAT_ADD, 4, group.seats[3].address), 0);
    WAIT_FOR (group.seats[3].page->restored >= 1, 30000);
    WAIT_FOR (group_votes (&group, 4), 60000);
    cr_assert_leq (group.seats[leader].page->sent, 10, "%llu", (unsigned long long)group.seats[leader].page->sent);
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
    for (size_t i = 0; i < 4; i++)
        seat_quit (&group, i);
    for (size_t i = 0; i < 4; i++)
        seat_start (&group, i);
    group_leader (&group);
    group_agree (&group, group_acked (&group));
}

Test (ledger_group, followers_that_were_away_for_long_get_snapshots_while_they_are_killed)
{
    group.config.snapshot_bytes = 256 << 10;
    group.filler = 3000000;
    size_t leader = group_start (&group), follower = (leader + 1) % 3;
    group_load (&group, 3000);
    uint64_t restored = 0;
    for (int round = 0; round < 12; round++) {
        seat_kill (&group, follower);
        uint64_t before = group.seats[leader].page->snapshots;
        WAIT_FOR (group.seats[leader].page->snapshots >= before + 3, 30000);
        group.seats[follower].page->restored = 0;
        seat_start (&group, follower);
        cr_assert_eq (group.seats[follower].page->started, 0, "%s", group.seats[follower].page->failure);
        if (round % 2) {
            WAIT_FOR (group.seats[follower].page->restored > 0, 20000);
            restored++;
        } else
            for (int i = 0; i < 10 * round; i++)
                group_rest ();
    }
    cr_assert_eq (restored, 6);
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}
