/*  How a snapshot is spelled (docs/ledger.md): what core/snapshot writes and core/restore reads. Little-endian, packed.
 *
 *     snapshot = head  large  small
 *     head     = format:u8  large_bytes:u64
 *     large    = the bytes of every blob of RM_SNAPSHOT_LARGE_BYTES or more, in the order in which `small` names them
 *     small    = all the rest
 *
 *  Every state has one spelling: what may be left out is left out, and the reader refuses any other spelling.
 *  Thread rule: constants.
 */
#pragma once

#include "proto/limits.h"

enum {
    RM_SNAPSHOT_HEAD_BYTES = 9,
    RM_SNAPSHOT_LARGE_BYTES = 128, /* smaller ones are copied: a part for each would cost more */
    RM_SNAPSHOT_RUN_WORDS = 3,     /* of a run of slots, before its holders: length, owner, target */
};

/* What a record has. The first half: a field that is not zero. */
enum {
    RM_HAS_ENDED = 1 << 0, /* ended; else waiting */
    RM_HAS_TRIES = 1 << 1,
    RM_HAS_TIMEOUT = 1 << 2,
    RM_HAS_FLAGS = 1 << 3,
    RM_HAS_FAILURES = 1 << 4,
    RM_HAS_CRASHES = 1 << 5,
    RM_HAS_NOT_BEFORE = 1 << 6,
    RM_HAS_STARTED = 1 << 7, /* only waiting */
    RM_HAS_KEY = 1 << 8,
    RM_HAS_REASON = 1 << 9,
    RM_HAS_RESULT = 1 << 10,   /* only ended */
    RM_HAS_EXTRA = 1 << 11,    /* from format 4 on */
    RM_HAS_ATTEMPTS = 1 << 12, /* from format 4 on */
    RM_HAS_HOLDS = 1 << 13,    /* only dead, with a key: it holds it; from format 4 on */
    RM_HAS_ALL = (1 << 14) - 1,
};

/* What its extra has, from format 4 on. */
enum {
    RM_EXTRA_PRIORITY = 1 << 0,
    RM_EXTRA_DEADLINE = 1 << 1,
    RM_EXTRA_RETRY = 1 << 2,
    RM_EXTRA_KICKED_FROM = 1 << 3, /* and its place, which may be 0 */
    RM_EXTRA_KICKED_AS = 1 << 4,
    RM_EXTRA_UID = 1 << 5,
    RM_EXTRA_STOP = 1 << 6, /* only waiting: an outcome and a reason */
    RM_EXTRA_DATA = 1 << 7, /* only dead: it is still there */
    RM_EXTRA_ALL = (1 << 8) - 1,
};

/* What a member is. */
enum {
    RM_IS_IN_RING = 1,
    RM_IS_LEAVING = 2,
};
