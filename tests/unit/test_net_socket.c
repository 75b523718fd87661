#include "net/socket.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "net/clock.h"
#include "net/poll.h"
#include "net/private.h"
#include "net/wake.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

enum { PATIENCE_MS = 10000 };

static void setup (void)
{
    cr_assert_eq (rm_net_init (), 0);
}

static void teardown (void)
{
    rm_net_term (); /* asserts that every socket was closed */
}

TestSuite (net_socket, .init = setup, .fini = teardown);

static rm_socket_t *bind_any (rm_socket_kind_t kind)
{
    rm_fault_t fault = {0};
    rm_socket_t *self = rm_socket_bind (kind, "127.0.0.1", 0, &fault);
    cr_assert (self, "%s", fault.text);
    return self;
}

static rm_socket_t *connect_to (rm_socket_kind_t kind, const rm_socket_t *bound)
{
    rm_fault_t fault = {0};
    rm_socket_t *self = rm_socket_connect (kind, rm_socket_endpoint (bound), &fault);
    cr_assert (self, "%s", fault.text);
    return self;
}

/* Waits for the next answer of rm_socket_recv that is not "none". */
static int await (rm_socket_t *socket, rm_route_t *route, rm_frame_t *frame)
{
    uint64_t end_ms = rm_clock_ms () + PATIENCE_MS;
    for (;;) {
        int rc = rm_socket_recv (socket, route, frame);
        if (rc || rm_clock_ms () > end_ms)
            return rc;
        rm_poll_t item = {.socket = socket};
        rm_poll (&item, 1, 100);
    }
}

static void assert_frame (const rm_frame_t *frame, const char *text)
{
    cr_assert_eq (rm_frame_size (frame), strlen (text));
    cr_assert_arr_eq (rm_frame_data (frame), text, strlen (text));
}

/* A peer that may send what it likes. */
static void *raw_peer (int type, const rm_socket_t *bound, const char *id, size_t id_size)
{
    void *peer = zmq_socket (rm_context_zmq (), type);
    int linger = 0;
    zmq_setsockopt (peer, ZMQ_LINGER, &linger, sizeof linger);
    if (id)
        cr_assert_eq (zmq_setsockopt (peer, ZMQ_ROUTING_ID, id, id_size), 0);
    cr_assert_eq (zmq_connect (peer, rm_socket_endpoint (bound)->text), 0);
    return peer;
}

/* Sends parts given as strings, up to NULL. */
static void send_parts (void *peer, const char *const *parts)
{
    for (; *parts; parts++)
        cr_assert (zmq_send (peer, *parts, strlen (*parts), parts[1] ? ZMQ_SNDMORE : 0) >= 0);
}

Test (net_socket, port_0_takes_a_free_one_and_says_which)
{
    rm_socket_t *socket = bind_any (RM_SOCKET_JOBS_ROUTER);
    const rm_endpoint_t *endpoint = rm_socket_endpoint (socket);
    char wanted[64];
    snprintf (wanted, sizeof wanted, "tcp://127.0.0.1:%u", endpoint->port);
    cr_assert_gt (endpoint->port, 0);
    cr_assert_str_eq (endpoint->text, wanted);
    rm_socket_close (&socket);
    cr_assert_null (socket);
}

Test (net_socket, a_port_in_use_is_a_sentence_that_names_it)
{
    rm_socket_t *first = bind_any (RM_SOCKET_JOBS_ROUTER);
    rm_fault_t fault = {0};
    char wanted[128];
    unsigned port = rm_socket_endpoint (first)->port;
    snprintf (wanted, sizeof wanted, "port %u on 127.0.0.1 is in use: stop what uses it or choose another port", port);
    cr_assert_null (rm_socket_bind (RM_SOCKET_WORK_ROUTER, "127.0.0.1", port, &fault));
    cr_assert_eq (fault.error, RM_EIO);
    cr_assert_str_eq (fault.text, wanted);
    rm_socket_close (&first);
}

