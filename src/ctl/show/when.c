#include "ctl/show/when.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The whole text in that format, over what `at` holds. */
static bool read_as (const char *format, const char *text, struct tm *at)
{
    struct tm read = *at;
    read.tm_sec = 0;
    const char *end = strptime (text, format, &read);
    if (!end || *end)
        return false;
    read.tm_isdst = -1;
    *at = read;
    return true;
}

static bool read_seconds (const char *text, time_t *at)
{
    char *end;
    errno = 0;
    long long seconds = strtoll (text + 1, &end, 10);
    *at = (time_t)seconds;
    return text[1] >= '0' && text[1] <= '9' && !*end && !errno;
}

/* False if there is no such day, as the 30th of February: `mktime` would take another one. */
static bool day_of (struct tm then, time_t *at)
{
    int day = then.tm_mday;
    *at = mktime (&then);
    return then.tm_mday == day;
}

static bool read_time (const char *text, time_t now, time_t *at)
{
    static const char *const days[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"};
    static const char *const times[] = {"%H:%M:%S", "%H:%M"};
    struct tm then;
    if (*text == '@')
        return read_seconds (text, at);
    if (!localtime_r (&now, &then))
        return false;
    for (size_t i = 0; i < sizeof days / sizeof *days; i++)
        if (read_as (days[i], text, &then))
            return day_of (then, at);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        if (!read_as (times[i], text, &then))
            continue;
        *at = mktime (&then);
        if (*at <= now) {
            then.tm_mday++;
            *at = mktime (&then);
        }
        return true;
    }
    return false;
}

bool rm_ctl_until (const char *text, uint64_t now_ms, uint64_t *ms)
{
    time_t at;
    if (!read_time (text, (time_t)(now_ms / 1000), &at) || at <= 0 || (uint64_t)at > UINT64_MAX / 1000 ||
        (uint64_t)at * 1000 <= now_ms)
        return false;
    *ms = (uint64_t)at * 1000 - now_ms;
    return true;
}
