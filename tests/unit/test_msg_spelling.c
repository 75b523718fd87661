/*  The spelling of the wire: each message as docs/protocol.md has it, written down by hand, is read into the members it
 *  names, and what we write is the same to the byte.
 */
#include "msg_samples.h"
#include "notation.h"
#include "proto/msg.h"
#include "ringmaster/error.h"

#define SESSION "#f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

static frame_t frame;
static rm_msg_t msg;

static void close_all (void)
{
    rm_msg_close (&msg);
    frame_free (&frame);
}

TestSuite (spelling, .init = samples_init, .fini = close_all);

/* Reads the notation into `msg`. */
static void read_as (rm_msg_type_t type, const char *notation)
{
    const char *why = "";
    close_all ();
    frame = frame_of (notation);
    cr_assert_eq (rm_msg_decode (&msg, frame.data, frame.size, &why), 0, "%s: %s", notation, why);
    cr_assert_eq (msg.type, type);
}

/* Writes `msg`: it must be the frame it was read from. */
static void written_the_same (void)
{
    rm_buf_t buf = {0};
    cr_assert_eq (rm_msg_encode (&msg, &buf), 0);
    cr_assert_eq (buf.size, frame.size);
    cr_assert_arr_eq (buf.data, frame.data, frame.size);
    rm_buf_close (&buf);
}

static bool is (rm_bytes_t bytes, const char *text)
{
    return rm_bytes_equal (bytes, rm_bytes (text));
}

static void is_session (const rm_session_id_t *session)
{
    for (int i = 0; i < RM_SESSION_BYTES; i++)
        cr_assert_eq (session->bytes[i], 0xf0 + i);
}

Test (spelling, hello)
{
    read_as (RM_MSG_HELLO, "{type:hello, v:1, client:ringctl}");
    cr_assert (is (msg.hello.client, "ringctl"));
    written_the_same ();
}

Test (spelling, an_empty_optional_field_is_left_out)
{
    read_as (RM_MSG_HELLO, "{type:hello, v:1}");
    cr_assert_eq (msg.hello.client.size, 0);
    written_the_same ();
    read_as (RM_MSG_ERROR, "{type:error, v:1, code:-7}");
    cr_assert_eq (msg.error.seq, 0);
    written_the_same ();
    read_as (RM_MSG_WAIT, "{type:wait, v:1, ids:[7], timeout_ms:0}");
    for (int i = 0; i < RM_SESSION_BYTES; i++)
        cr_assert_eq (msg.wait.session.bytes[i], 0);
    written_the_same ();
}

Test (spelling, an_empty_optional_field_may_be_there)
{
    read_as (RM_MSG_QUERY, "{type:query, v:1, what:status, id:0, queue:'', limit:0}");
    cr_assert_eq (msg.query.queue.size, 0);
}

Test (spelling, a_missing_version_is_the_first_one)
{
    read_as (RM_MSG_DRAIN, "{worker:w1, type:drain}");
    cr_assert (is (msg.drain.worker, "w1"));
}

Test (spelling, change)
{
    read_as (RM_MSG_CHANGE, "{type:change, v:1, what:add, id:4, at:'tcp://h:1'}");
    cr_assert (is (msg.change.what, "add"));
    cr_assert_eq (msg.change.id, 4);
    cr_assert (is (msg.change.at, "tcp://h:1"));
    written_the_same ();
    read_as (RM_MSG_CHANGE, "{type:change, v:1, what:remove, id:2}");
    cr_assert_eq (msg.change.at.size, 0);
}

Test (spelling, submit)
{
    read_as (RM_MSG_SUBMIT, "{type:submit, v:1, session:" SESSION
                            ", floor:4, jobs:[[5, mail, #626f62, #6869, 3, 60000, 1], [6, q, nil, #, 0, 0, 0],"
                            " [7, q, #, #00, 0, 0, 0]]}");
    cr_assert_eq (msg.submit.floor, 4);
    is_session (&msg.submit.session);
    cr_assert_eq (msg.submit.job_count, 3);
    rm_submit_job_t *job = msg.submit.jobs;
    cr_assert_eq (job->seq, 5);
    cr_assert (is (job->queue, "mail"));
    cr_assert (is (job->key, "bob"));
    cr_assert (is (job->data, "hi"));
    cr_assert_eq (job->tries, 3);
    cr_assert_eq (job->timeout_ms, 60000);
    cr_assert_eq (job->flags, RM_JOB_AT_MOST_ONCE);
    cr_assert_null (job[1].key.data, "nil is no key");
    cr_assert_not_null (job[2].key.data, "no bytes are a key");
    cr_assert_eq (job[2].key.size, 0);
    written_the_same ();
}

