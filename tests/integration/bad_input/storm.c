#include "storm.h"

#include <stdio.h>
#include <string.h>

#include "net/clock.h"
#include "net/poll.h"
#include "process.h"
#include "proto/assert.h"
#include "raw.h"
#include "ringmaster/error.h"

enum {
    CONNECTIONS = 250,
    LINGERING = 24, /* connections that stay open, silent, until the end */
    CUT_OFF_MS = 5000,
    BYTES = 2000,
    ANSWER_MS = 200,
};

/* ---- ZMTP ------------------------------------------------------------------------------------------------------- */

/* A greeting and a READY, perhaps of another version, mechanism or type, perhaps damaged. */
static void shake_hands_badly (wild_t *wild, int fd, const char *peer)
{
    static const char *const mechanisms[] = {"NULL", "PLAIN", "CURVE", "GSSAPI", "", "NULLNULLNULLNULLNUL"};
    static const char *const types[] = {"ROUTER", "PUB", "PAIR", "STREAM", "REP", "", "no such type"};
    static const uint8_t majors[] = {0, 1, 2, 3, 4, 255};
    uint8_t bytes[ZMTP_GREETING_BYTES + ZMTP_READY_BYTES_MAX];
    bool good = wild_one_in (wild, 2);
    size_t size = zmtp_greeting (bytes, good ? 3 : majors[wild_below (wild, sizeof majors)], 0,
                                 good ? "NULL" : mechanisms[wild_below (wild, 6)]);
    bytes[32] = !good && wild_one_in (wild, 3); /* as a server */
    const char *type = wild_one_in (wild, 2) ? peer : types[wild_below (wild, 7)];
    size_t ready = zmtp_ready (bytes + size, type);
    if (wild_one_in (wild, 2))
        wild_flip (wild, bytes + size, ready, 1 + wild_below (wild, 4));
    if (wild_one_in (wild, 4))
        wild_flip (wild, bytes, size, 1 + wild_below (wild, 4));
    raw_send (fd, bytes, wild_one_in (wild, 4) ? wild_below (wild, size + ready) : size + ready);
}

/* Frames that claim more than may be: the claim alone must cost the connection. */
static void claim_too_much (wild_t *wild, int port, const char *peer)
{
    static const uint64_t sizes[] = {UINT64_MAX, 1ull << 63, 1ull << 40, 1ull << 32, (32ull << 20) + 1};
    uint8_t bytes[ZMTP_HEADER_BYTES_MAX + 100];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int fd = zmtp_connect (port, peer);
        uint8_t flags = ZMTP_LONG | (wild_one_in (wild, 2) ? ZMTP_MORE : 0);
        size_t size = zmtp_header (bytes, flags, sizes[i]);
        wild_fill (wild, bytes + size, 100);
        raw_send (fd, bytes, size + 100);
        if (!raw_ended (fd, CUT_OFF_MS))
            harness_fail ("who claims %llu bytes is not cut off", (unsigned long long)sizes[i]);
        raw_close (fd, false);
    }
}

/* Frames of all kinds behind a good handshake: messages of many parts, of none, commands, flags that are not there. */
static void frames (wild_t *wild, int fd)
{
    rm_buf_t message = {0};
    uint8_t header[ZMTP_HEADER_BYTES_MAX];
    for (size_t count = wild_below (wild, 40); count; count--) {
        uint8_t flags = wild_one_in (wild, 8) ? (uint8_t)wild_next (wild) : (uint8_t)wild_below (wild, 4);
        wild_message (wild, &message);
        if (wild_one_in (wild, 3))
            message.size = 0;
        size_t claimed = message.size + (wild_one_in (wild, 10) ? wild_below (wild, 1000) : 0);
        if (claimed > 255)
            flags |= ZMTP_LONG;
        size_t size = zmtp_header (header, flags, claimed);
        if (!raw_send (fd, header, size) || !raw_send (fd, message.data, message.size))
            break;
    }
    rm_buf_close (&message);
}

static void bytes_of_any_kind (wild_t *wild, int fd)
{
    static const char *const openings[] = {"", "\xff", "\xff\0\0\0\0\0\0\0\0\x7f", "GET / HTTP/1.1\r\n\r\n",
                                           "\x16\x03\x01"};
    static const uint8_t opening_bytes[] = {0, 1, 10, 18, 3};
    uint8_t bytes[BYTES];
    size_t i = wild_below (wild, 5);
    raw_send (fd, openings[i], opening_bytes[i]);
    wild_fill (wild, bytes, sizeof bytes);
    raw_send (fd, bytes, wild_below (wild, sizeof bytes));
}

