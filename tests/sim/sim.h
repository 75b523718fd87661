/*  A cluster in one thread: the real core and protocol code of masters, workers and clients over a simulated network,
 *  clocks and disks. A life is a function of its plan (plan.h), and a plan is a function of its seed: the same seed does the
 *  same thing to the byte.
 *
 *      plan ──▶ faults ──▶ ┌────────┐    ┌─────────┐    ┌────────┐
 *                          │ client │◀──▶│ network │◀──▶│ master │──▶ disk
 *                          └────────┘    └─────────┘    └────────┘
 *                                            ▲ ▼            │
 *                                        ┌────────┐         ▼
 *                                        │ worker │      shadow: the log, applied once more
 *                                        └────────┘
 *      every message, start, end, entry and turn ──▶ checks (check.h), story (story.h)
 *
 *  A life has two phases: until `plan->calm_us` things go wrong, then nothing does any more, and everything must end.
 *
 *  Who is who: first come the masters, then the workers, then the clients.
 *  Time: `now_us`, microseconds since the life began. Each process has a clock of its own that may be set and may run
 *  fast or slow; only that is shown to the core.
 *  Thread rule: one thread. A violation does not return: it ends the life by a long jump (sim_violation).
 */
#pragma once

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "core/leader.h"
#include "core/pirate.h"
#include "core/snapshot.h"
#include "core/splitmix.h"
#include "core/work.h"
#include "events.h"
#include "plan.h"

enum {
    SIM_PROCESSES_MAX = PLAN_MASTERS_MAX + PLAN_WORKERS_MAX + PLAN_CLIENTS_MAX,
    SIM_JOBS_MAX = 256,               /* accepted in one life */
    SIM_PATIENCE_US = 120000000,      /* all must have ended so long after the calm began */
    SIM_EVENTS_MAX = 4 * 1000 * 1000, /* a life that needs more goes round in circles */
};

typedef struct sim_master sim_master_t;
typedef struct sim_worker sim_worker_t;
typedef struct sim_client sim_client_t;
typedef struct sim_disk sim_disk_t;

/* A clock that was `from_us` at `since_us` of the life, and runs `rate_ppm` too fast. */
typedef struct {
    uint64_t since_us, from_us;
    int64_t rate_ppm;
} sim_clock_t;

/* One process, whatever it runs. What belongs to an earlier boot of it no longer counts. */
typedef struct {
    uint32_t who;
    char name[8];          /* m, w1 …, c1 … */
    bool up;               /* it runs, or is paused */
    bool dying;            /* killed at a point: nothing it does from here on leaves it */
    uint32_t boot;         /* from 1 */
    uint64_t down_us;      /* when it was last killed */
    uint64_t back_us;      /* when it starts again, once it is down */
    uint64_t paused_us;    /* until then it does nothing; 0: it is not paused */
    uint64_t tainted_us;   /* was paused until then */
    uint64_t points;       /* sends and commits passed since the life began, each counted before and after */
    uint64_t kill_point;   /* at this one it is killed; 0: at none */
    uint64_t kill_down_us; /* … for so long */
    uint64_t turn_at;      /* a turn is due then; 0: none */
    uint64_t wake_at;      /* a wake is due then; UINT64_MAX: none */
    sim_clock_t clock;
    sim_event_t *backlog; /* what happened while it was paused */
    uint32_t backlog_count, backlog_room;
} sim_process_t;

/* What goes wrong on the way from one process to another; all 0: nothing. */
typedef struct {
    uint32_t loss_permille, double_permille;
    uint32_t delay_us;  /* at most so much more */
    bool reorders;      /* what is delayed may be overtaken */
    bool cut;           /* nothing gets through */
    uint64_t held_us;   /* nothing arrives before that, and all that was sent does then */
    uint64_t last_us;   /* when the newest message arrives, so that none overtakes it */
    uint64_t broken_us; /* what was sent before that, and has not arrived, is lost */
} sim_way_t;

typedef struct sim {
    const plan_t *plan;
    uint64_t now_us;
    uint64_t random; /* of the network, disk and clocks; jobs and clients draw from their own */
    sim_events_t events;
    sim_process_t processes[SIM_PROCESSES_MAX];
    uint32_t process_count;
    sim_way_t ways[SIM_PROCESSES_MAX][SIM_PROCESSES_MAX]; /* from, to */
    sim_disk_t *disks[PLAN_MASTERS_MAX];
    sim_master_t *masters[PLAN_MASTERS_MAX]; /* NULL while it is down */
    sim_worker_t *workers[PLAN_WORKERS_MAX];
    sim_client_t *clients[PLAN_CLIENTS_MAX];
    int64_t wall_us; /* what was added to the calendar */
    bool calm;       /* the second phase */
    check_t *check;
    uint64_t steps;
    jmp_buf end; /* where a violation goes */
} sim_t;

