/*  wordcount_pushpull: the control of the experiment. The same count over the pipeline that ZeroMQ's guide begins with
 *  (chapter 1, "Divide and Conquer"): a ventilator PUSHes the chunks to three workers, who PUSH the counts to a sink. One
 *  of the workers is killed while it works. Nobody notices, and what was queued at it is gone.
 *
 *  Prints how many words the sink was told of.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

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

static void *open_socket (void *context, int type, const char *folder, const char *name,
                          int (*attach) (void *, const char *))
{
    char endpoint[256];
    snprintf (endpoint, sizeof endpoint, "ipc://%s/%s", folder, name);
    void *socket = zmq_socket (context, type);
    if (!socket || attach (socket, endpoint))
        die (endpoint);
    return socket;
}

typedef struct {
    unsigned worker; /* who counted */
    uint64_t words;  /* how many words it found */
} report_t;

/* Counts chunk after chunk and tells the sink. An empty one is a greeting, answered by a report of no words. */
static _Noreturn void work (const char *folder, unsigned number)
{
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    void *context = zmq_ctx_new ();
    void *chunks = open_socket (context, ZMQ_PULL, folder, "chunks", zmq_connect);
    void *reports = open_socket (context, ZMQ_PUSH, folder, "reports", zmq_connect);
    for (int seen = 0;;) {
        zmq_msg_t chunk;
        zmq_msg_init (&chunk);
        if (zmq_msg_recv (&chunk, chunks, 0) < 0)
            die ("receive");
        seen += zmq_msg_size (&chunk) > 0;
        if (number == 0 && seen == KILLED_AT)
            raise (SIGKILL);
        words_t words = {0};
        if (chunk_count (zmq_msg_data (&chunk), zmq_msg_size (&chunk), &words))
            die ("count");
        zmq_msg_close (&chunk);
        report_t report = {.worker = number, .words = words_total (&words)};
        words_close (&words);
        zmq_send (reports, &report, sizeof report, 0);
    }
}

/* Pushes all chunks once every worker has answered a greeting, and adds up what comes back until nothing does. */
static uint64_t count (void *chunks_out, void *reports_in, const chunks_t *chunks)
{
    report_t report;
    bool here[WORKERS] = {false};
    for (int greeted = 0; greeted < WORKERS;) {
        if (zmq_send (chunks_out, "", 0, 0) < 0 || zmq_recv (reports_in, &report, sizeof report, 0) != sizeof report)
            die ("greet");
        greeted += !here[report.worker];
        here[report.worker] = true;
    }
    for (size_t i = 0; i < chunks->count; i++)
        if (zmq_send (chunks_out, chunks->all[i].data, chunks->all[i].size, 0) < 0)
            die ("send");
    uint64_t total = 0;
    int silence_ms = SILENCE_MS;
    zmq_setsockopt (reports_in, ZMQ_RCVTIMEO, &silence_ms, sizeof silence_ms);
    while (zmq_recv (reports_in, &report, sizeof report, 0) == sizeof report)
        total += report.words;
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
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = fork (); /* before there is a context: it must not be used on the other side of a fork */
        if (workers[i] < 0)
            die ("fork");
        if (workers[i] == 0)
            work (argv[2], (unsigned)i);
    }
    void *context = zmq_ctx_new ();
    void *chunks_out = open_socket (context, ZMQ_PUSH, argv[2], "chunks", zmq_bind);
    void *reports_in = open_socket (context, ZMQ_PULL, argv[2], "reports", zmq_bind);
    printf ("%" PRIu64 "\n", count (chunks_out, reports_in, &chunks));

    for (int i = 0; i < WORKERS; i++) {
        kill (workers[i], SIGKILL);
        waitpid (workers[i], NULL, 0);
    }
    int linger_ms = 0;
    zmq_setsockopt (chunks_out, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zmq_close (chunks_out);
    zmq_close (reports_in);
    zmq_ctx_term (context);
    chunks_close (&chunks);
    return 0;
}
