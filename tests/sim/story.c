#include "story.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

FILE *story_out;

void story_line (const sim_t *self, uint32_t who, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    fprintf (story_out, "%10.6f %-3s ", (double)self->now_us / 1e6,
             who < self->process_count ? self->processes[who].name : "");
    vfprintf (story_out, format, arguments);
    fputc ('\n', story_out);
    va_end (arguments);
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

typedef struct {
    char *text;
    size_t size, used;
} words_t;

__attribute__ ((format (printf, 2, 3))) static void put (words_t *self, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    int more = vsnprintf (self->text + self->used, self->size - self->used, format, arguments);
    va_end (arguments);
    self->used += more > 0 ? (size_t)more : 0;
    if (self->used >= self->size)
        self->used = self->size - 1;
}

static void put_ids (words_t *self, const char *name, const uint64_t *ids, uint32_t count)
{
    put (self, " %s=[", name);
    for (uint32_t i = 0; i < count; i++)
        put (self, "%s%" PRIu64, i ? " " : "", ids[i]);
    put (self, "]");
}

static void put_report (words_t *self, const rm_report_t *report)
{
    put (self, " term=%" PRIu64 " inc=%04" PRIx64 " upto=%" PRIu64, report->term, report->inc >> 48, report->upto);
    put_ids (self, "held", report->held, report->held_count);
}

static void put_sync (words_t *self, const rm_msg_sync_t *sync)
{
    put (self, " %u term=%" PRIu64 " epoch=%" PRIu64, sync->phase, sync->term, sync->epoch);
    if (sync->from_master) {
        if (sync->phase == 2)
            put (self, " sync_to=%" PRIu64 " members=%u", sync->sync_to, sync->member_count);
        for (uint32_t i = 0; i < sync->moved_count; i++)
            put (self, " %u-%u:%04" PRIx64 ">%04" PRIx64, sync->moved[i].first, sync->moved[i].last,
                 sync->moved[i].from >> 48, sync->moved[i].to >> 48);
        return;
    }
    if (sync->phase == 1)
        put (self, " current_job=%" PRIu64, sync->current_job);
    if (sync->phase == 2)
        put (self, " %s", sync->ok ? "ok" : "draining");
    if (sync->phase < 3)
        put_report (self, &sync->report);
    if (sync->phase == 2)
        put_ids (self, "returned", sync->returned, sync->returned_count);
}

static void put_jobs (words_t *self, const rm_msg_t *msg)
{
    if (msg->type == RM_MSG_SUBMIT)
        for (uint32_t i = 0; i < msg->submit.job_count; i++) {
            const rm_submit_job_t *job = &msg->submit.jobs[i];
            put (self, " %" PRIu64 ":%.*s key=%.*s", job->seq, (int)job->data.size, (const char *)job->data.data,
                 (int)job->key.size, job->key.size ? (const char *)job->key.data : "");
        }
    if (msg->type == RM_MSG_DISPATCH)
        for (uint32_t i = 0; i < msg->dispatch.job_count; i++)
            put (self, " job=%" PRIu64 "/%u slot=%u", msg->dispatch.jobs[i].id, msg->dispatch.jobs[i].attempt,
                 msg->dispatch.jobs[i].slot);
    if (msg->type == RM_MSG_DONE)
        for (uint32_t i = 0; i < msg->done.job_count; i++)
            put (self, " job=%" PRIu64 "/%u verdict=%u", msg->done.jobs[i].id, msg->done.jobs[i].attempt,
                 msg->done.jobs[i].verdict);
    if (msg->type == RM_MSG_COMMITTED)
        for (uint32_t i = 0; i < msg->committed.job_count; i++)
            put (self, " job=%" PRIu64 "/%u", msg->committed.jobs[i].id, msg->committed.jobs[i].attempt);
    if (msg->type == RM_MSG_RESULT)
        for (uint32_t i = 0; i < msg->result.job_count; i++)
            put (self, " job=%" PRIu64 " outcome=%u %.*s", msg->result.jobs[i].id, msg->result.jobs[i].outcome,
                 (int)msg->result.jobs[i].data.size,
                 msg->result.jobs[i].data.size ? (const char *)msg->result.jobs[i].data.data : "");
    if (msg->type == RM_MSG_ACCEPTED)
        for (uint32_t i = 0; i < msg->accepted.job_count; i++)
            put (self, " %" PRIu64 ":job=%" PRIu64, msg->accepted.jobs[i].seq, msg->accepted.jobs[i].id);
}

void story_message (const rm_msg_t *msg, char *text, size_t size)
{
    words_t words = {text, size, 0};
    put (&words, "%s", rm_msg_name (msg->type));
    switch (msg->type) {
    case RM_MSG_SUBMIT:
        put (&words, " session=%02x%02x floor=%" PRIu64, msg->submit.session.bytes[0], msg->submit.session.bytes[1],
             msg->submit.floor);
        break;
    case RM_MSG_WAIT:
        put_ids (&words, "ids", msg->wait.ids, msg->wait.id_count);
        break;
    case RM_MSG_BUSY:
        put (&words, " after=%u", msg->busy.retry_after_ms);
        break;
    case RM_MSG_ERROR:
        put (&words, " code=%d seq=%" PRIu64, msg->error.code, msg->error.seq);
        break;
    case RM_MSG_JOIN:
        put (&words, " inc=%04" PRIx64, msg->join.inc >> 48);
        break;
    case RM_MSG_JOINED:
        put (&words, " term=%" PRIu64 " epoch=%" PRIu64 " inc=%04" PRIx64, msg->joined.term, msg->joined.epoch,
             msg->joined.inc >> 48);
        break;
    case RM_MSG_HEARTBEAT:
        put (&words, " n=%" PRIu64 " seen=%" PRIu64, msg->heartbeat.n, msg->heartbeat.seen);
        put_report (&words, &msg->heartbeat.report);
        break;
    case RM_MSG_HEARTBEAT_OK:
        put (&words, " n=%" PRIu64 " term=%" PRIu64 " epoch=%" PRIu64 " last_seq=%" PRIu64, msg->heartbeat_ok.n,
             msg->heartbeat_ok.term, msg->heartbeat_ok.epoch, msg->heartbeat_ok.last_seq);
        break;
    case RM_MSG_DISPATCH:
        put (&words, " term=%" PRIu64 " epoch=%" PRIu64 " inc=%04" PRIx64 " seq=%" PRIu64, msg->dispatch.term,
             msg->dispatch.epoch, msg->dispatch.inc >> 48, msg->dispatch.seq);
        break;
    case RM_MSG_DONE:
        put_report (&words, &msg->done.report);
        break;
    case RM_MSG_LEAVE:
        put_report (&words, &msg->leave.report);
        break;
    case RM_MSG_COMMITTED:
        put (&words, " term=%" PRIu64, msg->committed.term);
        break;
    case RM_MSG_REJOIN:
        put (&words, " term=%" PRIu64 " inc=%04" PRIx64, msg->rejoin.term, msg->rejoin.inc >> 48);
        break;
    case RM_MSG_LEFT:
        put (&words, " term=%" PRIu64 " inc=%04" PRIx64, msg->left.term, msg->left.inc >> 48);
        break;
    case RM_MSG_SYNC:
        put_sync (&words, &msg->sync);
        break;
    default:
        break;
    }
    put_jobs (&words, msg);
}
