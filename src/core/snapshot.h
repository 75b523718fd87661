/*  Snapshots of the ledger's state: small things are written into one buffer, payloads and results are handed over by
 *  reference, so that taking one does not copy them and does not stop the loop for long.
 *
 *  The bytes are the state and nothing else: two states that are equal have equal snapshots.
 *  Thread rule: the loop's thread; the parts' bytes may be read by any thread until the snapshot is closed.
 */
#pragma once

#include <stddef.h>

#include "core/state.h"

typedef struct {
    const void *data;
    size_t size;
} rm_part_t;

typedef struct rm_snapshot rm_snapshot_t;

/* Takes one; NULL when memory has run out. The state may change meanwhile, the parts stay as they are. */
rm_snapshot_t *rm_snapshot_take (const rm_state_t *state);
/* The parts, whose concatenation is the snapshot. */
const rm_part_t *rm_snapshot_parts (const rm_snapshot_t *self, size_t *count_p);
/* Lets the parts go; nulls the pointer, takes NULL. */
void rm_snapshot_destroy (rm_snapshot_t **self_p);

/* Fills a state that was just initialised; 0, RM_ENOMEM or RM_ECORRUPT. On error the state is to be closed. */
int rm_snapshot_restore (rm_state_t *state, const void *data, size_t size);