Test (net_socket, a_host_that_is_not_ours_is_a_sentence)
{
    rm_fault_t fault = {0};
    cr_assert_null (rm_socket_bind (RM_SOCKET_WORK_ROUTER, "192.0.2.77", 0, &fault));
    cr_assert_str_eq (fault.text, "192.0.2.77 is not an address of this machine: give --bind one that is");
    cr_assert_null (rm_socket_bind (RM_SOCKET_WORK_ROUTER, "no such host", 0, &fault));
    cr_assert_str_eq (fault.text, "'no such host' is not a host: give a name or an address");
}

Test (net_socket, a_wildcard_is_answered_with_an_address_to_connect_to)
{
    rm_fault_t fault = {0};
    rm_socket_t *router = rm_socket_bind (RM_SOCKET_WORK_ROUTER, "0.0.0.0", 0, &fault);
    cr_assert (router, "%s", fault.text);
    cr_assert_str_neq (rm_socket_endpoint (router)->host, "0.0.0.0");
    rm_socket_t *dealer = connect_to (RM_SOCKET_WORK_DEALER, router);
    cr_assert_eq (rm_socket_send (dealer, NULL, "hi", 2), 0);
    rm_route_t route;
    rm_frame_t frame = {0};
    cr_assert_eq (await (router, &route, &frame), 1);
    assert_frame (&frame, "hi");
    rm_frame_close (&frame);
    rm_socket_close (&dealer);
    rm_socket_close (&router);
}

Test (net_socket, a_name_finds_a_socket_bound_to_the_same_name)
{
    rm_fault_t fault = {0};
    rm_socket_t *router = rm_socket_bind (RM_SOCKET_WORK_ROUTER, "localhost", 0, &fault);
    cr_assert (router, "%s", fault.text);
    rm_endpoint_t endpoint;
    cr_assert_eq (rm_endpoint_set (&endpoint, "localhost", rm_socket_endpoint (router)->port, NULL), 0);
    rm_socket_t *dealer = rm_socket_connect (RM_SOCKET_WORK_DEALER, &endpoint, &fault);
    cr_assert_eq (rm_socket_send (dealer, NULL, "hi", 2), 0);
    rm_route_t route;
    rm_frame_t frame = {0};
    cr_assert_eq (await (router, &route, &frame), 1);
    rm_frame_close (&frame);
    rm_socket_close (&dealer);
    rm_socket_close (&router);
}

/* One request and its reply between a kind of client and a kind of router. */
static void talk (rm_socket_kind_t asking, rm_socket_kind_t answering)
{
    rm_socket_t *router = bind_any (answering);
    rm_socket_t *client = connect_to (asking, router);
    rm_route_t route = {0};
    rm_frame_t frame = {0};
    cr_assert_eq (rm_socket_recv (router, &route, &frame), 0);
    cr_assert_eq (rm_socket_recv (client, NULL, &frame), 0);
    cr_assert_eq (rm_socket_send (client, NULL, "question", 8), 0);
    cr_assert_eq (await (router, &route, &frame), 1);
    assert_frame (&frame, "question");
    cr_assert_eq (route.size, 5);
    cr_assert_eq (rm_socket_send (router, &route, "answer", 6), 0);
    cr_assert_eq (await (client, NULL, &frame), 1);
    assert_frame (&frame, "answer");
    cr_assert_eq (rm_socket_dropped (router) + rm_socket_dropped (client), 0);
    rm_frame_close (&frame);
    rm_socket_close (&client);
    rm_socket_close (&router);
}

Test (net_socket, req_and_both_dealers_talk_with_their_routers)
{
    talk (RM_SOCKET_REQ, RM_SOCKET_JOBS_ROUTER);
    talk (RM_SOCKET_JOBS_DEALER, RM_SOCKET_JOBS_ROUTER);
    talk (RM_SOCKET_WORK_DEALER, RM_SOCKET_WORK_ROUTER);
}

