/*  What the wire may bring that is not a message: each is refused with a sentence, before memory is asked for, and
 *  without a look behind the frame. Frames lie in heap blocks of exactly their size, so that ASan sees one that does.
 */
#include "msg_samples.h"
#include "notation.h"
#include "proto/alloc.h"
#include "proto/msg.h"
#include "proto/scan.h"
#include "proto/table.h"
#include "ringmaster/error.h"

static int blocks; /* that the codec has allocated now */

static void *counting_resize (void *memory, size_t size)
{
    blocks += memory == NULL;
    return realloc (memory, size);
}

static void counting_release (void *memory)
{
    blocks -= memory != NULL;
    free (memory);
}

static void init (void)
{
    static const rm_allocator_t counting = {counting_resize, counting_release};
    rm_alloc_set (&counting);
    samples_init ();
}

TestSuite (hostile, .init = init);

/* ---- helpers ---------------------------------------------------------------------------------------------------- */

static frame_t sample_frame (int n)
{
    rm_buf_t buf = {0};
    rm_msg_t msg = sample_message (n);
    cr_assert_eq (rm_msg_encode (&msg, &buf), 0);
    frame_t frame = frame_copy (buf.data, buf.size);
    rm_buf_close (&buf);
    return frame;
}

/* Decodes; what is accepted must be a message that we can write, and that is the same when it is read again. */
static int decode (const frame_t *frame, const char **why)
{
    rm_msg_t msg, again;
    rm_buf_t buf = {0}, second = {0};
    int rc = rm_msg_decode (&msg, frame->data, frame->size, why);
    cr_assert (rc == 0 || blocks == 0, "a refused message keeps %d blocks of memory", blocks);
    if (rc)
        return rc;
    cr_assert_eq (rm_msg_encode (&msg, &buf), 0);
    cr_assert_eq (rm_msg_decode (&again, buf.data, buf.size, why), 0, "%s", *why);
    cr_assert_eq (rm_msg_encode (&again, &second), 0);
    cr_assert_eq (buf.size, second.size);
    cr_assert_arr_eq (buf.data, second.data, buf.size);
    rm_msg_close (&again);
    rm_msg_close (&msg);
    rm_buf_close (&second);
    rm_buf_close (&buf);
    return 0;
}

static void refused_frame (frame_t *frame, const char *says)
{
    const char *why = NULL;
    cr_assert_eq (decode (frame, &why), RM_EPROTO, "accepted; should say: %s", says);
    cr_assert_not_null (why);
    cr_assert_not_null (strstr (why, says), "says '%s' instead of '%s'", why, says);
    frame_free (frame);
}

/* The notation is refused with a sentence that contains `says`. */
static void refused (const char *notation, const char *says)
{
    frame_t frame = frame_of (notation);
    refused_frame (&frame, says);
}

static void accepted (const char *notation)
{
    const char *why = "";
    frame_t frame = frame_of (notation);
    cr_assert_eq (decode (&frame, &why), 0, "%s: %s", notation, why);
    frame_free (&frame);
}

/* A frame with the `size` bytes at `at` replaced. */
static frame_t spliced (const frame_t *frame, size_t at, size_t size, const frame_t *by)
{
    frame_t out = {malloc (frame->size - size + by->size), frame->size - size + by->size};
    memcpy (out.data, frame->data, at);
    if (by->size)
        memcpy (out.data + at, by->data, by->size);
    memcpy (out.data + at + by->size, frame->data + at + size, frame->size - at - size);
    return out;
}

/* Where something lies in a frame. */
typedef struct {
    size_t at, size;
} span_t;

static span_t whole (const frame_t *frame, size_t at)
{
    rm_cursor_t cursor = {frame->data + at, frame->data + frame->size};
    cr_assert (rm_scan_skip (&cursor, RM_MESSAGE_DEPTH_MAX));
    return (span_t){at, (size_t)(cursor.at - frame->data) - at};
}

/* The n-th of the values of an array or map (keys and values in turn) that lies at `at`. */
static span_t nth (const frame_t *frame, size_t at, uint64_t n)
{
    rm_head_t head;
    rm_cursor_t cursor = {frame->data + at, frame->data + frame->size};
    cr_assert (rm_head_read (&cursor, &head));
    cr_assert (head.kind == RM_WIRE_MAP || head.kind == RM_WIRE_ARRAY);
    cr_assert_lt (n, head.kind == RM_WIRE_MAP ? head.value * 2 : head.value);
    while (n--)
        cr_assert (rm_scan_skip (&cursor, RM_MESSAGE_DEPTH_MAX));
    return whole (frame, (size_t)(cursor.at - frame->data));
}

