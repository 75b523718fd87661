#include "net/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ringmaster/error.h"

static const char scheme[] = "tcp://";

bool rm_endpoint_is_ipv6 (const rm_endpoint_t *self)
{
    return strchr (self->host, ':') != NULL;
}

static bool is_host (const char *host)
{
    struct in6_addr address;
    if (strchr (host, ':'))
        return inet_pton (AF_INET6, host, &address) == 1;
    for (const char *at = host; *at; at++)
        if (!isalnum ((unsigned char)*at) && !strchr (".-_", *at))
            return false;
    return *host && *host != '-' && *host != '.';
}

int rm_endpoint_set (rm_endpoint_t *self, const char *host, unsigned port, rm_fault_t *fault)
{
    if (!is_host (host))
        return rm_fault (fault, RM_EINVAL, "'%s' is not a host: give a name or an address", host);
    if (port > UINT16_MAX)
        return rm_fault (fault, RM_EINVAL, "%u is not a port: give a number from 0 to 65535", port);
    bool brackets = strchr (host, ':') != NULL;
    rm_endpoint_t made = {.port = (uint16_t)port};
    int size = snprintf (made.text, sizeof made.text, "%s%s%s%s:%u", scheme, brackets ? "[" : "", host,
                         brackets ? "]" : "", port);
    if (size >= (int)sizeof made.text)
        return rm_fault (fault, RM_EINVAL, "the host '%.40s…' is too long", host);
    strcpy (made.host, host);
    *self = made;
    return 0;
}

static int not_an_endpoint (const char *text, size_t size, rm_fault_t *fault)
{
    return rm_fault (fault, RM_EINVAL, "'%.*s' is not an endpoint: write host:port or tcp://host:port, as in %s",
                     size < 300 ? (int)size : 300, text, "127.0.0.1:5550");
}

