#include "core/entry.h"

#include <endian.h>
#include <string.h>

#include "core/state.h"

void rm_write_u8 (rm_buf_t *out, uint8_t value)
{
    rm_buf_put (out, &value, sizeof value);
}

void rm_write_u32 (rm_buf_t *out, uint32_t value)
{
    uint32_t le = htole32 (value);
    rm_buf_put (out, &le, sizeof le);
}

void rm_write_u64 (rm_buf_t *out, uint64_t value)
{
    uint64_t le = htole64 (value);
    rm_buf_put (out, &le, sizeof le);
}

void rm_write_bytes (rm_buf_t *out, rm_bytes_t value)
{
    rm_write_u32 (out, value.size);
    rm_buf_put (out, value.data, value.size);
}

void rm_read_raw (rm_reader_t *self, void *to, size_t size)
{
    if (self->bad || (size_t)(self->end - self->at) < size) {
        self->bad = true;
        memset (to, 0, size);
        return;
    }
    memcpy (to, self->at, size);
    self->at += size;
}

uint8_t rm_read_u8 (rm_reader_t *self)
{
    uint8_t value;
    rm_read_raw (self, &value, sizeof value);
    return value;
}

uint32_t rm_read_u32 (rm_reader_t *self)
{
    uint32_t value;
    rm_read_raw (self, &value, sizeof value);
    return le32toh (value);
}

uint64_t rm_read_u64 (rm_reader_t *self)
{
    uint64_t value;
    rm_read_raw (self, &value, sizeof value);
    return le64toh (value);
}

rm_bytes_t rm_read_bytes (rm_reader_t *self)
{
    uint32_t size = rm_read_count (self, 1);
    rm_bytes_t bytes = {self->at, size};
    if (self->bad)
        return (rm_bytes_t){"", 0};
    self->at += size;
    return bytes;
}

rm_bytes_t rm_read_name (rm_reader_t *self)
{
    rm_bytes_t name = rm_read_bytes (self);
    if (!rm_name_valid (name))
        self->bad = true;
    return name;
}

uint32_t rm_read_count (rm_reader_t *self, size_t least)
{
    uint32_t count = rm_read_u32 (self);
    if ((size_t)(self->end - self->at) / least < count)
        self->bad = true;
    return self->bad ? 0 : count;
}

void rm_entry_batch (rm_buf_t *out, uint64_t time_ms)
{
    rm_write_u8 (out, RM_BATCH_FORMAT);
    rm_write_u64 (out, time_ms);
}

void rm_entry_stamp (rm_buf_t *batch, uint64_t time_ms)
{
    uint64_t le = htole64 (time_ms);
    memcpy (batch->data + 1, &le, sizeof le);
}

void rm_entry_lead (rm_buf_t *out)
{
    rm_write_u8 (out, RM_ENTRY_LEAD);
}

/* ---- options ---------------------------------------------------------------------------------------------------- */

/* Numbers of the log: never re-used. */
enum {
    HAS_DELAY = 1 << 0,
    HAS_DEADLINE = 1 << 1,
    HAS_PRIORITY = 1 << 2,
    HAS_UID = 1 << 3,
    HAS_RETRY = 1 << 4,
    HAS_ALL = (1 << 5) - 1
};

static uint8_t options_of (const rm_job_options_t *options)
{
    bool retry = options->retry_delay_ms || options->retry_permille || options->retry_cap_ms || options->retry_jitter;
    return (uint8_t)((options->delay_ms ? HAS_DELAY : 0) | (options->deadline_ms ? HAS_DEADLINE : 0) |
                     (options->priority ? HAS_PRIORITY : 0) | (options->uid.size ? HAS_UID : 0) |
                     (retry ? HAS_RETRY : 0));
}

bool rm_job_has_options (const rm_submit_job_t *job)
{
    return options_of (&job->options) != 0;
}

void rm_write_options (rm_buf_t *out, const rm_job_options_t *options)
{
    uint8_t has = options_of (options);
    rm_write_u8 (out, has);
    if (has & HAS_DELAY)
        rm_write_u64 (out, options->delay_ms);
    if (has & HAS_DEADLINE)
        rm_write_u64 (out, options->deadline_ms);
    if (has & HAS_PRIORITY)
        rm_write_u32 (out, options->priority);
    if (has & HAS_UID)
        rm_write_bytes (out, options->uid);
    if (!(has & HAS_RETRY))
        return;
    rm_write_u32 (out, options->retry_delay_ms);
    rm_write_u32 (out, options->retry_permille);
    rm_write_u32 (out, options->retry_cap_ms);
    rm_write_u32 (out, options->retry_jitter);
}

