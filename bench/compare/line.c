#include "line.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum { IN_BYTES = 4 << 20, OUT_BYTES = 4 << 20 };

struct line {
    int fd;
    size_t in_at, in_end, out_end;
    char in[IN_BYTES], out[OUT_BYTES];
};

line_t *line_open (const char *address)
{
    char host[256];
    const char *port = load_address (address, host, sizeof host);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo (host, port, &hints, &found) != 0)
        load_fail ("%s is no address", address);
    line_t *self = calloc (1, sizeof *self);
    if (!self)
        load_fail ("no memory");
    self->fd = socket (found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (self->fd < 0 || connect (self->fd, found->ai_addr, found->ai_addrlen) != 0)
        load_fail ("cannot connect to %s: %s", address, strerror (errno));
    setsockopt (self->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    freeaddrinfo (found);
    return self;
}

void line_flush (line_t *self)
{
    size_t sent = 0;
    while (sent < self->out_end) {
        ssize_t n = write (self->fd, self->out + sent, self->out_end - sent);
        if (n <= 0)
            load_fail ("the server is gone");
        sent += (size_t)n;
    }
    self->out_end = 0;
}

void line_put (line_t *self, const void *data, size_t size)
{
    if (self->out_end + size > OUT_BYTES)
        line_flush (self);
    memcpy (self->out + self->out_end, data, size);
    self->out_end += size;
}

void line_print (line_t *self, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start (arguments, format);
    int size = vsnprintf (text, sizeof text, format, arguments);
    va_end (arguments);
    line_put (self, text, (size_t)size);
}

static void receive (line_t *self)
{
    line_flush (self);
    if (self->in_at) {
        memmove (self->in, self->in + self->in_at, self->in_end - self->in_at);
        self->in_end -= self->in_at;
        self->in_at = 0;
    }
    if (self->in_end == IN_BYTES)
        load_fail ("an answer that is too long");
    ssize_t n = read (self->fd, self->in + self->in_end, IN_BYTES - self->in_end);
    if (n <= 0)
        load_fail ("the server is gone");
    self->in_end += (size_t)n;
}

const char *line_take (line_t *self, size_t size)
{
    while (self->in_end - self->in_at < size)
        receive (self);
    self->in_at += size;
    return self->in + self->in_at - size;
}

const char *line_text (line_t *self)
{
    size_t looked = 0;
    for (;;) {
        char *end = memchr (self->in + self->in_at + looked, '\n', self->in_end - self->in_at - looked);
        if (end) {
            char *text = self->in + self->in_at;
            self->in_at = (size_t)(end + 1 - self->in);
            end[end > text && end[-1] == '\r' ? -1 : 0] = '\0';
            return text;
        }
        looked = self->in_end - self->in_at;
        receive (self);
    }
}

int line_has (const line_t *self)
{
    return self->in_end > self->in_at;
}
