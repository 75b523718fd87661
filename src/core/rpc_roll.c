#include "core/rpc_roll.h"

void rm_rpc_roll_init (rm_rpc_roll_t *self, uint64_t silence_ms)
{
    *self = (rm_rpc_roll_t){.silence_ms = silence_ms};
    rm_list_init (&self->heard);
}

void rm_rpc_roll_close (rm_rpc_roll_t *self)
{
    rm_rpc_guest_t *guest, *next;
    HASH_ITER (hh, self->guests, guest, next)
        rm_rpc_roll_remove (self, guest);
}

rm_rpc_guest_t *rm_rpc_roll_find (rm_rpc_roll_t *self, const rm_session_id_t *session)
{
    rm_rpc_guest_t *guest;
    HASH_FIND (hh, self->guests, session, sizeof *session, guest);
    return guest;
}

rm_rpc_guest_t *rm_rpc_roll_add (rm_rpc_roll_t *self, const rm_session_id_t *session, rm_bytes_t name, uint64_t now_ms)
{
    rm_rpc_guest_t *guest = rm_calloc (1, sizeof *guest);
    if (!guest)
        return NULL;
    guest->session = *session;
    for (uint32_t i = 0; i < name.size && i < RM_CLIENT_NAME_BYTES_MAX; i++) {
        unsigned char byte = ((const unsigned char *)name.data)[i];
        guest->name[i] = byte < 0x20 || byte == 0x7f ? ' ' : (char)byte;
    }
    HASH_ADD (hh, self->guests, session, sizeof guest->session, guest);
    if (!RM_HASH_ADDED (guest)) {
        rm_free (guest);
        return NULL;
    }
    rm_list_init (&guest->heard);
    rm_rpc_roll_heard (self, guest, now_ms);
    return guest;
}

void rm_rpc_roll_heard (rm_rpc_roll_t *self, rm_rpc_guest_t *guest, uint64_t now_ms)
{
    guest->heard_ms = now_ms;
    rm_list_remove (&guest->heard);
    rm_list_append (&self->heard, &guest->heard);
}

void rm_rpc_roll_remove (rm_rpc_roll_t *self, rm_rpc_guest_t *guest)
{
    HASH_DEL (self->guests, guest);
    rm_list_remove (&guest->heard);
    rm_free (guest);
}

rm_rpc_guest_t *rm_rpc_roll_silent (rm_rpc_roll_t *self, uint64_t now_ms, uint64_t *next_ms)
{
    *next_ms = UINT64_MAX;
    RM_LIST_EACH (&self->heard, link) {
        rm_rpc_guest_t *guest = RM_OWNER (link, rm_rpc_guest_t, heard);
        if (now_ms < guest->heard_ms + self->silence_ms) {
            *next_ms = guest->heard_ms + self->silence_ms;
            return NULL;
        }
        if (!guest->calls)
            return guest;
    }
    return NULL;
}
