/*  wordcount_pushpull: the control of the experiment. The same count over the pipeline that ZeroMQ's guide begins with
 *  (chapter 1, "Divide and Conquer"): a ventilator PUSHes the chunks to three workers, who PUSH the counts to a sink. One
 *  of the workers is killed while it works. Nobody notices, and what was queued at it is gone.
 *
 *  Prints how many words the sink was told of.
 */
#include <czmq.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "chunks.h"

enum {
    WORKERS = 3,
    CHUNKS = 96,
    KILLED_AT = 5,    /* the chunk at which the first worker is killed */
    SILENCE_MS = 1000 /* the sink can only guess that nothing more will come */
};

static _Noreturn void die (const char *what)
{
    fprintf (stderr, "wordcount_pushpull: %s: %s\n", what, zmq_strerror (errno));
    exit (1);
}

/* Counts chunk after chunk and tells the sink who counted, and how many words there were. An empty chunk is a greeting,
 * answered by a report of no words. */
static _Noreturn void work (const char *folder, uint32_t number)
{
    char *from = zsys_sprintf (">ipc://%s/chunks", folder), *to = zsys_sprintf (">ipc://%s/reports", folder);
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    zsock_t *chunks = zsock_new_pull (from), *reports = zsock_new_push (to);
    if (!chunks || !reports)
        die (folder);
    for (int seen = 0;;) {
        byte *data = NULL;
        size_t size;
        if (zsock_recv (chunks, "b", &data, &size))
            die ("receive");
        seen += size > 0;
        if (number == 0 && seen == KILLED_AT)
            raise (SIGKILL);
        words_t words = {0};
        if (chunk_count ((const char *)data, size, &words))
            die ("count");
        freen (data);
        zsock_send (reports, "48", number, words_total (&words));
        words_close (&words);
    }
}

/* Pushes all chunks once every worker has answered a greeting, and adds up what comes back until nothing does. */
static uint64_t count (zsock_t *chunks_out, zsock_t *reports_in, const chunks_t *chunks)
{
    uint32_t worker;
    uint64_t words, total = 0;
    bool here[WORKERS] = {false};
    for (int greeted = 0; greeted < WORKERS;) {
        if (zsock_send (chunks_out, "b", "", (size_t)0) || zsock_recv (reports_in, "48", &worker, &words))
            die ("greet");
        greeted += !here[worker];
        here[worker] = true;
    }
    for (size_t i = 0; i < chunks->count; i++)
        if (zsock_send (chunks_out, "b", chunks->all[i].data, chunks->all[i].size))
            die ("send");
    zsock_set_rcvtimeo (reports_in, SILENCE_MS);
    while (!zsock_recv (reports_in, "48", &worker, &words))
        total += words;
    return total;
}

int main (int argc, char **argv)
{
    if (argc != 3) {
        fprintf (stderr, "usage: wordcount_pushpull LIST FOLDER   (an empty folder, for its sockets)\n");
        return 2;
    }
    chunks_t chunks;
    if (chunks_load (&chunks, argv[1], CHUNKS))
        return 1;
    pid_t workers[WORKERS];
    for (uint32_t i = 0; i < WORKERS; i++) {
        workers[i] = fork (); /* before there is a context: it must not be used on the other side of a fork */
        if (workers[i] < 0)
            die ("fork");
        if (workers[i] == 0)
            work (argv[2], i);
    }
    char *to = zsys_sprintf ("@ipc://%s/chunks", argv[2]), *from = zsys_sprintf ("@ipc://%s/reports", argv[2]);
    zsock_t *chunks_out = zsock_new_push (to), *reports_in = zsock_new_pull (from);
    if (!chunks_out || !reports_in)
        die (argv[2]);
    printf ("%" PRIu64 "\n", count (chunks_out, reports_in, &chunks));

    for (int i = 0; i < WORKERS; i++) {
        kill (workers[i], SIGKILL);
        waitpid (workers[i], NULL, 0);
    }
    zsock_destroy (&chunks_out);
    zsock_destroy (&reports_in);
    freen (to);
    freen (from);
    chunks_close (&chunks);
    return 0;
}
