#include "ringmaster/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/result.h"
#include "client/setup.h"
#include "client/spec.h"
#include "core/pirate.h"
#include "net/clock.h"
#include "net/context.h"
#include "net/endpoint.h"
#include "net/poll.h"
#include "net/random.h"
#include "net/socket.h"
#include "proto/alloc.h"
#include "proto/assert.h"

struct rm_client {
    rm_pirate_t pirate;  /* decides; we do */
    rm_socket_t *socket; /* REQ; NULL: none is open */
    rm_frame_t frame;    /* the newest reply */
    char *json;          /* the newest answer, owned */
    uint64_t last_id;    /* of the newest accepted job */
    bool started;        /* a request was made: options and session are settled */
    bool introduced;     /* a master has said who else there is */
    rm_progress_fn *on_progress;
    void *progress_arg;
    rm_partial_fn *on_partial;
    void *partial_arg;
    char error[1024]; /* the last error as a sentence */
};

__attribute__ ((format (printf, 3, 4))) static int fail (rm_client_t *self, int error, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (self->error, sizeof self->error, format, arguments);
    va_end (arguments);
    return error;
}

static int out_of_memory (rm_client_t *self)
{
    return fail (self, RM_ENOMEM, "%s", rm_strerror (RM_ENOMEM));
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

rm_client_t *rm_client_new (const char *masters)
{
    rm_endpoints_t given;
    if (!rm_endpoints_parse (&given, rm_endpoint_masters (masters))) {
        errno = EINVAL;
        return NULL;
    }
    rm_client_t *self = rm_calloc (1, sizeof *self);
    if (!self)
        goto no_memory;
    rm_session_id_t session = rm_setup_session ();
    if (rm_pirate_init (&self->pirate, given.texts, given.count, &session, rm_clock_ms ()))
        goto free_self;
    if (rm_net_init ())
        goto close_pirate;
    return self;

close_pirate:
    rm_pirate_close (&self->pirate);
free_self:
    rm_free (self);
no_memory:
    errno = ENOMEM;
    return NULL;
}

void rm_client_destroy (rm_client_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    rm_client_t *self = *self_p;
    *self_p = NULL;
    rm_frame_close (&self->frame);
    rm_socket_close (&self->socket);
    rm_net_term ();
    rm_pirate_close (&self->pirate);
    rm_free (self->json);
    rm_free (self);
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

int rm_client_set (rm_client_t *self, const char *option, const char *value)
{
    if (!option || !value)
        return fail (self, RM_EINVAL, "an option needs a name and a value");
    if (self->started)
        return fail (self, RM_ESTATE, "option %s comes too late: a request was made already", option);
    rm_backoff_t policy = self->pirate.line.policy;
    int error =
        rm_setup_option (&policy, option, value, "initial, factor, cap and tries", self->error, sizeof self->error);
    return error ? error : rm_pirate_configure (&self->pirate, &policy, NULL);
}

/* ---- one request ------------------------------------------------------------------------------------------------- */

static void perform (rm_client_t *self, const rm_pirate_effects_t *effects)
{
    if (effects->close)
        rm_socket_close (&self->socket);
    if (effects->open)
        rm_socket_reconnect (&self->socket, RM_SOCKET_REQ, effects->open);
    if (effects->send && self->socket)
        (void)rm_socket_send (self->socket, NULL, effects->frame.data, effects->frame.size);
}

/* What is left of a timeout; -1 is for ever. */
static int time_left (int timeout_ms, uint64_t begun_ms)
{
    uint64_t gone_ms = rm_clock_ms () - begun_ms;
    if (timeout_ms < 0)
        return -1;
    return gone_ms < (uint64_t)timeout_ms ? timeout_ms - (int)gone_ms : 0;
}

/* What was told of the jobs that are waited for. */
static void tell (const rm_client_t *self, const rm_msg_result_t *result)
{
    char note[RM_NOTE_BYTES_MAX + 1];
    for (uint32_t i = 0; i < result->job_count && self->on_progress; i++) {
        const rm_result_job_t *job = &result->jobs[i];
        if (!job->progress)
            continue;
        if (job->note.size)
            memcpy (note, job->note.data, job->note.size);
        note[job->note.size] = 0;
        self->on_progress (job->id, job->attempt, job->progress - 1, note, self->progress_arg);
    }
    for (uint32_t i = 0; i < result->partial_count && self->on_partial; i++) {
        const rm_partial_t *partial = &result->partials[i];
        self->on_partial (partial->id, partial->attempt, partial->n, partial->data.data, partial->data.size,
                          self->partial_arg);
    }
}

/* Asks until there is an end. After 0, `reply` is the master's, to be closed; it aliases `self->frame`. */
static int ask_for (rm_client_t *self, const rm_msg_t *request, int timeout_ms, uint64_t silence_ms, rm_msg_t *reply)
{
    self->started = true;
    *self->error = 0;
    rm_session_id_t spare = rm_setup_session ();
    uint64_t now_ms = rm_clock_ms ();
    rm_pirate_event_t event = {
        .type = RM_PIRATE_BEGIN,
        .msg = request,
        .spare = &spare,
        .deadline_ms = timeout_ms < 0 ? RM_PIRATE_FOREVER : now_ms + (uint64_t)timeout_ms,
        .silence_ms = silence_ms,
    };
    for (;;) {
        rm_pirate_effects_t effects;
        rm_pirate_step (&self->pirate, &event, now_ms, rm_random_u64 (), &effects);
        perform (self, &effects);
        if (effects.told)
            tell (self, &effects.told->result);
        if (effects.ended && !effects.error) {
            self->introduced |= request->type == RM_MSG_HELLO;
            if (effects.reply->type == RM_MSG_RESULT)
                tell (self, &effects.reply->result);
            return 0; /* with the reply that did it */
        }
        if (event.type == RM_PIRATE_REPLY && event.msg)
            rm_msg_close (reply);
        if (effects.ended)
            return fail (self, effects.error, "%s", rm_pirate_text (&self->pirate));
        int came = rm_poll_reply (self->socket, effects.until_ms, &self->frame, reply);
        event = (rm_pirate_event_t){.type = came ? RM_PIRATE_REPLY : RM_PIRATE_TIME, .msg = came > 0 ? reply : NULL};
        now_ms = rm_clock_ms ();
    }
}

/* A client's first words. They tell it who leads and who else there is, so that it can go on when the master it was given
 * is dead. */
static int introduce (rm_client_t *self, int timeout_ms, uint64_t silence_ms)
{
    rm_msg_t hello = {.type = RM_MSG_HELLO}, welcome;
    int error = ask_for (self, &hello, timeout_ms, silence_ms, &welcome);
    if (!error)
        rm_msg_close (&welcome);
    return error;
}

/* Asks as ask_for; what it takes to be introduced before comes off the time there is. */
static int ask (rm_client_t *self, const rm_msg_t *request, int timeout_ms, uint64_t silence_ms, rm_msg_t *reply)
{
    uint64_t begun_ms = rm_clock_ms ();
    bool knows = self->introduced || request->type == RM_MSG_HELLO;
    int error = knows ? 0 : introduce (self, timeout_ms, silence_ms);
    if (error)
        return error;
    return ask_for (self, request, time_left (timeout_ms, begun_ms), silence_ms, reply);
}

/* ---- jobs -------------------------------------------------------------------------------------------------------- */

/* Submits what was checked. */
static int submit (rm_client_t *self, rm_submit_job_t *jobs, size_t count, int timeout_ms, uint64_t *ids)
{
    rm_msg_t request = {.type = RM_MSG_SUBMIT, .submit = {.jobs = jobs, .job_count = (uint32_t)count}}, reply;
    int error = ask (self, &request, timeout_ms, RM_PIRATE_FOREVER, &reply);
    if (error)
        return error;
    for (size_t i = 0; i < count; i++)
        ids[i] = reply.accepted.jobs[i].id;
    self->last_id = ids[count - 1];
    rm_msg_close (&reply);
    return 0;
}

int rm_client_submit (rm_client_t *self, const rm_spec_t *spec, int timeout_ms, uint64_t *id_p)
{
    rm_submit_job_t job;
    uint64_t id;
    int error = rm_spec_job (spec, &job, self->error, sizeof self->error);
    if (error)
        return error;
    error = submit (self, &job, 1, timeout_ms, &id);
    if (!error && id_p)
        *id_p = id;
    return error;
}

int rm_client_submit_many (rm_client_t *self, const rm_spec_t *specs, size_t count, int timeout_ms, uint64_t *ids)
{
    if (!count || count > RM_CLIENT_MANY_MAX)
        return fail (self, RM_EINVAL, "%zu jobs cannot be submitted at once: 1 to %d can", count, RM_CLIENT_MANY_MAX);
    rm_submit_job_t *jobs = rm_malloc (count * sizeof *jobs);
    if (!jobs)
        return out_of_memory (self);
    size_t bytes = 0;
    int error = 0;
    for (size_t i = 0; i < count && !error; i++) {
        error = rm_spec_job (&specs[i], &jobs[i], self->error, sizeof self->error);
        bytes += error ? 0 : jobs[i].data.size + jobs[i].key.size + jobs[i].queue.size + RM_MESSAGE_ROW_BYTES;
    }
    if (!error && bytes > RM_FRAME_BYTES_MAX / 2)
        error = fail (self, RM_ETOOBIG,
                      "%zu jobs of %zu bytes in all are more than one message may have: submit fewer at once", count,
                      bytes);
    if (!error)
        error = submit (self, jobs, count, timeout_ms, ids);
    rm_free (jobs);
    return error;
}

/* As a `wait` says it. */
static uint32_t follow (const rm_client_t *self)
{
    return self->on_partial ? 2 : self->on_progress ? 1 : 0;
}

void rm_client_on_partial (rm_client_t *self, rm_partial_fn *told, void *arg)
{
    self->on_partial = told;
    self->partial_arg = arg;
}

void rm_client_on_progress (rm_client_t *self, rm_progress_fn *told, void *arg)
{
    self->on_progress = told;
    self->progress_arg = arg;
}

int rm_client_wait (rm_client_t *self, uint64_t id, int timeout_ms, rm_result_t **result_p)
{
    if (!id)
        return fail (self, RM_EINVAL, "there is no job 0: ids begin with 1");
    rm_msg_t request = {.type = RM_MSG_WAIT, .wait = {.ids = &id, .id_count = 1, .follow = follow (self)}};
    rm_msg_t reply;
    int error = ask (self, &request, timeout_ms, RM_PIRATE_SILENCE_MS, &reply);
    if (error)
        return error;
    rm_result_t *result = rm_result_new (&reply.result.jobs[0], 0);
    rm_msg_close (&reply);
    if (!result)
        return out_of_memory (self);
    *result_p = result;
    return 0;
}

int rm_client_wait_any (rm_client_t *self, const uint64_t *ids, size_t count, int timeout_ms, rm_result_t **results)
{
    if (!count || count > RM_CLIENT_MANY_MAX)
        return fail (self, RM_EINVAL, "%zu jobs cannot be waited for at once: 1 to %d can", count, RM_CLIENT_MANY_MAX);
    for (size_t i = 0; i < count; i++) {
        results[i] = NULL;
        if (!ids[i])
            return fail (self, RM_EINVAL, "there is no job 0: ids begin with 1");
    }
    rm_msg_t request = {.type = RM_MSG_WAIT, .wait = {.ids = (uint64_t *)ids, .id_count = (uint32_t)count, .any = 1}};
    request.wait.follow = follow (self);
    rm_msg_t reply;
    int error = ask (self, &request, timeout_ms, RM_PIRATE_SILENCE_MS, &reply);
    if (error)
        return error;
    for (uint32_t i = 0; i < reply.result.job_count && !error; i++) {
        const rm_result_job_t *job = &reply.result.jobs[i];
        if (job->outcome != RM_OUTCOME_NONE && !(results[i] = rm_result_new (job, 0)))
            error = out_of_memory (self);
    }
    rm_msg_close (&reply);
    for (size_t i = 0; i < count && error; i++)
        rm_result_destroy (&results[i]);
    return error;
}

int rm_client_call (rm_client_t *self, const rm_spec_t *spec, int timeout_ms, rm_result_t **result_p)
{
    uint64_t begun_ms = rm_clock_ms (), id;
    int error = rm_client_submit (self, spec, timeout_ms, &id);
    if (error)
        return error;
    return rm_client_wait (self, id, time_left (timeout_ms, begun_ms), result_p);
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

/* Keeps the text of an answer, which dies with the next one. */
static int keep_json (rm_client_t *self, const void *text, size_t size, const char **json_p)
{
    char *json = rm_strndup (text, size);
    if (!json)
        return out_of_memory (self);
    rm_free (self->json);
    self->json = json;
    *json_p = json;
    return 0;
}

static int ask_json (rm_client_t *self, const rm_msg_t *request, int timeout_ms, const char **json_p)
{
    rm_msg_t reply;
    int error = ask (self, request, timeout_ms, RM_PIRATE_FOREVER, &reply);
    if (error)
        return error;
    error = keep_json (self, reply.answer.json.data, reply.answer.json.size, json_p);
    rm_msg_close (&reply);
    return error;
}

/* What is behind the scheme of an endpoint, as it may stand in JSON; "" if it is none of that scheme. */
static const char *copy_endpoint (rm_endpoint_t *self, rm_bytes_t endpoint, const char *scheme)
{
    char text[RM_ENDPOINT_BYTES_MAX + 1];
    snprintf (text, sizeof text, "%.*s", (int)endpoint.size, endpoint.size ? (const char *)endpoint.data : "");
    bool good = !strncmp (text, scheme, strlen (scheme)) && !strpbrk (text, "\"\\") &&
                !rm_endpoint_parse (self, text + strlen (scheme), NULL);
    return good ? strstr (self->text, "://") + strlen ("://") : "";
}

/* "endpoints" is what the master's welcome says. */
static int ask_endpoints (rm_client_t *self, int timeout_ms, const char **json_p)
{
    rm_msg_t request = {.type = RM_MSG_HELLO}, reply;
    int error = ask (self, &request, timeout_ms, RM_PIRATE_FOREVER, &reply);
    if (error)
        return error;
    rm_endpoint_t work, sync, http;
    static const char *const schemes[] = {"tcp://", "http://"};
    const char *texts[] = {copy_endpoint (&work, reply.welcome.work, schemes[0]),
                           copy_endpoint (&sync, reply.welcome.sync, schemes[0]),
                           copy_endpoint (&http, reply.welcome.http, schemes[1])};
    char json[4 * RM_ENDPOINT_BYTES_MAX];
    int size =
        snprintf (json, sizeof json, "{\"term\":%" PRIu64 ",\"work\":\"%s%s\",\"sync\":\"%s%s\",\"http\":\"%s%s\"}",
                  reply.welcome.term, *texts[0] ? schemes[0] : "", texts[0], *texts[1] ? schemes[0] : "", texts[1],
                  *texts[2] ? schemes[1] : "", texts[2]);
    rm_msg_close (&reply);
    return keep_json (self, json, (size_t)size, json_p);
}

int rm_client_query (rm_client_t *self, const char *what, uint64_t id, const char *queue, unsigned limit,
                     int timeout_ms, const char **json_p)
{
    if (!what)
        return fail (self, RM_EINVAL, "a query must say what it asks for");
    if (!strcmp (what, "endpoints"))
        return ask_endpoints (self, timeout_ms, json_p);
    rm_msg_t request = {.type = RM_MSG_QUERY,
                        .query = {.what = rm_bytes (what), .id = id, .queue = rm_bytes (queue), .limit = limit}};
    return ask_json (self, &request, timeout_ms, json_p);
}

/* Whether what a query names can be names. */
static int check_names (rm_client_t *self, const rm_msg_query_t *query)
{
    const rm_bytes_t names[] = {query->queue, query->state, query->worker};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].size && !rm_name_valid (names[i]))
            return fail (self, RM_EINVAL, "'%.*s' is not a name: names have no white space, '/' or '\"'",
                         (int)names[i].size, (const char *)names[i].data);
    return 0;
}

int rm_client_peek (rm_client_t *self, uint64_t id, const char *queue, const char *state, unsigned limit,
                    int timeout_ms, const char **json_p)
{
    rm_msg_t request = {
        .type = RM_MSG_QUERY,
        .query = {
            .what = rm_bytes ("peek"), .id = id, .queue = rm_bytes (queue), .state = rm_bytes (state), .limit = limit}};
    int error = check_names (self, &request.query);
    return error ? error : ask_json (self, &request, timeout_ms, json_p);
}

int rm_client_jobs (rm_client_t *self, const rm_jobs_t *which, int timeout_ms, const char **json_p)
{
    rm_msg_t request = {.type = RM_MSG_QUERY,
                        .query = {.what = rm_bytes ("jobs"),
                                  .queue = rm_bytes (which->queue),
                                  .state = rm_bytes (which->state),
                                  .key = rm_bytes (which->key),
                                  .worker = rm_bytes (which->worker),
                                  .before = which->before,
                                  .limit = which->limit}};
    int error = check_names (self, &request.query);
    if (!error && request.query.key.size > RM_KEY_BYTES_MAX)
        error = fail (self, RM_EINVAL, "a key has at most %d bytes", RM_KEY_BYTES_MAX);
    return error ? error : ask_json (self, &request, timeout_ms, json_p);
}

int rm_client_drain (rm_client_t *self, const char *worker, int timeout_ms, const char **json_p)
{
    if (!worker || strlen (worker) > RM_WORKER_NAME_BYTES_MAX || !rm_name_valid (rm_bytes (worker)))
        return fail (self, RM_EINVAL,
                     "a worker's name is 1 to %d printable characters without white space, '/' or '\"'",
                     RM_WORKER_NAME_BYTES_MAX);
    rm_msg_t request = {.type = RM_MSG_DRAIN, .drain = {.worker = rm_bytes (worker)}};
    return ask_json (self, &request, timeout_ms, json_p);
}

int rm_client_change (rm_client_t *self, const char *what, uint64_t id, const char *at, int timeout_ms,
                      const char **json_p)
{
    if (!what || !rm_name_valid (rm_bytes (what)))
        return fail (self, RM_EINVAL, "a change must say what is to be changed");
    if (at && strlen (at) > RM_ENDPOINT_BYTES_MAX)
        return fail (self, RM_EINVAL, "an endpoint has at most %d bytes", RM_ENDPOINT_BYTES_MAX);
    rm_msg_t request = {.type = RM_MSG_CHANGE, .change = {.what = rm_bytes (what), .id = id, .at = rm_bytes (at)}};
    return ask_json (self, &request, timeout_ms, json_p);
}

int rm_client_order (rm_client_t *self, const char *what, uint64_t id, const char *queue, const char *text,
                     unsigned limit, int timeout_ms, const char **json_p)
{
    if (!what || !rm_name_valid (rm_bytes (what)))
        return fail (self, RM_EINVAL, "an order must say what is to be done");
    if (queue && !rm_name_valid (rm_bytes (queue)))
        return fail (self, RM_EINVAL, "a queue's name is 1 to %d printable characters", RM_QUEUE_NAME_BYTES_MAX);
    if (text && strlen (text) > RM_REASON_BYTES_MAX)
        return fail (self, RM_ETOOBIG, "the text of an order has at most %d bytes", RM_REASON_BYTES_MAX);
    rm_msg_t request = {.type = RM_MSG_ORDER, .order = {rm_bytes (what), id, rm_bytes (queue), rm_bytes (text), limit}};
    return ask_json (self, &request, timeout_ms, json_p);
}

int rm_client_cancel (rm_client_t *self, uint64_t id, int timeout_ms)
{
    const char *json;
    return rm_client_order (self, "cancel", id, NULL, NULL, 0, timeout_ms, &json);
}

/* ---- sessions ---------------------------------------------------------------------------------------------------- */

int rm_client_session (const rm_client_t *self, char *text, size_t size)
{
    return rm_seqs_save (&self->pirate.seqs, (int64_t)rm_clock_ms (), (int64_t)rm_clock_wall_ms (), text, size);
}

int rm_client_resume (rm_client_t *self, const char *text)
{
    if (self->started)
        return fail (self, RM_ESTATE, "a session can be taken over only before the first request");
    int error = text ? rm_seqs_load (&self->pirate.seqs, text, (int64_t)rm_clock_ms (), (int64_t)rm_clock_wall_ms ())
                     : RM_EINVAL;
    if (error == RM_EINVAL)
        return fail (self, error, "this is not a session's text");
    if (error == RM_EEXPIRED)
        return fail (self, error,
                     "the session is too old to be taken over: the master may have forgotten it, and what "
                     "was sent might run twice");
    return error;
}

uint64_t rm_client_last_id (const rm_client_t *self)
{
    return self->last_id;
}

const char *rm_client_error (const rm_client_t *self)
{
    return self->error;
}

const char *rm_client_leaderless (const rm_client_t *self)
{
    return self->pirate.line.leaderless ? self->pirate.line.alone : "";
}
