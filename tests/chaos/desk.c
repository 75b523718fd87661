#include "desk.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

desk_t *desk_open (const char *path)
{
    int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return NULL;
    void *memory = MAP_FAILED;
    if (!ftruncate (fd, sizeof (desk_t)))
        memory = mmap (NULL, sizeof (desk_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close (fd);
    return memory == MAP_FAILED ? NULL : memory;
}

void desk_note (desk_t *self, const char *session, uint64_t n)
{
    unsigned other = !atomic_load (&self->note);
    snprintf (self->notes[other].session, sizeof self->notes[other].session, "%s", session);
    self->notes[other].n = n;
    atomic_store (&self->note, other);
}

bool desk_put (desk_t *self, uint64_t id, uint64_t n)
{
    desk_job_t *place = NULL;
    for (unsigned i = 0; i < DESK_WINDOW; i++) {
        uint64_t at = atomic_load (&self->pending[i].id);
        if (at == id)
            return true; /* put there by the one before us */
        if (!at)
            place = &self->pending[i];
    }
    if (!place)
        return false;
    atomic_store (&place->n, n);
    atomic_store (&place->id, id);
    atomic_fetch_add (&self->accepted, 1);
    return true;
}

void desk_take (desk_t *self, desk_job_t *job)
{
    uint64_t count = atomic_fetch_add (&self->ended, 1);
    atomic_store (&self->recent[count % DESK_RECENT], atomic_load (&job->id));
    atomic_store (&job->id, 0);
}

unsigned desk_pending (const desk_t *self)
{
    unsigned count = 0;
    for (unsigned i = 0; i < DESK_WINDOW; i++)
        count += atomic_load (&self->pending[i].id) != 0;
    return count;
}
