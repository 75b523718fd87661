/*  The table of calls, by itself: what was begun is not run again, and the three rules of discarding. */
#include <criterion/criterion.h>

#include "core/rpc_table.h"
#include "ringmaster/error.h"

enum { KEEP_MS = 1000, BYTES_MAX = 100 };

static rm_rpc_table_t table;
static rm_rpc_entry_t *entry;
static bool raised;
static const rm_session_id_t one = {{1}}, other = {{2}};

static void init (void)
{
    rm_rpc_table_init (&table, KEEP_MS, BYTES_MAX);
}

static void fini (void)
{
    rm_rpc_table_close (&table);
}

TestSuite (rpc_table, .init = init, .fini = fini);

static rm_rpc_found_t asks (const rm_session_id_t *session, uint64_t seq, uint64_t floor, uint64_t hash,
                            uint64_t now_ms)
{
    rm_msg_rpc_call_t call = {.session = *session, .seq = seq, .floor = floor};
    return rm_rpc_table_begin (&table, &call, hash, now_ms, &entry, &raised);
}

static bool ends (rm_rpc_entry_t *which, size_t size, uint64_t now_ms)
{
    return rm_rpc_table_end (&table, which, rm_calloc (1, size), (uint32_t)size, now_ms);
}

/* Runs one from begin to end. */
static void runs (const rm_session_id_t *session, uint64_t seq, uint64_t floor, uint64_t now_ms)
{
    cr_assert_eq (asks (session, seq, floor, 7, now_ms), RM_RPC_NEW);
    cr_assert (ends (entry, 10, now_ms));
}

Test (rpc_table, a_second_one_waits_with_the_first_and_then_gets_its_reply)
{
    cr_assert_eq (asks (&one, 1, 0, 7, 0), RM_RPC_NEW);
    rm_rpc_entry_t *first = entry;
    cr_assert_eq (asks (&one, 1, 0, 7, 1), RM_RPC_PENDING);
    cr_assert_eq (entry, first);
    cr_assert (ends (first, 10, 2));
    cr_assert_eq (asks (&one, 1, 0, 7, 3), RM_RPC_DONE);
    cr_assert_eq (entry->reply_size, 10);
}

Test (rpc_table, the_same_number_of_another_session_is_another_call)
{
    runs (&one, 1, 0, 0);
    cr_assert_eq (asks (&other, 1, 0, 7, 0), RM_RPC_NEW);
}

Test (rpc_table, the_same_number_for_another_call_is_a_conflict)
{
    runs (&one, 1, 0, 0);
    cr_assert_eq (asks (&one, 1, 0, 8, 0), RM_RPC_CONFLICT);
    cr_assert_null (entry);
}

Test (rpc_table, what_was_not_run_may_come_again)
{
    cr_assert_eq (asks (&one, 1, 0, 7, 0), RM_RPC_NEW);
    rm_rpc_table_forget (&table, entry);
    cr_assert_eq (asks (&one, 1, 0, 7, 0), RM_RPC_NEW);
}

Test (rpc_table, rule_1_the_floor_discards_and_refuses_what_is_below)
{
    for (uint64_t seq = 1; seq <= 5; seq++)
        runs (&one, seq, 0, 0);
    cr_assert_eq (table.bytes, 50);
    cr_assert_eq (asks (&one, 6, 3, 7, 0), RM_RPC_NEW);
    cr_assert (raised);
    cr_assert_eq (table.bytes, 20, "two replies are left");
    cr_assert_eq (asks (&one, 3, 0, 7, 0), RM_RPC_STALE, "a late copy is not run again");
    cr_assert_eq (asks (&one, 4, 0, 7, 0), RM_RPC_DONE);
    cr_assert_not (raised, "a floor does not sink");
}

Test (rpc_table, rule_1_also_for_a_floor_far_up)
{
    runs (&one, 1, 0, 0);
    runs (&one, 3, 0, 0);
    cr_assert_eq (asks (&one, UINT64_MAX, UINT64_MAX - 1, 7, 0), RM_RPC_NEW);
    cr_assert_eq (table.bytes, 0);
}

