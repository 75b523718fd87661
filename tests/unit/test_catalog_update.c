/*  What services say of themselves: read with bounds, stamped, and shown without becoming anything but text. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "catalog/server/page.h"
#include "catalog/server/update.h"
#include "ringmaster/error.h"

static int read_text (rm_update_t *update, const char *text)
{
    const char *why = NULL;
    int rc = rm_update_read (update, text, strlen (text), &why);
    cr_assert (rc == 0 || why);
    return rc;
}

static void assert_json (const char *text, const char *name, const char *expected)
{
    rm_update_t update = {0};
    const char *why;
    cr_assert_eq (read_text (&update, text), 0);
    cr_assert_eq (rm_update_stamp (&update, "10.0.0.1", name, 1700000000), 0);
    cr_assert_eq (rm_update_describe (&update, &why), 0);
    cr_assert_str_eq (update.said.json, expected);
    rm_update_close (&update);
}

Test (catalog_update, who_sent_it_and_when_is_written_over_what_it_says)
{
    assert_json ("{\"type\":\"t\"}", "host",
                 "{\"type\":\"t\",\"address\":\"10.0.0.1\",\"lastheardfrom\":1700000000,\"name\":\"host\"}");
    assert_json ("{\"address\":\"1.1.1.1\",\"lastheardfrom\":9,\"name\":\"own\"}", "host",
                 "{\"address\":\"10.0.0.1\",\"lastheardfrom\":1700000000,\"name\":\"own\"}");
    assert_json ("{\"name\":\"\"}", "host",
                 "{\"name\":\"host\",\"address\":\"10.0.0.1\",\"lastheardfrom\":1700000000}");
    assert_json ("{\"name\":7}", "host", "{\"name\":\"host\",\"address\":\"10.0.0.1\",\"lastheardfrom\":1700000000}");
}

Test (catalog_update, what_it_is_about_is_read)
{
    rm_update_t update = {0};
    const char *why;
    cr_assert_eq (read_text (&update, "{\"type\":\"hashtable\",\"project\":\"p\",\"owner\":\"o\",\"port\":1234,"
                                      "\"lifetime\":60.5,\"version\":2}"),
                  0);
    cr_assert_eq (rm_update_stamp (&update, "::1", "host", 1), 0);
    cr_assert_eq (rm_update_describe (&update, &why), 0);
    cr_assert_str_eq (update.said.texts[RM_SERVICE_TYPE], "hashtable");
    cr_assert_str_eq (update.said.texts[RM_SERVICE_PROJECT], "p");
    cr_assert_str_eq (update.said.texts[RM_SERVICE_ADDRESS], "::1");
    cr_assert_str_eq (update.said.texts[RM_SERVICE_NAME], "host");
    cr_assert_null (update.said.texts[RM_SERVICE_VERSION], "a number is no text");
    cr_assert_eq (update.said.port, 1234);
    cr_assert_eq (update.said.lifetime_s, 60);
    rm_update_close (&update);
    cr_assert_eq (read_text (&update, "{\"lifetime\":-5}"), 0);
    cr_assert_eq (rm_update_describe (&update, &why), 0);
    cr_assert_eq (update.said.lifetime_s, 0);
    rm_update_close (&update);
}

Test (catalog_update, a_port_that_is_none_is_refused)
{
    static const char *const texts[] = {"{\"port\":65536}", "{\"port\":-1}", "{\"port\":\"80\"}", "{\"port\":1.5}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        rm_update_t update = {0};
        const char *why = "";
        cr_assert_eq (read_text (&update, texts[i]), 0);
        cr_assert_eq (rm_update_describe (&update, &why), RM_EPROTO, "%s", texts[i]);
        cr_assert (strstr (why, "port"));
        rm_update_close (&update);
    }
}

Test (catalog_update, garbage_is_refused)
{
    static const char *const texts[] = {"",
                                        "x",
                                        "[]",
                                        "null",
                                        "{",
                                        "{}x",
                                        "{\"a\":}",
                                        "{\"a\":\"\\u0000\"}",
                                        "{\"a\":\"\xff\"}",
                                        "GET / HTTP/1.0\r\n\r\n",
                                        "\x1a",
                                        "\x1a{}",
                                        "\x1ax\x9c"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        rm_update_t update = {0};
        cr_assert_eq (read_text (&update, texts[i]), RM_EPROTO, "%s", texts[i]);
        cr_assert_null (update.object);
    }
    rm_update_t update = {0};
    const char *why;
    cr_assert_eq (rm_update_read (&update, "{}\n\0\0", 5, &why), 0, "NULs behind it are the sender's C string");
    rm_update_close (&update);
}

/* `text` behind the byte that says it is compressed. To be freed. */
static uint8_t *compressed (const char *text, size_t size, size_t *packed)
{
    uLongf room = compressBound (size);
    uint8_t *data = malloc (room + 1);
    cr_assert (data && compress (data + 1, &room, (const Bytef *)text, size) == Z_OK);
    *data = 0x1a;
    *packed = room + 1;
    return data;
}