static uint8_t pairs (const frame_t *frame, size_t at)
{
    cr_assert_eq (frame->data[at] & 0xf0, 0x80, "the samples' maps are short ones");
    return frame->data[at] & 0x0f;
}

/* The value of `key` in the map at `at`; size 0 if it is not there. */
static span_t value_of (const frame_t *frame, size_t at, const char *key)
{
    for (uint64_t i = 0; i < pairs (frame, at); i++) {
        span_t name = nth (frame, at, 2 * i);
        if (name.size == strlen (key) + 1 && !memcmp (frame->data + name.at + 1, key, strlen (key)))
            return nth (frame, at, 2 * i + 1);
    }
    return (span_t){0};
}

/* ---- every message ---------------------------------------------------------------------------------------------- */

Test (hostile, a_cut_off_message_is_refused)
{
    for (int n = 0; n < SAMPLES; n++) {
        frame_t frame = sample_frame (n);
        for (size_t size = 0; size < frame.size; size++) {
            const char *why = NULL;
            frame_t cut = frame_copy (frame.data, size);
            cr_assert_eq (decode (&cut, &why), RM_EPROTO, "sample %d at %zu bytes", n, size);
            cr_assert_not_null (why);
            frame_free (&cut);
        }
        frame_free (&frame);
    }
}

