#include "core/share.h"

#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

static rm_share_t *find (const rm_queue_t *queue, const rm_ledger_session_t *session)
{
    rm_share_t *share;
    HASH_FIND (hh, queue->shares, &session, sizeof session, share);
    return share;
}

const rm_share_t *rm_share_of (const rm_queue_t *queue, const rm_ledger_session_t *session)
{
    return find (queue, session);
}

int rm_share_add (rm_queue_t *queue, rm_ledger_session_t *session, uint64_t bytes)
{
    rm_share_t *share = queue->shared ? find (queue, session) : NULL;
    if (queue->shared && !share) {
        share = rm_calloc (1, sizeof *share);
        if (!share)
            return RM_ENOMEM;
        share->session = session;
        HASH_ADD (hh, queue->shares, session, sizeof session, share);
        if (!RM_HASH_ADDED (share)) {
            rm_free (share);
            return RM_ENOMEM;
        }
    }
    if (share) {
        share->count++;
        share->bytes += bytes;
    }
    return 0;
}

void rm_share_take (rm_queue_t *queue, const rm_ledger_session_t *session, uint64_t bytes)
{
    rm_share_t *share = queue->shared ? find (queue, session) : NULL;
    if (!share)
        return;
    RM_ASSERT (share->count && share->bytes >= bytes);
    share->bytes -= bytes;
    if (--share->count)
        return;
    HASH_DEL (queue->shares, share);
    rm_free (share);
}

int rm_share_review (rm_queue_t *queue)
{
    bool wanted = queue->client_jobs_max || queue->client_bytes_max;
    if (wanted == queue->shared)
        return 0;
    rm_share_drop (queue);
    queue->shared = wanted;
    if (wanted)
        RM_LIST_EACH (&queue->open, link) {
            rm_record_t *record = RM_OWNER (link, rm_record_t, open);
            if (rm_share_add (queue, record->session, record->data_size))
                return RM_ENOMEM;
        }
    return 0;
}

void rm_share_drop (rm_queue_t *queue)
{
    for (rm_share_t *share = queue->shares, *next; share; share = next) {
        next = share->hh.next;
        HASH_DEL (queue->shares, share);
        rm_free (share);
    }
}