Test (catalog_update, what_is_compressed_is_read_as_far_as_it_is_bounded)
{
    rm_update_t update = {0};
    const char *why = "";
    size_t packed, large = RM_UPDATE_BYTES_MAX + 1;
    uint8_t *data = compressed ("{\"type\":\"t\"}", 12, &packed);
    cr_assert_eq (rm_update_read (&update, data, packed, &why), 0);
    rm_update_close (&update);
    cr_assert_eq (rm_update_read (&update, data, packed - 1, &why), RM_EPROTO, "cut off");
    free (data);

    char *text = malloc (large);
    memset (text, ' ', large);
    memcpy (text, "{}", 2);
    data = compressed (text, large - 1, &packed);
    cr_assert_lt (packed, 2000);
    cr_assert_eq (rm_update_read (&update, data, packed, &why), 0, "1 MiB is allowed: %s", why);
    rm_update_close (&update);
    free (data);
    data = compressed (text, large, &packed);
    cr_assert_eq (rm_update_read (&update, data, packed, &why), RM_ETOOBIG);
    free (data);
    cr_assert_eq (rm_update_read (&update, text, large, &why), RM_ETOOBIG, "and no more without");
    free (text);
}

static char *nested (char *text, int depth, const char *open, const char *close)
{
    strcpy (text, "{\"a\":");
    for (int i = 1; i < depth; i++)
        strcat (text, open);
    strcat (text, "1");
    for (int i = 1; i < depth; i++)
        strcat (text, close);
    return strcat (text, "}");
}

Test (catalog_update, depth_and_number_of_values_are_bounded)
{
    static char text[200000];
    rm_update_t update = {0};
    cr_assert_eq (read_text (&update, nested (text, RM_UPDATE_DEPTH_MAX, "[", "]")), 0);
    rm_update_close (&update);
    cr_assert_eq (read_text (&update, nested (text, RM_UPDATE_DEPTH_MAX + 1, "[", "]")), RM_ETOOBIG);
    cr_assert_eq (read_text (&update, nested (text, RM_UPDATE_DEPTH_MAX + 1, "{\"a\":", "}")), RM_ETOOBIG);
    cr_assert_eq (read_text (&update, "{\"a\":\"[[[[[[[[[[[[[[[[[[[[\\\"[[[\\\\\"}"), 0, "brackets in a text are text");
    rm_update_close (&update);
    strcpy (text, "{\"a\":[");
    char *at = text + strlen (text);
    for (int i = 0; i < RM_UPDATE_VALUES_MAX; i++)
        at = stpcpy (at, "0,");
    strcpy (at, "0]}");
    cr_assert_eq (read_text (&update, text), RM_ETOOBIG);
}

/* ---- what is shown ----------------------------------------------------------------------------------------------- */

static rm_services_t services;

static void add (const char *text)
{
    rm_update_t update = {0};
    const char *why = "";
    cr_assert_eq (read_text (&update, text), 0);
    cr_assert_eq (rm_update_stamp (&update, "10.0.0.1", "10.0.0.1", 1700000000), 0);
    cr_assert_eq (rm_update_describe (&update, &why), 0, "%s", why);
    update.said.heard_ms = 1000;
    cr_assert_eq (rm_services_put (&services, &update.said, &why), 0, "%s", why);
    rm_update_close (&update);
}

