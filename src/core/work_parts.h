/*  What the files of the worker's half (work.h) share: its members, its job table and its part of a resize.
 *
 *  Thread rule: as work.h.
 */
#pragma once

#include "core/work.h"

enum {
    RM_WORK_BUCKETS = 4096, /* of each hash; tables of fixed size, so that no lookup and no move ever needs memory */
    RM_WORK_BEATS = 64,     /* heartbeats whose answer still counts */
    RM_WORK_TEXT_BYTES = 512,
};

/* A resize as this worker has seen it: the newest (term, epoch), superseded by any newer one. */
typedef struct {
    uint64_t term, epoch;
    uint64_t current_job; /* as first answered */
    bool reported;        /* its phase 1 was answered */
    bool closed;          /* its phase 2 was done: lost slots are closed */
    bool ok;              /* nothing is left in them */
    bool over;            /* its phase 3 has come */
    bool say_1, say_2, say_3;
    uint64_t *returned; /* ids handed back by its phase 2; owned, kept for the next resize */
    uint32_t returned_count, returned_capacity;
} rm_work_resize_t;

/* What was sent when, to know what an answer is worth. */
typedef struct {
    uint64_t n, sent_ms;
} rm_work_beat_t;

/* Memory of the effects, reused by every call. */
typedef struct {
    rm_msg_t *sends;
    uint32_t send_count, send_capacity;
    uint64_t *held;
    uint32_t held_count, held_capacity;
    rm_progress_job_t *progress;
    uint32_t progress_count, progress_capacity;
    rm_partial_t *partials;
    uint32_t partial_count, partial_capacity;
    rm_work_partial_t *told; /* what they alias; utlist */
    rm_done_job_t *done;
    uint32_t done_count, done_capacity;
    uint64_t *returned;
    uint32_t returned_count, returned_capacity;
} rm_work_says_t;

/* What the program knows of its slots. A slot that was lost and came back is told of as lost before it is as gained: others
 * may have had it meanwhile. */
typedef struct {
    bool wanted[RM_SLOTS]; /* the master says that it is ours */
    bool known[RM_SLOTS];  /* the program was told so */
    bool stale[RM_SLOTS];  /* known, and lost since */
    bool pending;          /* there may be something to be told */
    bool telling;          /* the program is being told `said` */
    rm_slots_t said;
    rm_slot_range_t gained[RM_SLOTS / 2], lost[RM_SLOTS / 2];
} rm_work_slots_t;

struct rm_work {
    rm_bytes_t name, pool;
    rm_bytes_t *queues; /* owned, with the texts behind them */
    uint32_t queue_count, threads;

    rm_work_state_t state; /* moved only by work.c, along its table */
    bool connected;
    bool leaving;
    bool joined_ever, say_joined; /* the first join is told once */
    rm_work_end_t end;
    bool leased_at_end; /* results may still be told */
    int32_t end_code;
    char text[RM_WORK_TEXT_BYTES];

    uint64_t inc;                       /* this incarnation; 0: none yet */
    uint64_t term;                      /* the highest one seen */
    uint64_t upto;                      /* every dispatch of this term up to here was received */
    uint64_t seen;                      /* the newest dispatch that a heartbeat's answer named in this term */
    uint64_t job_id_max;                /* the highest job id received by this incarnation */
    uint64_t join_ms;                   /* when this incarnation first asked to join */
    bool join_sent;                     /* it did */
    uint64_t joined_term, joined_epoch; /* of its `joined` */
    uint32_t lease_ms, grace_ms, heartbeat_ms;
    uint32_t result_bytes_max;

    uint64_t leased_until; /* while leased */
    uint64_t exit_at;      /* handlers that were cancelled for good must have ended by then */
    uint64_t beat_at;      /* the next heartbeat or join is due */
    uint64_t beat;         /* number of the last heartbeat */
    rm_work_beat_t beats[RM_WORK_BEATS];
    uint64_t heard_ms;    /* a master answered on this connection, or it was made */
    uint64_t answered_ms; /* a master answered on any, or time began */
    bool began;           /* answered_ms is set */
    bool say_beat, say_join, say_leave;
    bool say_progress;           /* some job's is to be told, or … */
    rm_work_partial_t *partials; /* … these are (utlist); … */
    uint64_t progress_at;        /* … but not before */
    atomic_size_t partial_bytes; /* of all that were made; raised by handler threads */

    rm_work_resize_t resize;
    uint64_t closed[RM_SLOTS]; /* the epoch that closed a slot; 0: open */
    rm_work_slots_t *slots;    /* NULL: the program does not want to be told */

    rm_work_job_t *held; /* all lists: utlist's doubly linked ones */
    uint32_t held_count;
    rm_work_job_t *ready;    /* queued, may start, not offered yet */
    rm_work_job_t *offered;  /* with the shell: queued or running ones, and forgotten ones that it still has */
    rm_work_job_t *finished; /* a result to be said */
    rm_work_job_t *sent;     /* a result that awaits its committed */
    rm_work_job_t *cancels, *withdrawn;
    rm_work_job_t *by_id[RM_WORK_BUCKETS];
    rm_work_job_t *by_key[RM_WORK_BUCKETS]; /* the first job of each key */
    atomic_uint running;                    /* raised by handler threads with the read side */
    atomic_uint_least64_t timeout_at;       /* no running job is due before; lowered likewise */

