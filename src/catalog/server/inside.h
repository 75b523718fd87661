/*  What the parts of the name server share: server.c (its life), receive.c (what services say), names.c (who they are),
 *  answer.c (who asks), keep.c (the disk).
 *
 *  Thread rule: the loop's thread.
 */
#pragma once

#include <uv.h>

#include "catalog/server/copies.h"
#include "catalog/server/server.h"
#include "catalog/server/store.h"
#include "catalog/server/update.h"
#include "core/rates.h"
#include "net/http.h"

enum {
    RM_CATALOG_LINKS_MAX = 32,       /* connections that bring updates; each holds twice RM_UPDATE_BYTES_MAX at most */
    RM_CATALOG_LINKS_OF_ADDRESS = 8, /* of one address */
    RM_CATALOG_LINK_MS = 5000,       /* how long one may take to bring it */
    RM_CATALOG_TICK_MS = 500,
    RM_CATALOG_KEEP_MS = 2000, /* between two writes of the records */
};

typedef struct rm_catalog_link rm_catalog_link_t;
typedef struct rm_catalog_name rm_catalog_name_t;

struct rm_catalog_server {
    const rm_catalog_config_t *config;
    uv_loop_t loop;
    uv_udp_t udp;
    uv_tcp_t tcp;
    uv_timer_t tick;
    uv_signal_t signals[2];
    rm_http_t *http;
    rm_http_route_t routes[8];
    uint64_t begun_ms, wall_ms; /* the two clocks when it began */

    rm_services_t services;
    rm_rates_t rates;
    rm_catalog_link_t *links;
    unsigned link_count;
    char packet[RM_UPDATE_PACKET_BYTES_MAX]; /* what comes, a piece at a time */
    uint64_t refused;                        /* updates, since it was said last … */
    const char *refused_why;                 /* … the newest of them */
    char refused_address[RM_SERVICE_ADDRESS_BYTES_MAX + 1];

    rm_catalog_name_t *names; /* of addresses */
    unsigned lookups;         /* that the resolver has not answered */
    size_t waiting_bytes;     /* of updates that wait for that */

    rm_copies_t json, text;

    rm_store_t store;
    uv_work_t writing;
    rm_copy_t *written; /* what is on its way to the disk; NULL: nothing is */
    int write_error;
    rm_fault_t write_fault;
    bool write_complained;
    uint64_t kept_changes, kept_ms;
};

/* Milliseconds that do not jump, and began as the wall clock's. */
uint64_t rm_catalog_now_ms (const rm_catalog_server_t *self);

/* ---- receive.c ---- */

/* Takes updates at self->udp and self->tcp, which are bound. 0 or a number of libuv's. */
int rm_catalog_receive (rm_catalog_server_t *self);
/* Ends connections that take too long, or all; says what was refused. */
void rm_catalog_receive_tick (rm_catalog_server_t *self, bool all);

/* Takes an update, whose sender is called `name` unless it says otherwise. */
void rm_catalog_take (rm_catalog_server_t *self, const char *address, const char *name, const void *data, size_t size);

/* ---- names.c ---- */

/* What the sender of an update without a name is called. NULL: the resolver is asked, and the update, of which a copy
 * was made, is taken when it has answered. */
const char *rm_catalog_name (rm_catalog_server_t *self, const char *address, const struct sockaddr *from,
                             const void *data, size_t size);
/* Once no lookup is under way. */
void rm_catalog_forget_names (rm_catalog_server_t *self);

/* ---- answer.c ---- */

/* Answers at `port`. False, with the reason in `fault`. */
bool rm_catalog_answer (rm_catalog_server_t *self, const char *host, unsigned port, rm_fault_t *fault);

/* ---- keep.c ---- */

/* Takes up what the disk has. False: it said why it cannot. */
bool rm_catalog_recall (rm_catalog_server_t *self);
/* Writes the records, if they have changed, in a thread of their own. */
void rm_catalog_keep_tick (rm_catalog_server_t *self);
/* Writes them now; nothing is on its way any more. */
void rm_catalog_keep_last (rm_catalog_server_t *self);
