/*  Who is who in a trace for the model, and what changes in silence. */
#include "abstract.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "abstract_inside.h"

FILE *abstract_out;

void abstract_say (abstract_t *self, int event, const char *format, ...)
{
    va_list arguments;
    if (self->over)
        return;
    va_start (arguments, format);
    fputs (event_names[event], abstract_out);
    vfprintf (abstract_out, format, arguments);
    fputc ('\n', abstract_out);
    va_end (arguments);
}

/* ---- what is followed -------------------------------------------------------------------------------------------- */

static uint32_t slot_of (const plan_item_t *item)
{
    char key[8];
    plan_key (item, key);
    return rm_ring_slot (key, strlen (key));
}

/* How many jobs of the plan are in that slot; none if one of them is at-most-once. */
static int jobs_in (const plan_t *plan, uint32_t slot)
{
    int count = 0;
    for (uint32_t i = 0; i < plan->item_count; i++) {
        if (plan->items[i].key < 0 || slot_of (&plan->items[i]) != slot)
            continue;
        if (plan->items[i].at_most_once)
            return 0;
        count++;
    }
    return count;
}

static bool is_used (const plan_t *plan, uint32_t slot)
{
    for (uint32_t i = 0; i < plan->item_count; i++)
        if (plan->items[i].key >= 0 && slot_of (&plan->items[i]) == slot)
            return true;
    return false;
}

/* The slots with most jobs. */
static void choose_slots (abstract_t *self)
{
    const plan_t *plan = self->sim->plan;
    while (self->slot_count < ABSTRACT_SLOTS) {
        uint32_t best = 0;
        int most = 0;
        for (uint32_t i = 0; i < plan->item_count; i++) {
            if (plan->items[i].key < 0)
                continue;
            uint32_t slot = slot_of (&plan->items[i]);
            int count = abstract_slot (self, slot) < 0 ? jobs_in (plan, slot) : 0;
            if (count > most) {
                most = count;
                best = slot;
            }
        }
        if (!most) /* any other, without jobs */
            for (best = 0; abstract_slot (self, best) >= 0 || is_used (plan, best); best++)
                ;
        self->slots[self->slot_count++] = best;
    }
}

int abstract_slot (const abstract_t *self, uint32_t slot)
{
    for (int i = 0; i < self->slot_count; i++)
        if (self->slots[i] == slot)
            return i;
    return -1;
}

int abstract_job (const abstract_t *self, uint64_t id)
{
    for (int i = 0; i < self->job_count; i++)
        if (self->jobs[i] == id)
            return i;
    return -1;
}

int abstract_inc (const abstract_t *self, uint64_t inc)
{
    for (int i = 0; i < self->inc_count; i++)
        if (self->incs[i] == inc)
            return i + 1;
    return 0;
}

uint32_t abstract_job_set (const abstract_t *self, const uint64_t *ids, uint32_t count)
{
    uint32_t set = 0;
    for (uint32_t i = 0; i < count; i++)
        if (abstract_job (self, ids[i]) >= 0)
            set |= 1u << abstract_job (self, ids[i]);
    return set;
}

uint32_t abstract_inc_set (const abstract_t *self, const uint64_t *incs, uint32_t count)
{
    uint32_t set = 0;
    for (uint32_t i = 0; i < count; i++)
        if (abstract_inc (self, incs[i]))
            set |= 1u << abstract_inc (self, incs[i]);
    return set;
}

/* ---- the numbers of dispatches ----------------------------------------------------------------------------------- */

static const abstract_lane_t *find_lane (const abstract_t *self, uint64_t term, int inc)
{
    for (int i = self->lane_count - 1; i >= 0; i--)
        if (self->lanes[i].term == term && self->lanes[i].inc == inc)
            return &self->lanes[i];
    return NULL;
}

static abstract_lane_t *add_lane (abstract_t *self, uint64_t term, int inc)
{
    if (self->lane_count == ABSTRACT_LANES) {
        self->over = true;
        self->lane_count--;
    }
    abstract_lane_t *lane = &self->lanes[self->lane_count++];
    *lane = (abstract_lane_t){.term = term, .inc = inc};
    return lane;
}

