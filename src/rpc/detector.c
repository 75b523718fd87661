#include "ringmaster/detector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/phi.h"
#include "net/clock.h"
#include "proto/alloc.h"

enum { MS = 1000, PHI_PERMILLE = 8000, PAUSE_MS_MAX = 300 * 1000, EXPECTED_MS_MAX = RM_PHI_SPAN_US_MAX / MS };

struct rm_detector {
    rm_phi_t phi; /* decides */
    bool heard;   /* a heartbeat has come: options are settled */
};

rm_detector_t *rm_detector_new (unsigned expected_ms)
{
    if (!expected_ms || expected_ms > EXPECTED_MS_MAX) {
        errno = EINVAL;
        return NULL;
    }
    rm_detector_t *self = rm_calloc (1, sizeof *self);
    if (!self) {
        errno = ENOMEM;
        return NULL;
    }
    rm_phi_init (&self->phi, (uint64_t)expected_ms * MS, PHI_PERMILLE, 0, rm_clock_us ());
    return self;
}

void rm_detector_destroy (rm_detector_t **self_p)
{
    if (!self_p)
        return;
    rm_free (*self_p);
    *self_p = NULL;
}

int rm_detector_set (rm_detector_t *self, const char *option, const char *value)
{
    char *end = NULL;
    double number = option && value ? strtod (value, &end) : 0;
    if (!end || end == value || *end)
        return RM_EINVAL;
    if (self->heard)
        return RM_ESTATE;
    if (!strcmp (option, "phi") && number >= 0.001 && number * 1000 <= RM_PHI_PERMILLE_MAX)
        self->phi.phi_permille = (uint32_t)(number * 1000);
    else if (!strcmp (option, "pause") && number >= 0 && number <= PAUSE_MS_MAX)
        self->phi.pause_us = (uint64_t)(number * MS);
    else
        return RM_EINVAL;
    return 0;
}

void rm_detector_heard (rm_detector_t *self)
{
    self->heard = true;
    rm_phi_heard (&self->phi, rm_clock_us ());
}

bool rm_detector_suspects (const rm_detector_t *self)
{
    return rm_phi_suspects (&self->phi, rm_clock_us ());
}

double rm_detector_phi (const rm_detector_t *self)
{
    return rm_phi_permille (&self->phi, rm_clock_us ()) / 1000.0;
}

int rm_detector_allowed_ms (const rm_detector_t *self)
{
    return (int)(rm_phi_allowed_us (&self->phi) / MS);
}

int rm_detector_left_ms (const rm_detector_t *self)
{
    uint64_t end_us = self->phi.heard_us + rm_phi_allowed_us (&self->phi), now_us = rm_clock_us ();
    return end_us < now_us ? 0 : (int)((end_us - now_us) / MS) + 1;
}
