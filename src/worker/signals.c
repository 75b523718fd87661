#include "worker/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

enum { WORKERS_MAX = 16 }; /* of one process that a signal reaches */

static const int numbers[] = {SIGTERM, SIGINT};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static _Atomic (rm_worker_t *) workers[WORKERS_MAX]; /* who is told; read by the signal's handler */
static atomic_int received;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static unsigned watched;
static struct sigaction before[NUMBERS];

static void handle (int number)
{
    (void)number;
    if (atomic_fetch_add (&received, 1) > 0)
        _exit (RM_EXIT_AT_ONCE);
    for (int i = 0; i < WORKERS_MAX; i++) {
        rm_worker_t *worker = atomic_load (&workers[i]);
        if (worker)
            rm_worker_stop (worker);
    }
}

/* Takes over what has its default. */
static void install (void)
{
    struct sigaction ours = {.sa_handler = handle, .sa_flags = SA_RESTART};
    sigemptyset (&ours.sa_mask);
    for (int i = 0; i < NUMBERS; i++)
        sigaddset (&ours.sa_mask, numbers[i]);
    for (int i = 0; i < NUMBERS; i++) {
        sigaction (numbers[i], NULL, &before[i]);
        if (before[i].sa_handler == SIG_DFL)
            sigaction (numbers[i], &ours, NULL);
    }
}

static void restore (void)
{
    for (int i = 0; i < NUMBERS; i++)
        if (before[i].sa_handler == SIG_DFL)
            sigaction (numbers[i], &before[i], NULL);
}

void rm_signals_watch (rm_worker_t *worker)
{
    pthread_mutex_lock (&mutex);
    rm_worker_t *nobody = NULL;
    for (int i = 0; i < WORKERS_MAX; i++, nobody = NULL)
        if (atomic_compare_exchange_strong (&workers[i], &nobody, worker))
            break;
    if (watched++ == 0) {
        atomic_store (&received, 0);
        install ();
    }
    pthread_mutex_unlock (&mutex);
}

void rm_signals_unwatch (rm_worker_t *worker)
{
    pthread_mutex_lock (&mutex);
    if (--watched == 0)
        restore ();
    for (int i = 0; i < WORKERS_MAX; i++) {
        rm_worker_t *expected = worker;
        atomic_compare_exchange_strong (&workers[i], &expected, NULL);
    }
    pthread_mutex_unlock (&mutex);
}
