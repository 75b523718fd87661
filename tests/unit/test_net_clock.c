#include "net/clock.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "net/random.h"

Test (net_clock, the_units_agree_and_time_never_goes_back)
{
    uint64_t last_us = rm_clock_us ();
    for (int i = 0; i < 10000; i++) {
        uint64_t before_ms = rm_clock_ms (), now_us = rm_clock_us (), after_ms = rm_clock_ms ();
        cr_assert (last_us <= now_us && before_ms <= now_us / 1000 && now_us / 1000 <= after_ms);
        last_us = now_us;
    }
}

Test (net_clock, the_wall_clock_is_that_of_everyone)
{
    uint64_t before_ms = (uint64_t)time (NULL) * 1000; /* may lag a tick behind */
    uint64_t now_ms = rm_clock_wall_ms ();
    cr_assert (now_ms + 1000 >= before_ms && now_ms < before_ms + 5000);
}

Test (net_random, every_byte_is_filled_and_no_two_answers_are_alike)
{
    uint8_t ored[1000] = {0};
    for (int i = 0; i < 30; i++) {
        uint8_t data[sizeof ored];
        memset (data, 0, sizeof data);
        rm_random_fill (data, sizeof data);
        for (size_t at = 0; at < sizeof data; at++)
            ored[at] |= data[at];
    }
    for (size_t at = 0; at < sizeof ored; at++)
        cr_assert_neq (ored[at], 0); /* by chance: once in 10^70 */
    cr_assert_neq (rm_random_u64 (), rm_random_u64 ());
}
