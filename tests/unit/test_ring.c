/*  The ring: balance, fewest moves, and the same answer everywhere. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/ring.h"
#include "core/splitmix.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

typedef struct {
    uint64_t state;
    uint16_t slots[RM_SLOTS];
    uint16_t members[RM_MEMBERS_MAX];
    size_t count;
    uint16_t newest; /* the number given last */
} cluster_t;

static cluster_t cluster;
static uint16_t next[RM_SLOTS];

static void begin (uint64_t seed)
{
    memset (&cluster, 0, sizeof cluster);
    memset (cluster.slots, 0xff, sizeof cluster.slots);
    cluster.state = seed;
}

/* A newcomer, anywhere in the order. */
static void join (void)
{
    size_t index = rm_splitmix (&cluster.state) % ++cluster.count;
    memmove (cluster.members + index + 1, cluster.members + index,
             (cluster.count - index - 1) * sizeof *cluster.members);
    cluster.members[index] = cluster.newest++;
}

static void leave (size_t index)
{
    cluster.count--;
    memmove (cluster.members + index, cluster.members + index + 1, (cluster.count - index) * sizeof *cluster.members);
}

/* Computes the next assignment into `next`. */
static void assign (void)
{
    memset (next, 0xaa, sizeof next);
    cr_assert_eq (rm_ring_assign (cluster.slots, cluster.members, cluster.count, next), 0);
}

static void adopt (void)
{
    memcpy (cluster.slots, next, sizeof next);
}

static int32_t shares_before[RM_RING_NOBODY + 1], shares_after[RM_RING_NOBODY + 1];

static void count_shares (void)
{
    memset (shares_before, 0, sizeof shares_before);
    memset (shares_after, 0, sizeof shares_after);
    for (int slot = 0; slot < RM_SLOTS; slot++) {
        shares_before[cluster.slots[slot]]++;
        shares_after[next[slot]]++;
    }
}

static int count_moves (void)
{
    int moves = 0;
    for (int slot = 0; slot < RM_SLOTS; slot++)
        moves += cluster.slots[slot] != next[slot];
    return moves;
}

static void expect_balance (void)
{
    count_shares ();
    int32_t small = RM_SLOTS / (int32_t)cluster.count, total = 0;
    for (size_t i = 0; i < cluster.count; i++) {
        int32_t share = shares_after[cluster.members[i]];
        cr_assert (share == small || share == small + 1, "member %u holds %d of %d", cluster.members[i], share, small);
        total += share;
    }
    cr_assert_eq (total, RM_SLOTS, "a slot went to someone who is no member");
}

/* Fewest moves, without a look at how shares are chosen: nobody gives slots up and gains others; and a member gives a
 * larger share up only if nobody who had less than one has grown to it. */
static void expect_no_wasted_move (void)
{
    static bool gained[RM_RING_NOBODY + 1], lost[RM_RING_NOBODY + 1];
    memset (gained, 0, sizeof gained);
    memset (lost, 0, sizeof lost);
    for (int slot = 0; slot < RM_SLOTS; slot++)
        if (cluster.slots[slot] != next[slot]) {
            gained[next[slot]] = true;
            lost[cluster.slots[slot]] = true;
        }
    int32_t small = RM_SLOTS / (int32_t)cluster.count;
    bool gave_larger_up = false, grew_to_larger = false;
    for (size_t i = 0; i < cluster.count; i++) {
        uint16_t member = cluster.members[i];
        cr_assert (!(gained[member] && lost[member]), "member %u gained and lost slots", member);
        gave_larger_up |= lost[member] && shares_after[member] == small;
        grew_to_larger |= gained[member] && shares_after[member] == small + 1;
    }
    cr_assert (!(gave_larger_up && grew_to_larger), "a larger share moved from one member to another");
}

Test (ring, a_key_s_slot_is_fixed_by_the_protocol)
{
    cr_assert_eq (rm_ring_slot ("bob", 3), 14565);
    cr_assert_eq (rm_ring_slot ("", 0), 5314);
    cr_assert_eq (rm_ring_slot (NULL, 0), 5314);
    cr_assert_eq (rm_ring_slot ("a\0b", 3), 4945);
}

Test (ring, keys_spread_over_all_slots)
{
    static int hits[RM_SLOTS];
    for (uint64_t key = 0; key < 64 * RM_SLOTS; key++) {
        uint32_t slot = rm_ring_slot (&key, sizeof key);
        cr_assert_lt (slot, RM_SLOTS);
        hits[slot]++;
    }
    for (int slot = 0; slot < RM_SLOTS; slot++)
        cr_assert (hits[slot] > 16 && hits[slot] < 128, "slot %d was hit %d times instead of about 64", slot,
                   hits[slot]);
}

Test (ring, without_members_every_slot_is_nobody_s)
{
    begin (1);
    join ();
    assign ();
    adopt ();
    leave (0);
    assign ();
    for (int slot = 0; slot < RM_SLOTS; slot++)
        cr_assert_eq (next[slot], RM_RING_NOBODY);
}

