/*  Delays between tries, and the budget that bounds how many tries there are. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/backoff.h"
#include "core/splitmix.h"
#include "ringmaster/error.h"

static const rm_backoff_t standard = {
    .tries = 5, .delay_ms = 250, .factor_permille = 2000, .cap_ms = 8000, .jitter = RM_JITTER_NONE};

static rm_backoff_t with (rm_jitter_t jitter)
{
    rm_backoff_t policy = standard;
    policy.jitter = jitter;
    return policy;
}

/* Draws often, and expects all of low … high (both reached within 2 %), with the mean in the middle. */
static void expect_even_spread (const rm_backoff_t *policy, uint64_t failure, uint32_t previous, double low,
                                double high)
{
    enum { DRAWS = 4000 };
    uint64_t state = failure;
    double sum = 0, least = 1e18, most = 0, slack = (high - low) / 50;
    for (int i = 0; i < DRAWS; i++) {
        double delay = rm_backoff_next (policy, failure, previous, rm_splitmix (&state));
        sum += delay;
        least = delay < least ? delay : least;
        most = delay > most ? delay : most;
    }
    cr_assert (least >= low && least <= low + slack, "failure %d: the least is %g, not %g", (int)failure, least, low);
    cr_assert (most <= high && most >= high - slack, "failure %d: the most is %g, not %g", (int)failure, most, high);
    double mean = sum / DRAWS, middle = (low + high) / 2;
    cr_assert (mean > middle - 2 * slack && mean < middle + 2 * slack, "the mean is %g, not %g", mean, middle);
    cr_assert_eq (rm_backoff_next (policy, failure, previous, 0), (uint32_t)low);
    cr_assert_eq (rm_backoff_next (policy, failure, previous, UINT64_MAX), (uint32_t)high);
}

Test (backoff, without_jitter_delays_double_up_to_the_cap)
{
    static const uint32_t expected[] = {250, 500, 1000, 2000, 4000, 8000, 8000, 8000};
    for (uint64_t failure = 1; failure <= 8; failure++)
        cr_assert_eq (rm_backoff_next (&standard, failure, 0, failure * 0x123456789abcdef), expected[failure - 1]);
}

Test (backoff, full_jitter_is_0_to_the_grown_delay)
{
    rm_backoff_t policy = with (RM_JITTER_FULL);
    expect_even_spread (&policy, 1, 0, 0, 250);
    expect_even_spread (&policy, 3, 0, 0, 1000);
    expect_even_spread (&policy, 10, 0, 0, 8000);
}

Test (backoff, equal_jitter_is_half_to_all_of_the_grown_delay)
{
    rm_backoff_t policy = with (RM_JITTER_EQUAL);
    expect_even_spread (&policy, 1, 0, 125, 250);
    expect_even_spread (&policy, 3, 0, 500, 1000);
    expect_even_spread (&policy, 10, 0, 4000, 8000);
}

Test (backoff, decorrelated_jitter_is_the_delay_to_thrice_the_last_one)
{
    rm_backoff_t policy = with (RM_JITTER_DECORRELATED);
    expect_even_spread (&policy, 1, 0, 250, 750);
    expect_even_spread (&policy, 2, 300, 250, 900);
    expect_even_spread (&policy, 2, 2600, 250, 7800);
}

Test (backoff, decorrelated_jitter_stops_at_the_cap)
{
    rm_backoff_t policy = with (RM_JITTER_DECORRELATED);
    uint64_t state = 1;
    uint32_t previous = 0;
    bool capped = false, came_down = false;
    for (uint64_t failure = 1; failure < 500; failure++) {
        previous = rm_backoff_next (&policy, failure, previous, rm_splitmix (&state));
        cr_assert (previous >= 250 && previous <= 8000);
        came_down |= capped && previous < 8000;
        capped |= previous == 8000;
    }
    cr_assert (capped && came_down);
    cr_assert_eq (rm_backoff_next (&policy, 9, UINT32_MAX, UINT64_MAX), 8000);
}

