/*  The ledger's members, pools and slots: who serves what, who owns what, who may hold what. */
#include "ledger_fixture.h"

#include "ledger_check.h"

static void close_checked (void)
{
    claim_t broken = check_state (&ledger.state);
    cr_assert_null (broken, "%s", broken);
    ledger_close ();
}

TestSuite (state_ring, .init = ledger_open, .fini = close_checked);

static const uint64_t workers[] = {11, 12, 13, 14, 15, 16, 17, 18, 19, 20};

static void join_workers (size_t count)
{
    for (size_t i = 0; i < count; i++)
        ledger_join (workers[i], "default", "bank");
}

static uint16_t number_of (uint64_t inc)
{
    return rm_state_member (&ledger.state, inc)->number;
}

static uint32_t count_slots (const uint16_t *slots, uint16_t member)
{
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
        count += slots[slot] == member;
    return count;
}

static uint32_t count_held (const rm_pool_t *pool, uint16_t member)
{
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
        count += rm_pool_holds (pool, slot, member);
    return count;
}

static void cr_assert_balanced (const uint16_t *slots, size_t members)
{
    for (size_t i = 0; i < members; i++) {
        uint32_t share = count_slots (slots, number_of (workers[i]));
        cr_assert (share == RM_SLOTS / members || share == RM_SLOTS / members + 1, "%u of %zu", share, members);
    }
    cr_assert_eq (count_slots (slots, RM_RING_NOBODY), 0);
}

/* ---- pools ------------------------------------------------------------------------------------------------------ */

Test (state_ring, a_queue_belongs_to_the_pool_of_its_first_worker)
{
    ledger_submit (1, 1, "bank", "bob", "10");
    cr_assert_null (ledger_queue ("bank")->pool, "nobody serves it yet");
    ledger_join (7, "blue", "bank");
    ledger_join (8, "green", "bank");
    cr_assert_eq (ledger_queue ("bank")->pool, ledger_pool ("blue"));
    cr_assert_not_null (ledger_pool ("green"));
    ledger_remove (7, 0);
    cr_assert_eq (ledger_queue ("bank")->pool, ledger_pool ("blue"), "it stays there");
}

Test (state_ring, a_queues_keys_get_their_slots_with_the_pool)
{
    ledger_submit (1, 1, "bank", "bob", "10");
    rm_key_t *key = ledger_record (1)->key;
    cr_assert (!rm_list_linked (&key->neighbours));
    ledger_join (7, "blue", "bank");
    cr_assert_eq (rm_list_first (&ledger_pool ("blue")->slot_keys[key->slot]), &key->neighbours);
    ledger_submit (1, 2, "bank", "alice", "10");
    key = ledger_record (2)->key;
    cr_assert_eq (rm_list_first (&ledger_pool ("blue")->slot_keys[key->slot]), &key->neighbours);
    ledger_bury (2, "not wanted");
    cr_assert (rm_list_empty (&ledger_pool ("blue")->slot_keys[rm_ring_slot ("alice", 5)]));
}

Test (state_ring, an_incarnation_joins_once)
{
    ledger_join (7, "blue", "bank");
    ledger_join (7, "green", "mail");
    cr_assert_eq (ledger.state.member_count, 1);
    cr_assert_null (ledger_pool ("green"));
    cr_assert_null (ledger_queue ("mail"));
}

Test (state_ring, the_number_of_a_removed_member_is_used_again)
{
    join_workers (3);
    uint16_t number = number_of (workers[1]);
    ledger_remove (workers[1], 0);
    ledger_join (99, "default", "bank");
    cr_assert_eq (number_of (99), number);
}

Test (state_ring, there_is_a_limit_to_pools)
{
    char pool[16];
    for (uint64_t i = 1; i <= RM_POOLS_MAX + 1; i++) {
        snprintf (pool, sizeof pool, "p%d", (int)i);
        ledger_join (i, pool, "bank");
    }
    cr_assert_eq (ledger.state.pool_count, RM_POOLS_MAX);
    cr_assert_eq (ledger.state.member_count, RM_POOLS_MAX);
    ledger_join (9999, "p1", "bank");
    cr_assert_not_null (rm_state_member (&ledger.state, 9999), "the pools there are take more members");
}