Test (rpc_table, rule_2_one_under_way_at_a_time_discards_all_before)
{
    runs (&one, 1, 0, 0);
    runs (&one, 2, 0, 0);
    rm_msg_rpc_call_t call = {.session = one, .seq = 3, .one = 1};
    cr_assert_eq (rm_rpc_table_begin (&table, &call, 7, 0, &entry, &raised), RM_RPC_NEW);
    cr_assert (raised);
    cr_assert_eq (table.bytes, 0);
    cr_assert_eq (asks (&one, 2, 0, 7, 0), RM_RPC_STALE);
}

Test (rpc_table, rule_3_age_discards)
{
    runs (&one, 1, 0, 0);
    runs (&one, 2, 0, 500);
    cr_assert_eq (rm_rpc_table_sweep (&table, 999), 1000);
    cr_assert_eq (table.bytes, 20);
    cr_assert_eq (rm_rpc_table_sweep (&table, 1000), 1500);
    cr_assert_eq (table.bytes, 10);
    cr_assert_eq (rm_rpc_table_sweep (&table, 1500), UINT64_MAX);
    cr_assert_eq (table.bytes, 0);
    cr_assert_null (table.sessions, "nothing is left of the session");
}

Test (rpc_table, one_that_runs_is_not_discarded_by_age_and_ends_below_the_floor)
{
    cr_assert_eq (asks (&one, 1, 0, 7, 0), RM_RPC_NEW);
    rm_rpc_entry_t *first = entry;
    rm_rpc_table_sweep (&table, 10 * KEEP_MS);
    cr_assert_eq (asks (&one, 2, 1, 7, 10 * KEEP_MS), RM_RPC_NEW);
    cr_assert_not (ends (first, 10, 10 * KEEP_MS), "nobody wants its reply any more");
    cr_assert_eq (table.bytes, 0);
    cr_assert_eq (asks (&one, 1, 0, 7, 10 * KEEP_MS), RM_RPC_STALE);
}

Test (rpc_table, only_so_much_is_kept)
{
    cr_assert_eq (asks (&one, 1, 0, 7, 0), RM_RPC_NEW);
    ends (entry, BYTES_MAX, 0);
    cr_assert_eq (asks (&other, 1, 0, 7, 0), RM_RPC_FULL);
    cr_assert_eq (asks (&one, 1, 0, 7, 0), RM_RPC_DONE, "what is known is answered still");
    cr_assert_eq (asks (&one, 2, 1, 7, 0), RM_RPC_NEW, "who says it has its replies makes room");
}

Test (rpc_table, what_was_known_before_a_restart_is_known)
{
    cr_assert_eq (rm_rpc_table_restore_floor (&table, &one, 4, 0), 0);
    cr_assert_eq (rm_rpc_table_restore (&table, &one, 6, 7, 0, rm_calloc (1, 3), 3, 0), 0);
    cr_assert_eq (rm_rpc_table_restore (&table, &one, 2, 7, 0, rm_calloc (1, 3), 3, 0), 0);
    cr_assert_eq (asks (&one, 4, 0, 7, 0), RM_RPC_STALE);
    cr_assert_eq (asks (&one, 6, 0, 7, 0), RM_RPC_DONE);
    cr_assert_eq (asks (&one, 5, 0, 7, 0), RM_RPC_NEW);
    cr_assert_eq (table.bytes, 3, "what lay below the floor is discarded");
}

Test (rpc_table, the_hash_tells_names_and_arguments_apart)
{
    rm_msg_rpc_call_t call = {.name = rm_bytes ("put"), .args = rm_bytes ("k1")};
    uint64_t hash = rm_rpc_call_hash (&call);
    cr_assert_eq (rm_rpc_call_hash (&call), hash);
    call.args = rm_bytes ("k2");
    cr_assert_neq (rm_rpc_call_hash (&call), hash);
    call = (rm_msg_rpc_call_t){.name = rm_bytes ("putk"), .args = rm_bytes ("1")};
    cr_assert_neq (rm_rpc_call_hash (&call), hash);
}
