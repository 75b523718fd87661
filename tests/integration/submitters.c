#include "submitters.h"

#include <stdio.h>
#include <string.h>

process_t *submitter_start (const cluster_t *cluster, const char *name, const char *session, const char *key,
                            const char *payload)
{
    char program[600], file[700];
    snprintf (program, sizeof program, "%s/submitter", cluster->bin);
    snprintf (file, sizeof file, "%s/%s", scratch_dir (), session);
    char *argv[] = {program, (char *)cluster->jobs, file, "rec", (char *)key, (char *)payload, NULL};
    return cluster_process (cluster, name, argv, NULL);
}

void submitter_began (process_t *submitter, const char *key, const char *payload, history_job_t *job)
{
    unsigned long long seq;
    *job = (history_job_t){.may_end = 1 << RM_DONE};
    snprintf (job->key, sizeof job->key, "rec/%s", key);
    answer_for (payload, strlen (payload), job->bytes);
    const char *line = process_line (submitter, "session ", CLUSTER_PATIENCE_MS);
    must (line && sscanf (line, "session %32[0-9a-f]:%llu", job->session, &seq) == 2);
    job->seq = seq;
}

bool submitter_accepted (cluster_t *cluster, process_t *submitter, history_job_t *job, int timeout_ms)
{
    unsigned long long id;
    const char *line = process_line (submitter, "id ", timeout_ms);
    if (!line)
        return false;
    must (sscanf (line, "id %llu", &id) == 1);
    job->id = id;
    history_accepted (cluster->history, job);
    return true;
}

void submitter_ended (cluster_t *cluster, process_t *submitter, uint64_t id)
{
    history_outcome_t outcome = {.id = id, .outcome = RM_DONE};
    const char *line = process_line (submitter, "result ", CLUSTER_PATIENCE_MS);
    must (line && sscanf (line, "result %u %63s", &outcome.attempt, outcome.bytes) == 2);
    must (process_wait (submitter, CLUSTER_PATIENCE_MS) == 0);
    history_ended (cluster->history, &outcome);
}
