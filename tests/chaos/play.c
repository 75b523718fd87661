#include "play.h"

#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "act.h"
#include "net.h"
#include "order.h"
#include "process.h"

enum {
    GUESTS = 2,
    TOOLS = 2,
    CLIENTS = 4,
    TICK_MS = 5,
    PROGRESS_MS = 5000,
    CALM_MS = 10000,   /* at the end, without faults … */
    CALM_SHARE = 3,    /* … but no more than a third of it all */
    SETTLE_MS = 30000, /* for everyone to be there again, when nobody harms them any more */
    DRAIN_MS = 90000,  /* for everything that was accepted to end */
    ASK_MS = 5000,     /* for an answer, when nobody harms anyone */
    WHYS_MAX = 2,
    TROUBLES_MAX = 5,   /* and no more questions */
    FORMAT = 2,         /* of the ledger: masters compare their states */
    STARTED_MS = 10000, /* for the first jobs */
};

typedef struct {
    stage_t stage;
    act_t act;
    plan_t plan;
    uint64_t begun_ms, length_ms, said_ms;
    char history[700];
} play_t;

static volatile sig_atomic_t interrupted;

static void interrupt (int number)
{
    (void)number;
    interrupted = 1;
}

cast_t play_cast (unsigned masters, unsigned workers, bool network)
{
    return (cast_t){.masters = masters,
                    .workers = workers,
                    .guests = GUESTS,
                    .tools = TOOLS,
                    .clients = CLIENTS,
                    .network = network};
}

