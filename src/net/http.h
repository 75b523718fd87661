/*  Read-only HTTP for people and monitors: GET and HEAD of a few paths, answered by callbacks on the loop's thread.
 *
 *  libmicrohttpd speaks HTTP in threads of its own; each request waits there for the loop, at most RM_HTTP_PATIENCE_MS,
 *  after which it is answered 503. So a callback may read the daemon's state without a lock, and a stuck loop shows.
 *  Other paths are answered 404, other methods 405. Connections are limited in number, size of headers and idle time.
 *  Thread rule: the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/endpoint.h"
#include "net/fault.h"
#include "proto/buf.h"

enum {
    RM_HTTP_CONNECTIONS_MAX = 64,
    RM_HTTP_ADDRESS_MAX = 48, /* of these, of one address */
    RM_HTTP_IDLE_S = 10,
    RM_HTTP_PATIENCE_MS = 2000,
    RM_HTTP_HEADER_BYTES_MAX = 16 << 10,
    RM_HTTP_REST_BYTES_MAX = 1024,
};

typedef struct uv_loop_s uv_loop_t;
typedef struct rm_http rm_http_t;

/* A body too large to be held, or that comes from elsewhere. */
typedef struct {
    void *arg;
    uint64_t bytes; /* in all */
    /* In the connection's thread, while the loop goes on. `begin` comes first and fills in the XXH3_64 of all bytes, which is
       told in the header RM_HTTP_CHECKSUM; false: memory ran out. `read` copies up to `size` bytes from `at` on; how many. */
    bool (*begin) (void *arg, uint64_t *checksum);
    size_t (*read) (void *arg, uint64_t at, void *to, size_t size);
    void (*end) (void *arg); /* once, in the loop's thread, whatever became of it; NULL: there is no stream */
} rm_http_stream_t;

#define RM_HTTP_CHECKSUM "X-Checksum-XXH3" /* 16 hexadecimal digits */

typedef struct {
    const char *rest;         /* asked for: what of the path stands where the route's has its star; "" without one */
    unsigned status;          /* 200 unless the callback says otherwise */
    const char *content_type; /* a literal; text/plain unless the callback says otherwise */
    rm_buf_t body;            /* empty; filled by the callback, taken from it. If memory ran out: status 503 */
    rm_http_stream_t stream;  /* instead of a body, if the callback fills it in */
} rm_http_answer_t;

/* Answers one request. Must not destroy the server. */
typedef void rm_http_fn (rm_http_answer_t *answer, void *arg);

typedef struct {
    /* "/status", or "/detail/" and a star: all that begins so (up to RM_HTTP_REST_BYTES_MAX further). The first route that
       fits answers; NULL ends a table of them. What follows a '?' is ignored. */
    const char *path;
    rm_http_fn *answer;
    void *arg;
} rm_http_route_t;

/* Listens on host:port (port 0: any free one) and answers `routes`, which must outlive it. NULL with the reason in
 * `fault`. */
rm_http_t *rm_http_new (uv_loop_t *loop, const char *host, unsigned port, const rm_http_route_t *routes,
                        rm_fault_t *fault);

/* Refuses what still waits, ends the threads and the streams; the memory goes when the loop runs its next turn. */
void rm_http_destroy (rm_http_t **self_p);

/* Where others can reach it; the scheme of its text is tcp://, as everywhere. */
const rm_endpoint_t *rm_http_endpoint (const rm_http_t *self);
