#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "catalog/list.h"
#include "net/log.h"
#include "proto/alloc.h"
#include "ringmaster/catalog.h"

enum {
    SOON_MS = 2000,    /* the second time, should the first packet be lost */
    PERIOD_MS = 60000, /* from then on */
    ADDRESSES = RM_ENDPOINTS_MAX
};

/* Shared by its owner and its thread; the last one frees it, since looking up a name may take the thread longer than an
 * owner who leaves would wait. */
struct rm_announcer {
    rm_endpoint_t catalogs[RM_ENDPOINTS_MAX]; /* fixed … */
    int count;
    char from[RM_ENDPOINT_BYTES_MAX + 1]; /* … "": any */
    char *text;                           /* … the update */
    char *farewell;                       /* … the last one */

    pthread_mutex_t guard; /* of what follows */
    pthread_cond_t changed;
    bool leaving;
    unsigned shares;
    struct sockaddr_storage addresses[ADDRESSES]; /* where catalogs were found; ss_family 0: not yet */
};

static void release (rm_announcer_t *self)
{
    pthread_mutex_lock (&self->guard);
    bool last = !--self->shares;
    pthread_mutex_unlock (&self->guard);
    if (!last)
        return;
    pthread_cond_destroy (&self->changed);
    pthread_mutex_destroy (&self->guard);
    free (self->text);
    free (self->farewell);
    rm_free (self);
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

static socklen_t size_of (const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof (struct sockaddr_in6) : sizeof (struct sockaddr_in);
}

/* Makes `fd` send from the address that others are to be told. Without one of that family, or where it cannot be: from
 * whichever leads there. */
static void leave_from (int fd, const char *host, int family)
{
    struct addrinfo *found, hints = {.ai_family = family, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST};
    if (!*host || getaddrinfo (host, NULL, &hints, &found))
        return;
    (void)bind (fd, found->ai_addr, found->ai_addrlen);
    freeaddrinfo (found);
}

/* It never blocks, and whether it arrives nobody says. */
static void send_to (const rm_announcer_t *self, const struct sockaddr_storage *address, const char *text)
{
    int fd = socket (address->ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    leave_from (fd, self->from, address->ss_family);
    if (sendto (fd, text, strlen (text), MSG_NOSIGNAL, (const struct sockaddr *)address, size_of (address)) < 0)
        rm_log (RM_LOG_DEBUG, "event=not_announced why=%s", RM_QUOTE_TEXT (strerror (errno)));
    close (fd);
}

/* Looks every catalog up, since an address may change, and says it there. */
static void announce (rm_announcer_t *self)
{
    for (int i = 0; i < self->count; i++) {
        struct addrinfo *found, hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
        struct sockaddr_storage address = {0};
        char port[8];
        snprintf (port, sizeof port, "%u", self->catalogs[i].port);
        if (getaddrinfo (self->catalogs[i].host, port, &hints, &found))
            continue;
        memcpy (&address, found->ai_addr, found->ai_addrlen);
        freeaddrinfo (found);
        pthread_mutex_lock (&self->guard);
        bool leaving = self->leaving; /* nothing is to be said behind the farewell */
        self->addresses[i] = address;
        if (!leaving)
            send_to (self, &address, self->text);
        pthread_mutex_unlock (&self->guard);
    }
}

static void *run (void *arg)
{
    rm_announcer_t *self = arg;
    for (int pause_ms = SOON_MS;; pause_ms = PERIOD_MS) {
        announce (self);
        struct timespec end;
        clock_gettime (CLOCK_MONOTONIC, &end);
        end.tv_sec += pause_ms / 1000;
        pthread_mutex_lock (&self->guard);
        for (int rc = 0; !rc && !self->leaving;)
            rc = pthread_cond_timedwait (&self->changed, &self->guard, &end);
        bool leaving = self->leaving;
        pthread_mutex_unlock (&self->guard);
        if (leaving)
            break;
    }
    release (self);
    return NULL;
}

/* ---- what is said ------------------------------------------------------------------------------------------------ */

static void write_owner (char *owner, size_t size)
{
    char room[4096];
    struct passwd entry, *found = NULL;
    if (!getpwuid_r (geteuid (), &entry, room, sizeof room, &found) && found)
        snprintf (owner, size, "%s", found->pw_name);
    else
        snprintf (owner, size, "%u", (unsigned)geteuid ());
}

static char *write_update (const rm_announcement_t *what, unsigned lifetime_s)
{
    char host[256] = "", owner[256];
    gethostname (host, sizeof host - 1);
    write_owner (owner, sizeof owner);
    json_t *object = json_pack ("{s:s, s:s, s:s, s:s, s:i, s:s*}", "type", what->type, "project", what->project, "name",
                                what->name ? what->name : host, "owner", what->owner ? what->owner : owner, "port",
                                (int)what->port, "version", what->version);
    if (object && lifetime_s)
        json_object_set_new (object, "lifetime", json_integer (lifetime_s));
    char *text = object ? json_dumps (object, JSON_COMPACT) : NULL;
    json_decref (object);
    return text;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

/* Its thread takes no signals: those are for the program. errno's number, or 0. */
static int start (rm_announcer_t *self)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    int rc = pthread_create (&thread, NULL, run, self);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    if (!rc)
        pthread_detach (thread);
    return rc;
}

rm_announcer_t *rm_announcer_new (const char *catalogs, const rm_announcement_t *what)
{
    rm_announcer_t *self = rm_calloc (1, sizeof *self);
    if (!self) {
        errno = ENOMEM;
        return NULL;
    }
    self->shares = 1;
    pthread_condattr_t monotonic;
    pthread_condattr_init (&monotonic);
    pthread_condattr_setclock (&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init (&self->guard, NULL);
    pthread_cond_init (&self->changed, &monotonic);
    pthread_condattr_destroy (&monotonic);
    self->count = rm_catalog_list (self->catalogs, catalogs, NULL);
    if (what->from)
        snprintf (self->from, sizeof self->from, "%s", what->from);
    if (what->type && what->project && what->port <= UINT16_MAX) {
        self->text = write_update (what, 0);
        self->farewell = write_update (what, 1);
    }
    int error = EINVAL;
    if (self->count > 0 && self->text && self->farewell) {
        self->shares = 2;
        error = start (self);
    }
    if (!error)
        return self;
    self->shares = 1;
    release (self);
    errno = error;
    return NULL;
}

void rm_announcer_destroy (rm_announcer_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    rm_announcer_t *self = *self_p;
    *self_p = NULL;
    pthread_mutex_lock (&self->guard);
    self->leaving = true;
    for (int i = 0; i < self->count; i++)
        if (self->addresses[i].ss_family)
            send_to (self, &self->addresses[i], self->farewell);
    pthread_cond_signal (&self->changed);
    pthread_mutex_unlock (&self->guard);
    release (self);
}
