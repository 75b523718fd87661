#include "rpc/answer.h"

#include <string.h>

#include "proto/alloc.h"
#include "proto/rpc_values.h"

struct rm_rpc_answer {
    uint64_t id;
    int error, code;
    rm_rpc_values_t values;
    char text[]; /* the error as a sentence */
};

static rm_rpc_answer_t *answer_new (uint64_t id, int error, int code, rm_bytes_t text)
{
    rm_rpc_answer_t *self = rm_calloc (1, sizeof *self + text.size + 1);
    if (!self)
        return NULL;
    self->id = id;
    self->error = error;
    self->code = code;
    for (uint32_t i = 0; i < text.size; i++) { /* whatever the wire brought, it is one line of text */
        unsigned char byte = ((const unsigned char *)text.data)[i];
        self->text[i] = byte < 0x20 || byte == 0x7f ? ' ' : (char)byte;
    }
    return self;
}

rm_rpc_answer_t *rm_rpc_answer_error_of (int error, const char *text, uint64_t id)
{
    return answer_new (id, error, 0, rm_bytes (*text ? text : rm_strerror (error)));
}

rm_rpc_answer_t *rm_rpc_answer_of (const rm_msg_t *reply, uint64_t id)
{
    if (reply->type == RM_MSG_RPC_ERROR) {
        const rm_msg_rpc_error_t *error = &reply->rpc_error;
        int code = error->code >= RM_EFAILED ? error->code : RM_EPROTO;
        return answer_new (id, code, (int)error->fault, error->text.size ? error->text : rm_bytes (rm_strerror (code)));
    }
    rm_rpc_answer_t *self = answer_new (id, 0, 0, rm_bytes (""));
    int error = self ? rm_rpc_values_read (&self->values, reply->rpc_result.values) : 0;
    if (error) {
        rm_rpc_answer_destroy (&self);
        self =
            rm_rpc_answer_error_of (error, error == RM_EPROTO ? "the server's result is no array of values" : "", id);
    }
    return self;
}

const char *rm_rpc_call_check (const char *name, const rm_rpc_value_t *values, size_t count, rm_buf_t *args, int *error)
{
    *error = RM_EINVAL;
    if (!name || !rm_name_valid (rm_bytes (name)))
        return "a function's name is 1 to 128 printable characters without white space, '/' or '\"'";
    *error = rm_rpc_values_write (values, count, args);
    if (*error == RM_EINVAL)
        return "an argument is a value that cannot be, or there are more than 4096";
    if (*error == RM_ETOOBIG)
        return "the arguments are more than 16 MiB";
    return *error ? rm_strerror (*error) : NULL;
}

int rm_rpc_answer_error (const rm_rpc_answer_t *self)
{
    return self->error;
}

int rm_rpc_answer_code (const rm_rpc_answer_t *self)
{
    return self->code;
}

const char *rm_rpc_answer_error_text (const rm_rpc_answer_t *self)
{
    return self->text;
}

uint64_t rm_rpc_answer_id (const rm_rpc_answer_t *self)
{
    return self->id;
}

size_t rm_rpc_answer_count (const rm_rpc_answer_t *self)
{
    return self->values.count;
}

const rm_rpc_value_t *rm_rpc_answer_value (const rm_rpc_answer_t *self, size_t n)
{
    return n < self->values.count ? &self->values.all[n] : NULL;
}

/* The value if it is of that type. */
static const rm_rpc_value_t *value_of (const rm_rpc_answer_t *self, size_t n, char type)
{
    const rm_rpc_value_t *value = rm_rpc_answer_value (self, n);
    return value && value->type == type ? value : NULL;
}

int64_t rm_rpc_answer_int (const rm_rpc_answer_t *self, size_t n)
{
    const rm_rpc_value_t *value = value_of (self, n, 'i');
    return value ? value->number : 0;
}

double rm_rpc_answer_real (const rm_rpc_answer_t *self, size_t n)
{
    const rm_rpc_value_t *value = value_of (self, n, 'd');
    return value ? value->real : 0;
}

bool rm_rpc_answer_bool (const rm_rpc_answer_t *self, size_t n)
{
    const rm_rpc_value_t *value = value_of (self, n, 't');
    return value && value->truth;
}

const char *rm_rpc_answer_text (const rm_rpc_answer_t *self, size_t n)
{
    const rm_rpc_value_t *value = value_of (self, n, 's');
    return value ? value->bytes.data : "";
}

const void *rm_rpc_answer_bytes (const rm_rpc_answer_t *self, size_t n, size_t *size_p)
{
    const rm_rpc_value_t *value = rm_rpc_answer_value (self, n);
    bool has = value && memchr ("sbm", value->type, 3);
    if (size_p)
        *size_p = has ? value->bytes.size : 0;
    return has ? value->bytes.data : "";
}

void rm_rpc_answer_destroy (rm_rpc_answer_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    rm_rpc_values_close (&(*self_p)->values);
    rm_free (*self_p);
    *self_p = NULL;
}
