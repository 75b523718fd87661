#include "http.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int open_socket (const char *host, int port, int timeout_ms)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons ((uint16_t)port)};
    struct timeval patience = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); /* of connect, too */
    if (inet_aton (host, &address.sin_addr) && !connect (fd, (struct sockaddr *)&address, sizeof address))
        return fd;
    close (fd);
    return -1;
}

bool http_get (const char *host, int port, const char *path, int timeout_ms, char *body, size_t room)
{
    char request[256], head[1024];
    size_t used = 0, filled = 0;
    int size = snprintf (request, sizeof request, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, host);
    int fd = open_socket (host, port, timeout_ms);
    if (fd < 0)
        return false;
    const char *end = NULL;
    if (send (fd, request, (size_t)size, MSG_NOSIGNAL) == size)
        for (ssize_t got; !end && (got = recv (fd, head + used, sizeof head - 1 - used, 0)) > 0;) {
            used += (size_t)got;
            head[used] = 0;
            end = strstr (head, "\r\n\r\n");
        }
    if (end) {
        filled = used - (size_t)(end + 4 - head);
        filled = filled < room - 1 ? filled : room - 1;
        memcpy (body, end + 4, filled);
        for (ssize_t got; filled < room - 1 && (got = recv (fd, body + filled, room - 1 - filled, 0)) > 0;)
            filled += (size_t)got;
        body[filled] = 0;
    }
    close (fd);
    return end && !strncmp (head + strcspn (head, " "), " 200", 4);
}
