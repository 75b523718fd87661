#include "net/context.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include <zmq.h>

#include "net/private.h"
#include "net/random.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

enum { RECONNECT_MS_MIN = 40, RECONNECT_MS_SPAN = 80 };

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static void *context;                                     /* NULL: no shares */
static unsigned shares;
static pid_t owner; /* the process that made it */
static int reconnect_ms;
static atomic_int sockets_open;

int rm_net_init (void)
{
    int rc = 0;
    pthread_mutex_lock (&guard);
    if (!context || owner != getpid ()) {
        /* After fork the parent's context is a dead copy: leave it alone and start anew. */
        shares = 0;
        atomic_store (&sockets_open, 0);
        context = zmq_ctx_new ();
        owner = getpid ();
        reconnect_ms = RECONNECT_MS_MIN + (int)(rm_random_u64 () % RECONNECT_MS_SPAN);
    }
    if (context)
        shares++;
    else
        rc = RM_ENOMEM;
    pthread_mutex_unlock (&guard);
    return rc;
}

void rm_net_term (void)
{
    pthread_mutex_lock (&guard);
    bool mine = owner == getpid (); /* a child after fork has nothing to end */
    RM_ASSERT (!mine || shares > 0);
    void *ended = NULL;
    if (mine && --shares == 0) {
        RM_ASSERT (atomic_load (&sockets_open) == 0);
        ended = context;
        context = NULL;
    }
    pthread_mutex_unlock (&guard);
    if (ended)
        while (zmq_ctx_term (ended) && zmq_errno () == EINTR)
            continue;
}

void *rm_context_zmq (void)
{
    pthread_mutex_lock (&guard);
    void *found = owner == getpid () ? context : NULL;
    pthread_mutex_unlock (&guard);
    return found;
}

int rm_context_reconnect_ms (void)
{
    return reconnect_ms;
}

void rm_context_count_socket (int change)
{
    atomic_fetch_add (&sockets_open, change);
}
