/*  The snapshot reader: what it takes is a state whose books balance and whose snapshot is the input to the byte, and on
 *  which a leader can stand; what it refuses leaves no memory behind.
 */
#include "core/leader.h"
#include "fuzz.h"
#include "fuzz_alloc.h"
#include "fuzz_state.h"

static void nowhere (void *arg, const rm_address_t *to, rm_msg_type_t type, rm_buf_t *frame)
{
    (void)arg, (void)to, (void)type, (void)frame;
}

static void to_nobody (void *arg, const rm_address_t *to, rm_msg_type_t type, uint32_t phase, rm_buf_t *frame)
{
    (void)arg, (void)to, (void)type, (void)phase, (void)frame;
}

static void unheard (void *arg, uint32_t phase, rm_buf_t *frame)
{
    (void)arg, (void)phase, (void)frame;
}

/* A second of a new leader's life, in which nobody says anything; then long enough for every lease to be over. */
static void lead (rm_state_t *state)
{
    static const rm_leader_out_t out = {.to_client = nowhere, .to_worker = to_nobody, .publish = unheard};
    static const uint64_t times[] = {0, 100, 1000, 1500, 3000, 3100};
    static rm_leader_t leader;
    rm_leader_config_t config = rm_leader_defaults ();
    rm_leader_init (&leader, state, &config, &out, 1);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        rm_now_t now = {1000000 + times[i], 1700000000000 + times[i]};
        if (!i)
            rm_leader_stand (&leader, now);
        rm_leader_tick (&leader, now);
        rm_leader_flush (&leader, now);
        for (rm_batch_t *batch; (batch = rm_leader_take_batch (&leader, now));) {
            CLAIM (!rm_state_apply (state, batch->bytes.data, batch->bytes.size));
            rm_leader_applied (&leader, now, batch->number);
            rm_batch_destroy (&batch);
        }
    }
    CLAIM (leader.leading && !leader.out_of_memory);
    rm_leader_close (&leader);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static rm_state_t state;
    fuzz_alloc_begin ();
    CLAIM (!rm_state_init (&state));
    int rc = rm_snapshot_restore (&state, data, size);
    CLAIM (rc == 0 || rc == RM_ECORRUPT);
    if (!rc) {
        rm_buf_t bytes = bytes_of (&state);
        bool present = data[0] > 1; /* an older spelling is read, but not written */
        CLAIM (!present || (bytes.size == size && !memcmp (bytes.data, data, size)), "taken, but written otherwise");
        rm_buf_close (&bytes);
        claim_sound (&state);
        lead (&state);
        claim_sound (&state);
        claim_restorable (&state);
    }
    rm_state_close (&state);
    fuzz_alloc_end ();
    return 0;
}
