/*  The detector of heartbeats, on links that are drawn from a seed: never too short for a link that scatters, never too
 *  long for one that is dead. */
#include <criterion/criterion.h>

#include "core/phi.h"
#include "core/splitmix.h"

enum { MS = 1000, BEAT_US = 100 * MS, ROUNDS = 20000 };

/* About normal: twelve even draws, with the mean 0 and the deviation 1, in thousandths. */
static int64_t draw_normal (uint64_t *state)
{
    int64_t sum = 0;
    for (int i = 0; i < 12; i++)
        sum += (int64_t)(rm_splitmix (state) % 1001);
    return sum - 6000;
}

/* Lets `rounds` heartbeats come, each `mean_us` after the one before with that deviation; how often it was suspected. */
static int run (rm_phi_t *phi, uint64_t *now_us, uint64_t *state, uint64_t mean_us, uint64_t deviation_us, int rounds)
{
    int suspected = 0;
    for (int i = 0; i < rounds; i++) {
        int64_t span = (int64_t)mean_us + draw_normal (state) * (int64_t)deviation_us / 1000;
        *now_us += span > 0 ? (uint64_t)span : 0;
        suspected += rm_phi_suspects (phi, *now_us);
        rm_phi_heard (phi, *now_us);
    }
    return suspected;
}

/* How long a sender that dies now is trusted. */
static uint64_t trusted_us (const rm_phi_t *phi)
{
    uint64_t low = 0, high = 1ull << 40;
    while (low + 1 < high) {
        uint64_t middle = (low + high) / 2;
        if (rm_phi_suspects (phi, phi->heard_us + middle))
            high = middle;
        else
            low = middle;
    }
    return low;
}

Test (phi, a_link_that_scatters_is_not_suspected_and_its_death_is_noticed)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        uint64_t state = seed, now = 0;
        rm_phi_t phi;
        rm_phi_init (&phi, BEAT_US, 8000, 0, now);
        int wrong = run (&phi, &now, &state, BEAT_US, 40 * MS, ROUNDS);
        cr_assert_eq (wrong, 0, "seed %d: suspected %d times", (int)seed, wrong);
        uint64_t trusted = trusted_us (&phi);
        cr_assert (trusted > 250 * MS && trusted < 450 * MS, "trusted for %d ms", (int)(trusted / MS));
        cr_assert_eq (trusted, rm_phi_allowed_us (&phi));
    }
}

Test (phi, a_regular_link_is_trusted_for_two_and_a_half_heartbeats)
{
    uint64_t state = 1, now = 0;
    rm_phi_t phi;
    rm_phi_init (&phi, BEAT_US, 8000, 0, now);
    cr_assert_eq (run (&phi, &now, &state, BEAT_US, 0, ROUNDS), 0);
    uint64_t trusted = trusted_us (&phi);
    cr_assert (trusted > 230 * MS && trusted < 250 * MS, "trusted for %d ms", (int)(trusted / MS));
}

Test (phi, the_threshold_is_how_often_it_is_wrong)
{
    static const double wanted[] = {0, 0.1, 0.01, 0.001};
    for (uint32_t threshold = 1; threshold <= 3; threshold++) {
        uint64_t state = threshold, now = 0;
        rm_phi_t phi;
        rm_phi_init (&phi, BEAT_US, threshold * 1000, 0, now);
        double rate = run (&phi, &now, &state, BEAT_US, 30 * MS, 5 * ROUNDS) / (5.0 * ROUNDS);
        cr_assert (rate > wanted[threshold] / 2 && rate < wanted[threshold] * 2, "phi %u: wrong at a rate of %g",
                   threshold, rate);
    }
}

Test (phi, a_link_that_becomes_slower_is_learnt_in_a_few_heartbeats)
{
    uint64_t state = 7, now = 0;
    rm_phi_t phi;
    rm_phi_init (&phi, BEAT_US, 8000, 0, now);
    run (&phi, &now, &state, BEAT_US, 10 * MS, ROUNDS);
    int wrong = run (&phi, &now, &state, 10 * BEAT_US, 100 * MS, 10);
    cr_assert (wrong >= 1 && wrong <= 5, "suspected %d times", wrong);
    wrong = run (&phi, &now, &state, 10 * BEAT_US, 100 * MS, ROUNDS);
    cr_assert_eq (wrong, 0, "suspected %d times after that", wrong);
}

Test (phi, an_outage_is_forgotten_with_the_window)
{
    uint64_t state = 7, now = 0;
    rm_phi_t phi;
    rm_phi_init (&phi, BEAT_US, 8000, 0, now);
    run (&phi, &now, &state, BEAT_US, 10 * MS, ROUNDS);
    uint64_t before = rm_phi_allowed_us (&phi);
    now += 1000ull * BEAT_US;
    cr_assert (rm_phi_suspects (&phi, now));
    rm_phi_heard (&phi, now);
    cr_assert_not (rm_phi_suspects (&phi, now));
    cr_assert_lt (rm_phi_allowed_us (&phi), 2 * before);
    run (&phi, &now, &state, BEAT_US, 10 * MS, RM_PHI_WINDOW);
    cr_assert_lt (rm_phi_allowed_us (&phi), before + before / 10);
}

Test (phi, it_grows_with_the_silence_and_crosses_the_threshold_where_it_suspects)
{
    uint64_t state = 3, now = 0;
    rm_phi_t phi;
    rm_phi_init (&phi, BEAT_US, 5500, 20 * MS, now);
    run (&phi, &now, &state, BEAT_US, 40 * MS, 1000);
    uint32_t last = 0;
    for (uint64_t silence = 0; silence < 1000 * MS; silence += 997) {
        uint32_t is = rm_phi_permille (&phi, now + silence);
        cr_assert_geq (is, last);
        cr_assert_leq (is, RM_PHI_PERMILLE_MAX);
        if (rm_phi_suspects (&phi, now + silence))
            cr_assert_geq (is, 5490);
        else
            cr_assert_leq (is, 5510);
        last = is;
    }
    cr_assert_eq (last, RM_PHI_PERMILLE_MAX);
    cr_assert_eq (rm_phi_permille (&phi, now), 0);
}

Test (phi, a_pause_is_allowed_on_top)
{
    rm_phi_t without, with;
    rm_phi_init (&without, BEAT_US, 8000, 0, 0);
    rm_phi_init (&with, BEAT_US, 8000, 500 * MS, 0);
    cr_assert_eq (rm_phi_allowed_us (&with), rm_phi_allowed_us (&without) + 500 * MS);
}

Test (phi, a_clock_that_stands_or_goes_back_is_no_silence)
{
    rm_phi_t phi;
    rm_phi_init (&phi, 1, 1, 0, 1000);
    for (int i = 0; i < 2 * RM_PHI_WINDOW; i++)
        rm_phi_heard (&phi, 1000 - (uint64_t)(i % 3));
    cr_assert_eq (phi.heard_us, 1000);
    cr_assert_not (rm_phi_suspects (&phi, 0));
    cr_assert_eq (rm_phi_permille (&phi, 5), 0);
    cr_assert_eq (rm_phi_permille (&phi, UINT64_MAX), RM_PHI_PERMILLE_MAX);
    rm_phi_heard (&phi, UINT64_MAX);
    cr_assert (rm_phi_allowed_us (&phi) < 10ull * RM_PHI_SPAN_US_MAX);
}
