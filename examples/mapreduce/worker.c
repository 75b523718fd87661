/*  mapreduce_worker: does map and reduce jobs, and dies in the middle of one now and then if it is told to.
 *
 *  Joining the master is what the lab calls Register, being handed a job is DoJob. A job that its worker has died of is
 *  done again by another one. That is harmless: what a job leaves is a file that is put in place whole, and the same
 *  whoever writes it.
 */
#include <errno.h>
#include <getopt.h>
#include <ringmaster/worker.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "mapreduce.h"
#include "words.h"

enum { LAST_DEATH = 2 }; /* attempts that may die: the third crash would bury the job as one that kills workers */

static unsigned die_percent;

/* Dies as if the power had gone, with the chance that was asked for. */
static void perhaps_die (const rm_job_t *job)
{
    unsigned draw = 0;
    if (rm_job_attempt (job) > LAST_DEATH || getrandom (&draw, sizeof draw, 0) != sizeof draw ||
        draw % 100 >= die_percent)
        return;
    fprintf (stderr, "mapreduce_worker: dies in job %llu\n", (unsigned long long)rm_job_id (job));
    kill (getpid (), SIGKILL);
}

/* Puts a file in place whole, whoever else writes the same one now; 0 or -1. */
static int put_file (const char *path, const char *text, size_t size)
{
    char draft[PATH_BYTES + 32];
    snprintf (draft, sizeof draft, "%s.%d", path, (int)getpid ());
    FILE *file = fopen (draft, "w");
    if (!file)
        return -1;
    size_t written = fwrite (text, 1, size, file);
    if (fclose (file) || written != size)
        return -1;
    return rename (draft, path);
}

/* The words of one reduce job, into its file. */
static int put_part (const words_t *words, const char *folder, unsigned map, unsigned reduce, unsigned reduces)
{
    char path[PATH_BYTES];
    words_t some = {0};
    int rc = 0;
    size_t size;
    for (const word_t *word = words->first; word && !rc; word = word->hh.next)
        if (words_bucket (word->text, reduces) == reduce)
            rc = words_add (&some, word->text, strlen (word->text), word->count);
    char *text = rc ? NULL : words_text (&some, &size);
    words_close (&some);
    between (path, folder, map, reduce);
    rc = text ? put_file (path, text, size) : -1;
    free (text);
    return rc;
}

static int map (rm_job_t *job, void *arg)
{
    (void)arg;
    unsigned number, reduces;
    char folder[FOLDER_BYTES], input[FOLDER_BYTES];
    if (sscanf (rm_job_text (job), "%u %u %4000[^\n]\n%4000[^\n]", &number, &reduces, folder, input) != 4 || !reduces ||
        reduces > REDUCES_MAX)
        return rm_job_fail (job, RM_DEAD, "this is no map job: %s", rm_job_text (job));
    words_t words = {0};
    int rc = words_count (&words, input, 0, UINT64_MAX);
    for (unsigned reduce = 0; reduce < reduces && !rc; reduce++) {
        rc = put_part (&words, folder, number, reduce, reduces);
        if (reduce == reduces / 2)
            perhaps_die (job);
    }
    words_close (&words);
    if (rc)
        return rm_job_fail (job, RM_RETRY, "cannot count %s: %s", input, strerror (errno));
    return rm_job_replyf (job, "counted");
}

/* Adds the counts of one file; 0 or -1. */
static int add_file (words_t *words, const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen (path, "r");
    if (!file)
        return -1;
    ssize_t got = getdelim (&text, &size, 0, file); /* up to the end: there is no NUL in it */
    int rc = got < 0 ? -ferror (file) : words_parse (words, text);
    fclose (file);
    free (text);
    return rc ? -1 : 0;
}

static int reduce (rm_job_t *job, void *arg)
{
    (void)arg;
    unsigned number, maps;
    char folder[FOLDER_BYTES], path[PATH_BYTES];
    if (sscanf (rm_job_text (job), "%u %u %4000[^\n]", &number, &maps, folder) != 3)
        return rm_job_fail (job, RM_DEAD, "this is no reduce job: %s", rm_job_text (job));
    words_t words = {0};
    int rc = 0;
    for (unsigned i = 0; i < maps && !rc; i++) {
        between (path, folder, i, number);
        rc = add_file (&words, path);
    }
    size_t size = 0;
    char *text = rc ? NULL : words_text (&words, &size);
    words_close (&words);
    perhaps_die (job);
    if (!text)
        return rm_job_fail (job, RM_RETRY, "cannot add up %s: %s", path, strerror (errno));
    rc = rm_job_reply (job, text, size);
    free (text);
    return rc;
}

static void ready (const char *name, void *arg)
{
    (void)arg;
    printf ("ready name=%s\n", name);
    fflush (stdout);
}

int main (int argc, char **argv)
{
    static const struct option options[] = {{"die", required_argument, NULL, 'd'}, {0}};
    for (int c; (c = getopt_long (argc, argv, "", options, NULL)) != -1;)
        die_percent = c == 'd' ? (unsigned)atoi (optarg) : 101;
    if (die_percent > 100 || optind != argc) {
        fprintf (stderr, "usage: mapreduce_worker [--die PERCENT]   (the master: $RINGMASTER)\n");
        return 2;
    }
    rm_worker_t *worker = rm_worker_new (NULL);
    int rc = -1;
    if (worker && !rm_worker_set (worker, "threads", "1") && !rm_worker_handle (worker, MAP_QUEUE, map, NULL) &&
        !rm_worker_handle (worker, REDUCE_QUEUE, reduce, NULL)) {
        rm_worker_on_ready (worker, ready, NULL);
        rc = rm_worker_run (worker);
    }
    if (rc)
        fprintf (stderr, "mapreduce_worker: %s\n", worker ? rm_worker_error (worker) : strerror (errno));
    rm_worker_destroy (&worker);
    return rc ? 1 : 0;
}
