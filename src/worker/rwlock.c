#include "ringmaster/rwlock.h"

#include <errno.h>
#include <pthread.h>

#include "proto/alloc.h"
#include "proto/assert.h"

struct rm_rwlock {
    pthread_mutex_t mutex;       /* guards what follows; never held while waiting for a turn */
    pthread_cond_t readers_turn; /* no writer is inside or waiting any more */
    pthread_cond_t writers_turn; /* nobody is inside any more */
    unsigned readers;            /* inside */
    unsigned writers_waiting;
    bool writing; /* a writer is inside */
};

rm_rwlock_t *rm_rwlock_new (void)
{
    rm_rwlock_t *self = rm_calloc (1, sizeof *self);
    if (!self) {
        errno = ENOMEM;
        return NULL;
    }
    pthread_mutex_init (&self->mutex, NULL);
    pthread_cond_init (&self->readers_turn, NULL);
    pthread_cond_init (&self->writers_turn, NULL);
    return self;
}

void rm_rwlock_destroy (rm_rwlock_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    rm_rwlock_t *self = *self_p;
    *self_p = NULL;
    RM_ASSERT (!self->readers && !self->writers_waiting && !self->writing);
    pthread_cond_destroy (&self->writers_turn);
    pthread_cond_destroy (&self->readers_turn);
    pthread_mutex_destroy (&self->mutex);
    rm_free (self);
}

void rm_rwlock_read_lock (rm_rwlock_t *self)
{
    pthread_mutex_lock (&self->mutex);
    while (self->writing || self->writers_waiting)
        pthread_cond_wait (&self->readers_turn, &self->mutex);
    self->readers++;
    pthread_mutex_unlock (&self->mutex);
}

void rm_rwlock_write_lock (rm_rwlock_t *self)
{
    pthread_mutex_lock (&self->mutex);
    self->writers_waiting++;
    while (self->writing || self->readers)
        pthread_cond_wait (&self->writers_turn, &self->mutex);
    self->writers_waiting--;
    self->writing = true;
    pthread_mutex_unlock (&self->mutex);
}

void rm_rwlock_unlock (rm_rwlock_t *self)
{
    pthread_mutex_lock (&self->mutex);
    RM_ASSERT (self->writing != (self->readers > 0));
    if (self->writing)
        self->writing = false;
    else
        self->readers--;
    if (!self->readers && self->writers_waiting)
        pthread_cond_signal (&self->writers_turn);
    else if (!self->readers)
        pthread_cond_broadcast (&self->readers_turn);
    pthread_mutex_unlock (&self->mutex);
}
