/*  How the masters' states are compared. The leader logs RM_RAFT_CHECK; wherever that is applied, the owner hands over a
 *  snapshot of its state as it is there, and another thread computes the digest. When the leader has its own, it logs that,
 *  too, and everyone compares. A master that was away at the time, or is still busy with the one before, leaves one out.
 */
#include <xxhash.h>

#include "master/raft_inside.h"
#include "ringmaster/error.h"

static void compare (rm_ledger_t *self)
{
    rm_raft_checking_t *checking = &self->checking;
    if (!checking->known || checking->claimed != checking->number)
        return;
    if (checking->claim == checking->digest) {
        checking->verified = checking->number;
        return;
    }
    rm_raft_ledger_fail (self,
                         "the state of this master after batch %llu is another one than the leader's (digest %016llx, "
                         "and %016llx there): "
                         "memory or program failed on one of the two machines; if this master is the only one that has "
                         "stopped, remove master "
                         "%llu from the group, and add it with an empty directory under a new number; if the others "
                         "have stopped as well, do "
                         "so with the one that led",
                         (unsigned long long)checking->number, (unsigned long long)checking->digest,
                         (unsigned long long)checking->claim, (unsigned long long)self->config.id);
}

/* Another thread: the owner promised that nobody changes the parts. */
static void seal (uv_work_t *work)
{
    rm_ledger_t *self = work->data;
    rm_raft_checking_t *checking = &self->checking;
    XXH3_state_t *state = XXH3_createState ();
    checking->failed = !state;
    if (!state)
        return;
    XXH3_64bits_reset (state);
    for (size_t i = 0; i < checking->part_count; i++)
        XXH3_64bits_update (state, checking->parts[i].data, checking->parts[i].size);
    checking->found = XXH3_64bits_digest (state);
    XXH3_freeState (state);
}

static void sealed (uv_work_t *work, int status)
{
    rm_ledger_t *self = work->data;
    rm_raft_checking_t *checking = &self->checking;
    checking->sealing = false;
    self->events.snapshot_done (self->events.arg, checking->parts, checking->part_count);
    if (status == 0 && !checking->failed && checking->reading == checking->number) {
        checking->digest = checking->found;
        checking->known = true;
        compare (self);
    }
    if (self->closed)
        rm_raft_ledger_shut (self);
}

static void begin (rm_ledger_t *self, uint64_t number)
{
    rm_raft_checking_t *checking = &self->checking;
    checking->number = 0;
    checking->known = checking->told = false;
    checking->bytes = 0;
    if (checking->sealing || self->events.snapshot (self->events.arg, &checking->parts, &checking->part_count) != 0)
        return;
    checking->work.data = self;
    if (uv_queue_work (self->loop, &checking->work, seal, sealed) != 0) {
        self->events.snapshot_done (self->events.arg, checking->parts, checking->part_count);
        return;
    }
    checking->sealing = true;
    checking->number = checking->reading = number;
}

void rm_raft_digest_apply (rm_ledger_t *self, uint64_t number, const rm_raft_note_t *note)
{
    rm_raft_checking_t *checking = &self->checking;
    if (note->kind == RM_RAFT_CHECK)
        begin (self, number);
    else if (note->kind == RM_RAFT_DIGEST) {
        checking->claimed = note->number;
        checking->claim = note->value;
        checking->told = checking->told || checking->claimed == checking->number;
        compare (self);
    }
}

void rm_raft_digest_step (rm_ledger_t *self)
{
    rm_raft_checking_t *checking = &self->checking;
    if (!self->leader || self->applied.format < 2)
        return;
    const rm_raft_note_t digest = {RM_RAFT_DIGEST, checking->number, checking->digest}, check = {.kind = RM_RAFT_CHECK};
    if (checking->known && !checking->told)
        checking->told = rm_raft_ledger_note (self, &digest, NULL) == 0;
    if (checking->bytes >= self->config.digest_bytes && !checking->sealing &&
        rm_raft_ledger_note (self, &check, NULL) == 0)
        checking->bytes = 0;
}