int abstract_seq (abstract_t *self, uint64_t term, int inc, uint64_t seq, bool sent, bool *again)
{
    abstract_lane_t *lane = (abstract_lane_t *)find_lane (self, term, inc);
    for (int i = 0; lane && i < lane->count; i++)
        if (lane->seqs[i] == seq) {
            *again = true;
            return i + 1;
        }
    *again = false;
    if (!sent)
        return 0;
    if (!lane)
        lane = add_lane (self, term, inc);
    if (lane->count == ABSTRACT_WORDS) {
        self->over = true;
        return 0;
    }
    lane->seqs[lane->count++] = seq;
    return lane->count;
}

int abstract_upto (const abstract_t *self, uint64_t term, int inc, uint64_t upto)
{
    const abstract_lane_t *lane = find_lane (self, term, inc);
    int count = 0;
    while (lane && count < lane->count && lane->seqs[count] <= upto)
        count++;
    return count;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

abstract_t *abstract_new (sim_t *sim)
{
    if (!abstract_out)
        return NULL;
    abstract_t *self = calloc (1, sizeof *self);
    if (!self || rm_state_init (&self->state))
        abort ();
    self->sim = sim;
    choose_slots (self);
    return self;
}

void abstract_destroy (abstract_t **self_p)
{
    abstract_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    rm_state_close (&self->state);
    free (self);
}

/* ---- what changes in silence ------------------------------------------------------------------------------------- */

static void look_at_inc (abstract_t *self, uint32_t who, const rm_work_t *half)
{
    abstract_worker_t *worker = &self->workers[who - 1];
    if (!half->inc || half->inc == worker->inc)
        return;
    if (self->inc_count == ABSTRACT_INCS) {
        self->over = true;
        return;
    }
    self->incs[self->inc_count++] = half->inc;
    *worker = (abstract_worker_t){.inc = half->inc};
    abstract_say (self, EV_BOOT, " %u %d", who - 1, self->inc_count);
}

static bool holds_queued (const rm_work_t *half)
{
    for (const rm_work_job_t *job = half->held; job; job = job->next_held)
        if (job->state == RM_WORK_JOB_QUEUED)
            return true;
    return false;
}

static void look_at_lease (abstract_t *self, uint32_t who, const rm_work_t *half)
{
    abstract_worker_t *worker = &self->workers[who - 1];
    if (half->state == RM_WORK_LEASED && !worker->leased && !worker->late) {
        abstract_say (self, EV_RENEW, " %u", who - 1);
        worker->leased = true;
    } else if (half->state == RM_WORK_LEASED && worker->late && !self->sim->processes[who].paused_us &&
               half->leased_until > sim_clock_ms (self->sim, who)) {
        abstract_say (self, EV_RENEW, " %u", who - 1);
        worker->leased = true;
        worker->late = false;
    } else if (half->state == RM_WORK_JOINED || half->state == RM_WORK_UNLEASED) {
        if (worker->leased || (worker->late && worker->runs))
            abstract_say (self, EV_LAPSE, " %u", who - 1);
        worker->leased = worker->late = false;
        worker->runs = 0;
    }
}

/* A worker that must exit since a handler hangs hands back what has not started, as one does that is told to leave. */
static bool gives_all_back (const rm_work_t *half)
{
    return half->leaving || (half->state == RM_WORK_OVER && half->end == RM_WORK_END_HUNG && !holds_queued (half));
}

static void look_at_worker (abstract_t *self, uint32_t who)
{
    abstract_worker_t *worker = &self->workers[who - 1];
    const rm_work_t *half = sim_work (self->sim, who);
    if (!half)
        return;
    look_at_inc (self, who, half);
    if (half->inc != worker->inc)
        return;
    if (half->state == RM_WORK_REJOIN || half->state == RM_WORK_NEW) {
        worker->member = worker->leased = worker->late = false;
        return;
    }
    if (!worker->member)
        return; /* it is over before it had joined */
    look_at_lease (self, who, half);
    if (!worker->stopped && gives_all_back (half)) {
        worker->stopped = true;
        abstract_say (self, EV_STOP, " %u", who - 1);
    }
}

static void look_at_leader (abstract_t *self)
{
    const rm_leader_t *leader = sim_leader (self->sim);
    if (!leader || !leader->leading || !self->leading)
        return;
    rm_resize_state_t state = leader->resize.state;
    if (self->takes_over && state != RM_RESIZE_PHASE1)
        return;
    if (self->takes_over)
        self->resize = RM_RESIZE_PHASE1;
    self->takes_over = false;
    if (leader->proposed_epoch > self->proposed_epoch) {
        abstract_say (self, EV_PROPOSE_BEGIN, " %" PRIu64, leader->proposed_epoch);
        self->proposed_epoch = leader->proposed_epoch;
        self->resize = RM_RESIZE_BEGIN;
    }
    if (self->resize == RM_RESIZE_PHASE1 && state != RM_RESIZE_PHASE1 && state != RM_RESIZE_BEGIN) {
        abstract_say (self, EV_PHASE2, "%s", "");
        self->resize = RM_RESIZE_PHASE2;
    }
    if (self->resize == RM_RESIZE_PHASE2 && (state == RM_RESIZE_COMMIT || state == RM_RESIZE_IDLE)) {
        abstract_say (self, EV_END_RESIZE, "%s", "");
        self->resize = state;
    }
}

void abstract_look (abstract_t *self)
{
    if (!self)
        return;
    look_at_leader (self);
    for (uint32_t who = 1; who <= self->sim->plan->worker_count; who++)
        look_at_worker (self, who);
}

/* A worker that is asleep, or was for too long, has not noticed yet that its lease is over. */
static void put_to_sleep (abstract_t *self, uint64_t inc)
{
    for (uint32_t who = 1; who <= self->sim->plan->worker_count; who++) {
        abstract_worker_t *worker = &self->workers[who - 1];
        const sim_process_t *process = &self->sim->processes[who];
        if (worker->inc != inc || (!process->paused_us && !process->tainted_us) || (!worker->leased && !worker->runs))
            continue;
        abstract_say (self, EV_SLEEP, " %u", who - 1);
        worker->leased = false;
        worker->late = true;
    }
}

void abstract_drained (abstract_t *self, rm_bytes_t worker)
{
    const rm_leader_t *leader = self ? sim_leader (self->sim) : NULL;
    for (uint32_t i = 0; leader && i < leader->peer_count; i++)
        if (rm_bytes_equal (rm_bytes (leader->peers[i]->member->name), worker))
            abstract_say (self, EV_DRAIN, " %d", abstract_inc (self, leader->peers[i]->member->inc));
}

static void takes_over (abstract_t *self)
{
    abstract_say (self, EV_LEAD, " %" PRIu64, self->state.term);
    self->leading = true;
    self->proposed_epoch = self->state.epoch;
    self->resize = RM_RESIZE_IDLE;
    self->takes_over = self->state.member_count || rm_state_resizing (&self->state);
}

/* The removal of a worker is found in what the leader says for the log: it says why. */
void abstract_trace (abstract_t *self, const char *line)
{
    if (!self)
        return;
    const char *inc = strstr (line, " inc=");
    if (!strncmp (line, "event=leading ", 14))
        takes_over (self);
    if (!strncmp (line, "event=removing ", 15) && inc) {
        uint64_t number = strtoull (inc + 5, NULL, 16);
        if (strstr (line, " why=left")) {
            abstract_say (self, EV_DISMISS, " %d", abstract_inc (self, number));
        } else {
            put_to_sleep (self, number);
            abstract_say (self, EV_PROPOSE_REMOVE, " %d", abstract_inc (self, number));
        }
    }
    abstract_look (self);
}

void abstract_dies (abstract_t *self, uint32_t who)
{
    if (!self)
        return;
    abstract_look (self);
    if (who == SIM_MASTER) {
        abstract_deposed (self);
    } else if (sim_is_worker (self->sim, who) && self->workers[who - 1].inc) {
        abstract_say (self, EV_CRASH, " %u", who - 1);
        self->workers[who - 1] = (abstract_worker_t){0};
    }
}

void abstract_deposed (abstract_t *self)
{
    if (!self || !self->leading)
        return;
    self->leading = self->takes_over = false;
    self->resize = RM_RESIZE_IDLE;
    abstract_say (self, EV_DOWN, "%s", "");
}
