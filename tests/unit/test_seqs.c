#include <criterion/criterion.h>
#include <string.h>

#include "core/seqs.h"
#include "ringmaster/error.h"

static const rm_session_id_t A = {{0xa0, 1, 2, 0xff}}, B = {{0xb0}};

static rm_submit_job_t job (const char *data)
{
    return (rm_submit_job_t){.queue = {"q", 1}, .data = {data, (uint32_t)strlen (data)}};
}

static bool same_session (const rm_seqs_t *seqs, const rm_session_id_t *session)
{
    return !memcmp (&seqs->session, session, sizeof *session);
}

/* A session in which a first request was accepted. */
static rm_seqs_t established (void)
{
    rm_submit_job_t first = job ("first");
    rm_seqs_t seqs;
    rm_seqs_init (&seqs, &A);
    rm_seqs_begin (&seqs, &first, 1, &B, 0);
    rm_seqs_accepted (&seqs);
    return seqs;
}

Test (seqs, requests_that_differ_in_one_field_are_not_the_same)
{
    const rm_submit_job_t base = {.queue = {"q", 1}, .key = {"k", 1}, .data = {"ab", 2}, .tries = 1, .timeout_ms = 2};
    rm_submit_job_t others[8];
    for (int i = 0; i < 8; i++)
        others[i] = base;
    others[0].queue = (rm_bytes_t){"r", 1};
    others[1].key = (rm_bytes_t){"l", 1};
    others[2].key = (rm_bytes_t){NULL, 0};
    others[3].key = (rm_bytes_t){"", 0};
    others[4].data = (rm_bytes_t){"a", 1};
    others[5].tries = 3;
    others[6].timeout_ms = 3;
    others[7].flags = RM_JOB_AT_MOST_ONCE;
    rm_seqs_t seqs = established ();
    rm_submit_job_t last = base;
    rm_seqs_begin (&seqs, &last, 1, &B, 0);
    cr_assert_eq (last.seq, 2);
    for (int i = 0; i < 8; i++) {
        rm_seqs_begin (&seqs, &others[i], 1, &B, 0);
        cr_expect_eq (others[i].seq, (uint64_t)i + 3, "field %d", i);
    }
    rm_submit_job_t again = others[7];
    rm_seqs_begin (&seqs, &again, 1, &B, 0);
    cr_expect_eq (again.seq, 10);
}

Test (seqs, bytes_do_not_wander_between_fields)
{
    rm_submit_job_t one = {.queue = {"q", 1}, .key = {"ab", 2}, .data = {"c", 1}};
    rm_submit_job_t two = {.queue = {"q", 1}, .key = {"a", 1}, .data = {"bc", 2}};
    rm_seqs_t seqs = established ();
    rm_seqs_begin (&seqs, &one, 1, &B, 0);
    rm_seqs_begin (&seqs, &two, 1, &B, 0);
    cr_expect_neq (one.seq, two.seq);
}

Test (seqs, a_number_that_was_used_before_is_not_used_again)
{
    rm_seqs_t seqs;
    rm_submit_job_t x = job ("x");
    rm_seqs_init (&seqs, &A);
    rm_seqs_begin (&seqs, &x, 1, &B, 0);
    rm_seqs_refused (&seqs, RM_ESTALE);
    rm_seqs_begin (&seqs, &x, 1, &B, 0);
    cr_expect_eq (x.seq, 2);
    rm_seqs_refused (&seqs, RM_ECONFLICT);
    rm_seqs_begin (&seqs, &x, 1, &B, 0);
    cr_expect_eq (x.seq, 3);
    rm_seqs_refused (&seqs, RM_EEXPIRED);
    rm_seqs_begin (&seqs, &x, 1, &B, 0);
    cr_expect_eq (x.seq, 1);
    cr_expect (same_session (&seqs, &B));
}

