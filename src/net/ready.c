#include "net/ready.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/private.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

static bool watch (const rm_ready_t *self, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return !epoll_ctl (self->fd, EPOLL_CTL_ADD, fd, &event);
}

int rm_ready_init (rm_ready_t *self)
{
    *self = (rm_ready_t){.socket_fd = -1, .until_ms = UINT64_MAX};
    self->fd = epoll_create1 (EPOLL_CLOEXEC);
    self->timer_fd = timerfd_create (CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    self->event_fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->fd >= 0 && self->timer_fd >= 0 && self->event_fd >= 0 && watch (self, self->timer_fd) &&
        watch (self, self->event_fd))
        return 0;
    int error = errno;
    rm_ready_close (self);
    errno = error;
    return RM_EIO;
}

static void close_fd (int *fd)
{
    if (*fd >= 0)
        close (*fd);
    *fd = -1;
}

void rm_ready_close (rm_ready_t *self)
{
    close_fd (&self->fd);
    close_fd (&self->timer_fd);
    close_fd (&self->event_fd);
}

/* The descriptor of a socket dies with it, and leaves `fd` by itself then. */
static void take_socket (rm_ready_t *self, rm_socket_t *socket)
{
    if (self->socket == socket)
        return;
    if (self->socket_fd >= 0)
        (void)epoll_ctl (self->fd, EPOLL_CTL_DEL, self->socket_fd, NULL);
    self->socket = socket;
    self->socket_fd = socket ? rm_socket_fd (socket) : -1;
    bool added = !socket || watch (self, self->socket_fd);
    RM_ASSERT (added);
}

static void ring (rm_ready_t *self, bool now)
{
    uint64_t one = 1;
    if (self->rings == now)
        return;
    self->rings = now;
    ssize_t moved = now ? write (self->event_fd, &one, sizeof one) : read (self->event_fd, &one, sizeof one);
    RM_ASSERT (moved == sizeof one);
}

static void set_timer (rm_ready_t *self, uint64_t until_ms)
{
    if (self->until_ms == until_ms)
        return;
    self->until_ms = until_ms;
    struct itimerspec at = {0};
    uint64_t now_ms = rm_clock_ms (), left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    if (until_ms != UINT64_MAX) {
        at.it_value.tv_sec = (time_t)(left_ms / 1000);
        at.it_value.tv_nsec = left_ms ? (long)(left_ms % 1000) * 1000000 : 1; /* 0 would be never */
    }
    int rc = timerfd_settime (self->timer_fd, 0, &at, NULL);
    RM_ASSERT (rc == 0);
}

void rm_ready_set (rm_ready_t *self, rm_socket_t *socket, uint64_t until_ms, bool now)
{
    take_socket (self, socket);
    set_timer (self, until_ms);
    ring (self, now || (socket && rm_socket_is_readable (socket)));
}
