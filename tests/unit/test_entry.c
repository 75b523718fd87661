/*  Ledger entries: their spelling is pinned byte by byte, and anything else is refused. */
#include "ledger_fixture.h"

TestSuite (entry, .init = ledger_open, .fini = ledger_close);

static const rm_submit_job_t some_jobs[] = {
    {.seq = 1, .queue = {"bank", 4}, .key = {"bob", 3}, .data = {"10", 2}, .tries = 5, .timeout_ms = 6, .flags = 1},
    {.seq = 2, .queue = {"mail", 4}, .data = {"", 0}},
};

static void write_submit (rm_buf_t *out)
{
    rm_entry_submit (out, &(rm_entry_submit_t){session_id (1), 0x0102, some_jobs, 2});
}

static void write_start (rm_buf_t *out)
{
    rm_entry_start (out, &(rm_entry_start_t){0x0a, 0x0b0c});
}

static void write_unstart (rm_buf_t *out)
{
    rm_entry_unstart (out, &(rm_entry_start_t){0x0a, 0x0b0c});
}

static void write_done (rm_buf_t *out)
{
    rm_entry_done (out, &(rm_entry_done_t){.id = 0x0a, .inc = 0x0b, .attempt = 1, .data = {"ok", 2}});
}

static void write_fail (rm_buf_t *out)
{
    rm_entry_done (out, &(rm_entry_done_t){0x0a, 0x0b, 2, RM_VERDICT_TIMEOUT, 0x0c, {"slow", 4}, {NULL, 0}});
}

static void write_bury (rm_buf_t *out)
{
    rm_entry_bury (out, &(rm_entry_bury_t){0x0a, {"why", 3}});
}

static void write_member_add (rm_buf_t *out)
{
    rm_bytes_t queues[] = {{"bank", 4}, {"mail", 4}};
    rm_entry_member_add (out, &(rm_msg_join_t){{"w1", 2}, 0x0b, {"p", 1}, queues, 2, 8});
}

static void write_member_remove (rm_buf_t *out)
{
    rm_entry_member_remove (out, &(rm_entry_remove_t){0x0b, (uint64_t[]){1, 2}, 2});
}

static void write_begin (rm_buf_t *out)
{
    rm_entry_resize_begin (out, &(rm_entry_begin_t){1, (uint64_t[]){0x0b}, 1, (uint64_t[]){0x0c}, 1});
}

static void write_commit (rm_buf_t *out)
{
    rm_entry_resize_commit (out, 1);
}

static void write_session_expire (rm_buf_t *out)
{
    rm_session_id_t id = session_id (1);
    rm_entry_session_expire (out, &id);
}

static void write_result_expire (rm_buf_t *out)
{
    rm_entry_result_expire (out, &(rm_entry_expire_t){3, 4});
}

static const rm_submit_job_t jobs_with_options[] = {
    {.seq = 1,
     .queue = {"bank", 4},
     .data = {"10", 2},
     .options = {.delay_ms = 7,
                 .deadline_ms = 8,
                 .priority = 9,
                 .retry_delay_ms = 10,
                 .retry_permille = 11,
                 .retry_cap_ms = 12,
                 .retry_jitter = 5,
                 .uid = {"u", 1}}},
    {.seq = 2, .queue = {"mail", 4}, .data = {"", 0}},
};

static void write_format (rm_buf_t *out)
{
    rm_entry_format (out, 2);
}

static void write_submit_more (rm_buf_t *out)
{
    rm_entry_submit (out, &(rm_entry_submit_t){session_id (2), 0, jobs_with_options, 2});
}

static void write_stop (rm_buf_t *out)
{
    rm_entry_stop (out, &(rm_entry_stop_t){0x0a, RM_OUTCOME_CANCELLED, true, {"why", 3}});
}

static void write_kick (rm_buf_t *out)
{
    rm_entry_kick (out, 0x0a);
}

static void write_queue_set (rm_buf_t *out)
{
    rm_entry_queue_set (out, &(rm_entry_queue_set_t){{"mail", 4}, 1, 7});
}

