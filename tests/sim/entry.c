#include "entry.h"

static void skip_submit (rm_reader_t *reader, bool more)
{
    rm_session_id_t session;
    rm_read_raw (reader, session.bytes, sizeof session.bytes);
    rm_read_u64 (reader);
    for (uint32_t count = rm_read_count (reader, 29); count; count--)
        rm_read_submit_job (reader, more);
}

/* Where the list begins, for whoever wants it. */
static rm_reader_t skip_list (rm_reader_t *reader)
{
    rm_reader_t list = *reader;
    for (uint32_t count = rm_read_count (reader, 8); count; count--)
        rm_read_u64 (reader);
    return list;
}

static void read_done (sim_entry_t *self, rm_reader_t *reader)
{
    rm_entry_done_t done = rm_read_done (reader);
    self->id = done.id;
    self->inc = done.inc;
    self->attempt = done.attempt;
    self->verdict = done.verdict;
}

static void read_stop (sim_entry_t *self, rm_reader_t *reader)
{
    rm_entry_stop_t stop = rm_read_stop (reader);
    self->id = stop.id;
    self->outcome = stop.outcome;
}

bool sim_entry_read (sim_entry_t *self, rm_reader_t *reader)
{
    rm_bytes_t queues[RM_WORKER_QUEUES_MAX];
    rm_session_id_t session;
    *self = (sim_entry_t){.kind = (rm_entry_kind_t)rm_read_u8 (reader)};
    switch (self->kind) {
    case RM_ENTRY_LEAD:
        break;
    case RM_ENTRY_SUBMIT:
    case RM_ENTRY_SUBMIT_MORE:
        skip_submit (reader, self->kind == RM_ENTRY_SUBMIT_MORE);
        break;
    case RM_ENTRY_START:
    case RM_ENTRY_UNSTART:
        self->id = rm_read_u64 (reader);
        self->inc = rm_read_u64 (reader);
        break;
    case RM_ENTRY_DONE:
    case RM_ENTRY_FAIL:
        read_done (self, reader);
        break;
    case RM_ENTRY_BURY:
        self->id = rm_read_u64 (reader);
        rm_read_bytes (reader);
        break;
    case RM_ENTRY_MEMBER_ADD:
        self->inc = rm_read_member_add (reader, queues).inc;
        break;
    case RM_ENTRY_MEMBER_REMOVE:
        self->inc = rm_read_u64 (reader);
        self->lists[0] = skip_list (reader);
        break;
    case RM_ENTRY_RESIZE_BEGIN:
        self->epoch = rm_read_u64 (reader);
        self->lists[0] = skip_list (reader);
        self->lists[1] = skip_list (reader);
        break;
    case RM_ENTRY_RESIZE_COMMIT:
        self->epoch = rm_read_u64 (reader);
        break;
    case RM_ENTRY_SESSION_EXPIRE:
        rm_read_raw (reader, session.bytes, sizeof session.bytes);
        break;
    case RM_ENTRY_RESULT_EXPIRE:
        rm_read_u32 (reader);
        rm_read_u32 (reader);
        break;
    case RM_ENTRY_FORMAT:
        rm_read_u8 (reader);
        break;
    case RM_ENTRY_STOP:
        read_stop (self, reader);
        break;
    case RM_ENTRY_KICK:
        self->id = rm_read_u64 (reader);
        break;
    case RM_ENTRY_QUEUE_SET:
        rm_read_queue_set (reader);
        break;
    default:
        return false;
    }
    return true;
}
