/*  wordcount: counts the words of many files by MapReduce over Ringmaster.
 *
 *  A few threads, each with a client of its own, take one chunk of the text at a time: a map job counts its words, and
 *  for each word bucket that occurs a reduce job, keyed by the bucket, adds them to the totals.
 *
 *  Who submits the reduce jobs? Not the map handler: it may be started again after a crash, and would submit again. It
 *  returns its counts, and the first outcome of a job is its only one; so the reduce jobs are submitted here, once each.
 *  A submit whose answer was lost is sent again by the client under the same session and number, and is not doubled.
 */
#include <errno.h>
#include <pthread.h>
#include <ringmaster/client.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chunks.h"

enum {
    THREADS = 8,
    CHUNKS = 96,        /* into how many chunks a text is cut, if they would not get too small or too large */
    BUCKETS = 16,       /* keys of reduce jobs */
    PATIENCE_MS = 60000 /* how long nothing may move before it is given up */
};

typedef struct {
    chunks_t chunks;
    atomic_size_t next;         /* the chunk that is taken next */
    atomic_bool failed;         /* somebody gave up: the others need not go on */
    pthread_mutex_t one_prints; /* guards what follows, and the terminal */
    size_t done;                /* jobs that have ended, those not needed included */
    int percent;                /* what was printed last */
} count_t;

/* Notes that `jobs` more need no waiting for: a bar on a terminal, elsewhere a line for each percent. */
static void progress (count_t *self, size_t jobs)
{
    static const char bar[] = "##################################################";
    pthread_mutex_lock (&self->one_prints);
    self->done += jobs;
    size_t all = self->chunks.count * (1 + BUCKETS);
    int percent = (int)(self->done * 100 / all);
    if (percent != self->percent) {
        self->percent = percent;
        if (isatty (1))
            printf ("\r[%-50.*s] %3d %%%s", percent / 2, bar, percent, percent == 100 ? "\n" : "");
        else
            printf ("%d %% (%zu of %zu jobs)\n", percent, self->done, all);
        fflush (stdout);
    }
    pthread_mutex_unlock (&self->one_prints);
}

static int give_up (count_t *self, const char *format, ...)
{
    if (!atomic_exchange (&self->failed, true)) {
        va_list args;
        va_start (args, format);
        fprintf (stderr, "wordcount: ");
        vfprintf (stderr, format, args);
        fprintf (stderr, "\n");
        va_end (args);
    }
    return -1;
}

/* Waits for a job that must end well; its result for the caller to destroy, or NULL. */
static rm_result_t *wait_for (count_t *self, rm_client_t *client, uint64_t id)
{
    rm_result_t *result = NULL;
    if (rm_client_wait (client, id, PATIENCE_MS, &result)) {
        give_up (self, "job %llu: %s", (unsigned long long)id, rm_client_error (client));
    } else if (rm_result_outcome (result) != RM_DONE) {
        give_up (self, "job %llu failed: %s", (unsigned long long)id, rm_result_reason (result));
        rm_result_destroy (&result);
    }
    return result;
}

static int submit (count_t *self, rm_client_t *client, const rm_spec_t *spec, uint64_t *id)
{
    if (rm_client_submit (client, spec, PATIENCE_MS, id))
        return give_up (self, "cannot submit to %s: %s", spec->queue, rm_client_error (client));
    return 0;
}

/* Counts one chunk; 0 and its words, or -1. */
static int map (count_t *self, rm_client_t *client, const chunk_t *chunk, words_t *words)
{
    uint64_t id;
    if (submit (self, client, rm_spec ("map", .data = chunk->data, .size = chunk->size), &id))
        return -1;
    rm_result_t *result = wait_for (self, client, id);
    if (!result)
        return -1;
    int rc = words_parse (words, rm_result_text (result));
    rm_result_destroy (&result);
    return rc ? give_up (self, "job %llu: no list of counts", (unsigned long long)id) : 0;
}

/* Submits the words of one bucket; `*id` is 0 if there are none. */
static int submit_bucket (count_t *self, rm_client_t *client, const words_t *words, unsigned bucket, uint64_t *id)
{
    words_t some = {0};
    int rc = 0;
    for (const word_t *word = words->first; word && !rc; word = word->hh.next)
        if (words_bucket (word->text, BUCKETS) == bucket)
            rc = words_add (&some, word->text, strlen (word->text), word->count);
    size_t size = 0;
    char *text = rc ? NULL : words_text (&some, &size);
    words_close (&some);

    *id = 0;
    if (!text) {
        rc = give_up (self, "out of memory");
    } else if (size > 0) {
        char key[32];
        snprintf (key, sizeof key, "bucket-%02u", bucket);
        rc = submit (self, client, rm_spec ("reduce", .key = key, .data = text, .size = size, .tries = 20), id);
    }
    free (text);
    return rc;
}

/* Adds the words to the totals: all buckets are submitted first, then waited for, so that they run side by side. */
static int reduce (count_t *self, rm_client_t *client, const words_t *words)
{
    uint64_t ids[BUCKETS];
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++)
        if (submit_bucket (self, client, words, bucket, &ids[bucket]))
            return -1;
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        if (ids[bucket]) {
            rm_result_t *result = wait_for (self, client, ids[bucket]);
            if (!result)
                return -1;
            rm_result_destroy (&result);
        }
        progress (self, 1);
    }
    return 0;
}

static void *count_chunks (void *arg)
{
    count_t *self = arg;
    rm_client_t *client = rm_client_new (NULL); /* $RINGMASTER */
    if (!client) {
        give_up (self, "cannot make a client: %s", strerror (errno));
        return NULL;
    }
    rm_client_set (client, "cap", "1000"); /* a master that comes back is found within a second */
    for (size_t i; !self->failed && (i = atomic_fetch_add (&self->next, 1)) < self->chunks.count;) {
        words_t words = {0};
        if (!map (self, client, &self->chunks.all[i], &words)) {
            progress (self, 1);
            reduce (self, client, &words);
        }
        words_close (&words);
    }
    rm_client_destroy (&client);
    return NULL;
}

int main (int argc, char **argv)
{
    if (argc != 2 || argv[1][0] == '-') {
        fprintf (stderr,
                 "usage: wordcount LIST   (a file of absolute paths, a NUL after each; the master: $RINGMASTER)\n");
        return 2;
    }
    count_t count = {.one_prints = PTHREAD_MUTEX_INITIALIZER, .percent = -1};
    if (chunks_load (&count.chunks, argv[1], CHUNKS)) {
        chunks_close (&count.chunks);
        return 1;
    }
    pthread_t threads[THREADS];
    int started = 0;
    while (started < THREADS && !pthread_create (&threads[started], NULL, count_chunks, &count))
        started++;
    if (started == 0)
        give_up (&count, "cannot start a thread");
    for (int i = 0; i < started; i++)
        pthread_join (threads[i], NULL);
    chunks_close (&count.chunks);
    return count.failed ? 1 : 0;
}
