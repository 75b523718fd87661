#include "core/generation.h"

#include "core/entry.h"
#include "ringmaster/error.h"

/* As a leader would, had they all fallen silent with nothing in flight. */
static int remove_members (rm_state_t *state, uint64_t now_ms)
{
    rm_buf_t batch = {0};
    rm_entry_batch (&batch, now_ms);
    for (const rm_member_t *member = state->by_inc; member; member = member->hh.next)
        rm_entry_member_remove (&batch, &(rm_entry_remove_t){.inc = member->inc});
    int rc = batch.failed ? RM_ENOMEM : rm_state_apply (state, batch.data, batch.size);
    rm_buf_close (&batch);
    return rc;
}

int rm_generation_begin (rm_state_t *state, uint64_t now_ms)
{
    if (state->last_id > INT64_MAX - RM_GENERATION_IDS || state->term > RM_GENERATION_TERM_MAX - RM_GENERATION_TERMS ||
        state->epoch > INT64_MAX - RM_GENERATION_EPOCHS)
        return RM_ETOOBIG;
    int rc = remove_members (state, now_ms);
    if (rc)
        return rc;
    for (rm_ledger_session_t *session = state->sessions; session; session = session->hh.next)
        rm_session_raise_floor (session, RM_SESSION_ENDED);
    state->term += RM_GENERATION_TERMS;
    state->epoch += RM_GENERATION_EPOCHS;
    state->committed_epoch += RM_GENERATION_EPOCHS;
    state->skipped_after = state->last_id;
    state->skipped_count += RM_GENERATION_IDS;
    state->last_id += RM_GENERATION_IDS;
    state->restored_ms = state->time_ms;
    return 0;
}
