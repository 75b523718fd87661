/*  How long to wait for the answer to a ping: a smoothed round trip and its mean deviation (Jacobson, Karels, "Congestion
 *  Avoidance and Control", SIGCOMM 1988, as RFC 6298, section 2, writes it down).
 *
 *  The time-out is srtt + 4 × rttvar. An answer that did not come doubles it, up to the cap, until one comes that can only be
 *  of the newest ping (Karn's rule, RFC 6298, sections 3 and 5).
 *
 *  Units: microseconds.
 *  Thread rule: none of its own; pure.
 */
#pragma once

#include <stdint.h>

typedef struct {
    uint64_t srtt_us;   /* smoothed round trip; 0: none was measured */
    uint64_t rttvar_us; /* smoothed mean deviation of it */
    uint64_t timeout_us;
    uint64_t least_us, most_us; /* of the time-out */
} rm_rtt_t;

/* Begins with a time-out of `first_us`; `least_us` is above 0 and covers what a busy machine adds. */
void rm_rtt_init (rm_rtt_t *self, uint64_t first_us, uint64_t least_us, uint64_t most_us);

/* The answer to a ping that was sent once. */
void rm_rtt_measured (rm_rtt_t *self, uint64_t round_us);

/* No answer within the time-out: the next one is twice as long. */
void rm_rtt_missed (rm_rtt_t *self);
