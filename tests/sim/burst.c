#include "burst.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ringmaster/error.h"
#include "story.h"

enum {
    MESSAGE_JOBS = 6, /* in a message, at most */
    WINDOW = 12,      /* submits under way */
    AGAIN_MS = 300,   /* what was not answered for so long is sent again */
    LOOK_MS = 40,     /* between two looks at what is to be done */
    WAIT_MS = 200,    /* of a long poll */
    SILENCE_MS = 900, /* a master that says nothing for so long is left */
};

typedef enum { WANTED, SENT, ACCEPTED, LET_GO, OVER } fate_t;

/* A job it wants, by its place in the plan. */
typedef struct {
    fate_t fate;
    uint64_t seq, id;
    uint64_t sent_ms;
} want_t;

struct sim_burst {
    uint64_t random, connection;
    uint32_t master;   /* that it talks to */
    uint64_t heard_ms; /* when that one last answered */
    rm_session_id_t session;
    uint64_t last_seq;
    bool known; /* the session, to the master */
    want_t wants[PLAN_ITEMS_MAX];
    uint64_t waited_ms; /* when it last asked for outcomes */
    char payloads[MESSAGE_JOBS][16], keys[MESSAGE_JOBS][8];
};

sim_burst_t *sim_burst_new (void)
{
    sim_burst_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    return self;
}