Test (net_socket, a_second_request_before_the_reply_is_refused)
{
    rm_socket_t *router = bind_any (RM_SOCKET_JOBS_ROUTER);
    rm_socket_t *client = connect_to (RM_SOCKET_REQ, router);
    cr_assert_eq (rm_socket_send (client, NULL, "1", 1), 0);
    cr_assert_eq (rm_socket_send (client, NULL, "2", 1), RM_ESTATE);
    rm_socket_close (&client);
    rm_socket_close (&router);
}

/* Sends `bad` to a router from a raw dealer, then a good message: the first is dropped whole, the second arrives. */
static void drops (rm_socket_kind_t kind, const char *const *bad, const char *const *good)
{
    rm_socket_t *router = bind_any (kind);
    void *peer = raw_peer (ZMQ_DEALER, router, NULL, 0);
    send_parts (peer, bad);
    send_parts (peer, good);
    rm_route_t route;
    rm_frame_t frame = {0};
    cr_assert_eq (await (router, &route, &frame), RM_EPROTO);
    cr_assert_eq (rm_frame_size (&frame), 0);
    cr_assert_eq (await (router, &route, &frame), 1);
    assert_frame (&frame, "good");
    cr_assert_eq (rm_socket_recv (router, &route, &frame), 0);
    cr_assert_eq (rm_socket_dropped (router), 1);
    zmq_close (peer);
    rm_socket_close (&router);
}

Test (net_socket, a_message_of_another_shape_is_dropped_whole)
{
    const char *const jobs[] = {"", "good", NULL}, *const work[] = {"good", NULL};
    drops (RM_SOCKET_JOBS_ROUTER, (const char *[]){"no delimiter", NULL}, jobs);
    drops (RM_SOCKET_JOBS_ROUTER, (const char *[]){"no delimiter", "x", NULL}, jobs);
    drops (RM_SOCKET_JOBS_ROUTER, (const char *[]){"", NULL}, jobs);
    drops (RM_SOCKET_JOBS_ROUTER, (const char *[]){"", "a", "b", "c", "", "d", NULL}, jobs);
    drops (RM_SOCKET_JOBS_ROUTER, (const char *[]){"x", "a", "b", "c", "", "d", NULL}, jobs);
    drops (RM_SOCKET_WORK_ROUTER, (const char *[]){"", "good", NULL}, work);
    drops (RM_SOCKET_WORK_ROUTER, (const char *[]){"a", "b", "c", NULL}, work);
}

Test (net_socket, a_peer_may_choose_a_route_of_255_bytes)
{
    rm_socket_t *router = bind_any (RM_SOCKET_WORK_ROUTER);
    char id[255];
    memset (id, 'i', sizeof id);
    void *peer = raw_peer (ZMQ_DEALER, router, id, sizeof id);
    send_parts (peer, (const char *[]){"hello", NULL});
    rm_route_t route;
    rm_frame_t frame = {0};
    cr_assert_eq (await (router, &route, &frame), 1);
    cr_assert_eq (route.size, 255);
    cr_assert_arr_eq (route.data, id, 255);
    cr_assert_eq (rm_socket_send (router, &route, "back", 4), 0);
    char text[8];
    cr_assert_eq (zmq_recv (peer, text, sizeof text, 0), 4);
    rm_frame_close (&frame);
    zmq_close (peer);
    rm_socket_close (&router);
}

