/*  What clients ask for that the leader does not decide: where things are, how they are, and changes of the group. */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "master/master_inside.h"
#include "proto/limits.h"
#include "ringmaster/error.h"

rm_view_t rm_master_view (rm_master_t *self)
{
    return (rm_view_t){
        .state = &self->state,
        .leader = &self->leader,
        .now = rm_master_now (),
        .uptime_ms = rm_clock_ms () - self->started_ms,
        .jobs = rm_socket_endpoint (self->jobs)->text,
        .work = rm_socket_endpoint (self->work)->text,
        .sync = rm_socket_endpoint (self->sync)->text,
        .http = self->http_text,
        .ledger = self->ledger,
        .turn_us = rm_turns_longest_us (&self->turns),
    };
}

static void answer (rm_master_t *self, const rm_address_t *to, const rm_msg_t *msg)
{
    rm_leader_to_client (&self->leader, to, msg);
}

void rm_master_answer_error (rm_master_t *self, const rm_address_t *to, int code, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    rm_msg_t msg = {.type = RM_MSG_ERROR};
    msg.error = (rm_msg_error_t){.code = code, .text = rm_bytes (text)};
    answer (self, to, &msg);
}

static void welcome (rm_master_t *self, const rm_address_t *to)
{
    rm_msg_t msg = {.type = RM_MSG_WELCOME};
    msg.welcome = (rm_msg_welcome_t){.term = self->state.term,
                                     .work = rm_bytes (rm_socket_endpoint (self->work)->text),
                                     .sync = rm_bytes (rm_socket_endpoint (self->sync)->text),
                                     .http = rm_bytes (self->http_text),
                                     .payload_bytes_max = self->config->leader.payload_bytes_max,
                                     .result_bytes_max = self->config->leader.result_bytes_max,
                                     .masters = (rm_bytes_t *)self->leader.group.masters,
                                     .master_count = self->leader.group.count,
                                     .ahead = RM_SUBMITS_AHEAD};
    answer (self, to, &msg);
}

static void refuse_peek (rm_master_t *self, const rm_address_t *to, const rm_msg_query_t *query, int code)
{
    unsigned long long id = query->id;
    const char *name = query->queue.size ? query->queue.data : "";
    int size = (int)query->queue.size;
    bool known = rm_state_queue (&self->state, query->queue);
    if (code == RM_EINVAL)
        rm_master_answer_error (self, to, code, "the state of what is looked at is waiting, delayed or dead");
    else if (id)
        rm_master_answer_error (self, to, code, "job %llu has ended, and its payload is kept no longer", id);
    else if (!size)
        rm_master_answer_error (self, to, RM_EINVAL, "say which job, or which queue, is to be looked at");
    else if (!known)
        rm_master_answer_error (self, to, code, "there is no queue %.*s", size, name);
    else
        rm_master_answer_error (self, to, code, "no job of the queue %.*s is %.*s", size, name,
                                query->state.size ? (int)query->state.size : 7,
                                query->state.size ? (const char *)query->state.data : "waiting");
}

static void refuse_query (rm_master_t *self, const rm_address_t *to, const rm_msg_query_t *query, int code)
{
    unsigned long long id = query->id;
    bool peeks = rm_bytes_equal (query->what, rm_bytes ("peek"));
    if (peeks && (code == RM_EINVAL || code == RM_EGONE || (code == RM_EUNKNOWN && !id))) {
        refuse_peek (self, to, query, code);
        return;
    }
    switch (code) {
    case RM_EUNKNOWN:
        rm_master_answer_error (self, to, code, "no job %llu was ever accepted", id);
        break;
    case RM_EGONE:
        rm_master_answer_error (self, to, code, "job %llu has ended, and its outcome is kept no longer", id);
        break;
    case RM_EINVAL:
        rm_master_answer_error (
            self, to, code,
            "there is no question '%.*s': status, workers, ring, jobs, events, masters, why, trace and peek are known",
            (int)query->what.size, query->what.size ? (const char *)query->what.data : "");
        break;
    case RM_ETOOBIG:
        rm_master_answer_error (self, to, code,
                                "the answer has more than %d bytes: ask for less of it, or for one queue",
                                RM_JSON_BYTES_MAX);
        break;
    default:
        rm_master_answer_error (self, to, code, "%s", rm_strerror (code));
    }
}

static void query (rm_master_t *self, const rm_address_t *to, const rm_msg_query_t *query)
{
    rm_buf_t json = {0};
    rm_view_t shown = rm_master_view (self);
    int rc = rm_view_query (&shown, query, &json);
    if (rc) {
        refuse_query (self, to, query, rc);
    } else {
        rm_msg_t msg = {.type = RM_MSG_ANSWER};
        msg.answer.json = (rm_bytes_t){json.data, (uint32_t)json.size};
        answer (self, to, &msg);
    }
    rm_buf_close (&json);
}

static void drain (rm_master_t *self, const rm_address_t *to, rm_bytes_t worker)
{
    const char *name = worker.data;
    char escaped[2 * RM_WORKER_NAME_BYTES_MAX + 1], json[sizeof escaped + 64];
    size_t used = 0;
    if (!rm_leader_drain (&self->leader, rm_master_now (), worker)) {
        rm_master_answer_error (self, to, RM_EUNKNOWN, "no worker %.*s is joined: ringctl workers lists those that are",
                                (int)worker.size, name);
        return;
    }
    for (uint32_t i = 0; i < worker.size; i++) { /* of what a name may hold, JSON escapes this only */
        if (name[i] == '\\')
            escaped[used++] = '\\';
        escaped[used++] = name[i];
    }
    int size = snprintf (json, sizeof json, "{\"worker\":\"%.*s\",\"text\":\"is leaving\"}", (int)used, escaped);
    rm_msg_t msg = {.type = RM_MSG_ANSWER};
    msg.answer.json = (rm_bytes_t){json, (uint32_t)size};
    answer (self, to, &msg);
}

void rm_master_answer_change (void *arg, const rm_address_t *to, int status, const char *sentence)
{
    rm_master_t *self = arg;
    if (self->stopping)
        return; /* it may be done still: whoever leads next is asked */
    if (status) {
        rm_master_answer_error (self, to, status, "%s", sentence);
        return;
    }
    json_t *document = json_pack ("{s:s}", "text", sentence);
    char *text = document ? json_dumps (document, JSON_COMPACT) : NULL;
    rm_msg_t msg = {.type = RM_MSG_ANSWER};
    msg.answer.json = rm_bytes (text);
    if (text)
        answer (self, to, &msg);
    free (text);
    json_decref (document);
}

/* While another master may lead, everybody is referred to that one. */
void rm_master_from_client (rm_master_t *self, const rm_address_t *from, const rm_msg_t *msg)
{
    bool leads = self->leader.leading && !self->leader.cut_off;
    if (leads && msg->type == RM_MSG_HELLO)
        welcome (self, from);
    else if (leads && msg->type == RM_MSG_QUERY)
        query (self, from, &msg->query);
    else if (leads && msg->type == RM_MSG_DRAIN)
        drain (self, from, msg->drain.worker);
    else if (leads && msg->type == RM_MSG_CHANGE)
        rm_group_change (&self->group, from, &msg->change);
    else
        rm_leader_from_client (&self->leader, rm_master_now (), from, msg);
}