Test (spelling, submit_with_options)
{
    read_as (RM_MSG_SUBMIT, "{type:submit, v:1, session:" SESSION ", floor:0, jobs:[[5, q, nil, #, 0, 0, 0, 60000],"
                            " [6, q, nil, #, 0, 0, 0, 1, 2, 9, #756964, 10, 1500, 20, 4], [7, q, nil, #, 0, 0, 0]]}");
    const rm_submit_job_t *job = msg.submit.jobs;
    cr_assert_eq (job[0].options.delay_ms, 60000);
    cr_assert_eq (job[0].options.deadline_ms, 0);
    cr_assert_eq (job[0].options.uid.size, 0);
    cr_assert_eq (job[1].options.delay_ms, 1);
    cr_assert_eq (job[1].options.deadline_ms, 2);
    cr_assert_eq (job[1].options.priority, 9);
    cr_assert (is (job[1].options.uid, "uid"));
    cr_assert_eq (job[1].options.retry_delay_ms, 10);
    cr_assert_eq (job[1].options.retry_permille, 1500);
    cr_assert_eq (job[1].options.retry_cap_ms, 20);
    cr_assert_eq (job[1].options.retry_jitter, 4);
    cr_assert_eq (job[2].options.delay_ms, 0);
    written_the_same ();
}

Test (spelling, order)
{
    read_as (RM_MSG_ORDER, "{type:order, v:1, what:kick, queue:mail, limit:5}");
    cr_assert (is (msg.order.what, "kick"));
    cr_assert_eq (msg.order.id, 0);
    cr_assert (is (msg.order.queue, "mail"));
    cr_assert_eq (msg.order.limit, 5);
    written_the_same ();
    read_as (RM_MSG_ORDER, "{type:order, v:1, what:bury, id:7, text:why}");
    cr_assert_eq (msg.order.id, 7);
    cr_assert (is (msg.order.text, "why"));
}

Test (spelling, stop)
{
    read_as (RM_MSG_STOP, "{type:stop, v:1, term:2, inc:17, jobs:[[7, 1], [9, 3]]}");
    cr_assert_eq (msg.stop.term, 2);
    cr_assert_eq (msg.stop.inc, 17);
    cr_assert_eq (msg.stop.job_count, 2);
    cr_assert_eq (msg.stop.jobs[1].id, 9);
    cr_assert_eq (msg.stop.jobs[1].attempt, 3);
    written_the_same ();
}

Test (spelling, bytes_may_come_as_text)
{
    read_as (RM_MSG_SUBMIT, "{type:submit, v:1, session:'0123456789abcdef', floor:0, jobs:[[1, q, bob, hi, 0, 0, 0]]}");
    cr_assert (is (msg.submit.jobs->key, "bob"));
    cr_assert (is (msg.submit.jobs->data, "hi"));
}

Test (spelling, accepted)
{
    read_as (RM_MSG_ACCEPTED, "{type:accepted, v:1, session:" SESSION ", jobs:[[5, 77], [6, 78]]}");
    is_session (&msg.accepted.session);
    cr_assert_eq (msg.accepted.job_count, 2);
    cr_assert_eq (msg.accepted.jobs[1].seq, 6);
    cr_assert_eq (msg.accepted.jobs[1].id, 78);
    written_the_same ();
}

Test (spelling, wait)
{
    read_as (RM_MSG_WAIT, "{type:wait, v:1, session:" SESSION ", ids:[77, 78], timeout_ms:2000}");
    is_session (&msg.wait.session);
    cr_assert_eq (msg.wait.id_count, 2);
    cr_assert_eq (msg.wait.ids[0], 77);
    cr_assert_eq (msg.wait.ids[1], 78);
    cr_assert_eq (msg.wait.timeout_ms, 2000);
    written_the_same ();
}

