/*  Snapshots: they hold all of the state, share what is large, and accept nothing that was not written by one. */
#include "ledger_fixture.h"

#include "core/snapshot_layout.h"
#include "core/splitmix.h"
#include "counting_alloc.h"
#include "ledger_check.h"

TestSuite (snapshot, .init = ledger_open, .fini = ledger_close);

static char large[RM_SNAPSHOT_LARGE_BYTES + 9]; /* bytes of a blob that is handed over by reference */

/* A bit of everything that a state can hold. */
static void fill (void)
{
    static const uint64_t incs[] = {11, 12, 13};
    memset (large, 'x', sizeof large - 1);
    rm_entry_lead (ledger_begin_batch ());
    ledger_apply ();
    ledger_submit (1, 1, "bank", "bob", "ten");
    for (int i = 0; i < 3; i++)
        ledger_join (incs[i], "default", i ? "bank" : "mail");
    ledger_remove (12, 0);
    ledger_join (14, "default", "bank"); /* takes number 1: joined last, but not the highest number */
    ledger_begin (1, incs, 1, 0);
    ledger_commit (1);
    ledger_begin (2, incs, 3, 14);
    ledger_submit (1, 2, "bank", "bob", large);
    ledger_submit (1, 3, "bank", NULL, "");
    ledger_submit (1, 4, "mail", large, "m");
    ledger_submit (2, 1, "nobody", "", "n");
    ledger_submit (2, 4, "mail", NULL, "after a hole");
    ledger.job_flags = RM_JOB_AT_MOST_ONCE;
    ledger.job_tries = 2;
    ledger_submit (2, 5, "mail", "alice", "once");
    ledger_start (7, 11);
    ledger.now_ms += 10;
    ledger_fail (1, 13, 1, RM_VERDICT_RETRY, "down");
    ledger_fail (2, 13, 1, RM_VERDICT_INTERRUPTED, "");
    ledger_done (6, 11, 1, large);
    ledger_bury (3, large);
    ledger_done (4, 11, 1, "");
    ledger_floor (1, 2);
    ledger_submit (3, 1, "mail", NULL, "forgotten");
    ledger_bury (8, "");
    ledger_expire_results ("mail", 1);
    ledger_bury (5, "why");
}

/* Restores from a copy of just that size, so that reading past it shows under the address sanitizer. */
static int restore (rm_state_t *state, const void *data, size_t size)
{
    cr_assert_eq (rm_state_init (state), 0);
    uint8_t *copy = malloc (size);
    memcpy (copy, data, size);
    int rc = rm_snapshot_restore (state, copy, size);
    free (copy);
    return rc;
}

static void cr_assert_restores (const rm_buf_t *bytes_before)
{
    static rm_state_t other;
    cr_assert_eq (restore (&other, bytes_before->data, bytes_before->size), 0);
    claim_t broken = check_state (&other);
    cr_assert_null (broken, "%s", broken);
    rm_buf_t bytes_after = snapshot_of (&other);
    cr_assert (same_bytes (bytes_before, &bytes_after));
    rm_buf_close (&bytes_after);
    rm_state_close (&other);
}

/* ---- what is in it ---------------------------------------------------------------------------------------------- */

Test (snapshot, an_empty_state_is_restored)
{
    rm_buf_t bytes_before = snapshot_of (&ledger.state);
    cr_assert_restores (&bytes_before);
    rm_buf_close (&bytes_before);
}

static void write_all_u32 (rm_buf_t *out, const uint32_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rm_write_u32 (out, values[i]);
}

static void write_all_u64 (rm_buf_t *out, const uint64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rm_write_u64 (out, values[i]);
}

#define WRITE_U32(out, ...)                                                                                            \
    write_all_u32 (out, (uint32_t[]){__VA_ARGS__}, sizeof (uint32_t[]){__VA_ARGS__} / sizeof (uint32_t))
#define WRITE_U64(out, ...)                                                                                            \
    write_all_u64 (out, (uint64_t[]){__VA_ARGS__}, sizeof (uint64_t[]){__VA_ARGS__} / sizeof (uint64_t))

