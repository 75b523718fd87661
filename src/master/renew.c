#include "master/renew.h"

#include "core/generation.h"
#include "core/snapshot.h"
#include "master/parts.h"
#include "master/raft_ledger.h"
#include "net/clock.h"
#include "net/context.h"
#include "net/socket.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

typedef struct {
    rm_state_t state;
    void (*say) (void *arg, const char *sentence);
    void *arg;
} renewal_t;

static int renew (void *arg, const void *snapshot, size_t size, rm_ledger_part_t **parts, size_t *count)
{
    renewal_t *self = arg;
    int rc = rm_snapshot_restore (&self->state, snapshot, size);
    if (!rc)
        rc = rm_generation_begin (&self->state, rm_clock_wall_ms ());
    return rc ? rc : rm_parts_take (&self->state, parts, count);
}

static void renewed (void *arg, rm_ledger_part_t *parts, size_t count)
{
    (void)arg;
    (void)count;
    rm_parts_give_back (parts);
}

static void pass_on (void *arg, const char *sentence)
{
    renewal_t *self = arg;
    self->say (self->arg, sentence);
}

/* Whether the ports are free that the master takes next: else the new directory would be left behind for nothing. */
static int check_ports (const rm_master_config_t *config, rm_fault_t *fault)
{
    enum { OF_CLIENTS_AND_WORKERS = 4, OF_GROUP };
    unsigned base = (unsigned)config->port, count = config->peers.count ? OF_GROUP : OF_CLIENTS_AND_WORKERS;
    int rc = base ? rm_net_init () : 0;
    if (!base || rc)
        return rc ? rm_fault (fault, rc, "%s", rm_strerror (rc)) : 0;
    rm_socket_t *taken[OF_GROUP] = {0};
    for (unsigned i = 0; i < count && !rc; i++)
        if (!(taken[i] = rm_socket_bind (RM_SOCKET_JOBS_ROUTER, config->bind, base + i, fault)))
            rc = RM_EBUSY;
    for (unsigned i = 0; i < count; i++)
        rm_socket_close (&taken[i]);
    rm_net_term (); /* waits until they are free again */
    return rc;
}

int rm_renew (const rm_master_config_t *config, void (*say) (void *arg, const char *sentence), void *arg)
{
    char address[RM_LEDGER_ADDRESS_BYTES];
    rm_fault_t fault = {0};
    int rc = check_ports (config, &fault);
    if (rc) {
        say (arg, fault.text);
        return rc;
    }
    renewal_t *self = rm_calloc (1, sizeof *self);
    if (!self || rm_state_init (&self->state)) {
        say (arg, rm_strerror (RM_ENOMEM));
        rm_free (self);
        return RM_ENOMEM;
    }
    self->say = say;
    self->arg = arg;
    rm_master_config_address (config, address, sizeof address);
    rc = rm_ledger_restore (&(rm_ledger_restore_t){config->restore, config->data, (uint64_t)config->id, address, self,
                                                   renew, renewed, pass_on});
    rm_state_close (&self->state);
    rm_free (self);
    return rc;
}
