/*  What the program of a worker is told of its slots (rm_worker_on_slots), and what waits for it. */
#include "work_fixture.h"

enum { AFTER = EPOCH + 1 };

static void begin (void)
{
    static const char *const queues[] = {"q"};
    const rm_work_config_t config = {
        .name = "w", .pool = "default", .queues = queues, .queue_count = 1, .threads = 2, .slots = true};
    now = 100000;
    next_random = INC;
    half = rm_work_new (&config);
    rm_work_connected (half, now);
    turn ();
    give (joined (TERM, EPOCH, INC));
    turn ();
}

static void end (void)
{
    rm_work_destroy (&half);
}

TestSuite (work_slots, .init = begin, .fini = end);

/* Slots first … last move from one incarnation to another. */
static void move (uint64_t epoch, uint32_t first, uint32_t last, uint64_t from, uint64_t to)
{
    rm_sync_member_t members[] = {{BYTES ("other"), 1}, {BYTES ("w"), INC}};
    rm_sync_move_t moved[] = {{BYTES ("default"), first, last, from, to}};
    phase_1 (TERM, epoch);
    turn ();
    give ((rm_msg_t){.type = RM_MSG_SYNC,
                     .sync = {.from_master = true,
                              .phase = 2,
                              .term = TERM,
                              .epoch = epoch,
                              .members = members,
                              .member_count = 2,
                              .moved = moved,
                              .moved_count = 1}});
    turn ();
}

static bool says_ok (void)
{
    return answered (2) && answered (2)->ok;
}

static void returns (void)
{
    rm_work_slots_told (half);
    turn ();
}

#define TOLD(G, GF, GL, L, LF, LL)                                                                                     \
    do {                                                                                                               \
        cr_assert_not_null (effects->slots);                                                                           \
        cr_assert_eq (effects->slots->gained_count, (size_t)(G));                                                      \
        cr_assert_eq (effects->slots->lost_count, (size_t)(L));                                                        \
        if (G)                                                                                                         \
            cr_assert (effects->slots->gained[0].first == (GF) && effects->slots->gained[0].last == (GL));             \
        if (L)                                                                                                         \
            cr_assert (effects->slots->lost[0].first == (LF) && effects->slots->lost[0].last == (LL));                 \
    } while (0)

/* It has slots 10 to 20, and knows it. */
static void own (void)
{
    move (AFTER, 10, 20, 1, INC);
    TOLD (1, 10, 20, 0, 0, 0);
    returns ();
}

Test (work_slots, what_moves_here_is_gained_and_waits_for_nobody_to_say_ok)
{
    move (AFTER, 10, 20, 1, INC);
    TOLD (1, 10, 20, 0, 0, 0);
    cr_assert (says_ok ());
    returns ();
    cr_assert_null (effects->slots);
}

Test (work_slots, a_job_waits_until_its_slot_is_known_to_be_gained)
{
    dispatch (1, keyed (1, "a", 15));
    dispatch (2, job (2));
    turn ();
    TOLD (1, 15, 15, 0, 0, 0);
    cr_assert (effects->starts && effects->starts->id == 2 && !effects->starts->next_effect, "without a key: at once");
    turn ();
    cr_assert_null (effects->starts);
    cr_assert_null (effects->slots, "one telling at a time");
    returns ();
    cr_assert (effects->starts && effects->starts->id == 1);
}

Test (work_slots, what_moves_away_is_lost_before_ok_is_said)
{
    own ();
    move (AFTER + 1, 12, 14, INC, 1);
    TOLD (0, 0, 0, 1, 12, 14);
    cr_assert (!says_ok ());
    after (10000 / 20);
    cr_assert (!says_ok () && rm_work_state (half) != RM_WORK_OVER);
    returns ();
    cr_assert (says_ok ());
}

Test (work_slots, it_is_lost_when_nothing_of_it_runs_any_more)
{
    own ();
    dispatch (1, keyed (1, "a", 12));
    turn ();
    rm_work_job_t *started = effects->starts;
    cr_assert (started && rm_work_try_start (half, started, now));
    move (AFTER + 1, 12, 14, INC, 1);
    cr_assert_null (effects->slots);
    rm_work_finished (half, started);
    turn ();
    TOLD (0, 0, 0, 1, 12, 14);
    returns ();
    cr_assert (!says_ok (), "its result is not committed");
    committed (1);
    turn ();
    cr_assert (says_ok ());
}

Test (work_slots, what_was_never_told_as_gained_is_not_told_as_lost)
{
    move (AFTER, 10, 20, INC, 1);
    cr_assert_null (effects->slots);
    cr_assert (says_ok ());
}

Test (work_slots, what_is_lost_while_it_is_told_as_gained_is_told_as_lost_next)
{
    move (AFTER, 10, 20, 1, INC);
    TOLD (1, 10, 20, 0, 0, 0);
    move (AFTER + 1, 10, 20, INC, 1);
    cr_assert_null (effects->slots);
    cr_assert (!says_ok ());
    returns ();
    TOLD (0, 0, 0, 1, 10, 20);
    returns ();
    cr_assert (says_ok ());
}

Test (work_slots, what_comes_back_is_lost_first_and_then_gained)
{
    own ();
    move (AFTER + 1, 12, 12, INC, 1);
    TOLD (0, 0, 0, 1, 12, 12);
    move (AFTER + 2, 12, 12, 1, INC);
    cr_assert_null (effects->slots);
    returns ();
    TOLD (1, 12, 12, 0, 0, 0);
}

Test (work_slots, who_was_removed_loses_all_before_it_joins_anew)
{
    own ();
    give (rejoin (TERM, INC));
    turn ();
    TOLD (0, 0, 0, 1, 10, 20);
    after (5000);
    cr_assert_eq (rm_work_state (half), RM_WORK_REJOIN);
    returns ();
    turn ();
    cr_assert_eq (rm_work_state (half), RM_WORK_NEW);
}
