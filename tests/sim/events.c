#include "events.h"

#include <stdlib.h>

static bool earlier (const sim_event_t *a, const sim_event_t *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void sim_events_add (sim_events_t *self, sim_event_t event)
{
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 256;
        self->all = realloc (self->all, self->room * sizeof *self->all);
        if (!self->all)
            abort ();
    }
    event.order = ++self->added;
    uint32_t at = self->count++;
    for (; at && earlier (&event, &self->all[(at - 1) / 2]); at = (at - 1) / 2)
        self->all[at] = self->all[(at - 1) / 2];
    self->all[at] = event;
}

bool sim_events_next (sim_events_t *self, sim_event_t *event)
{
    if (!self->count)
        return false;
    *event = self->all[0];
    sim_event_t last = self->all[--self->count];
    uint32_t at = 0;
    for (uint32_t child; (child = 2 * at + 1) < self->count; at = child) {
        if (child + 1 < self->count && earlier (&self->all[child + 1], &self->all[child]))
            child++;
        if (!earlier (&self->all[child], &last))
            break;
        self->all[at] = self->all[child];
    }
    if (self->count)
        self->all[at] = last;
    return true;
}

void sim_events_close (sim_events_t *self)
{
    free (self->all);
    *self = (sim_events_t){0};
}
