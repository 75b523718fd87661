#include "net/random.h"

#include <errno.h>
#include <sys/random.h>

#include "proto/assert.h"

void rm_random_fill (void *data, size_t size)
{
    uint8_t *next = data;
    while (size) {
        ssize_t got = getrandom (next, size, 0);
        if (got < 0) {
            RM_ASSERT (errno == EINTR);
            continue;
        }
        next += got;
        size -= (size_t)got;
    }
}

uint64_t rm_random_u64 (void)
{
    uint64_t bits;
    rm_random_fill (&bits, sizeof bits);
    return bits;
}
