/*  What goes to other masters, and what libraft does to the disk without looking: our functions before libraft's own in its
 *  struct raft_io. raft_peers.c says why.
 *
 *  Thread rule: the loop's thread.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "master/raft_inside.h"
#include "ringmaster/error.h"

/* Bytes of entries to one master; it is sent heartbeats until they have left. */
enum { QUEUED_MAX = 16 << 20 };

static rm_ledger_t *ledger_of (struct raft_io *io)
{
    return (rm_ledger_t *)((char *)io - offsetof (rm_ledger_t, io));
}

/* ---- what goes -------------------------------------------------------------------------------------------------- */

/* Entries on their way. */
typedef struct {
    struct raft_io_send send;
    rm_ledger_t *ledger;
    uint64_t id, bytes;
    struct raft_io_send *original;
    raft_io_send_cb done;
} parcel_t;

static int lose (struct raft_io_send *request, raft_io_send_cb done, int status)
{
    request->cb = done;
    if (done)
        done (request, status);
    return 0;
}

static void on_parcel_sent (struct raft_io_send *send, int status)
{
    parcel_t *parcel = (parcel_t *)send;
    rm_raft_peer_t *peer = rm_raft_peer (parcel->ledger, parcel->id);
    if (peer)
        peer->queued_bytes -= parcel->bytes < peer->queued_bytes ? parcel->bytes : peer->queued_bytes;
    struct raft_io_send *original = parcel->original;
    raft_io_send_cb done = parcel->done;
    raft_free (parcel);
    lose (original, done, status);
}

/* Sends as many of the entries as the other side takes and as may be queued; those left out are asked for again. */
static int send_entries (rm_ledger_t *self, struct raft_io_send *request, const struct raft_message *message,
                         raft_io_send_cb done)
{
    struct raft_message sent = *message;
    struct raft_append_entries *args = &sent.append_entries;
    rm_raft_peer_t *peer = rm_raft_peer (self, message->server_id);
    parcel_t *parcel = raft_malloc (sizeof *parcel);
    if (!parcel || !peer) {
        raft_free (parcel);
        return lose (request, done, RAFT_NOMEM);
    }
    *parcel = (parcel_t){.ledger = self, .id = peer->id, .original = request, .done = done};
    unsigned fit = 0;
    while (peer->queued_bytes < QUEUED_MAX && fit < args->n_entries &&
           parcel->bytes + args->entries[fit].buf.len <= RM_RAFT_ENTRIES_BYTES_MAX)
        parcel->bytes += args->entries[fit++].buf.len;
    args->n_entries = fit;
    peer->queued_bytes += parcel->bytes;
    int rc = self->theirs.send (&self->io, &parcel->send, &sent, on_parcel_sent);
    if (rc != 0)
        on_parcel_sent (&parcel->send, rc);
    return 0;
}

/* A snapshot on its way. */
typedef struct {
    rm_ledger_t *ledger;
    uint64_t id;
    uint8_t *header;
    struct raft_io_send *original;
    raft_io_send_cb done;
} shipment_t;

static void on_shipped (void *arg, const rm_raft_dialled_t *result)
{
    shipment_t *shipment = arg;
    rm_ledger_t *self = shipment->ledger;
    rm_raft_peer_t *peer = rm_raft_peer (self, shipment->id);
    if (peer) {
        peer->shipping = false;
        peer->shipped_ms = result->status == 0 ? uv_now (self->loop) : 0;
    }
    self->sent += result->status == 0;
    struct raft_io_send *original = shipment->original;
    raft_io_send_cb done = shipment->done;
    raft_free (shipment->header);
    raft_free (shipment);
    lose (original, done, result->status == 0 ? 0 : RAFT_NOCONNECTION);
}

static int send_snapshot (rm_ledger_t *self, struct raft_io_send *request, const struct raft_message *message,
                          raft_io_send_cb done)
{
    struct raft_install_snapshot snapshot = message->install_snapshot;
    rm_raft_peer_t *peer = rm_raft_peer (self, message->server_id);
    rm_raft_member_t member;
    snapshot.last_term = self->loaded_term;
    if (!peer)
        return lose (request, done, RAFT_NOMEM);
    peer->shipped_as = self->loaded_as;
    if (peer->shipping) /* libraft has begun anew; what is on its way will do, or it is told that it did not */
        return lose (request, done, RAFT_BUSY);
    peer->shipped = snapshot.last_index;
    peer->shipped_ms = 0;
    size_t size = 0;
    uint8_t *header = rm_raft_wire_ship (&snapshot, &size);
    shipment_t *shipment = header ? raft_malloc (sizeof *shipment) : NULL;
    if (!shipment) {
        raft_free (header);
        return lose (request, done, RAFT_NOMEM);
    }
    *shipment = (shipment_t){self, peer->id, header, request, done};
    const uv_buf_t cargo[2] = {{.base = (char *)header, .len = size},
                               {.base = snapshot.data.base, .len = snapshot.data.len}};
    rm_raft_member_parse (&member, peer->id, message->server_address);
    peer->shipping = true;
    int rc =
        rm_raft_transport_dial (&self->transport, RM_RAFT_SHIP, peer->id, member.address, cargo, on_shipped, shipment);
    if (rc != 0)
        on_shipped (shipment, &(rm_raft_dialled_t){.status = rc});
    return 0;
}

