/*  One question to an HTTP server, as a test asks it.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Gets http://HOST:PORT/PATH; `host` is an IPv4 address in digits. The body goes into `body`, cut to `room` with its NUL.
 * False: there is no answer with status 200 within `timeout_ms` of silence. */
bool http_get (const char *host, int port, const char *path, int timeout_ms, char *body, size_t room);
