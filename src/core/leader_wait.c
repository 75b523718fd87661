/*  Long polls: what clients wait for (docs/protocol.md, "wait"). What has ended is told once the batch it ended in has been
 *  applied to its end, so that what ended together is one message; what is told of a job that runs, at once to who follows it.
 */
#include <string.h>

#include "core/leader_inside.h"
#include "proto/alloc.h"

typedef struct waiter waiter_t;

typedef struct {
    rm_link_t link; /* in its record's waiters */
    waiter_t *waiter;
} watch_t;

struct waiter {
    rm_heap_node_t end; /* when it is answered at the latest */
    rm_link_t told;     /* rm_leader_t.told: some have ended since it was answered */
    rm_address_t from;
    uint32_t count, open; /* ids, and how many of them have not ended */
    bool any;             /* one that has is enough */
    bool each;            /* it is answered as often as some have ended */
    uint32_t follow;      /* 1: it is answered when more than by `stamp` was told of one; 2: partial results too */
    uint64_t stamp;       /* never together with each */
    uint64_t *ids;        /* owned, and behind them room for … */
    uint64_t *ended;      /* each: those that have ended since it was answered */
    uint32_t ended_count;
    watch_t watches[];
};

static rm_result_job_t result_of (const rm_leader_t *self, uint64_t id)
{
    const rm_record_t *record = rm_state_record (self->state, id);
    rm_result_job_t job = {.id = id};
    if (!record) {
        job.outcome = rm_state_gave (self->state, id) ? RM_OUTCOME_GONE : RM_OUTCOME_UNKNOWN;
        return job;
    }
    job.outcome = record->outcome;
    job.attempt = record->failures + record->crashes;
    if (record->outcome == RM_OUTCOME_DONE || rm_record_runs (record))
        job.attempt++;
    if (record->reason)
        job.reason = (rm_bytes_t){record->reason->data, record->reason->size};
    const rm_progress_t *progress = rm_leader_progress (record);
    if (progress) {
        job.progress = progress->permille + 1;
        job.note = (rm_bytes_t){progress->note->data, progress->note->size};
    }
    if (record->result)
        job.data = (rm_bytes_t){record->result->data, record->result->size};
    return job;
}

/* What the waiter does not know, of what it follows: partial results are told of one job. */
static const rm_told_partial_t *next_partial (const rm_leader_t *self, const waiter_t *waiter,
                                              const rm_told_partial_t *before)
{
    const rm_record_t *record = rm_state_record (self->state, waiter->ids[0]);
    const rm_progress_t *progress = record ? record->lead.progress : NULL;
    uint64_t stamp = waiter->stamp > self->stamp ? 0 : waiter->stamp;
    if (!progress || waiter->follow < 2 || waiter->count > 1)
        return NULL;
    rm_link_t *link = before ? before->link.next : progress->partials.next;
    for (; link != &progress->partials; link = link->next)
        if (RM_OWNER (link, rm_told_partial_t, link)->stamp > stamp)
            return RM_OWNER (link, rm_told_partial_t, link);
    return NULL;
}

/* An array of them, to be freed; NULL: there are none, or there is no memory for them. */
static rm_partial_t *list_partials (const rm_leader_t *self, const waiter_t *waiter, uint32_t *count)
{
    uint32_t there = 0;
    const rm_told_partial_t *each = NULL;
    while (there < RM_MESSAGE_JOBS_MAX && (each = next_partial (self, waiter, each)))
        there++;
    rm_partial_t *list = there ? rm_calloc (there, sizeof *list) : NULL;
    for (*count = 0, each = NULL; list && *count < there;) {
        each = next_partial (self, waiter, each);
        list[(*count)++] = (rm_partial_t){waiter->ids[0],
                                          rm_state_record (self->state, waiter->ids[0])->lead.progress->attempt,
                                          each->n,
                                          {each->data->data, each->data->size}};
    }
    return list;
}

/* Says what is known of the ids, as far as it goes into one message; of how many that was, 0: memory has run out. */
static uint32_t send_results (rm_leader_t *self, const waiter_t *waiter, const uint64_t *ids, uint32_t count)
{
    rm_msg_t msg = {.type = RM_MSG_RESULT};
    msg.result.jobs = rm_calloc (count, sizeof *msg.result.jobs);
    if (!msg.result.jobs) {
        rm_leader_out_of_memory (self);
        return 0;
    }
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        rm_result_job_t job = result_of (self, ids[i]);
        bytes += RM_MESSAGE_ROW_BYTES + job.data.size + job.reason.size + job.note.size;
        if (i && bytes > RM_FRAME_BYTES_MAX / 2)
            break;
        msg.result.jobs[msg.result.job_count++] = job;
    }
    rm_partial_t *partials = list_partials (self, waiter, &msg.result.partial_count);
    msg.result.partials = partials;
    if (waiter->follow)
        msg.result.stamp = msg.result.job_count == count ? self->stamp : waiter->stamp;
    rm_leader_to_client (self, &waiter->from, &msg);
    rm_free (partials);
    rm_free (msg.result.jobs);
    return msg.result.job_count;
}

static void free_waiter (rm_leader_t *self, waiter_t *waiter)
{
    for (uint32_t i = 0; i < waiter->count; i++)
        rm_list_remove (&waiter->watches[i].link);
    rm_list_remove (&waiter->told);
    rm_heap_remove (&self->polls, &waiter->end);
    rm_free (waiter->ids);
    rm_free (waiter);
}

/* Those that have ended since, in as many messages as it takes. */
static void answer_each (rm_leader_t *self, waiter_t *waiter)
{
    uint32_t told = 0, more;
    while (told < waiter->ended_count &&
           (more = send_results (self, waiter, waiter->ended + told, waiter->ended_count - told)))
        told += more;
    waiter->ended_count = 0;
}

