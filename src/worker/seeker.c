#include "worker/seeker.h"

#include <signal.h>
#include <string.h>

#include "net/endpoint.h"

enum {
    PATIENCE_MS = 3000, /* with the catalogs */
    PAUSE_MS = 2000     /* between two looks */
};

static void *run (void *arg)
{
    rm_seeker_t *self = arg;
    self->count =
        rm_catalog_find (self->catalogs, "ringmaster", self->project, PATIENCE_MS, self->found, sizeof self->found);
    atomic_store (&self->done, true);
    rm_wake_ring (self->wake);
    return NULL;
}

void rm_seeker_look (rm_seeker_t *self, uint64_t now_ms)
{
    if (!self->project || self->seeks || now_ms < self->next_ms)
        return;
    sigset_t all, before;
    sigfillset (&all);
    atomic_store (&self->done, false);
    pthread_sigmask (SIG_SETMASK, &all, &before); /* signals are for the loop */
    self->seeks = !pthread_create (&self->thread, NULL, run, self);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    self->next_ms = now_ms + PAUSE_MS;
}

bool rm_seeker_take (rm_seeker_t *self, rm_masters_t *masters)
{
    rm_endpoint_t list[RM_ENDPOINTS_MAX];
    rm_bytes_t texts[RM_ENDPOINTS_MAX];
    if (!self->seeks || !atomic_load (&self->done))
        return false;
    rm_seeker_close (self);
    int count = self->count > 0 ? rm_endpoint_parse_list (list, self->found, NULL) : 0;
    for (int i = 0; i < count; i++)
        texts[i] = rm_bytes (list[i].text);
    if (count > 0)
        rm_masters_learn (masters, texts, (uint32_t)count);
    return count > 0;
}

void rm_seeker_close (rm_seeker_t *self)
{
    if (self->seeks)
        pthread_join (self->thread, NULL);
    self->seeks = false;
}
