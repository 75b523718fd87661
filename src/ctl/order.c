/*  ringctl cancel, bury, kick, pause, resume and queue: what people order about jobs and queues. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/show/text.h"
#include "proto/buf.h"

/* The answer, for the caller to let go; NULL after it has said what is wrong, and `*code` is the exit code. */
static json_t *order (rm_ctl_t *self, const char *what, uint64_t id, const char *queue, const char *text, int *code)
{
    const char *said;
    int error =
        rm_client_order (self->client, what, id, queue, text, (unsigned)self->said.most, RM_CTL_PATIENCE_MS, &said);
    if (error) {
        *code = rm_ctl_fail (self, error);
        return NULL;
    }
    if (self->said.json)
        puts (said);
    json_t *answer = json_loads (said, 0, NULL);
    *code = answer ? RM_CTL_DONE : rm_ctl_refuse_answer ();
    return answer;
}

static const char *text_of (const json_t *answer, const char *name)
{
    const char *text = json_string_value (json_object_get (answer, name));
    return text ? text : "";
}

static uint64_t number_of (const json_t *answer, const char *name)
{
    return (uint64_t)json_integer_value (json_object_get (answer, name));
}

/* ---- jobs -------------------------------------------------------------------------------------------------------- */

/* Stops one job, which is to end so. */
static int stop_one (rm_ctl_t *self, const char *what, uint64_t id, const char *as, const char *reason)
{
    int code;
    json_t *answer = order (self, what, id, NULL, reason, &code);
    if (!answer)
        return code;
    const char *state = text_of (answer, "state");
    bool stopping = !strcmp (state, "stopping");
    if (stopping)
        rm_ctl_say ("note: job %" PRIu64 " runs, and is told to stop; ringctl wait %" PRIu64 " tells how it ends", id,
                    id);
    else if (!strcmp (what, "cancel") && json_is_false (json_object_get (answer, "holds")))
        rm_ctl_say ("note: job %" PRIu64 " stays dead, and its key goes on without it", id);
    else if (strcmp (state, as)) {
        rm_ctl_say ("job %" PRIu64 " is %s already", id, rm_ctl_plain (state));
        code = RM_CTL_FAILED;
    }
    json_decref (answer);
    return code;
}

static int cancel_one (rm_ctl_t *self, uint64_t id)
{
    return stop_one (self, "cancel", id, "cancelled", NULL);
}

int rm_ctl_cancel (rm_ctl_t *self)
{
    return rm_ctl_each_job (self, cancel_one);
}

static int bury_one (rm_ctl_t *self, uint64_t id)
{
    return stop_one (self, "bury", id, "dead", self->said.reason);
}

int rm_ctl_bury (rm_ctl_t *self)
{
    return rm_ctl_each_job (self, bury_one);
}

static int kick_one (rm_ctl_t *self, uint64_t id)
{
    int code;
    json_t *answer = order (self, "kick", id, NULL, NULL, &code);
    if (answer && !self->said.json)
        printf ("%" PRIu64 "\n", number_of (answer, "kicked_as"));
    json_decref (answer);
    return code;
}

static int kick_queue (rm_ctl_t *self)
{
    int code;
    json_t *answer = order (self, "kick", 0, self->said.queue, NULL, &code);
    const char *full = text_of (answer, "full");
    if (answer && !self->said.json)
        printf ("%" PRIu64 " kicked, %" PRIu64 " left%s%s\n", number_of (answer, "kicked"), number_of (answer, "left"),
                *full ? ": " : "", rm_ctl_plain (full));
    json_decref (answer);
    return code;
}

int rm_ctl_kick (rm_ctl_t *self)
{
    if (self->said.queue && self->count) {
        rm_options_refuse (self->program, self->command, "say which jobs, or --queue, not both");
        return RM_CTL_USAGE;
    }
    if (self->said.queue)
        return kick_queue (self);
    if (!self->count) {
        rm_options_refuse (self->program, self->command, "say which jobs, or --queue QUEUE for all dead ones of it");
        return RM_CTL_USAGE;
    }
    if (self->said.most)
        return rm_options_refuse (self->program, self->command, "--limit is for --queue");
    return rm_ctl_each_job (self, kick_one);
}

/* ---- queues ------------------------------------------------------------------------------------------------------ */

static int set (rm_ctl_t *self, const char *settings, bool show)
{
    int code;
    json_t *answer = order (self, "set", 0, self->arguments[0], settings, &code);
    const char *name;
    json_t *value;
    if (answer && show && !self->said.json)
        json_object_foreach (json_object_get (answer, "settings"), name, value)
        {
            printf ("%s=", rm_ctl_plain (name));
            printf ("%s\n", rm_ctl_plain (json_is_string (value) ? json_string_value (value) : ""));
        }
    json_decref (answer);
    return code;
}

int rm_ctl_pause (rm_ctl_t *self)
{
    return set (self, "paused=on", false);
}

int rm_ctl_resume (rm_ctl_t *self)
{
    return set (self, "paused=off", false);
}

int rm_ctl_queue (rm_ctl_t *self)
{
    rm_buf_t settings = {0};
    for (size_t i = 1; i < self->count; i++) {
        rm_buf_put (&settings, i > 1 ? " " : "", i > 1);
        rm_buf_put (&settings, self->arguments[i], strlen (self->arguments[i]));
    }
    rm_buf_put (&settings, "", 1);
    if (settings.failed) {
        rm_ctl_say ("%s", rm_strerror (RM_ENOMEM));
        rm_buf_close (&settings);
        return RM_CTL_FAILED;
    }
    int code = set (self, (const char *)settings.data, self->count == 1);
    rm_buf_close (&settings);
    return code;
}
