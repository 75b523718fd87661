/*  What a service says to the catalog, as it comes from the network: read, stamped, kept and shown.
 *
 *  Whatever it is, it is refused with a word, or it becomes a record whose pages are what they should be: JSON that can be
 *  read, lines that cannot be told from others, and no markup that is not ours.
 */
#include <jansson.h>
#include <string.h>

#include "catalog/server/page.h"
#include "catalog/server/update.h"
#include "fuzz.h"
#include "ringmaster/error.h"

static const rm_services_limits_t limits = {10, 8 << 20, 900};

static const char *text_of (rm_buf_t *body)
{
    rm_buf_put (body, "", 1);
    CLAIM (!body->failed);
    return (const char *)body->data;
}

static void check_json (const rm_services_t *services)
{
    rm_buf_t body = {0};
    rm_page_json (&body, services);
    json_t *array = json_loads (text_of (&body), 0, NULL), *object = json_array_get (array, 0);
    CLAIM (json_array_size (array) == 1, "%s", (char *)body.data);
    CLAIM (!strcmp (json_string_value (json_object_get (object, "address")), "10.0.0.1"));
    CLAIM (json_integer_value (json_object_get (object, "lastheardfrom")) == 1700000000);
    CLAIM (*json_string_value (json_object_get (object, "name")));
    json_decref (array);
    rm_buf_close (&body);
}

/* A line for each member, and an empty one. */
static void check_text (const rm_services_t *services, size_t members)
{
    rm_buf_t body = {0};
    size_t lines = 0;
    rm_page_text (&body, services);
    for (const char *at = text_of (&body); *at; at++) {
        lines += *at == '\n';
        CLAIM (*at == '\n' || ((unsigned char)*at >= ' ' && *at != 0x7f));
    }
    CLAIM (lines == members + 1, "%zu lines of %zu members", lines, members);
    rm_buf_close (&body);
}

/* A tag is one of ours: none of what was said begins one. */
static void check_html (const rm_services_t *services)
{
    static const char *const ours[] = {"!DOCTYPE", "html",  "head",  "meta", "title", "style", "body",       "h1", "p>",
                                       "table",    "thead", "tbody", "tr",   "th",    "td",    "a href=\"/", "a>"};
    rm_buf_t body = {0};
    CLAIM (rm_page_table (&body, services, 2000, ""));
    rm_page_detail (&body, services->all, 2000);
    for (const char *at = text_of (&body); (at = strchr (at, '<'));) {
        at += at[1] == '/' ? 2 : 1;
        size_t i = 0;
        while (i < sizeof ours / sizeof *ours && strncmp (at, ours[i], strlen (ours[i])))
            i++;
        CLAIM (i < sizeof ours / sizeof *ours, "<%.20s", at);
    }
    rm_buf_close (&body);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    rm_update_t update = {0};
    rm_services_t services;
    const char *why = NULL;
    rm_services_init (&services, &limits);
    int rc = rm_update_read (&update, data, size, &why);
    if (!rc) {
        CLAIM (!rm_update_stamp (&update, "10.0.0.1", "host", 1700000000));
        rc = rm_update_describe (&update, &why);
    }
    if (!rc) {
        update.said.heard_ms = 1000;
        rc = rm_services_put (&services, &update.said, &why);
    }
    CLAIM (!rc || why, "refused without a word");
    if (!rc) {
        check_json (&services);
        check_text (&services, json_object_size (update.object));
        check_html (&services);
    }
    rm_update_close (&update);
    rm_services_close (&services);
    return 0;
}