Test (spelling, result)
{
    read_as (RM_MSG_RESULT, "{type:result, v:1, jobs:[[77, 1, 2, #, #3432], [78, 2, 3, #6c6f7374, #]]}");
    cr_assert_eq (msg.result.job_count, 2);
    rm_result_job_t *job = msg.result.jobs;
    cr_assert_eq (job->id, 77);
    cr_assert_eq (job->outcome, RM_OUTCOME_DONE);
    cr_assert_eq (job->attempt, 2);
    cr_assert_eq (job->reason.size, 0);
    cr_assert (is (job->data, "42"));
    cr_assert_eq (job[1].outcome, RM_OUTCOME_DEAD);
    cr_assert (is (job[1].reason, "lost"));
    written_the_same ();
}

Test (spelling, welcome)
{
    read_as (RM_MSG_WELCOME, "{type:welcome, v:1, term:2, work:'tcp://h:1', sync:'tcp://h:2', http:'http://h:3', "
                             "payload_bytes_max:1000, result_bytes_max:2000}");
    cr_assert_eq (msg.welcome.term, 2);
    cr_assert (is (msg.welcome.work, "tcp://h:1"));
    cr_assert (is (msg.welcome.sync, "tcp://h:2"));
    cr_assert (is (msg.welcome.http, "http://h:3"));
    cr_assert_eq (msg.welcome.payload_bytes_max, 1000);
    cr_assert_eq (msg.welcome.result_bytes_max, 2000);
    written_the_same ();
}

Test (spelling, query_and_answer)
{
    read_as (RM_MSG_QUERY,
             "{type:query, v:1, what:why, id:7, queue:mail, limit:10, state:dead, key:#626f62, worker:w1, "
             "before:9}");
    cr_assert (is (msg.query.what, "why"));
    cr_assert_eq (msg.query.id, 7);
    cr_assert (is (msg.query.queue, "mail"));
    cr_assert_eq (msg.query.limit, 10);
    cr_assert (is (msg.query.state, "dead"));
    cr_assert (is (msg.query.key, "bob"));
    cr_assert (is (msg.query.worker, "w1"));
    cr_assert_eq (msg.query.before, 9);
    written_the_same ();
    read_as (RM_MSG_ANSWER, "{type:answer, v:1, json:'{}'}");
    cr_assert (is (msg.answer.json, "{}"));
    written_the_same ();
}

Test (spelling, refusals)
{
    read_as (RM_MSG_BUSY, "{type:busy, v:1, retry_after_ms:200, text:'full'}");
    cr_assert_eq (msg.busy.retry_after_ms, 200);
    cr_assert (is (msg.busy.text, "full"));
    written_the_same ();
    read_as (RM_MSG_NOT_LEADER, "{type:not_leader, v:1, leader:'tcp://h:1'}");
    cr_assert (is (msg.not_leader.leader, "tcp://h:1"));
    written_the_same ();
    read_as (RM_MSG_ERROR, "{type:error, v:1, code:-9, text:'no', seq:3}");
    cr_assert_eq (msg.error.code, RM_ECONFLICT);
    cr_assert (is (msg.error.text, "no"));
    cr_assert_eq (msg.error.seq, 3);
    written_the_same ();
}

Test (spelling, join_and_joined)
{
    read_as (RM_MSG_JOIN, "{type:join, v:1, name:w1, inc:4369, pool:gpu, queues:[mail, sms], threads:4}");
    cr_assert (is (msg.join.name, "w1"));
    cr_assert_eq (msg.join.inc, 4369);
    cr_assert (is (msg.join.pool, "gpu"));
    cr_assert_eq (msg.join.queue_count, 2);
    cr_assert (is (msg.join.queues[1], "sms"));
    cr_assert_eq (msg.join.threads, 4);
    written_the_same ();
    read_as (RM_MSG_JOINED, "{type:joined, v:1, term:2, epoch:5, inc:4369, lease_ms:1000, grace_ms:250, "
                            "heartbeat_ms:200, result_bytes_max:999}");
    cr_assert_eq (msg.joined.term, 2);
    cr_assert_eq (msg.joined.epoch, 5);
    cr_assert_eq (msg.joined.inc, 4369);
    cr_assert_eq (msg.joined.lease_ms, 1000);
    cr_assert_eq (msg.joined.grace_ms, 250);
    cr_assert_eq (msg.joined.heartbeat_ms, 200);
    cr_assert_eq (msg.joined.result_bytes_max, 999);
    written_the_same ();
}

