#include "totals.h"

#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <time.h>

enum { BUSY_MS = 10000 }; /* how long one process waits for the others to be done with the file */

struct totals {
    sqlite3 *db;
    pthread_mutex_t one_at_a_time; /* a transaction belongs to the connection, not to a thread */
    sqlite3_stmt *fence, *newest, *word;
};

/* WAL lets readers and one writer at it together; FULL makes a commit durable before it is answered. */
static const char *const schema =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = FULL;"
    "CREATE TABLE IF NOT EXISTS fence (key TEXT PRIMARY KEY, token INTEGER, job INTEGER) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS total (word TEXT PRIMARY KEY, count INTEGER) WITHOUT ROWID;";

/* The conditional UPDATE; as an UPSERT, so that a key's first job finds its row made. */
static const char *const sql_fence = "INSERT INTO fence (key, token, job) VALUES (?1, ?2, ?3)"
                                     " ON CONFLICT (key) DO UPDATE SET token = excluded.token, job = excluded.job"
                                     " WHERE token < excluded.token AND job < excluded.job";
static const char *const sql_newest = "SELECT job FROM fence WHERE key = ?1";
static const char *const sql_word = "INSERT INTO total (word, count) VALUES (?1, ?2)"
                                    " ON CONFLICT (word) DO UPDATE SET count = count + excluded.count";

/* Several processes may make the file at the same time; changing the journal's mode does not wait by itself. */
static int prepare (totals_t *self)
{
    int rc;
    for (int tries = 0; tries < BUSY_MS / 20; tries++) {
        rc = sqlite3_exec (self->db, schema, NULL, NULL, NULL);
        if (rc != SQLITE_BUSY)
            break;
        nanosleep (&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    if (!rc)
        rc = sqlite3_prepare_v2 (self->db, sql_fence, -1, &self->fence, NULL);
    if (!rc)
        rc = sqlite3_prepare_v2 (self->db, sql_newest, -1, &self->newest, NULL);
    if (!rc)
        rc = sqlite3_prepare_v2 (self->db, sql_word, -1, &self->word, NULL);
    return rc;
}

totals_t *totals_open (const char *path)
{
    totals_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    pthread_mutex_init (&self->one_at_a_time, NULL);
    int rc = sqlite3_open (path, &self->db);
    if (!rc) {
        sqlite3_busy_timeout (self->db, BUSY_MS);
        rc = prepare (self);
    }
    if (rc) {
        fprintf (stderr, "wordcount: %s: %s\n", path, sqlite3_errstr (rc));
        totals_close (&self);
    }
    return self;
}

void totals_close (totals_t **self_p)
{
    totals_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    sqlite3_finalize (self->fence);
    sqlite3_finalize (self->newest);
    sqlite3_finalize (self->word);
    sqlite3_close (self->db);
    pthread_mutex_destroy (&self->one_at_a_time);
    free (self);
}

/* Runs a statement to its end and makes it ready for the next time; 0 or SQLite's error. */
static int run (sqlite3_stmt *statement)
{
    sqlite3_step (statement);
    return sqlite3_reset (statement);
}

/* Asks the fence and, if it opens, adds; inside the transaction. */
static int add_inside (totals_t *self, const char *key, uint64_t job, uint64_t token, const words_t *words)
{
    sqlite3_bind_text (self->fence, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (self->fence, 2, (sqlite3_int64)token);
    sqlite3_bind_int64 (self->fence, 3, (sqlite3_int64)job);
    if (run (self->fence))
        return TOTALS_DOWN;

    if (sqlite3_changes (self->db) == 0) {
        sqlite3_bind_text (self->newest, 1, key, -1, SQLITE_STATIC);
        bool found = sqlite3_step (self->newest) == SQLITE_ROW;
        uint64_t newest = found ? (uint64_t)sqlite3_column_int64 (self->newest, 0) : 0;
        sqlite3_reset (self->newest);
        return !found ? TOTALS_DOWN : job <= newest ? TOTALS_REPEAT : TOTALS_FENCED;
    }

    for (const word_t *word = words->first; word; word = word->hh.next) {
        sqlite3_bind_text (self->word, 1, word->text, -1, SQLITE_STATIC);
        sqlite3_bind_int64 (self->word, 2, (sqlite3_int64)word->count);
        if (run (self->word))
            return TOTALS_DOWN;
    }
    return TOTALS_ADDED;
}

int totals_add (totals_t *self, const char *key, uint64_t job, uint64_t token, const words_t *words, const char **why)
{
    pthread_mutex_lock (&self->one_at_a_time);
    int outcome = TOTALS_DOWN;
    /* IMMEDIATE: takes the writer's place at once, so that nothing changes between the question and the addition. */
    if (!sqlite3_exec (self->db, "BEGIN IMMEDIATE", NULL, NULL, NULL)) {
        outcome = add_inside (self, key, job, token, words);
        if (outcome == TOTALS_ADDED && sqlite3_exec (self->db, "COMMIT", NULL, NULL, NULL))
            outcome = TOTALS_DOWN;
    }
    *why = sqlite3_errstr (sqlite3_errcode (self->db));
    if (outcome != TOTALS_ADDED)
        sqlite3_exec (self->db, "ROLLBACK", NULL, NULL, NULL); /* an error if it never began, and then no matter */
    pthread_mutex_unlock (&self->one_at_a_time);
    return outcome;
}

int totals_print (totals_t *self, FILE *out)
{
    sqlite3_stmt *all;
    int rc = sqlite3_prepare_v2 (self->db, "SELECT count, word FROM total ORDER BY word", -1, &all, NULL);
    while (!rc && (rc = sqlite3_step (all)) == SQLITE_ROW) {
        fprintf (out, "%lld %s\n", (long long)sqlite3_column_int64 (all, 0), sqlite3_column_text (all, 1));
        rc = 0;
    }
    sqlite3_finalize (all);
    return rc == SQLITE_DONE && !ferror (out) ? 0 : -1;
}
