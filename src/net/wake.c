#include "net/wake.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ringmaster/error.h"

int rm_wake_init (rm_wake_t *self)
{
    self->fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    return self->fd < 0 ? RM_EIO : 0;
}

void rm_wake_close (rm_wake_t *self)
{
    if (self->fd >= 0)
        close (self->fd);
    self->fd = -1;
}

void rm_wake_ring (const rm_wake_t *self)
{
    int error = errno;
    uint64_t one = 1;
    /* The only failure is a counter at its limit, which is readable as well. */
    ssize_t rc = write (self->fd, &one, sizeof one);
    (void)rc;
    errno = error;
}

void rm_wake_clear (rm_wake_t *self)
{
    uint64_t rings;
    ssize_t rc = read (self->fd, &rings, sizeof rings);
    (void)rc; /* EAGAIN: nobody has rung */
}