static void is_report (const rm_report_t *report)
{
    cr_assert_eq (report->term, 2);
    cr_assert_eq (report->inc, 4369);
    cr_assert_eq (report->upto, 12);
    cr_assert_eq (report->held_count, 2);
    cr_assert_eq (report->held[0], 77);
    cr_assert_eq (report->held[1], 78);
}

#define REPORT "term:2, inc:4369, upto:12, held:[77, 78]"

Test (spelling, heartbeat_and_its_answer)
{
    read_as (RM_MSG_HEARTBEAT, "{type:heartbeat, v:1, " REPORT ", n:41, seen:13}");
    is_report (&msg.heartbeat.report);
    cr_assert_eq (msg.heartbeat.n, 41);
    cr_assert_eq (msg.heartbeat.seen, 13);
    written_the_same ();
    read_as (RM_MSG_HEARTBEAT_OK, "{type:heartbeat_ok, v:1, term:2, epoch:5, inc:4369, n:41, last_seq:13}");
    cr_assert_eq (msg.heartbeat_ok.term, 2);
    cr_assert_eq (msg.heartbeat_ok.epoch, 5);
    cr_assert_eq (msg.heartbeat_ok.inc, 4369);
    cr_assert_eq (msg.heartbeat_ok.n, 41);
    cr_assert_eq (msg.heartbeat_ok.last_seq, 13);
    written_the_same ();
}

Test (spelling, dispatch)
{
    read_as (RM_MSG_DISPATCH, "{type:dispatch, v:1, term:2, epoch:5, inc:4369, seq:13, jobs:["
                              "[77, 2199023255553, 11, 1, 60000, 1, mail, #626f62, #6869],"
                              "[78, 2199023255554, nil, 2, 0, 0, q, nil, #]]}");
    cr_assert_eq (msg.dispatch.term, 2);
    cr_assert_eq (msg.dispatch.epoch, 5);
    cr_assert_eq (msg.dispatch.inc, 4369);
    cr_assert_eq (msg.dispatch.seq, 13);
    cr_assert_eq (msg.dispatch.job_count, 2);
    rm_dispatch_job_t *job = msg.dispatch.jobs;
    cr_assert_eq (job->id, 77);
    cr_assert_eq (job->token, 2ull << 40 | 1);
    cr_assert_eq (job->slot, 11);
    cr_assert_eq (job->attempt, 1);
    cr_assert_eq (job->timeout_ms, 60000);
    cr_assert_eq (job->flags, RM_JOB_AT_MOST_ONCE);
    cr_assert (is (job->queue, "mail"));
    cr_assert (is (job->key, "bob"));
    cr_assert (is (job->data, "hi"));
    cr_assert_eq (job[1].slot, RM_SLOTS);
    cr_assert_null (job[1].key.data);
    written_the_same ();
}

Test (spelling, done_and_committed)
{
    read_as (RM_MSG_DONE, "{type:done, v:1, " REPORT ", jobs:[[77, 2199023255553, 1, 0, 1500, #, #3432],"
                          "[78, 2199023255554, 2, 3, 9, #6c617465, #]]}");
    is_report (&msg.done.report);
    cr_assert_eq (msg.done.job_count, 2);
    rm_done_job_t *job = msg.done.jobs;
    cr_assert_eq (job->id, 77);
    cr_assert_eq (job->token, 2ull << 40 | 1);
    cr_assert_eq (job->attempt, 1);
    cr_assert_eq (job->verdict, RM_VERDICT_OK);
    cr_assert_eq (job->ran_us, 1500);
    cr_assert_eq (job->reason.size, 0);
    cr_assert (is (job->data, "42"));
    cr_assert_eq (job[1].verdict, RM_VERDICT_TIMEOUT);
    cr_assert (is (job[1].reason, "late"));
    written_the_same ();
    read_as (RM_MSG_COMMITTED, "{type:committed, v:1, term:2, inc:4369, jobs:[[77, 1], [78, 2]]}");
    cr_assert_eq (msg.committed.term, 2);
    cr_assert_eq (msg.committed.inc, 4369);
    cr_assert_eq (msg.committed.job_count, 2);
    cr_assert_eq (msg.committed.jobs[1].id, 78);
    cr_assert_eq (msg.committed.jobs[1].attempt, 2);
    written_the_same ();
}

