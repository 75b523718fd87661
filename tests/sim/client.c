/*  A client: the real lazy pirate, one request at a time, with a socket that is a number. What src/client does around it,
 *  and nothing else. Half of the clients keep their session where a kill does not reach it, and go on with it. Some are no
 *  pirates, but do not wait (burst.h, stream.h). */
#include <stdlib.h>
#include <string.h>

#include "burst.h"
#include "ringmaster/error.h"
#include "sim.h"
#include "story.h"
#include "stream.h"

enum { SILENCE_MS = 10000, CAP_MS = 2000, AGAIN_MS = 20 };

/* What has become of a job that this client wants. */
typedef enum { WANTED, ASKED, KNOWN, LET_GO, OVER } fate_t;

struct sim_client {
    /* what a kill does not reach */
    uint64_t random, connections;
    bool keeps_session;
    char session[RM_SEQS_TEXT_BYTES]; /* "": none */
    fate_t fates[PLAN_ITEMS_MAX];     /* by place in the plan */
    uint64_t ids[PLAN_ITEMS_MAX];
    uint32_t next;        /* place of the first one that is not submitted yet */
    sim_burst_t *burst;   /* NULL: it is none */
    sim_stream_t *stream; /* NULL: it is none; neither: it is a pirate */
    /* the process */
    bool up;
    rm_pirate_t pirate;
    uint64_t connection; /* 0: no socket */
    uint32_t master;     /* … to that one */
    uint64_t rests_until_ms;
    uint32_t place; /* of the job that is asked about */
    bool asking, waits;
    rm_submit_job_t job;
    char payload[16], key[8];
};

static sim_client_t *client_of (const sim_t *self, uint32_t who)
{
    return self->clients[sim_client_place (self, who)];
}

uint64_t sim_client_connection (const sim_t *self, uint32_t who, uint32_t master)
{
    const sim_client_t *client = client_of (self, who);
    if (!client || !client->up)
        return 0;
    if (client->burst)
        return sim_burst_connection (client->burst, master);
    if (client->stream)
        return sim_stream_connection (client->stream, master);
    return client->master == master ? client->connection : 0;
}

bool sim_client_finished (const sim_t *self, uint32_t who)
{
    const sim_client_t *client = client_of (self, who);
    if (!client || !client->up || client->asking)
        return false;
    if (client->burst)
        return sim_burst_finished (client->burst, self, who);
    if (client->stream)
        return sim_stream_finished (client->stream, self, who);
    for (uint32_t place = 0; place < self->plan->item_count; place++)
        if (sim_client_wants (self, who, place) && client->fates[place] < LET_GO)
            return false;
    return true;
}

/* ---- one request ------------------------------------------------------------------------------------------------- */

static void act (sim_t *self, uint32_t who);

static void keep_session (sim_t *self, uint32_t who)
{
    sim_client_t *client = client_of (self, who);
    if (client->keeps_session)
        rm_seqs_save (&client->pirate.seqs, (int64_t)sim_clock_ms (self, who), (int64_t)sim_wall_ms (self, who),
                      client->session, sizeof client->session);
}

static void accepted (sim_t *self, uint32_t who, uint64_t id)
{
    sim_client_t *client = client_of (self, who);
    const plan_item_t *item = &self->plan->items[client->place];
    client->fates[client->place] = KNOWN;
    client->ids[client->place] = id;
    check_accepted (self->check, who, item, id);
    client->waits = item->waits;
}

/* The end of a submit that was not accepted: whether it was is not known. */
static void not_accepted (sim_t *self, uint32_t who, int error)
{
    sim_client_t *client = client_of (self, who);
    story (self, who, "lets job %u go: %s", self->plan->items[client->place].index, rm_pirate_text (&client->pirate));
    client->fates[client->place] = LET_GO;
    if (error == RM_ESTALE || error == RM_ECONFLICT || error == RM_EPROTO || error == RM_EINVAL)
        sim_violation (self, "session", "%s was refused a request of its own: %s", self->processes[who].name,
                       rm_pirate_text (&client->pirate));
}

static void not_told (sim_t *self, uint32_t who, int error)
{
    sim_client_t *client = client_of (self, who);
    uint64_t id = client->ids[client->place];
    if (error == RM_EGONE)
        check_gone (self->check, who, id);
    if (error == RM_EUNKNOWN)
        check_unknown (self->check, who, id);
    client->fates[client->place] = error == RM_EGONE || error == RM_EUNKNOWN ? OVER : KNOWN;
    client->rests_until_ms = sim_clock_ms (self, who) + AGAIN_MS;
}