Test (backoff, the_nth_failure_waits_1_to_2_to_the_n_turns)
{
    rm_backoff_t policy = with (RM_JITTER_TURNS);
    policy.delay_ms = 10;
    policy.cap_ms = 100000;
    for (uint64_t failure = 1; failure <= 6; failure++) {
        bool seen[65] = {0};
        uint64_t state = failure, turns = 1u << failure;
        for (int i = 0; i < 4000; i++) {
            uint32_t delay = rm_backoff_next (&policy, failure, 0, rm_splitmix (&state));
            cr_assert_eq (delay % 10, 0, "%u ms are not whole turns", delay);
            cr_assert (delay >= 10 && delay <= turns * 10, "%u ms after failure %d", delay, (int)failure);
            seen[delay / 10] = true;
        }
        for (uint64_t turn = 1; turn <= turns; turn++)
            cr_assert (seen[turn], "never %d turns after failure %d", (int)turn, (int)failure);
    }
}

Test (backoff, turns_are_as_many_as_the_cap_has_room_for)
{
    rm_backoff_t policy = with (RM_JITTER_TURNS);
    policy.cap_ms = 1100;
    expect_even_spread (&policy, 1, 0, 250, 500);
    expect_even_spread (&policy, 2, 0, 250, 1000);
    expect_even_spread (&policy, 40, 0, 250, 1000);
}

Test (backoff, the_factor_may_be_a_fraction)
{
    rm_backoff_t policy = standard;
    policy.factor_permille = 1500;
    static const uint32_t expected[] = {250, 375, 562, 843, 1265};
    for (uint64_t failure = 1; failure <= 5; failure++)
        cr_assert_eq (rm_backoff_next (&policy, failure, 0, 0), expected[failure - 1]);
}

Test (backoff, the_smallest_delay_grows_by_the_smallest_factor)
{
    rm_backoff_t policy = {.delay_ms = 1, .factor_permille = 1001, .cap_ms = RM_BACKOFF_MS_MAX};
    cr_assert_eq (rm_backoff_next (&policy, 693, 0, 0), 1);
    cr_assert_eq (rm_backoff_next (&policy, 700, 0, 0), 2);
    cr_assert_eq (rm_backoff_next (&policy, 20000, 0, 0), RM_BACKOFF_MS_MAX);
}

Test (backoff, no_number_of_failures_overflows)
{
    static const uint64_t failures[] = {30, 31, 32, 33, 62, 63, 64, 65, 1000, UINT32_MAX, UINT64_MAX};
    static const int64_t delays[] = {1, 250, RM_BACKOFF_MS_MAX};
    static const int64_t factors[] = {1001, 2000, RM_BACKOFF_PERMILLE_MAX};
    for (int jitter = 0; jitter < RM_JITTERS; jitter++)
        for (int i = 0; i < 9; i++) {
            rm_backoff_t policy = {0, delays[i % 3], factors[i / 3], RM_BACKOFF_MS_MAX, (rm_jitter_t)jitter};
            cr_assert_eq (rm_backoff_check (&policy, NULL), 0);
            for (size_t k = 0; k < sizeof failures / sizeof *failures; k++) {
                uint32_t delay = rm_backoff_next (&policy, failures[k], RM_BACKOFF_MS_MAX, UINT64_MAX);
                cr_assert_leq (delay, RM_BACKOFF_MS_MAX);
                if (failures[k] > 20000 || jitter == RM_JITTER_TURNS)
                    cr_assert_gt (delay, RM_BACKOFF_MS_MAX - policy.delay_ms, "jitter %d stays below the cap", jitter);
            }
        }
}

