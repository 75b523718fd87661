/*  How often each sender is heard: a token bucket an address, in a table of fixed size, so that senders who make addresses up
 *  take no memory. Two addresses may share a bucket; which ones do is drawn anew by `seed`, so that nobody can choose whose.
 *
 *  Thread rule: belongs to one thread. Pure. In-place struct. Times are milliseconds of the caller's clock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RM_RATES_BUCKETS = 16384 };

typedef struct {
    uint64_t seed;
    uint32_t per_s; /* tokens that come in a second */
    uint32_t burst; /* tokens that may be saved up */
    struct {
        uint64_t at_ms;   /* when it was looked at */
        uint64_t missing; /* thousandths of a token, to `burst` */
    } buckets[RM_RATES_BUCKETS];
} rm_rates_t;

/* 1 <= per_s, burst. */
void rm_rates_init (rm_rates_t *self, uint64_t seed, uint32_t per_s, uint32_t burst);

/* True: it may be heard once more, and that counts. */
bool rm_rates_take (rm_rates_t *self, uint64_t now_ms, const void *address, size_t size);
