/*  The hello on a line, from either side. */
#include "master/raft_line.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "proto/alloc.h"
#include "ringmaster/error.h"

bool rm_raft_line_is_local (const rm_raft_line_t *self)
{
    struct sockaddr_storage ends[2];
    int sizes[2] = {sizeof ends[0], sizeof ends[1]};
    return uv_tcp_getpeername (&self->tcp, (struct sockaddr *)&ends[0], &sizes[0]) == 0 &&
           uv_tcp_getsockname (&self->tcp, (struct sockaddr *)&ends[1], &sizes[1]) == 0 &&
           rm_raft_address_is_loopback ((struct sockaddr *)&ends[0]) &&
           rm_raft_address_is_loopback ((struct sockaddr *)&ends[1]);
}

void rm_raft_line_tell (rm_raft_line_t *self, const rm_raft_dialled_t *result)
{
    rm_raft_dialled_fn *done = self->done;
    self->done = NULL;
    if (done)
        done (self->done_arg, result);
}

void rm_raft_line_fail (rm_raft_line_t *self, int status, const char *reason)
{
    if (self->closing)
        return;
    if (self->dialled && reason)
        rm_raft_transport_say (self->transport, "master %llu cannot be reached at %s: %s", (unsigned long long)self->id,
                               self->where, reason);
    else if (reason) {
        /* Without its port, which is another one each time: the sentence is the same then, and not said again. */
        const char *colon = strrchr (self->where, ':');
        rm_raft_transport_say (self->transport, "a peer at %.*s was refused: %s",
                               colon ? (int)(colon - self->where) : (int)strlen (self->where), self->where, reason);
    }
    rm_raft_line_close (self);
    rm_raft_line_tell (self, &(rm_raft_dialled_t){.status = status});
}

/* What this master thinks of the other one, in words. */
static const char *reason_for_refusing (rm_raft_verdict_t verdict)
{
    switch (verdict) {
    case RM_RAFT_OTHER_CLUSTER:
        return "it belongs to another cluster, or to another generation of this one";
    case RM_RAFT_NOT_MEMBER:
        return "the group has no master of that number: it was removed, or is still to be added";
    case RM_RAFT_OTHER_DISK:
        return "its data directory is not the one that the group knows under that number: it was emptied or replaced; "
               "remove the number from the group, and add the machine under a new one";
    case RM_RAFT_NOT_ME:
        return "it wants somebody else; compare the lists of peers";
    default:
        return NULL;
    }
}

/* The same, from the other's side. */
static const char *reason_for_being_refused (rm_raft_verdict_t verdict)
{
    switch (verdict) {
    case RM_RAFT_OTHER_CLUSTER:
        return "it belongs to another cluster than this master, or to another generation of it";
    case RM_RAFT_NOT_MEMBER:
        return "its group has no master of this number: this one was removed, or is still to be added";
    case RM_RAFT_OTHER_DISK:
        return "its group knows this master's number with another data directory: this one was emptied or replaced; "
               "remove the number from the group, and add this machine under a new one";
    case RM_RAFT_NOT_ME:
        return "another master answers there; compare the lists of peers";
    default:
        return NULL;
    }
}

/* Where messages of a few hundred bytes do not fit into a fresh line, something is wrong with it. */
static bool send_bytes (rm_raft_line_t *self, const uint8_t *bytes, size_t size)
{
    const uv_buf_t buffer = uv_buf_init ((char *)(uintptr_t)bytes, size);
    return uv_try_write ((uv_stream_t *)&self->tcp, &buffer, 1) == (int)size;
}

static void await (rm_raft_line_t *self, rm_raft_line_stage_t stage, size_t wanted)
{
    self->stage = stage;
    self->talk->wanted = wanted;
    if (stage != RM_RAFT_LINE_STATEMENT) /* of which the first bytes are there */
        self->talk->got = 0;
}

