#include "core/seqs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "proto/assert.h"
#include "ringmaster/error.h"

static void check (const rm_seqs_t *self)
{
    RM_ASSERT (self->seq >= 1 && self->floor == self->seq - 1);
    RM_ASSERT (self->count >= 1 && self->count <= RM_MESSAGE_JOBS_MAX);
}

void rm_seqs_init (rm_seqs_t *self, const rm_session_id_t *session)
{
    *self = (rm_seqs_t){.session = *session, .seq = 1, .count = 1};
}

/* Folds a length and its bytes in, so that no two lists of fields fold to the same run of bytes. */
static uint64_t fold (uint64_t hash, const void *data, uint64_t size)
{
    hash = XXH3_64bits_withSeed (&size, sizeof size, hash);
    return size ? XXH3_64bits_withSeed (data, size, hash) : hash;
}

static uint64_t fold_job (uint64_t hash, const rm_submit_job_t *job)
{
    uint32_t numbers[] = {job->tries, job->timeout_ms, job->flags, job->key.data != NULL};
    hash = fold (hash, numbers, sizeof numbers);
    hash = fold (hash, job->queue.data, job->queue.size);
    hash = fold (hash, job->key.data, job->key.size);
    return fold (hash, job->data.data, job->data.size);
}

/* What makes two submits the same request; never 0. */
static uint64_t fingerprint (const rm_submit_job_t *jobs, uint32_t count)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < count; i++)
        hash = fold_job (hash, &jobs[i]);
    return hash ? hash : 1;
}

/* The pending numbers are behind us. */
static void next_number (rm_seqs_t *self)
{
    self->seq += self->count;
    self->floor = self->seq - 1;
    self->pending = 0;
    self->count = 1;
    self->inherited = false;
}

static void number_jobs (rm_seqs_t *self, rm_submit_job_t *jobs, uint32_t count)
{
    self->count = count;
    for (uint32_t i = 0; i < count; i++)
        jobs[i].seq = self->seq + i;
    check (self);
}

void rm_seqs_begin (rm_seqs_t *self, rm_submit_job_t *jobs, uint32_t count, const rm_session_id_t *spare,
                    int64_t now_ms)
{
    check (self);
    if (self->over)
        rm_seqs_init (self, spare);
    uint64_t print = fingerprint (jobs, count);
    if (self->pending && self->pending != print) { /* the one before is given up */
        if (self->seq > 1)
            next_number (self);
        else
            rm_seqs_init (self, spare);
    }
    if (!self->pending && !self->inherited)
        self->since_ms = now_ms;
    self->pending = print;
    number_jobs (self, jobs, count);
}

void rm_seqs_accepted (rm_seqs_t *self)
{
    RM_ASSERT (self->pending);
    next_number (self);
    self->known = true;
    check (self);
}

void rm_seqs_refused (rm_seqs_t *self, int error)
{
    RM_ASSERT (self->pending);
    if (error == RM_EEXPIRED || error == RM_ESTATE)
        self->over = true;
    else if (error == RM_ESTALE || error == RM_ECONFLICT)
        next_number (self);
    /* Otherwise the number stays free: the master records none for what it refuses, and a session must begin with 1. */
    self->pending = 0;
    self->count = 1;
    self->inherited = false;
    check (self);
}

void rm_seqs_renew (rm_seqs_t *self, rm_submit_job_t *jobs, const rm_session_id_t *spare, int64_t now_ms)
{
    RM_ASSERT (self->pending && !self->inherited);
    uint64_t print = self->pending;
    uint32_t count = self->count;
    rm_seqs_init (self, spare);
    self->pending = print;
    self->since_ms = now_ms;
    number_jobs (self, jobs, count);
}

bool rm_seqs_too_old (const rm_seqs_t *self, int64_t now_ms)
{
    return self->pending && now_ms - self->since_ms >= RM_SESSION_TTL_MS / 2;
}

int rm_seqs_save (const rm_seqs_t *self, int64_t now_ms, int64_t unix_ms, char *text, size_t size)
{
    char hex[2 * RM_SESSION_BYTES + 1], more[16] = "";
    for (int i = 0; i < RM_SESSION_BYTES; i++)
        snprintf (hex + 2 * i, 3, "%02x", self->session.bytes[i]);
    int64_t age_ms = self->pending || self->inherited ? now_ms - self->since_ms : 0;
    if (self->over)
        age_ms = unix_ms; /* nobody goes on with it: what was sent under this number may have run */
    if (self->pending && self->count > 1)
        snprintf (more, sizeof more, ":%" PRIu32, self->count);
    int length = snprintf (text, size, "%s:%" PRIu64 ":%" PRIu64 ":%" PRIx64 ":%" PRId64 "%s", hex, self->seq,
                           self->floor, self->pending, unix_ms - age_ms, more);
    return length >= 0 && (size_t)length < size ? 0 : RM_ETOOBIG;
}

/* Reads digits of `base` up to `end`, which must follow them; false if there are none or too many. */
static bool read_number (const char **text, unsigned base, char end, uint64_t *number)
{
    const char *digits = "0123456789abcdef", *start = *text;
    for (*number = 0; **text && **text != end; (*text)++) {
        const char *digit = strchr (digits, **text);
        if (!digit || (unsigned)(digit - digits) >= base || __builtin_mul_overflow (*number, base, number) ||
            __builtin_add_overflow (*number, (uint64_t)(digit - digits), number))
            return false;
    }
    return *text > start && *(*text)++ == end;
}

static bool read_session (const char **text, rm_session_id_t *session)
{
    if (strnlen (*text, 2 * RM_SESSION_BYTES + 1) <= 2 * RM_SESSION_BYTES || (*text)[2 * RM_SESSION_BYTES] != ':')
        return false;
    for (int i = 0; i < RM_SESSION_BYTES; i++, *text += 2) {
        char pair[] = {(*text)[0], (*text)[1], 0};
        const char *at = pair;
        uint64_t byte;
        if (!read_number (&at, 16, 0, &byte))
            return false;
        session->bytes[i] = (uint8_t)byte;
    }
    ++*text;
    return true;
}

int rm_seqs_load (rm_seqs_t *self, const char *text, int64_t now_ms, int64_t unix_ms)
{
    rm_seqs_t loaded = {.inherited = true};
    uint64_t sent_ms, count = 1;
    if (!read_session (&text, &loaded.session) || !read_number (&text, 10, ':', &loaded.seq) ||
        !read_number (&text, 10, ':', &loaded.floor) || !read_number (&text, 16, ':', &loaded.pending))
        return RM_EINVAL;
    bool several = strchr (text, ':');
    if (!read_number (&text, 10, several ? ':' : 0, &sent_ms) || sent_ms > INT64_MAX ||
        (several && !read_number (&text, 10, 0, &count)) || count < 1 || count > RM_MESSAGE_JOBS_MAX ||
        (several && !loaded.pending))
        return RM_EINVAL;
    loaded.count = (uint32_t)count;
    /* Nobody has counted further; from there on the numbers would run out, and begin with 0. */
    if (loaded.seq < 1 || loaded.seq > INT64_MAX || loaded.floor != loaded.seq - 1)
        return RM_EINVAL;
    int64_t age_ms = unix_ms - (int64_t)sent_ms;
    if (age_ms < 0)
        age_ms = 0; /* the calendar clock was set back, or is another machine's */
    if (age_ms >= RM_SESSION_TTL_MS / 2)
        return RM_EEXPIRED;
    loaded.since_ms = now_ms - age_ms;
    *self = loaded;
    return 0;
}
