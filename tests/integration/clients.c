/* A client dies, and another process goes on where it was: the same request, the same job, the same bytes. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cases.h"

#define PAYLOAD "700 ok once and only once"

static process_t *submitter (cluster_t *cluster, const char *name)
{
    char program[600], file[700];
    snprintf (program, sizeof program, "%s/submitter", cluster->bin);
    snprintf (file, sizeof file, "%s/session", scratch_dir ());
    char *argv[] = {program, cluster->jobs, file, "rec", "k", PAYLOAD, NULL};
    return process_start (name, argv, NULL);
}

/* What it says of its session and of its job, into the history. */
static uint64_t note (cluster_t *cluster, process_t *client)
{
    history_job_t job = {.key = "rec/k", .may_end = 1 << RM_DONE};
    unsigned long long seq, id;
    const char *line = process_line (client, "session ", CLUSTER_PATIENCE_MS);
    must (line && sscanf (line, "session %32[0-9a-f]:%llu", job.session, &seq) == 2);
    line = process_line (client, "id ", CLUSTER_PATIENCE_MS);
    must (line && sscanf (line, "id %llu", &id) == 1);
    job.seq = seq;
    job.id = id;
    answer_for (PAYLOAD, strlen (PAYLOAD), job.bytes);
    history_accepted (cluster->history, &job);
    return id;
}

static void note_result (cluster_t *cluster, process_t *client, uint64_t id)
{
    history_outcome_t outcome = {.id = id, .outcome = RM_DONE};
    const char *line = process_line (client, "result ", CLUSTER_PATIENCE_MS);
    must (line && sscanf (line, "result %u %63s", &outcome.attempt, outcome.bytes) == 2);
    must (process_wait (client, CLUSTER_PATIENCE_MS) == 0);
    history_ended (cluster->history, &outcome);
}

static json_int_t accepted (cluster_t *cluster)
{
    json_t *status = cluster_ask (cluster, "status");
    json_int_t count = json_integer_value (json_object_get (json_object_get (status, "jobs"), "accepted"));
    json_decref (status);
    return count;
}

void case_client_killed_before_the_result (cluster_t *cluster, unsigned times)
{
    (void)times;
    history_forbid_restarts (cluster->history);
    cluster_worker (cluster, "w1", 2);
    process_t *first = submitter (cluster, "first");
    uint64_t id = note (cluster, first);
    cluster_kill (&first);
    must (cluster_recorded (cluster, "end", id, NULL) == 0);
    process_t *second = submitter (cluster, "second");
    must (note (cluster, second) == id);
    note_result (cluster, second, id);
    process_t *third = submitter (cluster, "third"); /* asks when all is over */
    must (note (cluster, third) == id);
    note_result (cluster, third, id);
    must (accepted (cluster) == 1);
}

/* Killed when its job was in the ledger, and it had not been told. */
void case_client_killed_before_the_answer (cluster_t *cluster, unsigned times)
{
    (void)times;
    history_forbid_restarts (cluster->history);
    cluster_kill_master (cluster);
    cluster_master (cluster, "master.send.accepted.before=stop@1");
    cluster_worker (cluster, "w1", 2);
    process_t *first = submitter (cluster, "first");
    cluster_stands (cluster->master);
    must (process_line (first, "session ", CLUSTER_PATIENCE_MS));
    cluster_kill (&first);
    process_signal (cluster->master, SIGCONT);
    process_t *second = submitter (cluster, "second");
    uint64_t id = note (cluster, second);
    note_result (cluster, second, id);
    must (accepted (cluster) == 1);
}
