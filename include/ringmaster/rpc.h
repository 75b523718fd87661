/*  Remote procedure calls: a server of functions with typed arguments, and two clients of it. No master is needed.
 *
 *      static int add (rm_rpc_call_t *call, void *arg)
 *      {
 *          int64_t sum = rm_rpc_call_int (call, 0) + rm_rpc_call_int (call, 1);
 *          return rm_rpc_reply (call, rm_rpc_values (rm_rpc_int (sum)));
 *      }
 *
 *      rm_rpc_server_t *server = rm_rpc_server_new ();
 *      rm_rpc_server_set (server, "endpoint", "tcp://127.0.0.1:5570");
 *      rm_rpc_server_add (server, "add", "ii:i", add, NULL);
 *      int error = rm_rpc_server_run (server);
 *
 *      rm_rpc_client_t *client = rm_rpc_client_new ("tcp://127.0.0.1:5570");
 *      rm_rpc_answer_t *answer;
 *      if (!rm_rpc_client_call (client, "add", rm_rpc_values (rm_rpc_int (1), rm_rpc_int (2)), 1000, &answer))
 *          printf ("%ld\n", (long)rm_rpc_answer_int (answer, 0));
 *      rm_rpc_answer_destroy (&answer);
 *
 *  Every verb answers 0 or a negative RM_E…; times are milliseconds, a timeout of -1 is for ever. docs/rpc.md is the
 *  guide, and says what at-most-once does and does not promise.
 *
 *  Thread rules:
 *  - A server belongs to the thread that calls rm_rpc_server_run; rm_rpc_server_stop and rm_rpc_server_endpoint may be
 *    called from any thread, and stop from a signal handler too. Functions run on threads of the server (mode "event": on
 *    the one that runs it), hooks on the thread that runs it. A call belongs to its function, until that returns.
 *  - An rm_rpc_client_t belongs to one thread.
 *  - An rm_rpc_pipe_t may be used by any number of threads at once, but for its destroy.
 *  - Answers belong to who got them, and may cross threads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ringmaster/error.h>
#include <ringmaster/retry.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- values -------------------------------------------------------------------------------------------------------- */

/* An argument, or a part of a result. Make them with the functions below. */
typedef struct {
    char type; /* 'i', 'd', 't', 's', 'b', 'm' */
    union {
        int64_t number; /* i: an integer */
        double real;    /* d: a floating-point number */
        bool truth;     /* t: true or false */
        struct {
            const void *data; /* s: text (UTF-8); b: bytes; m: one MessagePack element, as it is on the wire */
            size_t size;      /* bytes */
        } bytes;
    };
} rm_rpc_value_t;

enum { RM_RPC_VALUES_MAX = 4096 }; /* in one call, and in one result */

RM_EXPORT rm_rpc_value_t rm_rpc_int (int64_t number);
RM_EXPORT rm_rpc_value_t rm_rpc_real (double real);
RM_EXPORT rm_rpc_value_t rm_rpc_bool (bool truth);
RM_EXPORT rm_rpc_value_t rm_rpc_text (const char *text);
RM_EXPORT rm_rpc_value_t rm_rpc_bytes (const void *data, size_t size);
RM_EXPORT rm_rpc_value_t rm_rpc_raw (const void *msgpack, size_t size);

/* An array of values and its size, as the verbs below take them: rm_rpc_values (rm_rpc_text ("k"), rm_rpc_int (10)).
 * Without any: NULL, 0. */
#define rm_rpc_values(...)                                                                                             \
    ((const rm_rpc_value_t[]){__VA_ARGS__}), (sizeof ((const rm_rpc_value_t[]){__VA_ARGS__}) / sizeof (rm_rpc_value_t))

/* ---- the server ---------------------------------------------------------------------------------------------------- */

typedef struct rm_rpc_server rm_rpc_server_t;
typedef struct rm_rpc_call rm_rpc_call_t; /* one call, as its function sees it */

/* Does what was called for. It ends with exactly one rm_rpc_reply or rm_rpc_fail; returning without one is a reply
 * without values if 0 is returned and the function's signature allows that, and a failure otherwise. */
typedef int rm_rpc_fn (rm_rpc_call_t *call, void *arg);

/* A client came, or went. `client` is 32 hex digits that name its session, `name` what it calls itself ("" if it does
 * not). Both live until the hook returns. */
typedef void rm_rpc_hook_fn (const char *client, const char *name, void *arg);

/* NULL with errno ENOMEM. */
RM_EXPORT rm_rpc_server_t *rm_rpc_server_new (void);
/* Frees it; it must not run. Nulls the pointer, takes NULL. */
RM_EXPORT void rm_rpc_server_destroy (rm_rpc_server_t **self_p);