#define U32(byte) byte "000000"
#define U64(byte) byte "00000000000000"

/* Each kind of entry with its spelling, behind the head of the batch. */
static const struct {
    void (*write) (rm_buf_t *out);
    const char *hex;
} kinds[] = {
    {rm_entry_lead, "01"},
    {write_submit, "02"
                   "015e0000000000000000000000000000"
                   "0201000000000000" U32 ("02") U64 ("01") U32 ("05") U32 ("06") U32 ("01")
                       U32 ("04") "62616e6b"
                                  "01" U32 ("03") "626f62" U32 ("02") "3130" U64 ("02") U32 ("00") U32 ("00") U32 ("00")
                                      U32 ("04") "6d61696c"
                                                 "00" U32 ("00")},
    {write_start, "03" U64 ("0a") "0c0b000000000000"},
    {write_unstart, "04" U64 ("0a") "0c0b000000000000"},
    {write_done, "05" U64 ("0a") U64 ("0b") U32 ("01") "00" U64 ("00") U32 ("00") U32 ("02") "6f6b"},
    {write_fail, "06" U64 ("0a") U64 ("0b") U32 ("02") "03" U64 ("0c") U32 ("04") "736c6f77" U32 ("00")},
    {write_bury, "07" U64 ("0a") U32 ("03") "776879"},
    {write_member_add, "08" U64 ("0b") U32 ("08") U32 ("02") "7731" U32 ("01") "70" U32 ("02")
                           U32 ("04") "62616e6b" U32 ("04") "6d61696c"},
    {write_member_remove, "09" U64 ("0b") U32 ("02") U64 ("01") U64 ("02")},
    {write_begin, "0a" U64 ("01") U32 ("01") U64 ("0b") U32 ("01") U64 ("0c")},
    {write_commit, "0b" U64 ("01")},
    {write_session_expire, "0c"
                           "015e0000000000000000000000000000"},
    {write_result_expire, "0d" U32 ("03") U32 ("04")},
    {write_format, "0e02"},
    {write_submit_more, "0f"
                        "025e0000000000000000000000000000" U64 ("00") U32 ("02") U64 ("01") U32 ("00") U32 ("00")
                            U32 ("00") "1f" U64 ("07") U64 ("08") U32 ("09") U32 ("01") "75" U32 ("0a") U32 ("0b")
                                U32 ("0c") U32 ("05") U32 ("04") "62616e6b00" U32 ("02") "3130" U64 ("02") U32 ("00")
                                    U32 ("00") U32 ("00") "00" U32 ("04") "6d61696c"
                                                                          "00" U32 ("00")},
    {write_stop, "10" U64 ("0a") "0301" U32 ("03") "776879"},
    {write_kick, "11" U64 ("0a")},
    {write_queue_set, "12" U32 ("04") "6d61696c" U32 ("01") U64 ("07")},
};
enum { KINDS = sizeof kinds / sizeof *kinds };
_Static_assert(KINDS == RM_ENTRY_KINDS - 1, "every kind of entry is spelled here");

static int apply (const rm_buf_t *batch)
{
    return rm_state_apply (&ledger.state, batch->data, batch->size);
}

static void cr_assert_hex (const uint8_t *data, size_t size, const char *hex)
{
    cr_assert_eq (strlen (hex), size * 2, "%zu bytes", size);
    for (size_t i = 0; i < size; i++) {
        char byte[3];
        snprintf (byte, sizeof byte, "%02x", data[i]);
        cr_assert_eq (memcmp (hex + 2 * i, byte, 2), 0, "byte %zu is %s", i, byte);
    }
}

/* ---- spelling --------------------------------------------------------------------------------------------------- */

Test (entry, every_kind_is_spelled_as_documented)
{
    for (int i = 0; i < KINDS; i++) {
        rm_buf_t *batch = ledger_begin_batch ();
        kinds[i].write (batch);
        cr_assert_hex (batch->data + RM_BATCH_HEADER_BYTES, batch->size - RM_BATCH_HEADER_BYTES, kinds[i].hex);
        cr_assert_eq (apply (batch), 0, "kind %d", i + 1);
    }
}