static int ours_send (struct raft_io *io, struct raft_io_send *request, const struct raft_message *message,
                      raft_io_send_cb done)
{
    rm_ledger_t *self = ledger_of (io);
    if (self->broken || self->closed || self->stage > RM_RAFT_OPEN)
        return lose (request, done, RAFT_CANCELED);
    if (message->type == RAFT_INSTALL_SNAPSHOT)
        return send_snapshot (self, request, message, done);
    if (message->type == RAFT_APPEND_ENTRIES && message->append_entries.n_entries > 0)
        return send_entries (self, request, message, done);
    int rc = self->theirs.send (io, request, message, done);
    return rc == 0 ? 0 : lose (request, done, rc);
}

static void on_probed (struct raft_io_send *request, int status)
{
    (void)status;
    raft_free (request);
}

static void probe (rm_ledger_t *self, uint64_t id, const char *name)
{
    struct raft_message nothing = {.type = RAFT_APPEND_ENTRIES_RESULT, .server_id = id, .server_address = name};
    nothing.append_entries_result.version = 2;
    struct raft_io_send *request = raft_malloc (sizeof *request);
    if (request && self->theirs.send (&self->io, request, &nothing, on_probed) != 0)
        raft_free (request);
}

/* libraft would find out with its next message, and lose it; and where libuv has seen an error on the line, it would not even
   dial again. It does so at once for a master that has moved: this one seems to move away (nothing is dialled then) and back.
   What it is sent says nothing. */
void rm_raft_parcels_redial (rm_ledger_t *self, uint64_t id)
{
    const struct raft_server *server = rm_raft_group_find (&self->raft.configuration, id);
    char elsewhere[RM_RAFT_NAME_OF_MEMBER_BYTES + 1];
    if (self->stage != RM_RAFT_OPEN || self->closed || !server)
        return;
    snprintf (elsewhere, sizeof elsewhere, "%s" RM_RAFT_ELSEWHERE, server->address);
    probe (self, id, elsewhere);
    probe (self, id, server->address);
}

/* ---- what libraft does without looking -------------------------------------------------------------------------- */

static int ours_start (struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
    rm_ledger_t *self = ledger_of (io);
    self->recv = recv;
    return self->theirs.start (io, msecs, tick, recv);
}

static int wrote_notes (rm_ledger_t *self, int rc)
{
    if (rc != 0)
        rm_raft_ledger_fail (self, "cannot write %s/metadata1 or metadata2: %s; check the disk and start again",
                             self->config.dir, self->io.errmsg);
    return rc;
}

static int ours_set_term (struct raft_io *io, raft_term term)
{
    rm_ledger_t *self = ledger_of (io);
    return wrote_notes (self, self->theirs.set_term (io, term));
}

static int ours_set_vote (struct raft_io *io, raft_id id)
{
    rm_ledger_t *self = ledger_of (io);
    return wrote_notes (self, self->theirs.set_vote (io, id));
}

/* A snapshot being read for another master. */
typedef struct {
    struct raft_io_snapshot_get get;
    rm_ledger_t *ledger;
    uint64_t wanted; /* libraft's newest snapshot, when it asked; what is read may be newer */
    struct raft_io_snapshot_get *original;
    raft_io_snapshot_get_cb done;
} reading_t;

static void on_read (struct raft_io_snapshot_get *get, struct raft_snapshot *snapshot, int status)
{
    reading_t *reading = (reading_t *)get;
    rm_ledger_t *self = reading->ledger;
    struct raft_io_snapshot_get *original = reading->original;
    raft_io_snapshot_get_cb done = reading->done;
    self->loaded_as = reading->wanted;
    self->loaded_term = status == 0 ? snapshot->term : 0;
    raft_free (reading);
    self->loading--;
    if (status == 0)
        done (original, snapshot, status);
    else /* libraft's own answer to that would free garbage; what it waits for here is lost, and asked for again later */
        rm_raft_transport_say (&self->transport, "the newest snapshot in %s could not be read for another master: %s",
                               self->config.dir, raft_strerror (status));
}

static int ours_snapshot_get (struct raft_io *io, struct raft_io_snapshot_get *request, raft_io_snapshot_get_cb done)
{
    rm_ledger_t *self = ledger_of (io);
    reading_t *reading = raft_malloc (sizeof *reading);
    if (!reading)
        return RAFT_NOMEM;
    *reading =
        (reading_t){.ledger = self, .wanted = self->raft.trail.snapshot.index, .original = request, .done = done};
    request->cb = done;
    int rc = self->theirs.snapshot_get (io, &reading->get, on_read);
    if (rc == 0)
        self->loading++;
    else
        raft_free (reading);
    return rc;
}

void rm_raft_parcels_interpose (rm_ledger_t *self)
{
    self->theirs = self->io;
    self->io.start = ours_start;
    self->io.send = ours_send;
    self->io.set_term = ours_set_term;
    self->io.set_vote = ours_set_vote;
    self->io.snapshot_get = ours_snapshot_get;
    self->io.snapshot_put = rm_raft_snapshot_put;
}
