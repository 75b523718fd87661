/*  ringctl map, once it is clear what is to be run: submits, waits, writes down, stops. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/map/progress.h"
#include "ctl/map_settings.h"
#include "net/clock.h"
#include "proto/alloc.h"
#include "proto/shell.h"

enum {
    TURN_MS = 250,         /* how long is waited at a time, so that signals, progress and processes get their turn */
    SUBMIT_MS = 2000,      /* how long one try to submit may take */
    POOL_MS = 2000,        /* between two looks at how large the pool is */
    DRAW_MS = 100,         /* between two drawings of the progress */
    AHEAD = 2,             /* commands under way for each slot, so that none waits for us */
    WINDOW_MIN = 4,        /* likewise, in all */
    CANCEL_MS = 500,       /* how long one command may take to be cancelled … */
    CANCEL_ALL_MS = 5000,  /* … and all that are under way */
    SUBMIT_BYTES = 1 << 20 /* of commands in one message, about */
};

typedef struct {
    const rm_map_run_t *run;
    rm_map_job_t **queue; /* a ring of what waits; owned */
    size_t first, waiting;
    rm_map_job_t **open; /* what is under way; owned */
    size_t open_count;
    rm_map_progress_t progress;
    rm_map_halting_t halting;
    int first_exit;    /* exit status of the command that made it halt */
    size_t window;     /* of `open` */
    uint64_t pool_ms;  /* when the pool was looked at last */
    uint64_t heard_ms; /* when a master last answered */
    uint64_t drawn_ms; /* when the progress was drawn */
    uint64_t begun_ms;
    rm_fault_t fault;
    int code; /* it ends with; -1: it goes on */
} map_t;

/* ---- signals ---------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t signalled;

static void on_signal (int number)
{
    signalled = number;
}

static void watch_signals (void)
{
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = (int)SA_RESETHAND}; /* a second one ends us at once */
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
}

/* ---- progress --------------------------------------------------------------------------------------------------- */

static bool shows (const map_t *self)
{
    return self->run->settings->bar || self->run->settings->eta;
}

static void wipe (const map_t *self)
{
    if (shows (self) && self->drawn_ms)
        fputs ("\r\033[K", stderr);
}

static void draw (map_t *self, bool last)
{
    uint64_t now_ms = rm_clock_ms ();
    char text[256];
    if (!shows (self) || (!last && now_ms < self->drawn_ms + DRAW_MS))
        return;
    self->progress.ran_ms = now_ms - self->begun_ms;
    rm_map_progress_write (&self->progress, self->run->settings->bar, text, sizeof text);
    fprintf (stderr, "\r%s\033[K%s", text, last ? "\n" : "");
    self->drawn_ms = now_ms;
}

/* ---- ends ------------------------------------------------------------------------------------------------------- */

/* Ends the run for what `fault` says. */
static void give_up (map_t *self, int code)
{
    wipe (self);
    rm_ctl_say ("%s", *self->fault.text ? self->fault.text : rm_strerror (RM_ENOMEM));
    self->code = code;
}

/* True if it was no error. */
static bool check (map_t *self, int error)
{
    if (error)
        give_up (self, RM_CTL_FAILED);
    return !error;
}

/* What the client could not do. */
static void fail (map_t *self, int error)
{
    wipe (self);
    self->code = rm_ctl_fail (self->run->ctl, error);
}

static void say_rest (const map_t *self)
{
    const rm_map_settings_t *settings = self->run->settings;
    uint64_t left = self->progress.all - self->progress.ended;
    if (!left)
        return;
    if (settings->name)
        rm_ctl_say ("%" PRIu64 " of %" PRIu64 " commands are left; the same command again goes on", left,
                    self->progress.all);
    else if (self->open_count && !self->run->local)
        rm_ctl_say ("%zu commands that were under way go on at the workers", self->open_count);
}

/* What a pool runs for nobody any more is stopped there; a run with a name goes on with it later, and one with workers of its
 * own takes them along. A second signal ends us at once. */