Test (seqs, another_process_goes_on_with_the_same_request)
{
    char text[RM_SEQS_TEXT_BYTES];
    rm_seqs_t seqs, heir;
    rm_submit_job_t x = job ("x"), y = job ("y"), z = job ("z");
    rm_seqs_init (&seqs, &A);
    rm_seqs_init (&heir, &B);
    rm_seqs_begin (&seqs, &x, 1, &B, 100);
    rm_seqs_accepted (&seqs);
    rm_seqs_begin (&seqs, &y, 1, &B, 200);
    cr_assert_eq (rm_seqs_save (&seqs, 300, 1700000000000, text, sizeof text), 0);
    cr_assert_eq (rm_seqs_load (&heir, text, 9000, 1700000001000), 0);
    cr_expect (same_session (&heir, &A));
    rm_seqs_begin (&heir, &y, 1, &B, 9100);
    cr_expect_eq (y.seq, 2);
    cr_expect_eq (heir.floor, 1);
    cr_expect_eq (heir.since_ms, 9000 - 1000 - 100, "its age goes with it");
    rm_seqs_begin (&heir, &z, 1, &B, 9100);
    cr_expect_eq (z.seq, 3, "another request gives it up");
    cr_expect_eq (heir.floor, 2);
}

Test (seqs, who_gives_up_the_first_request_gives_up_its_session)
{
    rm_submit_job_t x = job ("x"), y = job ("y");
    rm_seqs_t seqs;
    rm_seqs_init (&seqs, &A);
    rm_seqs_begin (&seqs, &x, 1, &B, 100);
    rm_seqs_begin (&seqs, &y, 1, &B, 200);
    cr_expect (same_session (&seqs, &B));
    cr_expect_eq (y.seq, 1);
    cr_expect_eq (seqs.floor, 0);
    cr_expect_eq (seqs.since_ms, 200);
}

Test (seqs, several_jobs_are_one_request_for_who_goes_on_too)
{
    rm_submit_job_t jobs[] = {job ("a"), job ("b"), job ("b")};
    rm_seqs_t seqs = established (), heir;
    rm_seqs_begin (&seqs, jobs, 3, &B, 100);
    cr_assert_eq (jobs[0].seq, 2);
    cr_assert_eq (jobs[2].seq, 4);
    char text[RM_SEQS_TEXT_BYTES];
    cr_assert_eq (rm_seqs_save (&seqs, 100, 5000, text, sizeof text), 0);
    cr_assert_eq (rm_seqs_load (&heir, text, 100, 5000), 0);
    rm_submit_job_t again[] = {job ("a"), job ("b"), job ("b")};
    rm_seqs_begin (&heir, again, 3, &B, 100);
    cr_assert_eq (again[2].seq, 4, "the same ones are the same request");
    cr_assert_eq (rm_seqs_load (&heir, text, 100, 5000), 0);
    rm_seqs_begin (&heir, again, 2, &B, 100);
    cr_assert_eq (again[0].seq, 5, "fewer are another one, behind all numbers of the first");
    cr_assert_eq (heir.floor, 4);
    cr_assert_eq (rm_seqs_load (&heir, "a00102ff000000000000000000000000:2:1:5:5000:0", 100, 5000), RM_EINVAL);
    cr_assert_eq (rm_seqs_load (&heir, "a00102ff000000000000000000000000:2:1:5:5000:4097", 100, 5000), RM_EINVAL);
    cr_assert_eq (rm_seqs_load (&heir, "a00102ff000000000000000000000000:2:1:5:5000:3:", 100, 5000), RM_EINVAL);
}

Test (seqs, the_longest_text_has_room)
{
    char text[RM_SEQS_TEXT_BYTES];
    rm_seqs_t seqs = {.session = A, .seq = UINT64_MAX, .floor = UINT64_MAX - 1, .pending = UINT64_MAX};
    cr_assert_eq (rm_seqs_save (&seqs, 0, INT64_MAX, text, sizeof text), 0);
    cr_expect_eq (rm_seqs_save (&seqs, 0, INT64_MAX, text, strlen (text)), RM_ETOOBIG);
}

