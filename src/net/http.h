/*  Read-only HTTP for people and monitors: GET and HEAD of a few paths, answered by callbacks on the loop's thread.
 *
 *  libmicrohttpd speaks HTTP in threads of its own; each request waits there for the loop, at most RM_HTTP_PATIENCE_MS,
 *  after which it is answered 503. So a callback may read the daemon's state without a lock, and a stuck loop shows.
 *  Other paths are answered 404, other methods 405. Connections are limited in number, size of headers and idle time.
 *  Thread rule: the loop's thread.
 */
#pragma once

#include "net/endpoint.h"
#include "net/fault.h"
#include "proto/buf.h"

enum {
    RM_HTTP_CONNECTIONS_MAX = 64,
    RM_HTTP_IDLE_S = 10,
    RM_HTTP_PATIENCE_MS = 2000,
    RM_HTTP_HEADER_BYTES_MAX = 16 << 10,
};

typedef struct uv_loop_s uv_loop_t;
typedef struct rm_http rm_http_t;

typedef struct {
    unsigned status;          /* 200 unless the callback says otherwise */
    const char *content_type; /* a literal; text/plain unless the callback says otherwise */
    rm_buf_t body;            /* empty; filled by the callback, taken from it. If memory ran out: status 503 */
} rm_http_answer_t;

/* Answers one request. Must not destroy the server. */
typedef void rm_http_fn (rm_http_answer_t *answer, void *arg);

typedef struct {
    const char *path; /* "/status"; NULL ends a table of routes. What follows a '?' is ignored */
    rm_http_fn *answer;
    void *arg;
} rm_http_route_t;

/* Listens on host:port (port 0: any free one) and answers `routes`, which must outlive it. NULL with the reason in
 * `fault`. */
rm_http_t *rm_http_new (uv_loop_t *loop, const char *host, unsigned port, const rm_http_route_t *routes,
                        rm_fault_t *fault);

/* Refuses what still waits, ends the threads; the memory goes when the loop runs its next turn. */
void rm_http_destroy (rm_http_t **self_p);

/* Where others can reach it; the scheme of its text is tcp://, as everywhere. */
const rm_endpoint_t *rm_http_endpoint (const rm_http_t *self);