/* It rests before the job that comes next. */
static void rest (sim_t *self, uint32_t who)
{
    sim_client_t *client = client_of (self, who);
    uint32_t place = client->next;
    while (place < self->plan->item_count && !sim_client_wants (self, who, place))
        place++;
    if (place < self->plan->item_count && !client->asking && !client->waits)
        client->rests_until_ms = sim_clock_ms (self, who) + self->plan->items[place].rest_us / 1000;
}

static void conclude (sim_t *self, uint32_t who, const rm_pirate_effects_t *effects)
{
    sim_client_t *client = client_of (self, who);
    bool submit = client->pirate.request.type == RM_MSG_SUBMIT;
    client->asking = false;
    if (submit && !effects->error)
        accepted (self, who, effects->reply->accepted.jobs[0].id);
    else if (submit)
        not_accepted (self, who, effects->error);
    else if (!effects->error) {
        client->fates[client->place] = OVER;
        check_result (self->check, who, &effects->reply->result.jobs[0]);
    } else
        not_told (self, who, effects->error);
    rest (self, who);
    keep_session (self, who);
}

static void perform (sim_t *self, uint32_t who, const rm_pirate_effects_t *effects)
{
    sim_client_t *client = client_of (self, who);
    if (effects->close)
        client->connection = 0;
    if (effects->open) {
        client->connection = ++client->connections;
        client->master = (uint32_t)strtoul (strrchr (effects->open, ':') + 1, NULL, 10) - 1;
    }
    if (effects->send && client->connection) {
        rm_buf_t frame = {0};
        rm_buf_put (&frame, effects->frame.data, effects->frame.size);
        sim_send (self, who, client->master, client->connection, &frame);
    }
    if (self->processes[who].dying)
        return;
    if (!effects->ended) {
        sim_want_wake (self, who, effects->until_ms);
        return;
    }
    conclude (self, who, effects);
    act (self, who);
}

static void step (sim_t *self, uint32_t who, const rm_pirate_event_t *event)
{
    sim_client_t *client = client_of (self, who);
    rm_pirate_effects_t effects;
    rm_pirate_step (&client->pirate, event, sim_clock_ms (self, who), rm_splitmix (&client->random), &effects);
    if (event->type == RM_PIRATE_BEGIN && event->msg->type == RM_MSG_SUBMIT) {
        check_submits (self->check, &self->plan->items[client->place], &client->pirate.seqs.session, client->job.seq);
        keep_session (self, who);
    }
    perform (self, who, &effects);
}

static void begin (sim_t *self, uint32_t who, const rm_msg_t *request, uint64_t deadline_ms)
{
    sim_client_t *client = client_of (self, who);
    rm_session_id_t spare;
    for (size_t i = 0; i < sizeof spare; i += 8)
        memcpy (spare.bytes + i, &(uint64_t){rm_splitmix (&client->random)}, 8);
    client->asking = true;
    step (self, who,
          &(rm_pirate_event_t){.type = RM_PIRATE_BEGIN,
                               .msg = request,
                               .spare = &spare,
                               .deadline_ms = deadline_ms,
                               .silence_ms = SILENCE_MS});
}

/* ---- what it wants ----------------------------------------------------------------------------------------------- */

rm_submit_job_t sim_client_spell (const plan_item_t *item, char payload[16], char key[8])
{
    plan_payload (item, payload);
    plan_key (item, key);
    return (rm_submit_job_t){
        .queue = rm_bytes (item->queue ? "r" : "q"),
        .key = rm_bytes (item->key < 0 ? NULL : key),
        .data = rm_bytes (payload),
        .tries = item->tries,
        .timeout_ms = item->timeout_ms,
        .flags = item->at_most_once ? RM_JOB_AT_MOST_ONCE : 0,
        .options = {.delay_ms = item->delay_ms, .deadline_ms = item->deadline_ms, .priority = item->priority},
    };
}

static void submit (sim_t *self, uint32_t who, uint32_t place)
{
    sim_client_t *client = client_of (self, who);
    const plan_item_t *item = &self->plan->items[place];
    client->place = place;
    client->fates[place] = ASKED;
    client->next = place + 1;
    client->job = sim_client_spell (item, client->payload, client->key);
    rm_msg_t request = {.type = RM_MSG_SUBMIT, .submit = {.jobs = &client->job, .job_count = 1}};
    begin (self, who, &request, item->give_up_ms ? sim_clock_ms (self, who) + item->give_up_ms : RM_PIRATE_FOREVER);
}

static void wait (sim_t *self, uint32_t who, uint32_t place)
{
    sim_client_t *client = client_of (self, who);
    client->place = place;
    rm_msg_t request = {.type = RM_MSG_WAIT, .wait = {.ids = &client->ids[place], .id_count = 1}};
    begin (self, who, &request, RM_PIRATE_FOREVER);
}