void sim_burst_destroy (sim_burst_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

uint64_t sim_burst_connection (const sim_burst_t *self, uint32_t master)
{
    return self->master == master ? self->connection : 0;
}

bool sim_burst_finished (const sim_burst_t *self, const sim_t *sim, uint32_t who)
{
    for (uint32_t place = 0; place < sim->plan->item_count; place++)
        if (sim_client_wants (sim, who, place) && self->wants[place].fate < LET_GO)
            return false;
    return true;
}

/* ---- sessions ---------------------------------------------------------------------------------------------------- */

static void begin_session (sim_burst_t *self)
{
    for (size_t i = 0; i < sizeof self->session; i += 8)
        memcpy (self->session.bytes + i, &(uint64_t){rm_splitmix (&self->random)}, 8);
    self->last_seq = 0;
    self->known = false;
}

/* Whatever was sent and not answered may have been accepted or not. */
static void let_go (sim_burst_t *self, const sim_t *sim, uint32_t who)
{
    for (uint32_t place = 0; place < sim->plan->item_count; place++)
        if (sim_client_wants (sim, who, place) && self->wants[place].fate == SENT)
            self->wants[place].fate = LET_GO;
}

/* Below the lowest number that was not answered. */
static uint64_t floor_of (const sim_burst_t *self, const sim_t *sim, uint32_t who)
{
    uint64_t floor = self->last_seq;
    for (uint32_t place = 0; place < sim->plan->item_count; place++)
        if (sim_client_wants (sim, who, place) && self->wants[place].fate == SENT && self->wants[place].seq <= floor)
            floor = self->wants[place].seq - 1;
    return floor;
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

static void send (sim_burst_t *self, sim_t *sim, uint32_t who, const rm_msg_t *msg)
{
    rm_buf_t frame = {0};
    if (rm_msg_encode (msg, &frame))
        sim_violation (sim, "memory", "a client has run out of memory");
    sim_send (sim, who, self->master, self->connection, &frame);
}

/* One message of jobs that are due: those never sent, or sent long ago. Numbers are given in the order of places, so that
 * they grow in a message. False: nothing is due. */
static bool submit_some (sim_burst_t *self, sim_t *sim, uint32_t who, uint64_t now_ms, uint32_t *from)
{
    rm_submit_job_t jobs[MESSAGE_JOBS];
    uint32_t count = 0, most = 1 + (uint32_t)(rm_splitmix (&self->random) % MESSAGE_JOBS), under_way = 0;
    for (uint32_t place = 0; place < sim->plan->item_count; place++)
        under_way += sim_client_wants (sim, who, place) && self->wants[place].fate == SENT;
    for (; *from < sim->plan->item_count && count < most; ++*from) {
        want_t *want = &self->wants[*from];
        bool again = want->fate == SENT && now_ms >= want->sent_ms + AGAIN_MS;
        if (!sim_client_wants (sim, who, *from) || (!again && (want->fate != WANTED || under_way >= WINDOW)))
            continue;
        if (!again) {
            *want = (want_t){.fate = SENT, .seq = ++self->last_seq};
            under_way++;
            check_submits (sim->check, &sim->plan->items[*from], &self->session, want->seq);
        }
        want->sent_ms = now_ms;
        jobs[count] = sim_client_spell (&sim->plan->items[*from], self->payloads[count], self->keys[count]);
        jobs[count].seq = want->seq;
        count++;
    }
    if (!count)
        return false;
    rm_msg_t msg = {.type = RM_MSG_SUBMIT};
    msg.submit = (rm_msg_submit_t){
        .session = self->session, .floor = floor_of (self, sim, who), .jobs = jobs, .job_count = count};
    send (self, sim, who, &msg);
    return true;
}

static void wait_for_some (sim_burst_t *self, sim_t *sim, uint32_t who)
{
    uint64_t ids[MESSAGE_JOBS];
    uint32_t count = 0;
    for (uint32_t place = 0; place < sim->plan->item_count && count < MESSAGE_JOBS; place++)
        if (sim_client_wants (sim, who, place) && self->wants[place].fate == ACCEPTED)
            ids[count++] = self->wants[place].id;
    if (!count)
        return;
    rm_msg_t msg = {.type = RM_MSG_WAIT};
    msg.wait = (rm_msg_wait_t){.session = self->known ? self->session : (rm_session_id_t){{0}},
                               .ids = ids,
                               .id_count = count,
                               .timeout_ms = WAIT_MS};
    send (self, sim, who, &msg);
}

/* Another master, on a new connection: what is under way is sent to it at once. */
static void turn_away (sim_burst_t *self, const sim_t *sim, uint32_t who)
{
    self->master = (self->master + 1) % sim->plan->master_count;
    self->connection++;
    self->heard_ms = sim_clock_ms (sim, who);
    self->waited_ms = 0;
    for (uint32_t place = 0; place < sim->plan->item_count; place++)
        self->wants[place].sent_ms = 0;
}

void sim_burst_wake (sim_burst_t *self, sim_t *sim, uint32_t who)
{
    uint64_t now_ms = sim_clock_ms (sim, who);
    if (now_ms >= self->heard_ms + SILENCE_MS)
        turn_away (self, sim, who);
    uint32_t from = 0;
    while (!sim->processes[who].dying && submit_some (self, sim, who, now_ms, &from))
        continue;
    if (!sim->processes[who].dying && now_ms >= self->waited_ms + WAIT_MS + LOOK_MS) {
        self->waited_ms = now_ms;
        wait_for_some (self, sim, who);
    }
    sim_want_wake (sim, who, now_ms + LOOK_MS);
}

/* ---- in ---------------------------------------------------------------------------------------------------------- */

static want_t *find_seq (sim_burst_t *self, const sim_t *sim, uint32_t who, uint64_t seq, uint32_t *place)
{
    for (*place = 0; *place < sim->plan->item_count; ++*place)
        if (sim_client_wants (sim, who, *place) && self->wants[*place].fate == SENT && self->wants[*place].seq == seq)
            return &self->wants[*place];
    return NULL;
}

static void on_accepted (sim_burst_t *self, sim_t *sim, uint32_t who, const rm_msg_accepted_t *accepted)
{
    if (memcmp (&accepted->session, &self->session, sizeof self->session))
        return;
    self->known = true;
    for (uint32_t i = 0; i < accepted->job_count; i++) {
        uint32_t place;
        want_t *want = find_seq (self, sim, who, accepted->jobs[i].seq, &place);
        if (!want)
            continue;
        want->fate = ACCEPTED;
        want->id = accepted->jobs[i].id;
        check_accepted (sim->check, who, &sim->plan->items[place], want->id);
    }
}

static void on_result (sim_burst_t *self, sim_t *sim, uint32_t who, const rm_msg_result_t *result)
{
    for (uint32_t i = 0; i < result->job_count; i++) {
        const rm_result_job_t *row = &result->jobs[i];
        for (uint32_t place = 0; place < sim->plan->item_count; place++) {
            want_t *want = &self->wants[place];
            if (!sim_client_wants (sim, who, place) || want->fate != ACCEPTED || want->id != row->id)
                continue;
            if (row->outcome == RM_OUTCOME_GONE)
                check_gone (sim->check, who, row->id);
            else if (row->outcome == RM_OUTCOME_UNKNOWN)
                check_unknown (sim->check, who, row->id);
            else if (row->outcome != RM_OUTCOME_NONE)
                check_result (sim->check, who, row);
            want->fate = row->outcome == RM_OUTCOME_NONE ? ACCEPTED : OVER;
        }
    }
}

/* A late copy of what was answered may be stale; a number that is still open may not. A session of which nothing was
 * accepted may be unknown, since its first message may have been lost. */
static void on_error (sim_burst_t *self, sim_t *sim, uint32_t who, const rm_msg_error_t *error)
{
    uint32_t place;
    bool open = find_seq (self, sim, who, error->seq, &place) != NULL;
    if (error->code == RM_ECONFLICT || (error->code == RM_ESTALE && open && error->seq > floor_of (self, sim, who)))
        sim_violation (sim, "session", "%s was refused its request %" PRIu64 ", which is open: error %d",
                       sim->processes[who].name, error->seq, error->code);
    if (error->code != RM_EEXPIRED || !self->known || !open)
        return;
    story (sim, who, "begins a new session");
    let_go (self, sim, who);
    begin_session (self);
}

void sim_burst_receive (sim_burst_t *self, sim_t *sim, uint32_t who, const rm_msg_t *msg)
{
    self->heard_ms = sim_clock_ms (sim, who);
    if (msg->type == RM_MSG_NOT_LEADER)
        turn_away (self, sim, who);
    else if (msg->type == RM_MSG_ACCEPTED)
        on_accepted (self, sim, who, &msg->accepted);
    else if (msg->type == RM_MSG_RESULT)
        on_result (self, sim, who, &msg->result);
    else if (msg->type == RM_MSG_ERROR)
        on_error (self, sim, who, &msg->error);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

void sim_burst_boot (sim_burst_t *self, sim_t *sim, uint32_t who)
{
    if (!self->connection)
        self->random = sim->plan->seed * 37 + who;
    self->connection++;
    self->heard_ms = sim_clock_ms (sim, who);
    let_go (self, sim, who);
    begin_session (self);
    sim_want_wake (sim, who, sim_clock_ms (sim, who) + 1 + rm_splitmix (&self->random) % LOOK_MS);
}
