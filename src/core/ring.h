/*  The ring: which slot a key belongs to, and which member owns each slot (docs/architecture.md, "The ring and a resize").
 *
 *  An assignment is an array of RM_SLOTS member numbers; RM_RING_NOBODY stands for a slot without an owner. A new
 *  assignment is a function of the one before and of the members, and of nothing else: it is computed again on every
 *  node that replays the ledger. What it answers is therefore part of the ledger's format.
 *
 *  Invariants of a new assignment with at least one member: every slot is owned by a member; shares differ by at most
 *  one slot; no assignment with such shares moves fewer slots.
 *  Thread rule: pure functions. Nothing is allocated; rm_ring_assign uses about 150 KiB of stack.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

enum { RM_RING_NOBODY = 0xffff };

/* The slot of a key: XXH3_64 (key) % RM_SLOTS. */
uint32_t rm_ring_slot (const void *key, size_t size);

/* Fills `next` [RM_SLOTS] from `previous` [RM_SLOTS] for these members, in O(slots + members). The larger shares stay
 * with members that hold more than the smaller one already; ties go by the order of `members`. Slots move in runs as
 * long as can be had cheaply, and next to what their new owner holds, so that the ring stays in few pieces. No member
 * at all leaves every slot to nobody. `next` must not be `previous`.
 * 0, or RM_EINVAL with `next` untouched: a member is named twice or is RM_RING_NOBODY, or `count` > RM_MEMBERS_MAX. */
int rm_ring_assign (const uint16_t *previous, const uint16_t *members, size_t count, uint16_t *next);