/* When the faults end. */
static uint64_t faults_ms (uint64_t length_ms)
{
    return length_ms - (length_ms / CALM_SHARE < CALM_MS ? length_ms / CALM_SHARE : CALM_MS);
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static void count_jobs (const play_t *self, uint64_t *accepted, uint64_t *ended)
{
    *accepted = *ended = 0;
    for (unsigned i = 0; i < cast_size (&self->stage.cast); i++) {
        const desk_t *desk = self->stage.actors[i].desk;
        *accepted += desk ? atomic_load (&desk->accepted) : 0;
        *ended += desk ? atomic_load (&desk->ended) : 0;
    }
}

static void progress (play_t *self, const char *what)
{
    uint64_t accepted, ended, now_ms = time_ms ();
    char text[400];
    const act_counts_t *counts = &self->act.counts;
    if (!what && now_ms < self->said_ms + PROGRESS_MS)
        return;
    self->said_ms = now_ms;
    count_jobs (self, &accepted, &ended);
    act_describe (&self->act, text, sizeof text);
    fprintf (stderr, "chaos: %5.1f s: %" PRIu64 " accepted, %" PRIu64 " ended; %u kills, %u stops; %s\n",
             (double)(now_ms - self->begun_ms) / 1000, accepted, ended,
             counts->master_kills + counts->worker_kills + counts->client_kills,
             counts->steps[STEP_STOP] + counts->steps[STEP_STOP_LONG] + counts->steps[STEP_STOP_KILL],
             what ? what : text);
}

static void summarize (const play_t *self, FILE *out)
{
    const act_counts_t *counts = &self->act.counts;
    const unsigned *steps = counts->steps;
    fprintf (out,
             "kills: %u of masters, %u of workers, %u of clients; %u of them set to be killed again at a message\n",
             counts->master_kills, counts->worker_kills, counts->client_kills, steps[STEP_POINT]);
    fprintf (out, "stops: %u shorter and %u longer than a lease, %u killed while they stood\n", steps[STEP_STOP],
             steps[STEP_STOP_LONG], steps[STEP_STOP_KILL]);
    fprintf (out, "left: %u asked to, %u drained; %u joined for a while; %u ended by themselves (%u times a master)\n",
             steps[STEP_LEAVE], steps[STEP_DRAIN], steps[STEP_JOIN], self->stage.exits, self->stage.master_exits);
    if (!self->stage.cast.network)
        return;
    fprintf (out, "network: %u losses, %u partitions, %u one-way, %u resets; %" PRIu64 " packets hit\n",
             steps[STEP_LOSS], steps[STEP_CUT], steps[STEP_CUT_TO] + steps[STEP_CUT_FROM], steps[STEP_RESET],
             counts->packets);
    if (self->stage.cast.masters > 1) {
        fprintf (out, "between masters: %u splits, %u one-way, %u times some loss\n", steps[STEP_SPLIT],
                 steps[STEP_SPLIT_TO] + steps[STEP_SPLIT_FROM], steps[STEP_FAINT]);
        return;
    }
    fprintf (out, "proxy: %u times delays, %u stalls, %u times broken, %u torn, %u killed\n", steps[STEP_DELAY],
             steps[STEP_STALL], steps[STEP_BREAK], steps[STEP_TEAR], steps[STEP_KILL_PROXY]);
}

size_t play_judge (const char *path, FILE *out)
{
    history_t *history = history_new ();
    long lines = history_read (history, path);
    if (lines < 0) {
        history_destroy (&history);
        return 1;
    }
    size_t faults = history_check (history, out);
    history_tally_t tally = history_tally (history);
    fprintf (out,
             "history: %ld lines, %zu jobs: %zu done, %zu dead by their own fault, %zu of crashes, %zu lost "
             "(at-most-once)\n",
             lines, tally.jobs, tally.done, tally.died_itself, tally.died_crashed, tally.died_lost);
    fprintf (out, "runs: %zu starts, %zu came to an end; %zu not judged, since their process had been stopped\n",
             tally.starts, tally.ended, tally.excused);
    fprintf (out,
             "leases: %zu times somebody was cut off; %zu times a process found that the machine had not let it run\n",
             tally.cuts, tally.sleeps);
    fprintf (out, "the longest time without an acceptance: %.1f s\n", (double)tally.gap_us / 1e6);
    fprintf (out, "faults: %zu\n", faults);
    history_destroy (&history);
    return faults;
}

void play_print_plan (const cast_t *cast, uint64_t seed, uint64_t length_ms, FILE *out)
{
    plan_t plan;
    step_t step;
    char text[ACT_TEXT_BYTES];
    static stage_t stage;
    stage_name (&stage, cast);
    plan_open (&plan, cast, seed);
    for (plan_next (&plan, &step); step.at_ms < faults_ms (length_ms); plan_next (&plan, &step)) {
        act_tell (&stage, &step, text, sizeof text);
        fprintf (out, "%s\n", text);
    }
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

static rm_client_t *ask_client (const play_t *self)
{
    char endpoint[STAGE_ENDPOINTS_BYTES];
    stage_endpoint (&self->stage, endpoint, sizeof endpoint);
    rm_client_t *client = rm_client_new (endpoint);
    if (!client || rm_client_set (client, "initial", "200") || rm_client_set (client, "cap", "500"))
        harness_fail ("no client");
    return client;
}

static json_t *ask (rm_client_t *client, const char *what, uint64_t id)
{
    const char *text;
    if (rm_client_query (client, what, id, NULL, 0, ASK_MS, &text))
        return NULL;
    return json_loads (text, 0, NULL);
}

static bool settled (const play_t *self, rm_client_t *client)
{
    json_t *status = ask (client, "status", 0);
    json_int_t phase = json_integer_value (json_object_get (json_object_get (status, "resize"), "phase"));
    json_int_t workers = json_integer_value (json_object_get (status, "workers"));
    bool good = status && !phase && workers == self->stage.cast.workers + self->stage.cast.tools;
    json_decref (status);
    return good;
}

/* Until everyone is a member who should be one, and no resize runs. */
static void settle (play_t *self)
{
    rm_client_t *client = ask_client (self);
    uint64_t end_ms = time_ms () + SETTLE_MS;
    bool good = false;
    while (!good && !interrupted && time_ms () < end_ms) {
        act_tick (&self->act);
        stage_tick (&self->stage);
        good = settled (self, client);
        if (!good)
            sleep_ms (50);
    }
    if (!good && !interrupted)
        history_pen_complaint (&self->stage.pen, "the cluster has not settled within %d s after the last fault",
                               SETTLE_MS / 1000);
    rm_client_destroy (&client);
}

/* Nothing may be left when everything has ended. */
static void look_for_leftovers (play_t *self)
{
    rm_client_t *client = ask_client (self);
    json_t *status = ask (client, "status", 0), *jobs = json_object_get (status, "jobs");
    json_int_t waiting = json_integer_value (json_object_get (jobs, "waiting"));
    json_int_t running = json_integer_value (json_object_get (jobs, "running"));
    if (!status)
        history_pen_complaint (&self->stage.pen, "the master does not say how it is");
    else if (waiting || running)
        history_pen_complaint (&self->stage.pen, "the master still has %d jobs waiting, %d running", (int)waiting,
                               (int)running);
    json_decref (status);
    rm_client_destroy (&client);
}

/* The newest outcomes once more: of a master that has read them from its disk. */
static void ask_again (play_t *self)
{
    for (unsigned i = 0; i < self->stage.cast.masters; i++)
        stage_kill (&self->stage, cast_master (&self->stage.cast, i), 0);
    if (!stage_start_masters (&self->stage))
        history_pen_complaint (&self->stage.pen, "the masters do not start again");
    rm_client_t *client = ask_client (self);
    unsigned troubles = 0;
    for (unsigned i = 0; i < cast_size (&self->stage.cast); i++)
        for (unsigned j = 0; self->stage.actors[i].desk && j < DESK_RECENT && !interrupted && troubles < TROUBLES_MAX;
             j++) {
            rm_result_t *result;
            uint64_t id = atomic_load (&self->stage.actors[i].desk->recent[j]);
            if (!id)
                continue;
            if (rm_client_wait (client, id, ASK_MS, &result)) {
                history_pen_complaint (&self->stage.pen, "job %" PRIu64 " had an outcome: %s", id,
                                       rm_client_error (client));
                troubles++;
                continue;
            }
            history_outcome_t outcome = outcome_of (id, result);
            rm_result_destroy (&result);
            history_pen_outcome (&self->stage.pen, &outcome);
        }
    rm_client_destroy (&client);
}

/* ---- the acts ---------------------------------------------------------------------------------------------------- */

static void idle (play_t *self)
{
    act_tick (&self->act);
    stage_tick (&self->stage);
    progress (self, NULL);
    sleep_ms (TICK_MS);
}

/* A new group soon has a format in which masters compare their states. */
static void await_format (play_t *self)
{
    rm_client_t *client = ask_client (self);
    uint64_t end_ms = time_ms () + SETTLE_MS;
    json_int_t format = 0;
    while (format < FORMAT) {
        json_t *masters = ask (client, "masters", 0);
        format = json_integer_value (json_object_get (masters, "format"));
        json_decref (masters);
        if (time_ms () > end_ms)
            harness_fail ("the ledger does not get format %d", FORMAT);
        idle (self);
    }
    rm_client_destroy (&client);
}

static void begin (play_t *self)
{
    unsigned all = cast_peers_end (&self->stage.cast), first = all - self->stage.cast.clients;
    if (!stage_start_masters (&self->stage))
        harness_fail ("the masters do not get ready");
    if (self->stage.cast.masters > 1)
        await_format (self);
    for (unsigned i = CAST_PROXY; i < first; i++) {
        bool there = !stage_is_guest (&self->stage, i) && (i != CAST_PROXY || cast_has_proxy (&self->stage.cast));
        if (there && !stage_start_ready (&self->stage, i))
            harness_fail ("%s does not get ready", self->stage.actors[i].name);
    }
    settle (self);
    for (unsigned i = first; i < all; i++)
        stage_start (&self->stage, i);
    uint64_t end_ms = time_ms () + STARTED_MS;
    for (unsigned i = first; i < all; i++)
        while (!atomic_load (&self->stage.actors[i].desk->accepted) && !interrupted) {
            if (time_ms () > end_ms)
                harness_fail ("nothing of %s was accepted, before anything was done to it", self->stage.actors[i].name);
            idle (self);
        }
}

static void harm (play_t *self)
{
    step_t step;
    self->begun_ms = time_ms ();
    for (plan_next (&self->plan, &step); step.at_ms < faults_ms (self->length_ms); plan_next (&self->plan, &step)) {
        while (!interrupted && time_ms () < self->begun_ms + step.at_ms)
            idle (self);
        if (interrupted)
            return;
        act_begin (&self->act, &step);
    }
    while (!interrupted && time_ms () < self->begun_ms + faults_ms (self->length_ms))
        idle (self);
}

static bool agreed (const play_t *self, int64_t since)
{
    for (unsigned i = 0; i < self->stage.cast.masters; i++)
        if (stage_ledger (&self->stage, i, "verified") <= since)
            return false;
    return true;
}

/* Until each master has found its state to be the leader's, after a batch that is newer than the last fault. */
static void agree (play_t *self)
{
    int64_t since = 0;
    uint64_t end_ms = time_ms () + SETTLE_MS;
    for (unsigned i = 0; i < self->stage.cast.masters; i++) {
        int64_t batches = stage_ledger (&self->stage, i, "batches");
        since = batches > since ? batches : since;
    }
    while (!agreed (self, since) && !interrupted) {
        if (time_ms () > end_ms) {
            history_pen_complaint (&self->stage.pen,
                                   "the masters' states have not been found to be the same within %d s",
                                   SETTLE_MS / 1000);
            return;
        }
        idle (self);
    }
}

/* Every client must get something accepted again. */
static void calm_down (play_t *self)
{
    uint64_t before[CAST_MAX] = {0}, end_ms = self->begun_ms + self->length_ms;
    history_pen_write (&self->stage.pen, "# %" PRIu64 " no more faults", history_now_us ());
    progress (self, "no more faults");
    act_end_all (&self->act);
    settle (self);
    for (unsigned i = 0; i < CAST_MAX; i++)
        before[i] = self->stage.actors[i].desk ? atomic_load (&self->stage.actors[i].desk->accepted) : 0;
    if (self->stage.cast.masters > 1)
        agree (self);
    if (end_ms < time_ms () + CALM_MS / 2)
        end_ms = time_ms () + CALM_MS / 2;
    while (!interrupted && time_ms () < end_ms)
        idle (self);
    for (unsigned i = 0; i < CAST_MAX && !interrupted; i++)
        if (self->stage.actors[i].desk && atomic_load (&self->stage.actors[i].desk->accepted) == before[i])
            history_pen_complaint (&self->stage.pen, "nothing of %s was accepted although nobody was harmed",
                                   self->stage.actors[i].name);
}

/* Of the first few it is asked why: when many hang, they hang for the same reason. */
static void complain_of_pending (play_t *self, const actor_t *actor)
{
    rm_client_t *client = ask_client (self);
    unsigned said = 0;
    for (unsigned i = 0; i < DESK_WINDOW; i++) {
        uint64_t id = atomic_load (&actor->desk->pending[i].id);
        if (!id)
            continue;
        json_t *why = said++ < WHYS_MAX ? ask (client, "why", id) : NULL;
        char *text = why ? json_dumps (why, JSON_COMPACT) : NULL;
        history_pen_complaint (&self->stage.pen, "job %" PRIu64 " of %s has not ended within %d s: %s", id, actor->name,
                               DRAIN_MS / 1000, text ? text : "?");
        free (text);
        json_decref (why);
    }
    rm_client_destroy (&client);
}

/* What was accepted ends, in a bounded time. */
static void drain (play_t *self)
{
    unsigned all = cast_peers_end (&self->stage.cast), first = all - self->stage.cast.clients;
    uint64_t begun_ms = time_ms ();
    progress (self, "no more jobs; waiting for those that were accepted");
    for (unsigned i = first; i < all; i++)
        stage_leave (&self->stage, i, 0, true);
    for (unsigned i = first; i < all; i++) {
        while (self->stage.actors[i].process && !interrupted && time_ms () < begun_ms + DRAIN_MS)
            idle (self);
        if (self->stage.actors[i].process && !interrupted)
            complain_of_pending (self, &self->stage.actors[i]);
    }
    printf ("everything that was accepted ended within %.1f s after the last submit\n",
            (double)(time_ms () - begun_ms) / 1000);
}

static size_t end (play_t *self, bool keep)
{
    progress (self, "the judge reads");
    stage_close (&self->stage);
    if (self->stage.cast.network && self->act.counts.steps[STEP_CUT] && !self->act.counts.packets)
        history_pen_complaint (&self->stage.pen, "the faults of the network have not hit a single packet");
    summarize (self, stdout);
    size_t faults = play_judge (self->history, stdout);
    if (faults || keep) {
        scratch_keep ();
        printf ("the history is %s, the logs are in %s\n", self->history, scratch_dir ());
    }
    return faults;
}

play_end_t play (const cast_t *cast, uint64_t seed, uint64_t length_ms, const char *history, bool keep)
{
    static play_t self;
    struct sigaction action = {.sa_handler = interrupt};
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
    scratch_in_memory ();
    snprintf (self.history, sizeof self.history, "%s%s", history ? history : scratch_dir (), history ? "" : "/history");
    unlink (self.history);
    self.length_ms = length_ms;
    self.begun_ms = time_ms ();
    stage_open (&self.stage, cast, seed, self.history);
    act_open (&self.act, &self.stage);
    plan_open (&self.plan, cast, seed);
    history_pen_write (&self.stage.pen, "# chaos, seed %" PRIu64 ", %" PRIu64 " ms, %u masters, %u workers%s", seed,
                       length_ms, cast->masters, cast->workers, cast->network ? "" : ", without a network");
    void (*const acts[]) (play_t *) = {begin, harm, calm_down, drain, look_for_leftovers, ask_again};
    for (size_t i = 0; i < sizeof acts / sizeof *acts && !interrupted; i++)
        acts[i](&self);
    if (interrupted) {
        stage_close (&self.stage);
        fprintf (stderr, "chaos: interrupted\n");
        return PLAY_INTERRUPTED;
    }
    return end (&self, keep) ? PLAY_FAULTS : PLAY_GOOD;
}
