#include <string.h>
#include <xxhash.h>

#include "catalog/server/inside.h"
#include "catalog/server/page.h"

static rm_catalog_server_t *fresh (void *arg)
{
    rm_catalog_server_t *self = arg;
    rm_services_expire (&self->services, rm_catalog_now_ms (self));
    return self;
}

/* ---- all records, which may be many: a copy that is read while they change --------------------------------------- */

static bool begin_copy (void *arg, uint64_t *checksum)
{
    const rm_copy_t *copy = arg;
    *checksum = XXH3_64bits (copy->body.data, copy->body.size);
    return true;
}

static size_t read_copy (void *arg, uint64_t at, void *to, size_t size)
{
    const rm_copy_t *copy = arg;
    if (size > copy->body.size - at)
        size = copy->body.size - at;
    memcpy (to, copy->body.data + at, size);
    return size;
}

static void end_copy (void *arg)
{
    rm_copy_t *copy = arg;
    rm_copy_give_back (&copy);
}

static void give_copy (rm_http_answer_t *answer, rm_catalog_server_t *self, rm_copies_t *copies)
{
    rm_copy_t *copy = rm_copies_take (copies, &self->services);
    if (copy && copy->body.size)
        answer->stream = (rm_http_stream_t){copy, copy->body.size, begin_copy, read_copy, end_copy};
    else
        rm_copy_give_back (&copy);
}

static void on_json (rm_http_answer_t *answer, void *arg)
{
    rm_catalog_server_t *self = fresh (arg);
    answer->content_type = "application/json";
    give_copy (answer, self, &self->json);
}

static void on_text (rm_http_answer_t *answer, void *arg)
{
    rm_catalog_server_t *self = fresh (arg);
    give_copy (answer, self, &self->text);
}

/* ---- pages ------------------------------------------------------------------------------------------------------- */

static void no_page (rm_http_answer_t *answer, const char *sentence)
{
    answer->status = 404;
    rm_buf_put (&answer->body, sentence, strlen (sentence));
}

static void on_table (rm_http_answer_t *answer, void *arg)
{
    rm_catalog_server_t *self = fresh (arg);
    if (!rm_page_table (&answer->body, &self->services, rm_catalog_now_ms (self), answer->rest))
        no_page (answer, "there is no such column\n");
    else
        answer->content_type = "text/html; charset=utf-8";
}

static void on_detail (rm_http_answer_t *answer, void *arg)
{
    rm_catalog_server_t *self = fresh (arg);
    const rm_service_t *service = rm_services_find (&self->services, answer->rest);
    if (!service) {
        no_page (answer, "no such service is known: it was never heard of, or not for too long\n");
        return;
    }
    answer->content_type = "text/html; charset=utf-8";
    rm_page_detail (&answer->body, service, rm_catalog_now_ms (self));
}

bool rm_catalog_answer (rm_catalog_server_t *self, const char *host, unsigned port, rm_fault_t *fault)
{
    const rm_http_route_t routes[] = {
        {"/query.json", on_json, self},
        {"/query.text", on_text, self},
        {"/query/*", on_json, self}, /* a filter stands there, which whoever asks so applies as well */
        {"/query.html", on_table, self},
        {"/", on_table, self},
        {"/by/*", on_table, self},
        {"/detail/*", on_detail, self},
        {NULL, NULL, NULL},
    };
    _Static_assert(sizeof routes == sizeof self->routes, "all of them");
    memcpy (self->routes, routes, sizeof routes);
    self->http = rm_http_new (&self->loop, host, port, self->routes, fault);
    return self->http != NULL;
}
