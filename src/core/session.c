/*  Sessions: at-most-once submits by (session, seq, floor), after RIFL (Lee et al., SOSP 2015). */
#include <string.h>

#include "core/state.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

static rm_request_t *request_at (const rm_ledger_session_t *self, uint64_t offset)
{
    return &self->requests[(self->request_first + offset) % self->request_capacity];
}

const rm_request_t *rm_session_request (const rm_ledger_session_t *self, uint64_t seq)
{
    if (seq <= self->floor || seq - self->floor > self->request_count)
        return NULL;
    rm_request_t *request = request_at (self, seq - self->floor - 1);
    return request->id ? request : NULL;
}

static int grow (rm_ledger_session_t *self, uint32_t count)
{
    uint32_t capacity = self->request_capacity ? self->request_capacity : 4;
    while (capacity < count)
        capacity *= 2;
    rm_request_t *requests = rm_calloc (capacity, sizeof *requests);
    if (!requests)
        return RM_ENOMEM;
    for (uint32_t i = 0; i < self->request_count; i++)
        requests[i] = *request_at (self, i);
    rm_free (self->requests);
    self->requests = requests;
    self->request_first = 0;
    self->request_capacity = capacity;
    return 0;
}

int rm_session_note (rm_ledger_session_t *self, uint64_t seq, uint64_t id, uint64_t hash)
{
    uint64_t offset = seq - self->floor - 1;
    if (offset >= self->request_count) {
        if (offset >= self->request_capacity && grow (self, (uint32_t)offset + 1))
            return RM_ENOMEM;
        for (uint64_t i = self->request_count; i <= offset; i++)
            *request_at (self, i) = (rm_request_t){0};
        self->request_count = (uint32_t)offset + 1;
    }
    *request_at (self, offset) = (rm_request_t){id, hash};
    return 0;
}

void rm_session_raise_floor (rm_ledger_session_t *self, uint64_t floor)
{
    if (floor <= self->floor)
        return;
    uint64_t drop = floor - self->floor;
    if (drop > self->request_count)
        drop = self->request_count;
    if (self->request_capacity)
        self->request_first = (uint32_t)((self->request_first + drop) % self->request_capacity);
    self->request_count -= (uint32_t)drop;
    self->floor = floor;
}
