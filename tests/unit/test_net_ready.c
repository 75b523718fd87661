#include <criterion/criterion.h>
#include <poll.h>

#include "net/clock.h"
#include "net/context.h"
#include "net/poll.h"
#include "net/ready.h"

enum { PATIENCE_MS = 20000 };

static struct {
    rm_ready_t ready;
    rm_socket_t *router, *dealer;
} t;

static void set_up (void)
{
    cr_assert_eq (rm_net_init (), 0);
    t.router = rm_socket_bind (RM_SOCKET_WORK_ROUTER, "127.0.0.1", 0, NULL);
    t.dealer = rm_socket_connect (RM_SOCKET_WORK_DEALER, rm_socket_endpoint (t.router), NULL);
    cr_assert_eq (rm_ready_init (&t.ready), 0);
}

static void tear_down (void)
{
    rm_ready_close (&t.ready);
    rm_socket_close (&t.dealer);
    rm_socket_close (&t.router);
    rm_net_term ();
}

TestSuite (net_ready, .init = set_up, .fini = tear_down);

static bool tells (int timeout_ms)
{
    struct pollfd item = {t.ready.fd, POLLIN, 0};
    return poll (&item, 1, timeout_ms) == 1;
}

/* It may tell without a reason; it is quiet when it was set once more after that. */
static void be_quiet (rm_socket_t *socket)
{
    uint64_t end_ms = rm_clock_ms () + PATIENCE_MS;
    do {
        cr_assert_lt (rm_clock_ms (), end_ms, "it tells without end");
        rm_ready_set (&t.ready, socket, UINT64_MAX, false);
    } while (tells (50));
}

Test (net_ready, it_tells_what_the_owner_says)
{
    be_quiet (NULL);
    rm_ready_set (&t.ready, NULL, UINT64_MAX, true);
    cr_assert (tells (0));
    rm_ready_set (&t.ready, NULL, UINT64_MAX, false);
    cr_assert (!tells (0));
}

Test (net_ready, it_tells_when_the_time_has_come)
{
    uint64_t begun_ms = rm_clock_ms ();
    rm_ready_set (&t.ready, NULL, begun_ms + 60, false);
    cr_assert (tells (PATIENCE_MS));
    cr_assert_geq (rm_clock_ms () + 1, begun_ms + 60);
    be_quiet (NULL);
    rm_ready_set (&t.ready, NULL, begun_ms, false);
    cr_assert (tells (PATIENCE_MS), "a time that is over");
}

Test (net_ready, it_tells_of_every_message_on_whichever_socket_it_has)
{
    rm_frame_t frame = {0};
    rm_route_t route;
    be_quiet (t.router);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq (rm_socket_send (t.dealer, NULL, "x", 1), 0);
        do {
            cr_assert (tells (PATIENCE_MS), "message %d was not told", i);
            rm_ready_set (&t.ready, t.router, UINT64_MAX, false);
        } while (rm_socket_recv (t.router, &route, &frame) != 1);
        rm_ready_set (&t.ready, t.router, UINT64_MAX, false);
    }
    cr_assert_eq (rm_socket_send (t.router, &route, "y", 1), 0);
    rm_ready_set (&t.ready, t.dealer, UINT64_MAX, false);
    cr_assert (tells (PATIENCE_MS), "the other socket");
    rm_frame_close (&frame);
}
