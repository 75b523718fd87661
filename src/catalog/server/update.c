#include "catalog/server/update.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "proto/alloc.h"
#include "ringmaster/error.h"

static int refuse (const char **why_p, int error, const char *why)
{
    *why_p = why;
    return error;
}

/* How deep it goes, and of how many values it is made, is seen without a parser: brackets and commas outside of
 * strings. */
static int measure (const char *text, size_t size, const char **why_p)
{
    size_t depth = 0, values = 0;
    bool inside = false;
    for (const char *at = text, *end = text + size; at < end; at++) {
        if (inside) {
            at += *at == '\\';
            inside = at < end && *at != '"';
        } else if (*at == '"')
            inside = true;
        else if (*at == '{' || *at == '[')
            depth++, values++;
        else if (*at == '}' || *at == ']')
            depth -= depth > 0;
        else if (*at == ',')
            values++;
        if (depth > RM_UPDATE_DEPTH_MAX)
            return refuse (why_p, RM_ETOOBIG, "it is nested too deep");
    }
    return values <= RM_UPDATE_VALUES_MAX ? 0 : refuse (why_p, RM_ETOOBIG, "it has too many values");
}

static int parse (rm_update_t *self, const char *text, size_t size, const char **why_p)
{
    while (size && !text[size - 1]) /* some senders count the NUL of a C string */
        size--;
    int rc = measure (text, size, why_p);
    if (rc)
        return rc;
    json_error_t error;
    self->object = json_loadb (text, size, 0, &error);
    if (!self->object && json_error_code (&error) == json_error_out_of_memory)
        return refuse (why_p, RM_ENOMEM, "memory ran out");
    if (!json_is_object (self->object))
        return refuse (why_p, RM_EPROTO, "it is no JSON object");
    return 0;
}

/* Inflates into one block that is as large as anything may get, and never grows. */
static int inflate_and_parse (rm_update_t *self, const uint8_t *data, size_t size, const char **why_p)
{
    uLongf room = RM_UPDATE_BYTES_MAX;
    Bytef *text = rm_malloc (room);
    if (!text)
        return refuse (why_p, RM_ENOMEM, "memory ran out");
    int rc = uncompress (text, &room, data, size);
    if (rc == Z_OK)
        rc = parse (self, (const char *)text, room, why_p);
    else if (rc == Z_BUF_ERROR && room == RM_UPDATE_BYTES_MAX)
        rc = refuse (why_p, RM_ETOOBIG, "what is compressed in it is larger than 1 MiB");
    else
        rc = refuse (why_p, RM_EPROTO, "what should be compressed is not, or is cut off");
    rm_free (text);
    return rc;
}

int rm_update_read (rm_update_t *self, const void *data, size_t size, const char **why_p)
{
    const uint8_t *bytes = data;
    if (size > RM_UPDATE_BYTES_MAX)
        return refuse (why_p, RM_ETOOBIG, "it is larger than 1 MiB");
    int rc = size && *bytes == RM_UPDATE_COMPRESSED ? inflate_and_parse (self, bytes + 1, size - 1, why_p)
                                                    : parse (self, data, size, why_p);
    if (rc)
        rm_update_close (self);
    return rc;
}

bool rm_update_has_name (const rm_update_t *self)
{
    const char *name = json_string_value (json_object_get (self->object, "name"));
    return name && *name;
}

int rm_update_stamp (rm_update_t *self, const char *address, const char *name, uint64_t wall_s)
{
    bool named = rm_update_has_name (self);
    int rc = json_object_set_new (self->object, "address", json_string (address));
    if (!rc)
        rc = json_object_set_new (self->object, "lastheardfrom", json_integer ((json_int_t)wall_s));
    if (!rc && !named)
        rc = json_object_set_new (self->object, "name", json_string (name));
    return rc ? RM_ENOMEM : 0;
}

/* ---- as text ----------------------------------------------------------------------------------------------------- */

static void put_line (rm_buf_t *plain, const char *text)
{
    for (size_t size; *text; text += size) {
        for (size = 0; (unsigned char)text[size] >= ' ' && text[size] != 0x7f; size++)
            continue;
        rm_buf_put (plain, text, size);
        if (text[size]) {
            rm_buf_put (plain, " ", 1);
            size++;
        }
    }
}

void rm_update_plain (rm_buf_t *plain, const json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)object, name, value)
    {
        char *dumped = json_is_string (value) ? NULL : json_dumps (value, JSON_COMPACT | JSON_ENCODE_ANY);
        put_line (plain, name);
        rm_buf_put (plain, " ", 1);
        put_line (plain, json_is_string (value) ? json_string_value (value) : dumped ? dumped : "");
        rm_buf_put (plain, "\n", 1);
        free (dumped);
    }
}

/* ---- what it is about -------------------------------------------------------------------------------------------- */

/* A number from 0; 0 for anything else. */
static uint64_t count_of (const json_t *value)
{
    double number = json_number_value (value);
    return number >= 1 && number < 1e15 ? (uint64_t)number : 0;
}

int rm_update_describe (rm_update_t *self, const char **why_p)
{
    static const char *const names[RM_SERVICE_TEXTS] = {"type", "project", "name", "owner", "address", "version"};
    const json_t *port = json_object_get (self->object, "port");
    if (port && (!json_is_integer (port) || json_integer_value (port) < 0 || json_integer_value (port) > UINT16_MAX))
        return refuse (why_p, RM_EPROTO, "its port is no number from 0 to 65535");
    for (int i = 0; i < RM_SERVICE_TEXTS; i++)
        self->said.texts[i] = json_string_value (json_object_get (self->object, names[i]));
    self->said.port = (uint16_t)json_integer_value (port);
    self->said.lifetime_s = count_of (json_object_get (self->object, "lifetime"));
    rm_update_plain (&self->plain, self->object);
    self->json = json_dumps (self->object, JSON_COMPACT);
    if (!self->json || self->plain.failed)
        return refuse (why_p, RM_ENOMEM, "memory ran out");
    self->said.json = self->json;
    self->said.json_bytes = strlen (self->json);
    self->said.plain = (const char *)self->plain.data;
    self->said.plain_bytes = self->plain.size;
    return 0;
}

void rm_update_close (rm_update_t *self)
{
    json_decref (self->object);
    free (self->json);
    rm_buf_close (&self->plain);
    *self = (rm_update_t){0};
}