/* ---- life ------------------------------------------------------------------------------------------------------ */

/* What a life came to. */
typedef struct {
    bool violated;
    char checker[32]; /* who found it */
    char text[512];   /* what */
    uint64_t ended_us;
    uint64_t steps;
    uint64_t jobs, starts, resizes, terms, deaths; /* what happened in it */
    uint64_t points[SIM_PROCESSES_MAX];            /* how many points each process passed */
} sim_result_t;

/* Lives it to its end, or to the first violation. */
void sim_live (const plan_t *plan, sim_result_t *result);

/* Ends the life: the promise called `checker` is broken. */
_Noreturn void sim_violation (sim_t *self, const char *checker, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* ---- processes (process.c) ------------------------------------------------------------------------------------- */

uint64_t sim_draw (sim_t *self, uint64_t below);
bool sim_once_in (sim_t *self, uint64_t n);

/* Milliseconds of the process's own monotonic clock. */
uint64_t sim_clock_ms (const sim_t *self, uint32_t who);
/* Milliseconds since 1970, as that process believes. */
uint64_t sim_wall_ms (const sim_t *self, uint32_t who);
/* When, in the life's time, its clock will show `ms`. */
uint64_t sim_when_us (const sim_t *self, uint32_t who, uint64_t ms);
void sim_set_rate (sim_t *self, uint32_t who, int64_t rate_ppm);

/* A place where a fault may kill the process: `name` is for the story. */
void sim_point (sim_t *self, uint32_t who, const char *name, const char *side);
void sim_boot (sim_t *self, uint32_t who);
/* kill -9; it starts again after so long. */
void sim_kill (sim_t *self, uint32_t who, uint64_t down_us);
/* It ended by itself. */
void sim_exit (sim_t *self, uint32_t who, uint64_t down_us);
void sim_pause (sim_t *self, uint32_t who, uint64_t until_us);
/* Has a turn of the process's loop run soon; any number of calls before it are one turn. */
void sim_want_turn (sim_t *self, uint32_t who);
/* Has it woken when its clock shows `ms`, UINT64_MAX: not at all. Replaces the wake before. */
void sim_want_wake (sim_t *self, uint32_t who, uint64_t ms);
/* Adds an event for this boot of a process. */
void sim_after (sim_t *self, uint64_t delay_us, sim_event_kind_t kind, uint32_t who, void *what, uint64_t number);
/* Frees what belongs to an event that does not happen. */
void sim_event_drop (const sim_event_t *event);
/* Does one event. */
void sim_happen (sim_t *self, const sim_event_t *event);

static inline bool sim_is_master (const sim_t *self, uint32_t who)
{
    return who < self->plan->master_count;
}

static inline bool sim_is_worker (const sim_t *self, uint32_t who)
{
    return !sim_is_master (self, who) && who < self->plan->master_count + self->plan->worker_count;
}

/* Its place among the workers. */
static inline uint32_t sim_worker_place (const sim_t *self, uint32_t who)
{
    return who - self->plan->master_count;
}

static inline uint32_t sim_worker_who (const sim_t *self, uint32_t worker)
{
    return self->plan->master_count + worker;
}

static inline uint32_t sim_client_place (const sim_t *self, uint32_t who)
{
    return who - self->plan->master_count - self->plan->worker_count;
}

static inline uint32_t sim_client_who (const sim_t *self, uint32_t client)
{
    return self->plan->master_count + self->plan->worker_count + client;
}

/* True if the job at that place of the plan is that client's. */
static inline bool sim_client_wants (const sim_t *self, uint32_t who, uint32_t place)
{
    return sim_client_who (self, self->plan->items[place].client) == who;
}

/* ---- network (network.c) --------------------------------------------------------------------------------------- */

/* A message on its way. */
typedef struct sim_packet {
    uint32_t refs;
    uint32_t from, to;
    uint32_t from_boot;
    uint64_t sent_us;
    uint64_t connection; /* of the peer; 0: whichever it has (PUB) */
    rm_buf_t frame;
    rm_msg_t msg;
} sim_packet_t;

/* Sends a frame, whose memory is taken over. `connection` is the peer's, whichever side sends. */
void sim_send (sim_t *self, uint32_t from, uint32_t to, uint64_t connection, rm_buf_t *frame);
/* What is on its way between the two is lost. */
void sim_break (sim_t *self, uint32_t one, uint32_t other);
/* When a message that leaves now arrives over this way; 0: it is lost. */
uint64_t sim_way_arrival_us (sim_t *self, uint32_t from, uint32_t to);
/* Whether what was sent then still comes out of a process that may have died since. */
bool sim_has_left (const sim_t *self, uint32_t from, uint32_t from_boot, uint64_t sent_us);
void sim_packet_free (sim_packet_t *packet);
/* Whether it still arrives: nobody who matters has died or hung up since. */
bool sim_packet_arrives (const sim_t *self, const sim_packet_t *packet);

/* ---- masters (master.c) ---------------------------------------------------------------------------------------- */

void sim_master_boot (sim_t *self, uint32_t who);
void sim_master_down (sim_t *self, uint32_t who);
void sim_master_receive (sim_t *self, const sim_packet_t *packet);
void sim_master_turn (sim_t *self, uint32_t who);
void sim_master_wake (sim_t *self, uint32_t who);
void sim_master_snapshot (sim_t *self, uint32_t who);
/* It loses its leadership: to another one, or for a while if there is none. */
void sim_master_depose (sim_t *self, uint32_t who, uint64_t away_us);
void sim_master_stand (sim_t *self, uint32_t who);
rm_now_t sim_master_now (const sim_t *self, uint32_t who);
void sim_order (sim_t *self, plan_order_t what, uint64_t number);
void sim_order_resume (sim_t *self);
void sim_order_release (sim_t *self);
void sim_master_drain (sim_t *self, uint32_t worker);
struct sim_raft *sim_master_raft (const sim_t *self, uint32_t who);
/* Of its ledger: the next batch of the log is committed, which stands at `index` since `term` (both of the log), and was
 * proposed at `written_us`. */
void sim_master_applies (sim_t *self, uint32_t who, uint64_t index, uint64_t term, const void *batch, size_t size,
                         uint64_t written_us);
/* Of its ledger: it gets the whole state of another one, which stands for so many batches. */
void sim_master_restores (sim_t *self, uint32_t who, const void *snapshot, size_t size, uint64_t batches);
/* NULL while it is down. */
rm_leader_t *sim_leader (const sim_t *self, uint32_t who);
/* The master that leads in the newest term, and answers; NULL: none does. */
rm_leader_t *sim_leading (const sim_t *self, uint32_t *who);

/* ---- workers (worker.c) ---------------------------------------------------------------------------------------- */

void sim_worker_boot (sim_t *self, uint32_t who);
void sim_worker_down (sim_t *self, uint32_t who);
void sim_worker_receive (sim_t *self, const sim_packet_t *packet);
void sim_worker_turn (sim_t *self, uint32_t who);
void sim_worker_connect (sim_t *self, uint32_t who);
/* A thread takes a job out of the run queue. */
void sim_worker_start (sim_t *self, uint32_t who);
void sim_worker_told (sim_t *self, uint32_t who);
/* The handler in that thread says how far it is. */
void sim_worker_tells (sim_t *self, uint32_t who, uint64_t thread, uint64_t run);
/* The handler in that thread returns. */
void sim_worker_end (sim_t *self, uint32_t who, uint64_t thread, uint64_t run);
void sim_worker_leave (sim_t *self, uint32_t who);
/* 0: it has none to that master. */
uint64_t sim_worker_connection (const sim_t *self, uint32_t who, uint32_t master);
/* NULL while it is down. */
rm_work_t *sim_work (const sim_t *self, uint32_t who);

/* What a thread of a worker runs. */
typedef struct sim_run {
    rm_work_job_t *job; /* NULL: nothing */
    uint64_t run;       /* dense: tells one run from the next */
    uint64_t inc;       /* its worker's, when it started */
    uint32_t slot;
    uint64_t started_us;
    uint64_t told_ms; /* when it said last, in time, how far it is, or else started; of its process's clock */
} sim_run_t;

/* The threads of a worker that is up. */
sim_run_t *sim_worker_runs (const sim_t *self, uint32_t who, uint32_t *count);

/* ---- clients (client.c) ---------------------------------------------------------------------------------------- */

/* The job as it is submitted, without its number; `payload` and `key` hold its bytes. */
rm_submit_job_t sim_client_spell (const plan_item_t *item, char payload[16], char key[8]);

void sim_client_boot (sim_t *self, uint32_t who);
void sim_client_down (sim_t *self, uint32_t who);
void sim_client_receive (sim_t *self, const sim_packet_t *packet);
void sim_client_wake (sim_t *self, uint32_t who);
/* Everything it had to do is done. */
bool sim_client_finished (const sim_t *self, uint32_t who);
void sim_client_destroy (sim_t *self, uint32_t who);
/* 0: it has none to that master. */
uint64_t sim_client_connection (const sim_t *self, uint32_t who, uint32_t master);

/* ---- faults (faults.c) ----------------------------------------------------------------------------------------- */

void sim_fault_begins (sim_t *self, uint32_t number);
void sim_fault_ends (sim_t *self, uint32_t number);
/* All that is still wrong is mended: the second phase begins. */
void sim_calm (sim_t *self);
