/*  What the files of the RPC server know of each other, and nobody else.
 *
 *                    accept                lane (mode pool: one with many threads;      finish
 *      ROUTER ──▶ the loop ── push ──▶     connection: one a client, with one)   ──▶ the loop ──▶ ROUTER
 *                      └──────────────── mode event: the function runs here ─────────────┘
 *
 *  The loop's thread has the socket, the table of calls, the roll of clients and the store; a lane's thread has the
 *  call that it took, until it gives it back.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "core/backoff.h"
#include "core/rpc_roll.h"
#include "core/rpc_table.h"
#include "net/socket.h"
#include "net/wake.h"
#include "proto/rpc_values.h"
#include "rpc/store.h"

typedef struct {
    char name[RM_NAME_BYTES_MAX + 1];
    rm_rpc_signature_t signature;
    rm_rpc_fn *fn;
    void *arg;
    bool retried;
    rm_retry_t retry;
    rm_backoff_t backoff; /* the same, read */
    UT_hash_handle hh;
} rm_rpc_function_t;

struct rm_rpc_call {
    rm_rpc_server_t *server;
    const rm_rpc_function_t *function;
    rm_session_id_t session;
    uint64_t seq;
    uint64_t deadline_ms; /* UINT64_MAX: none */
    rm_route_t route;     /* where the newest request for it came from */
    rm_rpc_values_t args;
    rm_rpc_entry_t *entry; /* at-most-once: its place in the table */
    rm_rpc_call_t *next;   /* in a lane, or among those that ended */
    char client[2 * RM_SESSION_BYTES + 1];

    bool ended;
    bool unrun;       /* it was not begun: it may come again */
    int error, fault; /* 0: `result` is the answer */
    rm_buf_t result;  /* a MessagePack array */
    char text[512];   /* the error as a sentence */
};

/* Calls in the order in which they came. */
typedef struct {
    rm_rpc_call_t *first, *last;
} rm_rpc_line_t;

/* Threads and the calls that wait for them. */
typedef struct rm_rpc_lane {
    rm_rpc_server_t *server;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t turn;   /* something waits, or `quits` */
    rm_rpc_line_t line;
    bool quits;
    pthread_t *threads; /* owned */
    unsigned thread_count;
    struct rm_rpc_lane *next; /* among those whose client went */
    atomic_uint inside;       /* threads that have not ended */
} rm_rpc_lane_t;

typedef enum { RM_RPC_POOL, RM_RPC_CONNECTION, RM_RPC_EVENT } rm_rpc_mode_t;

struct rm_rpc_server {
    /* settings */
    char where[RM_ENDPOINT_BYTES_MAX + 1];
    char table_path[4096];
    int64_t mode, once; /* rm_rpc_mode_t; bool */
    int64_t threads, queue_max, retry_after_ms, clients_max, silence_ms, keep_ms, table_bytes;
    rm_rpc_function_t *functions;
    rm_rpc_hook_fn *on_connect, *on_disconnect;
    void *connect_arg, *disconnect_arg;

    /* the loop's */
    rm_socket_t *socket;
    rm_rpc_store_t *store; /* NULL: none */
    rm_rpc_table_t table;
    rm_rpc_roll_t roll;
    rm_rpc_line_t accepted; /* of this turn: recorded, then handed out */
    rm_rpc_lane_t *pool;
    rm_rpc_lane_t *left; /* lanes whose client went */
    rm_frame_t frame;
    rm_buf_t out;
    uint64_t under_way; /* calls that were accepted, and are not answered */
    uint64_t sweep_ms;  /* when to look for replies that are too old */
    bool bound, ran;

    /* shared */
    rm_wake_t wake;
    atomic_bool stops;
    pthread_mutex_t ended_mutex;
    rm_rpc_line_t ended; /* with the mutex: calls that threads gave back */

    char endpoint[RM_ENDPOINT_BYTES_MAX + 1];
    char error[1024];
};

/* Server: writes its error; answers `error`. */
int rm_rpc_server_refuse (rm_rpc_server_t *self, int error, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* Lines. */
void rm_rpc_line_put (rm_rpc_line_t *self, rm_rpc_call_t *call);
rm_rpc_call_t *rm_rpc_line_take (rm_rpc_line_t *self); /* NULL: it is empty */

/* Calls: one as the message says, whose arguments are what the function takes. NULL with RM_E… and a sentence. */
rm_rpc_call_t *rm_rpc_call_new (rm_rpc_server_t *server, const rm_msg_rpc_call_t *msg, uint64_t now_ms, int *error,
                                char *text, size_t size);
/* Runs its function, as often as its retry says, or refuses it if its time is over or the server is told to stop; it
 * has ended then. Any thread. */
void rm_rpc_call_run (rm_rpc_call_t *self);
/* It ends without being run. */
void rm_rpc_call_refuse (rm_rpc_call_t *self, int error, const char *text);
void rm_rpc_call_free (rm_rpc_call_t *self);

/* Lanes: with threads that run what is pushed, and give it back to the server. NULL: no threads or memory are left. */
rm_rpc_lane_t *rm_rpc_lane_new (rm_rpc_server_t *server, unsigned threads);
void rm_rpc_lane_push (rm_rpc_lane_t *self, rm_rpc_call_t *call);
/* Its threads end when nothing waits any more. */
void rm_rpc_lane_quit (rm_rpc_lane_t *self);
/* True once its threads have ended, so that destroying it does not wait. */
bool rm_rpc_lane_is_over (rm_rpc_lane_t *self);
/* Waits for its threads, which must have been told to quit; takes NULL. */
void rm_rpc_lane_destroy (rm_rpc_lane_t **self_p);

/* Gives a call that has ended back to the loop. Any thread. */
void rm_rpc_server_give_back (rm_rpc_server_t *self, rm_rpc_call_t *call);

/* Reading (accept) and answering (finish), by the loop. */
void rm_rpc_server_accept (rm_rpc_server_t *self, const rm_route_t *route, const void *frame, size_t size,
                           uint64_t now_ms);
/* Answers calls that have ended, and frees them. */
void rm_rpc_server_finish (rm_rpc_server_t *self, rm_rpc_line_t *ended, uint64_t now_ms);
/* A client has gone: tells the hook, lets its lane end. */
void rm_rpc_server_part (rm_rpc_server_t *self, rm_rpc_guest_t *guest);
