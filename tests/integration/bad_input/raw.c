#include "raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process.h"

enum { SEND_MS = 1000 };

static struct sockaddr_in address_of (int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons ((uint16_t)port)};
    address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    return address;
}

int raw_connect (int port)
{
    struct sockaddr_in address = address_of (port);
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect (fd, (struct sockaddr *)&address, sizeof address))
        harness_fail ("cannot connect to port %d: %s", port, strerror (errno));
    return fd;
}

int raw_listen (int port)
{
    struct sockaddr_in address = address_of (port);
    int on = 1, fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        bind (fd, (struct sockaddr *)&address, sizeof address) || listen (fd, 16))
        harness_fail ("cannot listen on port %d: %s", port, strerror (errno));
    return fd;
}

static bool is_ready (int fd, short events, int timeout_ms)
{
    struct pollfd item = {fd, events, 0};
    return poll (&item, 1, timeout_ms < 0 ? 0 : timeout_ms) > 0;
}

int raw_accept (int listener, int timeout_ms)
{
    return is_ready (listener, POLLIN, timeout_ms) ? accept4 (listener, NULL, NULL, SOCK_CLOEXEC) : -1;
}

bool raw_send (int fd, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size) {
        ssize_t put = send (fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno == EAGAIN) {
            if (!is_ready (fd, POLLOUT, SEND_MS))
                return true;
        } else if (put < 0) {
            return false;
        } else {
            at += put;
            size -= (size_t)put;
        }
    }
    return true;
}

bool raw_ended (int fd, int timeout_ms)
{
    uint64_t end = time_ms () + (uint64_t)timeout_ms;
    char bytes[4096];
    while (is_ready (fd, POLLIN, (int)(end - time_ms ())))
        if (recv (fd, bytes, sizeof bytes, MSG_DONTWAIT) <= 0)
            return true;
    return false;
}

bool raw_answered (int fd, const char *text, int timeout_ms)
{
    uint64_t end = time_ms () + (uint64_t)timeout_ms;
    char bytes[65536];
    size_t used = 0;
    while (used < sizeof bytes && is_ready (fd, POLLIN, (int)(end - time_ms ()))) {
        ssize_t got = recv (fd, bytes + used, sizeof bytes - used, MSG_DONTWAIT);
        if (got <= 0)
            return false;
        used += (size_t)got;
        if (memmem (bytes, used, text, strlen (text)))
            return true;
    }
    return false;
}

void raw_close (int fd, bool rudely)
{
    struct linger reset = {1, 0};
    if (rudely)
        setsockopt (fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close (fd);
}

/* ---- ZMTP ------------------------------------------------------------------------------------------------------- */

size_t zmtp_greeting (uint8_t *to, uint8_t major, uint8_t minor, const char *mechanism)
{
    memset (to, 0, ZMTP_GREETING_BYTES);
    to[0] = 0xff;
    to[9] = 0x7f;
    to[10] = major;
    to[11] = minor;
    memcpy (to + 12, mechanism, strlen (mechanism));
    return ZMTP_GREETING_BYTES;
}

static size_t put_property (uint8_t *to, const char *name, const char *value)
{
    size_t name_size = strlen (name), value_size = strlen (value);
    to[0] = (uint8_t)name_size;
    memcpy (to + 1, name, name_size);
    memset (to + 1 + name_size, 0, 3);
    to[4 + name_size] = (uint8_t)value_size;
    memcpy (to + 5 + name_size, value, value_size);
    return 5 + name_size + value_size;
}

size_t zmtp_ready (uint8_t *to, const char *socket_type)
{
    size_t size = 8;
    memcpy (to + 2, "\x05READY", 6);
    size += put_property (to + size, "Socket-Type", socket_type);
    size += put_property (to + size, "Identity", "");
    to[0] = ZMTP_COMMAND;
    to[1] = (uint8_t)(size - 2);
    return size;
}

size_t zmtp_header (uint8_t *to, uint8_t flags, uint64_t size)
{
    to[0] = flags;
    if (!(flags & ZMTP_LONG)) {
        to[1] = (uint8_t)size;
        return 2;
    }
    for (int i = 0; i < 8; i++)
        to[1 + i] = (uint8_t)(size >> (56 - 8 * i));
    return 9;
}

int zmtp_connect (int port, const char *socket_type)
{
    uint8_t bytes[ZMTP_GREETING_BYTES + ZMTP_READY_BYTES_MAX];
    size_t size = zmtp_greeting (bytes, 3, 0, "NULL");
    size += zmtp_ready (bytes + size, socket_type);
    int fd = raw_connect (port);
    raw_send (fd, bytes, size);
    if (!raw_answered (fd, "READY", 5000))
        harness_fail ("no handshake as %s on port %d", socket_type, port);
    return fd;
}
