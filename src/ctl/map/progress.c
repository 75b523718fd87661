#include "ctl/map/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BAR = 30 };

void rm_map_progress_write (const rm_map_progress_t *self, bool bar, char *text, size_t size)
{
    char drawn[BAR + 8] = "", failed[48] = "", left[48] = "";
    uint64_t here = self->ended - self->before;
    if (bar) {
        int full = self->all ? (int)(self->ended * BAR / self->all) : BAR;
        snprintf (drawn, sizeof drawn, "[%.*s%*s] ", full, "##############################", BAR - full, "");
    }
    if (self->failed)
        snprintf (failed, sizeof failed, ", %" PRIu64 " failed", self->failed);
    if (here && self->ended < self->all)
        snprintf (left, sizeof left, ", %" PRIu64 " s left",
                  ((self->all - self->ended) * self->ran_ms / here + 999) / 1000);
    snprintf (text, size, "%s%" PRIu64 "%% %" PRIu64 "/%" PRIu64 "%s%s", drawn,
              self->all ? self->ended * 100 / self->all : 100, self->ended, self->all, failed, left);
}

_Static_assert(sizeof "##############################" == BAR + 1, "a bar has its length");