/* ---- resizes ---------------------------------------------------------------------------------------------------- */

Test (state_ring, nobody_owns_a_slot_before_the_first_commit)
{
    join_workers (2);
    cr_assert_eq (count_slots (ledger_pool ("default")->owner, RM_RING_NOBODY), RM_SLOTS);
    cr_assert_eq (count_slots (ledger_pool ("default")->target, RM_RING_NOBODY), RM_SLOTS);
    ledger_begin (1, workers, 2, 0);
    cr_assert_eq (count_slots (ledger_pool ("default")->owner, RM_RING_NOBODY), RM_SLOTS);
}

Test (state_ring, a_begin_aims_at_exact_balance_and_lets_the_targets_hold)
{
    const rm_pool_t *pool = NULL;
    join_workers (7);
    for (uint32_t count = 1; count <= 7; count++) {
        ledger_begin (count, workers, count, 0);
        cr_assert (rm_state_resizing (&ledger.state));
        pool = ledger_pool ("default");
        cr_assert_balanced (pool->target, count);
        for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
            cr_assert (rm_pool_holds (pool, slot, pool->target[slot]));
        if (count > 1)
            cr_assert_balanced (pool->owner, count - 1);
        ledger_commit (count);
        cr_assert (!rm_state_resizing (&ledger.state));
    }
}

Test (state_ring, a_commit_leaves_only_the_owner)
{
    join_workers (3);
    ledger_begin (1, workers, 2, 0);
    ledger_commit (1);
    ledger_begin (2, workers, 3, 0);
    const rm_pool_t *pool = ledger_pool ("default");
    cr_assert_eq (count_held (pool, number_of (workers[0])), RM_SLOTS / 2, "until then the old owner holds too");
    ledger_commit (2);
    cr_assert_arr_eq (pool->owner, pool->target, sizeof pool->owner);
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++) {
        cr_assert_eq (pool->holders[slot].members[0], pool->owner[slot]);
        for (int i = 1; i < RM_HOLDERS_MAX; i++)
            cr_assert_eq (pool->holders[slot].members[i], RM_RING_NOBODY);
    }
}

Test (state_ring, only_the_next_epoch_begins)
{
    join_workers (2);
    ledger_begin (2, workers, 2, 0);
    ledger_begin (0, workers, 2, 0);
    cr_assert_eq (ledger.state.epoch, 0);
    ledger_begin (1, workers, 1, 0);
    ledger_begin (1, workers, 2, 0);
    cr_assert_eq (ledger.state.epoch, 1);
    cr_assert_eq (rm_pool_share (ledger_pool ("default"), number_of (workers[0])), RM_SLOTS);
    cr_assert (rm_state_member (&ledger.state, workers[0])->in_ring, "a refused begin changes no member");
}

static int commits;

static void on_committed (void *arg)
{
    (void)arg;
    commits++;
}

Test (state_ring, only_the_newest_begin_commits_and_once)
{
    ledger.state.listener.resize_committed = on_committed;
    join_workers (2);
    ledger_commit (0);
    cr_assert_eq (commits, 0);
    ledger_begin (1, workers, 1, 0);
    ledger_begin (2, workers, 2, 0);
    ledger_commit (1);
    cr_assert (rm_state_resizing (&ledger.state));
    cr_assert_eq (count_slots (ledger_pool ("default")->owner, RM_RING_NOBODY), RM_SLOTS);
    ledger_commit (2);
    cr_assert (!rm_state_resizing (&ledger.state));
    ledger_remove (workers[1], 0);
    ledger_commit (2);
    cr_assert_eq (count_slots (ledger_pool ("default")->owner, RM_RING_NOBODY), RM_SLOTS / 2);
    cr_assert_eq (ledger.state.committed_epoch, 2);
    cr_assert_eq (commits, 1);
}

