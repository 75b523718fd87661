/*  Addresses as people write them: "tcp://host:port", "host:port", lists of them.
 *
 *  A host is a name, an IPv4 address or an IPv6 address (in brackets wherever a port follows). In-place structs.
 *  Thread rule: any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/fault.h"
#include "proto/limits.h"

enum { RM_ENDPOINTS_MAX = 16 }; /* in one list */

typedef struct {
    char text[RM_ENDPOINT_BYTES_MAX + 1]; /* tcp://host:port, as it goes over the wire */
    char host[RM_ENDPOINT_BYTES_MAX + 1]; /* without brackets */
    uint16_t port;                        /* 0 only in what is to be bound */
} rm_endpoint_t;

/* A list of them, in place; `texts` are those of `list`, so that it is not to be copied. */
typedef struct {
    rm_endpoint_t list[RM_ENDPOINTS_MAX];
    const char *texts[RM_ENDPOINTS_MAX];
    uint32_t count;
} rm_endpoints_t;

/* Reads "tcp://host:port" or "host:port", the port from 1. 0 or RM_EINVAL. */
int rm_endpoint_parse (rm_endpoint_t *self, const char *text, rm_fault_t *fault);

/* The same of one to bind, where port 0 means any free one. */
int rm_endpoint_parse_bound (rm_endpoint_t *self, const char *text, rm_fault_t *fault);

/* Reads a list separated by commas into `list`, which has room for RM_ENDPOINTS_MAX. The number read, or RM_EINVAL. */
int rm_endpoint_parse_list (rm_endpoint_t *list, const char *text, rm_fault_t *fault);

/* The same of a list that has to be there; false: `text` is NULL, or no list of endpoints. */
bool rm_endpoints_parse (rm_endpoints_t *self, const char *text);

/* Where the masters are: what was said, else what $RINGMASTER says, else this machine's usual port. A list's text. */
const char *rm_endpoint_masters (const char *said);

/* Makes one of its parts; port 0 means any free one. 0 or RM_EINVAL. */
int rm_endpoint_set (rm_endpoint_t *self, const char *host, unsigned port, rm_fault_t *fault);

/* Replaces a name by its address, the IPv4 one if there is one. Asks the resolver: may block. 0 or RM_EINVAL. */
int rm_endpoint_resolve (rm_endpoint_t *self, rm_fault_t *fault);

/* The sentence for a bind of `self` that failed with errno `error`; answers the RM_E… number. */
int rm_endpoint_bind_failed (const rm_endpoint_t *self, int error, rm_fault_t *fault);

/* Replaces a wildcard (0.0.0.0, ::) by an address of this machine that others can connect to: the one that packets to
 * elsewhere leave from, or 127.0.0.1 (::1) if there is none. Leaves any other host alone. */
void rm_endpoint_advertise (rm_endpoint_t *self);

/* True for 127.0.0.0/8, ::1 and the name localhost: nobody outside of this machine can connect. */
bool rm_endpoint_is_loopback (const rm_endpoint_t *self);

/* True if the host is an IPv6 address. */
bool rm_endpoint_is_ipv6 (const rm_endpoint_t *self);
