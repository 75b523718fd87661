/*  Where the hash table of a project is. */
#pragma once

/* Whether WHERE is an endpoint or the name of a project, which the catalogs are asked for: the endpoint, or NULL after a
 * sentence on stderr. It lives until the next call. */
const char *found (const char *program, const char *where, const char *catalogs);