/* Sets one option, before rm_rpc_server_run (or _bind):
 *   endpoint    text  where it listens (tcp://127.0.0.1:0); port 0: any free one, rm_rpc_server_endpoint says which
 *   mode        text  pool: functions run on `threads` threads (the default); connection: each client has a thread of its
 *                     own, and its calls run in order; event: all on the thread that runs the server, in order
 *   threads     n     of a pool (the machine's cores, at least 2)
 *   queue       n     calls that may wait for a thread (1024); one more is answered "busy, retry after"
 *   retry_after ms    what "busy" says (100)
 *   clients     n     that may be connected (4096); one more is answered "busy"
 *   silence     ms    a client that is not heard of for so long is gone (10000)
 *   semantics   text  at-least-once: a call that is sent again runs again (the default); at-most-once: it does not, and
 *                     gets the reply of the first
 *   table       path  at-most-once: the file (SQLite) that calls and replies are also kept in, so that the server still
 *                     knows them after it was started anew (none: they are kept in memory)
 *   keep        ms    at-most-once: how long a reply is kept at most for a client that does not say it has got it
 *                     (360000); above 300000, for which clients may send a call again
 *   table_bytes n     at-most-once: replies kept at most, all clients together (67108864); beyond it calls are "busy"
 * 0, RM_EINVAL (rm_rpc_server_error says why), RM_ESTATE (it runs, or ran). */
RM_EXPORT int rm_rpc_server_set (rm_rpc_server_t *self, const char *option, const char *value);

/* Gives the function the name by which clients call it (1 … 128 printable characters without white space, '/' or '"').
 * `signature` is the types of its arguments and, behind a colon, those of its result:
 *   i integer   d floating-point number   t true or false   s text   b bytes   a any of these, or other MessagePack
 * and a `*` at the end of either: any number of the last one. "si:i", "", "s:s*". A call whose arguments are others does
 * not reach the function: it ends with RM_EINVAL and a sentence, at the client.
 * 0, RM_EINVAL (name or signature; rm_rpc_server_error says why), RM_ESTATE (the name is taken, or it runs),
 * RM_ENOMEM. */
RM_EXPORT int rm_rpc_server_add (rm_rpc_server_t *self, const char *name, const char *signature, rm_rpc_fn *fn,
                                 void *arg);

/* A call of this function that fails is tried again by the server, as the policy says (copied), before its failure goes
 * to the client; never beyond the call's deadline. Not in mode "event", where a wait would hold up everybody.
 * 0, RM_EINVAL (the policy; rm_rpc_server_error says why), RM_EUNKNOWN (no such function), RM_ESTATE (it runs). */
RM_EXPORT int rm_rpc_server_retry (rm_rpc_server_t *self, const char *name, const rm_retry_t *policy);

/* Told when a client is heard of for the first time, and when it has said goodbye or was silent for too long. */
RM_EXPORT void rm_rpc_server_on_connect (rm_rpc_server_t *self, rm_rpc_hook_fn *hook, void *arg);
RM_EXPORT void rm_rpc_server_on_disconnect (rm_rpc_server_t *self, rm_rpc_hook_fn *hook, void *arg);

/* Listens from now on, so that its endpoint can be told to others before it runs; run does it otherwise.
 * 0 (also if it does already), RM_EINVAL, RM_EIO, RM_ENOMEM, RM_ECORRUPT (the table's file is none of ours). */
RM_EXPORT int rm_rpc_server_bind (rm_rpc_server_t *self);
/* Where clients connect to, "" before it listens; lives as long as the server. */
RM_EXPORT const char *rm_rpc_server_endpoint (const rm_rpc_server_t *self);

/* Serves until it is stopped: lets calls that run end and answers them, refuses those that wait, and answers 0. Else as
 * rm_rpc_server_bind. May be called once. */
RM_EXPORT int rm_rpc_server_run (rm_rpc_server_t *self);
/* Tells it to end; does not wait for that. Of NULL, nothing: a second signal may find it destroyed. */
RM_EXPORT void rm_rpc_server_stop (rm_rpc_server_t *self);
/* The last error as a sentence, "" if there was none; lives until the next call of the server's thread. */
RM_EXPORT const char *rm_rpc_server_error (const rm_rpc_server_t *self);

/* What a function was called with. Values live until it returns; text and bytes have a NUL behind them. A value of
 * another type, or a number there is no value for, is a bug of the caller, and ends the process: the signature has said
 * what there is. */