    rm_work_says_t says;
    rm_work_effects_t effects;
};

/* ---- work.c ---- */

/* A newer term has spoken: dispatches are numbered anew, results are told again. */
void rm_work_adopt (rm_work_t *self, uint64_t term);
/* This incarnation is no more: cancels and forgets all it held. */
void rm_work_forget (rm_work_t *self, uint64_t now_ms);
bool rm_work_is_member (const rm_work_t *self);

/* ---- work_jobs.c ---- */

rm_work_job_t *rm_work_jobs_find (rm_work_t *self, uint64_t id);
/* Takes dispatches in. False if one has to be refused for good: it is received, but not held. Stops at the first one
 * that is not the next, or when there is no room: that one and all behind it will be sent again. */
bool rm_work_jobs_receive (rm_work_t *self, const rm_msg_dispatch_t *dispatch);
/* Hands back a queued job. */
void rm_work_jobs_return (rm_work_t *self, rm_work_job_t *job);
/* Hands back all that has not started. */
void rm_work_jobs_return_all (rm_work_t *self);
/* The outcome of this attempt, and of all before, is in the ledger. A job that has not finished, or a later attempt, is left
 * alone. */
/* Hands it back, or tells its handler to stop. */
void rm_work_jobs_stop (rm_work_t *self, uint64_t id, uint32_t attempt);
void rm_work_jobs_commit (rm_work_t *self, uint64_t id, uint32_t attempt);
/* A finished job's result is on its way. */
void rm_work_jobs_sent (rm_work_t *self, rm_work_job_t *job, uint64_t now_ms);
/* What was sent until `before_ms` is to be sent again. */
void rm_work_jobs_unsend (rm_work_t *self, uint64_t before_ms);
/* Tells all that run to stop. */
void rm_work_jobs_cancel (rm_work_t *self, rm_work_stop_t why);
/* Cancels what ran past its timeout. False if a handler did not stop within `grace_ms` after that. */
bool rm_work_jobs_expire (rm_work_t *self, uint64_t now_ms);
/* Forgets every job; running ones are cancelled, and gone when they finish. */
void rm_work_jobs_forget (rm_work_t *self);
/* Offers what may start; the list is linked by next_effect. */
rm_work_job_t *rm_work_jobs_offer (rm_work_t *self);
/* Gives a list of effects away: no job is in it any more, though still linked by next_effect. */
rm_work_job_t *rm_work_jobs_take_effects (rm_work_job_t **list);
/* Frees every job there is. */
void rm_work_jobs_close (rm_work_t *self);

/* ---- work_progress.c ---- */

/* What was told of the jobs that run is to be told again: whoever listens now does not know it. */
void rm_work_progress_again (rm_work_t *self);
/* Lists what is to be told into `says`, as much as one message takes; nothing if memory has run out. */
void rm_work_progress_list (rm_work_t *self);
/* Room in `says` for all partial results there are, since messages will point there; false when memory has run out. */
bool rm_work_partial_room (rm_work_t *self);
/* Lists partial results into `says`, behind those that are there, as many as one message takes; how many, 0 too if memory has
 * run out. */
uint32_t rm_work_partial_list (rm_work_t *self);
/* Frees those that were told in the turn before. */
void rm_work_partial_forget_told (rm_work_t *self);
/* Frees all there are. */
void rm_work_partial_drop (rm_work_t *self);

/* ---- work_sync.c ---- */

void rm_work_sync_receive (rm_work_t *self, const rm_msg_sync_t *sync, uint64_t now_ms);
/* A job has ended or was handed back: the lost slots may be empty now. */
void rm_work_sync_drained (rm_work_t *self);

/* ---- work_slots.c: each does nothing if the program does not want to be told ---- */

bool rm_work_slots_init (rm_work_t *self);
void rm_work_slots_gain (rm_work_t *self, uint32_t slot);
void rm_work_slots_lose (rm_work_t *self, uint32_t slot);
void rm_work_slots_lose_all (rm_work_t *self);
/* The program knows that the job's slot is its own. */
bool rm_work_slots_allow (const rm_work_t *self, const rm_work_job_t *job);
/* It has still to be told of a slot that was lost. */
bool rm_work_slots_owes_lost (const rm_work_t *self);
/* What it is to be told now; NULL: nothing. */
const rm_slots_t *rm_work_slots_tell (rm_work_t *self);

/* ---- work_say.c ---- */

/* Grows an array to hold `count` elements; false when memory has run out. */
bool rm_work_grow (void **array, uint32_t *capacity, size_t count, size_t element_size);
void rm_work_says_close (rm_work_t *self);
