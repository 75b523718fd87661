/*  The arguments of an RPC, as a stranger may send them: whatever the bytes are, reading them answers, keeps no memory of
 *  what it refuses, and what it takes is written and read again as the same; whatever a signature is, checking against it
 *  answers.
 */
#include <stdlib.h>
#include <string.h>

#include "counting_alloc.h"
#include "fuzz.h"
#include "proto/rpc_values.h"
#include "ringmaster/error.h"

/* A value takes 24 bytes, and what is kept has a NUL behind it. */
enum { BYTES_A_BYTE = 32, BYTES_ANYHOW = 4096 };

static void there_and_back (const rm_rpc_values_t *values)
{
    rm_buf_t frame = {0};
    rm_rpc_values_t again;
    CLAIM (!rm_rpc_values_write (values->all, values->count, &frame));
    CLAIM (!rm_rpc_values_read (&again, (rm_bytes_t){frame.data, (uint32_t)frame.size}));
    CLAIM (again.count == values->count);
    for (size_t i = 0; i < values->count; i++) {
        const rm_rpc_value_t *a = &values->all[i], *b = &again.all[i];
        CLAIM (a->type == b->type);
        if (memchr ("sbm", a->type, 3)) {
            CLAIM (a->bytes.size == b->bytes.size && !memcmp (a->bytes.data, b->bytes.data, a->bytes.size));
            CLAIM (!((const char *)a->bytes.data)[a->bytes.size], "no NUL behind it");
        } else if (a->type == 'i')
            CLAIM (a->number == b->number);
    }
    rm_rpc_values_close (&again);
    rm_buf_close (&frame);
}

/* Checks them against the signature that their own types are: it must fit; and against one from the input. */
static void check (rm_rpc_values_t *values, const uint8_t *data, size_t size)
{
    rm_rpc_signature_t signature;
    const char *reason = NULL;
    char text[64] = "", why[64] = "";
    size_t count = values->count < 60 ? values->count : 60;
    for (size_t i = 0; i < count; i++)
        text[i] = values->all[i].type == 'm' ? 'a' : values->all[i].type;
    CLAIM (!rm_rpc_signature_parse (&signature, text, &reason));
    CLAIM (!rm_rpc_types_check (&signature.args, values->all, count, "f takes", "argument", why, sizeof why), "%s",
           why);
    char *given = fuzz_text (data, size < 100 ? size : 100);
    if (!rm_rpc_signature_parse (&signature, given, &reason))
        (void)rm_rpc_types_check (&signature.args, values->all, values->count, "f takes", "argument", why, sizeof why);
    else
        CLAIM (reason && *reason);
    free (given);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    rm_rpc_values_t values;
    count_allocations (-1);
    int rc = rm_rpc_values_read (&values, (rm_bytes_t){data, (uint32_t)size});
    CLAIM (counted.most <= size * BYTES_A_BYTE + BYTES_ANYHOW, "%zu bytes for %zu", counted.most, size);
    CLAIM (!rc || rc == RM_EPROTO);
    if (!rc) {
        there_and_back (&values);
        check (&values, data, size);
        rm_rpc_values_close (&values);
    }
    CLAIM (!counted.blocks, "%ld blocks are lost", counted.blocks);
    count_no_more ();
    return 0;
}
