/*  Immutable bytes with a reference count: log, state and snapshot share one copy of a payload or a result.
 *
 *  Thread rule: references are counted on the loop's thread only; the bytes may be read by any thread meanwhile.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t refs;
    uint32_t size; /* bytes of data; a NUL stands behind them */
    uint8_t data[];
} rm_blob_t;

/* A blob with one reference and a copy of `data`; NULL when memory has run out. */
rm_blob_t *rm_blob_new (const void *data, size_t size);

/* One more reference; takes and answers NULL. */
rm_blob_t *rm_blob_ref (rm_blob_t *self);

/* One reference less, the last frees; nulls the pointer, takes NULL. */
void rm_blob_unref (rm_blob_t **self_p);
