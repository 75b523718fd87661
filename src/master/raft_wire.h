/*  libraft's messages, as its libuv backend spells them. We read them ourselves: libraft's own reader allocates what a peer
 *  claims, takes counts on trust and reads past the end of a short header. Here every length is compared before it is used,
 *  so that even a master gone wrong can do no more than lie within the protocol.
 *
 *      message = type:u8  0:u8  version:u8  0:u8  0:u32  size:u64  header  payload
 *
 *  Thread rule: any thread.
 */
#pragma once

#include <raft.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "master/raft_ledger.h"

enum {
    RM_RAFT_PREAMBLE_BYTES = 16,
    RM_RAFT_HEADER_BYTES_MAX = 8 << 10,                        /* a snapshot's, with the group in it */
    RM_RAFT_ENTRIES_MAX = 256,                                 /* of one message, and not acknowledged by one master */
    RM_RAFT_ENTRIES_BYTES_MAX = RM_LEDGER_BATCH_BYTES_MAX + 64 /* of one message: one largest batch, or many small */
};

#define RM_RAFT_SHIPPED_BYTES_MAX ((uint64_t)64 << 30) /* of a snapshot; memory is taken only as it arrives */

/* Reads a preamble. The size of the header that follows, 0 if that is none. A snapshot comes over a line of its own. */
size_t rm_raft_wire_begin (const uint8_t preamble[RM_RAFT_PREAMBLE_BYTES], bool shipped);

/* Reads a header, and says how long the payload is. NULL, or in a few words what is wrong; then there is nothing to drop. */
const char *rm_raft_wire_header (const uint8_t preamble[RM_RAFT_PREAMBLE_BYTES], const uint8_t *header, size_t size,
                                 struct raft_message *message, uint64_t *payload_size);

/* Takes the payload, which is from raft_malloc and belongs to the message then (NULL: there is none). NULL, or in a few
   words what is wrong; the message is to be dropped then. */
const char *rm_raft_wire_payload (struct raft_message *message, uint8_t *payload);

/* Frees what belongs to a message that libraft is not given. */
void rm_raft_wire_drop (struct raft_message *message);

/* Cuts a message with entries in two: the first `count` stay in it, the others go to `rest`. 0 or RM_ENOMEM. */
int rm_raft_wire_cut (struct raft_message *message, unsigned count, struct raft_message *rest);

/* Makes what comes before a snapshot's data, to be freed with raft_free; NULL: memory ran out. */
uint8_t *rm_raft_wire_ship (const struct raft_install_snapshot *snapshot, size_t *size);
