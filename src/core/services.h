/*  What a name server knows: services, each by its address, port and name, until they have not been heard of for too
 *  long. (The records of the Notre Dame catalog server; docs/catalog.md.)
 *
 *  Invariants: no key is there twice; never more than the limits allow, in all and of one address, so that no sender
 *  takes the room of all others; what is full refuses what is new, and never forgets what it has before its time.
 *  Thread rule: belongs to one thread. Pure. In-place struct. Times are milliseconds of the caller's clock. Strings are
 *  copied, and what is handed out lives until the next put or expire.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/hash.h"

enum {
    RM_SERVICE_NAME_BYTES_MAX = 256,
    RM_SERVICE_ADDRESS_BYTES_MAX = 64,
    RM_SERVICE_KEY_BYTES_MAX = RM_SERVICE_ADDRESS_BYTES_MAX + RM_SERVICE_NAME_BYTES_MAX + 8,
    RM_SERVICE_SHARE = 2, /* an address may have one part in so many of what there is room for */
};

/* What services are listed and sorted by. */
typedef enum {
    RM_SERVICE_TYPE,
    RM_SERVICE_PROJECT,
    RM_SERVICE_NAME,
    RM_SERVICE_OWNER,
    RM_SERVICE_ADDRESS,
    RM_SERVICE_VERSION,
    RM_SERVICE_TEXTS, /* those above are texts */
    RM_SERVICE_PORT = RM_SERVICE_TEXTS,
    RM_SERVICE_HEARD, /* the newest first */
    RM_SERVICE_COLUMNS
} rm_service_column_t;

/* What was heard of a service. */
typedef struct {
    const char *texts[RM_SERVICE_TEXTS]; /* NULL: none. Address and name must be there */
    uint16_t port;                       /* 0: none */
    uint64_t lifetime_s;                 /* it asks to be forgotten sooner than others; 0: it does not */
    uint64_t heard_ms;
    const char *json; /* all of the record, for those who ask … */
    size_t json_bytes;
    const char *plain; /* … and as lines of text */
    size_t plain_bytes;
} rm_service_said_t;

typedef struct {
    uint32_t count;
    uint64_t bytes;
} rm_service_sum_t;

typedef struct rm_service {
    const char *texts[RM_SERVICE_TEXTS]; /* "" where there is none */
    uint16_t port;
    uint64_t heard_ms, expires_ms;
    const char *json, *plain;
    size_t json_bytes, plain_bytes;
    struct rm_service_sender *sender;
    size_t bytes; /* of memory */
    UT_hash_handle hh;
    char key[RM_SERVICE_KEY_BYTES_MAX + 1]; /* address:port:name */
} rm_service_t;

typedef struct {
    uint32_t count_max; /* services */
    uint64_t bytes_max; /* that they take in memory */
    uint32_t lifetime_s;
} rm_services_limits_t;

typedef struct {
    rm_services_limits_t limits;
    rm_service_t *all;                 /* in the order in which they were first heard of */
    struct rm_service_sender *senders; /* addresses */
    rm_service_sum_t sum;
    uint64_t changes; /* grows with each */
} rm_services_t;

void rm_services_init (rm_services_t *self, const rm_services_limits_t *limits);
void rm_services_close (rm_services_t *self);

/* Writes "address:port:name"; its size. `key` has room for RM_SERVICE_KEY_BYTES_MAX + 1. */
size_t rm_service_key (char *key, const char *address, uint16_t port, const char *name);

/* It was heard of: what was known of it before is replaced. 0, RM_EINVAL (no address or name, or too long), RM_EBUSY
 * (no room for it, or for more of its address), RM_ENOMEM. `why_p`, if not NULL, gets a literal sentence. On an error
 * nothing has changed. */
int rm_services_put (rm_services_t *self, const rm_service_said_t *said, const char **why_p);

/* Forgets those whose time is over; how many. */
uint32_t rm_services_expire (rm_services_t *self, uint64_t now_ms);

/* NULL: there is none. */
const rm_service_t *rm_services_find (const rm_services_t *self, const char *key);

/* All of them in the order of `column`, those that are equal by name and key; `down` turns it round. To be freed by
 * rm_free; NULL: there are none, or memory ran out. */
const rm_service_t **rm_services_sorted (const rm_services_t *self, rm_service_column_t column, bool down);