Test (ring, one_member_owns_it_all)
{
    begin (1);
    join ();
    assign ();
    for (int slot = 0; slot < RM_SLOTS; slot++)
        cr_assert_eq (next[slot], cluster.members[0]);
}

Test (ring, the_same_members_move_nothing)
{
    begin (1);
    for (int i = 0; i < 7; i++)
        join ();
    assign ();
    adopt ();
    assign ();
    cr_assert_eq (count_moves (), 0);
}

Test (ring, the_order_of_members_moves_nothing)
{
    begin (1);
    for (int i = 0; i < 7; i++)
        join ();
    assign ();
    adopt ();
    for (size_t i = 0; i < 3; i++) {
        uint16_t member = cluster.members[i];
        cluster.members[i] = cluster.members[6 - i];
        cluster.members[6 - i] = member;
    }
    assign ();
    cr_assert_eq (count_moves (), 0);
}

Test (ring, a_join_moves_only_its_share)
{
    begin (1);
    for (int members = 1; members <= 40; members++) {
        join ();
        assign ();
        expect_balance ();
        cr_assert_eq (count_moves (), shares_after[cluster.newest - 1]);
        cr_assert_eq (count_moves (), RM_SLOTS / members, "the newcomer got a larger share, which is one move more");
        adopt ();
    }
}

Test (ring, a_leave_moves_only_its_slots)
{
    begin (1);
    for (int i = 0; i < 40; i++)
        join ();
    assign ();
    adopt ();
    while (cluster.count > 1) {
        leave (rm_splitmix (&cluster.state) % cluster.count);
        assign ();
        expect_balance ();
        for (int slot = 0; slot < RM_SLOTS; slot++)
            if (next[slot] != cluster.slots[slot])
                cr_assert_eq (shares_after[cluster.slots[slot]], 0, "slot %d left a member that stays", slot);
        adopt ();
    }
}

Test (ring, as_many_members_as_may_be)
{
    begin (1);
    for (int i = 0; i < RM_MEMBERS_MAX; i++)
        join ();
    assign ();
    expect_balance ();
    adopt ();
    leave (17);
    assign ();
    expect_balance ();
    expect_no_wasted_move ();
}

Test (ring, the_largest_member_number_is_a_member)
{
    begin (1);
    cluster.newest = RM_RING_NOBODY - 2; /* and the one after it */
    join ();
    join ();
    assign ();
    expect_balance ();
}

/* The most slots that `members` can keep, over every choice of who has the larger shares. */
static int32_t most_kept (void)
{
    int32_t small = RM_SLOTS / (int32_t)cluster.count, best = 0;
    int larger = RM_SLOTS % (int)cluster.count;
    for (uint32_t choice = 0; choice < 1u << cluster.count; choice++) {
        if (__builtin_popcount (choice) != larger)
            continue;
        int32_t kept = 0;
        for (size_t i = 0; i < cluster.count; i++) {
            int32_t had = shares_before[cluster.members[i]], share = small + (int32_t)(choice >> i & 1);
            kept += had < share ? had : share;
        }
        best = kept > best ? kept : best;
    }
    return best;
}

Test (ring, no_choice_of_shares_would_move_fewer)
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        begin (seed);
        size_t before = 1 + rm_splitmix (&cluster.state) % 12;
        cluster.count = 1 + rm_splitmix (&cluster.state) % 11;
        for (size_t i = 0; i < cluster.count; i++)
            cluster.members[i] = (uint16_t)(seed % 2 ? i * 3 : (cluster.count - i - 1) * 3);
        /* owners are lopsided, some of them no members, some slots nobody's */
        for (int slot = 0; slot < RM_SLOTS; slot++) {
            uint64_t bits = rm_splitmix (&cluster.state), owner = bits % before;
            if (bits >> 32 & seed)
                owner = owner * (bits >> 48 & 1);
            cluster.slots[slot] = owner + 1 == before ? (uint16_t)RM_RING_NOBODY : (uint16_t)(owner * 3);
        }
        assign ();
        expect_balance ();
        cr_assert_eq (count_moves (), RM_SLOTS - most_kept (), "seed %lu", (unsigned long)seed);
        expect_no_wasted_move ();
    }
}

Test (ring, joins_and_leaves_in_any_order_stay_balanced_and_minimal)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        begin (seed);
        for (int step = 0; step < 60; step++) {
            for (uint64_t joins = rm_splitmix (&cluster.state) % 4; joins > 0; joins--)
                join ();
            for (uint64_t leaves = rm_splitmix (&cluster.state) % 4; leaves > 0 && cluster.count > 0; leaves--)
                leave (rm_splitmix (&cluster.state) % cluster.count);
            assign ();
            if (cluster.count > 0) {
                expect_balance ();
                expect_no_wasted_move ();
            }
            adopt ();
        }
    }
}