/* Behind the last number comes 0, which is none. */
Test (seqs, a_text_whose_numbers_would_run_out_is_refused)
{
    char text[RM_SEQS_TEXT_BYTES];
    rm_submit_job_t x = job ("x");
    rm_seqs_t seqs = {.session = A, .seq = INT64_MAX, .floor = INT64_MAX - 1, .pending = 7}, heir;
    rm_seqs_save (&seqs, 0, 1000, text, sizeof text);
    cr_assert_eq (rm_seqs_load (&heir, text, 0, 1000), 0);
    cr_expect_eq (heir.seq, INT64_MAX);
    rm_seqs_begin (&heir, &x, 1, &B, 0);
    rm_seqs_accepted (&heir);
    seqs.seq = heir.seq;
    seqs.floor = heir.floor;
    rm_seqs_save (&seqs, 0, 1000, text, sizeof text);
    cr_expect_eq (rm_seqs_load (&heir, text, 0, 1000), RM_EINVAL, "%s", text);
}

/* What was sent under its number may have run; the text must not make that number look like a new one. */
Test (seqs, nobody_goes_on_with_a_session_that_is_over)
{
    char text[RM_SEQS_TEXT_BYTES];
    rm_seqs_t seqs, heir;
    rm_submit_job_t x = job ("x");
    rm_seqs_init (&seqs, &A);
    rm_seqs_begin (&seqs, &x, 1, &B, 0);
    rm_seqs_refused (&seqs, RM_EEXPIRED);
    cr_assert_eq (rm_seqs_save (&seqs, 500, 1700000000000, text, sizeof text), 0);
    cr_expect_eq (rm_seqs_load (&heir, text, 500, 1700000000000), RM_EEXPIRED, "%s", text);
    rm_seqs_begin (&seqs, &x, 1, &B, 1000); /* but this process begins another one, which can be handed on */
    cr_assert_eq (rm_seqs_save (&seqs, 1500, 1700000000000, text, sizeof text), 0);
    cr_expect_eq (rm_seqs_load (&heir, text, 0, 1700000000000), 0, "%s", text);
    cr_expect (same_session (&heir, &B));
}

Test (seqs, a_text_that_is_too_old_is_refused)
{
    char text[RM_SEQS_TEXT_BYTES];
    rm_seqs_t seqs, heir;
    rm_submit_job_t x = job ("x");
    rm_seqs_init (&seqs, &A);
    rm_seqs_init (&heir, &B);
    rm_seqs_begin (&seqs, &x, 1, &B, 1000);
    rm_seqs_save (&seqs, 5000, 1000000, text, sizeof text); /* sent 4 s before */
    cr_expect_eq (rm_seqs_load (&heir, text, 0, 1000000 - 4000 + RM_SESSION_TTL_MS / 2), RM_EEXPIRED);
    cr_expect (same_session (&heir, &B));
    cr_expect_eq (rm_seqs_load (&heir, text, 0, 1000000 - 4000 + RM_SESSION_TTL_MS / 2 - 1), 0);
    cr_expect (rm_seqs_too_old (&heir, 1));
    cr_expect (!rm_seqs_too_old (&heir, 0));
}

Test (seqs, what_is_not_a_session_is_refused)
{
    const char *const texts[] = {
        "",
        "x",
        "a00102ff000000000000000000000000",
        "a00102ff000000000000000000000000:",
        "a00102ff000000000000000000000000:1:0:0",
        "a00102ff000000000000000000000000:1:0:0:",
        "a00102ff000000000000000000000000:1:0:0:5 ",
        "a00102ff000000000000000000000000:1:0:0:5:6",
        "a00102ff000000000000000000000000:0:0:0:5",
        "a00102ff000000000000000000000000:2:0:0:5",
        "a00102ff000000000000000000000000:-1:0:0:5",
        "a00102ff000000000000000000000000:1:0:g:5",
        "a00102ff000000000000000000000000:18446744073709551617:0:0:5",
        "A00102FF000000000000000000000000:1:0:0:5",
        "a00102ff00000000000000000000000g:1:0:0:5",
        "a00102ff0000000000000000000000000:1:0:0:5",
    };
    rm_seqs_t seqs;
    rm_seqs_init (&seqs, &B);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_expect_eq (rm_seqs_load (&seqs, texts[i], 0, 5), RM_EINVAL, "'%s'", texts[i]);
    cr_expect (same_session (&seqs, &B));
    cr_expect_eq (rm_seqs_load (&seqs, "a00102ff000000000000000000000000:1:0:0:5", 0, 5), 0);
    cr_expect (same_session (&seqs, &A));
}