Test (backoff, same_bits_same_delay)
{
    static const uint32_t expected[RM_JITTERS] = {1000, 805, 903, 737, 1750};
    for (int jitter = 0; jitter < RM_JITTERS; jitter++) {
        rm_backoff_t policy = with ((rm_jitter_t)jitter);
        cr_assert_eq (rm_backoff_next (&policy, 3, 285, 0xce15f6a1b3d7e024), expected[jitter], "jitter %d: %u", jitter,
                      rm_backoff_next (&policy, 3, 285, 0xce15f6a1b3d7e024));
    }
}

Test (backoff, tries_are_attempts_in_all_and_0_is_no_end)
{
    rm_backoff_t policy = standard;
    cr_assert_not (rm_backoff_gives_up (&policy, 4));
    cr_assert (rm_backoff_gives_up (&policy, 5));
    cr_assert (rm_backoff_gives_up (&policy, UINT64_MAX));
    policy.tries = 0;
    cr_assert_not (rm_backoff_gives_up (&policy, UINT64_MAX));
}

static void expect_fault (rm_backoff_t policy, const char *word)
{
    const char *why = NULL;
    cr_assert_eq (rm_backoff_check (&policy, &why), RM_EINVAL);
    cr_assert_eq (strncmp (why, word, strlen (word)), 0, "'%s' is not about %s", why, word);
}

Test (backoff, a_policy_that_cannot_be_is_refused_with_a_sentence)
{
    const char *why = "";
    cr_assert_eq (rm_backoff_check (&standard, &why), 0);
    cr_assert_null (why);
    rm_backoff_t policy = standard;
    policy.tries = -1;
    expect_fault (policy, "tries must be 0");
    policy = standard;
    policy.delay_ms = 0;
    expect_fault (policy, "delay must be more than 0");
    policy.delay_ms = -5;
    expect_fault (policy, "delay must be more than 0");
    policy = standard;
    policy.factor_permille = 1000;
    expect_fault (policy, "backoff must be more than 1");
    policy.factor_permille = -2000;
    expect_fault (policy, "backoff must be more than 1");
    policy.factor_permille = RM_BACKOFF_PERMILLE_MAX + 1;
    expect_fault (policy, "backoff must be 1000 or less");
    policy = standard;
    policy.cap_ms = 249;
    expect_fault (policy, "cap must not be less than delay");
    policy.cap_ms = (int64_t)RM_BACKOFF_MS_MAX + 1;
    expect_fault (policy, "cap must be one day");
    policy = standard;
    policy.jitter = RM_JITTERS;
    expect_fault (policy, "jitter must be");
    policy.jitter = (rm_jitter_t)-1;
    expect_fault (policy, "jitter must be");
}

Test (backoff, the_limits_themselves_are_allowed)
{
    rm_backoff_t policy = {0, RM_BACKOFF_MS_MAX, 1001, RM_BACKOFF_MS_MAX, RM_JITTER_TURNS};
    cr_assert_eq (rm_backoff_check (&policy, NULL), 0);
    cr_assert_eq (rm_backoff_next (&policy, 7, 0, UINT64_MAX), RM_BACKOFF_MS_MAX);
}

Test (backoff, a_jitter_is_read_by_its_name)
{
    static const char *const names[] = {"none", "full", "equal", "decorrelated", "turns"};
    rm_jitter_t jitter;
    for (int i = 0; i < RM_JITTERS; i++) {
        jitter = RM_JITTERS;
        cr_assert_eq (rm_jitter_parse (names[i], &jitter), 0);
        cr_assert_eq ((int)jitter, i);
    }
    static const char *const others[] = {"", "Full", "ful", "fuller", "full "};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        cr_assert_eq (rm_jitter_parse (others[i], &jitter), RM_EINVAL);
        cr_assert_eq (jitter, RM_JITTER_TURNS, "it was changed");
    }
}

static int take_all (rm_retry_budget_t *budget, uint64_t now_ms)
{
    int taken = 0;
    while (taken < 100000 && rm_retry_budget_take (budget, now_ms))
        taken++;
    return taken;
}

