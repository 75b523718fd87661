#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/server/inside.h"
#include "net/clock.h"
#include "net/log.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

/* A connection that brings one update, and ends. */
struct rm_catalog_link {
    rm_catalog_server_t *server;
    rm_catalog_link_t *next;
    uv_tcp_t tcp;
    rm_buf_t brought;
    uint64_t begun_ms;
    struct sockaddr_storage from;
    char address[RM_SERVICE_ADDRESS_BYTES_MAX + 1];
};

/* An address in digits; one of IPv4 that came over IPv6 as what it is. */
static void write_address (char *text, size_t size, const struct sockaddr *address)
{
    static const char mapped[] = "::ffff:";
    *text = 0;
    uv_ip_name (address, text, size);
    if (!strncmp (text, mapped, sizeof mapped - 1) && strchr (text, '.'))
        memmove (text, text + sizeof mapped - 1, strlen (text) - sizeof mapped + 2);
}

static void refuse (rm_catalog_server_t *self, const char *address, const char *why)
{
    self->refused++;
    self->refused_why = why;
    strcpy (self->refused_address, address);
    rm_log (RM_LOG_DEBUG, "event=refused address=%s why=%s", address, RM_QUOTE_TEXT (why));
}

/* Stamps it and takes it up. 0 or an error; `why_p` gets a literal sentence. */
static int enter (rm_catalog_server_t *self, rm_update_t *update, const char *address, const char *name,
                  const char **why_p)
{
    int rc = rm_update_stamp (update, address, name, rm_clock_wall_ms () / 1000);
    if (!rc)
        rc = rm_update_describe (update, why_p);
    if (rc)
        return rc;
    update->said.heard_ms = rm_catalog_now_ms (self);
    rm_services_expire (&self->services, update->said.heard_ms);
    return rm_services_put (&self->services, &update->said, why_p);
}

void rm_catalog_take (rm_catalog_server_t *self, const char *address, const char *name, const void *data, size_t size)
{
    rm_update_t update = {0};
    const char *why = "memory ran out";
    int rc = rm_update_read (&update, data, size, &why);
    if (!rc)
        rc = enter (self, &update, address, name, &why);
    if (rc)
        refuse (self, address, why);
    rm_update_close (&update);
}

/* Takes what came, if it is one; without a name it may have to wait for it. */
static void take (rm_catalog_server_t *self, const char *address, const struct sockaddr *from, const void *data,
                  size_t size)
{
    rm_update_t update = {0};
    const char *why = "memory ran out";
    int rc = rm_update_read (&update, data, size, &why);
    bool named = !rc && rm_update_has_name (&update);
    const char *name = rc || named ? address : rm_catalog_name (self, address, from, data, size);
    if (!rc && name)
        rc = enter (self, &update, address, name, &why);
    if (rc)
        refuse (self, address, why);
    rm_update_close (&update);
}

static bool may_speak (rm_catalog_server_t *self, const char *address)
{
    bool may = rm_rates_take (&self->rates, rm_catalog_now_ms (self), address, strlen (address));
    if (!may)
        refuse (self, address, "its address sends too often");
    return may;
}

/* ---- UDP --------------------------------------------------------------------------------------------------------- */

static void lend_packet (rm_catalog_server_t *self, uv_buf_t *buf)
{
    *buf = uv_buf_init (self->packet, sizeof self->packet);
}

static void on_udp_room (uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    lend_packet (handle->data, buf);
}

static void on_packet (uv_udp_t *handle, ssize_t size, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
    rm_catalog_server_t *self = handle->data;
    char address[RM_SERVICE_ADDRESS_BYTES_MAX + 1];
    if (!from || size < 0)
        return; /* there is nothing more for now, or the kernel tells of another packet's fate */
    write_address (address, sizeof address, from);
    if (!may_speak (self, address))
        return;
    if (flags & UV_UDP_PARTIAL)
        refuse (self, address, "it is larger than 64 KiB");
    else
        take (self, address, from, buf->base, (size_t)size);
}