/* Strict: what it accepts, it would write again byte for byte. */
rm_job_options_t rm_read_options (rm_reader_t *self)
{
    rm_job_options_t options = {0};
    uint8_t has = rm_read_u8 (self);
    if (has & HAS_DELAY)
        options.delay_ms = rm_read_u64 (self);
    if (has & HAS_DEADLINE)
        options.deadline_ms = rm_read_u64 (self);
    if (has & HAS_PRIORITY)
        options.priority = rm_read_u32 (self);
    if (has & HAS_UID)
        options.uid = rm_read_bytes (self);
    if (has & HAS_RETRY) {
        options.retry_delay_ms = rm_read_u32 (self);
        options.retry_permille = rm_read_u32 (self);
        options.retry_cap_ms = rm_read_u32 (self);
        options.retry_jitter = rm_read_u32 (self);
    }
    if (has != options_of (&options) || options.priority > RM_PRIORITY_MAX || options.uid.size > RM_UID_BYTES_MAX)
        self->bad = true;
    return options;
}

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

void rm_write_submit_job (rm_buf_t *out, const rm_submit_job_t *job, bool more)
{
    rm_write_u64 (out, job->seq);
    rm_write_u32 (out, job->tries);
    rm_write_u32 (out, job->timeout_ms);
    rm_write_u32 (out, job->flags);
    if (more)
        rm_write_options (out, &job->options);
    rm_write_bytes (out, job->queue);
    rm_write_u8 (out, job->key.data != NULL);
    if (job->key.data)
        rm_write_bytes (out, job->key);
    rm_write_bytes (out, job->data);
}

rm_submit_job_t rm_read_submit_job (rm_reader_t *self, bool more)
{
    rm_submit_job_t job = {0};
    job.seq = rm_read_u64 (self);
    job.tries = rm_read_u32 (self);
    job.timeout_ms = rm_read_u32 (self);
    job.flags = rm_read_u32 (self);
    if (more)
        job.options = rm_read_options (self);
    job.queue = rm_read_name (self);
    uint8_t keyed = rm_read_u8 (self);
    if (keyed)
        job.key = rm_read_bytes (self);
    if (keyed > 1)
        self->bad = true;
    job.data = rm_read_bytes (self);
    return job;
}

void rm_entry_submit (rm_buf_t *out, const rm_entry_submit_t *entry)
{
    bool more = false;
    for (uint32_t i = 0; i < entry->job_count && !more; i++)
        more = rm_job_has_options (&entry->jobs[i]);
    rm_write_u8 (out, more ? RM_ENTRY_SUBMIT_MORE : RM_ENTRY_SUBMIT);
    rm_buf_put (out, entry->session.bytes, RM_SESSION_BYTES);
    rm_write_u64 (out, entry->floor);
    rm_write_u32 (out, entry->job_count);
    for (uint32_t i = 0; i < entry->job_count; i++)
        rm_write_submit_job (out, &entry->jobs[i], more);
}

static void write_start (rm_buf_t *out, rm_entry_kind_t kind, const rm_entry_start_t *entry)
{
    rm_write_u8 (out, kind);
    rm_write_u64 (out, entry->id);
    rm_write_u64 (out, entry->inc);
}

void rm_entry_start (rm_buf_t *out, const rm_entry_start_t *entry)
{
    write_start (out, RM_ENTRY_START, entry);
}

void rm_entry_unstart (rm_buf_t *out, const rm_entry_start_t *entry)
{
    write_start (out, RM_ENTRY_UNSTART, entry);
}

void rm_entry_done (rm_buf_t *out, const rm_entry_done_t *entry)
{
    rm_write_u8 (out, entry->verdict == RM_VERDICT_OK ? RM_ENTRY_DONE : RM_ENTRY_FAIL);
    rm_write_u64 (out, entry->id);
    rm_write_u64 (out, entry->inc);
    rm_write_u32 (out, entry->attempt);
    rm_write_u8 (out, (uint8_t)entry->verdict);
    rm_write_u64 (out, entry->not_before_ms);
    rm_write_bytes (out, entry->reason);
    rm_write_bytes (out, entry->data);
}

rm_entry_done_t rm_read_done (rm_reader_t *self)
{
    rm_entry_done_t entry = {0};
    entry.id = rm_read_u64 (self);
    entry.inc = rm_read_u64 (self);
    entry.attempt = rm_read_u32 (self);
    entry.verdict = rm_read_u8 (self);
    entry.not_before_ms = rm_read_u64 (self);
    entry.reason = rm_read_bytes (self);
    entry.data = rm_read_bytes (self);
    if (entry.verdict > RM_VERDICT_INTERRUPTED)
        self->bad = true;
    return entry;
}

void rm_entry_bury (rm_buf_t *out, const rm_entry_bury_t *entry)
{
    rm_write_u8 (out, RM_ENTRY_BURY);
    rm_write_u64 (out, entry->id);
    rm_write_bytes (out, entry->reason);
}