/* The head and the counters; `last_id` jobs, one session, one leader. */
static void write_head (rm_buf_t *out, uint64_t last_id)
{
    rm_write_u8 (out, 2);                                /* format */
    rm_write_u64 (out, sizeof large - 1);                /* large_bytes */
    rm_buf_put (out, large, sizeof large - 1);           /* large */
    WRITE_U64 (out, 1, 1, 0, last_id, ledger.now_ms, 1); /* term, epochs, last_id, time, session_numbers */
}

/* One member without queues, target of its pool's every slot. */
static void write_members (rm_buf_t *out)
{
    WRITE_U32 (out, 1, 0); /* members: number */
    rm_write_u64 (out, 7); /* inc */
    rm_write_bytes (out, rm_bytes ("w7"));
    WRITE_U32 (out, 0, 2, 1, 1, 0, 1); /* pool, threads, in the ring, queues: "bank"; removed: */
    rm_write_u64 (out, 6);
    uint16_t run[] = {RM_SLOTS, 0xffff, 0, 0, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff};
    rm_buf_put (out, run, sizeof run); /* length, owner, target, holders */
}

static void write_record (rm_buf_t *out, uint64_t id, uint16_t has)
{
    rm_write_u64 (out, id);
    rm_write_u32 (out, 0); /* queue */
    rm_buf_put (out, &has, sizeof has);
    rm_write_u64 (out, ledger.now_ms); /* accepted */
}

/* The spelling is pinned: what another version wrote is on people's disks. */
Test (snapshot, a_state_is_spelled_as_documented)
{
    rm_buf_t want = {0};
    memset (large, 'x', sizeof large - 1);
    rm_entry_lead (ledger_begin_batch ());
    ledger_apply ();
    ledger_join (6, "default", "bank");
    ledger_remove (6, 0);
    ledger_join (7, "default", "bank");
    ledger_begin (1, (uint64_t[]){7}, 1, 0);
    ledger.job_tries = 4;
    ledger_submit (1, 1, "bank", "bob", "ten");
    ledger.job_tries = 0;
    ledger_submit (1, 3, "bank", NULL, large);
    ledger_bury (1, "why");

    write_head (&want, 2);
    rm_write_u32 (&want, 1); /* pools */
    rm_write_bytes (&want, rm_bytes ("default"));
    rm_write_u32 (&want, 1); /* queues */
    rm_write_bytes (&want, rm_bytes ("bank"));
    WRITE_U32 (&want, 1, RM_TRIES, RM_JOB_TIMEOUT_MS, RM_KEEP_MS); /* pool + 1, and its settings */
    WRITE_U64 (&want, RM_KEEP_BYTES, 0, 1);                        /* ever done, dead */
    write_members (&want);
    rm_write_u32 (&want, 1); /* sessions */
    rm_session_id_t id = session_id (1);
    rm_buf_put (&want, id.bytes, sizeof id.bytes);
    WRITE_U64 (&want, 1, 0, ledger.now_ms); /* number, floor, heard */
    rm_write_u32 (&want, 3);                /* requests, a hole among them */
    WRITE_U64 (&want, 1, rm_session_request (ledger_session (1), 1)->hash, 0, 0);
    WRITE_U64 (&want, 2, rm_session_request (ledger_session (1), 3)->hash);
    rm_write_u32 (&want, 2); /* records */
    write_record (&want, 1, RM_HAS_ENDED | RM_HAS_TRIES | RM_HAS_KEY | RM_HAS_REASON);
    rm_write_u32 (&want, 4); /* tries */
    rm_write_u8 (&want, RM_OUTCOME_DEAD);
    rm_write_u64 (&want, ledger.now_ms); /* ended */
    rm_write_u32 (&want, 3);             /* data_size */
    rm_write_bytes (&want, rm_bytes ("bob"));
    rm_write_bytes (&want, rm_bytes ("why"));
    write_record (&want, 2, 0);
    rm_write_u64 (&want, 1);                /* session */
    rm_write_u32 (&want, sizeof large - 1); /* data: among the large */
    rm_write_u32 (&want, 1);                /* ended, of the first queue */
    rm_write_u64 (&want, 1);

    rm_buf_t all = snapshot_of (&ledger.state);
    cr_assert (same_bytes (&all, &want));
    rm_buf_close (&all);
    rm_buf_close (&want);
}

