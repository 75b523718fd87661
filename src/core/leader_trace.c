/*  A job's life, step by step: what the ledger has of it, and what this leader remembers of where it was.
 *
 *  When a job was given to a worker is the leader's memory: of the newest time with the job, of those before, and of what was
 *  asked meanwhile, in a journal that begins with the leader and has room for the newest RM_JOURNAL_EVENTS.
 */
#include <string.h>

#include "core/leader_inside.h"

enum { MOMENTS_MAX = 32 /* that are told of one attempt */ };

typedef struct {
    const rm_leader_t *leader;
    const rm_record_t *record;
    void (*each) (void *arg, const rm_step_t *step);
    void *arg;
} teller_t;

/* ---- remembering ------------------------------------------------------------------------------------------------- */

void rm_leader_remember (rm_leader_t *self, const rm_event_t *event)
{
    if (!self->past.events && !rm_journal_watch (&self->past, self->now.mono_ms)) {
        rm_leader_out_of_memory (self);
        return;
    }
    rm_journal_note (&self->past, event);
}

/* The attempt that was with a worker is over, or was given back: what is known of its beginning goes to the memory. */
void rm_leader_remember_given (rm_leader_t *self, rm_record_t *record)
{
    rm_given_t *given = rm_record_flight (record) ? &record->lead.flight->given : NULL;
    if (given && given->ms)
        rm_leader_remember (self, &(rm_event_t){.id = record->id,
                                                .inc = given->inc,
                                                .wall_ms = given->ms,
                                                .attempt = given->attempt,
                                                .kind = RM_EVENT_BEGUN});
    if (given)
        given->ms = 0;
}

/* ---- telling ----------------------------------------------------------------------------------------------------- */

static void tell (const teller_t *self, rm_step_t step)
{
    self->each (self->arg, &step);
}

static const char *name_of (const rm_leader_t *self, uint64_t inc)
{
    const rm_member_t *member = rm_state_member (self->state, inc);
    return member ? member->name : NULL;
}

/* When its worker got it, or the last one that had it before it ended; NULL: it has not ended, and no worker has it. */
static const rm_given_t *given_of (const rm_record_t *record)
{
    const rm_flight_t *flight = rm_record_flight (record);
    return flight ? &flight->given : record->outcome != RM_OUTCOME_NONE ? &record->lead.over.given : NULL;
}

/* Puts a step among `count` others in the order of their times; the ones that come too late are not told. */
static void put (rm_step_t *steps, uint32_t *count, rm_step_t step)
{
    if (*count == MOMENTS_MAX)
        return;
    uint32_t at = (*count)++;
    for (; at && steps[at - 1].at_ms > step.at_ms; at--)
        steps[at] = steps[at - 1];
    steps[at] = step;
}

/* What is remembered of one attempt. `given`: a worker had it, known or not when; `worker` is the last one that had it, NULL:
 * not known. */
static void tell_moments (const teller_t *self, uint32_t attempt, bool given, const char *worker)
{
    const rm_leader_t *leader = self->leader;
    const rm_record_t *record = self->record;
    rm_step_t steps[MOMENTS_MAX];
    uint32_t count = 0;
    bool knows = false;
    uint64_t lost, number = rm_journal_next (&leader->past, 0, &lost);
    for (; leader->past.events && number <= leader->past.last; number++) {
        const rm_event_t *event = rm_journal_event (&leader->past, number);
        if (event->id != record->id || event->attempt != attempt)
            continue;
        rm_step_kind_t kind = event->kind == RM_EVENT_BEGUN      ? RM_STEP_GIVEN
                              : event->kind == RM_EVENT_RETURNED ? RM_STEP_RETURNED
                                                                 : RM_STEP_STOPPING;
        knows = kind == RM_STEP_STOPPING ? knows : kind == RM_STEP_GIVEN;
        put (steps, &count,
             (rm_step_t){.kind = kind,
                         .at_ms = event->wall_ms,
                         .attempt = attempt,
                         .worker = name_of (leader, event->inc),
                         .inc = event->inc});
    }
    const rm_given_t *last = given_of (record);
    if (last && last->ms && last->attempt == attempt) {
        knows = true;
        put (steps, &count,
             (rm_step_t){.kind = RM_STEP_GIVEN,
                         .at_ms = last->ms,
                         .attempt = attempt,
                         .worker = name_of (leader, last->inc),
                         .inc = last->inc});
    }
    if (given && !knows)
        tell (self, (rm_step_t){.kind = RM_STEP_GIVEN, .attempt = attempt, .worker = worker});
    uint32_t newest = count;
    while (newest && steps[newest - 1].kind != RM_STEP_GIVEN)
        newest--;
    if (newest && !steps[newest - 1].worker)
        steps[newest - 1].worker = worker; /* who is there no longer */
    for (uint32_t i = 0; i < count; i++)
        tell (self, steps[i]);
}

