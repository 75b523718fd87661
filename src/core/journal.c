#include "core/journal.h"

#include "proto/alloc.h"
#include "proto/assert.h"

enum { TERM_SHIFT = 40 /* as in a token: a term has room for 2^40 events */ };

void rm_journal_begin (rm_journal_t *self, uint64_t term)
{
    rm_journal_close (self);
    self->last = term << TERM_SHIFT;
}

void rm_journal_close (rm_journal_t *self)
{
    rm_free (self->events);
    self->events = NULL;
    self->count = 0;
}

bool rm_journal_watch (rm_journal_t *self, uint64_t mono_ms)
{
    self->watched_ms = mono_ms + RM_JOURNAL_WATCHED_MS;
    if (!self->events)
        self->events = rm_calloc (RM_JOURNAL_EVENTS, sizeof *self->events);
    return self->events != NULL;
}

bool rm_journal_wants (rm_journal_t *self, uint64_t mono_ms)
{
    if (self->events && mono_ms >= self->watched_ms)
        rm_journal_close (self);
    self->last += !self->events;
    return self->events != NULL;
}

void rm_journal_note (rm_journal_t *self, const rm_event_t *event)
{
    RM_ASSERT (self->events);
    self->events[++self->last % RM_JOURNAL_EVENTS] = *event;
    self->count += self->count < RM_JOURNAL_EVENTS;
}

uint64_t rm_journal_next (const rm_journal_t *self, uint64_t after, uint64_t *lost)
{
    uint64_t term = self->last >> TERM_SHIFT << TERM_SHIFT, first = self->last - self->count + 1;
    if (after < term || after > self->last)
        after = term;
    *lost = after + 1 < first ? first - after - 1 : 0;
    return after + 1 < first ? first : after + 1;
}

const rm_event_t *rm_journal_event (const rm_journal_t *self, uint64_t number)
{
    RM_ASSERT (number <= self->last && self->last - number < self->count);
    return &self->events[number % RM_JOURNAL_EVENTS];
}
