/*  Sessions: which requests are remembered, and from where on they are not. */
#include "ledger_fixture.h"

static void open_with_session (void)
{
    ledger_open ();
    rm_session_id_t id = session_id (1);
    cr_assert_not_null (rm_state_add_session (&ledger.state, &id));
}

TestSuite (session, .init = open_with_session, .fini = ledger_close);

static rm_ledger_session_t *session (void)
{
    return ledger_session (1);
}

static void note (uint64_t seq)
{
    cr_assert_eq (rm_session_note (session (), seq, seq + 1000, seq + 2000), 0);
}

static bool noted (uint64_t seq)
{
    const rm_request_t *request = rm_session_request (session (), seq);
    cr_assert (!request || (request->id == seq + 1000 && request->hash == seq + 2000), "seq %d", (int)seq);
    return request != NULL;
}

Test (session, a_session_remembers_nothing_at_first)
{
    cr_assert (!noted (0));
    cr_assert (!noted (1));
    cr_assert (!noted (UINT64_MAX));
}

Test (session, requests_may_come_in_any_order)
{
    note (5);
    cr_assert (noted (5));
    for (uint64_t seq = 1; seq <= 4; seq++)
        cr_assert (!noted (seq), "a hole is no request");
    note (2);
    cr_assert (noted (2));
    cr_assert (!noted (1));
    cr_assert (!noted (6));
}

Test (session, a_floor_forgets_what_is_at_or_below_it)
{
    for (uint64_t seq = 1; seq <= 10; seq++)
        note (seq);
    rm_session_raise_floor (session (), 4);
    for (uint64_t seq = 1; seq <= 10; seq++)
        cr_assert_eq (noted (seq), seq > 4);
    cr_assert_eq (session ()->request_count, 6);
}

Test (session, a_floor_never_falls)
{
    for (uint64_t seq = 1; seq <= 4; seq++)
        note (seq);
    rm_session_raise_floor (session (), 3);
    rm_session_raise_floor (session (), 1);
    cr_assert_eq (session ()->floor, 3);
    cr_assert (noted (4));
}

Test (session, a_floor_may_pass_everything_known)
{
    note (1);
    rm_session_raise_floor (session (), 100);
    cr_assert (!noted (1));
    cr_assert_eq (session ()->request_count, 0);
    note (101);
    cr_assert (noted (101));
    rm_session_raise_floor (session (), UINT64_MAX);
    cr_assert (!noted (UINT64_MAX));
}

/* The requests live in a ring that grows: none may be lost where it wraps. */
Test (session, a_moving_window_loses_no_request)
{
    for (uint64_t seq = 1; seq <= 3000; seq++) {
        note (seq);
        uint64_t floor = seq < 1000 ? seq / 2 : seq - 37;
        rm_session_raise_floor (session (), floor);
        cr_assert (!noted (floor));
        cr_assert (noted (floor + 1));
        cr_assert (noted (seq));
    }
    for (uint64_t seq = 2964; seq <= 3000; seq++)
        cr_assert (noted (seq));
    cr_assert_leq (session ()->request_capacity, 1024, "memory follows the window");
}

/* Where the ring wraps, a hole must not show what stood there before. */
Test (session, a_hole_shows_nothing_old)
{
    for (uint64_t seq = 1; seq <= 4; seq++)
        note (seq);
    rm_session_raise_floor (session (), 3);
    note (7);
    cr_assert (!noted (5));
    cr_assert (!noted (6));
}

Test (session, sessions_are_numbered_from_1_and_never_alike)
{
    rm_session_id_t second = session_id (2), third = session_id (3);
    cr_assert_eq (session ()->number, 1);
    rm_ledger_session_t *dropped = rm_state_add_session (&ledger.state, &second);
    cr_assert_eq (dropped->number, 2);
    rm_state_drop_session (&ledger.state, dropped);
    cr_assert_eq (rm_state_add_session (&ledger.state, &third)->number, 3);
}
