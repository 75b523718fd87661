#include "catalog/server/page.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By their number. */
static const struct {
    const char *name, *title;
} columns[RM_SERVICE_COLUMNS] = {
    [RM_SERVICE_TYPE] = {"type", "Type"},          [RM_SERVICE_PROJECT] = {"project", "Project"},
    [RM_SERVICE_NAME] = {"name", "Name"},          [RM_SERVICE_OWNER] = {"owner", "Owner"},
    [RM_SERVICE_ADDRESS] = {"address", "Address"}, [RM_SERVICE_VERSION] = {"version", "Version"},
    [RM_SERVICE_PORT] = {"port", "Port"},          [RM_SERVICE_HEARD] = {"heard", "Last heard"},
};

/* How they stand beside each other. */
static const rm_service_column_t order[RM_SERVICE_COLUMNS] = {RM_SERVICE_NAME,    RM_SERVICE_TYPE, RM_SERVICE_PROJECT,
                                                              RM_SERVICE_ADDRESS, RM_SERVICE_PORT, RM_SERVICE_OWNER,
                                                              RM_SERVICE_VERSION, RM_SERVICE_HEARD};

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<title>Catalog</title>\n<style>\n"
    ":root { color-scheme: light dark; }\n"
    "body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }\n"
    "h1 { font-size: 1.5rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }\n"
    "p { margin: 0 0 1.25rem; }\n"
    "table { border-collapse: collapse; width: 100%; }\n"
    "th, td { text-align: left; vertical-align: top; padding: .35rem .75rem; border-bottom: 1px solid #8884; "
    "overflow-wrap: anywhere; }\n"
    "th { white-space: nowrap; border-bottom-width: 2px; }\n"
    "td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }\n"
    "tbody tr:hover { background: #8881; }\n"
    "a { color: light-dark(#0645ad, #8ab4f8); text-decoration: none; }\n"
    "a:hover { text-decoration: underline; }\n"
    ".quiet { opacity: .65; }\n"
    "</style>\n</head>\n<body>\n";

static void put (rm_buf_t *body, const char *text)
{
    rm_buf_put (body, text, strlen (text));
}

__attribute__ ((format (printf, 2, 3))) static void putf (rm_buf_t *body, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (text, sizeof text, format, arguments);
    va_end (arguments);
    put (body, text);
}

static void put_escaped (rm_buf_t *body, const char *text)
{
    for (size_t size; *text; text += size) {
        size = strcspn (text, "<>&\"'");
        rm_buf_put (body, text, size);
        if (text[size])
            putf (body, "&#%d;", text[size++]);
    }
}

/* As a part of a path. */
static void put_in_path (rm_buf_t *body, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:";
    for (size_t size; *text; text += size) {
        size = strspn (text, plain);
        rm_buf_put (body, text, size);
        if (text[size])
            putf (body, "%%%02X", (unsigned char)text[size++]);
    }
}

/* ---- for programs ------------------------------------------------------------------------------------------------ */

void rm_page_json (rm_buf_t *body, const rm_services_t *services)
{
    const char *between = "[\n";
    rm_service_t *service, *next;
    HASH_ITER (hh, services->all, service, next) {
        put (body, between);
        rm_buf_put (body, service->json, service->json_bytes);
        between = ",\n";
    }
    put (body, services->all ? "\n]\n" : "[]\n");
}

void rm_page_text (rm_buf_t *body, const rm_services_t *services)
{
    rm_service_t *service, *next;
    HASH_ITER (hh, services->all, service, next) {
        rm_buf_put (body, service->plain, service->plain_bytes);
        put (body, "\n");
    }
}

/* ---- for people -------------------------------------------------------------------------------------------------- */

static void put_ago (rm_buf_t *body, const rm_service_t *service, uint64_t now_ms)
{
    uint64_t gone_s = now_ms > service->heard_ms ? (now_ms - service->heard_ms) / 1000 : 0;
    if (gone_s < 120)
        putf (body, "%" PRIu64 " s ago", gone_s);
    else
        putf (body, "%" PRIu64 " min ago", gone_s / 60);
}

static bool is_number (rm_service_column_t column)
{
    return column >= RM_SERVICE_TEXTS;
}

