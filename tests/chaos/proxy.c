/*  A bad wire: TCP connections through this process are delayed, held up, broken and torn, as it is told.
 *
 *      chaos_proxy FAR NEAR ADDRESS:PORT COUNT COMMANDS SEED
 *
 *  It listens on COUNT ports from PORT on at ADDRESS in the network namespace FAR, and connects to the same address and
 *  port in the namespace NEAR: whoever lives in FAR takes it for the master, and what the master says of its own endpoints
 *  is true there, too. FAR and NEAR are files (/proc/PID/fd/N); "-" is the namespace it was started in, and then it listens
 *  COUNT ports above where it connects to.
 *
 *  COMMANDS is a FIFO; a line is one command:
 *
 *      delay MS JITTER P   chunks on the P-th port (-1: all) wait MS and up to JITTER more
 *      stall MS            nothing gets through for so long; what is sent meanwhile comes afterwards
 *      break P             connections of the P-th port (-1: all) are reset
 *      tear P              the same, when half of the next chunk has been passed on
 *      calm                no delays any more
 *
 *  Within a connection bytes keep their order, which is TCP's promise; what is reordered is what travels on different
 *  connections, since each port has a delay of its own: the sync socket's messages come before or after what was said on
 *  the work socket. What was done is said on stdout at each `calm`: chunks passed, delayed, connections broken.
 *  Thread rule: one thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/splitmix.h"

enum {
    PORTS_MAX = 8,
    CONNECTIONS_MAX = 512,
    CHUNK_BYTES_MAX = 16384,
    HELD_BYTES_MAX = 1 << 20, /* of a direction; the sender waits then, as on a full wire */
    ITEMS_MAX = 1 + PORTS_MAX + 2 * CONNECTIONS_MAX,
};

typedef struct chunk {
    struct chunk *next;
    uint64_t due_us;
    size_t size, sent;
    char bytes[];
} chunk_t;

/* From one end to the other. */
typedef struct {
    chunk_t *first, *last;
    size_t held; /* bytes */
    bool ended;  /* the sender has closed; the receiver is told when all is through */
    bool closed; /* it was told */
} way_t;

typedef struct {
    int fds[2]; /* the peer's, the master's; -1: the place is free */
    bool connecting;
    bool torn;     /* ends as if its process had gone, with half a chunk passed on */
    int port;      /* which, from 0 */
    way_t ways[2]; /* ways[i] is read from fds[i], written to fds[!i] */
} connection_t;

static connection_t connections[CONNECTIONS_MAX];
static int listeners[PORTS_MAX], commands;
static struct sockaddr_in target;
static unsigned port_count;
static uint64_t seed, stalled_until_us;
static unsigned delay_ms[PORTS_MAX], jitter_ms[PORTS_MAX];
static bool torn[PORTS_MAX];
static unsigned long passed, delayed, broken;

static uint64_t now_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static _Noreturn void fail (const char *what)
{
    fprintf (stderr, "chaos_proxy: %s: %s\n", what, strerror (errno));
    exit (1);
}

/* ---- connections ------------------------------------------------------------------------------------------------ */

static void drop_chunks (way_t *way)
{
    while (way->first) {
        chunk_t *chunk = way->first;
        way->first = chunk->next;
        free (chunk);
    }
    *way = (way_t){0};
}

