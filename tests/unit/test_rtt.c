/*  The time-out of pings, on links that are drawn from a seed. */
#include <criterion/criterion.h>

#include "core/rtt.h"
#include "core/splitmix.h"

enum { MS = 1000, ROUNDS = 20000, TRIES = 3 };

/* A round trip that is often `base_us` and more the rarer: a half, a quarter … of them take one, two … `step_us` more. */
static uint64_t draw_round (uint64_t *state, uint64_t base_us, uint64_t step_us)
{
    uint64_t bits = rm_splitmix (state), steps = (uint64_t)__builtin_ctzll (bits | 1ull << 40);
    return base_us + steps * step_us + bits % (step_us + 1);
}

/* A ping as the helper sends it: up to three times, each with twice the time-out. False if none was answered in time. */
static bool ping (rm_rtt_t *rtt, uint64_t *state, uint64_t base_us, uint64_t step_us, int *missed)
{
    for (int i = 0; i < TRIES; i++) {
        uint64_t round = draw_round (state, base_us, step_us);
        if (round <= rtt->timeout_us) {
            if (i == 0)
                rm_rtt_measured (rtt, round);
            return true;
        }
        *missed += 1;
        rm_rtt_missed (rtt);
    }
    return false;
}

Test (rtt, a_slow_link_that_scatters_is_never_given_up)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        uint64_t state = seed;
        int missed = 0;
        rm_rtt_t rtt;
        rm_rtt_init (&rtt, 1000 * MS, 20 * MS, 10000 * MS);
        for (int i = 0; i < ROUNDS; i++)
            cr_assert (ping (&rtt, &state, 300 * MS, 40 * MS, &missed), "seed %d: ping %d", (int)seed, i);
        cr_assert_lt (missed, ROUNDS / 10, "%d of them had to be sent again", missed);
    }
}

Test (rtt, a_dead_one_is_given_up_as_soon_as_its_link_allows)
{
    static const struct {
        uint64_t base_us, step_us, most_us;
    } links[] = {{100, 50, 20 * MS}, {10 * MS, 2 * MS, 40 * MS}, {300 * MS, 40 * MS, 800 * MS}};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        uint64_t state = 1, waited = 0;
        int missed = 0;
        rm_rtt_t rtt;
        rm_rtt_init (&rtt, 1000 * MS, 20 * MS, 10000 * MS);
        for (int n = 0; n < ROUNDS; n++)
            ping (&rtt, &state, links[i].base_us, links[i].step_us, &missed);
        for (int n = 0; n < TRIES; n++) {
            waited += rtt.timeout_us;
            rm_rtt_missed (&rtt);
        }
        cr_assert (waited <= 7 * links[i].most_us, "%d us on link %d", (int)waited, (int)i);
    }
}

Test (rtt, a_link_that_becomes_slower_is_learnt)
{
    uint64_t state = 1;
    int missed = 0, answered = 0;
    rm_rtt_t rtt;
    rm_rtt_init (&rtt, 1000 * MS, 20 * MS, 10000 * MS);
    for (int i = 0; i < 1000; i++)
        ping (&rtt, &state, 10 * MS, 2 * MS, &missed);
    for (int i = 0; i < 10; i++)
        answered += ping (&rtt, &state, 500 * MS, 20 * MS, &missed);
    cr_assert_geq (answered, 8, "%d of 10", answered);
}

Test (rtt, the_first_round_and_the_limits_are_those_of_the_paper)
{
    rm_rtt_t rtt;
    rm_rtt_init (&rtt, 1000 * MS, 20 * MS, 3000 * MS);
    cr_assert_eq (rtt.timeout_us, 1000 * MS);
    rm_rtt_measured (&rtt, 100 * MS); /* srtt = R, rttvar = R / 2 */
    cr_assert_eq (rtt.timeout_us, 300 * MS);
    rm_rtt_measured (&rtt, 180 * MS); /* rttvar = 3/4 × 50 + 1/4 × 80, srtt = 7/8 × 100 + 1/8 × 180 */
    cr_assert_eq (rtt.srtt_us, 110 * MS);
    cr_assert_eq (rtt.rttvar_us, 57500);
    cr_assert_eq (rtt.timeout_us, 340 * MS);
    for (int i = 0; i < 5; i++)
        rm_rtt_missed (&rtt);
    cr_assert_eq (rtt.timeout_us, 3000 * MS);
    for (int i = 0; i < 200; i++)
        rm_rtt_measured (&rtt, 1 * MS);
    cr_assert_eq (rtt.timeout_us, 20 * MS);
}
