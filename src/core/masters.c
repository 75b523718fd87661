#include "core/masters.h"

#include <string.h>

#include "proto/alloc.h"
#include "ringmaster/error.h"

int rm_masters_init (rm_masters_t *self, const char *const *endpoints, uint32_t count)
{
    *self = (rm_masters_t){0};
    if (count < 1 || count > RM_MASTERS_MAX)
        return RM_EINVAL;
    for (uint32_t i = 0; i < count; i++)
        if (!*endpoints[i] || strlen (endpoints[i]) > RM_ENDPOINT_BYTES_MAX)
            return RM_EINVAL;
    self->all = rm_calloc (RM_MASTERS_MAX, sizeof *self->all);
    if (!self->all)
        return RM_ENOMEM;
    for (; self->count < count; self->given = ++self->count) {
        self->all[self->count].endpoint = rm_strndup (endpoints[self->count], strlen (endpoints[self->count]));
        if (!self->all[self->count].endpoint) {
            rm_masters_close (self);
            return RM_ENOMEM;
        }
    }
    return 0;
}

void rm_masters_close (rm_masters_t *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        rm_free (self->all[i].endpoint);
    rm_free (self->all);
    *self = (rm_masters_t){0};
}

const char *rm_masters_current (const rm_masters_t *self)
{
    return self->all[self->at].endpoint;
}

/* When it was asked what it did not answer; 0: it is asked in turn. */
static uint64_t silent_since_ms (const rm_known_master_t *master, uint64_t now_ms)
{
    return master->silent && now_ms < master->asked_ms + RM_MASTERS_LAST_MS ? master->asked_ms + 1 : 0;
}

void rm_masters_next (rm_masters_t *self, uint64_t now_ms)
{
    uint32_t next = (self->at + 1) % self->count;
    for (uint32_t i = 2; i <= self->count; i++) {
        uint32_t other = (self->at + i) % self->count;
        if (silent_since_ms (&self->all[other], now_ms) < silent_since_ms (&self->all[next], now_ms))
            next = other;
    }
    self->at = next;
}

void rm_masters_silent (rm_masters_t *self, uint64_t asked_ms)
{
    self->all[self->at].silent = true;
    self->all[self->at].asked_ms = asked_ms;
}

void rm_masters_heard (rm_masters_t *self)
{
    self->all[self->at].silent = false;
}

/* tcp://… without a NUL in it. */
static bool is_endpoint (rm_bytes_t text)
{
    return text.size > 6 && text.size <= RM_ENDPOINT_BYTES_MAX && !memcmp (text.data, "tcp://", 6) &&
           !memchr (text.data, 0, text.size);
}

/* Its place; `count` if it is not known. */
static uint32_t find (const rm_masters_t *self, rm_bytes_t endpoint)
{
    uint32_t i = 0;
    while (i < self->count && !rm_bytes_equal (rm_bytes (self->all[i].endpoint), endpoint))
        i++;
    return i;
}

/* Its place, new if it was not known; `count` if there is no room for it. */
static uint32_t add (rm_masters_t *self, rm_bytes_t endpoint)
{
    uint32_t place = find (self, endpoint);
    if (place < self->count || self->count == RM_MASTERS_MAX)
        return place;
    char *copy = rm_strndup (endpoint.data, endpoint.size);
    if (copy)
        self->all[self->count++] = (rm_known_master_t){.endpoint = copy};
    return place;
}

static void forget (rm_masters_t *self, uint32_t place)
{
    rm_free (self->all[place].endpoint);
    self->count--;
    memmove (self->all + place, self->all + place + 1, (self->count - place) * sizeof *self->all);
    if (self->at > place)
        self->at--;
}

static bool is_named (const rm_bytes_t *endpoints, uint32_t count, const char *endpoint)
{
    for (uint32_t i = 0; i < count; i++)
        if (rm_bytes_equal (endpoints[i], rm_bytes (endpoint)))
            return true;
    return false;
}

void rm_masters_learn (rm_masters_t *self, const rm_bytes_t *endpoints, uint32_t count)
{
    if (!count)
        return;
    for (uint32_t place = self->count; place-- > self->given;)
        if (place != self->at && !is_named (endpoints, count, self->all[place].endpoint))
            forget (self, place);
    for (uint32_t i = 0; i < count; i++)
        if (is_endpoint (endpoints[i]))
            add (self, endpoints[i]);
}

bool rm_masters_turn_to (rm_masters_t *self, rm_bytes_t endpoint, uint64_t now_ms)
{
    uint32_t place = is_endpoint (endpoint) ? add (self, endpoint) : self->count;
    if (place == self->count)
        return false;
    const rm_known_master_t *master = &self->all[place];
    if (master->silent && now_ms < master->asked_ms + RM_MASTERS_DOUBT_MS)
        return false;
    self->at = place;
    return true;
}
