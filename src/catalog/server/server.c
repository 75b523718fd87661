#include "catalog/server/server.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "catalog/server/inside.h"
#include "catalog/server/page.h"
#include "net/clock.h"
#include "net/log.h"
#include "net/random.h"
#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

enum {
    PORT_TRIES = 100, /* to find two free ports side by side, for UDP and TCP alike: … */
    PORT_LOWEST = 16384,
    PORT_HIGHEST =
        32766,  /* … below those that the system gives to whoever connects, which may be used up for minutes */
    BURST_S = 2 /* an address may be heard as often at once as it may in so many seconds */
};

uint64_t rm_catalog_now_ms (const rm_catalog_server_t *self)
{
    return self->wall_ms + (rm_clock_ms () - self->begun_ms);
}

rm_catalog_server_t *rm_catalog_server_new (const rm_catalog_config_t *config)
{
    rm_catalog_server_t *self = rm_calloc (1, sizeof *self);
    if (!self || uv_loop_init (&self->loop)) {
        rm_free (self);
        return NULL;
    }
    self->config = config;
    self->begun_ms = rm_clock_ms ();
    self->wall_ms = rm_clock_wall_ms ();
    rm_services_init (&self->services, &config->limits);
    rm_rates_init (&self->rates, rm_random_u64 (), config->per_s, BURST_S * config->per_s);
    rm_copies_init (&self->json, rm_page_json);
    rm_copies_init (&self->text, rm_page_text);
    return self;
}

/* ---- ports ------------------------------------------------------------------------------------------------------- */

static void close_ports (rm_catalog_server_t *self)
{
    uv_close ((uv_handle_t *)&self->udp, NULL);
    uv_close ((uv_handle_t *)&self->tcp, NULL);
    rm_http_destroy (&self->http);
    uv_run (&self->loop, UV_RUN_NOWAIT);
}

static int to_sockaddr (const rm_endpoint_t *endpoint, struct sockaddr_storage *address)
{
    return rm_endpoint_is_ipv6 (endpoint) ? uv_ip6_addr (endpoint->host, endpoint->port, (struct sockaddr_in6 *)address)
                                          : uv_ip4_addr (endpoint->host, endpoint->port, (struct sockaddr_in *)address);
}

static int bind_udp (rm_catalog_server_t *self, const rm_endpoint_t *endpoint)
{
    struct sockaddr_storage address = {0};
    int rc = to_sockaddr (endpoint, &address);
    return rc ? rc : uv_udp_bind (&self->udp, (struct sockaddr *)&address, 0);
}

static int listen_tcp (rm_catalog_server_t *self, const rm_endpoint_t *endpoint)
{
    struct sockaddr_storage address = {0};
    int rc = to_sockaddr (endpoint, &address);
    if (!rc)
        rc = uv_tcp_bind (&self->tcp, (struct sockaddr *)&address, 0);
    return rc ? rc : rm_catalog_receive (self);
}

/* Opens all ports, those at `udp` and the one behind, `tcp`. False, with the reason in `fault`; nothing is open
 * then. */
static bool open_ports (rm_catalog_server_t *self, const rm_endpoint_t *udp, rm_endpoint_t *tcp, rm_fault_t *fault)
{
    const rm_endpoint_t *failed = udp;
    uv_udp_init (&self->loop, &self->udp);
    uv_tcp_init (&self->loop, &self->tcp);
    self->udp.data = self->tcp.data = self;
    int rc = bind_udp (self, udp);
    if (!rc && !rm_endpoint_set (tcp, udp->host, udp->port + 1u, fault)) {
        failed = tcp;
        rc = listen_tcp (self, tcp);
        if (!rc && rm_catalog_answer (self, udp->host, udp->port, fault))
            return true;
    }
    if (rc)
        rm_endpoint_bind_failed (failed, -rc, fault); /* libuv's numbers are errno's, below 0 */
    close_ports (self);
    return false;
}

