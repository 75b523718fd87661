/* The bad wire does what it is told, and nothing else: otherwise the chaos would be calmer than it says. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"

enum { PORTS = 2, PATIENCE_MS = 10000, LARGE_BYTES = 300000 };

static process_t *proxy;
static int base, commands, listeners[PORTS];

/* Two ends of a connection through the proxy. */
typedef struct {
    int near, far;
} pair_t;

static struct sockaddr_in address_of (int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons ((uint16_t)port)};
    address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    return address;
}

static void set_up (void)
{
    char target[32], path[400];
    base = free_ports (2 * PORTS);
    for (int i = 0; i < PORTS; i++) {
        struct sockaddr_in address = address_of (base + i);
        listeners[i] = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_assert (!bind (listeners[i], (struct sockaddr *)&address, sizeof address) && !listen (listeners[i], 8));
    }
    snprintf (target, sizeof target, "127.0.0.1:%d", base);
    snprintf (path, sizeof path, "%s/commands", scratch_dir ());
    cr_assert_eq (mkfifo (path, 0600), 0);
    commands = open (path, O_RDWR | O_CLOEXEC);
    cr_assert_geq (commands, 0);
    char *argv[] = {CHAOS_PROXY, "-", "-", target, "2", path, "1", NULL};
    proxy = process_start ("proxy", argv, NULL);
    cr_assert (process_line (proxy, "ready", PATIENCE_MS));
}

static void tear_down (void)
{
    process_destroy (&proxy);
    close (commands);
}

TestSuite (proxy, .init = set_up, .fini = tear_down, .timeout = 30);

/* `calm` at the end is answered: then it has been read. */
__attribute__ ((format (printf, 1, 2))) static void tell (const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    cr_assert_gt (vdprintf (commands, format, arguments), 0);
    va_end (arguments);
    sleep_ms (100);
}

static pair_t meet (int port)
{
    struct sockaddr_in address = address_of (base + PORTS + port);
    pair_t pair = {.far = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const int yes = 1;
    setsockopt (pair.far, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    cr_assert_eq (connect (pair.far, (struct sockaddr *)&address, sizeof address), 0);
    pair.near = accept (listeners[port], NULL, NULL);
    cr_assert_geq (pair.near, 0);
    return pair;
}

/* How long one byte takes. */
static uint64_t way_ms (int from, int to)
{
    char byte = 'x';
    uint64_t begun_ms = time_ms ();
    cr_assert_eq (send (from, &byte, 1, 0), 1);
    cr_assert_eq (recv (to, &byte, 1, 0), 1);
    return time_ms () - begun_ms;
}

static void pass_many (int from, int to)
{
    static unsigned char sent[LARGE_BYTES], got[LARGE_BYTES];
    size_t in = 0, out = 0;
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (unsigned char)(i * 31 >> 3);
    while (in < sizeof got) {
        struct pollfd items[2] = {{from, out < sizeof sent ? POLLOUT : 0, 0}, {to, POLLIN, 0}};
        cr_assert_gt (poll (items, 2, PATIENCE_MS), 0);
        ssize_t size;
        if (items[0].revents & POLLOUT && (size = send (from, sent + out, sizeof sent - out, MSG_DONTWAIT)) > 0)
            out += (size_t)size;
        if (items[1].revents & POLLIN && (size = recv (to, got + in, sizeof got - in, 0)) > 0)
            in += (size_t)size;
    }
    cr_assert (!memcmp (sent, got, sizeof sent));
}

Test (proxy, bytes_pass_whole_and_in_order_both_ways)
{
    pair_t pair = meet (0);
    pass_many (pair.far, pair.near);
    pass_many (pair.near, pair.far);
}

Test (proxy, bytes_stay_in_order_when_each_chunk_waits_differently)
{
    tell ("delay 1 30 -1\n");
    pair_t pair = meet (0);
    pass_many (pair.far, pair.near);
}

Test (proxy, an_end_that_closes_is_heard_of_behind_its_last_byte)
{
    char bytes[8];
    tell ("delay 100 0 -1\n");
    pair_t pair = meet (0);
    cr_assert_eq (send (pair.far, "last", 4, 0), 4);
    close (pair.far);
    cr_assert_eq (recv (pair.near, bytes, sizeof bytes, MSG_WAITALL), 4);
}

Test (proxy, a_delay_is_of_one_port_and_ends_when_it_is_calm)
{
    pair_t first = meet (0), second = meet (1);
    tell ("delay 300 0 0\n");
    cr_expect_geq (way_ms (first.far, first.near), 290);
    cr_expect_geq (way_ms (first.near, first.far), 290);
    cr_expect_lt (way_ms (second.far, second.near), 290);
    tell ("calm\n");
    cr_expect_lt (way_ms (first.far, first.near), 290);
}

/* What is said later on another connection comes sooner. */
Test (proxy, connections_overtake_each_other)
{
    char byte;
    pair_t first = meet (0), second = meet (1);
    tell ("delay 500 0 0\n");
    cr_assert_eq (send (first.far, "1", 1, 0), 1);
    cr_assert_eq (send (second.far, "2", 1, 0), 1);
    cr_assert_eq (recv (second.near, &byte, 1, 0), 1);
    cr_expect_eq (recv (first.near, &byte, 1, MSG_DONTWAIT), -1);
    cr_expect_eq (recv (first.near, &byte, 1, 0), 1);
}

Test (proxy, a_stall_holds_everything_and_loses_nothing)
{
    pair_t pair = meet (0);
    tell ("stall 600\n");
    cr_expect_geq (way_ms (pair.far, pair.near), 400);
    pass_many (pair.far, pair.near);
}

Test (proxy, a_break_resets_both_ends_of_one_port)
{
    char byte;
    pair_t first = meet (0), second = meet (1);
    tell ("break 0\n");
    cr_expect_eq (recv (first.far, &byte, 1, 0), -1);
    cr_expect_eq (errno, ECONNRESET);
    cr_expect_eq (recv (first.near, &byte, 1, 0), -1);
    cr_expect_eq (errno, ECONNRESET);
    way_ms (second.far, second.near);
    first = meet (0); /* and one can come again */
    way_ms (first.far, first.near);
}

Test (proxy, a_torn_connection_ends_in_the_middle_of_what_was_sent)
{
    char bytes[100];
    pair_t pair = meet (0);
    tell ("tear 0\n");
    memset (bytes, 'x', sizeof bytes);
    cr_assert_eq (send (pair.far, bytes, sizeof bytes, 0), (ssize_t)sizeof bytes);
    cr_expect_eq (recv (pair.near, bytes, sizeof bytes, MSG_WAITALL), (ssize_t)sizeof bytes / 2);
    cr_expect_leq (recv (pair.near, bytes, sizeof bytes, 0), 0);
}

/* Nobody behind it: whoever connects is sent away at once rather than left to wait. */
Test (proxy, a_master_that_is_down_is_not_hidden)
{
    char byte;
    struct sockaddr_in address = address_of (base + PORTS);
    close (listeners[0]);
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq (connect (fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_expect_leq (recv (fd, &byte, 1, 0), 0);
}
