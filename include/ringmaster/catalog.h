/*  Finding services by name: a service announces itself at a catalog (ringcatalog, or a catalog server of Notre Dame),
 *  and whoever looks for it asks there. (docs/catalog.md)
 *
 *      char masters[RM_CATALOG_BYTES_MAX];
 *      if (rm_catalog_find (NULL, "ringmaster", "thumbs", 10000, masters, sizeof masters) > 0)
 *          client = rm_client_new (masters);
 *
 *  What a catalog says is a hint: anyone may have said it. It gives an address to try, and nothing to trust.
 *
 *  Catalogs are written "HOST[:PORT],…" (port 9097, or $CATALOG_PORT); NULL: what the environment's CATALOG_HOST says.
 *  Thread rule: an announcer belongs to one thread, and has a thread of its own; rm_catalog_find from any thread.
 */
#pragma once

#include <stddef.h>

#include <ringmaster/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RM_CATALOG_FOUND_MAX = 16,                        /* services that are found at once */
    RM_CATALOG_BYTES_MAX = RM_CATALOG_FOUND_MAX * 257 /* that they take as a text */
};

/* Looks at a list of catalogs, as it may stand in a command line, without asking them. 0, or RM_EINVAL: `why` gets the
 * sentence for a person, cut to `size`. */
RM_EXPORT int rm_catalog_check (const char *catalogs, char *why, size_t size);

typedef struct rm_announcer rm_announcer_t;

/* What a service says of itself. Strings are copied. */
typedef struct {
    const char *type;    /* what it is: "hashtable" */
    const char *project; /* what it is looked for by */
    unsigned port;       /* where it listens; 0: nowhere */
    const char *name;    /* NULL: this machine's */
    const char *owner;   /* NULL: whose process this is */
    const char *version; /* NULL: none */
    const char
        *from; /* the address of this machine that it listens on, to be the one that others are told; NULL: whichever
                            leads to the catalog */
} rm_announcement_t;

/* Says it at every catalog at once, a moment later and then every minute, over UDP. A catalog that is away harms
 * nothing; it hears the next one. NULL with errno EINVAL (no catalog is said or it is not one, no type or project, or
 * what is no UTF-8), ENOMEM or EAGAIN. */
RM_EXPORT rm_announcer_t *rm_announcer_new (const char *catalogs, const rm_announcement_t *what);
/* Says it no more, and once that it is gone; does not wait. Nulls the pointer, takes NULL. */
RM_EXPORT void rm_announcer_destroy (rm_announcer_t **self_p);

/* Looks for the services of `type` and `project` until one is known or `timeout_ms` is over: the first catalog that
 * knows any is believed. Writes where they are, "tcp://HOST:PORT,…", the one that was heard of last first, into
 * `found`; on an error the sentence for a person, cut to `size`.
 * How many; RM_EUNKNOWN (a catalog answered, and knows none), RM_EUNREACHABLE (none answered), RM_EINVAL (no catalog is
 * said, or it is not one), RM_ENOMEM, RM_ETOOBIG (not even one fits into `size`). */
RM_EXPORT int rm_catalog_find (const char *catalogs, const char *type, const char *project, int timeout_ms, char *found,
                               size_t size);

#ifdef __cplusplus
}
#endif
