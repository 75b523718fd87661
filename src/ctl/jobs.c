/*  ringctl submit and wait: jobs and their results. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/settings.h"
#include "ctl/ctl.h"
#include "ctl/follow.h"
#include "ctl/json.h"
#include "ctl/show/text.h"
#include "ctl/show/when.h"
#include "net/clock.h"
#include "proto/buf.h"
#include "proto/limits.h"

enum {
    READ_BYTES = 64 << 10,
    NOTE_MS = 1000,  /* how long a note may take to find out */
    QUIET_MS = 3000, /* how long a job may take before it is said what it waits for */
    EXIT_INTERRUPTED = 128 + SIGINT
};

/* ---- interrupted ------------------------------------------------------------------------------------------------- */

static char farewell[160]; /* what ctrl-c says; written before the handler is set */

static void on_interrupt (int number)
{
    (void)number;
    ssize_t ignored = write (STDERR_FILENO, farewell, strlen (farewell));
    (void)ignored;
    _exit (EXIT_INTERRUPTED);
}

/* From now on ctrl-c ends the wait for a job, not the job, and says so. */
static void on_interrupt_say (uint64_t id)
{
    snprintf (farewell, sizeof farewell,
              "\nringctl: interrupted; job %" PRIu64 " goes on, and ringctl wait %" PRIu64 " waits for it\n", id, id);
    signal (SIGINT, on_interrupt);
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static const char *const outcome_names[] = {
    [RM_DONE] = "done", [RM_DIED] = "dead", [RM_CANCELLED] = "cancelled", [RM_EXPIRED] = "expired"};

static const char *outcome_name (const rm_result_t *result)
{
    unsigned outcome = (unsigned)rm_result_outcome (result);
    bool known = outcome < sizeof outcome_names / sizeof *outcome_names && outcome_names[outcome];
    return known ? outcome_names[outcome] : "ended in a way this ringctl does not know";
}

static void print_json (const rm_result_t *result)
{
    size_t size;
    const void *data = rm_result_data (result, &size);
    json_t *object = json_pack ("{s:I, s:s, s:I}", "id", (json_int_t)rm_result_id (result), "outcome",
                                outcome_name (result), "attempt", (json_int_t)rm_result_attempt (result));
    rm_ctl_json_set_bytes (object, "reason", rm_result_reason (result), strlen (rm_result_reason (result)));
    rm_ctl_json_set_bytes (object, "data", data, size);
    rm_ctl_json_print (object);
}

/* The bytes and nothing else; but on a terminal the next result, or prompt, begins on a line of its own. */
static void print_bytes (const rm_ctl_t *self, const rm_result_t *result)
{
    size_t size;
    const char *data = rm_result_data (result, &size);
    bool ended = size ? data[size - 1] == '\n' : !self->several; /* among several, nothing is a line too */
    fwrite (data, 1, size, stdout);
    if (!ended && isatty (STDOUT_FILENO))
        putchar ('\n');
    fflush (stdout);
}

static int show_result (const rm_ctl_t *self, const rm_result_t *result)
{
    bool done = rm_result_outcome (result) == RM_DONE;
    if (self->said.json)
        print_json (result);
    else if (done)
        print_bytes (self, result);
    if (done)
        return RM_CTL_DONE;
    const char *reason = rm_result_reason (result);
    rm_ctl_say ("job %" PRIu64 " is %s%s%s", rm_result_id (result), outcome_name (result), *reason ? ": " : "",
                rm_ctl_plain (reason));
    return RM_CTL_FAILED;
}

/* Notes what a job waits for, unless it has just ended; once, of the first one that lets us wait. */
static void note_why (rm_ctl_t *self, uint64_t id)
{
    static const char *const open[] = {"waiting", "delayed", "held", "running"};
    const char *text;
    if (rm_client_query (self->client, "why", id, NULL, 0, NOTE_MS, &text))
        return;
    json_t *answer = json_loads (text, 0, NULL);
    const char *why = json_string_value (json_object_get (answer, "text"));
    const char *state = json_string_value (json_object_get (answer, "state"));
    int size = why ? (int)strlen (why) : 0;
    if (size && why[size - 1] == '.')
        size--;
    for (size_t i = 0; size && state && i < sizeof open / sizeof *open; i++) {
        if (strcmp (state, open[i]))
            continue;
        rm_ctl_say ("note: %c%.*s", tolower ((unsigned char)*why), size - 1, rm_ctl_plain (why) + 1);
        self->noted = true;
    }
    json_decref (answer);
}

/* Waits as long as it takes, with a note in between; but no longer than the usual patience without any master. */
static int wait_long (rm_ctl_t *self, uint64_t id, rm_result_t **result)
{
    if (self->noted)
        return rm_client_wait (self->client, id, -1, result);
    int error = rm_client_wait (self->client, id, QUIET_MS, result);
    if (error == RM_EUNREACHABLE)
        error = rm_client_wait (self->client, id, RM_CTL_PATIENCE_MS - QUIET_MS, result);
    if (error != RM_ETIMEDOUT)
        return error;
    if (!rm_ctl_followed ())
        note_why (self, id);
    return rm_client_wait (self->client, id, -1, result);
}

static int wait_for (rm_ctl_t *self, uint64_t id)
{
    rm_result_t *result;
    rm_ctl_follow (self);
    int error = wait_long (self, id, &result);
    rm_ctl_unfollow (self);
    if (error)
        return rm_ctl_fail (self, error);
    int code = show_result (self, result);
    rm_result_destroy (&result);
    return code;
}

int rm_ctl_each_job (rm_ctl_t *self, int (*act) (rm_ctl_t *self, uint64_t id))
{
    int worst = RM_CTL_DONE;
    for (size_t i = 0; i < self->count; i++)
        if (!rm_ctl_number (self, self->arguments[i], "a job's id"))
            return RM_CTL_USAGE;
    for (size_t i = 0; i < self->count; i++) {
        int code = act (self, rm_ctl_number (self, self->arguments[i], "a job's id"));
        if (code == RM_CTL_UNREACHABLE)
            return code;
        worst = code > worst ? code : worst;
    }
    return worst;
}

static int wait_interruptibly (rm_ctl_t *self, uint64_t id)
{
    on_interrupt_say (id);
    return wait_for (self, id);
}

int rm_ctl_wait (rm_ctl_t *self)
{
    self->several = self->count > 1;
    return rm_ctl_each_job (self, wait_interruptibly);
}

/* ---- submitting -------------------------------------------------------------------------------------------------- */

/* Reads stdin to its end; 0, or the exit code after it has said what is wrong. */
static int read_payload (rm_buf_t *payload)
{
    if (isatty (STDIN_FILENO))
        rm_ctl_say ("reading the payload from the terminal; ctrl-d ends it");
    while (payload->size <= RM_PAYLOAD_BYTES_CEILING) {
        if (rm_buf_reserve (payload, READ_BYTES)) {
            rm_ctl_say ("%s", rm_strerror (RM_ENOMEM));
            return RM_CTL_FAILED;
        }
        ssize_t got = read (STDIN_FILENO, payload->data + payload->size, READ_BYTES);
        if (got == 0)
            return 0;
        if (got > 0) {
            payload->size += (size_t)got;
        } else if (errno != EINTR) {
            rm_ctl_say ("cannot read the payload from stdin: %s", strerror (errno));
            return RM_CTL_USAGE;
        }
    }
    rm_ctl_say ("the payload on stdin has more than %d bytes, which no master takes", RM_PAYLOAD_BYTES_CEILING);
    return RM_CTL_REFUSED;
}

/* Notes that nobody serves the queue, if the master says so; a job there may wait for long. */
static void note_unserved (rm_ctl_t *self, const char *queue)
{
    const char *text;
    if (rm_client_query (self->client, "status", 0, NULL, 0, NOTE_MS, &text))
        return;
    json_t *status = json_loads (text, 0, NULL);
    size_t i;
    json_t *each;
    json_array_foreach (json_object_get (status, "queues"), i, each) {
        const char *name = json_string_value (json_object_get (each, "name"));
        json_t *workers = json_object_get (each, "workers");
        if (name && !strcmp (name, queue) && json_is_integer (workers) && !json_integer_value (workers))
            rm_ctl_say ("note: no worker serves the queue %s yet; the job waits for one", queue);
    }
    json_decref (status);
}

static int submit (rm_ctl_t *self, const rm_spec_t *spec)
{
    uint64_t id;
    int error = rm_client_submit (self->client, spec, RM_CTL_PATIENCE_MS, &id);
    if (error)
        return rm_ctl_fail (self, error);
    self->said.wait = self->said.wait || self->said.follow;
    if (self->said.wait) {
        on_interrupt_say (id);
    } else if (self->said.json) {
        rm_ctl_json_print (json_pack ("{s:I}", "id", (json_int_t)id));
    } else {
        printf ("%" PRIu64 "\n", id);
    }
    fflush (stdout);
    note_unserved (self, spec->queue);
    return self->said.wait ? wait_for (self, id) : RM_CTL_DONE;
}

/* A span of time that was said, above 0; 0 if it was not. False after it has said what is wrong. */
static bool read_span (const rm_ctl_t *self, const char *option, const char *text, uint64_t *ms)
{
    *ms = 0;
    if (!text || (rm_duration_parse (rm_bytes (text), ms) && *ms))
        return true;
    rm_options_refuse (self->program, self->command,
                       "--%s must be a time above 0, like 500ms, 90s, 15m, 2h or 1d, not '%s'", option, text);
    return false;
}

/* How long an attempt may run, when it may begin and has to end; 0, or the exit code. */
static int read_times (const rm_ctl_t *self, rm_spec_t *spec)
{
    uint64_t timeout_ms;
    if (self->said.delay && self->said.at)
        return rm_options_refuse (self->program, self->command, "say --delay or --at, not both");
    if (!read_span (self, "timeout", self->said.timeout, &timeout_ms) ||
        !read_span (self, "delay", self->said.delay, &spec->delay_ms) ||
        !read_span (self, "deadline", self->said.deadline, &spec->deadline_ms))
        return RM_CTL_USAGE;
    if (self->said.at && !rm_ctl_until (self->said.at, rm_clock_wall_ms (), &spec->delay_ms))
        return rm_options_refuse (
            self->program, self->command,
            "--at must be a time to come, like 14:30, '2031-12-24 18:00' or @1924344000, not '%s'", self->said.at);
    if (timeout_ms > INT32_MAX)
        return rm_options_refuse (self->program, self->command, "--timeout must be at most 24 days, not '%s'",
                                  self->said.timeout);
    spec->timeout_ms = (unsigned)timeout_ms;
    return 0;
}

int rm_ctl_submit (rm_ctl_t *self)
{
    rm_buf_t payload = {0};
    rm_spec_t spec = {
        .queue = self->arguments[0],
        .key = self->said.key,
        .tries = (unsigned)self->said.tries,
        .at_most_once = self->said.at_most_once,
        .id = self->said.id,
        .priority = (unsigned)self->said.priority,
        .retry = self->said.retry,
    };
    int code = read_times (self, &spec);
    if (code)
        return code;
    if (self->count > 1) {
        spec.data = self->arguments[1];
        spec.size = strlen (self->arguments[1]);
    } else {
        code = read_payload (&payload);
        spec.data = payload.data;
        spec.size = payload.size;
    }
    if (!code)
        code = submit (self, &spec);
    rm_buf_close (&payload);
    return code;
}