static void cancel_rest (map_t *self)
{
    bool wanted = self->run->settings->name || (!signalled && self->halting != RM_MAP_HALT_NOW);
    uint64_t end_ms = rm_clock_ms () + CANCEL_ALL_MS;
    size_t left = 0;
    if (wanted || self->run->local)
        return;
    for (size_t i = 0; i < self->open_count; i++)
        if (rm_clock_ms () > end_ms || rm_client_cancel (self->run->client, self->open[i]->id, CANCEL_MS))
            self->open[left++] = self->open[i];
    self->open_count = left;
}

/* ---- outcomes --------------------------------------------------------------------------------------------------- */

static void enqueue (map_t *self, rm_map_job_t *job)
{
    job->state = RM_MAP_WAITS;
    self->queue[(self->first + self->waiting++) % self->run->plan->count] = job;
}

/* The command has ended for good. */
static void conclude (map_t *self, rm_map_job_t *job, const rm_shell_reply_t *reply, rm_result_t *result)
{
    const rm_map_run_t *run = self->run;
    job->state = RM_MAP_ENDED;
    wipe (self);
    /* The output first: who is killed in between prints it twice rather than not at all. */
    if (!check (self, rm_map_output_take (run->output, job, reply, result, &self->fault)) ||
        !check (self, rm_map_journal_ended (run->journal, job, &self->fault)) ||
        !check (self, rm_map_output_log (run->output, job, &self->fault)))
        return;
    bool failed = rm_map_failed (&job->outcome);
    self->progress.ended++;
    self->progress.failed += failed;
    rm_map_halting_t halting = rm_map_halt_now (&run->settings->halt, self->progress.failed,
                                                self->progress.ended - self->progress.failed, self->progress.all);
    if (halting <= self->halting)
        return;
    self->halting = halting;
    self->first_exit = failed ? job->outcome.exit ? job->outcome.exit : 1 : 0;
    wipe (self);
    if (failed)
        rm_ctl_say ("this command failed, and no more are started: %s", job->command);
    self->drawn_ms = 0;
}

/* A try has come to nothing: another one, or the end. */
static void try_again (map_t *self, rm_map_job_t *job, const rm_shell_reply_t *reply, rm_result_t *result)
{
    job->tries++;
    if (job->tries >= (uint64_t)self->run->settings->tries) {
        conclude (self, job, reply, result);
        return;
    }
    if (reply)
        rm_map_output_drop (self->run->output, reply);
    rm_result_destroy (&result);
    if (check (self, rm_map_journal_again (self->run->journal, job, &self->fault)))
        enqueue (self, job);
}

static void read_outcome (const map_t *self, const rm_shell_reply_t *reply, rm_map_outcome_t *outcome)
{
    *outcome = (rm_map_outcome_t){.exit = (int)reply->exit,
                                  .signal = (int)reply->signal,
                                  .start_ms = reply->start_ms,
                                  .ran_ms = reply->ran_ms,
                                  .received = reply->stdout_bytes};
    if (reply->timed_out) {
        outcome->exit = RM_MAP_EXIT_TIMED_OUT;
        outcome->signal = SIGTERM;
    }
    bool named = reply->host.size && reply->host.size <= RM_MAP_HOST_BYTES && !self->run->local;
    snprintf (outcome->host, sizeof outcome->host, "%.*s", named ? (int)reply->host.size : 1,
              named ? (const char *)reply->host.data : ":");
}

/* How a job ended that gave no reply: a sentence, and an outcome that says so. */
static void lose (map_t *self, rm_map_job_t *job, const rm_result_t *result)
{
    const char *reason = rm_result_reason (result);
    if (rm_result_outcome (result) == RM_GONE)
        reason = "it has ended, but its outcome is kept no longer";
    else if (!*reason)
        reason = "its result is not one of a worker's shell";
    wipe (self);
    rm_ctl_say ("%s: %s", job->command, reason);
    job->outcome = (rm_map_outcome_t){.exit = RM_MAP_EXIT_LOST, .start_ms = rm_clock_wall_ms (), .host = ":"};
}