Test (hostile, a_flipped_bit_never_does_harm)
{
    size_t seen[2] = {0};
    for (int n = 0; n < SAMPLES; n++) {
        frame_t frame = sample_frame (n);
        for (size_t bit = 0; bit < frame.size * 8; bit++) {
            const char *why = NULL;
            frame.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            seen[decode (&frame, &why) == 0]++;
            frame.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        frame_free (&frame);
    }
    cr_assert (seen[0] > 100 && seen[1] > 100, "%zu refused, %zu accepted: no test of either", seen[0], seen[1]);
}

Test (hostile, bytes_behind_a_message_are_refused)
{
    for (int n = 0; n < SAMPLES; n++) {
        frame_t frame = sample_frame (n), nil = frame_of ("nil");
        frame_t longer = spliced (&frame, frame.size, 0, &nil);
        refused_frame (&longer, "bytes follow");
        frame_free (&frame);
        frame_free (&nil);
    }
}

/* Runs `check` over every field of every sample's map, and of SYNC's data. */
static void each_field (void (*check) (const frame_t *frame, size_t map, span_t key, span_t value))
{
    for (int n = 0; n < SAMPLES; n++) {
        frame_t frame = sample_frame (n);
        size_t maps[] = {0, value_of (&frame, 0, "data").at};
        for (size_t m = 0; m < 2; m++)
            for (uint64_t i = 0; i < pairs (&frame, maps[m]) && (m == 0 || maps[1]); i++)
                check (&frame, maps[m], nth (&frame, maps[m], 2 * i), nth (&frame, maps[m], 2 * i + 1));
        frame_free (&frame);
    }
}

static bool is_key (const frame_t *frame, span_t key, const char *text)
{
    return key.size == strlen (text) + 1 && !memcmp (frame->data + key.at + 1, text, strlen (text));
}

/* Whether a field may be missing: by name, since the tables are what is tested. */
static bool may_miss (const frame_t *frame, size_t map, span_t key)
{
    static const char *const optional[][2] = {
        {"hello", "client"}, {"wait", "session"}, {"query", "id"},   {"query", "queue"}, {"query", "limit"},
        {"welcome", "http"}, {"busy", "text"},    {"error", "text"}, {"error", "seq"},   {"not_leader", "leader"}};
    if (is_key (frame, key, "v"))
        return true;
    span_t type = value_of (frame, 0, "type");
    for (size_t i = 0; i < COUNT_OF (optional) && !map; i++)
        if (is_key (frame, type, optional[i][0]) && is_key (frame, key, optional[i][1]))
            return true;
    return false;
}

static void field_is_missed (const frame_t *frame, size_t map, span_t key, span_t value)
{
    const char *why = "";
    frame_t nothing = {0};
    frame_t without = spliced (frame, key.at, key.size + value.size, &nothing);
    without.data[map]--;
    if (!may_miss (frame, map, key))
        refused_frame (&without, "is missing");
    else
        cr_assert_eq (decode (&without, &why), 0, "%s", why);
    frame_free (&without);
}

Test (hostile, a_required_field_is_missed)
{
    each_field (field_is_missed);
}

static void field_is_there_twice (const frame_t *frame, size_t map, span_t key, span_t value)
{
    frame_t pair = frame_copy (frame->data + key.at, key.size + value.size);
    frame_t twice = spliced (frame, key.at, 0, &pair);
    twice.data[map]++;
    refused_frame (&twice, "twice");
    frame_free (&pair);
}

Test (hostile, a_field_is_there_twice)
{
    each_field (field_is_there_twice);
}

static void field_is_of_another_type (const frame_t *frame, size_t map, span_t key, span_t value)
{
    static const char *const others[] = {"1.5", "true", "nil", "{a:1}"};
    (void)map;
    (void)key;
    for (size_t i = 0; i < COUNT_OF (others); i++) {
        if (is_key (frame, key, "moved") && i == 3)
            continue; /* it is a map */
        frame_t other = frame_of (others[i]);
        frame_t changed = spliced (frame, value.at, value.size, &other);
        refused_frame (&changed, is_key (frame, key, "data") ? "" : "wrong type");
        frame_free (&other);
    }
}

Test (hostile, a_field_of_a_wrong_type_is_refused)
{
    each_field (field_is_of_another_type);
}

static void something_is_added (const frame_t *frame, size_t map, span_t key, span_t value)
{
    (void)value;
    const char *why = "";
    frame_t unknown = frame_of ("{later:[{1:2}, nil, -1, 1.5, true, #00, {a:[[]]}]}");
    frame_t pair = frame_copy (unknown.data + 1, unknown.size - 1);
    frame_t wider = spliced (frame, key.at, 0, &pair);
    wider.data[map]++;
    cr_assert_eq (decode (&wider, &why), 0, "%s", why);
    frame_free (&unknown);
    frame_free (&pair);
    frame_free (&wider);
}

Test (hostile, an_unknown_field_is_ignored)
{
    each_field (something_is_added);
}

/* ---- limits, by the tables -------------------------------------------------------------------------------------- */

/* Replaces what lies at `value` by the notation; refused with the field's own sentence. */
static void out_of_limits (const frame_t *frame, const rm_field_t *field, span_t value, const char *notation)
{
    frame_t by = frame_of (notation);
    frame_t changed = spliced (frame, value.at, value.size, &by);
    refused_frame (&changed, field->outside);
    frame_free (&by);
}

static void number_is_limited (const frame_t *frame, const rm_field_t *field, span_t value)
{
    char text[32];
    out_of_limits (frame, field, value, "-1");
    if (field->min) {
        snprintf (text, sizeof text, "%llu", (unsigned long long)field->min - 1);
        out_of_limits (frame, field, value, text);
    }
    if (field->max < UINT64_MAX) {
        snprintf (text, sizeof text, "%llu", (unsigned long long)field->max + 1);
        out_of_limits (frame, field, value, text);
    }
}

static void text_is_limited (const frame_t *frame, const rm_field_t *field, span_t value)
{
    if (field->max <= 1 << 16) {
        char *text = malloc (field->max + 4);
        text[0] = '\'';
        memset (text + 1, 'n', field->max + 1);
        memcpy (text + field->max + 2, "'", 2);
        out_of_limits (frame, field, value, text);
        free (text);
    }
    if (field->min && !field->optional)
        out_of_limits (frame, field, value, "''");
    if (field->kind == RM_FIELD_NAME) {
        out_of_limits (frame, field, value, "'a b'");
        out_of_limits (frame, field, value, "'a/b'");
    }
}

static void count_is_limited (const frame_t *frame, const rm_field_t *field, span_t value)
{
    if (field->min)
        out_of_limits (frame, field, value, "[]");
    frame_t many = {malloc (5 + field->max + 1), 5 + field->max + 1};
    memset (many.data, 0x01, many.size);
    memcpy (many.data,
            (uint8_t[]){0xdd, 0, (uint8_t)((field->max + 1) >> 16), (uint8_t)((field->max + 1) >> 8),
                        (uint8_t)(field->max + 1)},
            5);
    frame_t changed = spliced (frame, value.at, value.size, &many);
    refused_frame (&changed, field->outside);
    frame_free (&many);
}

static void field_is_limited (const frame_t *frame, const rm_field_t *field, span_t value)
{
    switch ((rm_field_kind_t)field->kind) {
    case RM_FIELD_U32:
    case RM_FIELD_U64:
    case RM_FIELD_SLOT:
        number_is_limited (frame, field, value);
        break;
    case RM_FIELD_ERROR:
        out_of_limits (frame, field, value, "0");
        out_of_limits (frame, field, value, "-2147483649");
        break;
    case RM_FIELD_TEXT:
    case RM_FIELD_NAME:
    case RM_FIELD_BYTES:
    case RM_FIELD_KEY:
        text_is_limited (frame, field, value);
        break;
    case RM_FIELD_SESSION:
        out_of_limits (frame, field, value, "#00");
        out_of_limits (frame, field, value, "'0123456789abcdefg'");
        break;
    case RM_FIELD_ACK:
        out_of_limits (frame, field, value, "'maybe'");
        if (field->min)
            out_of_limits (frame, field, value, "draining");
        break;
    case RM_FIELD_ARRAY:
        count_is_limited (frame, field, value);
        break;
    case RM_FIELD_MOVES:
        break; /* a test of its own */
    }
}

static void fields_are_limited (const frame_t *frame, size_t map, const rm_shape_t *shape)
{
    for (int i = 0; i < shape->row_count; i++) {
        const rm_field_t *field = &shape->rows[i];
        span_t value = value_of (frame, map, field->name);
        cr_assert (value.size, "%s is not in the sample", field->name);
        field_is_limited (frame, field, value);
        if (field->kind != RM_FIELD_ARRAY)
            continue;
        for (int k = 0; k < field->element->row_count; k++) {
            span_t first = nth (frame, value.at, 0);
            field_is_limited (frame, &field->element->rows[k],
                              field->element->bare ? first : nth (frame, first.at, (uint64_t)k));
        }
    }
}

Test (hostile, what_is_outside_its_limits_is_refused)
{
    for (int n = 0; n < SAMPLES; n++) {
        frame_t frame = sample_frame (n);
        rm_msg_t msg = sample_message (n);
        fields_are_limited (&frame, 0, rm_shape_of (msg.type));
        if (msg.type == RM_MSG_SYNC)
            fields_are_limited (&frame, value_of (&frame, 0, "data").at,
                                rm_shape_of_sync (msg.sync.from_master, msg.sync.phase));
        frame_free (&frame);
    }
}

/* ---- arrays of jobs --------------------------------------------------------------------------------------------- */

/* Changes the element count of the first job by `by`, with `value` added or the last one taken away. */
static frame_t with_values (const frame_t *frame, span_t job, const char *added)
{
    frame_t out, nothing = {0};
    rm_head_t head;
    rm_cursor_t cursor = {frame->data + job.at, frame->data + frame->size};
    cr_assert (rm_head_read (&cursor, &head));
    if (added) {
        frame_t value = frame_of (added);
        out = spliced (frame, job.at + job.size, 0, &value);
        frame_free (&value);
        out.data[job.at]++;
    } else {
        span_t last = nth (frame, job.at, head.value - 1);
        out = spliced (frame, last.at, last.size, &nothing);
        out.data[job.at]--;
    }
    return out;
}

static void jobs_may_grow (rm_msg_type_t type)
{
    const char *why = "";
    frame_t frame = sample_frame (type - 1);
    span_t job = nth (&frame, value_of (&frame, 0, "jobs").at, 0);
    frame_t grown = with_values (&frame, job, "{later:[1, nil]}");
    cr_assert_eq (decode (&grown, &why), 0, "%s: %s", rm_msg_name (type), why);
    frame_t shorter = with_values (&frame, job, NULL);
    refused_frame (&shorter, "too short");
    frame_free (&grown);
    frame_free (&frame);
}

Test (hostile, a_job_may_have_more_values_but_not_fewer)
{
    jobs_may_grow (RM_MSG_SUBMIT);
    jobs_may_grow (RM_MSG_ACCEPTED);
    jobs_may_grow (RM_MSG_RESULT);
    jobs_may_grow (RM_MSG_DISPATCH);
    jobs_may_grow (RM_MSG_DONE);
}

Test (hostile, a_job_that_is_no_array_is_refused)
{
    refused ("{type:result, jobs:[{1:2}]}", "'jobs' is of a wrong type");
    refused ("{type:result, jobs:[7]}", "'jobs' is of a wrong type");
    refused ("{type:result, jobs:[[1, 1, 1, 1, #]]}", "'reason' is of a wrong type");
    refused ("{type:result, jobs:[[nil, 1, 1, #, #]]}", "'id' is of a wrong type");
}

Test (hostile, a_dispatched_job_has_a_slot_exactly_if_it_has_a_key)
{
    accepted ("{type:dispatch, term:1, epoch:1, inc:1, seq:1, jobs:[[1, 1, nil, 1, 0, 0, q, nil, #]]}");
    accepted ("{type:dispatch, term:1, epoch:1, inc:1, seq:1, jobs:[[1, 1, 0, 1, 0, 0, q, #, #]]}");
    refused ("{type:dispatch, term:1, epoch:1, inc:1, seq:1, jobs:[[1, 1, 0, 1, 0, 0, q, nil, #]]}", "slot");
    refused ("{type:dispatch, term:1, epoch:1, inc:1, seq:1, jobs:[[1, 1, nil, 1, 0, 0, q, #, #]]}", "slot");
}

/* ---- sync ------------------------------------------------------------------------------------------------------- */

/* A phase 2 of the master with `moved`. */
static frame_t moves_frame (const char *moved)
{
    char text[512];
    snprintf (text, sizeof text,
              "{type:sync, name:'Master', phase:2, data:{term:1, epoch:1, sync_to:0, members:[], moved:%s}}", moved);
    return frame_of (text);
}

static void moves_refused (const char *moved, const char *says)
{
    frame_t frame = moves_frame (moved);
    refused_frame (&frame, says);
}

Test (hostile, moves_are_checked)
{
    const char *why = "";
    frame_t good = moves_frame ("{b:[[0, 16383, 0, 0, later]], a:[[5, 5, 1, 2], [1, 2, 3, 4]]}");
    cr_assert_eq (decode (&good, &why), 0, "%s", why);
    frame_free (&good);
    moves_refused ("{a:[[6, 5, 1, 2]]}", "'moved' is outside");
    moves_refused ("{a:[[0, 16384, 1, 2]]}", "'moved' is outside");
    moves_refused ("{a:[[0, 1, 2]]}", "'moved' is of a wrong type");
    moves_refused ("{a:[[0, 1, 2, nil]]}", "'moved' is of a wrong type");
    moves_refused ("{a:[[0, 1, -2, 3]]}", "'moved' is of a wrong type");
    moves_refused ("{a:[7]}", "'moved' is of a wrong type");
    moves_refused ("{a:[]}", "'moved' is of a wrong type");
    moves_refused ("{a:nil}", "'moved' is of a wrong type");
    moves_refused ("{1:[[0, 1, 2, 3]]}", "'moved' is of a wrong type");
    moves_refused ("{'a b':[[0, 1, 2, 3]]}", "'moved' is of a wrong type");
    moves_refused ("{a:[[0, 1, 2, 3]], b:[[0, 1, 2, 3]], a:[[4, 5, 6, 7]]}", "a pool is there twice");
}

Test (hostile, moves_of_too_many_pools_are_refused)
{
    size_t size = 0;
    char *moved = malloc ((RM_MOVED_POOLS_MAX + 1) * 32);
    moved[size++] = '{';
    for (int i = 0; i <= RM_MOVED_POOLS_MAX; i++)
        size += (size_t)sprintf (moved + size, "p%d:[[0, 1, 2, 3]],", i);
    memcpy (moved + size, "}", 2);
    frame_t frame = moves_frame ("7"), by = frame_of (moved);
    frame_t many = spliced (&frame, frame.size - 1, 1, &by);
    refused_frame (&many, "'moved' is outside");
    frame_free (&frame);
    frame_free (&by);
    free (moved);
}

Test (hostile, too_many_moves_are_refused)
{
    enum { COUNT = RM_MOVES_MAX + 1, MOVE = 5 };
    static const uint8_t move[MOVE] = {0x94, 0, 1, 2, 3};
    const uint8_t head[] = {0x81, 0xa1, 'a', 0xdd, 0, COUNT >> 16, COUNT >> 8 & 0xff, COUNT & 0xff};
    frame_t by = {malloc (sizeof head + (size_t)COUNT * MOVE), sizeof head + (size_t)COUNT * MOVE};
    memcpy (by.data, head, sizeof head);
    for (size_t i = 0; i < COUNT; i++)
        memcpy (by.data + sizeof head + i * MOVE, move, MOVE);
    frame_t frame = moves_frame ("7");
    frame_t many = spliced (&frame, frame.size - 1, 1, &by);
    refused_frame (&many, "'moved' is outside");
    frame_free (&frame);
    frame_free (&by);
}

Test (hostile, who_speaks_and_the_phase_say_what_is_required)
{
    refused ("{type:sync, name:'Master', phase:0, data:{term:1, epoch:1}}", "'phase' is outside");
    refused ("{type:sync, name:'Master', phase:4, data:{term:1, epoch:1}}", "'phase' is outside");
    refused ("{type:sync, name:w1, phase:1, data:{term:1, epoch:1}}", "'inc' is missing");
    refused ("{type:sync, name:w1, phase:3, data:{term:1, epoch:1, inc:1}}", "'ack' is missing");
    refused ("{type:sync, name:'Master', phase:2, data:{term:1, epoch:1}}", "'sync_to' is missing");
    refused ("{type:sync, name:'Master', phase:1}", "'data' is missing");
    accepted ("{type:sync, name:'Master', phase:1, data:{term:1, epoch:1, inc:{}}}");
}

Test (hostile, no_worker_is_called_master)
{
    refused ("{type:join, name:'Master', inc:1, pool:p, queues:[q], threads:1}", "'Master'");
    accepted ("{type:join, name:'Masters', inc:1, pool:p, queues:[q], threads:1}");
}

/* ---- the envelope ----------------------------------------------------------------------------------------------- */

Test (hostile, another_version_is_refused_by_name)
{
    refused ("{type:hello, v:2}", "another protocol version");
    refused ("{type:hello, v:0}", "another protocol version");
    refused ("{type:dance, v:2}", "another protocol version");
    refused ("{type:hello, v:'1'}", "'v' is of a wrong type");
    refused ("{type:sync, name:'Master', phase:1, data:{v:2, term:1, epoch:1}}", "another protocol version");
    refused ("{type:sync, v:2, name:'Master', phase:1, data:{term:1, epoch:1}}", "another protocol version");
    accepted ("{type:sync, v:1, name:'Master', phase:1, data:{term:1, epoch:1}}");
}

Test (hostile, an_unknown_type_is_refused)
{
    refused ("{type:dance}", "no message of this type");
    refused ("{type:''}", "no message of this type");
    refused ("{type:none}", "no message of this type");
    refused ("{type:#68656c6c6f}", "'type' is of a wrong type");
    refused ("{type:1}", "'type' is of a wrong type");
    refused ("{v:1}", "'type' is missing");
    refused ("{}", "'type' is missing");
}

Test (hostile, what_is_no_map_is_refused)
{
    refused ("[]", "map");
    refused ("nil", "map");
    refused ("hello", "map");
    refused ("7", "map");
    refused ("{1:2}", "map");
    refused ("{#74797065:hello}", "map");
    frame_t nothing = frame_copy ("", 0), nowhere = {0};
    refused_frame (&nothing, "map");
    refused_frame (&nowhere, "map");
}

Test (hostile, an_unknown_field_twice_is_refused)
{
    refused ("{type:hello, x:1, x:1}", "twice");
}

Test (hostile, too_many_fields_are_refused)
{
    char text[1024] = "{type:hello,";
    for (int i = 0; i < RM_MESSAGE_FIELDS_MAX; i++)
        sprintf (text + strlen (text), "f%d:1,", i);
    strcat (text, "}");
    refused (text, "too many fields");
    strcpy (strstr (text, "f63"), "}");
    accepted (text);
}

Test (hostile, a_frame_over_the_limit_is_refused)
{
    frame_t frame = frame_of ("{type:hello}");
    frame.data = realloc (frame.data, (size_t)RM_FRAME_BYTES_MAX + 1);
    frame.size = (size_t)RM_FRAME_BYTES_MAX + 1;
    refused_frame (&frame, "larger than the protocol allows");
}

/* A result whose data has `size` bytes. */
static frame_t result_frame (size_t size)
{
    frame_t frame = frame_of ("{type:result, jobs:[[1, 1, 1, #, nil]]}");
    frame_t bin = {calloc (1, 5 + size), 5 + size};
    const uint8_t head[] = {0xc6, (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
    memcpy (bin.data, head, sizeof head);
    frame_t large = spliced (&frame, frame.size - 1, 1, &bin);
    frame_free (&bin);
    frame_free (&frame);
    return large;
}

Test (hostile, a_payload_over_its_limit_is_refused)
{
    const char *why = "";
    frame_t largest = result_frame (RM_PAYLOAD_BYTES_CEILING);
    cr_assert_eq (decode (&largest, &why), 0, "%s", why);
    frame_free (&largest);
    frame_t larger = result_frame (RM_PAYLOAD_BYTES_CEILING + 1);
    refused_frame (&larger, "'data' is outside");
}

/* ---- claims ----------------------------------------------------------------------------------------------------- */

/* {type:result, jobs: …} with these raw bytes for the jobs. */
static void claim_refused (const uint8_t *bytes, size_t size)
{
    frame_t frame = frame_of ("{type:result, jobs:7}");
    frame_t by = frame_copy (bytes, size);
    frame_t claim = spliced (&frame, frame.size - 1, 1, &by);
    refused_frame (&claim, "cut off, malformed or nested");
    frame_free (&by);
    frame_free (&frame);
}

#define CLAIM(...) claim_refused ((const uint8_t[]){__VA_ARGS__}, sizeof ((const uint8_t[]){__VA_ARGS__}))

Test (hostile, a_count_the_frame_cannot_hold_is_refused)
{
    CLAIM (0xdd, 0x10, 0, 0, 0);          /* an array of 2^28 */
    CLAIM (0xdd, 0xff, 0xff, 0xff, 0xff); /* of 2^32 - 1 */
    CLAIM (0xdc, 0xff, 0xff, 1);          /* of 65535, one there */
    CLAIM (0xdf, 0x80, 0, 0, 0);          /* a map of 2^31: twice that overflows 32 bits */
    CLAIM (0x91, 0xdd, 0x10, 0, 0, 0);    /* within an array */
    CLAIM (0x9f, 1);                      /* a short one */
    CLAIM (0x8f, 1, 1);
    CLAIM (0xdb, 0xff, 0xff, 0xff, 0xff, 'a'); /* a str of 2^32 - 1 */
    CLAIM (0xc6, 0xff, 0xff, 0xff, 0xff, 'a'); /* bin */
    CLAIM (0xc9, 0xff, 0xff, 0xff, 0xff, 0);   /* ext: with its type that is 2^32 */
    CLAIM (0xd8, 0, 0);                        /* ext of 16 */
    CLAIM (0xbf, 'a');                         /* a short str */
    CLAIM (0xcf, 0, 0, 0, 0, 0, 0, 0);         /* a number cut off */
    CLAIM (0xc1);                              /* never used */
}

Test (hostile, nesting_has_its_limit)
{
    accepted ("{type:hello, x:[[[[[[[]]]]]]]}");
    refused ("{type:hello, x:[[[[[[[[]]]]]]]]}", "nested");
    frame_t deep = {malloc (1 << 20), 1 << 20};
    memset (deep.data, 0x91, deep.size);
    memcpy (deep.data, "\x81\xa1x", 3);
    refused_frame (&deep, "nested");
}

/* Every width a number may be written in is the same number. */
Test (hostile, a_number_may_be_written_wide)
{
    static const uint8_t widths[][9] = {{7},
                                        {0xcc, 7},
                                        {0xcd, 0, 7},
                                        {0xce, 0, 0, 0, 7},
                                        {0xcf, 0, 0, 0, 0, 0, 0, 0, 7},
                                        {0xd0, 7},
                                        {0xd1, 0, 7},
                                        {0xd2, 0, 0, 0, 7},
                                        {0xd3, 0, 0, 0, 0, 0, 0, 0, 7}};
    static const size_t sizes[] = {1, 2, 3, 5, 9, 2, 3, 5, 9};
    for (size_t i = 0; i < COUNT_OF (sizes); i++) {
        rm_msg_t msg;
        frame_t frame = frame_of ("{type:left, inc:1, term:nil}"), by = frame_copy (widths[i], sizes[i]);
        frame_t wide = spliced (&frame, frame.size - 1, 1, &by);
        cr_assert_eq (rm_msg_decode (&msg, wide.data, wide.size, NULL), 0);
        cr_assert_eq (msg.left.term, 7);
        rm_msg_close (&msg);
        frame_free (&frame);
        frame_free (&by);
        frame_free (&wide);
    }
}
