#include "net/watch.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "net/clock.h"
#include "net/poll.h"
#include "net/private.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

enum { PATIENCE_MS = 60000, CREDIT = 2000 };

/* A loop with a router that echoes, and a peer in a thread of its own. */
typedef struct {
    uv_loop_t loop;
    uv_timer_t deadline;
    rm_socket_t *router;
    rm_watch_t *watch;
    rm_endpoint_t endpoint;
    size_t expected;      /* messages in all */
    size_t seen, batched; /* by the message and by the batch callback */
    size_t largest_batch;
    uint64_t next; /* number of the next message of the peer */
    size_t unsent; /* echoes that found the peer busy */
    size_t window; /* how many the peer sends ahead */
    size_t echoed; /* what the peer has got back */
    bool timed_out;
} stage_t;

static void on_message (void *arg, const rm_route_t *route, rm_frame_t *frame)
{
    stage_t *stage = arg;
    uint64_t number;
    cr_assert_eq (rm_frame_size (frame), sizeof number);
    memcpy (&number, rm_frame_data (frame), sizeof number);
    cr_assert_eq (number, stage->next++); /* none lost, none doubled, in order */
    stage->seen++;
    if (rm_socket_send (stage->router, route, &number, sizeof number))
        stage->unsent++;
}

static void finish (stage_t *stage)
{
    rm_watch_close (&stage->watch);
    uv_close ((uv_handle_t *)&stage->deadline, NULL);
}

static void on_batch (void *arg, size_t count)
{
    stage_t *stage = arg;
    stage->batched += count;
    if (count > stage->largest_batch)
        stage->largest_batch = count;
    if (stage->seen == stage->expected)
        finish (stage);
}

static void on_deadline (uv_timer_t *timer)
{
    stage_t *stage = timer->data;
    stage->timed_out = true;
    finish (stage);
}

static void *peer (void *arg)
{
    stage_t *stage = arg;
    rm_socket_t *dealer = rm_socket_connect (RM_SOCKET_WORK_DEALER, &stage->endpoint, NULL);
    rm_frame_t frame = {{0}};
    uint64_t sent = 0, end_ms = rm_clock_ms () + PATIENCE_MS;
    while (stage->echoed < stage->expected && rm_clock_ms () < end_ms) {
        while (sent < stage->expected && sent - stage->echoed < stage->window &&
               !rm_socket_send (dealer, NULL, &sent, sizeof sent))
            sent++;
        rm_poll_t item = {.socket = dealer};
        rm_poll (&item, 1, 100);
        while (rm_socket_recv (dealer, NULL, &frame) > 0)
            stage->echoed++;
    }
    rm_frame_close (&frame);
    rm_socket_close (&dealer);
    return NULL;
}

/* Runs the echo of `expected` messages with `window` of them under way. */
static void perform (stage_t *stage, size_t expected, size_t window)
{
    *stage = (stage_t){.expected = expected, .window = window};
    cr_assert_eq (rm_net_init (), 0);
    rm_fault_t fault;
    stage->router = rm_socket_bind (RM_SOCKET_WORK_ROUTER, "127.0.0.1", 0, &fault);
    cr_assert (stage->router, "%s", fault.text);
    stage->endpoint = *rm_socket_endpoint (stage->router);
    uv_loop_init (&stage->loop);
    uv_timer_init (&stage->loop, &stage->deadline);
    stage->deadline.data = stage;
    uv_timer_start (&stage->deadline, on_deadline, PATIENCE_MS, 0);
    stage->watch = rm_watch_new (&stage->loop, stage->router, on_message, on_batch, stage);
    cr_assert (stage->watch);
    pthread_t thread;
    cr_assert_eq (pthread_create (&thread, NULL, peer, stage), 0);
    uv_run (&stage->loop, UV_RUN_DEFAULT);
    pthread_join (thread, NULL);
    cr_assert_eq (uv_loop_close (&stage->loop), 0);
    rm_socket_close (&stage->router);
    rm_net_term ();
    cr_assert_not (stage->timed_out, "stuck after %zu of %zu messages", stage->seen, expected);
    cr_assert_eq (stage->seen, expected);
    cr_assert_eq (stage->batched, expected);
    cr_assert_eq (stage->unsent, 0);
    cr_assert_eq (stage->echoed, expected);
    cr_assert_leq (stage->largest_batch, RM_WATCH_BUDGET);
}

