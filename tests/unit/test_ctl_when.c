/*  Times of day, as people write them. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "ctl/show/when.h"

/* Thursday, 2026-11-26 12:00:00 UTC, and half a second. */
static const uint64_t noon_ms = 1795694400500;

static void in_utc (void)
{
    setenv ("TZ", "UTC", 1);
    tzset ();
}

TestSuite (when, .init = in_utc);

static int64_t until (const char *text)
{
    uint64_t ms;
    return rm_ctl_until (text, noon_ms, &ms) ? (int64_t)ms : -1;
}

Test (when, a_time_of_day_is_the_next_one)
{
    cr_assert_eq (until ("12:01"), 59500);
    cr_assert_eq (until ("12:00:01"), 500);
    cr_assert_eq (until ("11:59"), (24 * 60 - 1) * 60000 - 500);
    cr_assert_eq (until ("12:00"), 24 * 3600000 - 500, "it has just gone by");
}

Test (when, a_day_and_a_time)
{
    cr_assert_eq (until ("2026-11-27 12:00"), 24 * 3600000 - 500);
    cr_assert_eq (until ("2026-11-26 12:00:10"), 9500);
    cr_assert_eq (until ("2026-11-26T13:00"), 3600000 - 500);
    cr_assert_eq (until ("2028-02-29 12:00"), 460ll * 24 * 3600000 - 500);
    cr_assert_eq (until ("@1795694500"), 99500);
}

Test (when, what_is_over_or_no_time_is_none)
{
    static const char *const texts[] = {"2026-11-26 11:59",
                                        "@1795694400",
                                        "@",
                                        "@-5",
                                        "@12x",
                                        "25:00",
                                        "12",
                                        "12:00 tomorrow",
                                        "",
                                        "noon",
                                        "2026-13-01 10:00",
                                        "2027-02-30 10:00",
                                        "2027-04-31T10:00"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_assert_eq (until (texts[i]), -1, "%s", texts[i]);
}
