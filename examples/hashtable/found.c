#include "found.h"

#include <stdio.h>
#include <string.h>

#include <ringmaster/catalog.h>

enum { TIMEOUT_MS = 10 * 1000 };

const char *found (const char *program, const char *where, const char *catalogs)
{
    static char servers[RM_CATALOG_BYTES_MAX];
    if (strstr (where, "://"))
        return where;
    int count = rm_catalog_find (catalogs, "hashtable", where, TIMEOUT_MS, servers, sizeof servers);
    if (count < 0) {
        fprintf (stderr, "%s: %s\n", program, servers);
        return NULL;
    }
    char *comma = strchr (servers, ',');
    if (comma)
        *comma = '\0'; /* the one that was heard of last; the others have tables of their own */
    return servers;
}
