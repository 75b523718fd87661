/*  docs/protocol.md is what strangers build from, so it is compared with the code: each example is the message it says,
 *  to the byte, and each field of each table stands in its message's section with its type, limits and whether it is
 *  required.
 */
#include <stdio.h>

#include "notation.h"
#include "proto/msg.h"
#include "proto/table.h"
#include "ringmaster/error.h"

static char *doc;

static void read_doc (void)
{
    FILE *file = fopen (RM_SOURCE_DIR "/docs/protocol.md", "r");
    cr_assert_not_null (file, "docs/protocol.md cannot be opened");
    doc = calloc (1, 1 << 20);
    cr_assert_gt (fread (doc, 1, (1 << 20) - 1, file), 1000);
    fclose (file);
}

static void free_doc (void)
{
    free (doc);
}

TestSuite (protocol_doc, .init = read_doc, .fini = free_doc);

/* ---- examples --------------------------------------------------------------------------------------------------- */

/* The bytes of the hex block at `at`, up to its fence. */
static frame_t hex_block (const char *at)
{
    frame_t frame = {malloc (strlen (at)), 0};
    for (unsigned byte; *at != '`'; at += 3, frame.size++) {
        cr_assert_eq (sscanf (at, "%2x", &byte), 1, "no hex at %.20s", at);
        frame.data[frame.size] = (uint8_t)byte;
    }
    return frame;
}

/* Checks the example whose notation begins at `at`; answers what it decodes to, to be closed, over `*frame`. */
static rm_msg_t check_example (const char *at, frame_t *frame)
{
    rm_msg_t msg;
    rm_buf_t buf = {0};
    const char *why = "";
    const char *hex = strstr (at, "```\n\n```hex\n");
    cr_assert_eq (hex, strstr (at, "```"), "no hex follows %.60s", at);
    frame_t spelled = frame_of (at);
    *frame = hex_block (hex + strlen ("```\n\n```hex\n"));
    cr_assert_eq (spelled.size, frame->size, "%.60s is not the hex below it", at);
    cr_assert_arr_eq (spelled.data, frame->data, frame->size, "%.60s is not the hex below it", at);
    cr_assert_eq (rm_msg_decode (&msg, frame->data, frame->size, &why), 0, "%.60s: %s", at, why);
    cr_assert_eq (rm_msg_encode (&msg, &buf), 0);
    cr_assert_eq (buf.size, frame->size, "%.60s is not what we would send", at);
    cr_assert_arr_eq (buf.data, frame->data, buf.size, "%.60s is not what we would send", at);
    rm_buf_close (&buf);
    frame_free (&spelled);
    return msg;
}

Test (protocol_doc, every_message_has_a_true_example)
{
    bool seen[RM_MSG_TYPES] = {0}, seen_sync[2][4] = {0};
    static const char fence[] = "```notation\n";
    for (const char *at = doc; (at = strstr (at, fence)); at += sizeof fence) {
        frame_t frame;
        rm_msg_t msg = check_example (at + strlen (fence), &frame);
        seen[msg.type] = true;
        if (msg.type == RM_MSG_SYNC)
            seen_sync[msg.sync.from_master][msg.sync.phase] = true;
        rm_msg_close (&msg);
        frame_free (&frame);
    }
    for (rm_msg_type_t type = RM_MSG_NONE + 1; type < RM_MSG_TYPES; type++)
        cr_assert (seen[type], "%s has no example", rm_msg_name (type));
    for (int phase = 1; phase <= 3; phase++)
        cr_assert (seen_sync[0][phase] && seen_sync[1][phase], "phase %d has no example of each side", phase);
}

