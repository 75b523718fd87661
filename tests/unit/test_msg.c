/*  The codec says what it was told: every message there and back, and the spelling of the wire, checked against frames
 *  that were written down by hand.
 */
#include <criterion/criterion.h>

#include "msg_same.h"
#include "msg_samples.h"
#include "proto/alloc.h"
#include "proto/table.h"
#include "ringmaster/error.h"

TestSuite (msg, .init = samples_init);

static void there_and_back (const rm_msg_t *msg)
{
    rm_buf_t buf = {0};
    rm_msg_t back;
    const char *why = "";
    cr_assert_eq (rm_msg_encode (msg, &buf), 0);
    cr_assert_eq (rm_msg_decode (&back, buf.data, buf.size, &why), 0, "%s: %s", rm_msg_name (msg->type), why);
    const char *differs = difference (msg, &back);
    cr_assert_null (differs, "%s of %s", differs, rm_msg_name (msg->type));
    rm_msg_close (&back);
    rm_buf_close (&buf);
}

Test (msg, every_message_goes_there_and_back)
{
    for (int n = 0; n < SAMPLES; n++) {
        rm_msg_t msg = sample_message (n);
        there_and_back (&msg);
    }
}

/* ---- the tables ------------------------------------------------------------------------------------------------- */

/* Marks what a row covers of its struct, in 4-byte words; none may be covered twice. */
static void cover (const rm_field_t *field, uint8_t *words, size_t size)
{
    static const uint8_t sizes[] = {[RM_FIELD_U32] = 4,
                                    [RM_FIELD_U64] = 8,
                                    [RM_FIELD_ERROR] = 4,
                                    [RM_FIELD_TEXT] = sizeof (rm_bytes_t),
                                    [RM_FIELD_NAME] = sizeof (rm_bytes_t),
                                    [RM_FIELD_BYTES] = sizeof (rm_bytes_t),
                                    [RM_FIELD_KEY] = sizeof (rm_bytes_t),
                                    [RM_FIELD_SLOT] = 4,
                                    [RM_FIELD_SESSION] = RM_SESSION_BYTES,
                                    [RM_FIELD_ACK] = 4,
                                    [RM_FIELD_ARRAY] = 8,
                                    [RM_FIELD_MOVES] = 8};
    for (size_t at = field->offset; at < field->offset + (size_t)sizes[field->kind]; at += 4) {
        cr_assert_lt (at, size, "%s lies outside its struct", field->name);
        cr_assert_not (words[at / 4], "%s overlaps another field", field->name);
        words[at / 4] = 1;
    }
    if (field->kind != RM_FIELD_ARRAY && field->kind != RM_FIELD_MOVES)
        return;
    cr_assert_not (words[field->count_offset / 4], "%s counts in another field's place", field->name);
    words[field->count_offset / 4] = 2; /* padding may follow */
}

/* Every word of a struct belongs to one row, but for padding behind a 4-byte member. */
static void all_covered (const char *name, const rm_field_t *rows, int count, size_t from, size_t size)
{
    uint8_t words[sizeof (rm_msg_t) / 4] = {0};
    for (int i = 0; i < count; i++)
        cover (&rows[i], words, sizeof words * 4);
    for (size_t at = from / 4; at < (from + size) / 4; at++) {
        bool padding = at % 2 && at > from / 4 && words[at - 1];
        cr_assert (words[at] || padding, "%s: the member at byte %zu is in no row", name, at * 4 - from);
    }
}

#define COVERED(TYPE, MEMBER)                                                                                          \
    all_covered (#MEMBER, rm_shape_of (TYPE)->rows, rm_shape_of (TYPE)->row_count, offsetof (rm_msg_t, MEMBER),        \
                 sizeof (((rm_msg_t *)0)->MEMBER))