static void answer_waiter (rm_leader_t *self, waiter_t *waiter)
{
    if (waiter->each) {
        answer_each (self, waiter);
        if (waiter->open) {
            rm_list_remove (&waiter->told);
            return;
        }
    } else {
        send_results (self, waiter, waiter->ids, waiter->count);
    }
    free_waiter (self, waiter);
}

/* A record has ended. */
void rm_leader_note_waiters (rm_leader_t *self, rm_record_t *record)
{
    for (rm_link_t *first; (first = rm_list_first (&record->lead.waiters));) {
        watch_t *watch = RM_OWNER (first, watch_t, link);
        waiter_t *waiter = watch->waiter;
        rm_list_remove (first);
        waiter->open--;
        if (waiter->each)
            waiter->ended[waiter->ended_count++] = waiter->ids[watch - waiter->watches];
        if ((!waiter->open || waiter->any || waiter->each) && !rm_list_linked (&waiter->told))
            rm_list_append (&self->told, &waiter->told);
    }
}

void rm_leader_answer_waiters (rm_leader_t *self)
{
    for (rm_link_t *first; (first = rm_list_first (&self->told));)
        answer_waiter (self, RM_OWNER (first, waiter_t, told));
}

/* More was told of a record that runs. */
void rm_leader_answer_followers (rm_leader_t *self, rm_record_t *record, bool partial)
{
    RM_LIST_EACH (&record->lead.waiters, link) {
        waiter_t *waiter = RM_OWNER (link, watch_t, link)->waiter;
        if (waiter->follow > partial && !rm_list_linked (&waiter->told))
            rm_list_append (&self->told, &waiter->told);
    }
    rm_leader_answer_waiters (self);
}

/* Whether more was told of what it waits for than it knows; what another cluster's stamp says is not known here. */
static bool has_news (const rm_leader_t *self, const waiter_t *waiter)
{
    uint64_t stamp = waiter->stamp > self->stamp ? 0 : waiter->stamp;
    for (uint32_t i = 0; waiter->follow && i < waiter->count; i++) {
        const rm_record_t *record = rm_state_record (self->state, waiter->ids[i]);
        const rm_progress_t *progress = record ? rm_leader_progress (record) : NULL;
        if (progress && progress->stamp > stamp)
            return true;
    }
    return next_partial (self, waiter, NULL) != NULL;
}

/* Its time is over: one that was told of each is told which are left. */
static void end_poll (rm_leader_t *self, waiter_t *waiter)
{
    uint32_t left = 0;
    if (waiter->each) {
        answer_each (self, waiter);
        for (uint32_t i = 0; i < waiter->count; i++)
            if (rm_list_linked (&waiter->watches[i].link))
                waiter->ids[left++] = waiter->ids[i];
    }
    send_results (self, waiter, waiter->ids, waiter->each ? left : waiter->count);
    free_waiter (self, waiter);
}

void rm_leader_end_polls (rm_leader_t *self)
{
    for (rm_heap_node_t *top; (top = rm_heap_top (&self->polls)) && top->due <= self->now.mono_ms;)
        end_poll (self, RM_OWNER (top, waiter_t, end));
}

void rm_leader_drop_waiters (rm_leader_t *self)
{
    for (rm_heap_node_t *top; (top = rm_heap_top (&self->polls));)
        free_waiter (self, RM_OWNER (top, waiter_t, end));
}

static waiter_t *make_waiter (rm_leader_t *self, const rm_address_t *from, const rm_msg_wait_t *wait)
{
    waiter_t *waiter = rm_calloc (1, sizeof *waiter + wait->id_count * sizeof waiter->watches[0]);
    if (!waiter)
        return NULL;
    waiter->ids = rm_malloc (2 * wait->id_count * sizeof *wait->ids);
    if (!waiter->ids || rm_heap_put (&self->polls, &waiter->end, self->now.mono_ms + wait->timeout_ms)) {
        rm_free (waiter->ids);
        rm_free (waiter);
        return NULL;
    }
    memcpy (waiter->ids, wait->ids, wait->id_count * sizeof *wait->ids);
    rm_list_init (&waiter->told);
    waiter->from = *from;
    waiter->count = wait->id_count;
    waiter->any = wait->any;
    waiter->each = wait->each && wait->timeout_ms;
    waiter->follow = waiter->each ? 0 : wait->follow;
    waiter->stamp = wait->stamp;
    waiter->ended = waiter->ids + wait->id_count;
    for (uint32_t i = 0; i < wait->id_count; i++) {
        watch_t *watch = &waiter->watches[i];
        rm_record_t *record = rm_state_record (self->state, wait->ids[i]);
        watch->waiter = waiter;
        rm_list_init (&watch->link);
        if (!record || record->outcome != RM_OUTCOME_NONE) {
            waiter->ended[waiter->ended_count++] = wait->ids[i];
            continue;
        }
        rm_list_append (&record->lead.waiters, &watch->link);
        waiter->open++;
    }
    return waiter;
}

void rm_leader_take_wait (rm_leader_t *self, const rm_address_t *from, const rm_msg_wait_t *wait)
{
    rm_ledger_session_t *session = rm_state_session (self->state, &wait->session);
    if (session)
        session->lead.heard_ms = self->now.wall_ms;
    if (self->polls.count >= self->config.waiters_max) {
        rm_leader_say_busy (self, from, "as many clients wait for results as may");
        return;
    }
    waiter_t *waiter = make_waiter (self, from, wait);
    if (!waiter)
        rm_leader_out_of_memory (self);
    else if (!waiter->open || !wait->timeout_ms || ((waiter->any || waiter->each) && waiter->open < waiter->count) ||
             has_news (self, waiter))
        answer_waiter (self, waiter);
}
