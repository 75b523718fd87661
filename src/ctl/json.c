#include "ctl/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void rm_ctl_json_print (json_t *document)
{
    json_dumpf (document, stdout, JSON_COMPACT);
    putchar ('\n');
    fflush (stdout);
    json_decref (document);
}

static json_t *base64 (const uint8_t *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = (size + 2) / 3 * 4, at = 0;
    char *text = malloc (length + 1);
    if (!text)
        return NULL;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t three = (uint32_t)data[i] << 16 | (left > 1 ? data[i + 1] << 8 : 0) | (left > 2 ? data[i + 2] : 0);
        text[at++] = digits[three >> 18];
        text[at++] = digits[three >> 12 & 63];
        text[at++] = left > 1 ? digits[three >> 6 & 63] : '=';
        text[at++] = left > 2 ? digits[three & 63] : '=';
    }
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