Test (msg, every_member_of_a_message_has_its_row)
{
    COVERED (RM_MSG_HELLO, hello);
    COVERED (RM_MSG_SUBMIT, submit);
    COVERED (RM_MSG_WAIT, wait);
    COVERED (RM_MSG_QUERY, query);
    COVERED (RM_MSG_DRAIN, drain);
    COVERED (RM_MSG_CHANGE, change);
    COVERED (RM_MSG_ORDER, order);
    COVERED (RM_MSG_WELCOME, welcome);
    COVERED (RM_MSG_ACCEPTED, accepted);
    COVERED (RM_MSG_RESULT, result);
    COVERED (RM_MSG_ANSWER, answer);
    COVERED (RM_MSG_BUSY, busy);
    COVERED (RM_MSG_NOT_LEADER, not_leader);
    COVERED (RM_MSG_ERROR, error);
    COVERED (RM_MSG_JOIN, join);
    COVERED (RM_MSG_HEARTBEAT, heartbeat);
    COVERED (RM_MSG_DONE, done);
    COVERED (RM_MSG_LEAVE, leave);
    COVERED (RM_MSG_PROGRESS, progress);
    COVERED (RM_MSG_PARTIAL, partial);
    COVERED (RM_MSG_JOINED, joined);
    COVERED (RM_MSG_HEARTBEAT_OK, heartbeat_ok);
    COVERED (RM_MSG_DISPATCH, dispatch);
    COVERED (RM_MSG_COMMITTED, committed);
    COVERED (RM_MSG_STOP, stop);
    COVERED (RM_MSG_REJOIN, rejoin);
    COVERED (RM_MSG_LEFT, left);
    COVERED (RM_MSG_RPC_HELLO, rpc_hello);
    COVERED (RM_MSG_RPC_CALL, rpc_call);
    COVERED (RM_MSG_RPC_BYE, rpc_bye);
    COVERED (RM_MSG_RPC_WELCOME, rpc_welcome);
    COVERED (RM_MSG_RPC_RESULT, rpc_result);
    COVERED (RM_MSG_RPC_ERROR, rpc_error);
    COVERED (RM_MSG_RPC_BUSY, rpc_busy);
}

static void elements_covered (const rm_shape_t *shape)
{
    cr_assert_leq (shape->row_count, RM_SHAPE_ROWS_MAX);
    for (int i = 0; i < shape->row_count; i++) {
        const rm_element_t *element = shape->rows[i].element;
        if (element)
            all_covered (shape->rows[i].name, element->rows, element->row_count, 0, element->size);
    }
}

Test (msg, every_member_of_an_element_has_its_row)
{
    for (rm_msg_type_t type = RM_MSG_NONE + 1; type < RM_MSG_TYPES; type++)
        elements_covered (rm_shape_of (type));
    for (int n = 0; n < 6; n++)
        elements_covered (rm_shape_of_sync (n / 3, 1 + (uint32_t)n % 3));
}

