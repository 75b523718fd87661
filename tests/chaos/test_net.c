/*  The chaos's own network: peers reach the master, those on the far side by the proxy, and each kind of harm does what it
 *  says, to whom it says, and no longer. A plain program, since it goes into namespaces; exits 77 where there are none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net.h"
#include "process.h"

/* The seats, in the order they are made. */
enum { MASTER, PROXY_NEAR, PROXY_FAR, NEAR, OTHER, FAR };

enum { PORT = 5550, PATIENCE_MS = 10000, SHORT_MS = 400 };

#define must(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            harness_fail ("%s:%d: it is not so: %s", __FILE__, __LINE__, #condition);                                  \
    } while (0)

static int listener;

/* This thread goes into the seat; sockets that it opens are there, wherever it goes afterwards. */
static void go (unsigned seat)
{
    char path[64];
    net_path (seat, path);
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    must (fd >= 0 && !setns (fd, CLONE_NEWNET));
    close (fd);
}

static struct sockaddr_in master (void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons (PORT)};
    inet_aton (net_address (MASTER), &address.sin_addr);
    return address;
}

static void listen_at_master (void)
{
    struct sockaddr_in address = master ();
    go (MASTER);
    listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must (!bind (listener, (struct sockaddr *)&address, sizeof address) && !listen (listener, 8));
}

typedef struct {
    int peer, master;
} pair_t;

static pair_t meet (unsigned seat)
{
    struct sockaddr_in address = master ();
    go (seat);
    pair_t pair = {.peer = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    must (!connect (pair.peer, (struct sockaddr *)&address, sizeof address));
    pair.master = accept (listener, NULL, NULL);
    must (pair.master >= 0);
    return pair;
}

/* One byte arrives in time: 1; it does not: 0; the connection is reset: -1. */
static int passes (int from, int to, int patience_ms)
{
    char byte = 'x';
    struct pollfd items[2] = {{to, POLLIN, 0}, {from, 0, 0}};
    if (send (from, &byte, 1, MSG_NOSIGNAL) != 1)
        return -1;
    int ready = poll (items, 2, patience_ms);
    if (!ready)
        return 0;
    return items[1].revents || recv (to, &byte, 1, 0) != 1 ? -1 : 1;
}

static void a_cut_is_one_way_and_ends (unsigned seat)
{
    pair_t pair = meet (seat);
    must (passes (pair.peer, pair.master, PATIENCE_MS) == 1);
    must (passes (pair.master, pair.peer, PATIENCE_MS) == 1);
    unsigned harm = net_harm (seat, net_is_far (seat) ? PROXY_FAR : MASTER, NET_CUT, 0);
    must (passes (pair.peer, pair.master, SHORT_MS) == 0);
    must (net_heal (harm) > 0);
    char byte;
    must (recv (pair.master, &byte, 1, 0) == 1); /* TCP has sent it again */
    harm = net_harm (MASTER, seat, NET_CUT, 0);
    must (passes (pair.master, pair.peer, SHORT_MS) == 0);
    must (net_heal (harm) > 0);
    must (recv (pair.peer, &byte, 1, 0) == 1);
    close (pair.peer);
    close (pair.master);
}

static void a_cut_is_nobody_elses (void)
{
    pair_t one = meet (NEAR), two = meet (OTHER);
    unsigned to = net_harm (NEAR, MASTER, NET_CUT, 0), from = net_harm (MASTER, NEAR, NET_CUT, 0);
    must (passes (two.peer, two.master, PATIENCE_MS) == 1 && passes (two.master, two.peer, PATIENCE_MS) == 1);
    must (passes (one.peer, one.master, SHORT_MS) == 0);
    net_heal (to);
    net_heal (from);
}

static void a_reset_resets (void)
{
    pair_t pair = meet (NEAR);
    unsigned harm = net_harm (NEAR, MASTER, NET_RESET, 0);
    must (passes (pair.peer, pair.master, PATIENCE_MS) == -1);
    must (net_heal (harm) > 0);
    pair = meet (NEAR);
    must (passes (pair.peer, pair.master, PATIENCE_MS) == 1);
}

/* Of many packets some are lost, and not all. */
static void a_loss_loses_some (void)
{
    pair_t pair = meet (NEAR);
    unsigned harm = net_harm (NEAR, MASTER, NET_LOSS, 30);
    for (int i = 0; i < 40; i++)
        must (passes (pair.peer, pair.master, PATIENCE_MS) == 1);
    uint64_t lost = net_heal (harm);
    printf ("%d packets and their repetitions, %d lost\n", 40, (int)lost);
    must (lost > 0);
}

int main (void)
{
    char why[300], far[64], near[64], path[400];
    if (!net_open (why, sizeof why)) {
        printf ("not checked here: %s\n", why);
        return 77;
    }
    const struct {
        unsigned host;
        bool far;
    } seats[] = {{1, false}, {2, false}, {1, true}, {10, false}, {11, false}, {12, true}};
    for (unsigned i = 0; i < sizeof seats / sizeof *seats; i++)
        must (net_seat (seats[i].host, seats[i].far) == i);
    snprintf (path, sizeof path, "%s/commands", scratch_dir ());
    must (!mkfifo (path, 0600));
    net_path (PROXY_FAR, far);
    net_path (PROXY_NEAR, near);
    char *argv[] = {CHAOS_PROXY, far, near, "10.77.0.1:5550", "1", path, "1", NULL};
    must (process_line (process_start ("proxy", argv, NULL), "ready", PATIENCE_MS));
    listen_at_master ();
    a_cut_is_one_way_and_ends (NEAR);
    a_cut_is_one_way_and_ends (FAR);
    a_cut_is_nobody_elses ();
    a_reset_resets ();
    a_loss_loses_some ();
    return 0;
}