/* Takes the result over. */
static void take (map_t *self, rm_map_job_t *job, rm_result_t *result)
{
    rm_shell_reply_t reply;
    size_t size;
    const void *data = rm_result_data (result, &size);
    if (rm_result_outcome (result) == RM_UNKNOWN) { /* the master has lost its ledger: it never ran there */
        rm_result_destroy (&result);
        if (check (self, rm_map_journal_again (self->run->journal, job, &self->fault)))
            enqueue (self, job);
    } else if (rm_result_outcome (result) != RM_DONE || !rm_shell_reply_read (&reply, data, size)) {
        lose (self, job, result);
        conclude (self, job, NULL, result);
    } else {
        read_outcome (self, &reply, &job->outcome);
        if (rm_map_failed (&job->outcome))
            try_again (self, job, &reply, result);
        else
            conclude (self, job, &reply, result);
    }
}

/* ---- submitting ------------------------------------------------------------------------------------------------- */

/* Looks after a master and worker of its own; false: they cannot be helped. */
static bool look_after (map_t *self)
{
    rm_map_local_t *local = self->run->local;
    unsigned restarts = local ? local->restarts : 0;
    if (local && rm_map_local_check (local, &self->fault)) {
        give_up (self, RM_CTL_UNREACHABLE);
        return false;
    }
    if (local && local->restarts > restarts) {
        wipe (self);
        rm_ctl_say ("note: its own master had died, and was started again");
        self->heard_ms = rm_clock_ms ();
    }
    return true;
}

/* A client's trouble with masters: it is patient for the usual time. False: it was. */
static bool be_patient (map_t *self, int error)
{
    if (!look_after (self))
        return false;
    if (error == RM_EUNREACHABLE && rm_clock_ms () < self->heard_ms + RM_CTL_PATIENCE_MS && !signalled)
        return true;
    if (!signalled)
        fail (self, error);
    return false;
}

/* Sends one submit until it is answered; 0 or the error that ended it, of which nothing was said yet if it is `busy`. */
static int send_submit (map_t *self, const rm_spec_t *specs, size_t count, uint64_t *ids)
{
    for (;;) {
        int error = rm_client_submit_many (self->run->client, specs, count, SUBMIT_MS, ids);
        if (error != RM_EUNREACHABLE)
            self->heard_ms = rm_clock_ms ();
        if (!error || error == RM_EBUSY || !be_patient (self, error))
            return error;
    }
}

static bool spell (const map_t *self, const rm_map_job_t *job, rm_spec_t *spec, rm_buf_t *payload)
{
    const rm_map_settings_t *settings = self->run->settings;
    rm_shell_request_begin (payload, settings->directory, job->command, settings->place, settings->timeout_ms);
    *spec = (rm_spec_t){.queue = settings->queue,
                        .key = job->key,
                        .data = payload->data,
                        .size = payload->size,
                        .timeout_ms = INT32_MAX}; /* the worker's shell keeps the command's own */
    return !payload->failed;
}

/* What came of a submit of these jobs. */
static void submitted (map_t *self, rm_map_job_t *const *jobs, size_t count, const uint64_t *ids, int error, bool fresh)
{
    if (!error) {
        if (!check (self, rm_map_journal_accepted (self->run->journal, ids, count, &self->fault)))
            return;
        for (size_t i = 0; i < count; i++) {
            jobs[i]->state = RM_MAP_SENT;
            jobs[i]->id = ids[i];
            self->open[self->open_count++] = jobs[i];
        }
        return;
    }
    if (error != RM_EUNREACHABLE && error != RM_EEXPIRED) /* of those nobody knows */
        check (self, rm_map_journal_refused (self->run->journal, &self->fault));
    for (size_t i = 0; i < count && error == RM_EBUSY && fresh; i++)
        enqueue (self, jobs[i]);
}

