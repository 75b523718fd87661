#include "proto/rpc_values.h"

#include <msgpack/pack.h>
#include <stdio.h>
#include <string.h>

#include "proto/alloc.h"
#include "proto/scan.h"

/* ---- signatures -------------------------------------------------------------------------------------------------- */

static const char *parse_types (rm_rpc_types_t *self, const char **text)
{
    *self = (rm_rpc_types_t){0};
    for (; **text && **text != ':'; ++*text) {
        if (self->many)
            return "in a signature, nothing follows a '*' but the result's ':'";
        if (**text == '*' && self->count) {
            self->many = true;
            continue;
        }
        if (!strchr ("idtsba", **text))
            return "a signature is made of i, d, t, s, b, a, one ':' before the result, and a '*' behind a last type";
        if (self->count == RM_RPC_TYPES_MAX)
            return "a signature has at most 64 types on either side: use '*' for more of the same";
        self->each[self->count++] = **text;
    }
    return NULL;
}

int rm_rpc_signature_parse (rm_rpc_signature_t *self, const char *text, const char **why)
{
    *self = (rm_rpc_signature_t){0};
    const char *wrong = parse_types (&self->args, &text);
    if (!wrong && *text == ':') {
        text++;
        wrong = parse_types (&self->result, &text);
    }
    if (!wrong && *text)
        wrong = "a signature has one ':'";
    *why = wrong;
    return wrong ? RM_EINVAL : 0;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static double real_of (uint64_t bits, bool wide)
{
    double real;
    float narrow;
    uint32_t half = (uint32_t)bits;
    memcpy (&real, &bits, sizeof real);
    memcpy (&narrow, &half, sizeof narrow);
    return wide ? real : (double)narrow;
}

/* Copies bytes to `*room`, which moves on, and points the value there. */
static void keep (rm_rpc_value_t *value, char type, const uint8_t *at, size_t size, uint8_t **room)
{
    value->type = type;
    value->bytes.data = *room;
    value->bytes.size = size;
    if (size)
        memcpy (*room, at, size);
    (*room)[size] = 0;
    *room += size + 1;
}

/* Reads one element, which is known to be whole. */
static void read_value (rm_rpc_value_t *value, rm_cursor_t *cursor, uint8_t **room)
{
    const uint8_t *begin = cursor->at;
    rm_head_t head;
    rm_head_read (cursor, &head);
    if ((head.kind == RM_WIRE_UINT && head.value <= INT64_MAX) || head.kind == RM_WIRE_INT) {
        *value = (rm_rpc_value_t){.type = 'i', .number = (int64_t)head.value};
    } else if (head.kind == RM_WIRE_FLOAT) {
        *value = (rm_rpc_value_t){.type = 'd', .real = real_of (head.value, cursor->at - begin == 9)};
    } else if (head.kind == RM_WIRE_BOOL) {
        *value = (rm_rpc_value_t){.type = 't', .truth = head.value};
    } else if (head.kind == RM_WIRE_STR || head.kind == RM_WIRE_BIN) {
        keep (value, head.kind == RM_WIRE_STR ? 's' : 'b', cursor->at, (size_t)head.value, room);
        cursor->at += head.value;
    } else {
        cursor->at = begin;
        rm_scan_skip (cursor, RM_MESSAGE_DEPTH_MAX - 1);
        keep (value, 'm', begin, (size_t)(cursor->at - begin), room);
    }
}

int rm_rpc_values_read (rm_rpc_values_t *self, rm_bytes_t msgpack)
{
    *self = (rm_rpc_values_t){0};
    rm_cursor_t whole = {msgpack.data, (const uint8_t *)msgpack.data + msgpack.size}, cursor = whole;
    rm_head_t head;
    if (!msgpack.size || !rm_scan_skip (&whole, RM_MESSAGE_DEPTH_MAX) || whole.at != whole.end ||
        !rm_head_read (&cursor, &head) || head.kind != RM_WIRE_ARRAY || head.value > RM_RPC_VALUES_MAX)
        return RM_EPROTO;
    size_t count = (size_t)head.value;
    /* Each value takes at least a byte of its own, which becomes its NUL. */
    uint8_t *memory = rm_malloc (count * sizeof *self->all + msgpack.size + count + 1);
    if (!memory)
        return RM_ENOMEM;
    self->all = (rm_rpc_value_t *)(void *)memory;
    self->count = count;
    uint8_t *room = memory + count * sizeof *self->all;
    for (size_t i = 0; i < count; i++)
        read_value (&self->all[i], &cursor, &room);
    return 0;
}

void rm_rpc_values_close (rm_rpc_values_t *self)
{
    rm_free (self->all);
    *self = (rm_rpc_values_t){0};
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static int put (void *out, const char *data, size_t size)
{
    rm_buf_put (out, data, size);
    return 0;
}

/* One element, no more and no less, and not nested too deeply. */
static bool is_element (const rm_rpc_value_t *value)
{
    rm_cursor_t cursor = {value->bytes.data, (const uint8_t *)value->bytes.data + value->bytes.size};
    return value->bytes.size && rm_scan_skip (&cursor, RM_MESSAGE_DEPTH_MAX - 1) && cursor.at == cursor.end;
}

static int write_value (msgpack_packer *to, const rm_rpc_value_t *value, rm_buf_t *out)
{
    if (strchr ("sbm", value->type) &&
        (value->bytes.size > RM_PAYLOAD_BYTES_CEILING || (value->bytes.size && !value->bytes.data)))
        return value->bytes.data ? RM_ETOOBIG : RM_EINVAL;
    switch (value->type) {
    case 'i':
        return msgpack_pack_int64 (to, value->number);
    case 'd':
        return msgpack_pack_double (to, value->real);
    case 't':
        return value->truth ? msgpack_pack_true (to) : msgpack_pack_false (to);
    case 's':
        msgpack_pack_str (to, value->bytes.size);
        return msgpack_pack_str_body (to, value->bytes.data, value->bytes.size);
    case 'b':
        msgpack_pack_bin (to, value->bytes.size);
        return msgpack_pack_bin_body (to, value->bytes.data, value->bytes.size);
    default:
        if (value->type != 'm' || !is_element (value))
            return RM_EINVAL;
        rm_buf_put (out, value->bytes.data, value->bytes.size);
        return 0;
    }
}

int rm_rpc_values_write (const rm_rpc_value_t *values, size_t count, rm_buf_t *out)
{
    if (count > RM_RPC_VALUES_MAX)
        return RM_EINVAL;
    size_t begun = out->size;
    msgpack_packer to;
    msgpack_packer_init (&to, out, put);
    msgpack_pack_array (&to, count);
    for (size_t i = 0; i < count; i++) {
        int error = values[i].type ? write_value (&to, &values[i], out) : RM_EINVAL;
        if (error)
            return error;
        if (out->size - begun > RM_PAYLOAD_BYTES_CEILING)
            return RM_ETOOBIG;
    }
    return out->failed ? RM_ENOMEM : 0;
}

/* ---- types ------------------------------------------------------------------------------------------------------- */

static const char *name_of (char type)
{
    switch (type) {
    case 'i':
        return "an integer";
    case 'd':
        return "a floating-point number";
    case 't':
        return "true or false";
    case 's':
        return "text";
    case 'b':
        return "bytes";
    default:
        return "other MessagePack";
    }
}

static bool fits (char wanted, rm_rpc_value_t *value)
{
    if (wanted == 'd' && value->type == 'i')
        *value = (rm_rpc_value_t){.type = 'd', .real = (double)value->number};
    return wanted == 'a' || wanted == value->type;
}

int rm_rpc_types_check (const rm_rpc_types_t *self, rm_rpc_value_t *values, size_t count, const char *who,
                        const char *noun, char *why, size_t size)
{
    size_t least = self->count - self->many;
    if (count < least || (count > least && !self->many)) {
        snprintf (why, size, "%s %s%zu %s%s, not %zu", who, self->many ? "at least " : "", least, noun,
                  least == 1 ? "" : "s", count);
        return RM_EINVAL;
    }
    for (size_t i = 0; i < count; i++) {
        char wanted = self->each[i < self->count ? i : self->count - 1];
        if (fits (wanted, &values[i]))
            continue;
        snprintf (why, size, "%s %s as %s %zu, not %s", who, name_of (wanted), noun, i + 1, name_of (values[i].type));
        return RM_EINVAL;
    }
    return 0;
}