Test (net_socket, a_frame_over_the_limit_never_arrives_and_cuts_its_sender_off)
{
    rm_socket_t *router = bind_any (RM_SOCKET_WORK_ROUTER);
    void *peer = raw_peer (ZMQ_DEALER, router, NULL, 0);
    rm_route_t before, after;
    rm_frame_t frame = {0};
    send_parts (peer, (const char *[]){"before", NULL});
    cr_assert_eq (await (router, &before, &frame), 1);
    zmq_msg_t big;
    cr_assert_eq (zmq_msg_init_size (&big, RM_FRAME_BYTES_MAX + 1), 0);
    memset (zmq_msg_data (&big), 0, RM_FRAME_BYTES_MAX + 1);
    cr_assert (zmq_msg_send (&big, peer, 0) >= 0);
    /* The peer connects anew, as another route, and its big message is gone. What it sends while it is being cut off
     * may be lost too, so it says "after" until that arrives. */
    uint64_t end_ms = rm_clock_ms () + PATIENCE_MS;
    int rc = 0;
    while (rc != 1 && rm_clock_ms () < end_ms) {
        send_parts (peer, (const char *[]){"after", NULL});
        rm_poll_t item = {.socket = router};
        rm_poll (&item, 1, 50);
        rc = rm_socket_recv (router, &after, &frame);
    }
    cr_assert_eq (rc, 1);
    assert_frame (&frame, "after");
    cr_assert (after.size != before.size || memcmp (after.data, before.data, after.size));
    rm_frame_close (&frame);
    zmq_close (peer);
    rm_socket_close (&router);
}

Test (net_socket, a_frame_over_the_limit_is_not_sent)
{
    rm_socket_t *router = bind_any (RM_SOCKET_WORK_ROUTER);
    rm_socket_t *dealer = connect_to (RM_SOCKET_WORK_DEALER, router);
    rm_buf_t buf = {0};
    cr_assert_eq (rm_buf_reserve (&buf, RM_FRAME_BYTES_MAX + 1), 0);
    buf.size = RM_FRAME_BYTES_MAX + 1;
    cr_assert_eq (rm_socket_send (dealer, NULL, buf.data, buf.size), RM_ETOOBIG);
    cr_assert_eq (rm_socket_send_buf (dealer, NULL, &buf), RM_ETOOBIG);
    cr_assert_eq (buf.size, RM_FRAME_BYTES_MAX + 1);
    rm_buf_close (&buf);
    rm_socket_close (&dealer);
    rm_socket_close (&router);
}

Test (net_socket, a_send_to_a_peer_that_is_gone_is_unreachable)
{
    for (rm_socket_kind_t kind = RM_SOCKET_JOBS_ROUTER; kind <= RM_SOCKET_WORK_ROUTER; kind++) {
        rm_socket_t *router = bind_any (kind);
        bool jobs = kind == RM_SOCKET_JOBS_ROUTER;
        rm_socket_t *dealer = connect_to (jobs ? RM_SOCKET_JOBS_DEALER : RM_SOCKET_WORK_DEALER, router);
        rm_route_t route;
        rm_frame_t frame = {0};
        cr_assert_eq (rm_socket_send (dealer, NULL, "hi", 2), 0);
        cr_assert_eq (await (router, &route, &frame), 1);
        rm_frame_close (&frame);
        rm_socket_close (&dealer);
        uint64_t end_ms = rm_clock_ms () + PATIENCE_MS;
        int rc = 0;
        while (!rc && rm_clock_ms () < end_ms) {
            rc = rm_socket_send (router, &route, "are you there", 13);
            rm_poll (NULL, 0, 5);
        }
        cr_assert_eq (rc, RM_EUNREACHABLE);
        /* A large buffer stays its sender's. */
        rm_buf_t buf = {0};
        rm_buf_reserve (&buf, 100000);
        memset (buf.data, 'x', buf.size = 100000);
        cr_assert_eq (rm_socket_send_buf (router, &route, &buf), RM_EUNREACHABLE);
        cr_assert_eq (buf.size, 100000);
        cr_assert_eq (buf.data[99999], 'x');
        rm_buf_close (&buf);
        rm_socket_close (&router);
    }
}