Test (snapshot, a_state_with_everything_is_restored)
{
    fill ();
    rm_buf_t bytes_before = snapshot_of (&ledger.state);
    cr_assert_restores (&bytes_before);
    rm_buf_close (&bytes_before);
}

Test (snapshot, equal_states_have_equal_snapshots)
{
    fill ();
    rm_buf_t first = snapshot_of (&ledger.state);
    ledger_close ();
    ledger_open ();
    ledger.job_flags = ledger.job_tries = 0;
    fill ();
    rm_buf_t second = snapshot_of (&ledger.state);
    cr_assert (same_bytes (&first, &second));
    rm_buf_close (&first);
    rm_buf_close (&second);
}

static rm_state_t restored;

static void restore_filled (void)
{
    fill ();
    rm_buf_t all = snapshot_of (&ledger.state);
    cr_assert_eq (restore (&restored, all.data, all.size), 0);
    rm_buf_close (&all);
}

Test (snapshot, counters_survive)
{
    restore_filled ();
    const rm_state_t *a = &ledger.state, *b = &restored;
    cr_assert (a->term == b->term && a->term == 1);
    cr_assert (a->epoch == b->epoch && a->epoch == 2);
    cr_assert (a->committed_epoch == b->committed_epoch && a->committed_epoch == 1);
    cr_assert (a->last_id == b->last_id && a->last_id == 8);
    cr_assert (a->time_ms == b->time_ms && a->time_ms == ledger.now_ms);
    cr_assert (a->session_numbers == b->session_numbers && a->session_numbers == 3);
    cr_assert (a->waiting_count == b->waiting_count && a->waiting_count == 3);
    cr_assert (a->waiting_bytes == b->waiting_bytes);
    cr_assert (a->started_count == b->started_count && a->started_count == 1);
    cr_assert (a->done_count == b->done_count && a->done_count == 2);
    cr_assert (a->dead_count == b->dead_count && a->dead_count == 3);
    cr_assert (a->ended_count == b->ended_count && a->ended_count == 4);
    rm_state_close (&restored);
}

static bool same_blob (const rm_blob_t *a, const rm_blob_t *b)
{
    return a && b ? a->size == b->size && !memcmp (a->data, b->data, a->size) : !a && !b;
}

Test (snapshot, every_field_of_a_record_survives)
{
    restore_filled ();
    size_t count = 0;
    for (const rm_record_t *a = rm_state_from (&ledger.state, 0); a;
         a = rm_state_from (&ledger.state, a->id + 1), count++) {
        const rm_record_t *b = rm_state_record (&restored, a->id);
        cr_assert_not_null (b);
        cr_assert_str_eq (a->queue->name, b->queue->name);
        cr_assert_eq (!a->key, !b->key);
        cr_assert_eq (a->session ? a->session->number : 0, b->session ? b->session->number : 0);
        cr_assert (same_blob (a->key_bytes, b->key_bytes) && same_blob (a->data, b->data));
        cr_assert (same_blob (a->result, b->result) && same_blob (a->reason, b->reason));
        cr_assert (a->data_size == b->data_size && a->tries == b->tries && a->timeout_ms == b->timeout_ms);
        cr_assert (a->flags == b->flags && a->failures == b->failures && a->crashes == b->crashes);
        cr_assert (a->accepted_ms == b->accepted_ms && a->not_before_ms == b->not_before_ms);
        cr_assert (a->ended_ms == b->ended_ms && a->started_inc == b->started_inc && a->outcome == b->outcome);
    }
    cr_assert_eq (count, 7);
    rm_state_close (&restored);
}

/* The ids of a list of records, in order. */
static void cr_assert_ids (const rm_link_t *head, const uint64_t *ids, size_t count)
{
    const rm_link_t *link = head->next;
    for (size_t i = 0; i < count; i++, link = link->next) {
        cr_assert_neq (link, head);
        cr_assert_eq (RM_OWNER (link, rm_record_t, line)->id, ids[i]);
    }
    cr_assert_eq (link, head);
}