Test (entry, a_batch_begins_with_its_format_and_time)
{
    ledger.now_ms = 0x0102030405060708;
    rm_buf_t *batch = ledger_begin_batch ();
    cr_assert_hex (batch->data, batch->size, "010807060504030201");
    cr_assert_eq (batch->size, RM_BATCH_HEADER_BYTES);
    rm_entry_lead (batch);
    rm_entry_stamp (batch, 7);
    cr_assert_hex (batch->data, batch->size, "01070000000000000001");
}

Test (entry, a_batch_may_hold_all_kinds)
{
    rm_buf_t *batch = ledger_begin_batch ();
    for (int i = 0; i < KINDS; i++)
        kinds[i].write (batch);
    cr_assert_eq (apply (batch), 0);
    cr_assert_eq (ledger.state.term, 1);
    cr_assert_eq (ledger.state.last_id, 4);
    cr_assert_eq (ledger.state.epoch, 1);
    cr_assert_eq (ledger.state.format, 2);
}

Test (entry, a_batch_may_be_empty)
{
    ledger.now_ms = 77;
    cr_assert_eq (apply (ledger_begin_batch ()), 0);
    cr_assert_eq (ledger.state.time_ms, 77);
}

Test (entry, a_job_is_read_as_it_was_written)
{
    for (size_t i = 0; i < 4; i++) {
        rm_buf_t buf = {0};
        const rm_submit_job_t *some = i < 2 ? &some_jobs[i] : &jobs_with_options[i - 2];
        rm_write_submit_job (&buf, some, i >= 2);
        rm_reader_t reader = {buf.data, buf.data + buf.size, false};
        rm_submit_job_t job = rm_read_submit_job (&reader, i >= 2);
        cr_assert (!reader.bad);
        cr_assert_eq (reader.at, reader.end);
        cr_assert_eq (rm_submit_hash (&job), rm_submit_hash (some));
        cr_assert_eq (job.seq, some->seq);
        cr_assert_eq (!job.key.data, !some->key.data);
        rm_buf_close (&buf);
    }
}

/* It is kept with the request, and so belongs to the format. */
Test (entry, the_hash_of_a_request_is_pinned)
{
    cr_assert_eq (rm_submit_hash (&some_jobs[0]), 0xe8617cdc1432cd56);
    cr_assert_eq (rm_submit_hash (&some_jobs[1]), 0x6bc933c18a360922);
    cr_assert_eq (rm_submit_hash (&jobs_with_options[0]), 0x37e5afadaf2df6d);
}

/* ---- what is refused -------------------------------------------------------------------------------------------- */

Test (entry, a_cut_entry_is_corrupt)
{
    for (int i = 0; i < KINDS; i++) {
        rm_buf_t *batch = ledger_begin_batch ();
        ledger.state.format = RM_STATE_FORMAT;
        kinds[i].write (batch);
        for (size_t size = 0; size < batch->size; size++) {
            int want = size == RM_BATCH_HEADER_BYTES ? 0 : RM_ECORRUPT;
            /* A copy of just that size, so that reading past it shows under the address sanitizer. */
            uint8_t *cut = rm_memdup (batch->data, size);
            cr_assert_eq (rm_state_apply (&ledger.state, cut, size), want, "kind %d cut to %zu", i + 1, size);
            rm_free (cut);
        }
    }
}

/* What a master of before could not read is not written before all said that they can. */
Test (entry, the_kinds_of_a_later_format_are_corrupt_before_it)
{
    for (int kind = RM_ENTRY_FORMAT + 1; kind < RM_ENTRY_KINDS; kind++) {
        rm_buf_t *batch = ledger_begin_batch ();
        kinds[kind - 1].write (batch);
        cr_assert_eq (apply (batch), RM_ECORRUPT, "kind %d", kind);
    }
    for (unsigned format = 0; format < 256; format++) {
        rm_buf_t *batch = ledger_begin_batch ();
        rm_entry_format (batch, (uint8_t)format);
        cr_assert_eq (apply (batch), format == 2 ? 0 : RM_ECORRUPT, "format %u", format);
    }
}

