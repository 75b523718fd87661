/*  What the files of the checks share.
 *
 *  Thread rule: as check.h.
 */
#pragma once

#include "abstract.h"
#include "check.h"
#include "core/entry.h"
#include "core/leader_inside.h"
#include "core/snapshot.h"
#include "core/work_parts.h"
#include "history.h"
#include "sim.h"

enum { CHECK_BATCHES_MAX = 8192, CHECK_COMPLETIONS_MAX = 512, CHECK_TEXT_BYTES = 64, CHECK_INCS_MAX = 512 };

/* A job of the plan: what clients have asked for. */
typedef struct {
    bool asked;
    rm_session_id_t session; /* of the newest request */
    uint64_t seq;
    uint32_t requests; /* how many different ones */
} check_item_t;

/* A job that is in the log. */
typedef struct {
    uint32_t item; /* its index in the plan */
    int32_t key;   /* -1: none */
    uint32_t queue;
    uint64_t
        place;  /* among the jobs of its key: its id, or that of the dead one that held the key, and that it is again */
    bool holds; /* it is dead, and what stands behind it must not start */
    bool ended, forgotten, at_most_once;
    uint32_t starts;
    uint32_t failures, crashes;
    rm_outcome_t outcome;
    uint64_t ended_us;
    char bytes[CHECK_TEXT_BYTES], reason[CHECK_TEXT_BYTES];
    bool told; /* some client knows its outcome */
} check_job_t;

/* A done or fail entry of the batch that is being applied. */
typedef struct {
    uint64_t id;
    uint32_t attempt;
    bool ok;
    bool live; /* its incarnation was a member at that place of the log */
} check_completion_t;

/* What was sent to an incarnation, and what became of it. */
typedef struct {
    uint64_t inc, term, last_seq;
    bool removed;
} check_inc_t;

/* What was said in one (term, epoch). */
typedef struct {
    uint64_t term, epoch;
    bool fixed; /* phase 2 was said: */
    uint64_t sync_to;
    rm_sync_member_t members[PLAN_WORKERS_MAX * 8];
    uint32_t member_count;
    rm_sync_move_t moved[RM_SLOTS];
    uint32_t moved_count;
    struct {
        uint64_t inc, current_job;
        bool heard; /* by the leader, and taken */
    } answers[PLAN_WORKERS_MAX * 8];
    uint32_t answer_count;
} check_sync_t;

struct check {
    sim_t *sim;
    rm_state_t shadow;
    uint64_t index;                     /* batches applied to it */
    uint64_t log[CHECK_BATCHES_MAX];    /* a hash of each of them, by index */
    uint64_t states[CHECK_BATCHES_MAX]; /* and of the state behind it */
    uint64_t epoch;                     /* the highest one begun */
    uint64_t forgotten;
    uint64_t last_time_ms;
    check_counts_t counts;
    check_item_t items[PLAN_ITEMS_MAX];
    check_job_t *jobs;                 /* by id */
    uint64_t heard_us[SIM_JOBS_MAX];   /* by a session's number: its newest job */
    uint64_t written_us;               /* when the newest batch was stamped */
    bool queue_holds[PLAN_QUEUES_MAX]; /* since its newest setting */
    uint64_t newest_token[PLAN_QUEUES_MAX][PLAN_KEYS_MAX];
    check_completion_t completions[CHECK_COMPLETIONS_MAX];
    uint32_t completion_count;
    check_inc_t incs[CHECK_INCS_MAX];
    uint32_t inc_count;
    check_sync_t *sync; /* of the newest (term, epoch) */
    const char *stale;  /* what is arriving must not be heeded, says this checker: */
    uint64_t before;    /* … how things looked before it */
    bool was_open[PLAN_MASTERS_MAX][RM_SLOTS];
    uint64_t open_term[PLAN_MASTERS_MAX]; /* of was_open; 0: none */
    history_t *history;
    abstract_t *abstract; /* NULL: nobody wants events */
    uint64_t paused_us[SIM_PROCESSES_MAX];
};

#define VIOLATION(self, checker, ...) sim_violation ((self)->sim, checker, __VA_ARGS__)

/* check_jobs.c */
void check_listen (check_t *self);
check_job_t *check_job (check_t *self, uint64_t id);
void check_shadow_books (check_t *self);
void check_note_untold (check_t *self);
void check_answer (check_t *self, const rm_msg_t *msg);
void check_committed (check_t *self, uint32_t who, const rm_msg_committed_t *committed);
/* What the judge of real processes knows a process as. */
pid_t check_pid (const check_t *self, uint32_t who);

/* check_ledger.c */
void check_read_batch (check_t *self, rm_part_t batch);
bool check_completed (const check_t *self, uint64_t id, uint32_t attempt, bool ok);

/* check_sync.c */
void check_sync_sent (check_t *self, uint32_t from, const rm_msg_sync_t *sync);
void check_sync_heard (check_t *self, const rm_msg_sync_t *said);
/* NULL: there were too many. */
check_inc_t *check_inc (check_t *self, uint64_t inc);
void check_dispatch_sent (check_t *self, const rm_msg_dispatch_t *dispatch);

/* A leader that takes what workers say. */
static inline bool check_listens (const rm_leader_t *leader)
{
    return leader->leading && !leader->cut_off;
}

/* check_stale.c */
/* The checker that forbids what arrives to change anything; NULL: it may. */
const char *check_is_stale (const check_t *self, const sim_packet_t *packet);
uint64_t check_digest (const check_t *self, const sim_packet_t *packet);
