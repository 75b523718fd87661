/*  Every limit of Ringmaster, in one place and related to each other. Sizes are bytes, times milliseconds. */
#pragma once

#include <stdint.h>

/* Part of the ledger's format, and of what clients rely on: only a simulation is built with a small ring, and lives so
 * short that sessions must be too. */
#ifndef RM_RING_SLOTS
#define RM_RING_SLOTS       16384
#define RM_RING_MEMBERS_MAX 4096
#define RM_SESSION_TTL      (15 * 60 * 1000)
#endif

enum {
    RM_PROTOCOL_VERSION = 1,  /* `v` of every message */
    RM_SLOTS = RM_RING_SLOTS, /* slots of a pool's ring */
    RM_SESSION_BYTES = 16,    /* a session is 128 random bits */
    RM_NAME_BYTES_MAX = 128,  /* rm_name_valid */
    RM_QUEUE_NAME_BYTES_MAX = RM_NAME_BYTES_MAX,
    RM_WORKER_NAME_BYTES_MAX = RM_NAME_BYTES_MAX,
    RM_POOL_NAME_BYTES_MAX = RM_NAME_BYTES_MAX,
    RM_CLIENT_NAME_BYTES_MAX = 128,         /* any text, for the log */
    RM_KEY_BYTES_MAX = 1024,                /* any bytes */
    RM_UID_BYTES_MAX = 128,                 /* a caller's own name of a job: any bytes */
    RM_REASON_BYTES_MAX = 4096,             /* why a job failed */
    RM_NOTE_BYTES_MAX = 256,                /* what a running job says of itself */
    RM_PERMILLE_MAX = 1000,                 /* how far it may have come */
    RM_PARTIAL_BYTES_MAX = 64 << 10,        /* a partial result */
    RM_PARTIALS_BYTES_MAX = 256 << 10,      /* those of a job that a leader keeps … */
    RM_PARTIALS_ALL_BYTES_MAX = 64 << 20,   /* … and of all jobs */
    RM_WORKER_PARTIALS_BYTES_MAX = 4 << 20, /* those that wait at a worker */
    RM_PARTIALS_LINGER_MS = 10000,          /* how long they are kept when their job has ended */
    RM_ENDPOINT_BYTES_MAX = 256,
    RM_MASTERS_MAX = 64,                 /* that a client or worker knows of, and that a message names */
    RM_PAYLOAD_BYTES_MAX = 1 << 20,      /* a job's data, unless configured */
    RM_RESULT_BYTES_MAX = 1 << 20,       /* a job's result, unless configured */
    RM_PAYLOAD_BYTES_CEILING = 16 << 20, /* what may be configured at most */
    RM_FRAME_BYTES_MAX = 32 << 20,       /* a message on any socket */
    RM_BATCH_BYTES_MAX = 256 << 10,      /* a ledger batch, or one larger job */
    RM_SUBMITS_AHEAD = 8,                /* of a session under way at a time, as a master says; any number would do */
    RM_MESSAGE_JOBS_MAX = 4096,          /* jobs in one message */
    RM_WORKER_QUEUES_MAX = 256,          /* queues a worker serves */
    RM_WORKER_THREADS_MAX = 1024,
    RM_WORKER_HELD_MAX = 16384,           /* ids in `held` and `returned` */
    RM_QUEUES_MAX = 16384,                /* queues of a cluster; a queue is never taken away */
    RM_MEMBERS_MAX = RM_RING_MEMBERS_MAX, /* live incarnations in a cluster */
    RM_POOLS_MAX = 256,                   /* pools of a cluster; a pool is never taken away */
    RM_MOVES_MAX = 1 << 20,               /* ranges of slots in one `moved`, of all pools together */
    RM_MOVED_POOLS_MAX = 4096,            /* pools in one `moved` */
    RM_MOVE_BYTES_MAX = 25,               /* what one range takes in a message */
    RM_SESSION_WINDOW = 1 << 20,          /* how far a seq may lie above its session's floor */
    RM_MESSAGE_DEPTH_MAX = 8,             /* nesting of a message */
    RM_MESSAGE_FIELDS_MAX = 64,           /* fields of a message's map, unknown ones included */
    RM_MESSAGE_ROW_BYTES = 64,            /* what a job takes in a message at most, beside its strings and bytes */
    RM_TEXT_BYTES_MAX = 4096,             /* the sentence of `busy` and `error` */
    RM_JSON_BYTES_MAX = 16 << 20,         /* the document of an `answer` */
    RM_PEEK_BYTES_MAX = 4 << 20,          /* of a payload that is looked at */
    RM_FAIR_COST_BYTES = 4096,            /* so many bytes of data count as one job more when hand-out is fair */
    RM_FAIR_IDLE_MAX = 1024,              /* clients without waiting jobs whose place is kept */

