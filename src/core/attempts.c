#include "core/attempts.h"

#include <string.h>

#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

static void free_attempt (rm_attempt_t *attempt)
{
    rm_blob_unref (&attempt->worker);
    rm_blob_unref (&attempt->reason);
}

int rm_attempts_add (rm_attempts_t **self_p, const rm_attempt_t *attempt)
{
    rm_attempts_t *self = *self_p;
    uint32_t count = self ? self->count : 0;
    if (count == RM_ATTEMPTS_KEPT) {
        free_attempt (&self->list[0]);
        memmove (&self->list[0], &self->list[1], --self->count * sizeof self->list[0]);
    } else {
        self = rm_realloc (self, sizeof *self + (count + 1) * sizeof self->list[0]);
        if (!self)
            return RM_ENOMEM;
        self->count = count;
        *self_p = self;
    }
    self->list[self->count++] = *attempt;
    return 0;
}

void rm_attempts_destroy (rm_attempts_t **self_p)
{
    rm_attempts_t *self = *self_p;
    *self_p = NULL;
    for (uint32_t i = 0; self && i < self->count; i++)
        free_attempt (&self->list[i]);
    rm_free (self);
}

uint64_t rm_attempts_bytes (const rm_attempts_t *self)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; self && i < self->count; i++)
        bytes += self->list[i].worker->size + (self->list[i].reason ? self->list[i].reason->size : 0);
    return bytes;
}

rm_bytes_t rm_attempt_reason (rm_bytes_t reason)
{
    enum { CONTINUED = 0x80, CONTINUES = 0xc0, LETTER_BYTES_MAX = 4 };
    const uint8_t *bytes = reason.data;
    uint32_t size = RM_ATTEMPT_REASON_BYTES_MAX;
    if (reason.size <= size)
        return reason;
    for (int i = 1; i < LETTER_BYTES_MAX && (bytes[size] & CONTINUES) == CONTINUED; i++)
        size--;
    if ((bytes[size] & CONTINUES) == CONTINUED)
        size = RM_ATTEMPT_REASON_BYTES_MAX; /* it is not UTF-8 */
    return (rm_bytes_t){reason.data, size};
}

const char *rm_attempt_how (uint32_t how)
{
    static const char *const names[] = {[RM_VERDICT_RETRY] = "failed",
                                        [RM_VERDICT_DEAD] = "failed for good",
                                        [RM_VERDICT_TIMEOUT] = "timed out",
                                        [RM_VERDICT_INTERRUPTED] = "interrupted",
                                        [RM_ATTEMPT_CRASHED] = "crashed"};
    RM_ASSERT (how >= RM_VERDICT_RETRY && how <= RM_ATTEMPT_CRASHED);
    return names[how];
}
