#include "net/http.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "net/clock.h"
#include "net/random.h"
#include "ringmaster/error.h"

/* A server on a loop in this thread, and a client in a thread of its own that plays one scene and ends the loop. */
typedef struct {
    uv_loop_t loop;
    uv_async_t done;
    rm_http_t *http;
    pthread_t loop_thread;
    void (*scene) (unsigned port);
    unsigned asked; /* callbacks so far */
    bool own_thread;
    unsigned begun, ended; /* streams */
    bool end_in_loop;
    bool no_memory; /* a stream cannot begin */
} stage_t;

static void on_status (rm_http_answer_t *answer, void *arg)
{
    stage_t *stage = arg;
    stage->own_thread = pthread_equal (pthread_self (), stage->loop_thread);
    stage->asked++;
    answer->content_type = "application/json";
    rm_buf_put (&answer->body, "{\"ok\":true}", 11);
}

static void on_rest (rm_http_answer_t *answer, void *arg)
{
    (void)arg;
    rm_buf_put (&answer->body, "rest=", 5);
    rm_buf_put (&answer->body, answer->rest, strlen (answer->rest));
    rm_buf_put (&answer->body, ".", 1);
}

static void on_slow (rm_http_answer_t *answer, void *arg)
{
    (void)arg;
    usleep ((RM_HTTP_PATIENCE_MS + 500) * 1000);
    rm_buf_put (&answer->body, "late", 4);
}

static void on_full (rm_http_answer_t *answer, void *arg)
{
    (void)arg;
    answer->body.failed = true;
}

/* A stream of numbers, so that a byte in the wrong place shows. */
enum { STREAM_BYTES = 3 * 1000 * 1000 + 1 };

static uint8_t byte_at (uint64_t at)
{
    return (uint8_t)(at * 31 + (at >> 8));
}

static bool begin_stream (void *arg, uint64_t *checksum)
{
    stage_t *stage = arg;
    *checksum = 0xabc;
    stage->begun++;
    return !stage->no_memory;
}

static size_t read_stream (void *arg, uint64_t at, void *to, size_t size)
{
    (void)arg;
    size_t count = 0;
    for (; count < size && count < 1000 && at + count < STREAM_BYTES; count++)
        ((uint8_t *)to)[count] = byte_at (at + count);
    return count;
}

static void end_stream (void *arg)
{
    stage_t *stage = arg;
    stage->ended++;
    stage->end_in_loop = pthread_equal (pthread_self (), stage->loop_thread);
}

static void on_stream (rm_http_answer_t *answer, void *arg)
{
    answer->content_type = "application/octet-stream";
    answer->stream = (rm_http_stream_t){arg, STREAM_BYTES, begin_stream, read_stream, end_stream};
}

static void on_done (uv_async_t *done)
{
    stage_t *stage = done->data;
    rm_http_destroy (&stage->http);
    uv_close ((uv_handle_t *)done, NULL);
}

static void *play (void *arg)
{
    stage_t *stage = arg;
    stage->scene (rm_http_endpoint (stage->http)->port);
    uv_async_send (&stage->done);
    return NULL;
}

static void perform (stage_t *stage, void (*scene) (unsigned port))
{
    const rm_http_route_t routes[] = {{"/status", on_status, stage}, {"/slow", on_slow, NULL}, {"/full", on_full, NULL},
                                      {"/stream", on_stream, stage}, {"/of/*", on_rest, NULL}, {NULL, NULL, NULL}};
    *stage = (stage_t){.scene = scene, .no_memory = stage->no_memory, .loop_thread = pthread_self ()};
    uv_loop_init (&stage->loop);
    uv_async_init (&stage->loop, &stage->done, on_done);
    stage->done.data = stage;
    rm_fault_t fault = {0};
    stage->http = rm_http_new (&stage->loop, "127.0.0.1", 0, routes, &fault);
    cr_assert (stage->http, "%s", fault.text);
    pthread_t thread;
    cr_assert_eq (pthread_create (&thread, NULL, play, stage), 0);
    uv_run (&stage->loop, UV_RUN_DEFAULT);
    pthread_join (thread, NULL);
    cr_assert_eq (uv_loop_close (&stage->loop), 0);
}