Test (entry, trailing_bytes_are_corrupt)
{
    for (int i = 0; i < KINDS; i++) {
        rm_buf_t *batch = ledger_begin_batch ();
        ledger.state.format = RM_STATE_FORMAT;
        kinds[i].write (batch);
        rm_write_u8 (batch, 0);
        cr_assert_eq (apply (batch), RM_ECORRUPT, "kind %d", i + 1);
    }
}

Test (entry, an_unknown_kind_is_corrupt)
{
    for (unsigned kind = 0; kind < 256; kind++) {
        if (kind && kind < RM_ENTRY_KINDS)
            continue;
        rm_buf_t *batch = ledger_begin_batch ();
        rm_write_u8 (batch, (uint8_t)kind);
        rm_write_u64 (batch, 0);
        cr_assert_eq (apply (batch), RM_ECORRUPT, "kind %u", kind);
    }
}

Test (entry, another_format_is_corrupt)
{
    for (unsigned format = 0; format < 256; format++) {
        rm_buf_t *batch = ledger_begin_batch ();
        rm_entry_lead (batch);
        batch->data[0] = (uint8_t)format;
        cr_assert_eq (apply (batch), format == RM_BATCH_FORMAT ? 0 : RM_ECORRUPT, "format %u", format);
    }
    cr_assert_eq (ledger.state.term, 1);
}

/* A count or length that promises more than is there. */
static void cr_assert_overclaim_is_corrupt (int kind, size_t offset)
{
    static const uint32_t claims[] = {0xffffffff, 0x80000000, 0x00ffffff};
    for (size_t i = 0; i < 3; i++) {
        rm_buf_t *batch = ledger_begin_batch ();
        kinds[kind - 1].write (batch);
        memcpy (batch->data + RM_BATCH_HEADER_BYTES + offset, &claims[i], sizeof claims[i]);
        cr_assert_eq (apply (batch), RM_ECORRUPT, "kind %d, %x at %zu", kind, claims[i], offset);
    }
}

Test (entry, a_count_beyond_the_bytes_left_is_corrupt)
{
    cr_assert_overclaim_is_corrupt (RM_ENTRY_SUBMIT, 1 + 16 + 8);
    cr_assert_overclaim_is_corrupt (RM_ENTRY_SUBMIT, 1 + 16 + 8 + 4 + 8 + 12);
    cr_assert_overclaim_is_corrupt (RM_ENTRY_DONE, 1 + 8 + 8 + 4 + 1 + 8);
    cr_assert_overclaim_is_corrupt (RM_ENTRY_BURY, 1 + 8);
    cr_assert_overclaim_is_corrupt (RM_ENTRY_MEMBER_ADD, 1 + 8 + 4);
    cr_assert_overclaim_is_corrupt (RM_ENTRY_MEMBER_ADD, 1 + 8 + 4 + 4 + 2 + 4 + 1);
    cr_assert_overclaim_is_corrupt (RM_ENTRY_MEMBER_REMOVE, 1 + 8);
    cr_assert_overclaim_is_corrupt (RM_ENTRY_RESIZE_BEGIN, 1 + 8);
    cr_assert_overclaim_is_corrupt (RM_ENTRY_RESIZE_BEGIN, 1 + 8 + 4 + 8);
}

static const rm_bytes_t bad_names[] = {{"", 0}, {"a\0b", 3}, {"a b", 3}, {"a/b", 3}, {"\x7f", 1}};
enum { BAD_NAMES = sizeof bad_names / sizeof *bad_names };

