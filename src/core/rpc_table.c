#include "core/rpc_table.h"

#include "proto/assert.h"
#include "ringmaster/error.h"

void rm_rpc_table_init (rm_rpc_table_t *self, uint64_t keep_ms, uint64_t bytes_max)
{
    *self = (rm_rpc_table_t){.keep_ms = keep_ms, .bytes_max = bytes_max};
    rm_list_init (&self->aging);
    rm_list_init (&self->heard);
}

static void drop_entry (rm_rpc_table_t *self, rm_rpc_entry_t *entry)
{
    HASH_DEL (entry->session->entries, entry);
    rm_list_remove (&entry->aging);
    self->bytes -= entry->reply_size;
    rm_free (entry->reply);
    rm_free (entry);
}

static void drop_session (rm_rpc_table_t *self, rm_rpc_session_t *session)
{
    rm_rpc_entry_t *entry, *next;
    HASH_ITER (hh, session->entries, entry, next)
        drop_entry (self, entry);
    HASH_DEL (self->sessions, session);
    rm_list_remove (&session->heard);
    rm_free (session);
}

void rm_rpc_table_close (rm_rpc_table_t *self)
{
    rm_rpc_session_t *session, *next;
    HASH_ITER (hh, self->sessions, session, next)
        drop_session (self, session);
}

static rm_rpc_session_t *session_of (rm_rpc_table_t *self, const rm_session_id_t *id, uint64_t now_ms)
{
    rm_rpc_session_t *session;
    HASH_FIND (hh, self->sessions, id, sizeof *id, session);
    if (!session) {
        session = rm_calloc (1, sizeof *session);
        if (!session)
            return NULL;
        session->id = *id;
        HASH_ADD (hh, self->sessions, id, sizeof session->id, session);
        if (!RM_HASH_ADDED (session)) {
            rm_free (session);
            return NULL;
        }
        rm_list_init (&session->heard);
    }
    session->heard_ms = now_ms;
    rm_list_remove (&session->heard);
    rm_list_append (&self->heard, &session->heard);
    return session;
}

static rm_rpc_entry_t *add_entry (rm_rpc_session_t *session, uint64_t seq, uint64_t hash)
{
    rm_rpc_entry_t *entry = rm_calloc (1, sizeof *entry);
    if (!entry)
        return NULL;
    entry->session = session;
    entry->seq = seq;
    entry->hash = hash;
    rm_list_init (&entry->aging);
    HASH_ADD (hh, session->entries, seq, sizeof entry->seq, entry);
    if (RM_HASH_ADDED (entry))
        return entry;
    rm_free (entry);
    return NULL;
}

static void raise_floor (rm_rpc_table_t *self, rm_rpc_session_t *session, uint64_t floor)
{
    uint64_t seq = session->floor;
    rm_rpc_entry_t *entry, *next;
    session->floor = floor;
    /* One that runs is discarded when it ends. The usual step is a short one, whatever else is kept. */
    if (floor - seq <= HASH_COUNT (session->entries)) {
        while (++seq <= floor) {
            HASH_FIND (hh, session->entries, &seq, sizeof seq, entry);
            if (entry && entry->done)
                drop_entry (self, entry);
        }
        return;
    }
    HASH_ITER (hh, session->entries, entry, next)
        if (entry->seq <= floor && entry->done)
            drop_entry (self, entry);
}

rm_rpc_found_t rm_rpc_table_begin (rm_rpc_table_t *self, const rm_msg_rpc_call_t *call, uint64_t hash, uint64_t now_ms,
                                   rm_rpc_entry_t **entry, bool *raised)
{
    *entry = NULL;
    *raised = false;
    rm_rpc_session_t *session = session_of (self, &call->session, now_ms);
    if (!session)
        return RM_RPC_NO_MEMORY;
    uint64_t floor = call->one ? call->seq - 1 : call->floor;
    if (floor > session->floor) {
        raise_floor (self, session, floor);
        *raised = true;
    }
    if (call->seq <= session->floor)
        return RM_RPC_STALE;
    rm_rpc_entry_t *found;
    HASH_FIND (hh, session->entries, &call->seq, sizeof call->seq, found);
    if (found && found->hash != hash)
        return RM_RPC_CONFLICT;
    if (!found && self->bytes >= self->bytes_max)
        return RM_RPC_FULL;
    *entry = found ? found : add_entry (session, call->seq, hash);
    if (!*entry)
        return RM_RPC_NO_MEMORY;
    if (!found)
        return RM_RPC_NEW;
    return found->done ? RM_RPC_DONE : RM_RPC_PENDING;
}

bool rm_rpc_table_end (rm_rpc_table_t *self, rm_rpc_entry_t *entry, uint8_t *reply, uint32_t size, uint64_t now_ms)
{
    RM_ASSERT (!entry->done);
    entry->done = true;
    entry->done_ms = now_ms;
    entry->running = NULL;
    entry->reply = reply;
    entry->reply_size = size;
    self->bytes += size;
    rm_list_append (&self->aging, &entry->aging);
    if (entry->seq > entry->session->floor)
        return true;
    drop_entry (self, entry);
    return false;
}

void rm_rpc_table_forget (rm_rpc_table_t *self, rm_rpc_entry_t *entry)
{
    RM_ASSERT (!entry->done);
    drop_entry (self, entry);
}

uint64_t rm_rpc_table_sweep (rm_rpc_table_t *self, uint64_t now_ms)
{
    uint64_t next_ms = UINT64_MAX;
    RM_LIST_EACH (&self->aging, link) {
        rm_rpc_entry_t *entry = RM_OWNER (link, rm_rpc_entry_t, aging);
        if (now_ms - entry->done_ms < self->keep_ms) {
            next_ms = entry->done_ms + self->keep_ms;
            break;
        }
        drop_entry (self, entry);
    }
    RM_LIST_EACH (&self->heard, link) {
        rm_rpc_session_t *session = RM_OWNER (link, rm_rpc_session_t, heard);
        uint64_t due_ms = session->heard_ms + self->keep_ms;
        if (now_ms < due_ms) {
            next_ms = due_ms < next_ms ? due_ms : next_ms;
            break;
        }
        if (!session->entries)
            drop_session (self, session);
    }
    return next_ms;
}

int rm_rpc_table_restore_floor (rm_rpc_table_t *self, const rm_session_id_t *id, uint64_t floor, uint64_t now_ms)
{
    rm_rpc_session_t *session = session_of (self, id, now_ms);
    if (!session)
        return RM_ENOMEM;
    session->floor = floor;
    return 0;
}

int rm_rpc_table_restore (rm_rpc_table_t *self, const rm_session_id_t *id, uint64_t seq, uint64_t hash,
                          uint64_t done_ms, uint8_t *reply, uint32_t size, uint64_t now_ms)
{
    rm_rpc_session_t *session = session_of (self, id, now_ms);
    rm_rpc_entry_t *entry = session ? add_entry (session, seq, hash) : NULL;
    if (!entry)
        return RM_ENOMEM;
    rm_rpc_table_end (self, entry, reply, size, done_ms);
    return 0;
}

uint64_t rm_rpc_call_hash (const rm_msg_rpc_call_t *call)
{
    uint64_t of_name = XXH3_64bits (call->name.data, call->name.size);
    return XXH3_64bits_withSeed (call->args.data, call->args.size, of_name);
}
