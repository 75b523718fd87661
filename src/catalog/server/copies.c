#include "catalog/server/copies.h"

#include "proto/alloc.h"

void rm_copies_init (rm_copies_t *self, rm_copy_write_fn *write)
{
    *self = (rm_copies_t){.write = write};
}

void rm_copy_give_back (rm_copy_t **copy_p)
{
    rm_copy_t *copy = *copy_p;
    *copy_p = NULL;
    if (!copy || --copy->readers)
        return;
    --*copy->held;
    rm_buf_close (&copy->body);
    rm_free (copy);
}

void rm_copies_close (rm_copies_t *self)
{
    rm_copy_give_back (&self->newest);
}

rm_copy_t *rm_copies_take (rm_copies_t *self, const rm_services_t *services)
{
    bool old = !self->newest || self->newest->changes != services->changes;
    if (old && self->newest && self->newest->readers == 1)
        rm_copy_give_back (&self->newest);
    if (old && self->held < RM_COPIES_MAX) {
        rm_copy_t *copy = rm_calloc (1, sizeof *copy);
        if (!copy)
            return NULL;
        *copy = (rm_copy_t){.changes = services->changes, .readers = 1, .held = &self->held};
        self->held++;
        self->write (&copy->body, services);
        if (copy->body.failed) {
            rm_copy_give_back (&copy);
            return NULL;
        }
        rm_copy_give_back (&self->newest);
        self->newest = copy;
    }
    self->newest->readers++;
    return self->newest;
}
