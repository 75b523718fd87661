#include "core/services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringmaster/error.h"

/* Who sends, and what it has here. Lives as long as it has anything. */
typedef struct rm_service_sender {
    rm_service_sum_t sum;
    UT_hash_handle hh;
    char address[RM_SERVICE_ADDRESS_BYTES_MAX + 1];
} rm_service_sender_t;

void rm_services_init (rm_services_t *self, const rm_services_limits_t *limits)
{
    *self = (rm_services_t){.limits = *limits};
}

static void add (rm_service_sum_t *sum, const rm_service_t *service)
{
    sum->count++;
    sum->bytes += service->bytes;
}

static void subtract (rm_service_sum_t *sum, const rm_service_t *service)
{
    sum->count--;
    sum->bytes -= service->bytes;
}

static void drop (rm_services_t *self, rm_service_t *service)
{
    rm_service_sender_t *sender = service->sender;
    HASH_DEL (self->all, service);
    subtract (&self->sum, service);
    subtract (&sender->sum, service);
    self->changes++;
    rm_free (service);
    if (sender->sum.count)
        return;
    HASH_DEL (self->senders, sender);
    rm_free (sender);
}

void rm_services_close (rm_services_t *self)
{
    while (self->all)
        drop (self, self->all);
}

size_t rm_service_key (char *key, const char *address, uint16_t port, const char *name)
{
    return (size_t)snprintf (key, RM_SERVICE_KEY_BYTES_MAX + 1, "%s:%u:%s", address, port, name);
}

static rm_service_t *find (const rm_services_t *self, const char *key)
{
    rm_service_t *service;
    HASH_FIND_STR (self->all, key, service);
    return service;
}

const rm_service_t *rm_services_find (const rm_services_t *self, const char *key)
{
    return find (self, key);
}

/* Copies `size` bytes and a NUL to *room_p, which moves behind them. */
static const char *keep (char **room_p, const char *data, size_t size)
{
    char *kept = *room_p;
    if (size)
        memcpy (kept, data, size);
    kept[size] = 0;
    *room_p += size + 1;
    return kept;
}

/* A service in one block. */
static rm_service_t *make (const rm_service_said_t *said, uint64_t lifetime_s)
{
    size_t sizes[RM_SERVICE_TEXTS], bytes = sizeof (rm_service_t) + said->json_bytes + said->plain_bytes + 2;
    for (int i = 0; i < RM_SERVICE_TEXTS; i++) {
        sizes[i] = said->texts[i] ? strlen (said->texts[i]) : 0;
        bytes += sizes[i] + 1;
    }
    rm_service_t *service = rm_malloc (bytes);
    if (!service)
        return NULL;
    *service = (rm_service_t){.port = said->port,
                              .heard_ms = said->heard_ms,
                              .expires_ms = said->heard_ms + lifetime_s * 1000,
                              .json_bytes = said->json_bytes,
                              .plain_bytes = said->plain_bytes,
                              .bytes = bytes};
    char *room = (char *)(service + 1);
    for (int i = 0; i < RM_SERVICE_TEXTS; i++)
        service->texts[i] = keep (&room, said->texts[i], sizes[i]);
    service->json = keep (&room, said->json, said->json_bytes);
    service->plain = keep (&room, said->plain, said->plain_bytes);
    rm_service_key (service->key, said->texts[RM_SERVICE_ADDRESS], said->port, said->texts[RM_SERVICE_NAME]);
    return service;
}

/* True if `sum`, without `old` and with `service`, is at most one part in `share` of the limits. */
static bool fits (const rm_services_limits_t *limits, uint32_t share, rm_service_sum_t sum, const rm_service_t *old,
                  const rm_service_t *service)
{
    if (old)
        subtract (&sum, old);
    add (&sum, service);
    return sum.count <= limits->count_max / share && sum.bytes <= limits->bytes_max / share;
}

static rm_service_sender_t *find_or_add_sender (rm_services_t *self, const char *address)
{
    rm_service_sender_t *sender;
    HASH_FIND_STR (self->senders, address, sender);
    if (sender)
        return sender;
    sender = rm_calloc (1, sizeof *sender);
    if (!sender)
        return NULL;
    memcpy (sender->address, address, strlen (address) + 1);
    HASH_ADD_STR (self->senders, address, sender);
    if (RM_HASH_ADDED (sender))
        return sender;
    rm_free (sender);
    return NULL;
}

