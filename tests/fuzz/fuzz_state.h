/*  What the targets of the ledger share: the bytes of a state, and whether its books balance. */
#pragma once

#include "core/snapshot.h"
#include "fuzz.h"
#include "ledger_check.h"
#include "proto/buf.h"
#include "ringmaster/error.h"

/* All that apply can see of a state: two states are equal when these bytes are. Closed by the caller. */
static inline rm_buf_t bytes_of (const rm_state_t *state)
{
    rm_buf_t bytes = {0};
    size_t count;
    rm_snapshot_t *snapshot = rm_snapshot_take (state);
    CLAIM (snapshot);
    const rm_part_t *parts = rm_snapshot_parts (snapshot, &count);
    for (size_t i = 0; i < count; i++)
        rm_buf_put (&bytes, parts[i].data, parts[i].size);
    CLAIM (!bytes.failed);
    rm_snapshot_destroy (&snapshot);
    return bytes;
}

static inline bool same_bytes (const rm_buf_t *one, const rm_buf_t *other)
{
    return one->size == other->size && !memcmp (one->data, other->data, one->size);
}

static inline void claim_sound (const rm_state_t *state)
{
    claim_t broken = check_state (state);
    CLAIM (!broken, "%s", broken);
}

/* What is restored from a state's snapshot is that state. */
static inline void claim_restorable (const rm_state_t *state)
{
    static rm_state_t restored;
    rm_buf_t bytes = bytes_of (state);
    CLAIM (!rm_state_init (&restored));
    int rc = rm_snapshot_restore (&restored, bytes.data, bytes.size);
    CLAIM (!rc, "its own snapshot is refused: %d", rc);
    rm_buf_t again = bytes_of (&restored);
    CLAIM (same_bytes (&bytes, &again), "another state was restored");
    claim_sound (&restored);
    rm_state_close (&restored);
    rm_buf_close (&bytes);
    rm_buf_close (&again);
}
