/*  A master that speaks nonsense, to a worker and to ringctl: neither crashes nor believes it. The worker goes on with the real
 *  master that comes after; ringctl says one sentence, with the exit code that belongs to it.
 *
 *      bad_master worker|client     ($RM_SEED makes other nonsense)
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster.h"
#include "net/context.h"
#include "net/poll.h"
#include "net/socket.h"
#include "proto/assert.h"
#include "raw.h"
#include "ringmaster/error.h"
#include "wild.h"

enum { RAW_MS = 1500, STRANGE_MS = 1500, MEMBER_MS = 3000, LEASE_MS = 1000, WAIT_SLICE_MS = 10, RAW_BYTES = 3000 };

/* ---- bytes ------------------------------------------------------------------------------------------------------ */

/* Takes connections on `port` for a while and answers each with bytes that are not ZMTP, or not to the end. */
static unsigned speak_bytes (wild_t *wild, int port, int time)
{
    int listener = raw_listen (port);
    unsigned count = 0;
    for (uint64_t end = time_ms () + (uint64_t)time; time_ms () < end;) {
        uint8_t bytes[RAW_BYTES];
        int fd = raw_accept (listener, WAIT_SLICE_MS);
        if (fd < 0)
            continue;
        wild_fill (wild, bytes, sizeof bytes);
        size_t size = wild_below (wild, sizeof bytes);
        if (wild_one_in (wild, 2)) {
            static const uint8_t majors[] = {3, 3, 2, 1, 0, 200};
            size = zmtp_greeting (bytes, majors[count % sizeof majors], 1, wild_one_in (wild, 3) ? "CURVE" : "NULL");
            size += zmtp_ready (bytes + size, wild_one_in (wild, 2) ? "ROUTER" : "PUSH");
            size += zmtp_header (bytes + size, ZMTP_LONG, wild_next (wild));
            wild_flip (wild, bytes, size, wild_below (wild, 3));
        }
        raw_send (fd, bytes, size);
        sleep_ms (WAIT_SLICE_MS);
        raw_close (fd, wild_one_in (wild, 2));
        count++;
    }
    raw_close (listener, false);
    return count;
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

typedef struct {
    wild_t *wild;
    rm_socket_t *jobs, *work, *sync;
    uint64_t inc; /* of the worker that asked to join; 0: none yet */
    unsigned strange, proper;
} fake_t;

static rm_bytes_t text (const char *words)
{
    return (rm_bytes_t){words, (uint32_t)strlen (words)};
}

static void open_fake (fake_t *self, int port)
{
    rm_fault_t fault = {0};
    unsigned base = (unsigned)port;
    if (!(self->jobs = rm_socket_bind (RM_SOCKET_JOBS_ROUTER, "127.0.0.1", base, &fault)) ||
        !(self->work = rm_socket_bind (RM_SOCKET_WORK_ROUTER, "127.0.0.1", base + 1, &fault)) ||
        !(self->sync = rm_socket_bind (RM_SOCKET_SYNC_PUB, "127.0.0.1", base + 2, &fault)))
        harness_fail ("%s", fault.text);
}

static void close_fake (fake_t *self)
{
    rm_socket_close (&self->jobs);
    rm_socket_close (&self->work);
    rm_socket_close (&self->sync);
}

static void say (rm_socket_t *socket, const rm_route_t *route, const rm_msg_t *msg)
{
    rm_buf_t frame = {0};
    RM_ASSERT (!rm_msg_encode (msg, &frame));
    rm_socket_send (socket, route, frame.data, frame.size);
    rm_buf_close (&frame);
}

static void say_welcome (fake_t *self, const rm_route_t *route)
{
    rm_msg_t msg = {.type = RM_MSG_WELCOME,
                    .welcome = {.term = 1, .payload_bytes_max = 1000, .result_bytes_max = 1000}};
    msg.welcome.work = text (rm_socket_endpoint (self->work)->text);
    msg.welcome.sync = text (rm_socket_endpoint (self->sync)->text);
    say (self->jobs, route, &msg);
}

/* What ends a worker, or takes it to a term that no later master has, is no nonsense but an order. */
static bool is_an_order (const rm_buf_t *frame)
{
    rm_msg_t msg;
    if (rm_msg_decode (&msg, frame->data, frame->size, NULL))
        return false;
    uint64_t term = msg.type == RM_MSG_SYNC       ? msg.sync.term
                    : msg.type == RM_MSG_DISPATCH ? msg.dispatch.term
                    : msg.type == RM_MSG_JOINED   ? msg.joined.term
                                                  : 0;
    bool is = term > 1 || msg.type == RM_MSG_LEFT || msg.type == RM_MSG_ERROR;
    rm_msg_close (&msg);
    return is;
}

/* A master's message to this worker, in term 1, before it is damaged. */
static rm_msg_t to_worker (fake_t *self)
{
    static rm_dispatch_job_t jobs[3];
    static rm_committed_job_t committed[] = {{1, 1}, {2, UINT32_MAX}, {3, 1}, {UINT64_MAX, 1}};
    static rm_sync_member_t members[2];
    static rm_sync_move_t moves[2];
    uint64_t inc = self->inc;
    rm_msg_t msg = {0};
    for (unsigned i = 0; i < 3; i++)
        jobs[i] = (rm_dispatch_job_t){
            .id = 1 + i, .token = 1, .slot = i, .attempt = 1, .queue = text (i ? "echo" : "none"), .key = text ("k")};
    switch (wild_below (self->wild, 5)) {
    case 0:
        msg.type = RM_MSG_DISPATCH;
        msg.dispatch = (rm_msg_dispatch_t){1, 1, inc, 1 + wild_below (self->wild, 8), jobs, 3};
        break;
    case 1:
        msg.type = RM_MSG_COMMITTED;
        msg.committed = (rm_msg_committed_t){1, inc, committed, 4};
        break;
    case 2:
        msg.type = RM_MSG_HEARTBEAT_OK;
        msg.heartbeat_ok =
            (rm_msg_heartbeat_ok_t){1, 1, inc, 1 + wild_below (self->wild, 20), wild_below (self->wild, 20)};
        break;
    case 3:
        members[0] = (rm_sync_member_t){text ("w"), inc};
        members[1] = (rm_sync_member_t){text ("x"), 2};
        moves[0] = (rm_sync_move_t){text ("default"), 0, 9000, inc, 2};
        moves[1] = (rm_sync_move_t){text ("default"), 9001, RM_SLOTS - 1, 2, inc};
        msg.type = RM_MSG_SYNC;
        msg.sync = (rm_msg_sync_t){.from_master = true, .name = text ("Master"), .term = 1};
        msg.sync.epoch = 1 + wild_below (self->wild, 4);
        msg.sync.phase = 1 + (uint32_t)wild_below (self->wild, 3);
        if (msg.sync.phase == 2) {
            msg.sync.members = members;
            msg.sync.member_count = 2;
            msg.sync.moved = moves;
            msg.sync.moved_count = 2;
        }
        break;
    default:
        msg.type = RM_MSG_REJOIN;
        msg.rejoin = (rm_msg_rejoin_t){1, wild_one_in (self->wild, 20) ? inc : 7};
    }
    return msg;
}

/* Says a few strange things to the worker, on both of its sockets. */
static void say_nonsense (fake_t *self, const rm_route_t *route)
{
    rm_buf_t frame = {0};
    for (int i = 0; i < 20; i++) {
        if (self->inc && !wild_one_in (self->wild, 4)) {
            rm_msg_t msg = to_worker (self);
            rm_buf_clear (&frame);
            RM_ASSERT (!rm_msg_encode (&msg, &frame));
            if (!wild_one_in (self->wild, 4))
                wild_damage (self->wild, &frame);
        } else {
            wild_message (self->wild, &frame);
        }
        if (is_an_order (&frame))
            continue;
        self->strange++;
        rm_socket_send (self->work, route, frame.data, frame.size);
        rm_socket_send (self->sync, NULL, frame.data, frame.size);
    }
    rm_buf_close (&frame);
}

/* What a master owes a member, so that it stays one and listens. */
static void say_what_is_due (fake_t *self, const rm_route_t *route, const rm_msg_t *heard)
{
    rm_msg_t msg = {0};
    if (heard->type == RM_MSG_JOIN) {
        self->inc = heard->join.inc;
        msg.type = RM_MSG_JOINED;
        msg.joined = (rm_msg_joined_t){1, 1, self->inc, LEASE_MS, 250, 100, 1000};
    } else if (heard->type == RM_MSG_HEARTBEAT) {
        msg.type = RM_MSG_HEARTBEAT_OK;
        msg.heartbeat_ok = (rm_msg_heartbeat_ok_t){1, 1, heard->heartbeat.report.inc, heard->heartbeat.n, 0};
    } else {
        return;
    }
    self->proper++;
    say (self->work, route, &msg);
}

static void hear_worker (fake_t *self, const rm_route_t *route, const rm_frame_t *frame, bool properly)
{
    rm_msg_t msg;
    if (rm_msg_decode (&msg, rm_frame_data (frame), rm_frame_size (frame), NULL))
        harness_fail ("a worker sent what is no message");
    if (properly)
        say_what_is_due (self, route, &msg);
    say_nonsense (self, route);
    rm_msg_close (&msg);
}

/* Plays the master for a while: welcomes, which only every other time is one, and nonsense on the work and sync sockets. */
static void speak_to_worker (fake_t *self, int time, bool properly)
{
    rm_frame_t frame = {0};
    rm_buf_t strange = {0};
    rm_route_t route;
    for (uint64_t end = time_ms () + (uint64_t)time; time_ms () < end;) {
        rm_poll_t items[] = {{.socket = self->jobs, .fd = -1}, {.socket = self->work, .fd = -1}};
        rm_poll (items, 2, WAIT_SLICE_MS);
        while (rm_socket_recv (self->jobs, &route, &frame) == 1) {
            wild_message (self->wild, &strange);
            if (properly || wild_one_in (self->wild, 2))
                say_welcome (self, &route);
            else if (!is_an_order (&strange))
                rm_socket_send (self->jobs, &route, strange.data, strange.size);
        }
        while (rm_socket_recv (self->work, &route, &frame) == 1)
            hear_worker (self, &route, &frame, properly);
    }
    rm_frame_close (&frame);
    rm_buf_close (&strange);
}

/* ---- the worker ------------------------------------------------------------------------------------------------- */

static void echoes (cluster_t *cluster, const char *key)
{
    rm_result_t *result;
    must (!rm_client_call (cluster->client, rm_spec ("echo", .key = key, .data = "hello", .size = 5),
                           CLUSTER_PATIENCE_MS, &result));
    must (!strcmp (rm_result_text (result), "hello"));
    rm_result_destroy (&result);
}

static void try_worker (wild_t *wild)
{
    cluster_t cluster;
    fake_t fake = {.wild = wild};
    cluster_open (&cluster, false); /* for its ports; the real master comes last */
    cluster_kill_master (&cluster);
    process_t *worker = cluster_ringworker (&cluster, "w", 4, (const char *const[]){"echo=builtin:echo", NULL});
    unsigned connections = speak_bytes (wild, cluster.base, RAW_MS);
    open_fake (&fake, cluster.base);
    speak_to_worker (&fake, STRANGE_MS, false);
    must (process_alive (worker));
    speak_to_worker (&fake, MEMBER_MS, true);
    must (process_alive (worker));
    close_fake (&fake);
    printf ("%u connections, %u strange messages, %u proper ones\n", connections, fake.strange, fake.proper);
    must (connections && fake.strange > 100 && fake.proper > 5);
    must (cluster_master (&cluster, NULL));
    cluster_settle (&cluster, 1);
    echoes (&cluster, NULL);
    echoes (&cluster, "k");
    process_signal (worker, SIGTERM);
    must (process_wait (worker, CLUSTER_PATIENCE_MS) == 0);
    process_signal (cluster.master, SIGTERM);
    must (process_wait (cluster.master, CLUSTER_PATIENCE_MS) == 0);
    rm_client_destroy (&cluster.client);
    history_destroy (&cluster.history);
}

/* ---- ringctl ---------------------------------------------------------------------------------------------------- */

/* How a request of ringctl is answered, once its hello was, and what ringctl makes of it. */
typedef struct {
    const char *name;
    const char *command;
    int code;
    const char *sentence; /* the whole of its stderr, but for the place of the master; NULL: none */
    rm_msg_t reply;       /* to it; RM_MSG_NONE: nonsense, but the truth to the n-th */
    unsigned n;
    rm_msg_t welcome; /* to the hello; RM_MSG_NONE: nonsense, and a proper one only to the third */
} question_t;

enum { SHY = 3, QUESTIONS = 10 };

static rm_result_job_t done = {.id = 1, .outcome = RM_OUTCOME_DONE, .attempt = 1};
static rm_result_job_t other = {.id = 2, .outcome = RM_OUTCOME_DONE, .attempt = 1};

/* Of a master that is the only one, or says that there are others: some are not even endpoints, and none is there. */
static rm_msg_t welcome_of (bool liar)
{
    static rm_bytes_t masters[4];
    masters[0] = text ("ipc:///etc/passwd");
    masters[1] = (rm_bytes_t){"tcp://a\0b:1", 11};
    masters[2] = text ("tcp://not a place");
    masters[3] = text ("tcp://127.0.0.1:1");
    rm_msg_t msg = {.type = RM_MSG_WELCOME, .welcome = {.term = 1, .payload_bytes_max = 1, .result_bytes_max = 1}};
    msg.welcome.work = msg.welcome.sync = text ("tcp://127.0.0.1:1");
    msg.welcome.masters = masters;
    msg.welcome.master_count = liar ? 4 : 0;
    return msg;
}

static void make_questions (question_t questions[QUESTIONS])
{
    static const char unreachable[] = "no master answered for 10 s (asked ";
    static const char no_object[] = "the master's answer is not the JSON object it should be";
    const rm_msg_t welcome = welcome_of (false);
    done.data = other.data = text ("42\n");
    const question_t all[QUESTIONS] = {
        {"patient", "wait", 0, NULL, {0}, 4, {0}},
        {"escape", "status", 4, "be  [31mware", {.type = RM_MSG_ERROR}, 0, welcome},
        {"code", "status", 4, "a code that is none", {.type = RM_MSG_ERROR}, 0, welcome},
        {"json", "status", 4, no_object, {.type = RM_MSG_ANSWER}, 0, welcome},
        {"list", "workers", 4, no_object, {.type = RM_MSG_ANSWER}, 0, welcome},
        {"kind", "wait", 3, unreachable, {.type = RM_MSG_ANSWER}, 0, welcome},
        {"id", "wait", 3, unreachable, {.type = RM_MSG_RESULT}, 0, welcome},
        {"liar", "wait", 0, NULL, {0}, 2, welcome_of (true)},
        {"rude", "status", 3, unreachable, {.type = RM_MSG_ANSWER}, 0, {.type = RM_MSG_ANSWER}},
        {"bytes", "status", 3, unreachable, {0}, 0, {0}},
    };
    memcpy (questions, all, sizeof all);
    questions[1].reply.error = (rm_msg_error_t){RM_EDENIED, text ("be\a\033[31mware"), 0};
    questions[2].reply.error = (rm_msg_error_t){-12345, text ("a code that is none"), 0};
    questions[3].reply.answer.json = text ("{\"term\":");
    questions[4].reply.answer.json = text ("[1,2]");
    questions[5].reply.answer.json = text ("{}");
    questions[6].reply.result = (rm_msg_result_t){.jobs = &other, .job_count = 1};
    questions[8].reply.answer.json = questions[8].welcome.answer.json = text ("{}");
}

/* What is no message. */
static void say_noise (wild_t *wild, rm_socket_t *socket, const rm_route_t *route)
{
    rm_buf_t strange = {0};
    rm_msg_t msg;
    do
        wild_message (wild, &strange);
    while (!rm_msg_decode (&msg, strange.data, strange.size, NULL) && (rm_msg_close (&msg), true));
    rm_socket_send (socket, route, strange.data, strange.size);
    rm_buf_close (&strange);
}

/* How often a client has asked. */
typedef struct {
    unsigned hellos, others;
} asked_t;

static void answer_client (wild_t *wild, rm_socket_t *socket, const question_t *question, asked_t *asked)
{
    const rm_msg_t truth = {.type = RM_MSG_RESULT, .result = {.jobs = &done, .job_count = 1}},
                   welcome = welcome_of (false);
    rm_frame_t frame = {0};
    rm_route_t route;
    while (rm_socket_recv (socket, &route, &frame) == 1) {
        rm_msg_t msg;
        must (!rm_msg_decode (&msg, rm_frame_data (&frame), rm_frame_size (&frame), NULL));
        bool hello = msg.type == RM_MSG_HELLO;
        unsigned n = hello ? ++asked->hellos : ++asked->others;
        const rm_msg_t *reply = hello ? &question->welcome : &question->reply;
        if (reply->type != RM_MSG_NONE)
            say (socket, &route, reply);
        else if (n == (hello ? SHY : question->n))
            say (socket, &route, hello ? &welcome : &truth);
        else
            say_noise (wild, socket, &route);
        rm_msg_close (&msg);
    }
    rm_frame_close (&frame);
}

static process_t *ask (const question_t *question, const char *master)
{
    char program[600] = "";
    must (readlink ("/proc/self/exe", program, sizeof program - 1) > 0);
    strcpy (strrchr (program, '/'), "/ringctl"); /* shorter than our own name */
    bool waits = !strcmp (question->command, "wait");
    char *argv[] = {program, "--master", (char *)master, (char *)question->command, waits ? "1" : NULL, NULL};
    return process_start (question->name, argv, NULL);
}

/* Its stderr is one line with the sentence in it, or nothing. */
static void check_sentence (const question_t *question)
{
    char path[600], line[1024] = "", more[1024];
    snprintf (path, sizeof path, "%s/%s.log", scratch_dir (), question->name);
    FILE *file = fopen (path, "r");
    must (file);
    bool spoke = fgets (line, sizeof line, file) != NULL;
    bool spoke_on = spoke && fgets (more, sizeof more, file);
    fclose (file);
    if (spoke != (question->sentence != NULL) || spoke_on || (spoke && !strstr (line, question->sentence)))
        harness_fail ("%s: it says: %s", question->name, line);
}

static void check_end (const question_t *question, process_t *process)
{
    int status = process_wait (process, 0);
    if (!WIFEXITED (status) || WEXITSTATUS (status) != question->code)
        harness_fail ("%s: status %d instead of exit code %d", question->name, status, question->code);
    if (!question->code && !process_line (process, "42", 1000))
        harness_fail ("%s: not the result", question->name);
    check_sentence (question);
}

static void try_client (wild_t *wild)
{
    question_t questions[QUESTIONS];
    rm_socket_t *sockets[QUESTIONS];
    process_t *processes[QUESTIONS];
    asked_t asked[QUESTIONS] = {0};
    make_questions (questions);
    int port = free_ports (1), running = QUESTIONS;
    for (int i = 0; i < QUESTIONS; i++) {
        char place[64];
        sockets[i] = rm_socket_bind (RM_SOCKET_JOBS_ROUTER, "127.0.0.1", 0, NULL);
        must (sockets[i]);
        snprintf (place, sizeof place, "127.0.0.1:%d",
                  i < QUESTIONS - 1 ? rm_socket_endpoint (sockets[i])->port : port);
        processes[i] = ask (&questions[i], place);
    }
    for (uint64_t end = time_ms () + CLUSTER_PATIENCE_MS; running && time_ms () < end;) {
        speak_bytes (wild, port, 5 * WAIT_SLICE_MS);
        running = 0;
        for (int i = 0; i < QUESTIONS; i++) {
            answer_client (wild, sockets[i], &questions[i], &asked[i]);
            running += process_alive (processes[i]);
        }
    }
    for (int i = 0; i < QUESTIONS; i++) {
        check_end (&questions[i], processes[i]);
        rm_socket_close (&sockets[i]);
    }
    must (asked[0].hellos == SHY && asked[0].others == questions[0].n);
}

int main (int argc, char **argv)
{
    setvbuf (stdout, NULL, _IOLBF, 0);
    bool worker = argc == 2 && !strcmp (argv[1], "worker");
    if (!worker && (argc != 2 || strcmp (argv[1], "client"))) {
        fprintf (stderr, "usage: bad_master worker|client\n");
        return 2;
    }
    wild_t wild = wild_begin ();
    if (rm_net_init ())
        return 1;
    if (worker)
        try_worker (&wild);
    else
        try_client (&wild);
    rm_net_term ();
    return 0;
}
