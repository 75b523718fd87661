/*  How a line is opened from here, and what becomes of it: libraft writes to it, or a snapshot is shipped. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <utlist.h>

#include "master/raft_line.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

/* A dead connection is given up by us, not after the kernel's quarter of an hour: libraft dials again then. */
static void limit_silence (const rm_raft_line_t *self)
{
    const unsigned silent_ms = RM_RAFT_SILENT_MS;
    uv_os_fd_t fd;
    if (uv_fileno ((const uv_handle_t *)&self->tcp, &fd) == 0)
        setsockopt (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent_ms, sizeof silent_ms);
}

static void on_connect (uv_connect_t *request, int status)
{
    rm_raft_line_t *self = request->data;
    if (self->closing)
        return;
    if (status != 0) {
        rm_raft_line_fail (self, RM_EUNREACHABLE, uv_strerror (status));
        return;
    }
    if (!self->transport->secret && !rm_raft_line_is_local (self)) {
        rm_raft_line_fail (self, RM_EDENIED,
                           "it is on another machine, and without a cluster secret only this one is talked to");
        return;
    }
    limit_silence (self);
    rm_raft_line_begin (self);
}

/* False: it failed, and was told so. */
static void connect_to (rm_raft_line_t *self, const struct sockaddr *address)
{
    self->stage = RM_RAFT_LINE_CONNECTING;
    self->connect.data = self;
    if (!self->transport->secret && !rm_raft_address_is_loopback (address)) {
        rm_raft_line_fail (self, RM_EDENIED,
                           "it is on another machine, and without a cluster secret only this one is talked to");
        return;
    }
    int rc = uv_tcp_connect (&self->connect, &self->tcp, address, on_connect);
    if (rc != 0)
        rm_raft_line_fail (self, RM_EUNREACHABLE, uv_strerror (rc));
}

/* One of a name's addresses; the next attempt takes the next one. */
static const struct sockaddr *choose (rm_raft_transport_t *transport, const struct addrinfo *found)
{
    unsigned count = 0;
    for (const struct addrinfo *each = found; each; each = each->ai_next)
        count++;
    for (unsigned skip = transport->attempts++ % count; skip > 0; skip--)
        found = found->ai_next;
    return found->ai_addr;
}

static void on_resolved (uv_getaddrinfo_t *request, int status, struct addrinfo *found);

/* The next one that waits for a lookup gets it. */
static void look_up_next (rm_raft_transport_t *transport)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    char host[RM_RAFT_ADDRESS_BYTES_MAX + 1], port[6];
    rm_raft_line_t *line, *next;
    DL_FOREACH_SAFE (transport->lines, line, next) {
        if (transport->resolving || transport->closing)
            return;
        if (!line->dialled || line->stage != RM_RAFT_LINE_RESOLVING)
            continue;
        line->resolve.data = line;
        if (rm_raft_address_split (line->address, host, port) &&
            uv_getaddrinfo (transport->loop, &line->resolve, on_resolved, host, port, &hints) == 0)
            transport->resolving = line->looking_up = true;
        else
            rm_raft_line_fail (line, RM_EUNREACHABLE, "its name cannot be looked up");
    }
}

static void on_resolved (uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    rm_raft_line_t *self = request->data;
    rm_raft_transport_t *transport = self->transport;
    transport->resolving = false;
    self->looking_up = false;
    if (self->closing)
        rm_raft_line_shut (self);
    else if (status != 0 || !found)
        rm_raft_line_fail (self, RM_EUNREACHABLE, status ? uv_strerror (status) : "its name has no address");
    else
        connect_to (self, choose (transport, found));
    uv_freeaddrinfo (found);
    look_up_next (transport);
}

/* Nobody is called back before dial has answered. */
static int start (rm_raft_line_t *self)
{
    char host[RM_RAFT_ADDRESS_BYTES_MAX + 1], port[6];
    struct sockaddr_storage numeric;
    rm_raft_dialled_fn *done = self->done;
    rm_raft_address_split (self->address, host, port);
    self->done = NULL;
    if (rm_raft_address_is_numeric (host, port, &numeric))
        connect_to (self, (struct sockaddr *)&numeric);
    else
        look_up_next (self->transport);
    self->done = self->closing ? NULL : done;
    return self->closing ? RM_EUNREACHABLE : 0;
}

int rm_raft_transport_dial (rm_raft_transport_t *self, rm_raft_wish_t wish, uint64_t id, const char *address,
                            const uv_buf_t *cargo, rm_raft_dialled_fn *done, void *arg)
{
    char host[RM_RAFT_ADDRESS_BYTES_MAX + 1], port[6];
    if (self->closing || !self->open || !rm_raft_address_split (address, host, port))
        return RM_EUNREACHABLE;
    rm_raft_line_t *line = rm_raft_line_new (self, true);
    if (!line)
        return RM_ENOMEM;
    line->wish = wish;
    line->id = id;
    line->done = done;
    line->done_arg = arg;
    snprintf (line->where, sizeof line->where, "%s", address);
    snprintf (line->address, sizeof line->address, "%s", address);
    if (cargo)
        memcpy (line->cargo, cargo, sizeof line->cargo);
    return start (line);
}

/* ---- what becomes of it ----------------------------------------------------------------------------------------- */

static void on_shipped (uv_write_t *write, int status)
{
    rm_raft_line_t *self = write->data;
    if (self->closing)
        return;
    rm_raft_line_close (self);
    rm_raft_line_tell (self, &(rm_raft_dialled_t){.status = status == 0 ? 0 : RM_EUNREACHABLE});
}

static void no_room (uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char byte;
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init (&byte, 1);
}

/* Nothing comes over a line of libraft's but its end. */
static void on_end (uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    rm_raft_line_t *self = (rm_raft_line_t *)stream;
    (void)buffer;
    if (got == 0)
        return;
    uv_read_stop (stream);
    if (!self->transport->closing)
        self->transport->events.gone (self->transport->events.arg, self->id);
}

static void give_to_libraft (rm_raft_line_t *self, const rm_raft_statement_t *statement)
{
    rm_raft_transport_t *transport = self->transport;
    rm_free (self->talk);
    self->talk = NULL;
    self->stage = RM_RAFT_LINE_OPEN;
    rm_raft_line_leave (self);
    uv_read_stop ((uv_stream_t *)&self->tcp);
    uv_read_start ((uv_stream_t *)&self->tcp, no_room, on_end);
    transport->handles--;
    rm_raft_line_tell (
        self,
        &(rm_raft_dialled_t){.verdict = RM_RAFT_WELCOME, .statement = statement, .stream = (uv_stream_t *)&self->tcp});
}

void rm_raft_line_use (rm_raft_line_t *self, const rm_raft_statement_t *statement)
{
    if (self->wish == RM_RAFT_TALK) {
        give_to_libraft (self, statement);
        return;
    }
    self->stage = RM_RAFT_LINE_SHIPPING;
    self->write.data = self;
    uv_read_stop ((uv_stream_t *)&self->tcp);
    if (uv_write (&self->write, (uv_stream_t *)&self->tcp, self->cargo, 2, on_shipped) != 0)
        rm_raft_line_fail (self, RM_EUNREACHABLE, NULL);
}
