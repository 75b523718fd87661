/*  wordcount_worker: the two handlers of a word count by MapReduce.
 *
 *  map     without a key. Counts the words of one chunk of the text; the result is the counts. It changes nothing
 *          outside, so it may run twice: the outcome that is recorded first is the outcome, for everyone who asks.
 *  reduce  keyed by word bucket. Adds counts to the running totals of its bucket. That does change something outside, so
 *          it goes through the fence of totals.h.
 */
#include <errno.h>
#include <getopt.h>
#include <ringmaster/worker.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chunks.h"
#include "totals.h"

static int map (rm_job_t *job, void *arg)
{
    (void)arg;
    words_t words = {0};
    size_t size;
    const char *chunk = rm_job_data (job, &size);
    char *text = chunk_count (chunk, size, &words) ? NULL : words_text (&words, &size);
    words_close (&words);
    if (!text)
        return rm_job_fail (job, RM_RETRY, "cannot count %s: %s", chunk, strerror (errno));
    int rc = rm_job_reply (job, text, size);
    free (text);
    return rc;
}

static int reduce (rm_job_t *job, void *arg)
{
    totals_t *totals = arg;
    words_t words = {0};
    const char *why = "the payload is no list of counts";
    int outcome = TOTALS_DOWN;
    if (!words_parse (&words, rm_job_text (job)))
        outcome = totals_add (totals, rm_job_key (job), rm_job_id (job), rm_job_token (job), &words, &why);
    words_close (&words);

    switch (outcome) {
    case TOTALS_ADDED:
    case TOTALS_REPEAT: /* its first run added it, and was cut off before it could say so */
        return rm_job_replyf (job, "added");
    case TOTALS_FENCED:
        return rm_job_fail (job, RM_RETRY, "%s has been given to another worker", rm_job_key (job));
    default:
        return rm_job_fail (job, RM_RETRY, "cannot add to the totals: %s", why);
    }
}

static void ready (const char *name, void *arg)
{
    (void)arg;
    printf ("ready name=%s\n", name);
    fflush (stdout);
}

static int usage (void)
{
    fprintf (stderr, "usage: wordcount_worker --db FILE [--name NAME]   (the master: $RINGMASTER)\n");
    return 2;
}

int main (int argc, char **argv)
{
    static const struct option options[] = {
        {"db", required_argument, NULL, 'd'}, {"name", required_argument, NULL, 'n'}, {0}};
    const char *db = NULL, *name = NULL;
    for (int c; (c = getopt_long (argc, argv, "", options, NULL)) != -1;) {
        if (c == 'd')
            db = optarg;
        else if (c == 'n')
            name = optarg;
        else
            return usage ();
    }
    if (!db || optind != argc)
        return usage ();

    totals_t *totals = totals_open (db);
    rm_worker_t *worker = totals ? rm_worker_new (NULL) : NULL;
    int rc = -1;
    if (worker && !rm_worker_set (worker, "threads", "2") && (!name || !rm_worker_set (worker, "name", name)) &&
        !rm_worker_handle (worker, "map", map, NULL) && !rm_worker_handle (worker, "reduce", reduce, totals)) {
        rm_worker_on_ready (worker, ready, NULL);
        rc = rm_worker_run (worker); /* until SIGTERM: finishes what runs, hands the rest back, leaves */
    }
    if (rc && totals)
        fprintf (stderr, "wordcount_worker: %s\n", worker ? rm_worker_error (worker) : strerror (errno));
    rm_worker_destroy (&worker);
    totals_close (&totals);
    return rc ? 1 : 0;
}