Test (state_ring, no_member_leaves_every_slot_to_nobody)
{
    join_workers (1);
    ledger_begin (1, workers, 1, 0);
    ledger_commit (1);
    ledger_begin (2, NULL, 0, workers[0]);
    const rm_pool_t *pool = ledger_pool ("default");
    cr_assert_eq (count_slots (pool->target, RM_RING_NOBODY), RM_SLOTS);
    cr_assert_eq (count_held (pool, number_of (workers[0])), RM_SLOTS, "until the commit");
    cr_assert (rm_state_member (&ledger.state, workers[0])->leaving);
    ledger_commit (2);
    cr_assert_eq (count_slots (pool->owner, RM_RING_NOBODY), RM_SLOTS);
    cr_assert_eq (count_held (pool, number_of (workers[0])), 0);
}

Test (state_ring, a_superseding_begin_keeps_who_held_before)
{
    join_workers (3);
    ledger_begin (1, workers, 1, 0);
    ledger_commit (1);
    ledger_begin (2, workers + 1, 1, 0);
    ledger_begin (3, workers + 2, 1, 0);
    const rm_pool_t *pool = ledger_pool ("default");
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq (count_held (pool, number_of (workers[i])), RM_SLOTS);
    cr_assert_eq (count_slots (pool->owner, number_of (workers[0])), RM_SLOTS);
    cr_assert_eq (count_slots (pool->target, number_of (workers[2])), RM_SLOTS);
    ledger_commit (3);
    cr_assert_eq (count_held (pool, number_of (workers[0])), 0);
    cr_assert_eq (count_held (pool, number_of (workers[1])), 0);
}

Test (state_ring, a_slot_without_room_for_a_holder_keeps_its_target)
{
    join_workers (RM_HOLDERS_MAX + 1);
    for (uint32_t i = 0; i <= RM_HOLDERS_MAX; i++)
        ledger_begin (i + 1, workers + i, 1, 0);
    const rm_pool_t *pool = ledger_pool ("default");
    cr_assert_eq (count_slots (pool->target, number_of (workers[RM_HOLDERS_MAX - 1])), RM_SLOTS);
    cr_assert_eq (count_held (pool, number_of (workers[RM_HOLDERS_MAX])), 0);
}

Test (state_ring, a_removal_takes_a_member_out_of_every_slot)
{
    join_workers (3);
    ledger_begin (1, workers, 2, 0);
    ledger_commit (1);
    ledger_begin (2, workers, 3, 0);
    const rm_pool_t *pool = ledger_pool ("default");
    uint16_t gone[] = {number_of (workers[0]), number_of (workers[2])};
    ledger_remove (workers[0], 0);
    ledger_remove (workers[2], 0);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq (count_slots (pool->owner, gone[i]), 0);
        cr_assert_eq (count_slots (pool->target, gone[i]), 0);
        cr_assert_eq (count_held (pool, gone[i]), 0);
    }
    cr_assert_eq (count_slots (pool->owner, number_of (workers[1])), RM_SLOTS / 2);
    cr_assert_eq (count_slots (pool->owner, RM_RING_NOBODY), RM_SLOTS / 2);
    cr_assert_null (rm_state_member (&ledger.state, workers[0]));
}

Test (state_ring, each_pool_has_a_ring_of_its_own)
{
    ledger_join (7, "blue", "bank");
    ledger_join (8, "green", "mail");
    ledger_begin (1, (uint64_t[]){7, 8}, 2, 0);
    cr_assert_eq (rm_pool_share (ledger_pool ("blue"), number_of (7)), RM_SLOTS);
    cr_assert_eq (rm_pool_share (ledger_pool ("green"), number_of (8)), RM_SLOTS);
}

Test (state_ring, a_begin_may_name_who_is_gone_already)
{
    join_workers (2);
    ledger_remove (workers[0], 0);
    ledger_begin (1, workers, 2, 0);
    cr_assert_eq (rm_pool_share (ledger_pool ("default"), number_of (workers[1])), RM_SLOTS);
}