/* The number in `text`, which must be nothing but that; 0 if it cannot be a port. */
static unsigned parse_port (const char *text, size_t size)
{
    unsigned port = 0;
    if (!size || size > 5)
        return 0;
    for (size_t i = 0; i < size; i++) {
        if (!isdigit ((unsigned char)text[i]))
            return 0;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port;
}

/* `port_min` is 0 or 1: whether port 0 will do. */
static int parse (rm_endpoint_t *self, const char *text, size_t size, unsigned port_min, rm_fault_t *fault)
{
    const char *at = text, *end = text + size;
    if (size >= strlen (scheme) && !memcmp (text, scheme, strlen (scheme)))
        at += strlen (scheme);
    const char *colon = memrchr (at, ':', (size_t)(end - at));
    if (!colon)
        return not_an_endpoint (text, size, fault);
    unsigned port = parse_port (colon + 1, (size_t)(end - colon - 1));
    const char *first = at, *last = colon;
    bool brackets = last - first >= 2 && *first == '[' && last[-1] == ']';
    if (brackets)
        first++, last--;
    char host[RM_ENDPOINT_BYTES_MAX + 1];
    size_t length = (size_t)(last - first);
    if ((!port && (port_min || strcmp (colon, ":0"))) || length >= sizeof host || memchr (first, 0, length))
        return not_an_endpoint (text, size, fault);
    memcpy (host, first, length);
    host[length] = 0;
    /* An IPv6 host, and nothing else, stands in brackets: in ::1:5550 the port could be part of the address. */
    if (brackets != (strchr (host, ':') != NULL) || rm_endpoint_set (self, host, port, NULL))
        return not_an_endpoint (text, size, fault);
    return 0;
}

int rm_endpoint_parse (rm_endpoint_t *self, const char *text, rm_fault_t *fault)
{
    return parse (self, text, strlen (text), 1, fault);
}

int rm_endpoint_parse_bound (rm_endpoint_t *self, const char *text, rm_fault_t *fault)
{
    return parse (self, text, strlen (text), 0, fault);
}

int rm_endpoint_parse_list (rm_endpoint_t *list, const char *text, rm_fault_t *fault)
{
    int count = 0;
    for (const char *at = text;; at++) {
        size_t size = strcspn (at, ",");
        if (count == RM_ENDPOINTS_MAX)
            return rm_fault (fault, RM_EINVAL, "more than %d endpoints in a list", RM_ENDPOINTS_MAX);
        int rc = parse (&list[count], at, size, 1, fault);
        if (rc)
            return rc;
        count++;
        at += size;
        if (!*at)
            return count;
    }
}

bool rm_endpoints_parse (rm_endpoints_t *self, const char *text)
{
    int count = text ? rm_endpoint_parse_list (self->list, text, NULL) : 0;
    for (int i = 0; i < count; i++)
        self->texts[i] = self->list[i].text;
    self->count = count > 0 ? (uint32_t)count : 0;
    return count > 0;
}

const char *rm_endpoint_masters (const char *said)
{
    if (!said)
        said = getenv ("RINGMASTER");
    return said && *said ? said : "tcp://127.0.0.1:5550";
}

static int set_address (rm_endpoint_t *self, const struct sockaddr *address, socklen_t size)
{
    char host[NI_MAXHOST];
    if (getnameinfo (address, size, host, sizeof host, NULL, 0, NI_NUMERICHOST))
        return RM_EINVAL;
    return rm_endpoint_set (self, host, self->port, NULL);
}

int rm_endpoint_resolve (rm_endpoint_t *self, rm_fault_t *fault)
{
    struct addrinfo *found = NULL, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    int rc = getaddrinfo (self->host, NULL, &hints, &found);
    if (rc) {
        hints.ai_family = AF_INET6;
        rc = getaddrinfo (self->host, NULL, &hints, &found);
    }
    if (!rc) {
        rc = set_address (self, found->ai_addr, found->ai_addrlen);
        freeaddrinfo (found);
    }
    if (rc)
        return rm_fault (fault, RM_EINVAL, "the host '%s' has no address: check its spelling", self->host);
    return 0;
}

int rm_endpoint_bind_failed (const rm_endpoint_t *self, int error, rm_fault_t *fault)
{
    switch (error) {
    case EADDRINUSE:
        return rm_fault (fault, RM_EIO, "port %u on %s is in use: stop what uses it or choose another port", self->port,
                         self->host);
    case EADDRNOTAVAIL:
    case ENODEV: /* what libzmq makes of it */
        return rm_fault (fault, RM_EINVAL, "%s is not an address of this machine: give --bind one that is", self->host);
    case EACCES:
        return rm_fault (fault, RM_EDENIED, "port %u on %s is not allowed to this user: choose another one", self->port,
                         self->host);
    default:
        return rm_fault (fault, RM_EIO, "cannot listen on %s: %s", self->text, strerror (error));
    }
}

/* The address that a packet to elsewhere would leave from. Connecting a UDP socket sends nothing. */
static int find_own_address (rm_endpoint_t *self, bool ipv6)
{
    struct sockaddr_in elsewhere = {.sin_family = AF_INET, .sin_port = htons (9)};
    struct sockaddr_in6 elsewhere6 = {.sin6_family = AF_INET6, .sin6_port = htons (9)};
    inet_pton (AF_INET, "192.0.2.1", &elsewhere.sin_addr); /* both are set aside for examples */
    inet_pton (AF_INET6, "2001:db8::1", &elsewhere6.sin6_addr);
    int fd = socket (ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return RM_EUNREACHABLE;
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    int rc = ipv6 ? connect (fd, (struct sockaddr *)&elsewhere6, sizeof elsewhere6)
                  : connect (fd, (struct sockaddr *)&elsewhere, sizeof elsewhere);
    if (!rc)
        rc = getsockname (fd, (struct sockaddr *)&own, &size);
    close (fd);
    return rc ? RM_EUNREACHABLE : set_address (self, (struct sockaddr *)&own, size);
}

void rm_endpoint_advertise (rm_endpoint_t *self)
{
    bool ipv6 = !strcmp (self->host, "::");
    if (!ipv6 && strcmp (self->host, "0.0.0.0"))
        return;
    if (find_own_address (self, ipv6))
        rm_endpoint_set (self, ipv6 ? "::1" : "127.0.0.1", self->port, NULL);
}

bool rm_endpoint_is_loopback (const rm_endpoint_t *self)
{
    struct in_addr address;
    struct in6_addr address6;
    if (inet_pton (AF_INET, self->host, &address) == 1)
        return ntohl (address.s_addr) >> 24 == 127;
    if (inet_pton (AF_INET6, self->host, &address6) == 1)
        return IN6_IS_ADDR_LOOPBACK (&address6);
    return !strcasecmp (self->host, "localhost");
}
