/*  mapreduce: counts the words of files by MapReduce, as the first lab of MIT 6.824 does it, with workers that may die.
 *
 *  Every input file is a map job; when all have ended, a few reduce jobs add up what they left. A job that a worker took
 *  along is run again by the master; whoever asks gets its one outcome. With --sequential the same words are counted here,
 *  in a row, without any master: what to compare with.
 */
#include <errno.h>
#include <getopt.h>
#include <ringmaster/client.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mapreduce.h"
#include "words.h"

enum { REDUCES = 5, PATIENCE_MS = 120000, FILES_MAX = RM_CLIENT_MANY_MAX };

static int fail (const char *what, const char *why)
{
    fprintf (stderr, "mapreduce: %s: %s\n", what, why);
    return -1;
}

/* ---- the jobs ---------------------------------------------------------------------------------------------------- */

/* Submits `count` jobs, whose payloads are freed, waits for all and adds the words of their results to `words` (unless that is
 * NULL). 0 or -1. */
static int do_jobs (rm_client_t *client, const char *queue, char **payloads, unsigned count, words_t *words)
{
    static rm_spec_t specs[FILES_MAX];
    static uint64_t ids[FILES_MAX];
    for (unsigned i = 0; i < count; i++)
        specs[i] = (rm_spec_t){.queue = queue, .data = payloads[i], .size = strlen (payloads[i]), .tries = 20};
    int rc = rm_client_submit_many (client, specs, count, PATIENCE_MS, ids);
    for (unsigned i = 0; i < count; i++)
        free (payloads[i]);
    if (rc)
        return fail (queue, rm_client_error (client));
    unsigned attempts = 0;
    for (unsigned i = 0; i < count && !rc; i++) {
        rm_result_t *result = NULL;
        rc = rm_client_wait (client, ids[i], PATIENCE_MS, &result);
        if (rc)
            fail (queue, rm_client_error (client));
        else if (rm_result_outcome (result) != RM_DONE)
            rc = fail (queue, rm_result_reason (result));
        else if (words && words_parse (words, rm_result_text (result)))
            rc = fail (queue, "no list of counts");
        if (!rc)
            attempts += rm_result_attempt (result);
        rm_result_destroy (&result);
    }
    fprintf (stderr, "%s: %u jobs, %u attempts\n", queue, count, attempts);
    return rc;
}

static int run (char **files, unsigned count, const char *folder, words_t *words)
{
    static char *payloads[FILES_MAX];
    rm_client_t *client = rm_client_new (NULL); /* $RINGMASTER */
    if (!client)
        return fail ("no client", strerror (errno));
    int rc = 0;
    for (unsigned i = 0; i < count; i++)
        rc |= asprintf (&payloads[i], MAP_FORMAT, i, (unsigned)REDUCES, folder, files[i]) < 0;
    rc = rc ? fail ("no map jobs", strerror (ENOMEM)) : do_jobs (client, MAP_QUEUE, payloads, count, NULL);
    for (unsigned i = 0; i < REDUCES && !rc; i++)
        rc = asprintf (&payloads[i], REDUCE_FORMAT, i, count, folder) < 0;
    if (!rc)
        rc = do_jobs (client, REDUCE_QUEUE, payloads, REDUCES, words);
    rm_client_destroy (&client);
    return rc;
}

/* ---- the words --------------------------------------------------------------------------------------------------- */

static int by_text (const word_t *one, const word_t *other)
{
    return strcmp (one->text, other->text);
}

static int print (words_t *words)
{
    size_t size;
    HASH_SORT (words->first, by_text);
    char *text = words_text (words, &size);
    if (text)
        fwrite (text, 1, size, stdout);
    free (text);
    return text ? 0 : fail ("cannot print", strerror (ENOMEM));
}

int main (int argc, char **argv)
{
    static const struct option options[] = {
        {"sequential", no_argument, NULL, 's'}, {"folder", required_argument, NULL, 'f'}, {0}};
    const char *folder = NULL;
    bool sequential = false, wrong = false;
    for (int c; (c = getopt_long (argc, argv, "", options, NULL)) != -1;) {
        sequential |= c == 's';
        folder = c == 'f' ? optarg : folder;
        wrong |= c == '?';
    }
    int count = argc - optind;
    if (wrong || sequential == !!folder || count < 1 || count > FILES_MAX) {
        fprintf (
            stderr,
            "usage: mapreduce --folder FOLDER | --sequential  FILE…   (absolute paths; the master: $RINGMASTER)\n");
        return 2;
    }
    words_t words = {0};
    int rc = sequential ? 0 : run (argv + optind, (unsigned)count, folder, &words);
    for (int i = optind; sequential && i < argc && !rc; i++)
        if (words_count (&words, argv[i], 0, UINT64_MAX))
            rc = fail (argv[i], strerror (errno));
    if (!rc)
        rc = print (&words);
    words_close (&words);
    return rc ? 1 : 0;
}