static void send_statement (rm_raft_line_t *self, unsigned code, uint64_t to, const rm_raft_roster_t *founders)
{
    rm_raft_transport_t *transport = self->transport;
    rm_raft_statement_t statement = {.code = code, .to = to};
    uint8_t bytes[RM_RAFT_STATEMENT_BYTES_MAX];
    if (founders)
        statement.founders = *founders;
    transport->events.describe (transport->events.arg, &statement.facts);
    size_t size = rm_raft_hello_state (&self->talk->hello, transport->key, !self->dialled, &statement, bytes);
    if (!send_bytes (self, bytes, size))
        rm_raft_line_fail (self, RM_EUNREACHABLE, NULL);
}

/* ---- from outside ----------------------------------------------------------------------------------------------- */

static void on_greeting (rm_raft_line_t *self)
{
    uint8_t proof[RM_RAFT_PROOF_BYTES];
    const char *wrong = rm_raft_hello_prove (&self->talk->hello, self->transport->key, self->talk->bytes, proof);
    if (wrong)
        rm_raft_line_fail (self, RM_EPROTO, wrong);
    else if (!send_bytes (self, proof, sizeof proof))
        rm_raft_line_fail (self, RM_EUNREACHABLE, NULL);
    else
        await (self, RM_RAFT_LINE_SIZE, 4);
}

/* A master has one line to us for messages, and one for a snapshot: a new one takes the place of the old one. */
static void replace_older (rm_raft_line_t *self)
{
    unsigned open = 0;
    rm_raft_line_t *line, *next, *oldest = NULL;
    DL_FOREACH_SAFE (self->transport->lines, line, next) {
        if (line == self || line->dialled || line->stage != RM_RAFT_LINE_OPEN)
            continue;
        if (line->wish == self->wish && line->peer.member.id == self->peer.member.id) {
            rm_raft_line_close (line);
            continue;
        }
        oldest = oldest ? oldest : line;
        open++;
    }
    if (open >= RM_RAFT_LINES_MAX)
        rm_raft_line_close (oldest);
}

static void on_wish (rm_raft_line_t *self, const rm_raft_statement_t *statement)
{
    rm_raft_transport_t *transport = self->transport;
    rm_raft_roster_t founders = {0};
    rm_raft_facts_t mine;
    transport->events.describe (transport->events.arg, &mine);
    self->wish = (rm_raft_wish_t)statement->code;
    self->peer = statement->facts;
    rm_raft_verdict_t verdict = RM_RAFT_NOT_ME;
    if (statement->to == mine.member.id && self->peer.member.id != mine.member.id)
        verdict = transport->events.judge (transport->events.arg, self->wish, &self->peer, &founders);
    const char *reason = reason_for_refusing (verdict);
    if (reason)
        rm_raft_transport_say (transport, "master %llu at %s was refused: %s", (unsigned long long)self->peer.member.id,
                               self->peer.member.address, reason);
    send_statement (self, verdict, self->peer.member.id, &founders);
    if (self->closing)
        return;
    bool stays = verdict == RM_RAFT_WELCOME && (self->wish == RM_RAFT_TALK || self->wish == RM_RAFT_SHIP);
    if (!stays) {
        rm_raft_line_close (self);
        return;
    }
    replace_older (self);
    rm_free (self->talk);
    self->talk = NULL;
    self->stage = RM_RAFT_LINE_OPEN;
    uv_read_stop ((uv_stream_t *)&self->tcp);
    if (rm_raft_reader_start (self) != 0)
        rm_raft_line_close (self);
}

/* ---- from here -------------------------------------------------------------------------------------------------- */

static void on_proof (rm_raft_line_t *self)
{
    const char *wrong = rm_raft_hello_check (&self->talk->hello, self->transport->key, self->talk->bytes);
    if (wrong) {
        rm_raft_line_fail (self, RM_EDENIED, wrong);
        return;
    }
    await (self, RM_RAFT_LINE_SIZE, 4);
    send_statement (self, self->wish, self->id, NULL);
}