Test (spelling, the_end_of_a_membership)
{
    read_as (RM_MSG_LEAVE, "{type:leave, v:1, " REPORT "}");
    is_report (&msg.leave.report);
    written_the_same ();
    read_as (RM_MSG_LEFT, "{type:left, v:1, term:2, inc:4369}");
    cr_assert_eq (msg.left.term, 2);
    cr_assert_eq (msg.left.inc, 4369);
    written_the_same ();
    read_as (RM_MSG_REJOIN, "{type:rejoin, v:1, term:2, inc:4369}");
    cr_assert_eq (msg.rejoin.term, 2);
    cr_assert_eq (msg.rejoin.inc, 4369);
    written_the_same ();
}

/* SYNC keeps the spelling it was born with: {type, name, phase, data}, and nothing more beside data. */
Test (spelling, sync_of_the_master)
{
    read_as (RM_MSG_SYNC, "{type:sync, name:'Master', phase:1, data:{v:1, term:2, epoch:5}}");
    cr_assert (msg.sync.from_master);
    cr_assert_eq (msg.sync.phase, 1);
    cr_assert_eq (msg.sync.term, 2);
    cr_assert_eq (msg.sync.epoch, 5);
    written_the_same ();
    read_as (RM_MSG_SYNC, "{type:sync, name:'Master', phase:2, data:{v:1, term:2, epoch:5, sync_to:76, "
                          "members:[[w1, 4369], [w2, 8738]], moved:{default:[[0, 99, 4369, 8738], [200, 201, 0, 8738]],"
                          " gpu:[[16383, 16383, 4369, 0]]}}}");
    cr_assert_eq (msg.sync.sync_to, 76);
    cr_assert_eq (msg.sync.member_count, 2);
    cr_assert (is (msg.sync.members[1].name, "w2"));
    cr_assert_eq (msg.sync.members[1].inc, 8738);
    cr_assert_eq (msg.sync.moved_count, 3);
    rm_sync_move_t *move = msg.sync.moved;
    cr_assert (is (move[1].pool, "default"));
    cr_assert_eq (move[1].first, 200);
    cr_assert_eq (move[1].last, 201);
    cr_assert_eq (move[1].from, 0);
    cr_assert_eq (move[1].to, 8738);
    cr_assert (is (move[2].pool, "gpu"));
    cr_assert_eq (move[2].last, RM_SLOTS - 1);
    written_the_same ();
    read_as (RM_MSG_SYNC, "{type:sync, name:'Master', phase:3, data:{v:1, term:2, epoch:5}}");
    cr_assert_eq (msg.sync.phase, 3);
    written_the_same ();
}

Test (spelling, sync_of_a_worker)
{
    read_as (RM_MSG_SYNC, "{type:sync, name:w1, phase:1, data:{v:1, term:2, epoch:5, inc:4369, current_job:78, "
                          "upto:12, held:[77, 78]}}");
    cr_assert_not (msg.sync.from_master);
    cr_assert (is (msg.sync.name, "w1"));
    cr_assert_eq (msg.sync.current_job, 78);
    is_report (&msg.sync.report);
    written_the_same ();
    read_as (RM_MSG_SYNC, "{type:sync, name:w1, phase:2, data:{v:1, term:2, epoch:5, inc:4369, ack:draining, "
                          "upto:12, held:[77, 78], returned:[79]}}");
    cr_assert_not (msg.sync.ok);
    is_report (&msg.sync.report);
    cr_assert_eq (msg.sync.returned_count, 1);
    cr_assert_eq (msg.sync.returned[0], 79);
    written_the_same ();
    read_as (RM_MSG_SYNC, "{type:sync, name:w1, phase:3, data:{v:1, term:2, epoch:5, inc:4369, ack:ok}}");
    cr_assert (msg.sync.ok);
    cr_assert_eq (msg.sync.report.inc, 4369);
    written_the_same ();
}