/* Those that were no success. */
static void tell_attempts (const teller_t *self)
{
    const rm_record_t *record = self->record;
    const rm_attempts_t *kept = record->extra ? record->extra->attempts : NULL;
    uint32_t count = kept ? kept->count : 0, gone = record->failures + record->crashes - count;
    if (gone)
        tell (self, (rm_step_t){.kind = RM_STEP_FORGOTTEN, .attempt = gone});
    for (uint32_t i = 0; i < count; i++) {
        const rm_attempt_t *attempt = &kept->list[i];
        tell_moments (self, gone + 1 + i, true, (const char *)attempt->worker->data);
        tell (self, (rm_step_t){.kind = RM_STEP_FAILED,
                                .at_ms = attempt->ended_ms,
                                .attempt = gone + 1 + i,
                                .worker = (const char *)attempt->worker->data,
                                .how = attempt->how,
                                .reason = attempt->reason,
                                .until_ms = attempt->next_ms});
    }
}

static void tell_end (const teller_t *self)
{
    const rm_record_t *record = self->record;
    tell (self,
          (rm_step_t){
              .kind = RM_STEP_ENDED, .at_ms = record->ended_ms, .outcome = record->outcome, .reason = record->reason});
    uint64_t as = record->extra ? record->extra->kicked_as : 0;
    const rm_record_t *again = as ? rm_state_record (self->leader->state, as) : NULL;
    if (as)
        tell (self, (rm_step_t){.kind = RM_STEP_KICKED, .at_ms = again ? again->accepted_ms : 0, .other_id = as});
}

bool rm_leader_life (const rm_leader_t *self, uint64_t id, void (*each) (void *arg, const rm_step_t *step), void *arg)
{
    const rm_record_t *record = rm_state_record (self->state, id);
    teller_t teller = {self, record, each, arg};
    if (!record)
        return false;
    tell (&teller, (rm_step_t){.kind = RM_STEP_ACCEPTED,
                               .at_ms = record->accepted_ms,
                               .other_id = record->extra ? record->extra->kicked_from : 0});
    if (record->not_before_ms && !record->failures && !record->crashes)
        tell (&teller,
              (rm_step_t){.kind = RM_STEP_DELAYED, .at_ms = record->accepted_ms, .until_ms = record->not_before_ms});
    tell_attempts (&teller);
    const rm_peer_t *peer = rm_record_peer (record);
    bool ended = record->outcome != RM_OUTCOME_NONE;
    bool last = ended ? record->outcome == RM_OUTCOME_DONE : rm_record_runs (record);
    if (last || !ended)
        tell_moments (&teller, rm_record_attempt (record), last, peer ? peer->member->name : NULL);
    if (ended)
        tell_end (&teller);
    return true;
}

const char *rm_step_name (rm_step_kind_t kind)
{
    static const char *const names[RM_STEPS] = {
        [RM_STEP_ACCEPTED] = "accepted", [RM_STEP_DELAYED] = "delayed",   [RM_STEP_FORGOTTEN] = "forgotten",
        [RM_STEP_GIVEN] = "given",       [RM_STEP_RETURNED] = "returned", [RM_STEP_STOPPING] = "stopping",
        [RM_STEP_FAILED] = "failed",     [RM_STEP_ENDED] = "ended",       [RM_STEP_KICKED] = "kicked"};
    return names[kind];
}