/* Puts it in the place of `old`; RM_ENOMEM: it is not in. */
static int enter (rm_services_t *self, rm_service_t *service, rm_service_t *old)
{
    rm_service_sender_t *sender = find_or_add_sender (self, service->texts[RM_SERVICE_ADDRESS]);
    if (!sender)
        return RM_ENOMEM;
    service->sender = sender;
    add (&sender->sum, service); /* before the old one goes, or the sender would */
    add (&self->sum, service);
    if (old)
        drop (self, old);
    HASH_ADD_STR (self->all, key, service);
    self->changes++;
    if (RM_HASH_ADDED (service))
        return 0;
    subtract (&self->sum, service);
    subtract (&sender->sum, service);
    if (!sender->sum.count) {
        HASH_DEL (self->senders, sender);
        rm_free (sender);
    }
    return RM_ENOMEM;
}

static int judge (const rm_services_t *self, const rm_service_t *service, const rm_service_t *old, const char **why_p)
{
    rm_service_sender_t *sender;
    HASH_FIND_STR (self->senders, service->texts[RM_SERVICE_ADDRESS], sender);
    rm_service_sum_t none = {0};
    if (!fits (&self->limits, RM_SERVICE_SHARE, sender ? sender->sum : none, old, service)) {
        *why_p = "its address has half of all records, or of their bytes, already";
        return RM_EBUSY;
    }
    if (!fits (&self->limits, 1, self->sum, old, service)) {
        *why_p = "there is no room for more records";
        return RM_EBUSY;
    }
    return 0;
}

int rm_services_put (rm_services_t *self, const rm_service_said_t *said, const char **why_p)
{
    const char *ignored, *address = said->texts[RM_SERVICE_ADDRESS], *name = said->texts[RM_SERVICE_NAME];
    if (!why_p)
        why_p = &ignored;
    *why_p = "its name or address is empty, or too long";
    if (!address || !*address || strlen (address) > RM_SERVICE_ADDRESS_BYTES_MAX || !name || !*name ||
        strlen (name) > RM_SERVICE_NAME_BYTES_MAX)
        return RM_EINVAL;
    uint64_t lifetime_s = self->limits.lifetime_s;
    if (said->lifetime_s && said->lifetime_s < lifetime_s)
        lifetime_s = said->lifetime_s;
    *why_p = "memory ran out";
    rm_service_t *service = make (said, lifetime_s);
    if (!service)
        return RM_ENOMEM;
    rm_service_t *old = find (self, service->key);
    int rc = judge (self, service, old, why_p);
    if (!rc)
        rc = enter (self, service, old);
    if (rc)
        rm_free (service);
    return rc;
}

uint32_t rm_services_expire (rm_services_t *self, uint64_t now_ms)
{
    uint32_t count = 0;
    rm_service_t *service, *next;
    HASH_ITER (hh, self->all, service, next) {
        if (service->expires_ms > now_ms)
            continue;
        drop (self, service);
        count++;
    }
    return count;
}

/* ---- order ------------------------------------------------------------------------------------------------------- */

/* As people read: capitals are no other letters. */
static int compare_texts (const char *a, const char *b)
{
    for (;; a++, b++) {
        int x = *a >= 'A' && *a <= 'Z' ? *a + 32 : (unsigned char)*a;
        int y = *b >= 'A' && *b <= 'Z' ? *b + 32 : (unsigned char)*b;
        if (x != y || !x)
            return x - y;
    }
}

/* What qsort sorts: it hands nothing through. */
typedef struct {
    const rm_service_t *service;
    rm_service_column_t column;
} place_t;

static int compare (const void *a_p, const void *b_p)
{
    const rm_service_t *a = ((const place_t *)a_p)->service, *b = ((const place_t *)b_p)->service;
    rm_service_column_t column = ((const place_t *)a_p)->column;
    int order = 0;
    if (column < RM_SERVICE_TEXTS)
        order = compare_texts (a->texts[column], b->texts[column]);
    else if (column == RM_SERVICE_PORT)
        order = (a->port > b->port) - (a->port < b->port);
    else
        order = (a->heard_ms < b->heard_ms) - (a->heard_ms > b->heard_ms);
    if (!order)
        order = compare_texts (a->texts[RM_SERVICE_NAME], b->texts[RM_SERVICE_NAME]);
    return order ? order : strcmp (a->key, b->key);
}

const rm_service_t **rm_services_sorted (const rm_services_t *self, rm_service_column_t column, bool down)
{
    uint32_t count = self->sum.count, i = 0;
    place_t *places = count ? rm_malloc (count * sizeof *places) : NULL;
    const rm_service_t **sorted = places ? rm_malloc (count * sizeof *sorted) : NULL;
    if (sorted) {
        rm_service_t *service, *next;
        HASH_ITER (hh, self->all, service, next)
            places[i++] = (place_t){service, column};
        qsort (places, count, sizeof *places, compare);
        for (i = 0; i < count; i++)
            sorted[down ? count - 1 - i : i] = places[i].service;
    }
    rm_free (places);
    return sorted;
}