static void put_cell (rm_buf_t *body, const rm_service_t *service, rm_service_column_t column, uint64_t now_ms)
{
    put (body, is_number (column) ? "<td class=\"number\">" : "<td>");
    if (column == RM_SERVICE_NAME) {
        put (body, "<a href=\"/detail/");
        put_in_path (body, service->key);
        put (body, "\">");
        put_escaped (body, service->texts[column]);
        put (body, "</a>");
    } else if (column < RM_SERVICE_TEXTS)
        put_escaped (body, service->texts[column]);
    else if (column == RM_SERVICE_HEARD)
        put_ago (body, service, now_ms);
    else if (service->port)
        putf (body, "%u", service->port);
    put (body, "</td>");
}

/* The heading of a column sorts by it, and the other way round where it does already. */
static void put_heading (rm_buf_t *body, rm_service_column_t column, rm_service_column_t by, bool down)
{
    bool sorted = column == by;
    putf (body, "<th scope=\"col\"%s%s><a href=\"/by/%s%s\">%s</a>%s</th>",
          is_number (column) ? " class=\"number\"" : "",
          !sorted ? ""
          : down  ? " aria-sort=\"descending\""
                  : " aria-sort=\"ascending\"",
          columns[column].name, sorted && !down ? "/down" : "", columns[column].title,
          !sorted ? ""
          : down  ? " &#9662;"
                  : " &#9652;");
}

/* Reads "COLUMN" or "COLUMN/down". */
static bool read_order (const char *rest, rm_service_column_t *by, bool *down)
{
    size_t size = strcspn (rest, "/");
    *down = !strcmp (rest + size, "/down");
    if (rest[size] && !*down)
        return false;
    for (int i = 0; i < RM_SERVICE_COLUMNS; i++) {
        *by = (rm_service_column_t)i;
        if (strlen (columns[i].name) == size && !strncmp (columns[i].name, rest, size))
            return true;
    }
    *by = RM_SERVICE_NAME;
    return !*rest;
}

bool rm_page_table (rm_buf_t *body, const rm_services_t *services, uint64_t now_ms, const char *rest)
{
    rm_service_column_t by;
    bool down;
    if (!read_order (rest, &by, &down))
        return false;
    uint32_t count = services->sum.count, shown = count < RM_PAGE_ROWS_MAX ? count : RM_PAGE_ROWS_MAX;
    const rm_service_t **sorted = rm_services_sorted (services, by, down);
    if (count && !sorted) {
        body->failed = true;
        return true;
    }
    put (body, head);
    putf (body, "<h1>Catalog</h1>\n<p>%" PRIu32 " %s known here", count, count == 1 ? "service is" : "services are");
    if (shown < count)
        putf (body, ", the first %" PRIu32 " of which are shown", shown);
    put (body, ". For programs: <a href=\"/query.json\">query.json</a>, <a href=\"/query.text\">query.text</a>.</p>\n"
               "<table>\n<thead><tr>");
    for (int i = 0; i < RM_SERVICE_COLUMNS; i++)
        put_heading (body, order[i], by, down);
    put (body, "</tr></thead>\n<tbody>\n");
    for (uint32_t row = 0; row < shown; row++) {
        put (body, "<tr>");
        for (int i = 0; i < RM_SERVICE_COLUMNS; i++)
            put_cell (body, sorted[row], order[i], now_ms);
        put (body, "</tr>\n");
    }
    put (body, "</tbody>\n</table>\n</body>\n</html>\n");
    rm_free (sorted);
    return true;
}

void rm_page_detail (rm_buf_t *body, const rm_service_t *service, uint64_t now_ms)
{
    const char *name;
    json_t *value, *object = json_loadb (service->json, service->json_bytes, 0, NULL);
    put (body, head);
    put (body, "<h1>");
    put_escaped (body, service->texts[RM_SERVICE_NAME]);
    put (body, "</h1>\n<p>Last heard ");
    put_ago (body, service, now_ms);
    put (body, ". <a href=\"/\">All services</a></p>\n<table>\n<tbody>\n");
    json_object_foreach (object, name, value)
    {
        char *dumped = json_is_string (value) ? NULL : json_dumps (value, JSON_INDENT (2) | JSON_ENCODE_ANY);
        put (body, "<tr><th scope=\"row\">");
        put_escaped (body, name);
        put (body, "</th><td>");
        put_escaped (body, json_is_string (value) ? json_string_value (value) : dumped ? dumped : "");
        put (body, "</td></tr>\n");
        free (dumped);
    }
    put (body, "</tbody>\n</table>\n</body>\n</html>\n");
    body->failed = body->failed || !object;
    json_decref (object);
}
