/*  Whole messages from the bytes that come over a line. */
#include <string.h>

#include "master/raft_line.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

enum {
    BUFFER_BYTES = 64 << 10,
    DIRECT_BYTES = 16 << 10, /* that much of a payload is read into its place at once */
    FIRST_BYTES = 1 << 20    /* of a payload's memory; it grows as the bytes come, whatever was claimed */
};
_Static_assert(BUFFER_BYTES > RM_RAFT_PREAMBLE_BYTES + RM_RAFT_HEADER_BYTES_MAX, "a header fits the buffer");

struct rm_raft_reader {
    size_t start, end;  /* of what is in the buffer */
    size_t header_size; /* 0: a preamble comes next */
    bool in_payload;    /* the header was read */
    struct raft_message message;
    uint8_t *payload;
    uint64_t payload_size, payload_got, payload_room;
    uint8_t buffer[BUFFER_BYTES];
};

void rm_raft_reader_free (rm_raft_line_t *line)
{
    rm_raft_reader_t *self = line->reader;
    line->reader = NULL;
    if (!self)
        return;
    if (self->in_payload)
        rm_raft_wire_drop (&self->message);
    raft_free (self->payload);
    rm_free (self);
}

static void fail (rm_raft_line_t *line, const char *reason)
{
    rm_raft_transport_say (line->transport, "the line from master %llu at %s was closed: %s",
                           (unsigned long long)line->peer.member.id, line->where, reason);
    rm_raft_line_close (line);
}

/* Hands the message over, and begins the next one. */
static void deliver (rm_raft_line_t *line)
{
    rm_raft_reader_t *self = line->reader;
    rm_raft_transport_t *transport = line->transport;
    struct raft_message message = self->message;
    const char *wrong = self->payload ? rm_raft_wire_payload (&message, self->payload) : NULL;
    self->payload = NULL;
    self->payload_size = self->payload_got = self->payload_room = 0;
    self->header_size = 0;
    self->in_payload = false;
    if (wrong) {
        rm_raft_wire_drop (&message);
        fail (line, wrong);
        return;
    }
    transport->events.receive (transport->events.arg, &line->peer, &message);
}

/* Makes room for what comes; false: memory ran out. */
static bool grow (rm_raft_reader_t *self)
{
    if (self->payload_got < self->payload_room)
        return true;
    uint64_t room = self->payload_room ? 2 * self->payload_room : FIRST_BYTES;
    room = room < self->payload_size ? room : self->payload_size;
    uint8_t *payload = raft_realloc (self->payload, room);
    if (!payload)
        return false;
    self->payload = payload;
    self->payload_room = room;
    return true;
}

/* Takes what it can from the buffer; false: more bytes are needed, or the line is closed. */
static bool take (rm_raft_line_t *line)
{
    rm_raft_reader_t *self = line->reader;
    const uint8_t *bytes = self->buffer + self->start;
    size_t there = self->end - self->start;
    if (self->in_payload) {
        if (!grow (self)) {
            fail (line, "memory ran out");
            return false;
        }
        uint64_t left = self->payload_room - self->payload_got;
        size_t taken = there < left ? there : left;
        memcpy (self->payload + self->payload_got, bytes, taken);
        self->payload_got += taken;
        self->start += taken;
        if (self->payload_got < self->payload_size)
            return taken > 0;
    } else {
        if (there < RM_RAFT_PREAMBLE_BYTES)
            return false;
        if (!self->header_size)
            self->header_size = rm_raft_wire_begin (bytes, line->wish == RM_RAFT_SHIP);
        if (!self->header_size) {
            fail (line, "it sent something that is no message");
            return false;
        }
        if (there < RM_RAFT_PREAMBLE_BYTES + self->header_size)
            return false;
        const char *wrong = rm_raft_wire_header (bytes, bytes + RM_RAFT_PREAMBLE_BYTES, self->header_size,
                                                 &self->message, &self->payload_size);
        if (wrong) {
            fail (line, wrong);
            return false;
        }
        self->start += RM_RAFT_PREAMBLE_BYTES + self->header_size;
        self->in_payload = true;
        if (self->payload_size > 0)
            return true;
    }
    deliver (line);
    return !line->closing;
}

static void give_room (uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    rm_raft_reader_t *self = ((rm_raft_line_t *)handle)->reader;
    (void)suggested;
    if (self->in_payload && self->payload_size - self->payload_got >= DIRECT_BYTES && grow (self)) {
        *buffer = uv_buf_init ((char *)self->payload + self->payload_got, self->payload_room - self->payload_got);
        return;
    }
    memmove (self->buffer, self->buffer + self->start, self->end - self->start);
    self->end -= self->start;
    self->start = 0;
    *buffer = uv_buf_init ((char *)self->buffer + self->end, BUFFER_BYTES - self->end);
}

static void on_bytes (uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    rm_raft_line_t *line = (rm_raft_line_t *)stream;
    rm_raft_reader_t *self = line->reader;
    if (line->closing || got == 0)
        return;
    if (got < 0) {
        rm_raft_line_close (line);
        return;
    }
    if ((uint8_t *)buffer->base >= self->buffer && (uint8_t *)buffer->base <= self->buffer + BUFFER_BYTES)
        self->end += got;
    else {
        self->payload_got += got;
        if (self->payload_got < self->payload_size)
            return;
        deliver (line);
    }
    while (!line->closing && take (line))
        ;
}

int rm_raft_reader_start (rm_raft_line_t *line)
{
    line->reader = rm_malloc (sizeof *line->reader);
    if (!line->reader)
        return RM_ENOMEM;
    memset (line->reader, 0, offsetof (rm_raft_reader_t, buffer));
    uv_tcp_keepalive (&line->tcp, 1, 10);
    return uv_read_start ((uv_stream_t *)&line->tcp, give_room, on_bytes) == 0 ? 0 : RM_ENOMEM;
}
