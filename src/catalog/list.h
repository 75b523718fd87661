/*  Catalogs as people write them, and what one of them answers.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include "net/endpoint.h"

/* Reads "HOST[:PORT],…"; NULL: what $CATALOG_HOST says. `list` has room for RM_ENDPOINTS_MAX. How many, or
 * RM_EINVAL. */
int rm_catalog_list (rm_endpoint_t *list, const char *text, rm_fault_t *fault);

/* Reads the answer to /query.json for the services of `type` and `project`, the one that was heard of last first, into
 * `list`, which has room for RM_ENDPOINTS_MAX. How many, RM_EPROTO (it is no such answer). */
int rm_catalog_read (rm_endpoint_t *list, const char *json, size_t size, const char *type, const char *project);
