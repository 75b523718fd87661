#include "master/raft_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "proto/alloc.h"
#include "ringmaster/error.h"

/* What may help against it. */
static const char *advice (int code, bool creating)
{
    switch (code) {
    case EACCES:
    case EPERM:
        return "; let this user read and write it, or give --data another one";
    case ENOENT:
        return creating ? "; create what it stands in first, or give --data another one" : "; check its spelling";
    case ENOSPC:
    case EDQUOT:
        return "; make room there, or give --data another one";
    default:
        return "; give --data another one";
    }
}

static int refuse (char *error, size_t error_size, const char *what, const char *path)
{
    int code = errno;
    snprintf (error, error_size, "cannot %s data directory %s: %s%s", what, path, strerror (code),
              advice (code, !strcmp (what, "create")));
    switch (code) {
    case EACCES:
    case EPERM:
    case EROFS:
        return RM_EDENIED;
    default:
        return RM_EIO;
    }
}

enum { LOCK_PATIENCE_MS = 1000, LOCK_PAUSE_MS = 20 };

/* A master that was killed a moment ago may still hold the lock while the system takes it apart: a supervisor that starts
 * the next one at once must not be refused for that. */
static bool take_lock (int file)
{
    for (int waited_ms = 0;; waited_ms += LOCK_PAUSE_MS) {
        if (!flock (file, LOCK_EX | LOCK_NB))
            return true;
        if (errno != EWOULDBLOCK || waited_ms >= LOCK_PATIENCE_MS)
            return false;
        nanosleep (&(struct timespec){.tv_nsec = LOCK_PAUSE_MS * 1000000L}, NULL);
    }
}

static int lock (rm_raft_dir_t *self, char *error, size_t error_size)
{
    self->lock = openat (self->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (self->lock < 0)
        return refuse (error, error_size, "lock", self->path);
    char pid[32] = "";
    if (!take_lock (self->lock)) {
        if (errno != EWOULDBLOCK)
            return refuse (error, error_size, "lock", self->path);
        ssize_t size = pread (self->lock, pid, sizeof pid - 1, 0);
        pid[size > 0 ? size : 0] = 0;
        pid[strspn (pid, "0123456789")] = 0;
        snprintf (
            error, error_size,
            "data directory %s is in use by another master (pid %s); stop that one, or give --data another directory",
            self->path, *pid ? pid : "unknown");
        return RM_EBUSY;
    }
    int size = snprintf (pid, sizeof pid, "%ld\n", (long)getpid ());
    if (ftruncate (self->lock, 0) != 0 || pwrite (self->lock, pid, size, 0) != size)
        return refuse (error, error_size, "lock", self->path);
    return 0;
}

/* Snapshots are written to unnamed files first; where there are none, no snapshot would ever be finished. */
static int probe (const rm_raft_dir_t *self, char *error, size_t error_size)
{
    int file = openat (self->fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (file >= 0) {
        close (file);
        return 0;
    }
    if (errno != EOPNOTSUPP && errno != EISDIR)
        return refuse (error, error_size, "write to", self->path);
    snprintf (
        error, error_size,
        "data directory %s is on a file system that cannot keep the ledger (no O_TMPFILE): use ext4, xfs or tmpfs",
        self->path);
    return RM_EIO;
}

int rm_raft_dir_open_existing (rm_raft_dir_t *self, const char *path, char *error, size_t error_size)
{
    *self = (rm_raft_dir_t){.fd = -1, .lock = -1};
    if (strlen (path) > RM_RAFT_DIR_BYTES_MAX) {
        snprintf (error, error_size, "the data directory's path is longer than %d bytes", RM_RAFT_DIR_BYTES_MAX);
        return RM_EINVAL;
    }
    self->path = rm_strndup (path, strlen (path));
    if (!self->path) {
        snprintf (error, error_size, "memory ran out");
        return RM_ENOMEM;
    }
    int rc;
    struct stat info;
    if (stat (path, &info) == 0 && !S_ISDIR (info.st_mode)) {
        snprintf (error, error_size,
                  "data directory %s is not a directory; give --data one that is, or that can be made", path);
        rc = RM_EINVAL;
        goto close;
    }
    self->fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->fd < 0 || faccessat (self->fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        rc = refuse (error, error_size, "use", path);
        goto close;
    }
    rc = lock (self, error, error_size);
    if (rc == 0)
        rc = probe (self, error, error_size);
    if (rc == 0)
        return 0;
close:
    rm_raft_dir_close (self);
    return rc;
}

int rm_raft_dir_open (rm_raft_dir_t *self, const char *path, char *error, size_t error_size)
{
    if (*path && mkdir (path, 0700) != 0 && errno != EEXIST) {
        *self = (rm_raft_dir_t){.fd = -1, .lock = -1};
        return refuse (error, error_size, "create", path);
    }
    return rm_raft_dir_open_existing (self, path, error, error_size);
}

void rm_raft_dir_close (rm_raft_dir_t *self)
{
    if (self->lock >= 0)
        close (self->lock);
    if (self->fd >= 0)
        close (self->fd);
    rm_free (self->path);
    *self = (rm_raft_dir_t){.fd = -1, .lock = -1};
}

int rm_raft_dir_free_bytes (const rm_raft_dir_t *self, uint64_t *bytes)
{
    struct statvfs info;
    if (fstatvfs (self->fd, &info) != 0)
        return RM_EIO;
    *bytes = (uint64_t)info.f_bavail * info.f_frsize;
    return 0;
}

int rm_raft_dir_sync (const rm_raft_dir_t *self)
{
    return fsync (self->fd) == 0 ? 0 : RM_EIO;
}

static int read_all (int file, uint8_t *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read (file, data + done, size - done);
        if (got <= 0)
            return RM_EIO;
        done += got;
    }
    return 0;
}

int rm_raft_dir_read (const rm_raft_dir_t *self, const char *name, uint8_t **data, size_t *size)
{
    int file = openat (self->fd, name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ? RM_EUNKNOWN : RM_EIO;
    struct stat info;
    int rc = fstat (file, &info) == 0 && S_ISREG (info.st_mode) ? 0 : RM_EIO;
    if (rc == 0) {
        *size = info.st_size;
        *data = rm_malloc (*size + 1);
        rc = *data ? read_all (file, *data, *size) : RM_ENOMEM;
        if (rc != 0)
            rm_free (*data);
    }
    close (file);
    return rc;
}

bool rm_raft_dir_put (int file, const void *data, size_t size)
{
    for (const uint8_t *cursor = data; size > 0;) {
        ssize_t done = write (file, cursor, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        cursor += done;
        size -= done;
    }
    return true;
}

int rm_raft_dir_write (const rm_raft_dir_t *self, const char *name, const uint8_t *data, size_t size)
{
    static const char temporary[] = "tmp-ringmaster";
    int file = openat (self->fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return RM_EIO;
    int rc = rm_raft_dir_put (file, data, size) && fsync (file) == 0 ? 0 : RM_EIO;
    close (file);
    if (rc == 0 && renameat (self->fd, temporary, self->fd, name) != 0)
        rc = RM_EIO;
    if (rc == 0)
        return rm_raft_dir_sync (self);
    unlinkat (self->fd, temporary, 0);
    return rc;
}
