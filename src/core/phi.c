#include "core/phi.h"

#include "proto/assert.h"

enum { PHI_STEP = 1000, LEAST_DEVIATION = 4 /* a quarter of the mean */ };

/* By φ: how many thousandths of a deviation above the mean a normal variable stays with the probability 1 - 10^-φ. */
static const uint32_t quantiles[] = {0, 1282, 2326, 3090, 3719, 4265, 4753, 5199, 5612, 5998, 6361, 6706, 7034};

_Static_assert(sizeof quantiles / sizeof *quantiles == RM_PHI_PERMILLE_MAX / PHI_STEP + 1, "one for each φ");

static uint64_t square_root (uint64_t of)
{
    uint64_t root = 0;
    for (uint64_t bit = 1ull << 31; bit; bit >>= 1)
        if ((root | bit) * (root | bit) <= of)
            root |= bit;
    return root;
}

static void remember (rm_phi_t *self, uint64_t span_us)
{
    self->spans_us[self->at] = (uint32_t)(span_us < RM_PHI_SPAN_US_MAX ? span_us : RM_PHI_SPAN_US_MAX);
    self->at = (self->at + 1) % RM_PHI_WINDOW;
    if (self->count < RM_PHI_WINDOW)
        self->count++;
}

void rm_phi_init (rm_phi_t *self, uint64_t expected_us, uint32_t phi_permille, uint64_t pause_us, uint64_t now_us)
{
    RM_ASSERT (expected_us && expected_us <= RM_PHI_SPAN_US_MAX);
    RM_ASSERT (phi_permille && phi_permille <= RM_PHI_PERMILLE_MAX);
    *self = (rm_phi_t){.phi_permille = phi_permille, .pause_us = pause_us, .heard_us = now_us};
    remember (self, expected_us - expected_us / LEAST_DEVIATION);
    remember (self, expected_us + expected_us / LEAST_DEVIATION);
}

static uint64_t mean_us (const rm_phi_t *self)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < self->count; i++)
        sum += self->spans_us[i];
    return sum / self->count;
}

static uint64_t deviation_us (const rm_phi_t *self, uint64_t mean)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        uint64_t off = self->spans_us[i] > mean ? self->spans_us[i] - mean : mean - self->spans_us[i];
        sum += off * off;
    }
    uint64_t deviation = square_root (sum / self->count), least = mean / LEAST_DEVIATION;
    return deviation > least ? deviation : least;
}

/* The table, with a straight line between its rows. */
static uint64_t quantile (uint32_t phi_permille)
{
    uint32_t row = phi_permille / PHI_STEP, rest = phi_permille % PHI_STEP;
    if (!rest)
        return quantiles[row];
    return quantiles[row] + (uint64_t)(quantiles[row + 1] - quantiles[row]) * rest / PHI_STEP;
}

uint64_t rm_phi_allowed_us (const rm_phi_t *self)
{
    uint64_t mean = mean_us (self);
    return mean + self->pause_us + deviation_us (self, mean) * quantile (self->phi_permille) / 1000;
}

static uint64_t silence_us (const rm_phi_t *self, uint64_t now_us)
{
    return now_us > self->heard_us ? now_us - self->heard_us : 0;
}

uint32_t rm_phi_permille (const rm_phi_t *self, uint64_t now_us)
{
    uint64_t mean = mean_us (self), silence = silence_us (self, now_us);
    if (silence <= mean + self->pause_us)
        return 0;
    uint64_t deviation = deviation_us (self, mean), late = silence - mean - self->pause_us;
    if (!deviation || late > deviation * 8)
        return RM_PHI_PERMILLE_MAX;
    uint64_t above = late * 1000 / deviation;
    for (uint32_t row = 0; row < RM_PHI_PERMILLE_MAX / PHI_STEP; row++)
        if (above < quantiles[row + 1])
            return row * PHI_STEP +
                   (uint32_t)((above - quantiles[row]) * PHI_STEP / (quantiles[row + 1] - quantiles[row]));
    return RM_PHI_PERMILLE_MAX;
}

bool rm_phi_suspects (const rm_phi_t *self, uint64_t now_us)
{
    return silence_us (self, now_us) > rm_phi_allowed_us (self);
}

void rm_phi_heard (rm_phi_t *self, uint64_t now_us)
{
    uint64_t span = silence_us (self, now_us), allowed = rm_phi_allowed_us (self);
    remember (self, span > 2 * allowed && !self->late ? 2 * allowed : span);
    self->late = span > allowed;
    if (now_us > self->heard_us)
        self->heard_us = now_us;
}
