/*  Every message is cut off, flipped, added to and changed, field by field: what is not a message any more is refused
 *  with a sentence, and never harms.
 */
#include "hostile.h"
#include "proto/scan.h"
#include "proto/table.h"

TestSuite (hostile, .init = hostile_init);

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
            cr_assert_eq (hostile_decode (&cut, &why), RM_EPROTO, "sample %d at %zu bytes", n, size);
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
            seen[hostile_decode (&frame, &why) == 0]++;
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
        {"hello", "client"},      {"wait", "session"},     {"wait", "any"},           {"wait", "each"},
        {"query", "id"},          {"query", "queue"},      {"query", "limit"},        {"query", "state"},
        {"query", "key"},         {"query", "worker"},     {"query", "before"},       {"change", "at"},
        {"welcome", "http"},      {"busy", "text"},        {"error", "text"},         {"error", "seq"},
        {"not_leader", "leader"}, {"welcome", "masters"},  {"not_leader", "masters"}, {"order", "id"},
        {"order", "queue"},       {"order", "text"},       {"order", "limit"},        {"rpc_hello", "name"},
        {"rpc_call", "floor"},    {"rpc_call", "left_ms"}, {"rpc_call", "one"},       {"rpc_welcome", "once"},
        {"rpc_error", "fault"},   {"rpc_error", "text"},   {"rpc_busy", "text"},      {"wait", "follow"},
        {"wait", "stamp"},        {"result", "stamp"},     {"result", "partials"},    {"submit", "after"},
        {"welcome", "ahead"}};
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
        cr_assert_eq (hostile_decode (&without, &why), 0, "%s", why);
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
    cr_assert_eq (hostile_decode (&wider, &why), 0, "%s", why);
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
        if (head.value == 15) {
            frame_t wide = {(uint8_t *)"\xdc\0\x10", 3}, longer = spliced (&out, job.at, 1, &wide);
            frame_free (&out);
            return longer;
        }
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
    cr_assert_eq (hostile_decode (&grown, &why), 0, "%s: %s", rm_msg_name (type), why);
    span_t least = nth (&frame, value_of (&frame, 0, "jobs").at,
                        type == RM_MSG_SUBMIT || type == RM_MSG_RESULT); /* without what may be missing */
    frame_t shorter = with_values (&frame, least, NULL);
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
    jobs_may_grow (RM_MSG_PROGRESS);
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
