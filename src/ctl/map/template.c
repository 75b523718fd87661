#include "ctl/map/template.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/alloc.h"
#include "ringmaster/error.h"

typedef enum { WHOLE, NO_SUFFIX, BASE, DIRECTORY, BASE_NO_SUFFIX, NUMBER } form_t;

/* A place in a template. */
typedef struct {
    form_t form;
    int64_t source; /* from 1, from the end below 0; 0: all */
    size_t size;    /* of its text */
} place_t;

/* ---- places ----------------------------------------------------------------------------------------------------- */

/* Reads the place that `text` begins with; false: it begins with none. */
static bool read_place (const char *text, place_t *place)
{
    static const struct {
        const char *text;
        form_t form;
    } forms[] = {{"}", WHOLE},       {".}", NO_SUFFIX},       {"/}", BASE},
                 {"//}", DIRECTORY}, {"/.}", BASE_NO_SUFFIX}, {"#}", NUMBER}};
    if (*text != '{')
        return false;
    const char *at = text + 1;
    *place = (place_t){0};
    bool back = *at == '-';
    at += back;
    size_t digits = strspn (at, "0123456789");
    if (digits > 9 || (back && !digits))
        return false;
    for (size_t i = 0; i < digits; i++)
        place->source = 10 * place->source + (*at++ - '0');
    if (digits && !place->source)
        return false;
    place->source = back ? -place->source : place->source;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t size = strlen (forms[i].text);
        if (strncmp (at, forms[i].text, size) || (digits && forms[i].form == NUMBER))
            continue;
        place->form = forms[i].form;
        place->size = (size_t)(at - text) + size;
        return true;
    }
    return false;
}

static bool has_place (const char *text)
{
    place_t place;
    for (; *text; text++)
        if (read_place (text, &place))
            return true;
    return false;
}

/* ---- forms ------------------------------------------------------------------------------------------------------ */

/* As perl's dirname has it: "." without a slash, "/" at the root, slashes at the end do not count. */
static size_t directory_size (const char *text)
{
    size_t size = strlen (text), base = size;
    while (base && text[base - 1] != '/')
        base--;
    if (base == size) { /* it ends with slashes: the part before them is the name */
        while (base && text[base - 1] == '/')
            base--;
        if (!base)
            return size ? 1 : 0;
        while (base && text[base - 1] != '/')
            base--;
    }
    size_t end = base;
    while (end && text[end - 1] == '/')
        end--;
    return end ? end : base ? 1 : 0;
}

/* The part of `text` that a form means; "." stands for no directory. */
static rm_buf_t part_of (const char *text, form_t form)
{
    rm_buf_t part = {0};
    const char *slash = strrchr (text, '/');
    const char *from = (form == BASE || form == BASE_NO_SUFFIX) && slash ? slash + 1 : text;
    size_t size = strlen (from);
    if (form == NO_SUFFIX || form == BASE_NO_SUFFIX) {
        const char *dot = strrchr (from, '.');
        if (dot && !strchr (dot, '/'))
            size = (size_t)(dot - from);
    } else if (form == DIRECTORY) {
        size = directory_size (text);
        if (!size) {
            from = ".";
            size = 1;
        }
    }
    rm_buf_put (&part, from, size);
    rm_buf_put (&part, "", 1);
    return part;
}

void rm_map_quote (const char *text, rm_buf_t *to)
{
    static const char safe[] = "-_.+/0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (*text && !text[strspn (text, safe)]) {
        rm_buf_put (to, text, strlen (text));
        return;
    }
    if (!*text)
        rm_buf_put (to, "''", 2);
    while (*text) {
        size_t plain = strcspn (text, "'");
        if (plain) {
            rm_buf_put (to, "'", 1);
            rm_buf_put (to, text, plain);
            rm_buf_put (to, "'", 1);
        } else {
            plain = 1;
            rm_buf_put (to, "\"'\"", 3);
            if (text[1] == '\'') /* as parallel writes it */
                rm_buf_put (to, "''", 2);
        }
        text += plain;
    }
}

/* ---- the template ----------------------------------------------------------------------------------------------- */

int rm_map_template_init_plain (rm_map_template_t *self, const char *text)
{
    *self = (rm_map_template_t){.plain = true, .text = rm_strndup (text, strlen (text))};
    return self->text ? 0 : RM_ENOMEM;
}

int rm_map_template_init (rm_map_template_t *self, char *const *words, size_t count)
{
    if (!count)
        return rm_map_template_init_plain (self, "{}");
    rm_buf_t text = {0};
    *self = (rm_map_template_t){0};
    for (size_t i = 0; i < count; i++) {
        rm_buf_put (&text, " ", i ? 1 : 0);
        rm_buf_put (&text, words[i], strlen (words[i]));
    }
    size_t size = text.size;
    rm_buf_put (&text, " {}", sizeof " {}");
    if (text.failed) {
        rm_buf_close (&text);
        return RM_ENOMEM;
    }
    self->text = (char *)text.data;
    self->text[size] = 0;
    if (!has_place (self->text))
        self->text[size] = ' ';
    return 0;
}

void rm_map_template_close (rm_map_template_t *self)
{
    rm_free (self->text);
    self->text = NULL;
}

static void put_value (const rm_map_template_t *self, const char *value, form_t form, rm_buf_t *to)
{
    rm_buf_t part = part_of (value, form);
    if (part.failed)
        to->failed = true;
    else if (self->plain)
        rm_buf_put (to, part.data, part.size - 1);
    else
        rm_map_quote ((const char *)part.data, to);
    rm_buf_close (&part);
}

static void put_place (const rm_map_template_t *self, const place_t *place, const char *const *values, size_t count,
                       uint64_t number, rm_buf_t *to)
{
    char digits[24];
    if (place->form == NUMBER) {
        rm_buf_put (to, digits, (size_t)snprintf (digits, sizeof digits, "%" PRIu64, number));
        return;
    }
    int64_t source = place->source < 0 ? (int64_t)count + 1 + place->source : place->source;
    if (source) {
        if (source > 0 && source <= (int64_t)count)
            put_value (self, values[source - 1], place->form, to);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        rm_buf_put (to, " ", i ? 1 : 0);
        put_value (self, values[i], place->form, to);
    }
}

void rm_map_template_expand (const rm_map_template_t *self, const char *const *values, size_t count, uint64_t number,
                             rm_buf_t *to)
{
    place_t place;
    for (const char *at = self->text; *at;) {
        if (read_place (at, &place)) {
            put_place (self, &place, values, count, number, to);
            at += place.size;
        } else {
            rm_buf_put (to, at++, 1);
        }
    }
    rm_buf_put (to, "", 1);
}
