/*  A master that only pretends, for tests of ringctl: each answer is fixed, and chosen by what is asked.
 *
 *  Submits to the queue "busy" are told so, those to "big" are too big; "dead" gives job 2, the others job 1. Of jobs 1
 *  to 7, one each is done, dead, gone, unknown, done with bytes that are no text, cancelled, and running for ever. The
 *  worker w1 may be drained. The publisher goes through the phases of epoch after epoch, each said twice.
 *
 *  Prints "ready jobs=… sync=…", and ends when its parent does.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "net/clock.h"
#include "net/poll.h"
#include "net/socket.h"
#include "proto/msg.h"
#include "ringmaster/error.h"

enum { PHASE_MS = 50 };

static rm_socket_t *jobs_socket, *sync_socket;

static bool is (rm_bytes_t name, const char *text)
{
    return rm_bytes_equal (name, rm_bytes (text));
}

static const char *document (rm_bytes_t what)
{
    if (is (what, "status"))
        return "{\"term\":1,\"epoch\":3,\"leader\":true,\"uptime_ms\":192000,\"jobs\":{\"waiting\":12,\"running\":3,"
               "\"done\":1005,\"dead\":1,\"accepted\":1021},\"bytes\":123456,\"sessions\":4,\"workers\":2,"
               "\"resize\":{\"phase\":2,\"epoch\":4},\"ledger\":{\"batches\":120,\"bytes\":1363149,\"snapshots\":2},"
               "\"endpoints\":{\"jobs\":\"tcp://a\\u001b[2J:1\",\"http\":\"\\u009b2J\"},"
               "\"queues\":[{\"name\":\"echo\",\"pool\":\"default\",\"waiting\":12,\"running\":3,\"done\":1005,"
               "\"dead\":1,\"workers\":2,\"oldest_ms\":65000},{\"name\":\"lonely\",\"waiting\":1,\"workers\":0}]}";
    if (is (what, "workers"))
        return "{\"workers\":[{\"name\":\"w1\",\"inc\":\"00000000000000aa\",\"pool\":\"default\",\"queues\":[\"echo\","
               "\"mail\"],\"threads\":8,\"state\":\"live\",\"slots\":16384,\"inflight\":3,\"window\":16,"
               "\"last_heard_ms\":120,\"done\":1005},{\"name\":\"w2\"}]}";
    if (is (what, "ring"))
        return "{\"epoch\":3,\"pools\":[{\"name\":\"default\",\"slots\":16384,\"moving\":0,\"members\":[{\"name\":"
               "\"w1\",\"inc\":\"00000000000000aa\",\"slots\":8192},{\"name\":\"w2\",\"slots\":8192}],\"ranges\":[[0,"
               "8191,\"w1\"],[8192,12287,\"w2\"],[12288,16383,\"\"]]}]}";
    if (is (what, "jobs"))
        return "{\"jobs\":[{\"id\":7,\"queue\":\"bank\",\"key\":\"b\\u001bob\",\"state\":\"running\",\"worker\":\"w1\","
               "\"attempt\":2,\"age_ms\":65000},{\"id\":1234567,\"queue\":\"echo\",\"state\":\"waiting\"}]}";
    return "{\"id\":7,\"state\":\"waiting\",\"text\":\"Job 7 waits for job 6.\"}";
}

static rm_msg_t refusal (int code, const char *text)
{
    return (rm_msg_t){.type = RM_MSG_ERROR, .error = {.code = code, .text = rm_bytes (text)}};
}

static rm_msg_t answer_submit (const rm_msg_submit_t *submit)
{
    static rm_accepted_job_t job;
    rm_bytes_t queue = submit->jobs[0].queue;
    if (is (queue, "busy"))
        return (rm_msg_t){.type = RM_MSG_BUSY, .busy = {60000, rm_bytes ("the queue holds as many jobs as it may")}};
    if (is (queue, "big"))
        return refusal (RM_ETOOBIG, "the payload has more bytes than this master takes");
    job = (rm_accepted_job_t){submit->jobs[0].seq, is (queue, "dead") ? 2 : 1};
    return (rm_msg_t){.type = RM_MSG_ACCEPTED, .accepted = {submit->session, &job, 1}};
}

static rm_msg_t answer_wait (uint64_t id)
{
    static rm_result_job_t job;
    static const uint32_t outcomes[] = {0,
                                        RM_OUTCOME_DONE,
                                        RM_OUTCOME_DEAD,
                                        RM_OUTCOME_GONE,
                                        RM_OUTCOME_UNKNOWN,
                                        RM_OUTCOME_DONE,
                                        RM_OUTCOME_CANCELLED,
                                        RM_OUTCOME_NONE};
    uint32_t outcome = id < sizeof outcomes / sizeof *outcomes ? outcomes[id] : RM_OUTCOME_UNKNOWN;
    job = (rm_result_job_t){.id = id, .outcome = outcome, .attempt = 1};
    if (outcome == RM_OUTCOME_DONE)
        job.data = id == 5 ? (rm_bytes_t){"\xff\x00z", 3} : rm_bytes ("hello");
    else if (outcome == RM_OUTCOME_DEAD)
        job.reason = rm_bytes ("boom\033[31m");
    return (rm_msg_t){.type = RM_MSG_RESULT, .result = {.jobs = &job, .job_count = 1}};
}

static rm_msg_t answer (const rm_msg_t *msg)
{
    switch (msg->type) {
    case RM_MSG_SUBMIT:
        return answer_submit (&msg->submit);
    case RM_MSG_WAIT:
        return answer_wait (msg->wait.ids[0]);
    case RM_MSG_QUERY:
        if (msg->query.id > 7)
            return refusal (RM_EUNKNOWN, "no job 99 was ever accepted");
        return (rm_msg_t){.type = RM_MSG_ANSWER, .answer = {rm_bytes (document (msg->query.what))}};
    case RM_MSG_DRAIN:
        return is (msg->drain.worker, "w1")
                   ? (rm_msg_t){.type = RM_MSG_ANSWER,
                                .answer = {rm_bytes ("{\"worker\":\"w1\",\"text\":\"is leaving\"}")}}
                   : refusal (RM_EUNKNOWN, "there is no worker of that name");
    default:
        return (rm_msg_t){.type = RM_MSG_WELCOME,
                          .welcome = {.term = 1,
                                      .sync = rm_bytes (rm_socket_endpoint (sync_socket)->text),
                                      .work = rm_bytes ("tcp://127.0.0.1:1"),
                                      .payload_bytes_max = 1,
                                      .result_bytes_max = 1}};
    }
}

static void publish (uint64_t n)
{
    rm_sync_member_t members[] = {{rm_bytes ("w1"), 0xaa}, {rm_bytes ("w2"), 0xbb}};
    rm_sync_move_t moved[] = {{rm_bytes ("default"), 0, 8191, 0, 0xaa},
                              {rm_bytes ("default"), 8192, 16383, 0xaa, 0xbb}};
    rm_msg_t msg = {.type = RM_MSG_SYNC,
                    .sync = {.from_master = true, .name = rm_bytes ("Master"), .phase = n % 3 + 1, .term = 1}};
    msg.sync.epoch = n / 3 + 1;
    if (msg.sync.phase == 2) {
        msg.sync.sync_to = 42;
        msg.sync.members = members;
        msg.sync.member_count = 2;
        msg.sync.moved = moved;
        msg.sync.moved_count = 2;
    }
    rm_buf_t buf = {0};
    if (!rm_msg_encode (&msg, &buf)) {
        rm_socket_send (sync_socket, NULL, buf.data, buf.size);
        rm_socket_send (sync_socket, NULL, buf.data, buf.size);
    }
    rm_buf_close (&buf);
}

static void take_one (rm_frame_t *frame, const rm_route_t *route)
{
    rm_msg_t msg;
    if (rm_msg_decode (&msg, rm_frame_data (frame), rm_frame_size (frame), NULL))
        return;
    rm_msg_t reply = answer (&msg);
    rm_buf_t buf = {0};
    if (!rm_msg_encode (&reply, &buf))
        rm_socket_send (jobs_socket, route, buf.data, buf.size);
    rm_buf_close (&buf);
    rm_msg_close (&msg);
}

int main (void)
{
    rm_fault_t fault = {0};
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    if (rm_net_init () || !(jobs_socket = rm_socket_bind (RM_SOCKET_JOBS_ROUTER, "127.0.0.1", 0, &fault)) ||
        !(sync_socket = rm_socket_bind (RM_SOCKET_SYNC_PUB, "127.0.0.1", 0, &fault))) {
        fprintf (stderr, "fake_master: %s\n", fault.text);
        return 1;
    }
    printf ("ready jobs=%s sync=%s\n", rm_socket_endpoint (jobs_socket)->text, rm_socket_endpoint (sync_socket)->text);
    fflush (stdout);
    rm_frame_t frame = {0};
    rm_route_t route;
    uint64_t next_ms = 0;
    for (uint64_t n = 0;;) {
        rm_poll_t item = {.socket = jobs_socket, .fd = -1};
        rm_poll (&item, 1, PHASE_MS);
        while (rm_socket_recv (jobs_socket, &route, &frame) == 1)
            take_one (&frame, &route);
        if (rm_clock_ms () >= next_ms) {
            next_ms = rm_clock_ms () + PHASE_MS;
            publish (n++);
        }
    }
}
