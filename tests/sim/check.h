/*  What must hold at every moment of a life, whatever goes wrong in it. Each function is told what has just happened (or is
 *  about to), and ends the life if a promise is broken. The names of the checkers, in the order of docs/testing.md:
 *
 *     one-outcome     everything accepted has exactly one outcome, which nobody is told before it is on the disk
 *     submitted       no outcome without a submit
 *     same-request    the same (session, seq) is one job, with the same bytes for everyone
 *     key-order       a job of a key starts when all before it have ended: they end in the order they were accepted
 *     key-held        after a death in a queue that holds nothing behind it starts before it is kicked or let go of
 *     one-run-a-key   no two unpaused workers run a key at once
 *     tokens-grow     the tokens of a key grow
 *     fencing         nothing that a removed incarnation says counts, nor a completion of a past attempt
 *     sync-to         `sync_to` is the highest `current_job` answered in its (term, epoch), and fixed, like the members
 *     phase-2-ok      `ok` only when nothing at or below `sync_to` runs in a lost slot
 *     slot-released   a moved slot starts on its new owner only after release or fencing
 *     unmoved-slot    a slot that does not move is never held back by a resize
 *     slots-told      a job starts only in a slot that the program was told of as gained; it is told of one as lost when
 *                     nothing runs in it, and `ok` is said when that has returned
 *     timeouts        a handler is told to stop for its timeout when it has said nothing for so long, and not before
 *     stale           what is of an older term or epoch, or of another incarnation, changes nothing
 *     one-owner       a slot has one owner in an epoch, and an epoch is used once
 *     rebuilt         the state rebuilt from the log is the live state, at every index, on every master
 *     one-log         every master has the same batch at the same place
 *     books           queued + running + ended = accepted
 *     durable         nothing is answered before it is on the disk
 *     everything-ends once nothing goes wrong any more, every job and every resize ends
 *     history         what clients and handlers saw is in order by the judge of the tests with real processes
 *
 *  The log is applied a second time, to a state of the checks' own, as soon as any master knows a batch to be committed:
 *  that `shadow` is what is known to be true.
 *  Thread rule: one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/leader.h"
#include "core/work.h"
#include "plan.h"

typedef struct check check_t;
struct sim;
struct sim_packet;
struct sim_run;

check_t *check_new (struct sim *sim);
void check_destroy (check_t **self_p);

/* Whether all that must end has ended; if not, and `why` is not NULL, what has not. */
bool check_all_ended (check_t *self, char *why, size_t size);
/* The last look, when all has ended. */
void check_end (check_t *self);

/* What happened in the life, for its result. */
typedef struct {
    uint64_t jobs, starts, resizes, terms, deaths;
} check_counts_t;
check_counts_t check_counts (const check_t *self);

/* ---- processes */
void check_boots (check_t *self, uint32_t who);
void check_dies (check_t *self, uint32_t who);
void check_pauses (check_t *self, uint32_t who);
void check_goes_on (check_t *self, uint32_t who);
void check_gives_up (check_t *self, uint32_t who, rm_work_end_t end);

/* ---- messages */
void check_sent (check_t *self, const struct sim_packet *packet);
void check_arrives (check_t *self, const struct sim_packet *packet);
void check_arrived (check_t *self, const struct sim_packet *packet);

/* ---- clients */
void check_submits (check_t *self, const plan_item_t *item, const rm_session_id_t *session, uint64_t seq);
void check_accepted (check_t *self, uint32_t who, const plan_item_t *item, uint64_t id);
void check_result (check_t *self, uint32_t who, const rm_result_job_t *result);
void check_gone (check_t *self, uint32_t who, uint64_t id);
void check_unknown (check_t *self, uint32_t who, uint64_t id);

/* ---- handlers */
void check_starts (check_t *self, uint32_t who, const struct sim_run *run);
void check_ends (check_t *self, uint32_t who, const struct sim_run *run);
/* It is told to stop. */
void check_stops (check_t *self, uint32_t who, const struct sim_run *run);

/* ---- the master */
/* A master knows its batch number `index` (from 1) to be committed, which was stamped at `written_us`: the shadow applies
 * it, unless it has. */
void check_batch (check_t *self, uint32_t who, uint64_t index, const void *batch, size_t size, uint64_t written_us);
/* A master's state stands for so many batches: after it has applied one, or from a snapshot. */
void check_applied (check_t *self, uint32_t who, const rm_state_t *state, uint64_t index);
void check_restored (check_t *self, uint32_t who, const rm_state_t *state, uint64_t index);
void check_turn (check_t *self, uint32_t who, const rm_leader_t *leader);
void check_deposed (check_t *self, uint32_t who);
/* Applies that batch to a master's live state; what rm_state_apply answers. */
int check_apply (check_t *self, rm_state_t *state, uint64_t index, const void *batch, size_t size);
/* An operator has asked for a worker to be taken out. */
void check_drained (check_t *self, const char *name);
/* A line of the leader's tracer. */
void check_traced (check_t *self, const char *line);
/* Something has happened. */
void check_happened (check_t *self);