Test (retry_budget, it_begins_full)
{
    rm_retry_budget_t budget;
    rm_retry_budget_init (&budget, 100, 1, 10, 5000);
    cr_assert_eq (take_all (&budget, 5000), 10);
}

Test (retry_budget, ten_successes_pay_for_one_retry)
{
    rm_retry_budget_t budget;
    rm_retry_budget_init (&budget, 100, 0, 10, 0);
    take_all (&budget, 0);
    for (int i = 0; i < 9; i++)
        rm_retry_budget_success (&budget);
    cr_assert_not (rm_retry_budget_take (&budget, 0));
    rm_retry_budget_success (&budget);
    cr_assert (rm_retry_budget_take (&budget, 0));
    cr_assert_not (rm_retry_budget_take (&budget, 0));
}

Test (retry_budget, the_floor_comes_with_time)
{
    rm_retry_budget_t budget;
    rm_retry_budget_init (&budget, 100, 2, 10, 1000);
    take_all (&budget, 1000);
    cr_assert_not (rm_retry_budget_take (&budget, 1499));
    cr_assert (rm_retry_budget_take (&budget, 1500));
    cr_assert_not (rm_retry_budget_take (&budget, 1500));
    cr_assert_eq (take_all (&budget, 3500), 4);
}

Test (retry_budget, the_floor_comes_however_often_one_asks)
{
    rm_retry_budget_t budget;
    rm_retry_budget_init (&budget, 100, 1, 10, 0);
    take_all (&budget, 0);
    int taken = 0;
    for (uint64_t now_ms = 1; now_ms <= 5000; now_ms++)
        taken += rm_retry_budget_take (&budget, now_ms);
    cr_assert_eq (taken, 5);
}

Test (retry_budget, no_more_is_saved_than_fits)
{
    rm_retry_budget_t budget;
    rm_retry_budget_init (&budget, 100, 1, 10, 0);
    for (int i = 0; i < 100000; i++)
        rm_retry_budget_success (&budget);
    cr_assert_eq (take_all (&budget, 3600 * 1000), 10);
    cr_assert_eq (take_all (&budget, UINT64_MAX), 10);
    rm_retry_budget_init (&budget, UINT32_MAX, UINT32_MAX, 10, 0);
    rm_retry_budget_success (&budget);
    cr_assert_eq (take_all (&budget, 0), 10);
    cr_assert_eq (take_all (&budget, UINT64_MAX), 10);
    rm_retry_budget_success (&budget);
    cr_assert_eq (take_all (&budget, UINT64_MAX), 10);
}

Test (retry_budget, a_clock_that_goes_back_adds_nothing)
{
    rm_retry_budget_t budget;
    rm_retry_budget_init (&budget, 100, 1, 10, 60000);
    take_all (&budget, 60000);
    cr_assert_not (rm_retry_budget_take (&budget, 0));
    cr_assert_not (rm_retry_budget_take (&budget, 60999));
    cr_assert (rm_retry_budget_take (&budget, 61000));
}

/* What backoff alone does not do: with everything failing, retries stay near a tenth of what had succeeded. */
Test (retry_budget, retries_are_a_bounded_part_of_the_traffic)
{
    rm_retry_budget_t budget;
    rm_retry_budget_init (&budget, RM_RETRY_RATIO_PERMILLE, RM_RETRY_FLOOR_PER_S, RM_RETRY_TOKENS_MAX, 0);
    uint64_t state = 7;
    int retries = 0, successes = 0;
    for (uint64_t now_ms = 0; now_ms < 60000; now_ms++) {
        if (rm_splitmix (&state) % 2 == 0) {
            rm_retry_budget_success (&budget);
            successes++;
        } else
            retries += rm_retry_budget_take (&budget, now_ms);
        int bound = RM_RETRY_TOKENS_MAX + successes / 10 + (int)(now_ms / 1000) + 1;
        cr_assert_leq (retries, bound);
    }
    cr_assert_geq (retries, successes / 10);
}