Test (entry, a_name_that_is_none_is_corrupt)
{
    rm_bytes_t good = {"a", 1};
    for (int i = 0; i < BAD_NAMES; i++) {
        rm_bytes_t bad = bad_names[i];
        rm_submit_job_t job = {.seq = 1, .queue = bad, .data = {"", 0}};
        rm_entry_submit (ledger_begin_batch (), &(rm_entry_submit_t){session_id (1), 0, &job, 1});
        cr_assert_eq (apply (&ledger.batch), RM_ECORRUPT, "queue %d", i);
        rm_msg_join_t joins[] = {{bad, 7, good, &good, 1, 1}, {good, 7, bad, &good, 1, 1}, {good, 7, good, &bad, 1, 1}};
        for (int j = 0; j < 3; j++) {
            rm_entry_member_add (ledger_begin_batch (), &joins[j]);
            cr_assert_eq (apply (&ledger.batch), RM_ECORRUPT, "join %d, name %d", j, i);
        }
    }
    cr_assert_eq (ledger.state.queue_count, 0);
    cr_assert_eq (ledger.state.pool_count, 0);
}

Test (entry, incarnation_0_is_corrupt)
{
    rm_bytes_t good = {"a", 1};
    rm_entry_member_add (ledger_begin_batch (), &(rm_msg_join_t){good, 0, good, &good, 1, 1});
    cr_assert_eq (apply (&ledger.batch), RM_ECORRUPT);
}

Test (entry, a_worker_of_too_many_queues_is_corrupt)
{
    rm_bytes_t good = {"a", 1}, queues[RM_WORKER_QUEUES_MAX + 1];
    for (int i = 0; i <= RM_WORKER_QUEUES_MAX; i++)
        queues[i] = good;
    rm_msg_join_t join = {good, 7, good, queues, RM_WORKER_QUEUES_MAX + 1, 1};
    rm_entry_member_add (ledger_begin_batch (), &join);
    cr_assert_eq (apply (&ledger.batch), RM_ECORRUPT);
    join.queue_count = RM_WORKER_QUEUES_MAX;
    rm_entry_member_add (ledger_begin_batch (), &join);
    cr_assert_eq (apply (&ledger.batch), 0);
}

Test (entry, a_verdict_fits_its_kind)
{
    enum { VERDICT_AT = RM_BATCH_HEADER_BYTES + 1 + 8 + 8 + 4 };
    for (unsigned verdict = 0; verdict < 256; verdict++) {
        write_done (ledger_begin_batch ());
        ledger.batch.data[VERDICT_AT] = (uint8_t)verdict;
        cr_assert_eq (apply (&ledger.batch), verdict == RM_VERDICT_OK ? 0 : RM_ECORRUPT, "done, %u", verdict);
        bool failed = verdict > RM_VERDICT_OK && verdict <= RM_VERDICT_INTERRUPTED;
        write_fail (ledger_begin_batch ());
        ledger.batch.data[VERDICT_AT] = (uint8_t)verdict;
        cr_assert_eq (apply (&ledger.batch), failed ? 0 : RM_ECORRUPT, "fail, %u", verdict);
    }
}

Test (entry, whether_there_is_a_key_is_0_or_1)
{
    enum { KEYED_AT = RM_BATCH_HEADER_BYTES + 1 + 16 + 8 + 4 + 8 + 12 + 4 + 4 };
    write_submit (ledger_begin_batch ());
    cr_assert_eq (ledger.batch.data[KEYED_AT], 1);
    ledger.batch.data[KEYED_AT] = 2;
    cr_assert_eq (apply (&ledger.batch), RM_ECORRUPT);
}

/* Once something did not fit, everything read after it is zero or empty. */
Test (entry, a_reader_that_is_bad_stays_bad)
{
    uint8_t data[16] = {0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8};
    rm_reader_t reader = {data, data + sizeof data, false};
    rm_bytes_t none = rm_read_bytes (&reader);
    cr_assert (reader.bad);
    cr_assert_eq (none.size, 0);
    cr_assert_eq (rm_read_u8 (&reader), 0);
    cr_assert_eq (rm_read_u64 (&reader), 0);
    cr_assert_eq (rm_read_count (&reader, 1), 0);
    cr_assert_eq (rm_read_bytes (&reader).size, 0);
}