void rm_entry_member_add (rm_buf_t *out, const rm_msg_join_t *entry)
{
    rm_write_u8 (out, RM_ENTRY_MEMBER_ADD);
    rm_write_u64 (out, entry->inc);
    rm_write_u32 (out, entry->threads);
    rm_write_bytes (out, entry->name);
    rm_write_bytes (out, entry->pool);
    rm_write_u32 (out, entry->queue_count);
    for (uint32_t i = 0; i < entry->queue_count; i++)
        rm_write_bytes (out, entry->queues[i]);
}

rm_msg_join_t rm_read_member_add (rm_reader_t *self, rm_bytes_t *queues)
{
    rm_msg_join_t join = {.queues = queues};
    join.inc = rm_read_u64 (self);
    join.threads = rm_read_u32 (self);
    join.name = rm_read_name (self);
    join.pool = rm_read_name (self);
    join.queue_count = rm_read_count (self, 4);
    if (!join.inc || join.queue_count > RM_WORKER_QUEUES_MAX)
        self->bad = true;
    for (uint32_t i = 0; i < join.queue_count && !self->bad; i++)
        queues[i] = rm_read_name (self);
    return join;
}

void rm_entry_member_remove (rm_buf_t *out, const rm_entry_remove_t *entry)
{
    rm_write_u8 (out, RM_ENTRY_MEMBER_REMOVE);
    rm_write_u64 (out, entry->inc);
    rm_write_u32 (out, entry->id_count);
    for (uint32_t i = 0; i < entry->id_count; i++)
        rm_write_u64 (out, entry->ids[i]);
}

void rm_entry_resize_begin (rm_buf_t *out, const rm_entry_begin_t *entry)
{
    rm_write_u8 (out, RM_ENTRY_RESIZE_BEGIN);
    rm_write_u64 (out, entry->epoch);
    rm_write_u32 (out, entry->inc_count);
    for (uint32_t i = 0; i < entry->inc_count; i++)
        rm_write_u64 (out, entry->incs[i]);
    rm_write_u32 (out, entry->leaving_count);
    for (uint32_t i = 0; i < entry->leaving_count; i++)
        rm_write_u64 (out, entry->leaving[i]);
}

void rm_entry_resize_commit (rm_buf_t *out, uint64_t epoch)
{
    rm_write_u8 (out, RM_ENTRY_RESIZE_COMMIT);
    rm_write_u64 (out, epoch);
}

void rm_entry_session_expire (rm_buf_t *out, const rm_session_id_t *session)
{
    rm_write_u8 (out, RM_ENTRY_SESSION_EXPIRE);
    rm_buf_put (out, session->bytes, RM_SESSION_BYTES);
}

void rm_entry_result_expire (rm_buf_t *out, const rm_entry_expire_t *entry)
{
    rm_write_u8 (out, RM_ENTRY_RESULT_EXPIRE);
    rm_write_u32 (out, entry->queue);
    rm_write_u32 (out, entry->count);
}

void rm_entry_format (rm_buf_t *out, uint8_t format)
{
    rm_write_u8 (out, RM_ENTRY_FORMAT);
    rm_write_u8 (out, format);
}

void rm_entry_stop (rm_buf_t *out, const rm_entry_stop_t *entry)
{
    rm_write_u8 (out, RM_ENTRY_STOP);
    rm_write_u64 (out, entry->id);
    rm_write_u8 (out, (uint8_t)entry->outcome);
    rm_write_u8 (out, entry->at_once);
    rm_write_bytes (out, entry->reason);
}

rm_entry_stop_t rm_read_stop (rm_reader_t *self)
{
    rm_entry_stop_t entry = {0};
    entry.id = rm_read_u64 (self);
    entry.outcome = rm_read_u8 (self);
    uint8_t at_once = rm_read_u8 (self);
    entry.at_once = at_once;
    entry.reason = rm_read_bytes (self);
    if (at_once > 1 || entry.outcome < RM_OUTCOME_DEAD || entry.outcome > RM_OUTCOME_EXPIRED)
        self->bad = true;
    return entry;
}

void rm_entry_kick (rm_buf_t *out, uint64_t id)
{
    rm_write_u8 (out, RM_ENTRY_KICK);
    rm_write_u64 (out, id);
}

void rm_entry_queue_set (rm_buf_t *out, const rm_entry_queue_set_t *entry)
{
    rm_write_u8 (out, RM_ENTRY_QUEUE_SET);
    rm_write_bytes (out, entry->queue);
    rm_write_u32 (out, entry->setting);
    rm_write_u64 (out, entry->value);
}

rm_entry_queue_set_t rm_read_queue_set (rm_reader_t *self)
{
    rm_entry_queue_set_t entry = {0};
    entry.queue = rm_read_name (self);
    entry.setting = rm_read_u32 (self);
    entry.value = rm_read_u64 (self);
    return entry;
}
