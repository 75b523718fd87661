/* Names of senders that gave none: what the resolver says of their address, asked beside the loop, and kept for a
 * while. The update waits meanwhile, since a record is known by its name; what there is no room for is named by its
 * address at once. */
#include <ctype.h>
#include <string.h>

#include "catalog/server/inside.h"
#include "core/hash.h"
#include "net/clock.h"

enum {
    NAMES_MAX = 1024,
    LOOKUPS_MAX = 2, /* of libuv's four threads: the others are for the disk */
    WAITING_BYTES_MAX = 1 << 20,
    KEEP_MS = 10 * 60 * 1000
};

typedef struct waiting {
    struct waiting *next;
    size_t size;
    char data[];
} waiting_t;

struct rm_catalog_name {
    uv_getnameinfo_t lookup;
    rm_catalog_server_t *server;
    waiting_t *first, **last_p; /* updates, in the order in which they came */
    enum { WANTED, LOOKING, KNOWN } state;
    uint64_t known_ms;
    struct sockaddr_storage from;
    char name[RM_SERVICE_NAME_BYTES_MAX + 1];
    UT_hash_handle hh;
    char address[RM_SERVICE_ADDRESS_BYTES_MAX + 1];
};

static void forget (rm_catalog_server_t *self, rm_catalog_name_t *name)
{
    HASH_DEL (self->names, name);
    for (waiting_t *waiting; (waiting = name->first);) {
        name->first = waiting->next;
        self->waiting_bytes -= waiting->size;
        rm_free (waiting);
    }
    rm_free (name);
}

/* Whoever owns an address says what its name is: not everything is one. */
static bool is_name (const char *text)
{
    for (const char *at = text; *at; at++)
        if (!isalnum ((unsigned char)*at) && !strchr (".-_", *at))
            return false;
    return *text && strlen (text) <= RM_SERVICE_NAME_BYTES_MAX;
}

static void look_up_next (rm_catalog_server_t *self);

static void on_name (uv_getnameinfo_t *lookup, int status, const char *host, const char *service)
{
    rm_catalog_name_t *name = lookup->data;
    rm_catalog_server_t *self = name->server;
    (void)service;
    strcpy (name->name, !status && is_name (host) ? host : name->address);
    name->state = KNOWN;
    name->known_ms = rm_clock_ms ();
    self->lookups--;
    waiting_t *next = name->first;
    name->first = NULL;
    name->last_p = &name->first;
    for (waiting_t *waiting; (waiting = next);) {
        next = waiting->next;
        self->waiting_bytes -= waiting->size;
        rm_catalog_take (self, name->address, name->name, waiting->data, waiting->size);
        rm_free (waiting);
    }
    look_up_next (self);
}

static void look_up_next (rm_catalog_server_t *self)
{
    rm_catalog_name_t *name, *next;
    HASH_ITER (hh, self->names, name, next) {
        if (self->lookups == LOOKUPS_MAX)
            return;
        if (name->state != WANTED)
            continue;
        name->state = LOOKING;
        self->lookups++;
        name->lookup.data = name;
        if (uv_getnameinfo (&self->loop, &name->lookup, on_name, (struct sockaddr *)&name->from, NI_NAMEREQD)) {
            on_name (&name->lookup, UV_EINVAL, NULL, NULL);
            return; /* which has gone on with the next one */
        }
    }
}

/* An entry for it, in the place of the oldest one if there are too many. NULL: all of those are being looked up. */
static rm_catalog_name_t *add (rm_catalog_server_t *self, const char *address, const struct sockaddr *from)
{
    rm_catalog_name_t *name, *next, *oldest = NULL;
    HASH_ITER (hh, self->names, name, next) {
        if (HASH_COUNT (self->names) < NAMES_MAX)
            break;
        if (name->state == KNOWN && (!oldest || name->known_ms < oldest->known_ms))
            oldest = name;
    }
    if (oldest)
        forget (self, oldest);
    name = HASH_COUNT (self->names) < NAMES_MAX ? rm_calloc (1, sizeof *name) : NULL;
    if (!name)
        return NULL;
    name->server = self;
    name->last_p = &name->first;
    memcpy (&name->from, from,
            from->sa_family == AF_INET6 ? sizeof (struct sockaddr_in6) : sizeof (struct sockaddr_in));
    strcpy (name->address, address);
    HASH_ADD_STR (self->names, address, name);
    if (RM_HASH_ADDED (name))
        return name;
    rm_free (name);
    return NULL;
}

/* The update waits for the name. False: there is no room. */
static bool await (rm_catalog_name_t *name, const void *data, size_t size)
{
    rm_catalog_server_t *self = name->server;
    waiting_t *waiting = self->waiting_bytes + size <= WAITING_BYTES_MAX ? rm_malloc (sizeof *waiting + size) : NULL;
    if (!waiting)
        return false;
    *waiting = (waiting_t){.size = size};
    memcpy (waiting->data, data, size);
    *name->last_p = waiting;
    name->last_p = &waiting->next;
    self->waiting_bytes += size;
    return true;
}

const char *rm_catalog_name (rm_catalog_server_t *self, const char *address, const struct sockaddr *from,
                             const void *data, size_t size)
{
    rm_catalog_name_t *name;
    HASH_FIND_STR (self->names, address, name);
    if (name && name->state == KNOWN && rm_clock_ms () - name->known_ms > KEEP_MS) {
        forget (self, name);
        name = NULL;
    }
    if (name && name->state == KNOWN)
        return name->name;
    if (!name)
        name = add (self, address, from);
    bool waits = name && await (name, data, size);
    look_up_next (self);
    return waits ? NULL : address;
}

void rm_catalog_forget_names (rm_catalog_server_t *self)
{
    rm_catalog_name_t *name, *next;
    HASH_ITER (hh, self->names, name, next)
        forget (self, name);
}
