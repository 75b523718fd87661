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
    self->endpoints = rm_calloc (RM_MASTERS_MAX, sizeof *self->endpoints);
    if (!self->endpoints)
        return RM_ENOMEM;
    for (; self->count < count; self->given = ++self->count) {
        self->endpoints[self->count] = rm_strndup (endpoints[self->count], strlen (endpoints[self->count]));
        if (!self->endpoints[self->count]) {
            rm_masters_close (self);
            return RM_ENOMEM;
        }
    }
    return 0;
}

void rm_masters_close (rm_masters_t *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        rm_free (self->endpoints[i]);
    rm_free (self->endpoints);
    *self = (rm_masters_t){0};
}

const char *rm_masters_current (const rm_masters_t *self)
{
    return self->endpoints[self->at];
}

void rm_masters_next (rm_masters_t *self)
{
    self->at = (self->at + 1) % self->count;
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
    while (i < self->count && !rm_bytes_equal (rm_bytes (self->endpoints[i]), endpoint))
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
        self->endpoints[self->count++] = copy;
    return place;
}

static void forget (rm_masters_t *self, uint32_t place)
{
    rm_free (self->endpoints[place]);
    self->count--;
    memmove (self->endpoints + place, self->endpoints + place + 1, (self->count - place) * sizeof *self->endpoints);
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
        if (place != self->at && !is_named (endpoints, count, self->endpoints[place]))
            forget (self, place);
    for (uint32_t i = 0; i < count; i++)
        if (is_endpoint (endpoints[i]))
            add (self, endpoints[i]);
}

bool rm_masters_turn_to (rm_masters_t *self, rm_bytes_t endpoint)
{
    uint32_t place = is_endpoint (endpoint) ? add (self, endpoint) : self->count;
    if (place == self->count)
        return false;
    self->at = place;
    return true;
}