void storm_raw (wild_t *wild, int port, const char *peer)
{
    int open[LINGERING];
    unsigned open_count = 0;
    for (int i = 0; i < CONNECTIONS; i++) {
        size_t kind = wild_below (wild, 3);
        int fd = kind == 2 ? zmtp_connect (port, peer) : raw_connect (port);
        if (kind == 0)
            bytes_of_any_kind (wild, fd);
        else if (kind == 1)
            shake_hands_badly (wild, fd, peer);
        else
            frames (wild, fd);
        if (open_count < LINGERING && wild_one_in (wild, 8))
            open[open_count++] = fd;
        else
            raw_close (fd, wild_one_in (wild, 2));
    }
    claim_too_much (wild, port, peer);
    while (open_count)
        raw_close (open[--open_count], false);
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

static unsigned take_answers (rm_socket_t *socket, int timeout_ms)
{
    rm_frame_t frame = {0};
    unsigned count = 0;
    rm_poll_t item = {.socket = socket, .fd = -1};
    rm_poll (&item, 1, timeout_ms);
    for (int rc; (rc = rm_socket_recv (socket, NULL, &frame)) == 1; count++) {
        rm_msg_t msg;
        const char *why;
        if (rm_msg_decode (&msg, rm_frame_data (&frame), rm_frame_size (&frame), &why))
            harness_fail ("an answer is no message: %s", why);
        rm_msg_close (&msg);
    }
    rm_frame_close (&frame);
    return count;
}

unsigned storm_messages (wild_t *wild, rm_socket_kind_t kind, int port, unsigned count)
{
    rm_endpoint_t endpoint;
    rm_buf_t message = {0};
    unsigned answers = 0;
    RM_ASSERT (!rm_endpoint_set (&endpoint, "127.0.0.1", (unsigned)port, NULL));
    rm_socket_t *socket = rm_socket_connect (kind, &endpoint, NULL);
    if (!socket)
        harness_fail ("no socket to port %d", port);
    for (unsigned i = 0; i < count; i++) {
        wild_message (wild, &message);
        while (rm_socket_send (socket, NULL, message.data, message.size) == RM_EBUSY)
            answers += take_answers (socket, ANSWER_MS);
        answers += take_answers (socket, 0);
        if (i + 1 < count && !wild_one_in (wild, 1000))
            continue;
        for (unsigned more; (more = take_answers (socket, ANSWER_MS)); answers += more)
            ;
        rm_socket_close (&socket);
        socket = rm_socket_connect (kind, &endpoint, NULL);
    }
    rm_socket_close (&socket);
    rm_buf_close (&message);
    return answers;
}

/* ---- HTTP ------------------------------------------------------------------------------------------------------- */

static void request (wild_t *wild, int fd)
{
    static const char *const lines[] = {
        "GET /status HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
        "PUT /status HTTP/9.9\r\n\r\n",
        "GET /status HTTP/1.1\r\n",
        "GET /status\r\n\r\n",
        "\r\n\r\n\r\n",
    };
    char bytes[64 << 10];
    size_t i = wild_below (wild, 13);
    if (i < 10) {
        size_t size = strlen (lines[i]);
        memcpy (bytes, lines[i], size);
        if (wild_one_in (wild, 2))
            wild_flip (wild, bytes, size, 1 + wild_below (wild, 3));
        raw_send (fd, bytes, size);
        return;
    }
    size_t size = (size_t)sprintf (bytes, "GET /%s", i == 10 ? "" : "status HTTP/1.1\r\nX: ");
    memset (bytes + size, 'x', sizeof bytes - size); /* a path, or a header, without an end */
    if (i == 12)
        wild_fill (wild, bytes, sizeof bytes);
    raw_send (fd, bytes, sizeof bytes);
}

void storm_http (wild_t *wild, int port)
{
    int open[LINGERING];
    unsigned open_count = 0;
    for (int i = 0; i < CONNECTIONS; i++) {
        int fd = raw_connect (port);
        request (wild, fd);
        if (open_count < LINGERING && wild_one_in (wild, 8))
            open[open_count++] = fd;
        else
            raw_close (fd, wild_one_in (wild, 2));
    }
    while (open_count)
        raw_close (open[--open_count], false);
}
