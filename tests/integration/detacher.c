/*  A worker of one thread whose handler gives every job away at once; another thread finishes them all when the file `go` is
 *  there. It prints a line when a job was given away.
 *
 *      detacher MASTER JOBS       JOBS: at a time
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include <ringmaster/ringmaster.h>

enum { JOBS_MAX = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static rm_job_t *jobs[JOBS_MAX];
static int count;

static int give_away (rm_job_t *job, void *arg)
{
    (void)arg;
    pthread_mutex_lock (&lock);
    bool room = count < JOBS_MAX && rm_job_detach (job) == 0;
    if (room) {
        jobs[count++] = job;
        printf ("detached %s\n", rm_job_text (job));
        fflush (stdout);
    }
    pthread_mutex_unlock (&lock);
    return room ? 0 : rm_job_fail (job, RM_RETRY, "no room");
}

static void *finish_all (void *arg)
{
    (void)arg;
    for (;;) {
        usleep (20000);
        if (access ("go", F_OK) != 0)
            continue;
        pthread_mutex_lock (&lock);
        while (count) {
            rm_job_t *job = jobs[--count];
            rm_job_replyf (job, "later: %s", rm_job_text (job));
            rm_job_finish (&job);
        }
        pthread_mutex_unlock (&lock);
    }
    return NULL;
}

int main (int argc, char **argv)
{
    pthread_t thread;
    if (argc != 3)
        return 2;
    rm_worker_t *worker = rm_worker_new (argv[1]);
    if (!worker || rm_worker_set (worker, "threads", "1") || rm_worker_set (worker, "jobs", argv[2]) ||
        rm_worker_handle (worker, "later", give_away, NULL))
        return 1;
    pthread_create (&thread, NULL, finish_all, NULL);
    int error = rm_worker_run (worker);
    rm_worker_destroy (&worker);
    return error ? 1 : 0;
}
