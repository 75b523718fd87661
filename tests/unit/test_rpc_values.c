/*  Arguments and results: what signatures there are, and that values come back as they were written. */
#include <criterion/criterion.h>

#include "proto/rpc_values.h"
#include "ringmaster/error.h"

static rm_rpc_signature_t signature;
static rm_buf_t buf;
static rm_rpc_values_t values;
static char why[256];

static void fini (void)
{
    rm_buf_close (&buf);
    rm_rpc_values_close (&values);
}

TestSuite (rpc_values, .fini = fini);

static void is_refused (const char *text)
{
    const char *reason = NULL;
    cr_assert_eq (rm_rpc_signature_parse (&signature, text, &reason), RM_EINVAL, "'%s'", text);
    cr_assert (reason && *reason);
}

static void parse (const char *text)
{
    const char *reason;
    cr_assert_eq (rm_rpc_signature_parse (&signature, text, &reason), 0, "'%s': %s", text, reason);
}

Test (rpc_values, signatures_that_cannot_be_are_refused)
{
    is_refused ("x");
    is_refused ("i:i:i");
    is_refused ("*");
    is_refused ("i**");
    is_refused ("s*i");
    is_refused (":*");
    is_refused ("iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii");
    parse ("");
    parse (":");
    parse ("idtsba:a*");
    cr_assert_eq (signature.args.count, 6);
    cr_assert_not (signature.args.many);
    cr_assert (signature.result.many);
}

static void write_all (const rm_rpc_value_t *all, size_t count)
{
    rm_buf_clear (&buf);
    rm_rpc_values_close (&values);
    cr_assert_eq (rm_rpc_values_write (all, count, &buf), 0);
    cr_assert_eq (rm_rpc_values_read (&values, (rm_bytes_t){buf.data, (uint32_t)buf.size}), 0);
    cr_assert_eq (values.count, count);
}

static rm_rpc_value_t bytes_of (char type, const char *data, size_t size)
{
    return (rm_rpc_value_t){.type = type, .bytes = {data, size}};
}

Test (rpc_values, come_back_as_they_were_written)
{
    const rm_rpc_value_t all[] = {
        {.type = 'i', .number = INT64_MIN}, {.type = 'i', .number = INT64_MAX},
        {.type = 'i', .number = -1},        {.type = 'd', .real = 0.1},
        {.type = 't', .truth = true},       {.type = 't', .truth = false},
        bytes_of ('s', "text", 4),          bytes_of ('s', "", 0),
        bytes_of ('b', "\0\xff", 2),        bytes_of ('m', "\x92\xc0\x01", 3),
    };
    write_all (all, sizeof all / sizeof *all);
    for (size_t i = 0; i < values.count; i++)
        cr_assert_eq (values.all[i].type, all[i].type);
    cr_assert_eq (values.all[0].number, INT64_MIN);
    cr_assert_eq (values.all[1].number, INT64_MAX);
    cr_assert_eq (values.all[2].number, -1);
    cr_assert_eq (values.all[3].real, 0.1);
    cr_assert (values.all[4].truth && !values.all[5].truth);
    cr_assert_str_eq (values.all[6].bytes.data, "text");
    cr_assert_str_eq (values.all[7].bytes.data, "");
    cr_assert_eq (values.all[8].bytes.size, 2);
    cr_assert_arr_eq (values.all[8].bytes.data, "\0\xff", 3, "with a NUL behind it");
    cr_assert_arr_eq (values.all[9].bytes.data, "\x92\xc0\x01", 3);
}

static int read_of (const char *data, size_t size)
{
    rm_rpc_values_close (&values);
    return rm_rpc_values_read (&values, (rm_bytes_t){data, (uint32_t)size});
}

Test (rpc_values, what_is_no_array_is_refused)
{
    cr_assert_eq (read_of ("", 0), RM_EPROTO);
    cr_assert_eq (read_of ("\x01", 1), RM_EPROTO);
    cr_assert_eq (read_of ("\x91", 1), RM_EPROTO, "cut off");
    cr_assert_eq (read_of ("\x91\x01\x01", 3), RM_EPROTO, "a byte too many");
    cr_assert_eq (read_of ("\x80", 1), RM_EPROTO, "a map");
    cr_assert_eq (read_of ("\xdd\x0f\xff\xff\xff\x01", 6), RM_EPROTO, "a count that nothing is behind");
    cr_assert_eq (read_of ("\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0", 10), RM_EPROTO, "nested too deeply");
    cr_assert_eq (read_of ("\x91\xca\x3f\x80\x00\x00", 6), 0);
    cr_assert_eq (values.all[0].real, 1.0, "the short float is taken");
    cr_assert_eq (read_of ("\x91\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 10), 0);
    cr_assert_eq (values.all[0].type, 'm', "an integer of more than 63 bits is no 'i'");
}

Test (rpc_values, values_that_cannot_be_are_not_written)
{
    const rm_rpc_value_t none = {.type = 0}, odd = {.type = 'x'}, missing = bytes_of ('s', NULL, 3),
                         halves = bytes_of ('m', "\x92\x01", 2), two = bytes_of ('m', "\x01\x01", 2);
    const rm_rpc_value_t large = bytes_of ('b', "", RM_PAYLOAD_BYTES_CEILING + 1u);
    cr_assert_eq (rm_rpc_values_write (&none, 1, &buf), RM_EINVAL);
    cr_assert_eq (rm_rpc_values_write (&odd, 1, &buf), RM_EINVAL);
    cr_assert_eq (rm_rpc_values_write (&missing, 1, &buf), RM_EINVAL);
    cr_assert_eq (rm_rpc_values_write (&halves, 1, &buf), RM_EINVAL);
    cr_assert_eq (rm_rpc_values_write (&two, 1, &buf), RM_EINVAL);
    cr_assert_eq (rm_rpc_values_write (&large, 1, &buf), RM_ETOOBIG);
    cr_assert_eq (rm_rpc_values_write (NULL, RM_RPC_VALUES_MAX + 1, &buf), RM_EINVAL);
}

static int check (const char *text, rm_rpc_value_t *all, size_t count)
{
    parse (text);
    *why = 0;
    return rm_rpc_types_check (&signature.args, all, count, "'f' takes", "argument", why, sizeof why);
}

Test (rpc_values, are_checked_against_what_is_wanted)
{
    rm_rpc_value_t all[] = {{.type = 's'}, {.type = 'i', .number = 3}, {.type = 'i', .number = 4}};
    cr_assert_eq (check ("sii", all, 3), 0);
    cr_assert_eq (check ("si*", all, 3), 0);
    cr_assert_eq (check ("sii*", all, 2), 0, "none of the last one");
    cr_assert_eq (check ("saa", all, 3), 0);
    cr_assert_eq (check ("sii", all, 2), RM_EINVAL);
    cr_assert_str_eq (why, "'f' takes 3 arguments, not 2");
    cr_assert_eq (check ("sii*", all, 1), RM_EINVAL);
    cr_assert_str_eq (why, "'f' takes at least 2 arguments, not 1");
    cr_assert_eq (check ("s", all, 3), RM_EINVAL);
    cr_assert_str_eq (why, "'f' takes 1 argument, not 3");
    cr_assert_eq (check ("ss*", all, 3), RM_EINVAL);
    cr_assert_str_eq (why, "'f' takes text as argument 2, not an integer");
    cr_assert_eq (check ("sid", all, 3), 0, "an integer is a floating-point number where one is wanted");
    cr_assert (all[2].type == 'd' && all[2].real == 4);
    cr_assert_eq (check ("sii", all, 3), RM_EINVAL, "but not the other way round");
}
