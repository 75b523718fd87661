/*  Bad bytes for each socket of a master: it stays up, cuts off who claims too much, serves everyone else all the while, and
 *  nothing that was accepted is lost, also over a restart from the ledger that was written meanwhile.
 *
 *      bad_bytes jobs|work|sync|http     ($RM_SEED makes another storm)
 *      bad_bytes answer                  asks for more than an answer may hold
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "net/socket.h"
#include "proto/msg.h"
#include "raw.h"
#include "ringmaster/error.h"
#include "storm.h"

enum { MESSAGES = 4000, KEPT = 30, MEMORY_KIB_MAX = 400 << 10 };

enum { JOBS, WORK, SYNC, HTTP }; /* the ports from the base on */

static uint64_t kept[KEPT];

/* Jobs that nobody serves until the storm is over. */
static void keep (cluster_t *cluster)
{
    char payload[32];
    for (int i = 0; i < KEPT; i++) {
        snprintf (payload, sizeof payload, "1 ok kept %d", i);
        kept[i] = submit (cluster, .queue = "kept", .payload = payload);
    }
}

static void serve_kept (cluster_t *cluster)
{
    char program[600];
    snprintf (program, sizeof program, "%s/recorder", cluster->bin);
    char *argv[] = {program, cluster->jobs, "late", "2", cluster->recorded, "kept", NULL};
    cluster_ready (process_start ("late", argv, NULL));
}

static void works (cluster_t *cluster)
{
    cluster_wait (cluster, cluster->client, submit (cluster, .payload = "1 ok"));
    cluster_wait (cluster, cluster->client, submit (cluster, .payload = "1 ok too", .key = "k"));
}

/* The most memory the master ever had. */
static long memory_kib (cluster_t *cluster)
{
    char path[64], line[256];
    long kib = -1;
    snprintf (path, sizeof path, "/proc/%ld/status", (long)process_pid (cluster->master));
    FILE *file = fopen (path, "r");
    while (file && fgets (line, sizeof line, file))
        sscanf (line, "VmHWM: %ld", &kib);
    if (file)
        fclose (file);
    return kib;
}

static void storm (cluster_t *cluster, wild_t *wild, int which)
{
    int port = cluster->base + which;
    unsigned answers = 0;
    switch (which) {
    case JOBS:
        storm_raw (wild, port, "DEALER");
        answers = storm_messages (wild, RM_SOCKET_JOBS_DEALER, port, MESSAGES);
        must (answers > MESSAGES / 2); /* what cannot be read is answered here */
        break;
    case WORK:
        storm_raw (wild, port, "DEALER");
        answers = storm_messages (wild, RM_SOCKET_WORK_DEALER, port, MESSAGES);
        must (answers > 0);
        break;
    case SYNC:
        storm_raw (wild, port, "SUB");
        break;
    default:
        storm_http (wild, port);
    }
    printf ("%u answers\n", answers);
}

static void answers_http (cluster_t *cluster)
{
    static const char question[] = "GET /status HTTP/1.0\r\n\r\n";
    int fd = raw_connect (cluster->base + HTTP);
    must (raw_send (fd, question, sizeof question - 1));
    must (raw_answered (fd, "200 OK", CLUSTER_PATIENCE_MS));
    raw_close (fd, false);
}

static void endure (int which)
{
    cluster_t cluster;
    wild_t wild = wild_begin ();
    cluster_open (&cluster, false);
    process_t *worker = cluster_recorder (&cluster, "steady", 4, NULL);
    cluster_ready (worker);
    keep (&cluster);
    works (&cluster);
    storm (&cluster, &wild, which);
    works (&cluster);
    answers_http (&cluster);
    must (process_alive (cluster.master) && process_alive (worker));
    printf ("%ld KiB\n", memory_kib (&cluster));
    must (memory_kib (&cluster) < MEMORY_KIB_MAX);
    cluster_kill_master (&cluster);
    must (cluster_master (&cluster, NULL));
    works (&cluster);
    serve_kept (&cluster);
    for (int i = 0; i < KEPT; i++)
        cluster_wait (&cluster, cluster.client, kept[i]);
    process_signal (cluster.master, SIGTERM);
    must (process_wait (cluster.master, CLUSTER_PATIENCE_MS) == 0);
    cluster_close (&cluster);
}

/* ---- an answer that is too large -------------------------------------------------------------------------------- */

/* Sends one message and takes its answer, which is to be of this type. */
static void converse (rm_socket_t *socket, const rm_msg_t *msg, rm_msg_type_t type, int code)
{
    rm_buf_t buf = {0};
    rm_frame_t frame = {0};
    rm_msg_t answer;
    must (!rm_msg_encode (msg, &buf) && !rm_socket_send_buf (socket, NULL, &buf));
    until (rm_socket_recv (socket, NULL, &frame) == 1);
    must (!rm_msg_decode (&answer, rm_frame_data (&frame), rm_frame_size (&frame), NULL));
    must (answer.type == type && (type != RM_MSG_ERROR || answer.error.code == code));
    rm_msg_close (&answer);
    rm_frame_close (&frame);
    rm_buf_close (&buf);
}

/* Jobs whose keys take six times their size in JSON: a list of all is more than an answer may be. */
static void ask_too_much (void)
{
    static rm_submit_job_t jobs[RM_MESSAGE_JOBS_MAX];
    static char key[RM_KEY_BYTES_MAX];
    cluster_t cluster;
    rm_endpoint_t endpoint;
    cluster_open (&cluster, false);
    must (!rm_endpoint_parse (&endpoint, cluster.jobs, NULL));
    rm_socket_t *socket = rm_socket_connect (RM_SOCKET_JOBS_DEALER, &endpoint, NULL);
    must (socket);
    memset (key, 1, sizeof key);
    for (unsigned i = 0; i < RM_MESSAGE_JOBS_MAX; i++)
        jobs[i] = (rm_submit_job_t){.seq = i + 1, .queue = {"long", 4}, .key = {key, sizeof key}, .data = {"", 0}};
    rm_msg_t msg = {.type = RM_MSG_SUBMIT,
                    .submit = {.session = {{1}}, .jobs = jobs, .job_count = RM_MESSAGE_JOBS_MAX}};
    converse (socket, &msg, RM_MSG_ACCEPTED, 0);
    msg = (rm_msg_t){.type = RM_MSG_QUERY, .query = {.what = {"jobs", 4}, .limit = UINT32_MAX}};
    converse (socket, &msg, RM_MSG_ERROR, RM_ETOOBIG);
    msg.query.limit = 1000;
    converse (socket, &msg, RM_MSG_ANSWER, 0);
    msg.query.what = (rm_bytes_t){"weather", 7};
    converse (socket, &msg, RM_MSG_ERROR, RM_EINVAL);
    must (process_alive (cluster.master));
    rm_socket_close (&socket);
    process_signal (cluster.master, SIGTERM);
    must (process_wait (cluster.master, CLUSTER_PATIENCE_MS) == 0);
    rm_client_destroy (&cluster.client);
    history_destroy (&cluster.history);
}

int main (int argc, char **argv)
{
    static const char *const names[] = {"jobs", "work", "sync", "http"};
    setvbuf (stdout, NULL, _IOLBF, 0);
    for (int i = JOBS; i <= HTTP; i++) {
        if (argc != 2 || strcmp (argv[1], names[i]))
            continue;
        endure (i);
        return 0;
    }
    if (argc == 2 && !strcmp (argv[1], "answer")) {
        ask_too_much ();
        return 0;
    }
    fprintf (stderr, "usage: bad_bytes jobs|work|sync|http|answer\n");
    return 2;
}
