#include "master/parts.h"

#include "core/snapshot.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

/* The parts' array carries its snapshot in front of it, so that it is found again when they are done with. */
typedef struct {
    rm_snapshot_t *snapshot;
    rm_ledger_part_t parts[];
} taken_t;

int rm_parts_take (const rm_state_t *state, rm_ledger_part_t **parts_p, size_t *count_p)
{
    rm_snapshot_t *snapshot = rm_snapshot_take (state);
    if (!snapshot)
        return RM_ENOMEM;
    const rm_part_t *parts = rm_snapshot_parts (snapshot, count_p);
    taken_t *taken = rm_malloc (sizeof *taken + *count_p * sizeof taken->parts[0]);
    if (!taken) {
        rm_snapshot_destroy (&snapshot);
        return RM_ENOMEM;
    }
    taken->snapshot = snapshot;
    for (size_t i = 0; i < *count_p; i++)
        taken->parts[i] = (rm_ledger_part_t){parts[i].data, parts[i].size};
    *parts_p = taken->parts;
    return 0;
}

void rm_parts_give_back (rm_ledger_part_t *parts)
{
    taken_t *taken = RM_OWNER (parts, taken_t, parts[0]);
    rm_snapshot_destroy (&taken->snapshot);
    rm_free (taken);
}
