#include "proto/buf.h"

#include "proto/alloc.h"
#include "ringmaster/error.h"

int rm_buf_reserve (rm_buf_t *self, size_t size)
{
    if (self->failed)
        return RM_ENOMEM;
    if (self->capacity - self->size >= size)
        return 0;
    size_t capacity = self->capacity ? self->capacity : 256;
    while (capacity - self->size < size)
        capacity *= 2;
    uint8_t *data = rm_realloc (self->data, capacity);
    if (!data) {
        self->failed = true;
        return RM_ENOMEM;
    }
    self->data = data;
    self->capacity = capacity;
    return 0;
}

void rm_buf_clear (rm_buf_t *self)
{
    self->size = 0;
    self->failed = false;
}

void rm_buf_close (rm_buf_t *self)
{
    rm_free (self->data);
    *self = (rm_buf_t){0};
}