/* ---- TCP --------------------------------------------------------------------------------------------------------- */

static void on_link_closed (uv_handle_t *handle)
{
    rm_catalog_link_t *link = handle->data;
    rm_buf_close (&link->brought);
    rm_free (link);
}

static void end_link (rm_catalog_link_t *link)
{
    rm_catalog_link_t **at = &link->server->links;
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    link->server->link_count--;
    uv_close ((uv_handle_t *)&link->tcp, on_link_closed);
}

static void on_link_room (uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    lend_packet (((rm_catalog_link_t *)handle->data)->server, buf);
}

static void on_bytes (uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    rm_catalog_link_t *link = stream->data;
    if (size == UV_EOF && link->brought.size)
        take (link->server, link->address, (struct sockaddr *)&link->from, link->brought.data, link->brought.size);
    if (size > 0 && link->brought.size + (size_t)size > RM_UPDATE_BYTES_MAX) {
        refuse (link->server, link->address, "it is larger than 1 MiB");
        size = UV_E2BIG;
    }
    if (size > 0)
        rm_buf_put (&link->brought, buf->base, (size_t)size);
    if (size < 0 || link->brought.failed)
        end_link (link);
}

static unsigned links_of (const rm_catalog_server_t *self, const char *address)
{
    unsigned count = 0;
    for (const rm_catalog_link_t *link = self->links; link; link = link->next)
        count += !strcmp (link->address, address);
    return count;
}

/* True if it may bring its update. */
static bool admit (rm_catalog_link_t *link)
{
    rm_catalog_server_t *self = link->server;
    int size = sizeof link->from;
    if (uv_tcp_getpeername (&link->tcp, (struct sockaddr *)&link->from, &size))
        return false;
    write_address (link->address, sizeof link->address, (struct sockaddr *)&link->from);
    if (self->link_count > RM_CATALOG_LINKS_MAX || links_of (self, link->address) > RM_CATALOG_LINKS_OF_ADDRESS) {
        refuse (self, link->address, "too many connections are open");
        return false;
    }
    return may_speak (self, link->address) && !uv_read_start ((uv_stream_t *)&link->tcp, on_link_room, on_bytes);
}

static void on_connection (uv_stream_t *listener, int status)
{
    rm_catalog_server_t *self = listener->data;
    rm_catalog_link_t *link = status ? NULL : rm_calloc (1, sizeof *link);
    if (!link)
        return; /* it waits, until the next one comes */
    uv_tcp_init (&self->loop, &link->tcp);
    link->tcp.data = link;
    link->server = self;
    link->begun_ms = rm_clock_ms ();
    link->next = self->links;
    self->links = link;
    self->link_count++;
    if (uv_accept (listener, (uv_stream_t *)&link->tcp) || !admit (link))
        end_link (link);
}

/* ---- both -------------------------------------------------------------------------------------------------------- */

int rm_catalog_receive (rm_catalog_server_t *self)
{
    int bytes = 4 << 20; /* as much of a flood as the kernel lets wait */
    uv_recv_buffer_size ((uv_handle_t *)&self->udp, &bytes);
    int rc = uv_udp_recv_start (&self->udp, on_udp_room, on_packet);
    return rc ? rc : uv_listen ((uv_stream_t *)&self->tcp, RM_CATALOG_LINKS_MAX, on_connection);
}

void rm_catalog_receive_tick (rm_catalog_server_t *self, bool all)
{
    uint64_t now_ms = rm_clock_ms ();
    for (rm_catalog_link_t *link = self->links, *next; link; link = next) {
        next = link->next;
        if (!all && now_ms - link->begun_ms < RM_CATALOG_LINK_MS)
            continue;
        if (!all)
            refuse (self, link->address, "its connection brought no whole update in time");
        end_link (link);
    }
    if (self->refused)
        rm_log (RM_LOG_WARN, "event=refused updates=%" PRIu64 " last=%s why=%s", self->refused, self->refused_address,
                RM_QUOTE_TEXT (self->refused_why));
    self->refused = 0;
}