Test (protocol_doc, no_hex_stands_alone)
{
    int spelled = 0, hex = 0;
    for (const char *at = doc; (at = strstr (at, "```notation\n")); at++)
        spelled++;
    for (const char *at = doc; (at = strstr (at, "```hex\n")); at++)
        hex++;
    cr_assert_eq (spelled, hex);
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

/* A range as the document writes it behind a type: nothing, "≥ 1", "≤ 6" or "1…3". */
static void spell_range (char *out, size_t size, const char *type, uint64_t min, uint64_t max, uint64_t most)
{
    unsigned long long low = min, high = max;
    if (min == 0 && max == most)
        snprintf (out, size, "%s", type);
    else if (max == UINT64_MAX)
        snprintf (out, size, "%s ≥ %llu", type, low);
    else if (min == 0)
        snprintf (out, size, "%s ≤ %llu", type, high);
    else
        snprintf (out, size, "%s %llu…%llu", type, low, high);
}

/* A type and its limits as the document writes them. */
static void spell_type (const rm_field_t *field, char *out, size_t size)
{
    char element[64];
    unsigned long long min = field->min, max = field->max;
    switch ((rm_field_kind_t)field->kind) {
    case RM_FIELD_U32:
        spell_range (out, size, "u32", min, max, UINT32_MAX);
        break;
    case RM_FIELD_U64:
        spell_range (out, size, "u64", min, max, UINT64_MAX);
        break;
    case RM_FIELD_ERROR:
        snprintf (out, size, "i32 < 0");
        break;
    case RM_FIELD_TEXT:
        snprintf (out, size, "text %llu…%llu", min, max);
        break;
    case RM_FIELD_NAME:
        snprintf (out, size, "name");
        break;
    case RM_FIELD_BYTES:
        snprintf (out, size, "bytes ≤ %llu", max);
        break;
    case RM_FIELD_KEY:
        snprintf (out, size, "bytes ≤ %llu or nil", max);
        break;
    case RM_FIELD_SLOT:
        snprintf (out, size, "u32 ≤ %llu or nil", max);
        break;
    case RM_FIELD_SESSION:
        snprintf (out, size, "bytes %d", RM_SESSION_BYTES);
        break;
    case RM_FIELD_ACK:
        snprintf (out, size, min ? "`\"ok\"`" : "`\"ok\"` or `\"draining\"`");
        break;
    case RM_FIELD_ARRAY:
        snprintf (element, sizeof element, "%s", field->name);
        if (field->element->bare)
            spell_type (field->element->rows, element, sizeof element);
        snprintf (out, size, "array %llu…%llu of %s", min, max, element);
        break;
    case RM_FIELD_MOVES:
        snprintf (out, size, "map");
        break;
    }
}

/* The part of the document below `heading`, up to the next one of its level; to be freed. */
static char *section (const char *heading, const char *next)
{
    const char *at = strstr (doc, heading);
    cr_assert_not_null (at, "the document has no heading '%s'", heading + 1);
    at += strlen (heading);
    const char *end = strstr (at, next), *upper = strstr (at, "\n## ");
    if (!end || (upper && upper < end))
        end = upper;
    return strndup (at, end ? (size_t)(end - at) : strlen (at));
}

/* What an array's elements are made of, value by value. */
static void element_stands_in (const char *text, const rm_element_t *element)
{
    for (int i = 0; !element->bare && i < element->row_count; i++) {
        char type[128], row[256];
        spell_type (&element->rows[i], type, sizeof type);
        snprintf (row, sizeof row, "\n| %d | `%s` | %s |", i, element->rows[i].name, type);
        cr_assert_not_null (strstr (text, row), "not in its section: %s", row + 1);
    }
}

/* Each row of the shape is a row of the section's tables; nothing else is a field there. */
static void shape_stands_in (const char *text, const rm_shape_t *shape, int more)
{
    int rows = 0;
    for (int i = 0; i < shape->row_count; i++) {
        const rm_field_t *field = &shape->rows[i];
        char type[128], row[256];
        spell_type (field, type, sizeof type);
        snprintf (row, sizeof row, "\n| `%s` | %s | %s |", field->name, type, field->optional ? "no" : "yes");
        cr_assert_not_null (strstr (text, row), "not in its section: %s", row + 1);
        if (field->kind == RM_FIELD_ARRAY)
            element_stands_in (text, field->element);
    }
    for (const char *at = text; (at = strstr (at, "\n| `")); at++)
        rows++;
    cr_assert_eq (rows, shape->row_count + more, "%s: a row of the document is no field", shape->name);
}

Test (protocol_doc, every_field_stands_in_its_section)
{
    for (rm_msg_type_t type = RM_MSG_NONE + 1; type < RM_MSG_TYPES; type++) {
        char heading[64];
        snprintf (heading, sizeof heading, "\n### %s\n", rm_msg_name (type));
        char *text = section (heading, type == RM_MSG_SYNC ? "\n#### " : "\n### ");
        shape_stands_in (text, rm_shape_of (type), type == RM_MSG_SYNC);
        free (text);
    }
}

Test (protocol_doc, every_field_of_sync_stands_in_its_section)
{
    static const char *const headings[2][3] = {
        {"\n#### Worker, phase 1\n", "\n#### Worker, phase 2\n", "\n#### Worker, phase 3\n"},
        {"\n#### Master, phases 1 and 3\n", "\n#### Master, phase 2\n", "\n#### Master, phases 1 and 3\n"}};
    for (int n = 0; n < 6; n++) {
        char *text = section (headings[n / 3][n % 3], "\n###");
        shape_stands_in (text, rm_shape_of_sync (n / 3, 1 + (uint32_t)n % 3), 0);
        free (text);
    }
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

typedef struct {
    int number;
    const char *name;
} number_t;

/* The table below `heading` has exactly these rows. */
static void numbers_stand (const char *heading, const number_t *numbers, int count)
{
    int rows = 0;
    char *text = section (heading, "\n### ");
    for (int i = 0; i < count; i++) {
        char row[64];
        snprintf (row, sizeof row, "\n| %d | `%s` |", numbers[i].number, numbers[i].name);
        cr_assert_not_null (strstr (text, row), "not below %s: %s", heading + 1, row + 1);
    }
    for (const char *at = text; (at = strstr (at, "\n| ")); at++)
        rows++;
    cr_assert_eq (rows, count + 1, "below %s", heading + 1);
    free (text);
}

Test (protocol_doc, outcomes_verdicts_and_flags_have_their_numbers)
{
    static const number_t outcomes[] = {{RM_OUTCOME_NONE, "none"},       {RM_OUTCOME_DONE, "done"},
                                        {RM_OUTCOME_DEAD, "dead"},       {RM_OUTCOME_CANCELLED, "cancelled"},
                                        {RM_OUTCOME_EXPIRED, "expired"}, {RM_OUTCOME_GONE, "gone"},
                                        {RM_OUTCOME_UNKNOWN, "unknown"}};
    static const number_t verdicts[] = {{RM_VERDICT_OK, "ok"},
                                        {RM_VERDICT_RETRY, "retry"},
                                        {RM_VERDICT_DEAD, "dead"},
                                        {RM_VERDICT_TIMEOUT, "timeout"},
                                        {RM_VERDICT_INTERRUPTED, "interrupted"}};
    static const number_t flags[] = {{RM_JOB_AT_MOST_ONCE, "at_most_once"}};
    numbers_stand ("\n### Outcomes\n", outcomes, 7);
    numbers_stand ("\n### Verdicts\n", verdicts, 5);
    numbers_stand ("\n### Flags\n", flags, 1);
}

#define ERROR(NAME)                                                                                                    \
    {                                                                                                                  \
        NAME, #NAME                                                                                                    \
    }

Test (protocol_doc, errors_have_their_numbers)
{
    static const number_t errors[] = {
        ERROR (RM_ENOMEM),  ERROR (RM_EINVAL),   ERROR (RM_ETIMEDOUT), ERROR (RM_EUNREACHABLE), ERROR (RM_EBUSY),
        ERROR (RM_ETOOBIG), ERROR (RM_EPROTO),   ERROR (RM_ESTALE),    ERROR (RM_ECONFLICT),    ERROR (RM_EEXPIRED),
        ERROR (RM_EGONE),   ERROR (RM_EUNKNOWN), ERROR (RM_ECORRUPT),  ERROR (RM_EIO),          ERROR (RM_EINTERRUPTED),
        ERROR (RM_EDENIED), ERROR (RM_ESTATE),   ERROR (RM_EFAILED)};
    const int count = sizeof errors / sizeof errors[0];
    numbers_stand ("\n### Error codes\n", errors, count);
    cr_assert_str_eq (rm_strerror (-count - 1), rm_strerror (-1000), "an error code is not in this test");
}

/* Limits that stand in sentences rather than in tables. */
Test (protocol_doc, limits_in_sentences_are_the_limits)
{
    static const struct {
        const char *before;
        unsigned long long number;
        const char *after;
    } sentences[] = {
        {"A frame is at most ", RM_FRAME_BYTES_MAX, " bytes"},
        {"`MAXMSGSIZE` ", RM_FRAME_BYTES_MAX, ""},
        {"The version** is ", RM_PROTOCOL_VERSION, "."},
        {"A message without `v` is of version ", 1, "."},
        {"a map of a message has at most ", RM_MESSAGE_FIELDS_MAX, " keys"},
        {"nothing is nested deeper than ", RM_MESSAGE_DEPTH_MAX, " levels"},
        {"A session is ", RM_SESSION_BYTES, " random bytes"},
        {"A number may be at most ", RM_SESSION_WINDOW, " above the floor"},
        {"it has not heard of for ", RM_SESSION_TTL_MS / 60000, " minutes"},
        {"It is kept for ", RM_KEEP_MS / 60000, " minutes"},
        {"str of 1 to ", RM_NAME_BYTES_MAX, " bytes"},
        {"At most ", RM_MOVED_POOLS_MAX, " pools"},
        {"pools with ", RM_MOVES_MAX, " moves"},
        {"both included and below\n", RM_SLOTS, ","},
    };
    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++) {
        char text[128];
        snprintf (text, sizeof text, "%s%llu%s", sentences[i].before, sentences[i].number, sentences[i].after);
        cr_assert_not_null (strstr (doc, text), "the document does not say '%s'", text);
    }
}