static void on_verdict (rm_raft_line_t *self, const rm_raft_statement_t *statement)
{
    rm_raft_transport_t *transport = self->transport;
    rm_raft_verdict_t verdict = (rm_raft_verdict_t)statement->code;
    bool uses = self->wish == RM_RAFT_TALK || self->wish == RM_RAFT_SHIP;
    const char *reason = reason_for_being_refused (verdict);
    if (reason)
        rm_raft_transport_say (transport, "master %llu at %s refuses this one: %s", (unsigned long long)self->id,
                               self->where, reason);
    else if (statement->facts.member.id != self->id)
        reason = "another master answers there; compare the lists of peers";
    else if (uses && verdict == RM_RAFT_WELCOME) {
        rm_raft_roster_t founders;
        reason = reason_for_refusing (
            transport->events.judge (transport->events.arg, self->wish, &statement->facts, &founders));
        if (reason)
            rm_raft_transport_say (transport, "master %llu at %s is not talked to: %s", (unsigned long long)self->id,
                                   self->where, reason);
    }
    if (uses && verdict == RM_RAFT_WELCOME && !reason) {
        rm_raft_line_use (self, statement);
        return;
    }
    rm_raft_line_close (self);
    rm_raft_line_tell (
        self,
        &(rm_raft_dialled_t){.status = uses || reason ? RM_EDENIED : 0, .verdict = verdict, .statement = statement});
}

/* ---- both ------------------------------------------------------------------------------------------------------- */

static void on_statement (rm_raft_line_t *self)
{
    rm_raft_statement_t statement;
    rm_raft_talk_t *talk = self->talk;
    const char *wrong =
        rm_raft_hello_read (&talk->hello, self->transport->key, self->dialled, talk->bytes, talk->got, &statement);
    if (wrong)
        rm_raft_line_fail (self, RM_EDENIED, wrong);
    else if (self->dialled)
        on_verdict (self, &statement);
    else
        on_wish (self, &statement);
}

static void on_size (rm_raft_line_t *self)
{
    size_t size = rm_raft_hello_size (self->talk->bytes);
    if (size == 0)
        rm_raft_line_fail (self, RM_EPROTO, "it does not say how long its statement is");
    else
        await (self, RM_RAFT_LINE_STATEMENT, size);
}

static void advance (rm_raft_line_t *self)
{
    switch (self->stage) {
    case RM_RAFT_LINE_GREETING:
        on_greeting (self);
        break;
    case RM_RAFT_LINE_PROOF:
        on_proof (self);
        break;
    case RM_RAFT_LINE_SIZE:
        on_size (self);
        break;
    default:
        on_statement (self);
    }
}

static void give_room (uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    rm_raft_talk_t *talk = ((rm_raft_line_t *)handle)->talk;
    (void)suggested;
    *buffer = uv_buf_init ((char *)talk->bytes + talk->got, talk->wanted - talk->got);
}

static void on_bytes (uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    rm_raft_line_t *self = (rm_raft_line_t *)stream;
    (void)buffer;
    if (self->closing || got == 0)
        return;
    if (got < 0) {
        rm_raft_line_fail (self, RM_EUNREACHABLE, self->dialled ? "it closed the line during the hello" : NULL);
        return;
    }
    self->talk->got += got;
    if (self->talk->got == self->talk->wanted)
        advance (self);
}

void rm_raft_line_begin (rm_raft_line_t *self)
{
    uv_tcp_nodelay (&self->tcp, 1);
    if (self->dialled) {
        uint8_t greeting[RM_RAFT_GREETING_BYTES];
        rm_raft_hello_greet (&self->talk->hello, greeting);
        await (self, RM_RAFT_LINE_PROOF, RM_RAFT_PROOF_BYTES);
        if (!send_bytes (self, greeting, sizeof greeting)) {
            rm_raft_line_fail (self, RM_EUNREACHABLE, NULL);
            return;
        }
    } else
        await (self, RM_RAFT_LINE_GREETING, RM_RAFT_GREETING_BYTES);
    if (uv_read_start ((uv_stream_t *)&self->tcp, give_room, on_bytes) != 0)
        rm_raft_line_fail (self, RM_EUNREACHABLE, NULL);
}