/* Submits `count` jobs in one message. `fresh`: they were never sent under this session's next number. */
static void submit (map_t *self, rm_map_job_t **jobs, size_t count, bool fresh)
{
    rm_spec_t *specs = rm_calloc (count, sizeof *specs);
    rm_buf_t *payloads = rm_calloc (count, sizeof *payloads);
    uint64_t *ids = rm_calloc (count, sizeof *ids);
    char session[RM_MAP_SESSION_BYTES];
    bool spelt = specs && payloads && ids;
    for (size_t i = 0; i < count && spelt; i++)
        spelt = spell (self, jobs[i], &specs[i], &payloads[i]);
    if (!spelt) {
        give_up (self, RM_CTL_FAILED);
    } else if (!fresh ||
               (!rm_client_session (self->run->client, session, sizeof session) &&
                check (self, rm_map_journal_submit (self->run->journal, session, jobs, count, &self->fault)))) {
        int error = send_submit (self, specs, count, ids);
        submitted (self, jobs, count, ids, error, fresh);
    }
    for (size_t i = 0; i < count && payloads; i++)
        rm_buf_close (&payloads[i]);
    rm_free (payloads);
    rm_free (specs);
    rm_free (ids);
}

/* Why what an earlier run was about to submit cannot be sent again as the same request. */
static const char *why_anew (const rm_map_journal_t *journal, int error)
{
    if (journal->in_doubt)
        return "not all of them are in this run";
    switch (error) {
    case RM_EEXPIRED:
        return "that was too long ago to ask the master what came of it";
    case RM_ECONFLICT:
        return "the master does not take them for the same any more (was an option changed?)";
    default:
        return "the journal does not say how to ask the master what came of it";
    }
}

/* What an earlier run was about to submit is sent again, as the same request. */
static void submit_pending (map_t *self)
{
    rm_map_journal_t *journal = self->run->journal;
    int error = journal->in_doubt ? RM_EEXPIRED : rm_client_resume (self->run->client, journal->session);
    if (!error) {
        submit (self, journal->pending, journal->pending_count, false);
        if (self->code < 0)
            return;
        /* It is taken for another request if, say, its timeout was changed: the old one was accepted. */
        error = self->code == RM_CTL_REFUSED ? RM_ECONFLICT : 0;
        if (!error)
            return;
        self->code = -1;
    }
    rm_ctl_say (
        "note: the last run ended while it submitted %zu commands, and %s: they are submitted anew, and may run twice; "
        "ringctl jobs --queue %s lists what the master has of both runs",
        journal->pending_count, why_anew (journal, error), self->run->settings->queue);
}

/* How many commands may be under way. */
static void look_at_pool (map_t *self)
{
    const char *text;
    uint64_t now_ms = rm_clock_ms ();
    if (self->run->settings->jobs || self->run->local || (self->pool_ms && now_ms < self->pool_ms + POOL_MS))
        return;
    if (rm_client_query (self->run->client, "workers", 0, NULL, 0, SUBMIT_MS, &text))
        return;
    json_t *answer = json_loads (text, 0, NULL), *worker, *queue;
    size_t i, j, slots = 0;
    json_array_foreach (json_object_get (answer, "workers"), i, worker)
        json_array_foreach (json_object_get (worker, "queues"), j, queue)
            if (json_is_string (queue) && !strcmp (json_string_value (queue), self->run->settings->queue))
                slots += (size_t)json_integer_value (json_object_get (worker, "threads"));
    json_decref (answer);
    if (!slots && !self->pool_ms)
        rm_ctl_say ("note: no worker serves the queue %s yet (ringworker --shell does); the commands wait for one",
                    self->run->settings->queue);
    self->pool_ms = now_ms;
    self->window = AHEAD * slots < WINDOW_MIN ? WINDOW_MIN : AHEAD * slots;
    if (self->window > RM_CLIENT_MANY_MAX)
        self->window = RM_CLIENT_MANY_MAX;
}

/* Submits as many as there is room for. */
static void fill (map_t *self)
{
    size_t room = self->open_count < self->window ? self->window - self->open_count : 0, count = 0, bytes = 0;
    rm_map_job_t **jobs = self->open + self->open_count; /* where they will be anyway */
    while (count < room && self->waiting && bytes < SUBMIT_BYTES) {
        rm_map_job_t *job = self->queue[self->first];
        self->first = (self->first + 1) % self->run->plan->count;
        self->waiting--;
        bytes += strlen (job->command);
        jobs[count++] = job;
    }
    if (count)
        submit (self, jobs, count, true);
}

/* ---- waiting ---------------------------------------------------------------------------------------------------- */

