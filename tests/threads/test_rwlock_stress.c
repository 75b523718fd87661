/* The RWLock under load: writers are alone, readers are not in their way, and a writer that waits keeps new readers out.
 * Under the thread sanitizer a lock that did not exclude would also show as a race on what it guards. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ringmaster/rwlock.h"

enum { READERS = 4, WRITERS = 3, PASSES = 3000, ROUNDS = 50, DEADLINE_S = 30 };

#define CHECK(claim)                                                                                                   \
    do {                                                                                                               \
        if (!(claim)) {                                                                                                \
            fprintf (stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);                                       \
            exit (1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static rm_rwlock_t *lock;

/* ---- exclusion ------------------------------------------------------------------------------------------------- */

static long a, b; /* equal whenever nobody writes */
static atomic_int readers_inside, readers_met;

static void *read_all (void *arg)
{
    (void)arg;
    for (int i = 0; i < PASSES; i++) {
        rm_rwlock_read_lock (lock);
        if (atomic_fetch_add (&readers_inside, 1) > 0)
            atomic_store (&readers_met, 1);
        CHECK (a == b);
        if (i % 64 == 0)
            sched_yield ();
        atomic_fetch_sub (&readers_inside, 1);
        rm_rwlock_unlock (lock);
    }
    return NULL;
}

static void *write_all (void *arg)
{
    (void)arg;
    for (int i = 0; i < PASSES; i++) {
        rm_rwlock_write_lock (lock);
        CHECK (!atomic_load (&readers_inside));
        a++;
        if (i % 64 == 0)
            sched_yield ();
        CHECK (!atomic_load (&readers_inside));
        b++;
        rm_rwlock_unlock (lock);
    }
    return NULL;
}

static void writers_are_alone (void)
{
    pthread_t threads[READERS + WRITERS];
    for (int i = 0; i < READERS + WRITERS; i++)
        CHECK (!pthread_create (&threads[i], NULL, i < READERS ? read_all : write_all, NULL));
    for (int i = 0; i < READERS + WRITERS; i++)
        pthread_join (threads[i], NULL);
    CHECK (a == (long)WRITERS * PASSES && a == b);
    printf ("writers_are_alone: %ld writes; readers %s beside each other\n", a,
            atomic_load (&readers_met) ? "were seen" : "happened not to be");
}

/* ---- preference ------------------------------------------------------------------------------------------------ */

/* A thread that takes one side, and in which order it got in. */
typedef struct {
    pthread_t thread;
    atomic_int tid;   /* 0: not begun */
    atomic_int place; /* 1: the first one inside */
} visitor_t;

static atomic_int places;

static void *visit_as_writer (void *arg)
{
    visitor_t *self = arg;
    atomic_store (&self->tid, (int)syscall (SYS_gettid));
    rm_rwlock_write_lock (lock);
    atomic_store (&self->place, atomic_fetch_add (&places, 1) + 1);
    rm_rwlock_unlock (lock);
    return NULL;
}

static void *visit_as_reader (void *arg)
{
    visitor_t *self = arg;
    atomic_store (&self->tid, (int)syscall (SYS_gettid));
    rm_rwlock_read_lock (lock);
    atomic_store (&self->place, atomic_fetch_add (&places, 1) + 1);
    rm_rwlock_unlock (lock);
    return NULL;
}

static char state_of (int tid)
{
    char path[64], state = 0;
    snprintf (path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE *file = fopen (path, "r");
    CHECK (file);
    CHECK (fscanf (file, "%*d (%*[^)]) %c", &state) == 1);
    fclose (file);
    return state;
}

/* The kernel says when a visitor sleeps: it does nothing but wait for its turn. Or it got in, which ends the wait too. */
static void wait_until_asleep (const visitor_t *visitor)
{
    time_t end = time (NULL) + DEADLINE_S;
    int asleep = 0; /* seen in a row: a thread that is being set up may sleep for a moment as well */
    while (asleep < 5 && !atomic_load (&visitor->place)) {
        int tid = atomic_load (&visitor->tid);
        asleep = tid && state_of (tid) == 'S' ? asleep + 1 : 0;
        CHECK (time (NULL) < end);
        nanosleep (&(struct timespec){0, 200 * 1000}, NULL);
    }
}

static void a_waiting_writer_keeps_new_readers_out (void)
{
    for (int i = 0; i < ROUNDS; i++) {
        visitor_t writer = {0}, reader = {0};
        atomic_store (&places, 0);
        rm_rwlock_read_lock (lock); /* keeps the writer waiting */
        CHECK (!pthread_create (&writer.thread, NULL, visit_as_writer, &writer));
        wait_until_asleep (&writer);
        CHECK (!pthread_create (&reader.thread, NULL, visit_as_reader, &reader));
        wait_until_asleep (&reader);
        CHECK (!atomic_load (&reader.place));
        rm_rwlock_unlock (lock);
        pthread_join (writer.thread, NULL);
        pthread_join (reader.thread, NULL);
        CHECK (atomic_load (&writer.place) == 1);
        CHECK (atomic_load (&reader.place) == 2);
    }
    printf ("a_waiting_writer_keeps_new_readers_out: %d rounds\n", ROUNDS);
}

int main (void)
{
    lock = rm_rwlock_new ();
    CHECK (lock);
    writers_are_alone ();
    a_waiting_writer_keeps_new_readers_out ();
    rm_rwlock_destroy (&lock);
    CHECK (!lock);
    return 0;
}