static void start (void)
{
    rm_services_init (&services, &(rm_services_limits_t){100, 1 << 20, 900});
}

static void stop (void)
{
    rm_services_close (&services);
}

TestSuite (catalog_page, .init = start, .fini = stop);

static const char *text_of (rm_buf_t *body)
{
    rm_buf_put (body, "", 1);
    cr_assert_not (body->failed);
    return (const char *)body->data;
}

Test (catalog_page, all_records_are_json_and_text)
{
    rm_buf_t body = {0};
    rm_page_json (&body, &services);
    cr_assert_str_eq (text_of (&body), "[]\n");
    rm_buf_clear (&body);
    add ("{\"name\":\"a\",\"port\":1}");
    add ("{\"name\":\"b\\nname forged\",\"port\":2,\"list\":[1,{}]}");
    rm_page_json (&body, &services);
    json_t *array = json_loads (text_of (&body), 0, NULL);
    cr_assert_eq (json_array_size (array), 2);
    cr_assert_str_eq (json_string_value (json_object_get (json_array_get (array, 1), "name")), "b\nname forged");
    json_decref (array);
    rm_buf_clear (&body);
    rm_page_text (&body, &services);
    cr_assert_str_eq (text_of (&body), "name a\nport 1\naddress 10.0.0.1\nlastheardfrom 1700000000\n\n"
                                       "name b name forged\nport 2\nlist [1,{}]\naddress 10.0.0.1\n"
                                       "lastheardfrom 1700000000\n\n");
    rm_buf_close (&body);
}

Test (catalog_page, what_services_say_is_no_markup)
{
    rm_buf_t body = {0};
    add ("{\"name\":\"<script>alert('1')</script>\\\"&\",\"type\":\"<b>\",\"<i>\":[\"</td>\"],\"port\":80}");
    cr_assert (rm_page_table (&body, &services, 62000, ""));
    const char *page = text_of (&body);
    cr_assert_null (strstr (page, "<script"));
    cr_assert_null (strstr (page, "<b>"));
    cr_assert (strstr (page, "&#60;script&#62;alert(&#39;1&#39;)&#60;/script&#62;&#34;&#38;"));
    cr_assert (strstr (page, "href=\"/detail/10.0.0.1:80:%3Cscript%3Ealert%28%271%27%29%3C%2Fscript%3E%22%26\""));
    cr_assert (strstr (page, ">61 s ago<"));
    rm_buf_clear (&body);
    rm_page_detail (&body, services.all, 1000);
    page = text_of (&body);
    cr_assert_null (strstr (page, "<script"));
    cr_assert_null (strstr (page, "<i>"));
    cr_assert (strstr (page, "&#60;i&#62;"));
    cr_assert (strstr (page, "&#60;/td&#62;"));
    rm_buf_close (&body);
}

Test (catalog_page, a_table_is_sorted_by_the_column_that_is_asked_for)
{
    rm_buf_t body = {0};
    add ("{\"name\":\"first\",\"port\":2}");
    add ("{\"name\":\"second\",\"port\":1}");
    static const struct {
        const char *rest;
        bool first_first, known;
    } asked[] = {{"", true, true},         {"name", true, true},      {"name/down", false, true},
                 {"port", false, true},    {"port/down", true, true}, {"nam", true, false},
                 {"name/up", true, false}, {"name/", true, false},    {"name/downx", true, false}};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        rm_buf_clear (&body);
        cr_assert_eq (rm_page_table (&body, &services, 1000, asked[i].rest), asked[i].known, "%s", asked[i].rest);
        if (!asked[i].known)
            continue;
        const char *page = text_of (&body), *first = strstr (page, ">first<"), *second = strstr (page, ">second<");
        cr_assert (first && second && (first < second) == asked[i].first_first, "%s", asked[i].rest);
    }
    rm_buf_close (&body);
}
