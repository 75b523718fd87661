/*  Bytes as base64: what is written is read back, and nothing else is read. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/splitmix.h"
#include "proto/base64.h"

enum { BYTES_MAX = 100 };

Test (base64, is_spelled_as_everybody_spells_it)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {{"", ""},
                 {"f", "Zg=="},
                 {"fo", "Zm8="},
                 {"foo", "Zm9v"},
                 {"foob", "Zm9vYg=="},
                 {"fooba", "Zm9vYmE="},
                 {"foobar", "Zm9vYmFy"},
                 {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[16] = {0};
        size_t size = strlen (cases[i].bytes);
        cr_assert_eq (rm_base64_size (size), strlen (cases[i].text));
        rm_base64_write (text, cases[i].bytes, size);
        cr_assert_str_eq (text, cases[i].text);
    }
}

Test (base64, what_is_written_is_read_back)
{
    uint64_t random = 1;
    uint8_t data[BYTES_MAX], again[BYTES_MAX + 3];
    char text[BYTES_MAX * 2];
    for (size_t size = 0; size <= BYTES_MAX; size++) {
        size_t got;
        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)rm_splitmix (&random);
        rm_base64_write (text, data, size);
        cr_assert (rm_base64_read (again, &got, text, rm_base64_size (size)), "%zu bytes", size);
        cr_assert (got == size && !memcmp (data, again, size), "%zu bytes", size);
    }
}

Test (base64, anything_else_is_refused)
{
    static const char *const wrong[] = {
        "Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Z===", "Zg==Zg==", "Zm9v\n", "Zm9\n", "Zm9-", "=m9v", "Z=9v"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t data[16];
        size_t size;
        cr_assert_not (rm_base64_read (data, &size, wrong[i], strlen (wrong[i])), "'%s' was read", wrong[i]);
    }
}