Test (snapshot, every_order_survives)
{
    restore_filled ();
    cr_assert_ids (&rm_state_record (&restored, 1)->key->records, (uint64_t[]){1, 2}, 2);
    cr_assert_ids (&rm_state_queue (&restored, rm_bytes ("mail"))->ended, (uint64_t[]){4, 8}, 2);
    cr_assert_ids (&rm_state_queue (&restored, rm_bytes ("bank"))->ended, (uint64_t[]){3}, 1);
    const rm_member_t *member = restored.by_inc;
    for (const uint64_t *inc = (uint64_t[]){11, 13, 14, 0}; *inc; inc++, member = member->hh.next)
        cr_assert_eq (member->inc, *inc, "members stand in the order in which they joined");
    cr_assert_eq (rm_state_member (&restored, 14)->number, 1);
    rm_state_close (&restored);
}

Test (snapshot, who_was_removed_is_remembered_however_many_there_were)
{
    for (uint64_t inc = 1; inc <= RM_REMOVED_MAX + 5; inc++)
        rm_state_note_removed (&ledger.state, inc);
    rm_buf_t bytes = snapshot_of (&ledger.state);
    cr_assert_restores (&bytes);
    cr_assert_eq (restore (&restored, bytes.data, bytes.size), 0);
    rm_state_note_removed (&restored, 4711000);
    cr_assert (!rm_state_was_removed (&restored, 6) && rm_state_was_removed (&restored, 7));
    cr_assert (rm_state_was_removed (&restored, 4711000));
    rm_buf_close (&bytes);
    rm_state_close (&restored);
}

Test (snapshot, a_queues_settings_survive)
{
    fill ();
    rm_queue_t *queue = ledger_queue ("bank");
    queue->tries = 7;
    queue->timeout_ms = 8;
    queue->keep_ms = 9;
    queue->keep_bytes = 1ull << 40;
    rm_buf_t all = snapshot_of (&ledger.state);
    cr_assert_eq (restore (&restored, all.data, all.size), 0);
    rm_buf_close (&all);
    queue = rm_state_queue (&restored, rm_bytes ("bank"));
    cr_assert_eq (queue->tries, 7);
    cr_assert_eq (queue->timeout_ms, 8);
    cr_assert_eq (queue->keep_ms, 9);
    cr_assert_eq (queue->keep_bytes, 1ull << 40);
    rm_state_close (&restored);
}

static void cr_assert_no_queue (void)
{
    static rm_state_t other;
    rm_buf_t bytes = snapshot_of (&ledger.state);
    cr_assert_eq (rm_state_init (&other), 0);
    cr_assert_eq (rm_snapshot_restore (&other, bytes.data, bytes.size), RM_ECORRUPT);
    rm_state_close (&other);
    rm_buf_close (&bytes);
}

Test (snapshot, a_queue_that_cannot_be_set_so_is_corrupt)
{
    fill ();
    rm_queue_t *queue = ledger.state.queues, good = *queue;
    queue->tries = 0;
    cr_assert_no_queue ();
    queue->tries = good.tries;
    queue->timeout_ms = (uint32_t)INT32_MAX + 1;
    cr_assert_no_queue ();
    queue->timeout_ms = good.timeout_ms;
    queue->keep_bytes = UINT64_MAX;
    cr_assert_no_queue ();
    queue->keep_bytes = good.keep_bytes;
    ledger.state.format = RM_STATE_FORMAT;
    queue->retry.permille = 1;
    cr_assert_no_queue ();
    queue->retry.permille = good.retry.permille;
    queue->jobs_max = UINT64_MAX;
    cr_assert_no_queue ();
    queue->jobs_max = good.jobs_max;
}

Test (snapshot, a_restored_state_goes_on_like_the_first)
{
    restore_filled ();
    ledger_submit (4, 1, "bank", "carol", "c");
    rm_state_apply (&restored, ledger.batch.data, ledger.batch.size);
    ledger_commit (2);
    rm_state_apply (&restored, ledger.batch.data, ledger.batch.size);
    ledger_remove (11, 1);
    rm_state_apply (&restored, ledger.batch.data, ledger.batch.size);
    ledger_submit (2, 2, "bank", "bob", "into the hole");
    rm_state_apply (&restored, ledger.batch.data, ledger.batch.size);
    rm_buf_t first = snapshot_of (&ledger.state), second = snapshot_of (&restored);
    cr_assert (same_bytes (&first, &second));
    rm_buf_close (&first);
    rm_buf_close (&second);
    rm_state_close (&restored);
}

