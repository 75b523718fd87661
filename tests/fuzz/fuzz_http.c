/*  The master's HTTP server, over a real connection on loopback: the input is what a client sends before it closes its side.
 *
 *  libmicrohttpd reads the request; ours is what follows (src/net/http.c): which page, which method, the loop's answer, and
 *  the patience with it. So what is checked is that every connection comes to its end, that what comes back is HTTP, that a
 *  page has its own content and nothing else has, and that nobody but GET and HEAD gets one.
 *
 *  Threads: the loop has one, libmicrohttpd one a connection; the target itself only talks to them by the socket.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "fuzz.h"
#include "net/http.h"

enum { REPLY_MAX = 1 << 20, LONG_BYTES = 70000, PATIENCE_S = 20 };

static const char short_page[] = "a short page\n";
static char long_page[LONG_BYTES + 1];
static uv_loop_t loop;
static rm_http_t *server;
static uint16_t port;

static void give_short (rm_http_answer_t *answer, void *arg)
{
    (void)arg;
    rm_buf_put (&answer->body, short_page, sizeof short_page - 1);
}

static void give_long (rm_http_answer_t *answer, void *arg)
{
    (void)arg;
    answer->content_type = "text/x-long";
    rm_buf_put (&answer->body, long_page, LONG_BYTES);
}

static void give_nothing (rm_http_answer_t *answer, void *arg)
{
    (void)arg;
    answer->body.failed = true; /* as if memory had run out */
}

static void *run_loop (void *arg)
{
    (void)arg;
    uv_run (&loop, UV_RUN_DEFAULT);
    return NULL;
}

static void begin (void)
{
    static const rm_http_route_t routes[] = {
        {"/status", give_short, NULL}, {"/long", give_long, NULL}, {"/broken", give_nothing, NULL}, {NULL, NULL, NULL}};
    rm_fault_t fault = {0};
    pthread_t thread;
    memset (long_page, 'l', LONG_BYTES);
    CLAIM (!uv_loop_init (&loop));
    server = rm_http_new (&loop, "127.0.0.1", 0, routes, &fault);
    CLAIM (server, "%s", fault.text);
    port = rm_http_endpoint (server)->port;
    CLAIM (!pthread_create (&thread, NULL, run_loop, NULL));
    pthread_detach (thread);
}

/* Sends the request, closes that side, and reads to the end. How many bytes came. */
static size_t talk (const uint8_t *data, size_t size, char *reply)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons (port), .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    struct linger no_linger = {.l_onoff = 1}; /* or the ports would be used up by connections that linger */
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CLAIM (fd >= 0 && !connect (fd, (struct sockaddr *)&address, sizeof address));
    setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt (fd, SOL_SOCKET, SO_LINGER, &no_linger, sizeof no_linger);
    for (size_t sent = 0; sent < size;) {
        ssize_t more = send (fd, data + sent, size - sent, MSG_NOSIGNAL);
        if (more < 0 && errno == EINTR)
            continue; /* libFuzzer's own alarm */
        if (more <= 0)
            break; /* refused before it was read whole */
        sent += (size_t)more;
    }
    shutdown (fd, SHUT_WR);
    size_t came = 0;
    ssize_t more = 1;
    while (came < REPLY_MAX && more) {
        more = recv (fd, reply + came, REPLY_MAX - came, 0);
        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0)
            break;
        came += (size_t)more;
    }
    CLAIM (came == REPLY_MAX || more == 0 || errno == ECONNRESET || errno == EPIPE, "no end after %d s", PATIENCE_S);
    close (fd);
    reply[came] = 0;
    return came;
}

/* The first answer that came; others may follow on the same connection. */
static void check (const char *reply, size_t size)
{
    unsigned minor, status;
    const char *body = strstr (reply, "\r\n\r\n");
    CLAIM (sscanf (reply, "HTTP/1.%u %u", &minor, &status) == 2 && minor <= 1, "no HTTP: %.40s", reply);
    CLAIM (status == 100 || status == 200 || (status >= 400 && status <= 505), "status %u", status);
    if (!body || status == 100)
        return; /* cut off by a reset */
    size_t head = (size_t)(body + 4 - reply), room = size - head;
    body += 4;
    const char *length = strcasestr (reply, "\r\nContent-Length: ");
    size_t promised = length && length < body ? strtoul (length + 18, NULL, 10) : 0;
    bool is_long = memmem (reply, head, "text/x-long", 11) != NULL;
    if (status == 405)
        CLAIM (memmem (reply, head, "Allow: GET, HEAD", 16));
    if (status == 200) {
        CLAIM (memmem (reply, head, "no-store", 8));
        CLAIM (promised == (is_long ? (size_t)LONG_BYTES : sizeof short_page - 1), "%zu bytes", promised);
        size_t came = room < promised ? room : promised;
        bool page = !memcmp (body, is_long ? long_page : short_page, came);
        CLAIM (!came || page || !strncmp (body, "HTTP/1.", 7), "not the page"); /* of a HEAD, the next answer */
    } else {
        CLAIM (!memmem (body, room < promised ? room : promised, short_page, sizeof short_page - 1));
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static char *reply;
    if (!reply) {
        reply = malloc (REPLY_MAX + 1);
        CLAIM (reply);
        begin ();
    }
    size_t came = talk (data, size, reply);
    if (came)
        check (reply, came);
    return 0;
}