    RM_TOPIC_BYTES_MAX = 200,    /* of publish/subscribe; libzmq spells subscriptions of 246 bytes and more wrongly */
    RM_NEWS_BYTES_MAX = 1 << 20, /* what is published at a time */
    RM_NEWS_TOPICS_MAX = 65536,  /* topics of a publisher */
    RM_NEWS_PART_BYTES = 256 << 10, /* of kept values in one frame, or one larger value */
    RM_NEWS_PART_ITEMS_MAX = 1024,  /* of them */

    RM_LEASE_MS = 1000,
    RM_GRACE_MS = 250,
    RM_MARGIN_MS = 100, /* added before a silent worker is removed */
    RM_HEARTBEAT_MS = 250,
    RM_RESIZE_WINDOW_MS = 50,     /* changes this close together are one resize */
    RM_RESIZE_PATIENCE_MS = 1000, /* joins and leaves wait this long for a running resize */
    RM_JOB_TIMEOUT_MS = 10 * 60 * 1000,
    RM_SESSION_TTL_MS = RM_SESSION_TTL, /* clients send again for half of it, so no master may forget sooner */
    RM_SESSION_TTL_MS_MAX = 24 * 60 * 60 * 1000,
    RM_KEEP_MS = 15 * 60 * 1000,       /* how long an outcome is kept */
    RM_CRASHES_MAX = 3,                /* a job that took this many workers along is buried */
    RM_ATTEMPTS_KEPT = 8,              /* of a job: how its newest ones ended that were no success */
    RM_ATTEMPT_REASON_BYTES_MAX = 512, /* of each one's reason; the newest is kept whole beside them */
    RM_TRIES = 3,                      /* attempts of a job whose handler fails, unless it says */
    RM_PRIORITY_NORMAL = 5,            /* of a job that does not say */
    RM_PRIORITY_MAX = 9,               /* from 1; larger ones go first */

    RM_RPC_RESEND_MS = 300000, /* for which an RPC may be sent again; servers keep its reply for longer */

    RM_RETRY_DELAY_MS = 1000, /* between the attempts of a job, unless it or its queue says */
    RM_RETRY_PERMILLE = 2000,
    RM_RETRY_CAP_MS = 60000,
    RM_BACKOFF_MS_MAX = 24 * 60 * 60 * 1000, /* the longest delay between two tries that may be set */
    RM_BACKOFF_PERMILLE_MAX = 1000 * 1000,   /* the steepest growth of delays that may be set */
    RM_RETRY_RATIO_PERMILLE = 100,           /* retries a success pays for: one in ten */
    RM_RETRY_FLOOR_PER_S = 1,                /* retries a second that nothing has to pay for */
    RM_RETRY_TOKENS_MAX = 10,                /* retries that may be saved up */
};

#define RM_KEEP_BYTES   (256ull << 20)                 /* results kept a queue */
#define RM_AHEAD_MS_MAX (366ull * 24 * 60 * 60 * 1000) /* how far ahead a job's delay and deadline may lie */

_Static_assert(RM_HEARTBEAT_MS * 3 < RM_LEASE_MS, "a lease must outlive two lost heartbeats");
_Static_assert(RM_PAYLOAD_BYTES_CEILING * 2 <= RM_FRAME_BYTES_MAX, "a frame must hold the largest payload");
_Static_assert(RM_PAYLOAD_BYTES_MAX <= RM_PAYLOAD_BYTES_CEILING, "the default must be allowed");
_Static_assert(RM_MOVES_MAX *RM_MOVE_BYTES_MAX + (RM_MEMBERS_MAX + RM_MOVED_POOLS_MAX) * (RM_NAME_BYTES_MAX + 16) <=
                   RM_FRAME_BYTES_MAX,
               "a frame must hold the largest resize");
_Static_assert(RM_PEEK_BYTES_MAX / 3 * 4 + 64 * 1024 <= RM_JSON_BYTES_MAX, "an answer must hold a payload in base64");
_Static_assert(RM_NEWS_BYTES_MAX + RM_NEWS_PART_BYTES + 4096 <= RM_FRAME_BYTES_MAX, "a frame must hold a part");
_Static_assert(RM_TOPIC_BYTES_MAX + 11 < 246, "a subscription must stay below what libzmq spells wrongly");
_Static_assert(RM_JSON_BYTES_MAX + 4096 <= RM_FRAME_BYTES_MAX, "a frame must hold the largest answer");
