/*  What the test of the name server says to it, and asks it, as friend and as foe.
 *
 *      catalog_say PORT many COUNT          COUNT services register over UDP
 *      catalog_say PORT zip [tcp]           stdin, compressed, behind the byte that says so
 *      catalog_say PORT bomb                100 MiB of blanks, compressed, over TCP
 *      catalog_say PORT garbage COUNT SEED  packets and connections of random and of broken bytes
 *      catalog_say PORT stuck COUNT         connections that never bring a whole update: until all are closed
 *      catalog_say PORT ask PATH TIMES      asks so often, one after the other, and prints how long the median, the p99 and the
 *                                           slowest took, in ms, and how many bytes came
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { ROOM = 1 << 20, BOMB = 100 << 20, PACE = 50 };

static struct sockaddr_in server;

static void die (const char *what)
{
    perror (what);
    exit (1);
}

static int dial (int kind, int port_step)
{
    struct sockaddr_in to = server;
    struct timeval patience = {.tv_sec = 60};
    to.sin_port = htons ((uint16_t)(ntohs (server.sin_port) + port_step));
    int fd = socket (AF_INET, kind, 0);
    setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (fd < 0 || connect (fd, (struct sockaddr *)&to, sizeof to))
        die ("connect");
    return fd;
}

static void rest_ms (int ms)
{
    nanosleep (&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

static double now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void send_tcp (const void *data, size_t size)
{
    int fd = dial (SOCK_STREAM, 1);
    for (size_t sent = 0; sent < size;) {
        ssize_t more = send (fd, (const char *)data + sent, size - sent, MSG_NOSIGNAL);
        if (more <= 0)
            break; /* it was refused meanwhile */
        sent += (size_t)more;
    }
    shutdown (fd, SHUT_WR);
    char end;
    (void)!read (fd, &end, 1); /* it has read all, or does not want it */
    close (fd);
}

static void many (int count)
{
    int fd = dial (SOCK_DGRAM, 0);
    char text[256];
    for (int i = 0; i < count; i++) {
        int size = snprintf (
            text, sizeof text,
            "{\"type\":\"many\",\"project\":\"project-%d\",\"owner\":\"somebody\",\"port\":%d,\"name\":\"host-%d\","
            "\"version\":\"1.0\",\"cpus\":8,\"memory\":16384}",
            i % 100, 1024 + i % 60000, i);
        (void)!send (fd, text, (size_t)size, 0);
        if (i % PACE == 0)
            rest_ms (2); /* the kernel holds few of them */
    }
}

/* Compresses `size` bytes, which `next` gives a piece at a time. What it needs stays small. */
static size_t compress_to (uint8_t *packet, const uint8_t *piece, size_t piece_size, size_t pieces)
{
    z_stream zip = {.next_out = packet + 1, .avail_out = ROOM - 1};
    *packet = 0x1a;
    deflateInit (&zip, Z_BEST_COMPRESSION);
    for (size_t i = 0; i < pieces; i++) {
        zip.next_in = (Bytef *)piece;
        zip.avail_in = (uInt)piece_size;
        deflate (&zip, Z_NO_FLUSH);
    }
    deflate (&zip, Z_FINISH);
    size_t size = zip.total_out + 1;
    deflateEnd (&zip);
    return size;
}

static void zip (const char *over)
{
    static uint8_t text[ROOM], packet[ROOM];
    size_t size = compress_to (packet, text, fread (text, 1, sizeof text, stdin), 1);
    if (over)
        send_tcp (packet, size);
    else
        (void)!send (dial (SOCK_DGRAM, 0), packet, size, 0);
}

static void bomb (void)
{
    static uint8_t blanks[ROOM], packet[ROOM];
    memset (blanks, ' ', sizeof blanks);
    send_tcp (packet, compress_to (packet, blanks, sizeof blanks, BOMB / ROOM));
}

static void garbage (int count, unsigned seed)
{
    static const char whole[] =
        "{\"type\":\"test\",\"port\":1,\"a\":[1,2.5e3,null,{\"b\":\"\\u00e9\"}],\"lifetime\":1}";
    static uint8_t data[60000];
    int fd = dial (SOCK_DGRAM, 0);
    srand (seed);
    for (int i = 0; i < count; i++) {
        size_t size = sizeof whole - 1;
        memcpy (data, whole, size);
        if (i % 4 == 0)
            size = (size_t)(rand () % (i % 64 ? 200 : (int)sizeof data));
        for (int n = i % 4 ? 1 + rand () % 3 : (int)size; n; n--)
            data[rand () % (int)(size ? size : 1)] = (uint8_t)rand ();
        if (i % 5 == 0)
            data[0] = 0x1a;
        if (i % 97 == 0)
            send_tcp (data, size);
        else
            (void)!send (fd, data, size, 0);
        if (i % PACE == 0)
            rest_ms (1);
    }
}

static void stuck (int count)
{
    int fds[1024];
    char end;
    for (int i = 0; i < count; i++) {
        fds[i] = dial (SOCK_STREAM, 1);
        (void)!send (fds[i], "{", 1, MSG_NOSIGNAL);
    }
    for (int i = 0; i < count; i++)
        if (read (fds[i], &end, 1) > 0)
            die ("it answered");
        else
            close (fds[i]);
}

static int by_size (const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void ask (const char *path, int times)
{
    static char room[1 << 16];
    double *took = calloc ((size_t)times, sizeof *took);
    size_t bytes = 0;
    for (int i = 0; i < times; i++) {
        double begun = now_ms ();
        int fd = dial (SOCK_STREAM, 0);
        int size = snprintf (room, sizeof room, "GET %s HTTP/1.0\r\n\r\n", path);
        (void)!send (fd, room, (size_t)size, MSG_NOSIGNAL);
        ssize_t got = recv (fd, room, sizeof room, 0);
        if (got < 16 || memcmp (room + 8, " 200", 4))
            die ("no answer");
        for (bytes = 0; got > 0; got = recv (fd, room, sizeof room, 0))
            bytes += (size_t)got;
        close (fd);
        took[i] = now_ms () - begun;
    }
    qsort (took, (size_t)times, sizeof *took, by_size);
    printf ("median_ms=%.1f p99_ms=%.1f slowest_ms=%.1f bytes=%zu\n", took[times / 2], took[times * 99 / 100],
            took[times - 1], bytes);
    free (took);
}

int main (int argc, char **argv)
{
    const char *what = argc > 2 ? argv[2] : "", *first = argc > 3 ? argv[3] : NULL;
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    server.sin_port = htons ((uint16_t)(argc > 1 ? atoi (argv[1]) : 0));
    if (!strcmp (what, "many") && argc == 4)
        many (atoi (first));
    else if (!strcmp (what, "zip"))
        zip (first);
    else if (!strcmp (what, "bomb"))
        bomb ();
    else if (!strcmp (what, "garbage") && argc == 5)
        garbage (atoi (first), (unsigned)atoi (argv[4]));
    else if (!strcmp (what, "stuck") && argc == 4)
        stuck (atoi (first));
    else if (!strcmp (what, "ask") && argc == 5)
        ask (first, atoi (argv[4]));
    else
        return 2;
    return 0;
}
