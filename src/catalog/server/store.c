#include "catalog/server/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "ringmaster/error.h"

enum { HEAD_BYTES_MAX = 64, LOCK_TRIES = 20, LOCK_WAIT_US = 50000 };

#define HEAD "ringcatalog 1 %016" PRIx64 " %zu\n"

/* Two processes would write over each other's records. */
static int lock (rm_store_t *self, rm_fault_t *fault)
{
    char path[PATH_MAX + 8];
    snprintf (path, sizeof path, "%s/lock", self->folder);
    self->lock = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (self->lock < 0)
        return rm_fault (fault, RM_EIO, "cannot open %s: %s", path, strerror (errno));
    for (int tries = LOCK_TRIES; tries; tries--) { /* one that was killed just now may not be taken apart yet */
        if (!flock (self->lock, LOCK_EX | LOCK_NB))
            return 0;
        usleep (LOCK_WAIT_US);
    }
    return rm_fault (fault, RM_EBUSY, "another ringcatalog has the folder %s: give this one another --data",
                     self->folder);
}

int rm_store_init (rm_store_t *self, const char *folder, rm_fault_t *fault)
{
    int size = snprintf (self->path, sizeof self->path, "%s/records", folder);
    if (size + (int)sizeof ".damaged" > (int)sizeof self->path)
        return rm_fault (fault, RM_EINVAL, "the name of --data '%.60s…' is too long", folder);
    snprintf (self->part, sizeof self->part, "%s/records.tmp", folder);
    snprintf (self->folder, sizeof self->folder, "%s", folder);
    if (mkdir (folder, 0755) && errno != EEXIST)
        return rm_fault (fault, RM_EIO, "cannot make the folder %s: %s", folder, strerror (errno));
    return lock (self, fault);
}

int rm_store_refuse (const rm_store_t *self, const char *why, rm_fault_t *fault)
{
    char aside[PATH_MAX + 16];
    snprintf (aside, sizeof aside, "%s.damaged", self->path);
    if (rename (self->path, aside))
        return rm_fault (fault, RM_EIO, "%s is damaged (%s) and cannot be put aside: %s", self->path, why,
                         strerror (errno));
    return rm_fault (fault, RM_ECORRUPT,
                     "%s is damaged (%s): it was put aside as %s, and services are known again once they are heard of",
                     self->path, why, aside);
}

static int read_all (FILE *file, rm_buf_t *all)
{
    for (size_t got = 1; got;) {
        if (rm_buf_reserve (all, 1 << 16))
            return RM_ENOMEM;
        got = fread (all->data + all->size, 1, all->capacity - all->size, file);
        all->size += got;
    }
    return ferror (file) ? RM_EIO : 0;
}

int rm_store_read (const rm_store_t *self, rm_buf_t *json, rm_fault_t *fault)
{
    FILE *file = fopen (self->path, "re");
    if (!file && errno == ENOENT)
        return 0;
    rm_buf_t all = {0};
    int rc = file ? read_all (file, &all) : RM_EIO;
    int error = errno;
    if (file)
        fclose (file);
    if (rc) {
        rm_buf_close (&all);
        return rm_fault (fault, rc, "cannot read %s: %s", self->path,
                         rc == RM_EIO ? strerror (error) : "memory ran out");
    }
    /* What the head must be is known from the rest. */
    const uint8_t *end = memchr (all.data, '\n', all.size < HEAD_BYTES_MAX ? all.size : HEAD_BYTES_MAX);
    size_t head = end ? (size_t)(end + 1 - all.data) : 0, size = all.size - head;
    char expected[HEAD_BYTES_MAX + 1];
    snprintf (expected, sizeof expected, HEAD, (uint64_t)XXH3_64bits (all.data + head, size), size);
    if (!head || strlen (expected) != head || memcmp (expected, all.data, head))
        rc = rm_store_refuse (self, "its checksum is another one", fault);
    else
        rm_buf_put (json, all.data + head, size);
    rm_buf_close (&all);
    return rc ? rc : json->failed ? rm_fault (fault, RM_ENOMEM, "memory ran out") : 0;
}

static bool write_all (int fd, const void *data, size_t size)
{
    for (const char *at = data, *end = at + size; at < end;) {
        ssize_t done = write (fd, at, (size_t)(end - at));
        if (done < 0 && errno != EINTR)
            return false;
        at += done > 0 ? done : 0;
    }
    return true;
}

/* Makes the file's new name last. */
static bool sync_folder (const char *folder)
{
    int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && !fsync (fd);
    if (fd >= 0)
        close (fd);
    return done;
}

int rm_store_write (const rm_store_t *self, const void *json, size_t size, rm_fault_t *fault)
{
    char head[HEAD_BYTES_MAX + 1];
    int head_size = snprintf (head, sizeof head, HEAD, (uint64_t)XXH3_64bits (json, size), size);
    int fd = open (self->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool done = fd >= 0 && write_all (fd, head, (size_t)head_size) && write_all (fd, json, size) && !fsync (fd);
    int error = errno;
    if (fd >= 0)
        close (fd);
    if (done) {
        done = !rename (self->part, self->path) && sync_folder (self->folder);
        error = errno;
    }
    return done ? 0 : rm_fault (fault, RM_EIO, "cannot write %s: %s", self->path, strerror (error));
}
