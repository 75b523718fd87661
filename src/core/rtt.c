#include "core/rtt.h"

#include "proto/assert.h"

enum { DEVIATIONS = 4, SRTT_PART = 8, RTTVAR_PART = 4 };

static void set_timeout (rm_rtt_t *self, uint64_t timeout_us)
{
    self->timeout_us = timeout_us < self->least_us  ? self->least_us
                       : timeout_us > self->most_us ? self->most_us
                                                    : timeout_us;
}

void rm_rtt_init (rm_rtt_t *self, uint64_t first_us, uint64_t least_us, uint64_t most_us)
{
    RM_ASSERT (least_us && least_us <= most_us);
    *self = (rm_rtt_t){.least_us = least_us, .most_us = most_us};
    set_timeout (self, first_us);
}

void rm_rtt_measured (rm_rtt_t *self, uint64_t round_us)
{
    if (round_us > self->most_us)
        round_us = self->most_us;
    if (!self->srtt_us) {
        self->srtt_us = round_us;
        self->rttvar_us = round_us / 2;
    } else {
        uint64_t off = round_us > self->srtt_us ? round_us - self->srtt_us : self->srtt_us - round_us;
        self->rttvar_us = self->rttvar_us - self->rttvar_us / RTTVAR_PART + off / RTTVAR_PART;
        self->srtt_us = self->srtt_us - self->srtt_us / SRTT_PART + round_us / SRTT_PART;
    }
    set_timeout (self, self->srtt_us + DEVIATIONS * self->rttvar_us);
}

void rm_rtt_missed (rm_rtt_t *self)
{
    set_timeout (self, 2 * self->timeout_us);
}
