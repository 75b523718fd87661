/*  JSON as ringctl prints them.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Prints a document as one line, at once, and frees it. */
void rm_ctl_json_print (json_t *document);

/* Sets a member to bytes: as a string if they are UTF-8, else as "NAME_base64". */
void rm_ctl_json_set_bytes (json_t *object, const char *name, const void *data, size_t size);

/* An incarnation as JSON: 16 hex digits; null for 0, nobody. */
json_t *rm_ctl_json_inc (uint64_t inc);