static int dial (unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons ((uint16_t)port)};
    address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {.tv_sec = 20};
    setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    cr_assert_eq (connect (fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Sends `request` and reads all that comes until the other side closes. */
static void exchange (unsigned port, const void *request, size_t size, char *reply, size_t room)
{
    int fd = dial (port);
    send (fd, request, size, MSG_NOSIGNAL);
    shutdown (fd, SHUT_WR);
    size_t used = 0;
    for (ssize_t got; used < room - 1 && (got = recv (fd, reply + used, room - 1 - used, 0)) > 0;)
        used += (size_t)got;
    reply[used] = 0;
    close (fd);
}

static const char *get (unsigned port, const char *line)
{
    static char reply[4096];
    char request[RM_HTTP_REST_BYTES_MAX + 256];
    int size = snprintf (request, sizeof request, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", line);
    exchange (port, request, (size_t)size, reply, sizeof reply);
    return reply;
}

static void assert_begins (const char *reply, const char *status)
{
    cr_assert (!strncmp (reply, status, strlen (status)), "not %s: %s", status, reply);
}

static void ordinary (unsigned port)
{
    const char *reply = get (port, "GET /status");
    assert_begins (reply, "HTTP/1.1 200 ");
    cr_assert (strstr (reply, "Content-Type: application/json\r\n"));
    cr_assert (strstr (reply, "\r\n\r\n{\"ok\":true}"));
    cr_assert (strstr (get (port, "GET /status?a=b"), "{\"ok\":true}"));
    reply = get (port, "HEAD /status");
    assert_begins (reply, "HTTP/1.1 200 ");
    cr_assert (strstr (reply, "Content-Length: 11\r\n"));
    cr_assert_null (strstr (reply, "ok"));
}

Test (net_http, get_and_head_are_answered_by_the_loop, .timeout = 60)
{
    stage_t stage = {0};
    perform (&stage, ordinary);
    cr_assert_eq (stage.asked, 3);
    cr_assert (stage.own_thread);
}

static void with_rest (unsigned port)
{
    char line[2 * RM_HTTP_REST_BYTES_MAX];
    cr_assert (strstr (get (port, "GET /of/a/b%20c?d=e"), "\r\n\r\nrest=a/b c."));
    cr_assert (strstr (get (port, "GET /of/"), "\r\n\r\nrest=."));
    assert_begins (get (port, "GET /of"), "HTTP/1.1 404 ");
    assert_begins (get (port, "GET /o/f"), "HTTP/1.1 404 ");
    memset (line, 'x', sizeof line);
    memcpy (line, "GET /of/", 8);
    line[8 + RM_HTTP_REST_BYTES_MAX] = 0;
    assert_begins (get (port, line), "HTTP/1.1 200 ");
    strcat (line, "x");
    assert_begins (get (port, line), "HTTP/1.1 404 ");
}

Test (net_http, a_route_with_a_star_answers_all_that_begins_so, .timeout = 60)
{
    stage_t stage = {0};
    perform (&stage, with_rest);
}

static void refused (unsigned port)
{
    assert_begins (get (port, "GET /"), "HTTP/1.1 404 ");
    assert_begins (get (port, "GET /status/"), "HTTP/1.1 404 ");
    assert_begins (get (port, "GET /../etc/passwd"), "HTTP/1.1 404 ");
    assert_begins (get (port, "POST /nothing"), "HTTP/1.1 404 ");
    const char *methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "SING"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        char line[64];
        snprintf (line, sizeof line, "%s /status", methods[i]);
        const char *reply = get (port, line);
        assert_begins (reply, "HTTP/1.1 405 ");
        cr_assert (strstr (reply, "Allow: GET, HEAD\r\n"));
    }
    assert_begins (get (port, "GET /full"), "HTTP/1.1 503 ");
}

Test (net_http, other_paths_are_404_and_other_methods_405, .timeout = 60)
{
    stage_t stage = {0};
    perform (&stage, refused);
    cr_assert_eq (stage.asked, 0);
}

static void streamed (unsigned port)
{
    static char reply[STREAM_BYTES + 4096];
    const char request[] = "GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    exchange (port, request, sizeof request - 1, reply, sizeof reply);
    assert_begins (reply, "HTTP/1.1 200 ");
    const char *body = strstr (reply, "\r\n\r\n") + 4;
    cr_assert (strstr (reply, "Content-Length: 3000001\r\n") < body);
    cr_assert (strstr (reply, "X-Checksum-XXH3: 0000000000000abc\r\n") < body);
    for (uint64_t at = 0; at < STREAM_BYTES; at++)
        cr_assert_eq ((uint8_t)body[at], byte_at (at), "byte %d", (int)at);
}

Test (net_http, a_stream_comes_whole_and_ends_in_the_loop, .timeout = 60)
{
    stage_t stage = {0};
    perform (&stage, streamed);
    cr_assert_eq (stage.begun, 1);
    cr_assert_eq (stage.ended, 1);
    cr_assert (stage.end_in_loop);
}

static void given_up (unsigned port)
{
    const char request[] = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";
    char some[1000];
    for (int i = 0; i < 5; i++) {
        int fd = dial (port);
        send (fd, request, sizeof request - 1, MSG_NOSIGNAL);
        cr_assert_gt (recv (fd, some, sizeof some, 0), 0);
        close (fd);
    }
    int stuck = dial (port); /* reads nothing, and is still there when the server ends */
    send (stuck, request, sizeof request - 1, MSG_NOSIGNAL);
    cr_assert_gt (recv (stuck, some, sizeof some, 0), 0);
    assert_begins (get (port, "HEAD /stream"), "HTTP/1.1 200 ");
}

Test (net_http, a_stream_that_nobody_reads_to_its_end_is_ended_too, .timeout = 60)
{
    stage_t stage = {0};
    perform (&stage, given_up);
    cr_assert_eq (stage.begun, 7);
    cr_assert_eq (stage.ended, 7);
    cr_assert (stage.end_in_loop);
}

static void no_room (unsigned port)
{
    assert_begins (get (port, "GET /stream"), "HTTP/1.1 503 ");
}

Test (net_http, a_stream_that_cannot_begin_is_503, .timeout = 60)
{
    stage_t stage = {.no_memory = true};
    perform (&stage, no_room);
    cr_assert_eq (stage.ended, 1);
}

static void late (unsigned port)
{
    uint64_t begin_ms = rm_clock_ms ();
    assert_begins (get (port, "GET /slow"), "HTTP/1.1 503 ");
    uint64_t took_ms = rm_clock_ms () - begin_ms;
    cr_assert (took_ms + 5 >= RM_HTTP_PATIENCE_MS && took_ms < 10 * RM_HTTP_PATIENCE_MS, "%lu ms", took_ms);
    /* The loop is in the slow callback; this one is never begun, or is answered when it is back. */
    cr_assert (strstr (get (port, "GET /status"), "{\"ok\":true}"));
}

Test (net_http, a_loop_that_does_not_answer_in_time_is_503, .timeout = 60)
{
    stage_t stage = {0};
    perform (&stage, late);
}

static void *ask_status (void *arg)
{
    const unsigned *port = arg;
    static char reply[4096];
    const char request[] = "GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    exchange (*port, request, strlen (request), reply, sizeof reply);
    return reply;
}

Test (net_http, what_waits_when_the_server_ends_is_refused_at_once, .timeout = 60)
{
    stage_t stage = {.asked = 0};
    const rm_http_route_t routes[] = {{"/status", on_status, &stage}, {NULL, NULL, NULL}};
    uv_loop_init (&stage.loop);
    stage.http = rm_http_new (&stage.loop, "127.0.0.1", 0, routes, NULL);
    unsigned port = rm_http_endpoint (stage.http)->port;
    uv_run (&stage.loop, UV_RUN_NOWAIT); /* puts the loop's own descriptors into its epoll set */
    uint64_t begin_ms = rm_clock_ms ();
    pthread_t thread;
    pthread_create (&thread, NULL, ask_status, &port);
    /* The loop does not run any more. It having something to do shows that the question waits. */
    struct pollfd item = {.fd = uv_backend_fd (&stage.loop), .events = POLLIN};
    cr_assert_eq (poll (&item, 1, 20000), 1);
    rm_http_destroy (&stage.http);
    void *reply;
    pthread_join (thread, &reply);
    cr_assert_eq (stage.asked, 0);
    cr_assert_lt (rm_clock_ms () - begin_ms, RM_HTTP_PATIENCE_MS);
    cr_assert (strncmp (reply, "HTTP/1.1 200", 12));
    uv_run (&stage.loop, UV_RUN_DEFAULT);
    cr_assert_eq (uv_loop_close (&stage.loop), 0);
}

static void garbage (unsigned port)
{
    static char reply[4096];
    uint8_t noise[2048];
    for (int i = 0; i < 50; i++) {
        size_t size = 1 + rm_random_u64 () % sizeof noise;
        rm_random_fill (noise, size);
        exchange (port, noise, size, reply, sizeof reply);
        cr_assert (!*reply || strncmp (reply, "HTTP/1.1 200", 12));
    }
    const char *const requests[] = {"",
                                    "\r\n\r\n",
                                    "GET",
                                    "GET /status",
                                    "GET  \r\n\r\n",
                                    "GET /status HTTP/9.9\r\n\r\n",
                                    "GET /%00%ff%2e%2e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                                    "GET /status HTTP/1.1\r\nContent-Length: -1\r\nConnection: close\r\n\r\n",
                                    "POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                                    "POST /status HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        exchange (port, requests[i], strlen (requests[i]), reply, sizeof reply);
    static char huge[64 << 10];
    memset (huge, 'a', sizeof huge);
    memcpy (huge, "GET /", 5);
    exchange (port, huge, sizeof huge, reply, sizeof reply);
    cr_assert (strncmp (reply, "HTTP/1.1 200", 12));
    int idle[2 * RM_HTTP_CONNECTIONS_MAX]; /* more than it takes at a time, saying nothing, then gone */
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
        idle[i] = dial (port);
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
        close (idle[i]);
    uint64_t end_ms = rm_clock_ms () + 20000;
    while (!strstr (get (port, "GET /status"), "{\"ok\":true}"))
        cr_assert_lt (rm_clock_ms (), end_ms);
}

Test (net_http, garbage_and_too_many_connections_do_no_harm, .timeout = 100)
{
    stage_t stage = {0};
    perform (&stage, garbage);
    cr_assert_geq (stage.asked, 1);
}

Test (net_http, a_port_in_use_is_a_sentence)
{
    const rm_http_route_t routes[] = {{NULL, NULL, NULL}};
    uv_loop_t loop;
    uv_loop_init (&loop);
    rm_http_t *first = rm_http_new (&loop, "localhost", 0, routes, NULL);
    cr_assert (first);
    unsigned port = rm_http_endpoint (first)->port;
    char wanted[128];
    snprintf (wanted, sizeof wanted, "port %u on 127.0.0.1 is in use: stop what uses it or choose another port", port);
    rm_fault_t fault = {0};
    cr_assert_null (rm_http_new (&loop, "127.0.0.1", port, routes, &fault));
    cr_assert_str_eq (fault.text, wanted);
    rm_http_destroy (&first);
    uv_run (&loop, UV_RUN_DEFAULT);
    cr_assert_eq (uv_loop_close (&loop), 0);
}
