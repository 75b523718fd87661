#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "core/flow.h"
#include "story.h"

enum { WINDOW = 12, CAP_MS = 2000, LOOK_MS = 40 };

typedef enum { WANTED, ADDED, ACCEPTED, OVER } fate_t;

struct sim_stream {
    /* what a kill does not reach */
    uint64_t random, connections;
    fate_t fates[PLAN_ITEMS_MAX]; /* by place in the plan */
    /* the process */
    sim_t *sim;
    uint32_t who;
    rm_flow_t flow;
    uint64_t connection; /* 0: no socket */
    uint32_t master;     /* … to that one */
    bool greeted;        /* by it */
    uint64_t
        ids[PLAN_ITEMS_MAX]; /* of what was accepted, by place in the plan; 0: it was not, or by a name of its own */
};

sim_stream_t *sim_stream_new (void)
{
    sim_stream_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    return self;
}

void sim_stream_down (sim_stream_t *self)
{
    rm_flow_close (&self->flow);
    self->connection = 0;
}

void sim_stream_destroy (sim_stream_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

uint64_t sim_stream_connection (const sim_stream_t *self, uint32_t master)
{
    return self->master == master ? self->connection : 0;
}

bool sim_stream_finished (const sim_stream_t *self, const sim_t *sim, uint32_t who)
{
    for (uint32_t place = 0; place < sim->plan->item_count; place++)
        if (sim_client_wants (sim, who, place) && self->fates[place] < OVER)
            return false;
    return true;
}

/* ---- what the flow wants done ----------------------------------------------------------------------------------- */

static void on_close (void *arg)
{
    sim_stream_t *self = arg;
    self->connection = 0;
}

static void on_open (void *arg, const char *endpoint)
{
    sim_stream_t *self = arg;
    self->connection = ++self->connections;
    self->greeted = false;
    self->master = (uint32_t)strtoul (strrchr (endpoint, ':') + 1, NULL, 10) - 1;
}

/* Tells the checks under which request each job goes, before it does. */
static void note_requests (sim_stream_t *self)
{
    RM_LIST_EACH (&self->flow.gathered, link) {
        const rm_flow_job_t *job = RM_OWNER (link, rm_flow_job_t, link);
        if (job->state == RM_FLOW_SENT)
            check_submits (self->sim->check, &self->sim->plan->items[job->tag], &self->flow.session, job->seq);
    }
}

static void on_send (void *arg, rm_buf_t *frame)
{
    sim_stream_t *self = arg;
    rm_msg_t msg;
    rm_buf_t copy = {0};
    if (rm_msg_decode (&msg, frame->data, frame->size, NULL))
        abort ();
    bool greets = msg.type == RM_MSG_HELLO; /* which is not the leader's to answer, and there is no shell here */
    rm_msg_close (&msg);
    note_requests (self);
    if (greets || !self->connection || self->sim->processes[self->who].dying)
        return;
    rm_buf_put (&copy, frame->data, frame->size);
    sim_send (self->sim, self->who, self->master, self->connection, &copy);
}

/* Jobs are added in the order of the plan, and accepted in that order, whatever is lost or refused on the way. */
static void check_order (sim_stream_t *self, uint64_t place, uint64_t id)
{
    self->ids[place] = id;
    for (uint32_t other = 0; other < self->sim->plan->item_count; other++)
        if (self->ids[other] && (other < place) != (self->ids[other] < id) && other != place)
            sim_violation (self->sim, "stream-order",
                           "%s sent its jobs %u and %u, which were accepted the other way round",
                           self->sim->processes[self->who].name, self->sim->plan->items[other].index,
                           self->sim->plan->items[place].index);
}

/* Tells the checks which id each job has. */
static void note_accepted (sim_stream_t *self)
{
    rm_flow_job_t *job, *next;
    HASH_ITER (hh, self->flow.by_id, job, next) {
        if (self->fates[job->tag] == ADDED)
            check_accepted (self->sim->check, self->who, &self->sim->plan->items[job->tag], job->id);
        if (self->fates[job->tag] == ADDED && !job->job.options.uid.size)
            check_order (self, job->tag, job->id);
        self->fates[job->tag] = ACCEPTED;
    }
}

static bool on_ended (void *arg, const rm_flow_job_t *job, const rm_result_job_t *row)
{
    sim_stream_t *self = arg;
    sim_t *sim = self->sim;
    const plan_item_t *item = &sim->plan->items[job->tag];
    self->fates[job->tag] = OVER;
    if (row->outcome == RM_FLOW_REFUSED)
        sim_violation (sim, "session", "%s was refused its job %u: %.*s", sim->processes[self->who].name, item->index,
                       (int)row->reason.size, (const char *)row->reason.data);
    else if (row->outcome == RM_FLOW_UNSURE)
        story (sim, self->who, "lets job %u go", item->index);
    else if (row->outcome == RM_OUTCOME_GONE)
        check_gone (sim->check, self->who, row->id);
    else if (row->outcome == RM_OUTCOME_UNKNOWN)
        check_unknown (sim->check, self->who, row->id);
    else
        check_result (sim->check, self->who, row);
    return true;
}

/* ---- what it wants ---------------------------------------------------------------------------------------------- */

static rm_session_id_t draw_session (sim_stream_t *self)
{
    rm_session_id_t session;
    for (size_t i = 0; i < sizeof session; i += 8)
        memcpy (session.bytes + i, &(uint64_t){rm_splitmix (&self->random)}, 8);
    return session;
}

/* Adds what there is room for; true if it added anything. */
static bool fill (sim_stream_t *self, uint64_t now_ms)
{
    const plan_t *plan = self->sim->plan;
    bool any = false;
    for (uint32_t place = 0; place < plan->item_count && self->flow.count < WINDOW; place++) {
        char payload[16], key[8];
        if (!sim_client_wants (self->sim, self->who, place) || self->fates[place] != WANTED)
            continue;
        self->fates[place] = ADDED;
        any = true;
        rm_submit_job_t job = sim_client_spell (&plan->items[place], payload, key);
        if (rm_flow_add (&self->flow, &job, place, now_ms))
            abort ();
        if (rm_splitmix (&self->random) % 2) /* some callers send on without a look, some do look */
            rm_flow_time (&self->flow, now_ms);
    }
    return any;
}

static void go_on (sim_stream_t *self, uint64_t now_ms)
{
    note_accepted (self);
    fill (self, now_ms);
    do
        rm_flow_time (&self->flow, now_ms);
    while (!self->flow.count && fill (self, now_ms)); /* all that was there may have been let go */
    if (self->flow.wants_spare) {
        rm_session_id_t spare = draw_session (self);
        rm_flow_spare (&self->flow, &spare);
    }
    uint64_t until_ms = rm_flow_until (&self->flow);
    sim_want_wake (self->sim, self->who, until_ms > now_ms ? until_ms : now_ms + 1);
}

void sim_stream_wake (sim_stream_t *self)
{
    go_on (self, sim_clock_ms (self->sim, self->who));
}

void sim_stream_receive (sim_stream_t *self, const rm_msg_t *msg)
{
    uint64_t now_ms = sim_clock_ms (self->sim, self->who);
    if (!self->greeted) { /* what its shell would have said */
        self->greeted = true;
        rm_flow_reply (&self->flow, &(rm_msg_t){.type = RM_MSG_WELCOME, .welcome = {.ahead = RM_SUBMITS_AHEAD}},
                       now_ms);
    }
    rm_flow_reply (&self->flow, msg, now_ms);
    go_on (self, now_ms);
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

void sim_stream_boot (sim_stream_t *self, sim_t *sim, uint32_t who)
{
    static const char *const masters[] = {"tcp://m:1"}; /* it finds the others */
    if (!self->connections)
        self->random = sim->plan->seed * 41 + who;
    self->sim = sim;
    self->who = who;
    memset (self->ids, 0, sizeof self->ids);
    for (uint32_t place = 0; place < sim->plan->item_count; place++)
        if (self->fates[place] != WANTED)
            self->fates[place] = OVER;
    const rm_session_id_t sessions[] = {draw_session (self), draw_session (self)};
    const rm_flow_out_t out = {self, on_open, on_close, on_send, on_ended};
    uint64_t now_ms = sim_clock_ms (sim, who);
    if (rm_flow_init (&self->flow, masters, 1, sessions, rm_splitmix (&self->random), &out, now_ms))
        abort ();
    rm_backoff_t policy = rm_line_policy ();
    policy.cap_ms = CAP_MS;
    rm_line_configure (&self->flow.line, &policy, NULL);
    sim_want_wake (sim, who, now_ms + 1 + rm_splitmix (&self->random) % LOOK_MS);
}
