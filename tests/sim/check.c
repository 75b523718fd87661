/*  The life of the checks, and who is told what. */
#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_inside.h"

check_t *check_new (sim_t *sim)
{
    check_t *self = calloc (1, sizeof *self);
    if (!self || !(self->jobs = calloc (SIM_JOBS_MAX, sizeof *self->jobs)) ||
        !(self->sync = calloc (1, sizeof *self->sync)) || rm_state_init (&self->shadow))
        abort ();
    self->sim = sim;
    self->history = history_new ();
    self->abstract = abstract_new (sim);
    check_listen (self);
    return self;
}

void check_destroy (check_t **self_p)
{
    check_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    history_destroy (&self->history);
    abstract_destroy (&self->abstract);
    self->shadow.listener = (rm_state_listener_t){0};
    rm_state_close (&self->shadow);
    free (self->sync);
    free (self->jobs);
    free (self);
}

check_counts_t check_counts (const check_t *self)
{
    return self->counts;
}

/* ---- processes --------------------------------------------------------------------------------------------------- */

pid_t check_pid (const check_t *self, uint32_t who)
{
    return (pid_t)(who * 100000 + self->sim->processes[who].boot);
}

void check_boots (check_t *self, uint32_t who)
{
    self->paused_us[who] = 0;
    if (sim_is_master (self->sim, who))
        self->open_term[who] = 0;
}

void check_dies (check_t *self, uint32_t who)
{
    self->counts.deaths++;
    abstract_dies (self->abstract, who);
    if (self->paused_us[who])
        history_stopped (self->history, check_pid (self, who), self->paused_us[who], self->sim->now_us);
    history_died (self->history, check_pid (self, who), self->sim->now_us);
}

void check_pauses (check_t *self, uint32_t who)
{
    if (!self->paused_us[who])
        self->paused_us[who] = self->sim->now_us;
}

void check_goes_on (check_t *self, uint32_t who)
{
    history_stopped (self->history, check_pid (self, who), self->paused_us[who], self->sim->now_us);
    self->paused_us[who] = 0;
}

/* Handlers here always return in time: none may be given up, unless its process stood still. */
void check_gives_up (check_t *self, uint32_t who, rm_work_end_t end)
{
    if (end == RM_WORK_END_REFUSED || (end == RM_WORK_END_HUNG && !self->sim->processes[who].tainted_us))
        VIOLATION (self, "everything-ends", "%s gave up: its end is number %d", self->sim->processes[who].name, end);
}

void check_deposed (check_t *self, uint32_t who)
{
    abstract_deposed (self->abstract);
    self->open_term[who] = 0;
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

void check_sent (check_t *self, const sim_packet_t *packet)
{
    const rm_msg_t *msg = &packet->msg;
    abstract_sent (self->abstract, packet);
    if (msg->type == RM_MSG_SYNC)
        check_sync_sent (self, packet->from, &msg->sync);
    else if (msg->type == RM_MSG_DISPATCH)
        check_dispatch_sent (self, &msg->dispatch);
    else if (msg->type == RM_MSG_ACCEPTED || msg->type == RM_MSG_RESULT)
        check_answer (self, msg);
    else if (msg->type == RM_MSG_COMMITTED)
        check_committed (self, packet->to, &msg->committed);
}

void check_arrives (check_t *self, const sim_packet_t *packet)
{
    abstract_arrives (self->abstract, packet);
    self->stale = check_is_stale (self, packet);
    bool answer = packet->msg.type == RM_MSG_SYNC && sim_is_master (self->sim, packet->to);
    if (!self->stale && answer && check_listens (sim_leader (self->sim, packet->to)))
        check_sync_heard (self, &packet->msg.sync);
    if (self->stale)
        self->before = check_digest (self, packet);
}

void check_arrived (check_t *self, const sim_packet_t *packet)
{
    if (self->stale && self->before != check_digest (self, packet))
        VIOLATION (self, self->stale, "%s heeded a %s of the past", self->sim->processes[packet->to].name,
                   rm_msg_name (packet->msg.type));
    self->stale = NULL;
    abstract_arrived (self->abstract, packet);
}

void check_happened (check_t *self)
{
    abstract_look (self->abstract);
}

void check_drained (check_t *self, const char *name)
{
    abstract_drained (self->abstract, rm_bytes (name));
}

void check_traced (check_t *self, const char *line)
{
    abstract_trace (self->abstract, line);
}

int check_apply (check_t *self, rm_state_t *state, uint64_t index, const void *batch, size_t size)
{
    return abstract_apply (self->abstract, state, index, (rm_part_t){batch, size});
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static bool job_waits (check_t *self, const rm_leader_t *leader, uint32_t who, char *why, size_t size)
{
    RM_RECORD_EACH (&self->shadow, record)
    if (record->outcome == RM_OUTCOME_NONE) {
        rm_now_t now = {sim_clock_ms (self->sim, who), sim_wall_ms (self->sim, who)};
        if (why && !rm_leader_why (leader, now, record->id, why, size))
            snprintf (why, size, "job %" PRIu64 " has not ended", record->id);
        return true;
    }
    return false;
}

static bool worker_rests (check_t *self, uint32_t who)
{
    const rm_work_t *half = sim_work (self->sim, who);
    return half && rm_work_state (half) == RM_WORK_LEASED && !rm_work_held_count (half);
}

bool check_all_ended (check_t *self, char *why, size_t size)
{
    uint32_t master = 0;
    const rm_leader_t *leader = sim_leading (self->sim, &master);
    if (why)
        snprintf (why, size, "no master leads");
    if (!leader || (self->shadow.waiting_count && job_waits (self, leader, master, why, size)))
        return false;
    if (why)
        snprintf (why, size, "the resize of epoch %" PRIu64 " has not ended: %s", self->shadow.epoch,
                  rm_resize_state_name (leader->resize.state));
    if (leader->resize.state != RM_RESIZE_IDLE || leader->resize.wanted || rm_state_resizing (&self->shadow))
        return false;
    for (uint32_t client = 0; client < self->sim->plan->client_count; client++) {
        uint32_t who = sim_client_who (self->sim, client);
        if (why)
            snprintf (why, size, "client %s has not heard of all its jobs", self->sim->processes[who].name);
        if (!sim_client_finished (self->sim, who))
            return false;
    }
    for (uint32_t worker = 0; worker < self->sim->plan->worker_count; worker++) {
        uint32_t who = sim_worker_who (self->sim, worker);
        if (why)
            snprintf (why, size, "worker %s does not rest", self->sim->processes[who].name);
        if (!worker_rests (self, who))
            return false;
    }
    return true;
}

/* The judge says its faults to a file: here to memory. */
void check_end (check_t *self)
{
    char *text = NULL;
    size_t size = 0;
    check_note_untold (self);
    FILE *out = open_memstream (&text, &size);
    size_t faults = out ? history_check (self->history, out) : 1;
    if (out)
        fclose (out);
    if (!faults) {
        free (text);
        return;
    }
    char first[300];
    snprintf (first, sizeof first, "%.*s", text ? (int)strcspn (text, "\n") : 0, text ? text : "");
    free (text);
    VIOLATION (self, "history", "%s", first);
}
