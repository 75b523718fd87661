/*  How the attempts of a job ended that were no success: the newest few of them, each with its time, its worker and its reason.
 *  Part of the ledger (docs/ledger.md), from format 2 of the state on. A job that never failed has none.
 *
 *  Invariant: 1 … RM_ATTEMPTS_KEPT are kept, in order, and the last one is attempt number failures + crashes of its job.
 *  Thread rule: as state.h. Deterministic.
 */
#pragma once

#include <stdint.h>

#include "core/blob.h"
#include "proto/msg.h"

/* How one ended: an rm_verdict_t, or this. A number of the ledger. */
enum { RM_ATTEMPT_CRASHED = RM_VERDICT_INTERRUPTED + 1 /* its worker was removed while it ran */ };

typedef struct {
    uint64_t ended_ms; /* ledger time */
    uint64_t next_ms;  /* ledger time before which the next one does not begin; 0: at once, or there is none */
    rm_blob_t *worker; /* its name */
    rm_blob_t *reason; /* as much as is kept of it; NULL: none was given */
    uint32_t how;
} rm_attempt_t;

typedef struct {
    uint32_t count;
    rm_attempt_t list[];
} rm_attempts_t;

/* Adds one, in place of the oldest if there is no room. Makes *self_p if it is NULL. Takes the blobs over, unless memory has
 * run out: 0 or RM_ENOMEM. */
int rm_attempts_add (rm_attempts_t **self_p, const rm_attempt_t *attempt);

/* Frees them; nulls the pointer, takes NULL. */
void rm_attempts_destroy (rm_attempts_t **self_p);

/* Bytes of names and reasons. Takes NULL. */
uint64_t rm_attempts_bytes (const rm_attempts_t *self);

/* As much of a reason as is kept: what is UTF-8 is not cut within a letter. */
rm_bytes_t rm_attempt_reason (rm_bytes_t reason);

/* "failed", "failed for good", "timed out", "interrupted", "crashed". */
const char *rm_attempt_how (uint32_t how);