Test (msg, a_type_has_one_name)
{
    for (rm_msg_type_t type = RM_MSG_NONE + 1; type < RM_MSG_TYPES; type++) {
        const char *name = rm_msg_name (type);
        cr_assert_eq (rm_type_named ((rm_bytes_t){name, (uint32_t)strlen (name)}), type);
    }
    cr_assert_str_eq (rm_msg_name (RM_MSG_NONE), "none");
    cr_assert_str_eq (rm_msg_name (RM_MSG_TYPES), "none");
    cr_assert_eq (rm_type_named (TEXT ("none")), RM_MSG_NONE);
    cr_assert_eq (rm_type_named (TEXT ("subm")), RM_MSG_NONE);
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

Test (msg, a_name_is_printable_ascii_without_space_slash_or_quote)
{
    for (int c = 0; c < 256; c++) {
        char text[] = {'a', (char)c, 'b'};
        bool valid = c > 32 && c < 127 && c != '/' && c != '"';
        cr_assert_eq (rm_name_valid ((rm_bytes_t){text, 3}), valid, "character %d", c);
    }
}

Test (msg, a_name_has_1_to_128_bytes)
{
    cr_assert_not (rm_name_valid ((rm_bytes_t){NULL, 0}));
    cr_assert_not (rm_name_valid (TEXT ("")));
    cr_assert (rm_name_valid (text_of (1)));
    cr_assert (rm_name_valid (text_of (128)));
    cr_assert_not (rm_name_valid (text_of (129)));
}

/* ---- sizes ------------------------------------------------------------------------------------------------------ */

/* The bytes of a message with one job less are what the last job took. */
static void row_fits (rm_msg_t msg, uint32_t *count, size_t bytes)
{
    rm_buf_t with = {0}, without = {0};
    cr_assert_eq (rm_msg_encode (&msg, &with), 0);
    *count -= 1;
    cr_assert_eq (rm_msg_encode (&msg, &without), 0);
    cr_assert_leq (with.size - without.size, RM_MESSAGE_ROW_BYTES + bytes, "%s", rm_msg_name (msg.type));
    rm_buf_close (&with);
    rm_buf_close (&without);
}

Test (msg, a_job_takes_no_more_than_its_bytes_and_a_row)
{
    rm_msg_t msg = sample_client_message (RM_MSG_SUBMIT);
    const uint32_t strings = RM_QUEUE_NAME_BYTES_MAX + RM_KEY_BYTES_MAX;
    row_fits (msg, &msg.submit.job_count, strings + sample_submits[2].data.size);
    msg = sample_worker_message (RM_MSG_DISPATCH);
    row_fits (msg, &msg.dispatch.job_count, strings + sample_dispatches[2].data.size);
    msg = sample_worker_message (RM_MSG_DONE);
    row_fits (msg, &msg.done.job_count, RM_REASON_BYTES_MAX);
    msg = sample_client_message (RM_MSG_RESULT);
    row_fits (msg, &msg.result.job_count, RM_REASON_BYTES_MAX + sample_results[2].data.size);
}

Test (msg, a_message_may_carry_all_the_jobs_it_is_allowed)
{
    rm_dispatch_job_t *jobs = calloc (RM_MESSAGE_JOBS_MAX, sizeof *jobs);
    for (uint32_t i = 0; i < RM_MESSAGE_JOBS_MAX; i++)
        jobs[i] = (rm_dispatch_job_t){i + 1, i, i % RM_SLOTS, 1, 0, 0, TEXT ("mail"), TEXT ("k"), TEXT ("payload")};
    rm_msg_t msg = {.type = RM_MSG_DISPATCH, .dispatch = {2, 5, 1, 1, jobs, RM_MESSAGE_JOBS_MAX}};
    there_and_back (&msg);
    free (jobs);
}

Test (msg, a_message_is_appended)
{
    rm_buf_t buf = {0};
    rm_msg_t msg = sample_worker_message (RM_MSG_LEFT), back;
    rm_buf_put (&buf, "kept", 4);
    cr_assert_eq (rm_msg_encode (&msg, &buf), 0);
    cr_assert_arr_eq (buf.data, "kept", 4);
    cr_assert_eq (rm_msg_decode (&back, buf.data + 4, buf.size - 4, NULL), 0);
    rm_msg_close (&back);
    rm_buf_close (&buf);
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

static int allocations_left; /* the one after them fails */
static int blocks;           /* allocated now */

static void *failing_resize (void *memory, size_t size)
{
    if (allocations_left-- <= 0)
        return NULL;
    blocks += memory == NULL;
    return realloc (memory, size);
}

static void counting_release (void *memory)
{
    blocks -= memory != NULL;
    free (memory);
}

/* Encodes and decodes with the n-th allocation failing; true if all went well. */
static bool survives (const rm_msg_t *msg, int n)
{
    rm_buf_t buf = {0};
    rm_msg_t back;
    allocations_left = n;
    int rc = rm_msg_encode (msg, &buf);
    if (!rc) {
        rc = rm_msg_decode (&back, buf.data, buf.size, NULL);
        if (!rc)
            rm_msg_close (&back);
    }
    rm_buf_close (&buf);
    cr_assert (rc == 0 || rc == RM_ENOMEM, "%d", rc);
    cr_assert_eq (blocks, 0, "%d blocks of memory were lost", blocks);
    return rc == 0;
}

Test (msg, memory_may_run_out_at_any_allocation)
{
    static const rm_allocator_t failing = {failing_resize, counting_release};
    rm_alloc_set (&failing);
    int most = 0;
    for (int n = 0; n < SAMPLES; n++) {
        rm_msg_t msg = sample_message (n);
        int fails = 0;
        while (!survives (&msg, fails))
            fails++;
        cr_assert_gt (fails, 0);
        most = fails > most ? fails : most;
    }
    rm_alloc_set (NULL);
    cr_assert_gt (most, 2, "the sweep failed neither a growing buffer nor an array");
}

/* A message has one allocation, however many jobs it carries. */
Test (msg, decoding_allocates_once)
{
    static const rm_allocator_t counting = {failing_resize, counting_release};
    for (int n = 0; n < SAMPLES; n++) {
        rm_buf_t buf = {0};
        rm_msg_t msg = sample_message (n), back;
        cr_assert_eq (rm_msg_encode (&msg, &buf), 0);
        rm_alloc_set (&counting);
        allocations_left = 1;
        cr_assert_eq (rm_msg_decode (&back, buf.data, buf.size, NULL), 0);
        rm_msg_close (&back);
        rm_alloc_set (NULL);
        rm_buf_close (&buf);
    }
}