/* ---- how it is handed over -------------------------------------------------------------------------------------- */

static bool is_a_part (const rm_snapshot_t *snapshot, const rm_blob_t *blob)
{
    size_t count;
    const rm_part_t *parts = rm_snapshot_parts (snapshot, &count);
    for (size_t i = 0; i < count; i++)
        if (parts[i].data == blob->data)
            return parts[i].size == blob->size;
    return false;
}

Test (snapshot, what_is_large_is_shared_and_what_is_small_copied)
{
    char data[RM_SNAPSHOT_LARGE_BYTES + 1];
    memset (data, 'x', sizeof data);
    data[RM_SNAPSHOT_LARGE_BYTES] = 0;
    ledger_submit (1, 1, "bank", NULL, data);
    ledger_submit (1, 2, "bank", NULL, data + 1);
    rm_snapshot_t *snapshot = rm_snapshot_take (&ledger.state);
    cr_assert (is_a_part (snapshot, ledger_record (1)->data));
    cr_assert_eq (ledger_record (1)->data->refs, 2);
    cr_assert (!is_a_part (snapshot, ledger_record (2)->data));
    cr_assert_eq (ledger_record (2)->data->refs, 1);
    rm_snapshot_destroy (&snapshot);
    cr_assert_null (snapshot);
    cr_assert_eq (ledger_record (1)->data->refs, 1);
    rm_snapshot_destroy (&snapshot);
}

static rm_buf_t joined (const rm_snapshot_t *snapshot)
{
    rm_buf_t out = {0};
    size_t count;
    const rm_part_t *parts = rm_snapshot_parts (snapshot, &count);
    for (size_t i = 0; i < count; i++)
        rm_buf_put (&out, parts[i].data, parts[i].size);
    return out;
}

Test (snapshot, the_state_may_change_while_one_is_out)
{
    fill ();
    rm_snapshot_t *snapshot = rm_snapshot_take (&ledger.state);
    rm_buf_t before = joined (snapshot);
    ledger_bury (1, "gone");
    ledger_bury (2, "gone");
    ledger_expire_results ("bank", 100);
    ledger_expire_results ("mail", 100);
    ledger_submit (5, 1, "other", "k", large);
    rm_buf_t after = joined (snapshot);
    cr_assert (same_bytes (&before, &after));
    ledger_close ();
    rm_buf_close (&after);
    after = joined (snapshot);
    cr_assert (same_bytes (&before, &after), "it outlives the state");
    rm_buf_close (&before);
    rm_buf_close (&after);
    rm_snapshot_destroy (&snapshot);
}

/* More than one chunk of small things. */
Test (snapshot, many_small_jobs_are_restored)
{
    enum { JOBS = 40000, BATCH = 1000 };
    static rm_submit_job_t jobs[BATCH];
    for (uint64_t seq = 1; seq <= JOBS;) {
        for (int i = 0; i < BATCH; i++, seq++)
            jobs[i] =
                (rm_submit_job_t){.seq = seq, .queue = rm_bytes ("bank"), .data = {"some data", (uint32_t)i % 10}};
        rm_entry_submit (ledger_begin_batch (), &(rm_entry_submit_t){session_id (1), 0, jobs, BATCH});
        ledger_apply ();
    }
    rm_snapshot_t *snapshot = rm_snapshot_take (&ledger.state);
    size_t count;
    rm_snapshot_parts (snapshot, &count);
    cr_assert_gt (count, 2);
    rm_snapshot_destroy (&snapshot);
    rm_buf_t all = snapshot_of (&ledger.state);
    cr_assert_restores (&all);
    rm_buf_close (&all);
}

/* ---- what is refused -------------------------------------------------------------------------------------------- */

Test (snapshot, a_cut_snapshot_is_corrupt)
{
    static rm_state_t other;
    fill ();
    rm_buf_t all = snapshot_of (&ledger.state);
    for (size_t size = 0; size < all.size; size++) {
        cr_assert_eq (restore (&other, all.data, size), RM_ECORRUPT, "cut to %zu of %zu", size, all.size);
        rm_state_close (&other);
    }
    rm_buf_close (&all);
}

