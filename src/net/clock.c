#include "net/clock.h"

#include <time.h>

#include "proto/assert.h"

static uint64_t read_us (clockid_t clock)
{
    struct timespec now;
    int rc = clock_gettime (clock, &now);
    RM_ASSERT (rc == 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t rm_clock_ms (void)
{
    return read_us (CLOCK_MONOTONIC) / 1000;
}

uint64_t rm_clock_us (void)
{
    return read_us (CLOCK_MONOTONIC);
}

uint64_t rm_clock_wall_ms (void)
{
    return read_us (CLOCK_REALTIME) / 1000;
}