Test (net_socket, a_peer_that_does_not_read_makes_its_sender_busy_at_last)
{
    rm_socket_t *router = bind_any (RM_SOCKET_JOBS_ROUTER);
    rm_socket_t *dealer = connect_to (RM_SOCKET_JOBS_DEALER, router);
    rm_buf_t buf = {0};
    int rc = 0;
    for (int sent = 0; !rc && sent < 100000; sent++) {
        rm_buf_reserve (&buf, 8192);
        buf.size = 8192;
        memset (buf.data, 'x', buf.size);
        rc = rm_socket_send_buf (dealer, NULL, &buf);
    }
    cr_assert_eq (rc, RM_EBUSY);
    cr_assert_eq (buf.size, 8192);
    rm_buf_close (&buf);
    /* Every message that was taken is whole: a refused one leaves no half behind. */
    rm_route_t route;
    rm_frame_t frame = {0};
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq (await (router, &route, &frame), 1);
        cr_assert_eq (rm_frame_size (&frame), 8192);
    }
    cr_assert_eq (rm_socket_dropped (router), 0);
    rm_frame_close (&frame);
    rm_socket_close (&dealer);
    rm_socket_close (&router);
}

Test (net_socket, a_large_buffer_is_given_away_and_arrives)
{
    rm_socket_t *router = bind_any (RM_SOCKET_WORK_ROUTER);
    rm_socket_t *dealer = connect_to (RM_SOCKET_WORK_DEALER, router);
    enum { SIZE = 3 << 20 };
    rm_buf_t buf = {0};
    rm_buf_reserve (&buf, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        buf.data[i] = (uint8_t)(i * 31);
    buf.size = SIZE;
    cr_assert_eq (rm_socket_send_buf (dealer, NULL, &buf), 0);
    cr_assert_null (buf.data);
    rm_route_t route;
    rm_frame_t frame = {0}, kept = {0};
    cr_assert_eq (await (router, &route, &frame), 1);
    rm_frame_move (&kept, &frame);
    cr_assert_eq (rm_frame_size (&frame), 0);
    cr_assert_eq (rm_frame_size (&kept), SIZE);
    const uint8_t *data = rm_frame_data (&kept);
    for (size_t i = 0; i < SIZE; i++)
        if (data[i] != (uint8_t)(i * 31))
            cr_assert_fail ("byte %zu differs", i);
    rm_frame_close (&kept);
    rm_socket_close (&dealer);
    rm_socket_close (&router);
}

Test (net_socket, a_subscriber_hears_the_publisher)
{
    rm_socket_t *pub = bind_any (RM_SOCKET_SYNC_PUB);
    rm_socket_t *sub = connect_to (RM_SOCKET_SUB, pub);
    rm_frame_t frame = {0};
    uint64_t end_ms = rm_clock_ms () + PATIENCE_MS;
    int rc = 0;
    while (!rc && rm_clock_ms () < end_ms) {
        cr_assert_eq (rm_socket_send (pub, NULL, "sync", 4), 0);
        rm_poll_t item = {.socket = sub};
        rm_poll (&item, 1, 20);
        rc = rm_socket_recv (sub, NULL, &frame);
    }
    cr_assert_eq (rc, 1);
    assert_frame (&frame, "sync");
    rm_frame_close (&frame);
    rm_socket_close (&sub);
    rm_socket_close (&pub);
}

static rm_endpoint_t unused_endpoint (void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    rm_endpoint_t endpoint;
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    cr_assert_eq (bind (fd, (struct sockaddr *)&address, size), 0);
    cr_assert_eq (getsockname (fd, (struct sockaddr *)&address, &size), 0);
    close (fd);
    cr_assert_eq (rm_endpoint_set (&endpoint, "127.0.0.1", ntohs (address.sin_port), NULL), 0);
    return endpoint;
}

Test (net_socket, a_linger_time_lets_the_last_message_out)
{
    /* Nobody listens yet when the sender closes. The port was never listened on: a listener that is just being closed
     * would still take the message, and lose it. */
    rm_socket_t *router = NULL;
    rm_endpoint_t endpoint = unused_endpoint ();
    rm_socket_t *dealer = rm_socket_connect (RM_SOCKET_WORK_DEALER, &endpoint, NULL);
    rm_socket_set_linger (dealer, PATIENCE_MS);
    cr_assert_eq (rm_socket_send (dealer, NULL, "bye", 3), 0);
    rm_socket_close (&dealer);
    for (uint64_t end_ms = rm_clock_ms () + PATIENCE_MS; !router && rm_clock_ms () < end_ms; rm_poll (NULL, 0, 5))
        router = rm_socket_bind (RM_SOCKET_WORK_ROUTER, endpoint.host, endpoint.port, NULL);
    cr_assert (router);
    rm_route_t route;
    rm_frame_t frame = {0};
    cr_assert_eq (await (router, &route, &frame), 1);
    assert_frame (&frame, "bye");
    rm_frame_close (&frame);
    rm_socket_close (&router);
}

Test (net_socket, a_child_after_fork_gets_no_socket)
{
    rm_socket_t *router = bind_any (RM_SOCKET_WORK_ROUTER);
    pid_t child = fork ();
    if (!child) {
        rm_fault_t fault = {0};
        bool refused = !rm_socket_connect (RM_SOCKET_REQ, rm_socket_endpoint (router), &fault);
        rm_socket_close (&router);
        rm_net_term ();
        _exit (refused && fault.error == RM_ESTATE ? 0 : 1);
    }
    int status;
    cr_assert_eq (waitpid (child, &status, 0), child);
    cr_assert (WIFEXITED (status) && WEXITSTATUS (status) == 0);
    rm_socket_close (&router);
}

Test (net_socket, the_context_is_shared_and_ends_with_its_last_share)
{
    cr_assert_eq (rm_net_init (), 0);
    rm_net_term ();
    rm_socket_t *router = bind_any (RM_SOCKET_WORK_ROUTER);
    rm_socket_close (&router);
}

Test (net_poll, a_ring_from_elsewhere_wakes_a_waiting_thread_once)
{
    rm_wake_t wake;
    cr_assert_eq (rm_wake_init (&wake), 0);
    rm_poll_t items[] = {{.fd = -1}, {.fd = wake.fd}};
    cr_assert_eq (rm_poll (items, 2, 0), 0);
    rm_wake_ring (&wake);
    rm_wake_ring (&wake);
    cr_assert_eq (rm_poll (items, 2, PATIENCE_MS), 1);
    cr_assert (items[1].readable && !items[0].readable && !items[1].writable);
    rm_wake_clear (&wake);
    rm_wake_clear (&wake);
    cr_assert_eq (rm_poll (items, 2, 0), 0);
    rm_wake_close (&wake);
}

Test (net_poll, the_other_end_of_a_pipe_closing_is_readable)
{
    int fds[2];
    cr_assert_eq (pipe (fds), 0);
    rm_poll_t items[] = {{.fd = fds[0]}, {.fd = fds[1], .wants_write = true}};
    cr_assert_eq (rm_poll (items, 2, PATIENCE_MS), 1);
    cr_assert (items[1].writable && !items[0].readable);
    close (fds[1]);
    cr_assert_eq (rm_poll (items, 1, PATIENCE_MS), 1);
    cr_assert (items[0].readable);
    close (fds[0]);
}

Test (net_socket, a_publisher_of_news_sees_every_subscription_equal_ones_too)
{
    rm_socket_t *pub = bind_any (RM_SOCKET_NEWS_PUB);
    rm_socket_t *subs[] = {connect_to (RM_SOCKET_NEWS_SUB, pub), connect_to (RM_SOCKET_NEWS_SUB, pub)};
    rm_frame_t frame = {0};
    for (int i = 0; i < 2; i++) {
        rm_socket_subscribe (subs[i], "abc", 3, true);
        cr_assert_eq (await (pub, NULL, &frame), 1, "the subscription of number %d", i);
        assert_frame (&frame, "\1abc");
    }
    cr_assert_eq (rm_socket_send (pub, NULL, "ab", 2), 0);
    cr_assert_eq (rm_socket_send (pub, NULL, "abcd", 4), 0);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq (await (subs[i], NULL, &frame), 1);
        assert_frame (&frame, "abcd");
        rm_socket_subscribe (subs[i], "abc", 3, false);
    }
    rm_frame_close (&frame);
    for (int i = 0; i < 2; i++)
        rm_socket_close (&subs[i]);
    rm_socket_close (&pub);
}