static unsigned random_port (void)
{
    return PORT_LOWEST + (unsigned)(rm_random_u64 () % (PORT_HIGHEST - PORT_LOWEST + 1));
}

static bool find_ports (rm_catalog_server_t *self)
{
    rm_fault_t fault = {0};
    rm_endpoint_t udp, tcp;
    bool found = false;
    if (!rm_endpoint_set (&udp, self->config->bind, self->config->port, &fault) &&
        !rm_endpoint_resolve (&udp, &fault)) {
        const rm_endpoint_t wanted = udp;
        for (int left = self->config->port ? 1 : PORT_TRIES; left && !found; left--) {
            udp = wanted;
            if (!self->config->port)
                rm_endpoint_set (&udp, udp.host, random_port (), NULL);
            found = open_ports (self, &udp, &tcp, &fault);
        }
    }
    if (!found) {
        fprintf (stderr, "ringcatalog: %s\n", fault.text);
        return false;
    }
    rm_endpoint_advertise (&udp);
    rm_endpoint_advertise (&tcp);
    const char *at = strstr (udp.text, "://");
    printf ("ready catalog=%s http=http%s tcp=%s\n", at + 3, at, tcp.text);
    fflush (stdout);
    return true;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void on_tick (uv_timer_t *handle)
{
    rm_catalog_server_t *self = handle->data;
    uint32_t gone = rm_services_expire (&self->services, rm_catalog_now_ms (self));
    if (gone)
        rm_log (RM_LOG_INFO, "event=expired records=%" PRIu32 " left=%" PRIu32, gone, self->services.sum.count);
    rm_catalog_receive_tick (self, false);
    rm_catalog_keep_tick (self);
}

static void on_signal (uv_signal_t *handle, int signum)
{
    rm_log (RM_LOG_INFO, "event=stopping signal=%d", signum);
    uv_stop (handle->loop);
}

static void begin (rm_catalog_server_t *self)
{
    static const int signals[2] = {SIGTERM, SIGINT};
    uv_timer_init (&self->loop, &self->tick);
    self->tick.data = self;
    uv_timer_start (&self->tick, on_tick, RM_CATALOG_TICK_MS, RM_CATALOG_TICK_MS);
    for (int i = 0; i < 2; i++) {
        uv_signal_init (&self->loop, &self->signals[i]);
        uv_signal_start (&self->signals[i], on_signal, signals[i]);
    }
}

static void unwatch (rm_catalog_server_t *self)
{
    uv_close ((uv_handle_t *)&self->tick, NULL);
    for (int i = 0; i < 2; i++)
        uv_close ((uv_handle_t *)&self->signals[i], NULL);
}

static void end (rm_catalog_server_t *self)
{
    rm_catalog_receive_tick (self, true);
    unwatch (self);
    close_ports (self);
    while (self->written)
        uv_run (&self->loop, UV_RUN_ONCE);
    rm_catalog_keep_last (self);
    if (self->lookups)
        _exit (0); /* nobody waits for what the resolver may say in half a minute */
    uv_run (&self->loop, UV_RUN_DEFAULT);
    rm_catalog_forget_names (self);
}

int rm_catalog_server_run (rm_catalog_server_t *self)
{
    if (!rm_catalog_recall (self))
        return 1;
    begin (self); /* first: who reads "ready" may send a signal */
    if (!find_ports (self)) {
        unwatch (self);
        uv_run (&self->loop, UV_RUN_DEFAULT);
        return 1;
    }
    uv_run (&self->loop, UV_RUN_DEFAULT);
    end (self);
    return 0;
}

void rm_catalog_server_destroy (rm_catalog_server_t **self_p)
{
    rm_catalog_server_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    rm_copies_close (&self->json);
    rm_copies_close (&self->text);
    rm_services_close (&self->services);
    RM_ASSERT (uv_loop_close (&self->loop) == 0);
    rm_free (self);
}