/* The next thing to do: wait for the newest job if it is to be waited for, submit another, wait for those left. */
static void act (sim_t *self, uint32_t who)
{
    sim_client_t *client = client_of (self, who);
    uint32_t count = self->plan->item_count;
    if (client->asking)
        return;
    if (sim_clock_ms (self, who) < client->rests_until_ms) {
        sim_want_wake (self, who, client->rests_until_ms);
        return;
    }
    if (client->waits) {
        client->waits = false;
        wait (self, who, client->place);
        return;
    }
    while (client->next < count && !sim_client_wants (self, who, client->next))
        client->next++;
    if (client->next < count) {
        submit (self, who, client->next);
        return;
    }
    for (uint32_t place = 0; place < count; place++)
        if (client->fates[place] == KNOWN) {
            wait (self, who, place);
            return;
        }
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static sim_client_t *make (const sim_t *self, uint32_t who)
{
    sim_client_t *client = calloc (1, sizeof *client);
    if (!client)
        abort ();
    client->random = self->plan->seed * 31 + who;
    client->keeps_session = rm_splitmix (&client->random) % 2;
    if (self->plan->bursts[sim_client_place (self, who)])
        client->burst = sim_burst_new ();
    if (self->plan->streams[sim_client_place (self, who)])
        client->stream = sim_stream_new ();
    return client;
}

static void boot_pirate (sim_t *self, uint32_t who)
{
    static const char *const masters[] = {"tcp://m:1"}; /* it finds the others */
    sim_client_t *client = client_of (self, who);
    rm_session_id_t session;
    for (size_t i = 0; i < sizeof session; i += 8)
        memcpy (session.bytes + i, &(uint64_t){rm_splitmix (&client->random)}, 8);
    if (rm_pirate_init (&client->pirate, masters, 1, &session, sim_clock_ms (self, who)))
        abort ();
    rm_backoff_t policy = rm_line_policy ();
    policy.cap_ms = CAP_MS;
    rm_pirate_configure (&client->pirate, &policy, NULL);
    bool goes_on =
        *client->session && !rm_seqs_load (&client->pirate.seqs, client->session, (int64_t)sim_clock_ms (self, who),
                                           (int64_t)sim_wall_ms (self, who));
    for (uint32_t place = 0; place < self->plan->item_count; place++)
        if (sim_client_wants (self, who, place) && client->fates[place] == ASKED) {
            client->fates[place] = goes_on ? ASKED : LET_GO;
            client->next = goes_on ? place : place + 1;
        }
    client->connection = 0;
    client->asking = client->waits = false;
    client->rests_until_ms = 0;
    rest (self, who);
    sim_want_wake (self, who, sim_clock_ms (self, who) + 1);
}

void sim_client_boot (sim_t *self, uint32_t who)
{
    if (!client_of (self, who))
        self->clients[sim_client_place (self, who)] = make (self, who);
    sim_client_t *client = client_of (self, who);
    client->up = true;
    if (client->burst)
        sim_burst_boot (client->burst, self, who);
    else if (client->stream)
        sim_stream_boot (client->stream, self, who);
    else
        boot_pirate (self, who);
}

void sim_client_down (sim_t *self, uint32_t who)
{
    sim_client_t *client = client_of (self, who);
    if (!client || !client->up)
        return;
    client->up = false;
    if (client->stream)
        sim_stream_down (client->stream);
    else if (!client->burst)
        rm_pirate_close (&client->pirate);
}

void sim_client_destroy (sim_t *self, uint32_t who)
{
    sim_client_down (self, who);
    if (client_of (self, who)) {
        sim_burst_destroy (&client_of (self, who)->burst);
        sim_stream_destroy (&client_of (self, who)->stream);
    }
    free (client_of (self, who));
    self->clients[sim_client_place (self, who)] = NULL;
}

void sim_client_receive (sim_t *self, const sim_packet_t *packet)
{
    check_arrives (self->check, packet);
    check_arrived (self->check, packet);
    sim_client_t *client = client_of (self, packet->to);
    if (client->burst)
        sim_burst_receive (client->burst, self, packet->to, &packet->msg);
    else if (client->stream)
        sim_stream_receive (client->stream, &packet->msg);
    else if (client->asking)
        step (self, packet->to, &(rm_pirate_event_t){.type = RM_PIRATE_REPLY, .msg = &packet->msg});
}

void sim_client_wake (sim_t *self, uint32_t who)
{
    sim_client_t *client = client_of (self, who);
    if (client->burst)
        sim_burst_wake (client->burst, self, who);
    else if (client->stream)
        sim_stream_wake (client->stream);
    else if (client->asking)
        step (self, who, &(rm_pirate_event_t){.type = RM_PIRATE_TIME});
    else
        act (self, who);
}