static void wait_some (map_t *self)
{
    static uint64_t ids[RM_CLIENT_MANY_MAX];
    static rm_result_t *results[RM_CLIENT_MANY_MAX];
    size_t count = self->open_count < RM_CLIENT_MANY_MAX ? self->open_count : RM_CLIENT_MANY_MAX, left = 0;
    for (size_t i = 0; i < count; i++)
        ids[i] = self->open[i]->id;
    int error = rm_client_wait_any (self->run->client, ids, count, TURN_MS, results);
    if (error != RM_EUNREACHABLE)
        self->heard_ms = rm_clock_ms ();
    if (error) {
        if (error != RM_ETIMEDOUT && error != RM_EBUSY)
            be_patient (self, error);
        return;
    }
    for (size_t i = 0; i < self->open_count; i++) {
        if (i >= count || !results[i])
            self->open[left++] = self->open[i];
        else if (self->code < 0)
            take (self, self->open[i], results[i]);
        else
            rm_result_destroy (&results[i]);
    }
    self->open_count = left;
}

/* A halt at the first failure ends like that command, but that ringctl's own codes 2, 3 and 4 keep their meaning. */
static int exit_like (int status)
{
    return status > 1 && status <= 4 ? 1 : status & 0xff;
}

static bool is_over (map_t *self)
{
    if (self->code >= 0)
        return true;
    if (signalled) {
        wipe (self);
        self->code = signalled == SIGINT ? RM_CTL_INTERRUPTED : RM_CTL_TERMINATED;
        rm_ctl_say ("interrupted");
    } else if (self->halting == RM_MAP_HALT_NOW ||
               (!self->open_count && (!self->waiting || self->halting == RM_MAP_HALT_SOON))) {
        bool as_it = self->halting && self->run->settings->halt.count == 1 && !self->run->settings->halt.percent;
        self->code = as_it ? exit_like (self->first_exit) : rm_map_exit_code (self->progress.failed);
    }
    return self->code >= 0;
}

static void go (map_t *self)
{
    if (*self->run->journal->session)
        submit_pending (self);
    for (size_t i = 0; i < self->run->plan->count && self->code < 0; i++) {
        rm_map_job_t *job = &self->run->plan->jobs[i];
        if (job->state == RM_MAP_WAITS)
            enqueue (self, job);
    }
    while (!is_over (self)) {
        look_at_pool (self);
        if (!self->halting)
            fill (self);
        if (self->code < 0 && self->open_count)
            wait_some (self);
        else if (self->code < 0 && self->waiting) /* the master is busy, and nothing of ours is under way */
            usleep (TURN_MS * 1000);
        if (self->code < 0 && look_after (self))
            draw (self, false);
    }
}

/* What an earlier run has done, and what of it is under way. */
static void go_on (map_t *self)
{
    const rm_map_plan_t *plan = self->run->plan;
    for (size_t i = 0; i < plan->count; i++) {
        rm_map_job_t *job = &plan->jobs[i];
        if (job->state == RM_MAP_SENT)
            self->open[self->open_count++] = job;
        if (job->state != RM_MAP_ENDED)
            continue;
        self->progress.ended++;
        self->progress.failed += rm_map_failed (&job->outcome);
    }
    self->progress.before = self->progress.ended;
}

int rm_map_run (const rm_map_run_t *run)
{
    const rm_map_settings_t *settings = run->settings;
    uint64_t now_ms = rm_clock_ms ();
    map_t self = {.run = run, .code = -1, .begun_ms = now_ms, .heard_ms = now_ms};
    size_t room = run->plan->count + 1;
    self.progress.all = run->plan->count;
    self.window = settings->jobs ? (size_t)settings->jobs : run->local ? AHEAD * run->local->slots : WINDOW_MIN;
    self.queue = rm_calloc (room, sizeof *self.queue);
    self.open = rm_calloc (room, sizeof *self.open);
    watch_signals ();
    if (self.queue && self.open) {
        go_on (&self);
        go (&self);
    } else {
        give_up (&self, RM_CTL_FAILED);
    }
    if (self.code < RM_CTL_INTERRUPTED)
        draw (&self, true);
    cancel_rest (&self);
    say_rest (&self);
    rm_free (self.queue);
    rm_free (self.open);
    return self.code;
}