RM_EXPORT size_t rm_rpc_call_count (const rm_rpc_call_t *self);
RM_EXPORT const rm_rpc_value_t *rm_rpc_call_value (const rm_rpc_call_t *self, size_t n);
RM_EXPORT int64_t rm_rpc_call_int (const rm_rpc_call_t *self, size_t n);
RM_EXPORT double rm_rpc_call_real (const rm_rpc_call_t *self, size_t n);
RM_EXPORT bool rm_rpc_call_bool (const rm_rpc_call_t *self, size_t n);
RM_EXPORT const char *rm_rpc_call_text (const rm_rpc_call_t *self, size_t n);
RM_EXPORT const void *rm_rpc_call_bytes (const rm_rpc_call_t *self, size_t n, size_t *size_p);
/* The function's name, and the client's session (32 hex digits). */
RM_EXPORT const char *rm_rpc_call_name (const rm_rpc_call_t *self);
RM_EXPORT const char *rm_rpc_call_client (const rm_rpc_call_t *self);
/* What is left of the time that its client waits: 0 if nothing is, -1 if it waits for ever. A call whose time was over
 * before its turn came is not run. */
RM_EXPORT int64_t rm_rpc_call_left_ms (const rm_rpc_call_t *self);
/* True once the server was told to stop: whoever runs long should end. */
RM_EXPORT bool rm_rpc_call_stopped (const rm_rpc_call_t *self);

/* Ends the call with its result (copied): 0, RM_ESTATE (ended already), RM_EINVAL (other types than the signature says:
 * the client is told that the function is broken), RM_ETOOBIG, RM_ENOMEM. */
RM_EXPORT int rm_rpc_reply (rm_rpc_call_t *self, const rm_rpc_value_t *values, size_t count);
/* Ends the call as failed: the client's call answers RM_EFAILED with this code of your own (above 0) and this sentence.
 * Answers `code`, so that a function can return rm_rpc_fail (…). */
