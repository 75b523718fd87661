/*  How long a heartbeat may be missing before its sender is suspected: the phi accrual failure detector (Hayashibara,
 *  Défago, Yared, Katayama, "The φ Accrual Failure Detector", SRDS 2004).
 *
 *  It keeps the times between the newest heartbeats and takes them for normally distributed. φ says how surprising the
 *  present silence is: at φ = n a heartbeat that late comes once in 10^n. Whoever suspects at a threshold of φ = 8 is
 *  wrong once in a hundred million heartbeats if the link stays as it was, and waits the longer the more the link
 *  scatters. All on integers: the normal distribution's tail is a table.
 *
 *  Units: microseconds of one monotonic clock; φ in thousandths.
 *  Thread rule: none of its own; pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    RM_PHI_WINDOW = 100,                    /* times that are remembered (the paper takes 1000) */
    RM_PHI_PERMILLE_MAX = 12000,            /* φ is 0 … 12 */
    RM_PHI_SPAN_US_MAX = 300 * 1000 * 1000, /* a longer time between two heartbeats counts as this */
};

typedef struct {
    uint32_t spans_us[RM_PHI_WINDOW]; /* between heartbeats, a ring */
    uint32_t count;                   /* of them */
    uint32_t at;                      /* where the next one goes */
    uint32_t phi_permille;            /* the threshold */
    uint64_t pause_us;                /* allowed on top: a stop of the sender that is known to happen */
    uint64_t heard_us;                /* the newest heartbeat, or the beginning */
    bool late;                        /* it came later than allowed */
} rm_phi_t;

/* `expected_us` (1 … RM_PHI_SPAN_US_MAX) is about how often heartbeats are sent: what is believed, with a quarter of it as
 * deviation, until some have come. `phi_permille` is 1 … RM_PHI_PERMILLE_MAX. Its first heartbeat counts from `now_us`. */
void rm_phi_init (rm_phi_t *self, uint64_t expected_us, uint32_t phi_permille, uint64_t pause_us, uint64_t now_us);

/* A heartbeat has come. A silence that was longer than what was allowed counts as twice that at most, so that an outage is
 * forgotten soon; the second one in a row counts in full: that is no outage but a link that has become slower. */
void rm_phi_heard (rm_phi_t *self, uint64_t now_us);

/* How long a silence is allowed now: mean + pause + as many deviations as the threshold asks for. The deviation is taken as at
 * least a quarter of the mean: a sender that was regular so far may still be late once. */
uint64_t rm_phi_allowed_us (const rm_phi_t *self);

/* How surprising the silence up to `now_us` is; 0 up to the mean, at most RM_PHI_PERMILLE_MAX. */
uint32_t rm_phi_permille (const rm_phi_t *self, uint64_t now_us);

/* True if the silence is longer than what is allowed. */
bool rm_phi_suspects (const rm_phi_t *self, uint64_t now_us);
