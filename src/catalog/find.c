#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "catalog/list.h"
#include "net/clock.h"
#include "proto/buf.h"
#include "ringmaster/catalog.h"

enum {
    ANSWER_BYTES_MAX = 64 << 20,
    PATIENCE_MS = 5000, /* with one catalog */
    AGAIN_MS = 200      /* between two rounds */
};

_Static_assert((int)RM_CATALOG_FOUND_MAX == (int)RM_ENDPOINTS_MAX, "as many as a list may have");
_Static_assert(RM_CATALOG_BYTES_MAX >= RM_ENDPOINTS_MAX * (RM_ENDPOINT_BYTES_MAX + 1), "and their texts");

static size_t on_data (char *data, size_t one, size_t size, void *arg)
{
    rm_buf_t *body = arg;
    if (body->size + size > ANSWER_BYTES_MAX)
        return CURL_WRITEFUNC_ERROR;
    rm_buf_put (body, data, size);
    return body->failed ? CURL_WRITEFUNC_ERROR : one * size;
}

/* What a catalog says to /query.json. False: nothing, in the time given. */
static bool fetch (const rm_endpoint_t *catalog, uint64_t patience_ms, rm_buf_t *body)
{
    char url[RM_ENDPOINT_BYTES_MAX + 32];
    long status = 0;
    CURL *curl = curl_easy_init ();
    if (!curl)
        return false;
    snprintf (url, sizeof url, "http%s/query.json", strstr (catalog->text, "://"));
    curl_easy_setopt (curl, CURLOPT_URL, url);
    curl_easy_setopt (curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt (curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt (curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt (curl, CURLOPT_TIMEOUT_MS, (long)patience_ms); /* of looking up its name, too */
    curl_easy_setopt (curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt (curl, CURLOPT_WRITEDATA, body);
    bool done = curl_easy_perform (curl) == CURLE_OK;
    curl_easy_getinfo (curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup (curl);
    return done && status == 200;
}

/* Writes as many of them as fit; how many, or RM_ETOOBIG. */
static int write_list (const rm_endpoint_t *list, int count, char *found, size_t size)
{
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        size_t more = strlen (list[i].text) + (i > 0);
        if (used + more + 1 > size)
            return i ? i : RM_ETOOBIG;
        snprintf (found + used, size - used, "%s%s", i ? "," : "", list[i].text);
        used += more;
    }
    return count;
}

static uint64_t time_left (uint64_t end_ms)
{
    uint64_t now_ms = rm_clock_ms ();
    return now_ms < end_ms ? end_ms - now_ms : 0;
}

/* Asks each catalog once, with a fair part of the time that is left. */
static int ask_all (const rm_endpoint_t *catalogs, int catalog_count, const char *type, const char *project,
                    uint64_t end_ms, char *found, size_t size)
{
    int answer = RM_EUNREACHABLE;
    for (int i = 0; i < catalog_count && answer < 0; i++) {
        rm_endpoint_t list[RM_ENDPOINTS_MAX];
        rm_buf_t body = {0};
        uint64_t patience_ms = time_left (end_ms) / (uint64_t)(catalog_count - i);
        if (patience_ms > PATIENCE_MS)
            patience_ms = PATIENCE_MS;
        int count = RM_EPROTO;
        if (fetch (&catalogs[i], patience_ms ? patience_ms : 1, &body))
            count = rm_catalog_read (list, (const char *)body.data, body.size, type, project);
        rm_buf_close (&body);
        if (count > 0)
            answer = write_list (list, count, found, size);
        else if (!count)
            answer = RM_EUNKNOWN;
        if (answer == RM_ETOOBIG)
            break;
    }
    return answer;
}

/* The sentence for what went wrong. Answers `error`. */
static int explain (int error, const char *type, const char *project, const rm_endpoint_t *list, int count,
                    int timeout_ms, char *text, size_t size)
{
    char catalogs[512] = "";
    for (int i = 0; i < count; i++) {
        size_t used = strlen (catalogs);
        snprintf (catalogs + used, sizeof catalogs - used, "%s%s", i ? ", " : "", strstr (list[i].text, "://") + 3);
    }
    int waited_s = timeout_ms > 0 ? timeout_ms / 1000 : 0;
    if (error == RM_EUNKNOWN)
        snprintf (text, size, "no %s of the project '%s' was known for %d s (asked the catalog %s)", type, project,
                  waited_s, catalogs);
    else if (error == RM_EUNREACHABLE)
        snprintf (text, size, "no catalog answered for %d s (asked %s)", waited_s, catalogs);
    else
        snprintf (text, size, "%s", rm_strerror (error));
    return error;
}

int rm_catalog_find (const char *catalogs, const char *type, const char *project, int timeout_ms, char *found,
                     size_t size)
{
    rm_endpoint_t list[RM_ENDPOINTS_MAX];
    uint64_t end_ms = rm_clock_ms () + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0);
    rm_fault_t fault = {0};
    int count = rm_catalog_list (list, catalogs, &fault), answer;
    if (count < 1) {
        snprintf (found, size, "%s", fault.text);
        return RM_EINVAL;
    }
    if (curl_global_init (CURL_GLOBAL_NOTHING))
        return explain (RM_ENOMEM, type, project, list, count, timeout_ms, found, size);
    for (;;) {
        answer = ask_all (list, count, type, project, end_ms, found, size);
        if ((answer != RM_EUNKNOWN && answer != RM_EUNREACHABLE) || time_left (end_ms) < AGAIN_MS)
            break;
        nanosleep (&(struct timespec){.tv_nsec = AGAIN_MS * 1000000L}, NULL);
    }
    curl_global_cleanup ();
    return answer > 0 ? answer : explain (answer, type, project, list, count, timeout_ms, found, size);
}
