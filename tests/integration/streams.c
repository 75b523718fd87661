/* The pipelined client, through whatever happens to masters and workers: each job has one outcome, and ids grow in the order
 * in which jobs were sent. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "ringmaster/stream.h"

enum { JOBS = 10000, WINDOW = 2000, KEYS = 50, THREADS = 4 };

typedef struct {
    cluster_t *cluster;
    rm_stream_t *stream;
    uint64_t sent, ended;
    uint64_t ids[JOBS]; /* by tag; 0: it has not ended */
} storm_t;

static void begin (storm_t *self, cluster_t *cluster)
{
    char window[16];
    snprintf (window, sizeof window, "%d", WINDOW);
    *self = (storm_t){.cluster = cluster, .stream = rm_stream_new (cluster->jobs)};
    must (self->stream && !rm_stream_set (self->stream, "window", window));
}

static void fill (storm_t *self)
{
    for (; self->sent < JOBS; self->sent++) {
        char key[16], data[32];
        snprintf (key, sizeof key, "k%d", (int)(self->sent % KEYS));
        int size = snprintf (data, sizeof data, "job %d", (int)self->sent);
        int error = rm_stream_send (self->stream, rm_spec ("echo", .key = self->sent % 3 ? key : NULL, .data = data,
                                                           .size = (size_t)size, .tag = self->sent));
        if (error == RM_EBUSY)
            return;
        if (error)
            harness_fail ("job %d cannot be sent: %s", (int)self->sent, rm_stream_error (self->stream));
    }
}

static void take (storm_t *self, rm_result_t *result)
{
    uint64_t tag = rm_result_tag (result);
    char data[32];
    snprintf (data, sizeof data, "job %d", (int)tag);
    must (tag < JOBS && !self->ids[tag]);
    if (rm_result_outcome (result) != RM_DONE || strcmp (rm_result_text (result), data))
        harness_fail ("job %d ended as %d: %s %s", (int)tag, rm_result_outcome (result), rm_result_reason (result),
                      rm_result_text (result));
    self->ids[tag] = rm_result_id (result);
    self->ended++;
    rm_result_destroy (&result);
}

/* Goes on until so many have ended. */
static void run_to (storm_t *self, uint64_t ended)
{
    uint64_t heard_ms = time_ms ();
    struct pollfd item = {rm_stream_fd (self->stream), POLLIN, 0};
    while (self->ended < ended) {
        rm_result_t *result;
        fill (self);
        poll (&item, 1, 1000);
        while ((result = rm_stream_next (self->stream, 0))) {
            take (self, result);
            fill (self);
            heard_ms = time_ms ();
        }
        if (time_ms () > heard_ms + CLUSTER_PATIENCE_MS)
            harness_fail ("only %d have ended: %s", (int)self->ended, rm_stream_error (self->stream));
    }
}

static void end (storm_t *self)
{
    run_to (self, JOBS);
    must (!rm_stream_pending (self->stream) && !rm_stream_next (self->stream, 0));
    for (int tag = 1; tag < JOBS; tag++)
        must (self->ids[tag] > self->ids[tag - 1]);
    json_t *status;
    until ((status = cluster_ask (self->cluster, "status")));
    json_int_t done = json_integer_value (json_object_get (json_object_get (status, "jobs"), "done"));
    json_decref (status);
    printf ("%d jobs were sent, %d are done\n", JOBS, (int)done);
    must (done == JOBS);
    rm_stream_destroy (&self->stream);
}

static process_t *worker (cluster_t *cluster, const char *name)
{
    process_t *process = cluster_ringworker (cluster, name, THREADS, (const char *[]){"echo=builtin:echo", NULL});
    cluster_ready (process);
    return process;
}

void case_streams_master_and_worker_killed (cluster_t *cluster, unsigned times)
{
    (void)times;
    static storm_t storm;
    process_t *first = worker (cluster, "w1");
    worker (cluster, "w2");
    begin (&storm, cluster);
    for (int i = 1; i <= 3; i++) {
        run_to (&storm, JOBS * (uint64_t)i / 6);
        cluster_kill_master (cluster);
        must (cluster_master (cluster, NULL));
    }
    run_to (&storm, JOBS * 2 / 3);
    cluster_kill (&first);
    end (&storm);
}

void case_group_streams_leader_killed (cluster_t *cluster, unsigned times)
{
    (void)times;
    static storm_t storm;
    worker (cluster, "w1");
    worker (cluster, "w2");
    begin (&storm, cluster);
    for (int i = 1; i <= 2; i++) {
        run_to (&storm, JOBS * (uint64_t)i / 4);
        int leader = cluster_leader (cluster);
        cluster_kill (&cluster->masters[leader]);
        run_to (&storm, JOBS * (uint64_t)i / 4 + WINDOW);
        cluster_start_again (cluster, leader);
    }
    end (&storm);
}
