#include "ctl/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base64.h"

void rm_ctl_json_print (json_t *document)
{
    json_dumpf (document, stdout, JSON_COMPACT);
    putchar ('\n');
    fflush (stdout);
    json_decref (document);
}

static json_t *base64 (const void *data, size_t size)
{
    size_t length = rm_base64_size (size);
    char *text = malloc (length + 1);
    if (!text)
        return NULL;
    rm_base64_write (text, data, size);
    json_t *string = json_stringn (text, length);
    free (text);
    return string;
}

void rm_ctl_json_set_bytes (json_t *object, const char *name, const void *data, size_t size)
{
    char encoded[64];
    json_t *string = json_stringn (size ? data : "", size);
    if (string) {
        json_object_set_new (object, name, string);
        return;
    }
    snprintf (encoded, sizeof encoded, "%s_base64", name);
    json_object_set_new (object, encoded, base64 (data, size));
}

json_t *rm_ctl_json_inc (uint64_t inc)
{
    return inc ? json_sprintf ("%016" PRIx64, inc) : json_null ();
}