Test (net_watch, a_flood_both_ways_loses_nothing_and_never_sticks, .timeout = 100)
{
    stage_t stage;
    perform (&stage, 100000, CREDIT);
    cr_assert_gt (stage.largest_batch, 1);
}

Test (net_watch, one_at_a_time_never_sticks, .timeout = 100)
{
    stage_t stage;
    perform (&stage, 5000, 1);
}

/* A send that takes the descriptor's edge away, as late as can be. */
typedef struct {
    uv_loop_t loop;
    uv_timer_t deadline;
    uv_prepare_t meddler; /* comes after the watch's own prepare callback: the last thing before the loop sleeps */
    rm_socket_t *router, *dealer;
    rm_watch_t *watch;
    rm_route_t route; /* of the dealer, once it has spoken */
    int heard;
    bool swallowed, timed_out;
} theft_t;

static void theft_over (theft_t *theft)
{
    rm_watch_close (&theft->watch);
    uv_close ((uv_handle_t *)&theft->deadline, NULL);
    uv_close ((uv_handle_t *)&theft->meddler, NULL);
}

static void theft_late (uv_timer_t *timer)
{
    theft_t *theft = timer->data;
    theft->timed_out = true;
    theft_over (theft);
}

static void theft_message (void *arg, const rm_route_t *route, rm_frame_t *frame)
{
    (void)frame;
    theft_t *theft = arg;
    theft->route = *route;
    if (++theft->heard == 2)
        theft_over (theft);
}

static bool tells (const rm_socket_t *socket, int timeout_ms)
{
    struct pollfd item = {.fd = rm_socket_fd (socket), .events = POLLIN};
    return poll (&item, 1, timeout_ms) == 1;
}

static void theft_prepare (uv_prepare_t *prepare)
{
    theft_t *theft = prepare->data;
    if (theft->heard != 1 || theft->swallowed)
        return;
    cr_assert_eq (rm_socket_send (theft->dealer, NULL, "second", 6), 0);
    cr_assert (tells (theft->router, 10000));
    /* libzmq looks at what has come in only if its last look is a while ago. */
    while (tells (theft->router, 0)) {
        usleep (2000);
        cr_assert_eq (rm_socket_send (theft->router, &theft->route, "x", 1), 0);
    }
    theft->swallowed = true;
}

Test (net_watch, a_send_just_before_the_loop_sleeps_swallows_no_message, .timeout = 60)
{
    theft_t theft = {.heard = 0};
    cr_assert_eq (rm_net_init (), 0);
    theft.router = rm_socket_bind (RM_SOCKET_WORK_ROUTER, "127.0.0.1", 0, NULL);
    theft.dealer = rm_socket_connect (RM_SOCKET_WORK_DEALER, rm_socket_endpoint (theft.router), NULL);
    cr_assert_eq (rm_socket_send (theft.dealer, NULL, "first", 5), 0);
    uv_loop_init (&theft.loop);
    uv_timer_init (&theft.loop, &theft.deadline);
    uv_prepare_init (&theft.loop, &theft.meddler);
    theft.deadline.data = theft.meddler.data = &theft;
    uv_timer_start (&theft.deadline, theft_late, 5000, 0);
    uv_prepare_start (&theft.meddler, theft_prepare); /* libuv calls the one that was started first last */
    theft.watch = rm_watch_new (&theft.loop, theft.router, theft_message, NULL, &theft);
    cr_assert (theft.watch);
    uv_run (&theft.loop, UV_RUN_DEFAULT);
    cr_assert (theft.swallowed);
    cr_assert_not (theft.timed_out);
    cr_assert_eq (theft.heard, 2);
    cr_assert_eq (uv_loop_close (&theft.loop), 0);
    rm_socket_close (&theft.dealer);
    rm_socket_close (&theft.router);
    rm_net_term ();
}

