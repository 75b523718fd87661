#include "core/blob.h"

#include <string.h>

#include "proto/alloc.h"
#include "proto/assert.h"

rm_blob_t *rm_blob_new (const void *data, size_t size)
{
    rm_blob_t *self = rm_malloc (sizeof *self + size + 1);
    if (!self)
        return NULL;
    self->refs = 1;
    self->size = (uint32_t)size;
    if (size)
        memcpy (self->data, data, size);
    self->data[size] = 0;
    return self;
}

rm_blob_t *rm_blob_ref (rm_blob_t *self)
{
    if (self)
        self->refs++;
    return self;
}

void rm_blob_unref (rm_blob_t **self_p)
{
    rm_blob_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    RM_ASSERT (self->refs > 0);
    if (--self->refs == 0)
        rm_free (self);
}