/* FNV-1a over member numbers, so that it is the same on machines of either byte order. */
static uint64_t digest (void)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (int slot = 0; slot < RM_SLOTS; slot++)
        hash = (hash ^ next[slot]) * 0x100000001b3;
    return hash;
}

/* Nodes of one cluster may run different builds, and each replays the ledger: an assignment that differs in one slot is
 * a split brain. If this number has to change, so has the ledger's format. */
Test (ring, the_assignment_is_part_of_the_ledger_s_format)
{
    begin (42);
    for (int i = 0; i < 9; i++)
        join ();
    for (int step = 0; step < 50; step++) {
        if (rm_splitmix (&cluster.state) % 2)
            leave (rm_splitmix (&cluster.state) % cluster.count);
        if (cluster.count < 4 || rm_splitmix (&cluster.state) % 2)
            join ();
        assign ();
        adopt ();
    }
    cr_assert_eq (digest (), 0x66f82778f212ad5e);
}

Test (ring, leftovers_on_the_stack_change_nothing)
{
    begin (7);
    for (int i = 0; i < 23; i++)
        join ();
    assign ();
    adopt ();
    leave (3);
    join ();
    assign ();
    uint64_t first = digest ();
    static uint16_t elsewhere[RM_SLOTS];
    uint16_t one = 5;
    cr_assert_eq (rm_ring_assign (cluster.slots, &one, 1, elsewhere), 0);
    assign ();
    cr_assert_eq (digest (), first);
}

Test (ring, members_that_cannot_be_are_refused)
{
    begin (1);
    memset (next, 0xaa, sizeof next);
    uint16_t twice[] = {4, 5, 4}, nobody[] = {4, RM_RING_NOBODY};
    static uint16_t many[RM_MEMBERS_MAX + 1];
    for (int i = 0; i <= RM_MEMBERS_MAX; i++)
        many[i] = (uint16_t)i;
    cr_assert_eq (rm_ring_assign (cluster.slots, twice, 3, next), RM_EINVAL);
    cr_assert_eq (rm_ring_assign (cluster.slots, nobody, 2, next), RM_EINVAL);
    cr_assert_eq (rm_ring_assign (cluster.slots, many, RM_MEMBERS_MAX + 1, next), RM_EINVAL);
    for (int slot = 0; slot < RM_SLOTS; slot++)
        cr_assert_eq (next[slot], 0xaaaa);
}

static void *no_memory (void *memory, size_t size)
{
    (void)memory, (void)size;
    cr_assert_fail ("the ring allocated");
    return NULL;
}

static void no_release (void *memory)
{
    (void)memory;
}

Test (ring, nothing_is_allocated)
{
    static const rm_allocator_t none = {no_memory, no_release};
    rm_alloc_set (&none);
    begin (1);
    join ();
    join ();
    assign ();
    rm_alloc_set (NULL);
    expect_balance ();
}

/* How many runs of neighbouring slots move, each from one owner to one other. */
static int count_ranges (void)
{
    int ranges = 0;
    for (int slot = 0; slot < RM_SLOTS; slot++) {
        bool moves = cluster.slots[slot] != next[slot];
        bool goes_on = slot && cluster.slots[slot - 1] == cluster.slots[slot] && next[slot - 1] == next[slot];
        ranges += moves && !goes_on;
    }
    return ranges;
}

Test (ring, a_first_join_of_each_of_many_takes_one_range_from_each)
{
    begin (1);
    for (int members = 1; members <= 16; members++) {
        join ();
        assign ();
        cr_assert_leq (count_ranges (), members > 1 ? members - 1 : 1);
        adopt ();
    }
}

static int count_pieces (void)
{
    int pieces = 1;
    for (int slot = 1; slot < RM_SLOTS; slot++)
        pieces += next[slot] != next[slot - 1];
    return pieces;
}

Test (ring, a_slot_goes_next_to_what_its_new_owner_holds)
{
    begin (1);
    for (int i = 0; i < 3; i++)
        join ();
    assign ();
    adopt ();
    for (size_t i = 0; i < 3; i++)
        if (cluster.members[i] == cluster.slots[RM_SLOTS - 1]) {
            leave (i);
            break;
        }
    assign ();
    cr_assert_eq (count_pieces (), 3, "the middle member can grow in one piece");
}

Test (ring, a_leave_takes_no_more_ranges_than_its_runs_and_the_others)
{
    begin (5);
    for (int i = 0; i < 12; i++) {
        join ();
        assign ();
        adopt ();
    }
    for (int step = 0; step < 30; step++) {
        size_t index = rm_splitmix (&cluster.state) % cluster.count;
        uint16_t leaver = cluster.members[index];
        int runs = cluster.slots[0] == leaver;
        for (int slot = 1; slot < RM_SLOTS; slot++)
            runs += cluster.slots[slot] == leaver && cluster.slots[slot - 1] != leaver;
        leave (index);
        assign ();
        cr_assert_leq (count_ranges (), runs + (int)cluster.count - 1, "step %d: a run was cut without need", step);
        adopt ();
        join ();
        assign ();
        adopt ();
    }
}
