#include "worker/teller.h"

#include "ringmaster/error.h"

/* What is to be told next; NULL: it is over. */
static const rm_slots_t *await (rm_teller_t *self)
{
    pthread_mutex_lock (&self->mutex);
    while (!self->slots && !self->quits)
        pthread_cond_wait (&self->turn, &self->mutex);
    const rm_slots_t *slots = self->slots;
    pthread_mutex_unlock (&self->mutex);
    return slots;
}

static void *live (void *arg)
{
    rm_teller_t *self = arg;
    for (const rm_slots_t *slots; (slots = await (self));) {
        self->told (slots, self->arg);
        pthread_mutex_lock (&self->mutex);
        self->slots = NULL;
        self->returned = true;
        pthread_mutex_unlock (&self->mutex);
        rm_wake_ring (self->wake);
    }
    return NULL;
}

int rm_teller_start (rm_teller_t *self, rm_told_fn *told, void *arg, const rm_wake_t *wake)
{
    *self = (rm_teller_t){.told = told, .arg = arg, .wake = wake};
    if (!told)
        return 0;
    pthread_mutex_init (&self->mutex, NULL);
    pthread_cond_init (&self->turn, NULL);
    if (!pthread_create (&self->thread, NULL, live, self))
        return 0;
    pthread_cond_destroy (&self->turn);
    pthread_mutex_destroy (&self->mutex);
    self->told = NULL;
    return RM_EIO;
}

void rm_teller_stop (rm_teller_t *self)
{
    if (!self->told)
        return;
    pthread_mutex_lock (&self->mutex);
    self->quits = true;
    pthread_cond_signal (&self->turn);
    pthread_mutex_unlock (&self->mutex);
    pthread_join (self->thread, NULL);
    pthread_cond_destroy (&self->turn);
    pthread_mutex_destroy (&self->mutex);
    self->told = NULL;
}

void rm_teller_tell (rm_teller_t *self, const rm_slots_t *slots)
{
    pthread_mutex_lock (&self->mutex);
    self->slots = slots;
    pthread_cond_signal (&self->turn);
    pthread_mutex_unlock (&self->mutex);
}

bool rm_teller_returned (rm_teller_t *self)
{
    if (!self->told)
        return false;
    pthread_mutex_lock (&self->mutex);
    bool returned = self->returned;
    self->returned = false;
    pthread_mutex_unlock (&self->mutex);
    return returned;
}