Test (snapshot, trailing_bytes_are_corrupt)
{
    static rm_state_t other;
    fill ();
    rm_buf_t all = snapshot_of (&ledger.state);
    rm_write_u8 (&all, 0);
    cr_assert_eq (restore (&other, all.data, all.size), RM_ECORRUPT);
    rm_state_close (&other);
    rm_buf_close (&all);
}

/* Where `what` stands in a snapshot; there must be one such place. */
static uint8_t *find (const rm_buf_t *in, const void *what, size_t size)
{
    uint8_t *place = memmem (in->data, in->size, what, size);
    cr_assert_not_null (place);
    size_t left = in->size - (size_t)(place + 1 - in->data);
    cr_assert_null (memmem (place + 1, left, what, size));
    return place;
}

Test (snapshot, an_outcome_listed_twice_is_corrupt)
{
    static rm_state_t other;
    fill ();
    rm_buf_t all = snapshot_of (&ledger.state);
    uint64_t ids[] = {4, 8};
    uint8_t *listed = find (&all, ids, sizeof ids);
    memcpy (listed + 8, listed, 8);
    cr_assert_eq (restore (&other, all.data, all.size), RM_ECORRUPT);
    rm_state_close (&other);
    rm_buf_close (&all);
}

Test (snapshot, a_last_request_that_is_none_is_corrupt)
{
    static rm_state_t other;
    fill ();
    rm_buf_t all = snapshot_of (&ledger.state);
    uint64_t hash = rm_session_request (ledger_session (2), 5)->hash;
    memset (find (&all, &hash, sizeof hash) - 8, 0, 16);
    cr_assert_eq (restore (&other, all.data, all.size), RM_ECORRUPT);
    rm_state_close (&other);
    rm_buf_close (&all);
}

/* All counts of an empty state are zero: which four bytes are left out makes no difference. */
Test (snapshot, one_of_the_format_before_is_read_too)
{
    static rm_state_t other;
    rm_buf_t all = snapshot_of (&ledger.state);
    cr_assert_eq (all.data[0], 2, "of a state that was never restored");
    cr_assert_eq (restore (&other, all.data, all.size - 4), RM_ECORRUPT);
    rm_state_close (&other);
    all.data[0] = 1;
    cr_assert_eq (restore (&other, all.data, all.size), RM_ECORRUPT, "it has no place for removed members");
    rm_state_close (&other);
    cr_assert_eq (restore (&other, all.data, all.size - 4), 0);
    rm_state_close (&other);
    all.data[0] = RM_SNAPSHOT_FORMAT + 1;
    cr_assert_eq (restore (&other, all.data, all.size), RM_ECORRUPT);
    rm_state_close (&other);
    rm_buf_close (&all);
}

Test (snapshot, more_pools_than_allowed_are_corrupt)
{
    static rm_state_t other;
    rm_buf_t all = {0};
    rm_write_u8 (&all, 2);
    WRITE_U64 (&all, 0, 0, 0, 0, 0, 0, 0);
    rm_write_u32 (&all, RM_POOLS_MAX + 1);
    for (uint32_t i = 0; i <= RM_POOLS_MAX; i++) {
        char name[8];
        snprintf (name, sizeof name, "p%u", i);
        rm_write_bytes (&all, rm_bytes (name));
    }
    count_allocations (-1);
    cr_assert_eq (restore (&other, all.data, all.size), RM_ECORRUPT);
    cr_assert_lt (counted.most, sizeof (rm_pool_t), "found out before the first pool is made");
    rm_state_close (&other);
    count_no_more ();
    rm_buf_close (&all);
}

Test (snapshot, more_queues_than_allowed_are_corrupt)
{
    static rm_state_t other;
    for (uint32_t i = 0; i <= RM_QUEUES_MAX; i++) {
        char name[8];
        snprintf (name, sizeof name, "q%u", i);
        cr_assert_not_null (rm_state_add_queue (&ledger.state, rm_bytes (name)));
    }
    rm_buf_t all = snapshot_of (&ledger.state);
    cr_assert_eq (restore (&other, all.data, all.size), RM_ECORRUPT);
    rm_state_close (&other);
    rm_buf_close (&all);
}

