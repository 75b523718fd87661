/*  The ledger's entries: a log, that is a row of batches each behind its length (two bytes), is applied to a state as a
 *  node would do when it starts. A batch is applied or RM_ECORRUPT; either way the state's books balance, no memory is
 *  lost, and a state that was told the same batches is the same to the byte.
 *
 *  The input is the log itself (its first byte is even), or decisions from which one is written, perhaps with damage.
 */
#include "fuzz.h"
#include "fuzz_alloc.h"
#include "fuzz_entries.h"
#include "fuzz_state.h"

enum { ENTRIES_MAX = 120 };

/* Jobs that are told of are told of once. */
static struct {
    uint64_t accepted, ended;
} told;

static void on_accepted (void *arg, rm_record_t *record)
{
    rm_state_t *state = arg;
    told.accepted++;
    CLAIM (record->id == state->last_id && record->outcome == RM_OUTCOME_NONE);
}

static void on_ended (void *arg, rm_record_t *record)
{
    (void)arg;
    told.ended++;
    CLAIM (record->outcome >= RM_OUTCOME_DONE && record->outcome <= RM_OUTCOME_EXPIRED);
}

static void on_waits_again (void *arg, rm_record_t *record)
{
    (void)arg;
    CLAIM (record->outcome == RM_OUTCOME_NONE);
}

static void on_member_removed (void *arg, rm_member_t *member)
{
    CLAIM (!rm_state_member (arg, member->inc));
}

/* Writes a batch of a few entries, now and then with one byte changed. */
static void write_batch (fuzz_input_t *input, rm_buf_t *log, uint64_t *time_ms, uint64_t *epoch)
{
    uint8_t how = fuzz_byte (input);
    rm_buf_t batch = {0};
    rm_entry_batch (&batch, *time_ms += how >> 4);
    for (int left = 1 + (how & 3); left; left--)
        fuzz_write_entry (input, &batch, epoch);
    if ((how & 12) == 12)
        batch.data[fuzz_below (input, (uint32_t)batch.size)] ^= fuzz_byte (input);
    uint8_t length[2] = {(uint8_t)batch.size, (uint8_t)(batch.size >> 8)};
    rm_buf_put (log, length, sizeof length);
    rm_buf_put (log, batch.data, batch.size);
    rm_buf_close (&batch);
}

static rm_buf_t log_of (const uint8_t *data, size_t size)
{
    rm_buf_t log = {0};
    fuzz_input_t input = {data, data + size};
    uint64_t time_ms = 1000, epoch = 0;
    bool raw = !(fuzz_byte (&input) & 1);
    if (raw)
        rm_buf_put (&log, input.at, (size_t)(input.end - input.at));
    for (int left = ENTRIES_MAX; !raw && left && fuzz_more (&input); left--)
        write_batch (&input, &log, &time_ms, &epoch);
    return log;
}

static void tell (rm_state_t *state, const rm_buf_t *log)
{
    fuzz_input_t input = {log->data, log->data ? log->data + log->size : NULL};
    while (fuzz_more (&input)) {
        size_t bytes = fuzz_number (&input, 2);
        const uint8_t *batch = fuzz_bytes (&input, &bytes);
        int rc = rm_state_apply (state, batch, bytes);
        CLAIM (rc == 0 || rc == RM_ECORRUPT);
        if (rc)
            return; /* the node stops */
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static rm_state_t state, again;
    fuzz_alloc_begin ();
    told.accepted = told.ended = 0;
    rm_buf_t log = log_of (data, size);
    CLAIM (!rm_state_init (&state) && !rm_state_init (&again));
    state.listener = (rm_state_listener_t){.arg = &state,
                                           .accepted = on_accepted,
                                           .ended = on_ended,
                                           .waits_again = on_waits_again,
                                           .member_removed = on_member_removed};
    tell (&state, &log);
    CLAIM (told.accepted == state.last_id && told.ended == state.done_count + state.dead_count);
    claim_sound (&state);
    claim_restorable (&state);
    tell (&again, &log);
    rm_buf_t one = bytes_of (&state), other = bytes_of (&again);
    CLAIM (same_bytes (&one, &other), "the same batches, two states");
    rm_buf_close (&one);
    rm_buf_close (&other);
    rm_buf_close (&log);
    rm_state_close (&state);
    rm_state_close (&again);
    fuzz_alloc_end ();
    return 0;
}