RM_EXPORT int rm_rpc_fail (rm_rpc_call_t *self, int code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* ---- answers ------------------------------------------------------------------------------------------------------- */

/* What came of a call. What these hand out lives until the answer is destroyed. */
typedef struct rm_rpc_answer rm_rpc_answer_t;

/* 0: its values are the result. RM_EFAILED: the function failed. RM_EUNKNOWN: the server has no such function.
 * RM_EINVAL: its arguments are not those of the signature. RM_ETIMEDOUT, RM_EUNREACHABLE: no answer in time; it may
 * have run, or may still run. RM_EBUSY: it did not run, the server was full up to the end. RM_ESTALE, RM_ECONFLICT,
 * RM_EPROTO, RM_ENOMEM. */
RM_EXPORT int rm_rpc_answer_error (const rm_rpc_answer_t *self);
/* RM_EFAILED: the code that the function gave; 0 otherwise. */
RM_EXPORT int rm_rpc_answer_code (const rm_rpc_answer_t *self);
/* The error as a sentence, "" if there is none. */
RM_EXPORT const char *rm_rpc_answer_error_text (const rm_rpc_answer_t *self);
/* The values of the result, as those of a call. Who asks for another type than is there gets 0, false or "". */
RM_EXPORT size_t rm_rpc_answer_count (const rm_rpc_answer_t *self);
RM_EXPORT const rm_rpc_value_t *rm_rpc_answer_value (const rm_rpc_answer_t *self, size_t n); /* NULL: there is none */
RM_EXPORT int64_t rm_rpc_answer_int (const rm_rpc_answer_t *self, size_t n);
RM_EXPORT double rm_rpc_answer_real (const rm_rpc_answer_t *self, size_t n);
RM_EXPORT bool rm_rpc_answer_bool (const rm_rpc_answer_t *self, size_t n);
RM_EXPORT const char *rm_rpc_answer_text (const rm_rpc_answer_t *self, size_t n);
RM_EXPORT const void *rm_rpc_answer_bytes (const rm_rpc_answer_t *self, size_t n, size_t *size_p);
/* Which call of its client it answers: what rm_rpc_pipe_send gave; 0: it was never sent. */
RM_EXPORT uint64_t rm_rpc_answer_id (const rm_rpc_answer_t *self);
RM_EXPORT void rm_rpc_answer_destroy (rm_rpc_answer_t **self_p); /* nulls the pointer, takes NULL */

/* ---- the lazy pirate ----------------------------------------------------------------------------------------------- */

/* One call at a time on a REQ socket. What is not answered is sent again, on a fresh socket, to the next of its
 * servers, after a time that grows; at-most-once servers know it again. (Lazy Pirate: the ZeroMQ guide, chapter 4.) */
typedef struct rm_rpc_client rm_rpc_client_t;

/* A client of the servers at `servers`, endpoints separated by commas. Nothing is sent yet. NULL with errno EINVAL or
 * ENOMEM. */
RM_EXPORT rm_rpc_client_t *rm_rpc_client_new (const char *servers);
/* Says goodbye to the server it called last and frees it; nulls the pointer, takes NULL. */
RM_EXPORT void rm_rpc_client_destroy (rm_rpc_client_t **self_p);

/* Sets one option, before the first call:
 *   name     text  how it is called, for the server's hooks (none)
 *   initial  ms    first per-try timeout (250)        factor   x    how it grows (2)
 *   cap      ms    where growth stops (8000)          tries    n    sends per call, 0 = until the timeout (0)
 * 0, RM_EINVAL (rm_rpc_client_error says why), RM_ESTATE (a call was made). */
RM_EXPORT int rm_rpc_client_set (rm_rpc_client_t *self, const char *option, const char *value);

/* Calls the function `name`: 0, or what rm_rpc_answer_error says. `answer_p` (may be NULL: who does not want it) gets
 * what came of it, to be destroyed, also after an error: its rm_rpc_answer_error_text says which; NULL only when memory
 * ran out. The timeout also bounds what the function is told of its time. A call is sent again for at most 300000
 * ms. */
RM_EXPORT int rm_rpc_client_call (rm_rpc_client_t *self, const char *name, const rm_rpc_value_t *args, size_t count,
                                  int timeout_ms, rm_rpc_answer_t **answer_p);

/* Asks the server whether it is there, and tells it that we are: who does not call for longer than its `silence`, and
 * does not want to be taken for gone, does this. 0, RM_EUNREACHABLE, RM_EBUSY, RM_ENOMEM. */
RM_EXPORT int rm_rpc_client_ping (rm_rpc_client_t *self, int timeout_ms);

/* The last error as a sentence, "" if there was none; lives until the next call. */
RM_EXPORT const char *rm_rpc_client_error (const rm_rpc_client_t *self);

/* ---- the pipelined client ------------------------------------------------------------------------------------------ */

/* Many calls under way at once, from any number of threads, on one DEALER socket of a thread of its own; replies come
 * in any order. What is not answered is sent again, after a time that grows; when a server says nothing at all, all of
 * it goes to the next one. It keeps itself known to the server without being told. */
typedef struct rm_rpc_pipe rm_rpc_pipe_t;

/* As rm_rpc_client_new. */
RM_EXPORT rm_rpc_pipe_t *rm_rpc_pipe_new (const char *servers);
/* Says goodbye, forgets what is under way, frees it. No other thread may be in a verb of it. */
RM_EXPORT void rm_rpc_pipe_destroy (rm_rpc_pipe_t **self_p);

/* Sets one option, before the first call: those of rm_rpc_client_set but `tries`, and
 *   window   n     calls under way at most (1024, up to 4096): send and call wait for room beyond it
 * 0, RM_EINVAL (rm_rpc_pipe_error says why), RM_ESTATE (a call was made). */
RM_EXPORT int rm_rpc_pipe_set (rm_rpc_pipe_t *self, const char *option, const char *value);
/* What the last rm_rpc_pipe_set refused, as a sentence; only before the first call, by the thread that sets. */
RM_EXPORT const char *rm_rpc_pipe_error (const rm_rpc_pipe_t *self);

/* As rm_rpc_client_call; other threads call meanwhile. */
RM_EXPORT int rm_rpc_pipe_call (rm_rpc_pipe_t *self, const char *name, const rm_rpc_value_t *args, size_t count,
                                int timeout_ms, rm_rpc_answer_t **answer_p);

/* Sends a call without waiting: 0 and its id in `id_p` (may be NULL). rm_rpc_pipe_next gives its answer, if not sooner,
 * then with an error when its timeout is over. RM_EINVAL (name or values), RM_ETIMEDOUT (no room up to the timeout),
 * RM_EIO (no thread or socket is left), RM_ENOMEM. */
RM_EXPORT int rm_rpc_pipe_send (rm_rpc_pipe_t *self, const char *name, const rm_rpc_value_t *args, size_t count,
                                int timeout_ms, uint64_t *id_p);

/* The next answer to any call that was sent, in the order in which they came, to be destroyed: 0. RM_ETIMEDOUT: none
 * came in time; RM_ESTATE: nothing is under way that could bring one. */
RM_EXPORT int rm_rpc_pipe_next (rm_rpc_pipe_t *self, int timeout_ms, rm_rpc_answer_t **answer_p);

#ifdef __cplusplus
}
#endif
