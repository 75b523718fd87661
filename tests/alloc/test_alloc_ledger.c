/*  The ledger without memory: a batch that cannot be applied stops the node, and the same log makes the same state when it
 *  starts again; a snapshot that cannot be taken is taken later; one that cannot be restored is restored the next time.
 */
#include "sweep.h"

#include "core/snapshot.h"
#include "core/splitmix.h"
#include "fuzz_entries.h"
#include "ledger_check.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

enum { BATCHES = 400, BATCHES_MORE = 100, RESIZE = 13, RESIZE_EVERY = 8 };

static rm_state_t state;
static rm_buf_t batches[BATCHES + BATCHES_MORE];
static rm_buf_t expected; /* the state's bytes after all of them */

/* Random entries of all kinds, always the same ones; few resizes, since each walks all slots of every pool. */
static void write_log (void)
{
    uint64_t random = 5, epoch = 0;
    for (int i = 0; i < BATCHES + BATCHES_MORE; i++) {
        uint8_t decisions[64];
        for (size_t j = 0; j < sizeof decisions; j++)
            decisions[j] = (uint8_t)rm_splitmix (&random);
        if (decisions[0] % 16 == RESIZE && i % RESIZE_EVERY)
            decisions[0] = 0;
        fuzz_input_t input = {decisions, decisions + sizeof decisions};
        rm_entry_batch (&batches[i], 1000 + (uint64_t)i);
        fuzz_write_entry (&input, &batches[i], &epoch);
    }
}

static int apply (int from, int to)
{
    int rc = 0;
    for (int i = from; i < to && !rc; i++)
        rc = rm_state_apply (&state, batches[i].data, batches[i].size);
    return rc;
}

static void open_state (void)
{
    cr_assert_eq (rm_state_init (&state), 0);
}

/* The node stops, and starts again with what is in its log. */
static void start_again (int rc, int to)
{
    cr_assert_eq (rc, RM_ENOMEM);
    cr_assert (memory_failed ());
    memory_returns ();
    rm_state_close (&state);
    open_state ();
    cr_assert_eq (apply (0, to), 0);
}

static rm_buf_t bytes_of (rm_snapshot_t *snapshot)
{
    rm_buf_t bytes = {0};
    size_t count;
    const rm_part_t *parts = rm_snapshot_parts (snapshot, &count);
    for (size_t i = 0; i < count; i++)
        rm_buf_put (&bytes, parts[i].data, parts[i].size);
    return bytes;
}

static rm_buf_t take (void)
{
    rm_snapshot_t *snapshot = rm_snapshot_take (&state);
    if (!snapshot) {
        cr_assert (memory_failed ());
        memory_returns ();
        snapshot = rm_snapshot_take (&state);
    }
    cr_assert (snapshot);
    memory_counts (false);
    rm_buf_t bytes = bytes_of (snapshot);
    memory_counts (true);
    rm_snapshot_destroy (&snapshot);
    return bytes;
}

static void restore (const rm_buf_t *bytes)
{
    open_state ();
    int rc = rm_snapshot_restore (&state, bytes->data, bytes->size);
    if (!rc)
        return;
    cr_assert_eq (rc, RM_ENOMEM);
    cr_assert (memory_failed ());
    memory_returns ();
    rm_state_close (&state);
    open_state ();
    cr_assert_eq (rm_snapshot_restore (&state, bytes->data, bytes->size), 0);
}

static void live (void)
{
    open_state ();
    memory_counts (true);
    int rc = apply (0, BATCHES);
    if (rc)
        start_again (rc, BATCHES);
    rm_buf_t bytes = take ();
    rm_state_close (&state);
    restore (&bytes);
    rc = apply (BATCHES, BATCHES + BATCHES_MORE);
    if (rc)
        start_again (rc, BATCHES + BATCHES_MORE);
    claim_t broken = check_state (&state);
    cr_assert_null (broken, "%s", broken);
    rm_buf_close (&bytes);
    bytes = take ();
    if (!expected.size) {
        expected.data = malloc (bytes.size);
        memcpy (expected.data, bytes.data, expected.size = bytes.size);
    }
    cr_assert_eq (bytes.size, expected.size);
    cr_assert_arr_eq (bytes.data, expected.data, bytes.size);
    rm_buf_close (&bytes);
    rm_state_close (&state);
}

Test (alloc_ledger, the_same_log_makes_the_same_state_whatever_was_refused, .timeout = 280)
{
    write_log ();
    sweep (live, 200);
    for (int i = 0; i < BATCHES + BATCHES_MORE; i++)
        rm_buf_close (&batches[i]);
    free (expected.data);
}
