/*  The name server: takes what services say of themselves, over UDP and TCP, keeps it for as long as it is said again,
 *  and shows it over HTTP. (The protocol of the Notre Dame catalog server; docs/catalog.md.)
 *
 *      UDP on N, TCP on N+1 ──updates──▶ services ──▶ HTTP on N
 *                                            └──────▶ a file, every few seconds
 *
 *  A record is a hint and no more: anyone may say anything. So senders are bounded (rates, shares, sizes, connections
 *  and their time), and nothing here is decided by what they say.
 *  Thread rule: the loop's thread; nothing of it is shared.
 */
#pragma once

#include "core/services.h"

typedef struct {
    const char *bind; /* host */
    unsigned port;    /* UDP and HTTP; TCP is on the next one; 0: free ones */
    const char *data; /* the folder that keeps the records; NULL: they are not kept */
    uint32_t per_s;   /* updates a second of one address */
    rm_services_limits_t limits;
} rm_catalog_config_t;

typedef struct rm_catalog_server rm_catalog_server_t;

/* NULL when memory has run out. `config` must outlive it. */
rm_catalog_server_t *rm_catalog_server_new (const rm_catalog_config_t *config);

/* Starts, prints "ready …" and works until a signal ends it; the exit code. */
int rm_catalog_server_run (rm_catalog_server_t *self);

/* Frees it, once it has run; nulls the pointer, takes NULL. */
void rm_catalog_server_destroy (rm_catalog_server_t **self_p);