/* What the restored memory may be at most: a pool's slots, and its share of what a record or queue of few bytes takes. */
static size_t memory_bound (size_t input)
{
    return 4 * sizeof (rm_pool_t) + 64 * input + (64 << 10);
}

/* Damaged bytes are refused, or they are another valid state, spelled by just these bytes. Never more memory than the
 * input can justify, and none of it lost. True if they were refused. */
static bool refuses (const uint8_t *data, size_t size)
{
    static rm_state_t other;
    count_allocations (-1);
    int rc = restore (&other, data, size);
    cr_assert_leq (counted.most, memory_bound (size));
    if (!rc) {
        claim_t broken = check_state (&other);
        cr_assert_null (broken, "%s", broken);
        rm_buf_t again = snapshot_of (&other);
        cr_assert (again.size == size && !memcmp (again.data, data, size), "accepted, but not as it was written");
        rm_buf_close (&again);
    }
    rm_state_close (&other);
    cr_assert_eq (counted.blocks, 0);
    count_no_more ();
    cr_assert (rc == 0 || rc == RM_ECORRUPT, "%d", rc);
    return rc != 0;
}

Test (snapshot, a_flipped_bit_is_refused_or_another_state, .timeout = 400)
{
    fill ();
    rm_buf_t all = snapshot_of (&ledger.state);
    size_t refused = 0;
    for (size_t bit = 0; bit < all.size * 8; bit += 5) { /* at least one of each byte, and each place as often */
        all.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        refused += refuses (all.data, all.size);
        all.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_gt (refused, all.size / 5);
    cr_assert_restores (&all);
    rm_buf_close (&all);
}

Test (snapshot, scrambled_bytes_are_refused_or_another_state, .timeout = 400)
{
    fill ();
    rm_buf_t all = snapshot_of (&ledger.state);
    uint8_t *scrambled = malloc (all.size);
    uint64_t seed = 5;
    size_t refused = 0;
    for (int round = 0; round < 3000; round++) {
        memcpy (scrambled, all.data, all.size);
        for (uint64_t left = 1 + rm_splitmix (&seed) % 4; left; left--) {
            static const uint8_t tellings[] = {0, 1, 0x7f, 0x80, 0xff};
            size_t at = rm_splitmix (&seed) % all.size, run = 1 + rm_splitmix (&seed) % 8;
            for (size_t i = at; i < at + run && i < all.size; i++)
                scrambled[i] =
                    rm_splitmix (&seed) % 2 ? tellings[rm_splitmix (&seed) % 5] : (uint8_t)rm_splitmix (&seed);
        }
        refused += refuses (scrambled, all.size);
    }
    cr_assert_gt (refused, 1000);
    free (scrambled);
    rm_buf_close (&all);
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

Test (snapshot, taking_one_may_run_out_of_memory_anywhere)
{
    fill ();
    long granted = 0;
    for (bool taken = false; !taken; granted++) {
        count_allocations (granted);
        rm_snapshot_t *snapshot = rm_snapshot_take (&ledger.state);
        taken = snapshot != NULL;
        rm_snapshot_destroy (&snapshot);
        cr_assert_eq (counted.blocks, 0);
        count_no_more ();
        RM_RECORD_EACH (&ledger.state, record)
        cr_assert (!record->data || record->data->refs == 1);
    }
    cr_assert_eq (granted, 4, "the snapshot, its parts, a chunk: %ld", granted);
}

Test (snapshot, restoring_one_may_run_out_of_memory_anywhere)
{
    static rm_state_t other;
    fill ();
    rm_buf_t all = snapshot_of (&ledger.state);
    int rc = RM_ENOMEM;
    long granted = 0;
    for (; rc; granted++) {
        count_allocations (granted);
        rc = restore (&other, all.data, all.size);
        cr_assert (rc == 0 || rc == RM_ENOMEM, "%d after %ld", rc, granted);
        rm_state_close (&other);
        cr_assert_eq (counted.blocks, 0, "%ld blocks lost after %ld", counted.blocks, granted);
        count_no_more ();
    }
    cr_assert_gt (granted, 50);
    rm_buf_close (&all);
}
