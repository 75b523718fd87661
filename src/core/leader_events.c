/*  What happens to jobs, for whoever watches. */
#include "core/leader_inside.h"

void rm_leader_note (rm_leader_t *self, const rm_record_t *record, rm_event_kind_t kind)
{
    if (!rm_journal_wants (&self->journal, self->now.mono_ms))
        return;
    rm_journal_note (&self->journal,
                     &(rm_event_t){.id = record->id,
                                   .inc = rm_record_peer (record) ? rm_record_peer (record)->member->inc : 0,
                                   .wall_ms = self->now.wall_ms,
                                   .attempt = rm_record_attempt (record),
                                   .kind = (uint16_t)kind,
                                   .outcome = kind == RM_EVENT_PROGRESS ? (uint16_t)record->lead.progress->permille
                                                                        : (uint16_t)record->outcome});
}

const char *rm_event_name (rm_event_kind_t kind)
{
    static const char *const names[RM_EVENTS] = {
        [RM_EVENT_ACCEPTED] = "accepted", [RM_EVENT_BEGUN] = "begun", [RM_EVENT_RETURNED] = "returned",
        [RM_EVENT_FAILED] = "failed",     [RM_EVENT_ENDED] = "ended", [RM_EVENT_PROGRESS] = "progress",
        [RM_EVENT_STOPPING] = "stopping"};
    return names[kind];
}

int rm_leader_events (rm_leader_t *self, rm_now_t now, const rm_msg_query_t *query,
                      void (*each) (void *arg, const rm_event_t *event), void *arg, uint64_t *next, uint64_t *lost)
{
    uint32_t left = query->limit ? query->limit : RM_LIST_JOBS_USUAL;
    if (left > RM_LIST_JOBS_MAX)
        left = RM_LIST_JOBS_MAX;
    *lost = 0;
    *next = self->journal.last;
    if (!rm_journal_watch (&self->journal, now.mono_ms))
        return RM_ENOMEM;
    if (!query->id)
        return 0;
    uint64_t number = rm_journal_next (&self->journal, query->id, lost);
    for (; number <= self->journal.last && left; number++, left--)
        each (arg, rm_journal_event (&self->journal, number));
    *next = number - 1;
    return 0;
}