static void close_watch (void *arg, const rm_route_t *route, rm_frame_t *frame)
{
    (void)frame;
    stage_t *stage = arg;
    cr_assert_null (route);
    cr_assert (stage->watch, "a callback after the watch was closed");
    stage->seen++;
    rm_watch_close (&stage->watch);
}

static void no_batch (void *arg, size_t count)
{
    (void)arg;
    cr_assert_fail ("a batch of %zu after the watch was closed", count);
}

Test (net_watch, messages_from_before_the_watch_are_there_and_closing_in_a_callback_is_final, .timeout = 60)
{
    stage_t stage = {.seen = 0};
    cr_assert_eq (rm_net_init (), 0);
    rm_socket_t *router = rm_socket_bind (RM_SOCKET_WORK_ROUTER, "127.0.0.1", 0, NULL);
    rm_socket_t *dealer = rm_socket_connect (RM_SOCKET_WORK_DEALER, rm_socket_endpoint (router), NULL);
    cr_assert_eq (rm_socket_send (dealer, NULL, "hello", 5), 0);
    rm_poll_t item = {.socket = router};
    cr_assert_eq (rm_poll (&item, 1, PATIENCE_MS), 1);
    rm_route_t route;
    rm_frame_t frame = {{0}};
    cr_assert_eq (rm_socket_recv (router, &route, &frame), 1);
    for (int i = 0; i < 10; i++)
        cr_assert_eq (rm_socket_send (router, &route, "x", 1), 0);
    item.socket = dealer;
    cr_assert_eq (rm_poll (&item, 1, PATIENCE_MS), 1); /* this takes the edge away */
    uv_loop_init (&stage.loop);
    stage.watch = rm_watch_new (&stage.loop, dealer, close_watch, no_batch, &stage);
    cr_assert (stage.watch);
    uv_run (&stage.loop, UV_RUN_DEFAULT);
    cr_assert_eq (stage.seen, 1);
    cr_assert_eq (uv_loop_close (&stage.loop), 0);
    rm_frame_close (&frame);
    rm_socket_close (&dealer);
    rm_socket_close (&router);
    rm_net_term ();
}

static void count_only (void *arg, const rm_route_t *route, rm_frame_t *frame)
{
    (void)route, (void)frame;
    ++*(size_t *)arg;
}

Test (net_watch, one_turn_takes_no_more_than_the_budget, .timeout = 60)
{
    cr_assert_eq (rm_net_init (), 0);
    rm_socket_t *router = rm_socket_bind (RM_SOCKET_WORK_ROUTER, "127.0.0.1", 0, NULL);
    rm_socket_t *dealer = rm_socket_connect (RM_SOCKET_WORK_DEALER, rm_socket_endpoint (router), NULL);
    size_t count = 0, before = 0, turns = 0, sent = 0;
    for (; sent < 4 * RM_WATCH_BUDGET; sent++)
        cr_assert_eq (rm_socket_send (dealer, NULL, "x", 1), 0);
    uv_loop_t loop;
    uv_loop_init (&loop);
    rm_watch_t *watch = rm_watch_new (&loop, router, count_only, NULL, &count);
    while (count < sent) {
        uv_run (&loop, UV_RUN_ONCE);
        cr_assert_leq (count - before, RM_WATCH_BUDGET);
        before = count;
        turns++;
    }
    cr_assert_geq (turns, 4);
    rm_watch_close (&watch);
    uv_run (&loop, UV_RUN_DEFAULT);
    cr_assert_eq (uv_loop_close (&loop), 0);
    rm_socket_close (&dealer);
    rm_socket_close (&router);
    rm_net_term ();
}
