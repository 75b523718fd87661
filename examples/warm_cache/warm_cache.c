/*  A worker that keeps what it has loaded for a key, for as long as the key's jobs come here.
 *
 *  All jobs of a key meet at the worker that owns the key's slot. When workers come or go some slots move, as few as can be:
 *  what belongs to them is dropped, the rest stays warm. The entries hang in a list for each slot, so that a lost slot is
 *  let go of without looking at any other.
 *
 *      warm_cache MASTERS NAME        serves the queue "lookup"; answers "NAME hit KEY" or "NAME miss KEY"
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ringmaster/worker.h>

enum { SLOTS = 16384, LOADING_MS = 5, VALUE_BYTES = 32 };

typedef struct entry entry_t;
struct entry {
    entry_t *next;
    char value[VALUE_BYTES];
    char key[];
};

typedef struct {
    pthread_mutex_t mutex; /* handlers run on several threads, and what is lost is told on another one */
    entry_t *slots[SLOTS];
    unsigned entries, hits, misses;
    const char *worker;
} cache_t;

/* What makes a cache worth having: it takes its time. */
static entry_t *load (const char *key)
{
    entry_t *entry = malloc (sizeof *entry + strlen (key) + 1);
    if (!entry)
        return NULL;
    nanosleep (&(struct timespec){0, LOADING_MS * 1000L * 1000L}, NULL);
    strcpy (entry->key, key);
    snprintf (entry->value, sizeof entry->value, "%zu bytes long", strlen (key));
    return entry;
}

static entry_t *find (cache_t *self, uint32_t slot, const char *key)
{
    pthread_mutex_lock (&self->mutex);
    entry_t *entry = self->slots[slot];
    while (entry && strcmp (entry->key, key))
        entry = entry->next;
    *(entry ? &self->hits : &self->misses) += 1;
    pthread_mutex_unlock (&self->mutex);
    return entry;
}

static void keep (cache_t *self, uint32_t slot, entry_t *entry)
{
    pthread_mutex_lock (&self->mutex);
    entry->next = self->slots[slot];
    self->slots[slot] = entry;
    self->entries++;
    pthread_mutex_unlock (&self->mutex);
}

/* No other job of this key runs meanwhile, and its slot is not lost before this one is over. */
static int look_up (rm_job_t *job, void *arg)
{
    cache_t *cache = arg;
    const char *key = rm_job_key (job);
    if (!key)
        return rm_job_fail (job, RM_DEAD, "a look-up needs a key");
    uint32_t slot = rm_slot_of_key (key, strlen (key));
    if (find (cache, slot, key))
        return rm_job_replyf (job, "%s hit %s\n", cache->worker, key);
    entry_t *entry = load (key);
    if (!entry)
        return rm_job_fail (job, RM_RETRY, "out of memory");
    keep (cache, slot, entry);
    return rm_job_replyf (job, "%s miss %s\n", cache->worker, key);
}

static unsigned drop (cache_t *self, uint32_t slot)
{
    unsigned count = 0;
    for (entry_t *entry = self->slots[slot], *next; entry; entry = next, count++) {
        next = entry->next;
        free (entry);
    }
    self->slots[slot] = NULL;
    self->entries -= count;
    return count;
}

static unsigned size_of (const rm_slot_range_t *ranges, size_t count)
{
    unsigned size = 0;
    for (size_t i = 0; i < count; i++)
        size += ranges[i].last - ranges[i].first + 1;
    return size;
}

static void told (const rm_slots_t *slots, void *arg)
{
    cache_t *cache = arg;
    unsigned dropped = 0;
    pthread_mutex_lock (&cache->mutex);
    for (size_t i = 0; i < slots->lost_count; i++)
        for (uint32_t slot = slots->lost[i].first; slot <= slots->lost[i].last; slot++)
            dropped += drop (cache, slot);
    printf ("gained %u slots, lost %u: dropped %u, kept %u\n", size_of (slots->gained, slots->gained_count),
            size_of (slots->lost, slots->lost_count), dropped, cache->entries);
    fflush (stdout);
    pthread_mutex_unlock (&cache->mutex);
}

int main (int argc, char **argv)
{
    static cache_t cache = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    if (argc != 3) {
        fputs ("usage: warm_cache MASTERS NAME\n", stderr);
        return 2;
    }
    rm_worker_t *worker = rm_worker_new (argv[1]);
    if (!worker) {
        fprintf (stderr, "warm_cache: '%s' is no list of masters\n", argv[1]);
        return 2;
    }
    cache.worker = argv[2];
    int rc = rm_worker_set (worker, "name", argv[2]);
    if (!rc)
        rc = rm_worker_handle (worker, "lookup", look_up, &cache);
    rm_worker_on_slots (worker, told, &cache);
    if (!rc)
        rc = rm_worker_run (worker);
    if (rc)
        fprintf (stderr, "warm_cache: %s\n", rm_worker_error (worker));
    printf ("%u hits, %u misses, %u kept\n", cache.hits, cache.misses, cache.entries);
    rm_worker_destroy (&worker);
    return rc ? 1 : 0;
}
