/*  What a service says of itself: a JSON object, or, behind a first byte 0x1A, one that zlib has compressed.
 *
 *  Nothing that comes is believed to be small: what is inflated, how deep it is nested and of how many values it is
 *  made is bounded before a parser sees it.
 *  Thread rule: an update belongs to one thread.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "core/services.h"
#include "proto/buf.h"

enum {
    RM_UPDATE_PACKET_BYTES_MAX = 64 << 10, /* over UDP */
    RM_UPDATE_BYTES_MAX = 1 << 20,         /* over TCP, and inflated */
    RM_UPDATE_DEPTH_MAX = 16,
    RM_UPDATE_VALUES_MAX = 20000,
    RM_UPDATE_COMPRESSED = 0x1A /* the first byte */
};

/* In-place struct: `rm_update_t update = {0};` is empty and valid. */
typedef struct {
    json_t *object;
    rm_service_said_t said; /* points into the rest */
    char *json;
    rm_buf_t plain;
} rm_update_t;

/* Reads what came. 0, RM_EPROTO, RM_ETOOBIG, RM_ENOMEM; `why_p` gets a literal sentence. */
int rm_update_read (rm_update_t *self, const void *data, size_t size, const char **why_p);

/* Writes into it who sent it and when (seconds since 1970); and `name`, where it gave none. 0 or RM_ENOMEM. */
int rm_update_stamp (rm_update_t *self, const char *address, const char *name, uint64_t wall_s);

/* True if the sender gave its name. */
bool rm_update_has_name (const rm_update_t *self);

/* Fills in `said`, all but its time. 0, RM_EPROTO, RM_ENOMEM; `why_p` as above. */
int rm_update_describe (rm_update_t *self, const char **why_p);

/* Frees it; it is empty and valid afterwards. */
void rm_update_close (rm_update_t *self);

/* Appends a record as lines "NAME VALUE", a line a member. What would end a line, or is no character, is a space. */
void rm_update_plain (rm_buf_t *plain, const json_t *object);
