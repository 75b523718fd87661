/* A client dies, and another process goes on where it was: the same request, the same job, the same bytes. */
#include <signal.h>

#include "cases.h"
#include "submitters.h"

#define PAYLOAD "700 ok once and only once"

static process_t *submitter (cluster_t *cluster, const char *name)
{
    return submitter_start (cluster, name, "session", "k", PAYLOAD);
}

static uint64_t note (cluster_t *cluster, process_t *client)
{
    history_job_t job;
    submitter_began (client, "k", PAYLOAD, &job);
    must (submitter_accepted (cluster, client, &job, CLUSTER_PATIENCE_MS));
    return job.id;
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
    submitter_ended (cluster, second, id);
    process_t *third = submitter (cluster, "third"); /* asks when all is over */
    must (note (cluster, third) == id);
    submitter_ended (cluster, third, id);
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
    submitter_ended (cluster, second, id);
    must (accepted (cluster) == 1);
}