/* Both ends see a reset, and what was under way is gone. */
static void reset (connection_t *self)
{
    const struct linger at_once = {1, 0};
    for (int i = 0; i < 2; i++) {
        setsockopt (self->fds[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close (self->fds[i]);
        self->fds[i] = -1;
        drop_chunks (&self->ways[i]);
    }
}

static void finish (connection_t *self)
{
    for (int i = 0; i < 2; i++) {
        close (self->fds[i]);
        self->fds[i] = -1;
        drop_chunks (&self->ways[i]);
    }
}

static int open_towards (unsigned port)
{
    struct sockaddr_in address = target;
    address.sin_port = htons ((uint16_t)(ntohs (target.sin_port) + port));
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect (fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) {
        close (fd);
        return -1;
    }
    return fd;
}

static void take (unsigned port)
{
    int fd = accept4 (listeners[port], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    connection_t *place = connections;
    while (place < connections + CONNECTIONS_MAX && place->fds[0] >= 0)
        place++;
    int other = fd < 0 || place == connections + CONNECTIONS_MAX ? -1 : open_towards (port);
    if (other < 0) {
        if (fd >= 0)
            close (fd);
        return;
    }
    *place = (connection_t){.fds = {fd, other}, .connecting = true, .port = (int)port};
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

static void hold (const connection_t *self, way_t *way, const char *bytes, size_t size)
{
    chunk_t *chunk = malloc (sizeof *chunk + size);
    if (!chunk)
        fail ("memory");
    unsigned jitter = jitter_ms[self->port], wait_ms = delay_ms[self->port];
    wait_ms += jitter ? (unsigned)(rm_splitmix (&seed) % (jitter + 1)) : 0;
    *chunk = (chunk_t){.due_us = now_us () + wait_ms * 1000ULL, .size = size};
    memcpy (chunk->bytes, bytes, size);
    if (way->last && way->first && chunk->due_us < way->last->due_us)
        chunk->due_us = way->last->due_us;
    *(way->first ? &way->last->next : &way->first) = chunk;
    way->last = chunk;
    way->held += size;
    delayed += wait_ms > 0;
}

static bool read_from (connection_t *self, int end)
{
    char bytes[CHUNK_BYTES_MAX];
    ssize_t size = recv (self->fds[end], bytes, sizeof bytes, 0);
    if (size > 0)
        hold (self, &self->ways[end], bytes, (size_t)size);
    else if (!size)
        self->ways[end].ended = true;
    else
        return errno == EAGAIN || errno == EINTR;
    return true;
}

/* Half of it, and then no more: whatever it was, it ends in the middle. */
static bool tear (connection_t *self, int end)
{
    const chunk_t *chunk = self->ways[end].first;
    torn[self->port] = false;
    if (chunk->size > 1)
        (void)!send (self->fds[!end], chunk->bytes, chunk->size / 2, MSG_NOSIGNAL);
    self->torn = true;
    broken++;
    return false;
}

/* False: the connection is broken. */
static bool write_due (connection_t *self, int end, uint64_t us)
{
    way_t *way = &self->ways[end];
    while (way->first && way->first->due_us <= us && us >= stalled_until_us) {
        chunk_t *chunk = way->first;
        if (torn[self->port])
            return tear (self, end);
        ssize_t size = send (self->fds[!end], chunk->bytes + chunk->sent, chunk->size - chunk->sent, MSG_NOSIGNAL);
        if (size < 0)
            return errno == EAGAIN || errno == EINTR;
        chunk->sent += (size_t)size;
        if (chunk->sent < chunk->size)
            return true;
        way->first = chunk->next;
        way->held -= chunk->size;
        free (chunk);
        passed++;
    }
    if (!way->first && way->ended && !way->closed) {
        shutdown (self->fds[!end], SHUT_WR);
        way->closed = true;
    }
    return true;
}

static void serve (connection_t *self, const struct pollfd items[2], uint64_t us)
{
    if (items[1].revents && self->connecting)
        self->connecting = false; /* a refused one shows at the first read */
    for (int i = 0; i < 2; i++) {
        bool trouble = items[i].revents & (POLLERR | POLLNVAL);
        bool readable = items[i].revents & (POLLIN | POLLHUP) && items[i].events & POLLIN;
        if (trouble || (readable && !read_from (self, i)) || (!self->connecting && !write_due (self, i, us))) {
            (self->torn ? finish : reset) (self);
            return;
        }
    }
    if (self->ways[0].closed && self->ways[1].closed)
        finish (self);
}

/* ---- commands --------------------------------------------------------------------------------------------------- */

static void break_all (int port)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        if (connections[i].fds[0] >= 0 && (port < 0 || connections[i].port == port)) {
            reset (&connections[i]);
            broken++;
        }
}

static void obey (const char *line)
{
    int a = 0, b = 0, port = -1;
    if (sscanf (line, "delay %d %d %d", &a, &b, &port) == 3)
        for (int i = 0; i < (int)port_count; i++) {
            if (port < 0 || port == i) {
                delay_ms[i] = (unsigned)a;
                jitter_ms[i] = (unsigned)b;
            }
        }
    else if (sscanf (line, "stall %d", &a) == 1)
        stalled_until_us = now_us () + (uint64_t)a * 1000;
    else if (sscanf (line, "break %d", &port) == 1)
        break_all (port);
    else if (sscanf (line, "tear %d", &port) == 1)
        for (int i = 0; i < (int)port_count; i++)
            torn[i] = torn[i] || port < 0 || port == i;
    else if (!strncmp (line, "calm", 4)) {
        memset (delay_ms, 0, sizeof delay_ms);
        memset (jitter_ms, 0, sizeof jitter_ms);
        memset (torn, 0, sizeof torn);
        printf ("chunks %lu delayed %lu broken %lu\n", passed, delayed, broken);
        fflush (stdout);
    } else
        fprintf (stderr, "chaos_proxy: not a command: %s\n", line);
}

static void read_commands (void)
{
    static char text[4096];
    static size_t used;
    ssize_t size = read (commands, text + used, sizeof text - used - 1);
    if (size <= 0)
        return;
    used += (size_t)size;
    text[used] = 0;
    char *at = text, *end;
    for (; (end = strchr (at, '\n')); at = end + 1) {
        *end = 0;
        obey (at);
    }
    used -= (size_t)(at - text);
    memmove (text, at, used);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void enter (const char *space)
{
    if (!strcmp (space, "-"))
        return;
    int fd = open (space, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns (fd, CLONE_NEWNET))
        fail (space);
    close (fd);
}

static void listen_on (unsigned port, unsigned shift)
{
    struct sockaddr_in address = target;
    const int yes = 1;
    address.sin_port = htons ((uint16_t)(ntohs (target.sin_port) + port + shift));
    listeners[port] = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt (listeners[port], SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (listeners[port] < 0 || bind (listeners[port], (struct sockaddr *)&address, sizeof address) ||
        listen (listeners[port], 128))
        fail ("cannot listen");
}

/* When something is due that no socket tells of. */
static int patience_ms (const connection_t *self, uint64_t us, int most_ms)
{
    for (int i = 0; i < 2; i++) {
        const chunk_t *chunk = self->ways[i].first;
        uint64_t due_us = chunk && chunk->due_us > stalled_until_us ? chunk->due_us : stalled_until_us;
        if (!chunk || self->connecting || due_us <= us)
            continue;
        int ms = (int)((due_us - us + 999) / 1000);
        most_ms = ms < most_ms ? ms : most_ms;
    }
    return most_ms;
}

static void add_items (const connection_t *self, struct pollfd items[2], uint64_t us)
{
    for (int i = 0; i < 2; i++) {
        const way_t *in = &self->ways[i], *out = &self->ways[!i];
        items[i] = (struct pollfd){.fd = self->fds[i]};
        if (!in->ended && in->held < HELD_BYTES_MAX)
            items[i].events |= POLLIN;
        if ((i && self->connecting) || (out->first && out->first->due_us <= us && us >= stalled_until_us))
            items[i].events |= POLLOUT;
        /* A hang-up cannot be masked: an end that has nothing more to tell is not looked at. */
        if (!items[i].events && in->ended)
            items[i].fd = -1;
    }
}

static void turn (void)
{
    static struct pollfd items[ITEMS_MAX];
    static connection_t *of[CONNECTIONS_MAX];
    size_t count = 0, live = 0;
    uint64_t us = now_us ();
    int wait_ms = 1000;
    items[count++] = (struct pollfd){commands, POLLIN, 0};
    for (unsigned i = 0; i < port_count; i++)
        items[count++] = (struct pollfd){listeners[i], POLLIN, 0};
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        if (connections[i].fds[0] < 0)
            continue;
        of[live++] = &connections[i];
        add_items (&connections[i], &items[count], us);
        wait_ms = patience_ms (&connections[i], us, wait_ms);
        count += 2;
    }
    if (poll (items, count, wait_ms) < 0)
        return;
    us = now_us ();
    for (size_t i = 0; i < live; i++)
        serve (of[i], &items[1 + port_count + 2 * i], us);
    for (unsigned i = 0; i < port_count; i++)
        if (items[1 + i].revents)
            take (i);
    if (items[0].revents)
        read_commands ();
}

int main (int argc, char **argv)
{
    char host[64];
    unsigned port;
    if (argc != 7 || sscanf (argv[3], "%63[0-9.]:%u", host, &port) != 2 || !inet_aton (host, &target.sin_addr)) {
        fprintf (stderr, "usage: chaos_proxy FAR NEAR ADDRESS:PORT COUNT COMMANDS SEED\n");
        return 2;
    }
    prctl (PR_SET_NAME, "chaos-proxy");
    target.sin_family = AF_INET;
    target.sin_port = htons ((uint16_t)port);
    port_count = (unsigned)strtoul (argv[4], NULL, 10);
    seed = strtoull (argv[6], NULL, 10);
    if (port_count < 1 || port_count > PORTS_MAX)
        return 2;
    commands = open (argv[5], O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (commands < 0)
        fail (argv[5]);
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        connections[i].fds[0] = connections[i].fds[1] = -1;
    enter (argv[1]);
    for (unsigned i = 0; i < port_count; i++)
        listen_on (i, strcmp (argv[1], "-") ? 0 : port_count);
    enter (argv[2]);
    printf ("ready\n");
    fflush (stdout);
    for (;;)
        turn ();
}
