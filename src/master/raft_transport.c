#include "master/raft_transport.h"

static int transport_init (struct raft_uv_transport *self, raft_id id, const char *address)
{
    (void)self;
    (void)id;
    (void)address;
    return 0;
}

static int transport_listen (struct raft_uv_transport *self, raft_uv_accept_cb accept)
{
    (void)self;
    (void)accept;
    return 0;
}

static int transport_connect (struct raft_uv_transport *self, struct raft_uv_connect *request, raft_id id,
                              const char *address, raft_uv_connect_cb connected)
{
    (void)self;
    (void)request;
    (void)id;
    (void)address;
    (void)connected;
    return RAFT_NOCONNECTION;
}

static void transport_close (struct raft_uv_transport *self, raft_uv_transport_close_cb closed)
{
    closed (self);
}

void rm_raft_transport_init (struct raft_uv_transport *self)
{
    *self = (struct raft_uv_transport){
        .version = 1,
        .init = transport_init,
        .listen = transport_listen,
        .connect = transport_connect,
        .close = transport_close,
    };
}
