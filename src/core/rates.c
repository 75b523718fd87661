#include "core/rates.h"

#include <string.h>
#include <xxhash.h>

void rm_rates_init (rm_rates_t *self, uint64_t seed, uint32_t per_s, uint32_t burst)
{
    memset (self, 0, sizeof *self);
    self->seed = seed;
    self->per_s = per_s;
    self->burst = burst;
}

bool rm_rates_take (rm_rates_t *self, uint64_t now_ms, const void *address, size_t size)
{
    enum { TOKEN = 1000 };
    size_t at = XXH3_64bits_withSeed (address, size, self->seed) % RM_RATES_BUCKETS;
    uint64_t gone_ms = now_ms - self->buckets[at].at_ms, *missing = &self->buckets[at].missing;
    /* per_s tokens a second are per_s thousandths a millisecond. */
    *missing = gone_ms > *missing / self->per_s ? 0 : *missing - gone_ms * self->per_s;
    self->buckets[at].at_ms = now_ms;
    if (*missing + TOKEN > (uint64_t)self->burst * TOKEN)
        return false;
    *missing += TOKEN;
    return true;
}
