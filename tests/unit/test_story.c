/*  The ledger as a whole, under thousands of random entries, sensible ones and others: it is deterministic, a snapshot
 *  holds all of it, its books balance, damage is noticed, and memory may run out anywhere.
 */
#include "ledger_fixture.h"

#include "core/settings.h"
#include "core/splitmix.h"
#include "counting_alloc.h"
#include "ledger_check.h"

enum {
    INCARNATIONS = 9,
    SESSIONS = 12,
    ENTRIES = 12000, /* of a story */
    STRIDE = 50,     /* entries between two looks at the whole state */
    IDS_MAX = ENTRIES * 4,
};

/* A story: random batches, and what happened to each job as told by the listener. */
typedef struct {
    uint64_t seed, first_seed;
    rm_buf_t log; /* every batch, its length (u32) before it */
    uint64_t entries;
    uint64_t seqs[SESSIONS];
    uint8_t accepted[IDS_MAX], ended[IDS_MAX];
    uint64_t stopping;        /* jobs that were to end while a worker had them */
    uint64_t released, moved; /* jobs that held their key and no longer do; kicked ones that stand before others */
    uint64_t applied[RM_ENTRY_KINDS]; /* entries that changed something, by what the listener was told */
} story_t;

static story_t story;

static uint64_t draw (uint64_t below)
{
    return rm_splitmix (&story.seed) % below;
}

static bool chance (unsigned percent)
{
    return draw (100) < percent;
}

#define CHECK(claim, ...) cr_assert (claim, "seed %d, entry %d: " #claim, (int)story.first_seed, (int)story.entries)

/* ---- listening -------------------------------------------------------------------------------------------------- */

static void on_accepted (void *arg, rm_record_t *record)
{
    (void)arg;
    CHECK (record->id < IDS_MAX);
    CHECK (++story.accepted[record->id] == 1);
    CHECK (record->id == 1 || story.accepted[record->id - 1]);
    const rm_extra_t *extra = record->extra;
    story.applied[!extra ? RM_ENTRY_SUBMIT : extra->kicked_from ? RM_ENTRY_KICK : RM_ENTRY_SUBMIT_MORE]++;
}

static void on_stopping (void *arg, rm_record_t *record)
{
    (void)arg;
    CHECK (rm_record_stops (record));
    story.stopping++;
}

static void on_released (void *arg, rm_key_t *key)
{
    (void)arg;
    const rm_link_t *first = rm_list_first (&key->records);
    const rm_record_t *record = first ? RM_OWNER (first, rm_record_t, line) : NULL;
    story.released++;
    story.moved += record && record->extra && record->extra->place && key->records.prev != first;
}

static void on_queue_set (void *arg, rm_queue_t *queue, uint32_t setting)
{
    (void)arg;
    (void)queue;
    (void)setting;
    story.applied[RM_ENTRY_QUEUE_SET]++;
}

static void on_ended (void *arg, rm_record_t *record)
{
    (void)arg;
    CHECK (story.accepted[record->id]);
    CHECK (++story.ended[record->id] == 1);
    static const rm_entry_kind_t by[] = {[RM_OUTCOME_DONE] = RM_ENTRY_DONE,
                                         [RM_OUTCOME_DEAD] = RM_ENTRY_BURY,
                                         [RM_OUTCOME_CANCELLED] = RM_ENTRY_STOP,
                                         [RM_OUTCOME_EXPIRED] = RM_ENTRY_STOP};
    story.applied[by[record->outcome]]++;
}

static void on_waits_again (void *arg, rm_record_t *record)
{
    (void)arg;
    CHECK (!story.ended[record->id]);
    story.applied[RM_ENTRY_FAIL]++;
}

static void on_started (void *arg, rm_record_t *record)
{
    (void)arg;
    CHECK (record->started_inc != 0);
    story.applied[RM_ENTRY_START]++;
}

static void on_unstarted (void *arg, rm_record_t *record)
{
    (void)arg;
    CHECK (record->started_inc == 0);
    story.applied[RM_ENTRY_UNSTART]++;
}

static void on_member_added (void *arg, rm_member_t *member)
{
    (void)arg;
    (void)member;
    story.applied[RM_ENTRY_MEMBER_ADD]++;
}

static void on_member_removed (void *arg, rm_member_t *member)
{
    (void)arg;
    CHECK (!rm_state_member (&ledger.state, member->inc));
    story.applied[RM_ENTRY_MEMBER_REMOVE]++;
}

static bool has_full_slot (const rm_pool_t *pool)
{
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
        if (!rm_pool_holds (pool, slot, RM_RING_NOBODY))
            return true;
    return false;
}

static void on_resize_begun (void *arg)
{
    (void)arg;
    story.applied[RM_ENTRY_RESIZE_BEGIN]++;
    for (const rm_pool_t *pool = ledger.state.pools; pool; pool = pool->next) {
        uint32_t least = RM_SLOTS, most = 0, members = 0;
        for (const rm_member_t *member = ledger.state.by_inc; member; member = member->hh.next) {
            uint32_t share = rm_pool_share (pool, member->number);
            if (!member->in_ring || member->pool != pool)
                continue;
            members++;
            least = share < least ? share : least;
            most = share > most ? share : most;
        }
        if (!has_full_slot (pool))
            CHECK (!members || (most - least <= 1 && rm_pool_share (pool, RM_RING_NOBODY) == 0));
    }
}

static void on_resize_committed (void *arg)
{
    (void)arg;
    story.applied[RM_ENTRY_RESIZE_COMMIT]++;
}

static void on_session_freed (void *arg, rm_ledger_session_t *session)
{
    (void)arg;
    CHECK (session->waiting_count == 0);
    story.applied[RM_ENTRY_SESSION_EXPIRE]++;
}

static void on_record_freed (void *arg, rm_record_t *record)
{
    (void)arg;
    CHECK (story.ended[record->id]);
    story.applied[RM_ENTRY_RESULT_EXPIRE]++;
}

/* ---- random entries --------------------------------------------------------------------------------------------- */

static const char *const queues[] = {"bank", "mail", "video", "index", "nobody"};
static const char *const pools[] = {"blue", "green"};
static char filler[300];

/* Up to 299 bytes, often around the size from which on a snapshot shares them. */
static rm_bytes_t some_bytes (void)
{
    static const uint32_t sizes[] = {0, 1, 9, 127, 128, 299};
    return (rm_bytes_t){filler, sizes[draw (sizeof sizes / sizeof *sizes)]};
}

static rm_bytes_t some_key (void)
{
    static char keys[4096];
    static size_t used;
    uint64_t which = draw (8);
    if (which < 2)
        return (rm_bytes_t){NULL, 0};
    if (which == 2)
        return (rm_bytes_t){"", 0};
    if (used + 300 > sizeof keys)
        used = 0;
    char *key = keys + used;
    uint32_t size = which == 3 ? 200 : 4;
    memset (key, 'k', size);
    key[0] = (char)('a' + which);
    used += size;
    return (rm_bytes_t){key, size};
}

/* One of INCARNATIONS places in the cluster: who has it, or who comes next, since nobody is a member twice. */
static uint64_t inc_of (uint64_t place)
{
    uint64_t inc = place;
    while (rm_state_was_removed (&ledger.state, inc))
        inc += INCARNATIONS;
    return inc;
}

static uint64_t some_inc (void)
{
    const rm_member_t *member = ledger.state.by_inc;
    if (!member || chance (15))
        return 1 + draw (2 * INCARNATIONS);
    for (uint64_t skip = draw (ledger.state.member_count); skip; skip--)
        member = member->hh.next;
    return member->inc;
}

/* Mostly a job that waits, an old or a new one; now and then one that is not there. */
static uint64_t some_id (void)
{
    uint64_t last = ledger.state.last_id, skip = draw (20);
    if (chance (30))
        return chance (90) && last > 40 ? last - draw (40) : draw (last + 2);
    const rm_record_t *record = rm_state_from (&ledger.state, 0), *next = record;
    while (next && (record->outcome != RM_OUTCOME_NONE || skip--))
        if ((next = rm_state_from (&ledger.state, record->id + 1)))
            record = next;
    return record ? record->id : 0;
}

static uint64_t some_seq (unsigned session)
{
    if (chance (80) || !ledger_session ((uint8_t)session))
        return ++story.seqs[session];
    return draw (story.seqs[session] + 20);
}

static rm_job_options_t some_options (void)
{
    static const char *const uids[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    if (ledger.state.format < 2 || chance (60))
        return (rm_job_options_t){0};
    return (rm_job_options_t){.delay_ms = draw (2) * 100,
                              .deadline_ms = draw (2) * 1000,
                              .priority = (uint32_t)draw (RM_PRIORITY_MAX + 1),
                              .retry_delay_ms = (uint32_t)draw (2) * 10,
                              .uid = chance (50) ? rm_bytes (uids[draw (8)]) : (rm_bytes_t){0}};
}

static void write_submit (rm_buf_t *out)
{
    unsigned session = (unsigned)draw (1 + draw (SESSIONS)); /* some are used less than others */
    rm_submit_job_t jobs[3];
    uint32_t count = (uint32_t)draw (4);
    if (!ledger_session ((uint8_t)session))
        story.seqs[session] = 0;
    for (uint32_t i = 0; i < count; i++)
        jobs[i] = (rm_submit_job_t){.seq = some_seq (session),
                                    .queue = rm_bytes (queues[draw (5)]),
                                    .key = some_key (),
                                    .data = some_bytes (),
                                    .tries = (uint32_t)draw (4),
                                    .timeout_ms = (uint32_t)draw (2) * 500,
                                    .flags = chance (30) ? RM_JOB_AT_MOST_ONCE : 0,
                                    .options = some_options ()};
    uint64_t floor = chance (50) ? draw (story.seqs[session] + 1) : 0;
    rm_entry_submit (out, &(rm_entry_submit_t){session_id ((uint8_t)session), floor, jobs, count});
}

static void write_completion (rm_buf_t *out)
{
    rm_entry_done_t entry = {.id = some_id (), .inc = some_inc (), .attempt = 1 + (uint32_t)draw (4)};
    const rm_record_t *record = ledger_record (entry.id);
    if (record && chance (85))
        entry.attempt = rm_record_attempt (record);
    if (record && record->started_inc && chance (70))
        entry.inc = record->started_inc;
    entry.verdict = chance (40) ? RM_VERDICT_OK : (uint32_t)(1 + draw (RM_VERDICT_INTERRUPTED));
    if (entry.verdict == RM_VERDICT_OK)
        entry.data = some_bytes ();
    else
        entry.reason = some_bytes ();
    entry.not_before_ms = draw (2) * ledger.now_ms;
    rm_entry_done (out, &entry);
}

static void write_start (rm_buf_t *out)
{
    rm_entry_start_t entry = {some_id (), some_inc ()};
    const rm_record_t *record = ledger_record (entry.id);
    if (chance (60)) {
        rm_entry_start (out, &entry);
        return;
    }
    if (record && record->started_inc && chance (80))
        entry.inc = record->started_inc;
    rm_entry_unstart (out, &entry);
}

static void write_join (rm_buf_t *out)
{
    uint64_t inc = chance (90) ? inc_of (1 + draw (INCARNATIONS)) : some_inc ();
    rm_bytes_t served[3] = {rm_bytes (queues[draw (4)]), rm_bytes (queues[draw (4)]), rm_bytes (queues[draw (4)])};
    rm_msg_join_t join = {rm_bytes ("worker"), inc, rm_bytes (pools[draw (2)]), served, (uint32_t)draw (4), 4};
    rm_entry_member_add (out, &join);
}

static void write_removal (rm_buf_t *out)
{
    uint64_t ids[4];
    uint32_t count = (uint32_t)draw (5);
    for (uint32_t i = 0; i < count; i++)
        ids[i] = some_id ();
    rm_entry_member_remove (out, &(rm_entry_remove_t){some_inc (), ids, count});
}

static void write_resize (rm_buf_t *out)
{
    uint64_t incs[2][INCARNATIONS];
    uint32_t counts[2] = {0};
    if (chance (40)) {
        rm_entry_resize_commit (out, chance (85) ? ledger.state.epoch : draw (ledger.state.epoch + 2));
        return;
    }
    for (uint64_t place = 1; place <= INCARNATIONS; place++) {
        uint64_t where = draw (4);
        if (where < 3)
            incs[where == 2][counts[where == 2]++] = inc_of (place);
    }
    uint64_t epoch = chance (85) ? ledger.state.epoch + 1 : draw (ledger.state.epoch + 3);
    rm_entry_resize_begin (out, &(rm_entry_begin_t){epoch, incs[0], counts[0], incs[1], counts[1]});
}

static void write_forgetting (rm_buf_t *out)
{
    rm_session_id_t id = session_id ((uint8_t)draw (SESSIONS));
    if (chance (50))
        rm_entry_session_expire (out, &id);
    else
        rm_entry_result_expire (out, &(rm_entry_expire_t){(uint32_t)draw (6), (uint32_t)draw (20)});
}

static uint64_t some_dead_id (void)
{
    const rm_record_t *record = rm_state_from (&ledger.state, 0);
    while (record && (record->outcome != RM_OUTCOME_DEAD || chance (70)))
        record = rm_state_from (&ledger.state, record->id + 1);
    return record ? record->id : some_id ();
}

/* What people order. */
static void write_order (rm_buf_t *out)
{
    static const rm_outcome_t outcomes[] = {RM_OUTCOME_DEAD, RM_OUTCOME_CANCELLED, RM_OUTCOME_EXPIRED};
    uint64_t which = draw (10);
    if (which < 5)
        rm_entry_stop (out, &(rm_entry_stop_t){some_id (), outcomes[draw (3)], chance (50), some_bytes ()});
    else if (which < 8)
        rm_entry_kick (out, some_dead_id ());
    else if (which < 9)
        rm_entry_queue_set (out, &(rm_entry_queue_set_t){rm_bytes (queues[draw (5)]), (uint32_t)(5 + draw (3)), 1001});
    else
        rm_entry_queue_set (out, &(rm_entry_queue_set_t){rm_bytes (queues[draw (5)]), RM_SETTING_ON_DEAD, chance (80)});
}

static void write_some_entry (rm_buf_t *out)
{
    uint64_t which = draw (100);
    story.entries++;
    if (ledger.state.format < 2 && story.entries > 100)
        rm_entry_format (out, 2);
    else if (ledger.state.format > 1 && chance (10))
        write_order (out);
    else if (which < 35 && ledger.state.waiting_count < 100)
        write_submit (out);
    else if (which < 70)
        write_completion (out);
    else if (which < 84)
        write_start (out);
    else if (which < 86)
        rm_entry_bury (out, &(rm_entry_bury_t){some_id (), some_bytes ()});
    else if (which < 90)
        write_join (out);
    else if (which < 92)
        write_removal (out);
    else if (which < 95)
        write_resize (out);
    else if (which < 99)
        write_forgetting (out);
    else
        rm_entry_lead (out);
}

/* Applies a batch of a few entries and keeps it. */
static void tell_some_more (void)
{
    rm_buf_t *batch = ledger_begin_batch ();
    for (uint64_t left = 1 + draw (4); left; left--)
        write_some_entry (batch);
    ledger_apply ();
    rm_write_bytes (&story.log, (rm_bytes_t){batch->data, (uint32_t)batch->size});
    ledger.now_ms = ledger.now_ms + draw (50) - draw (10);
}

static void begin_story (uint64_t seed)
{
    rm_buf_t log = story.log;
    rm_buf_clear (&log);
    memset (&story, 0, sizeof story);
    memset (filler, 'f', sizeof filler);
    story.seed = story.first_seed = seed;
    story.log = log;
    ledger_open ();
    ledger.state.listener = (rm_state_listener_t){
        .accepted = on_accepted,
        .ended = on_ended,
        .waits_again = on_waits_again,
        .started = on_started,
        .unstarted = on_unstarted,
        .stopping = on_stopping,
        .released = on_released,
        .queue_set = on_queue_set,
        .member_added = on_member_added,
        .member_removed = on_member_removed,
        .resize_begun = on_resize_begun,
        .resize_committed = on_resize_committed,
        .session_freed = on_session_freed,
        .record_freed = on_record_freed,
    };
}

/* ---- claims ----------------------------------------------------------------------------------------------------- */

static void cr_assert_sound (const rm_state_t *state)
{
    claim_t broken = check_state (state);
    cr_assert_null (broken, "seed %d, entry %d: %s", (int)story.first_seed, (int)story.entries, broken);
}

/* What is restored from a snapshot of the state is the state. It is left in `other`. */
static void restore_into (rm_state_t *other)
{
    rm_buf_t live = snapshot_of (&ledger.state);
    rm_state_init (other);
    int rc = rm_snapshot_restore (other, live.data, live.size);
    CHECK (rc == 0);
    rm_buf_t again = snapshot_of (other);
    CHECK (same_bytes (&live, &again));
    rm_buf_close (&live);
    rm_buf_close (&again);
    cr_assert_sound (other);
}

/* Applies the story's batches from `from` on to a state that stood there. */
static void replay (rm_state_t *state, size_t from)
{
    rm_reader_t reader = {story.log.data + from, story.log.data + story.log.size, false};
    while (reader.at < reader.end) {
        rm_bytes_t batch = rm_read_bytes (&reader);
        int rc = rm_state_apply (state, batch.data, batch.size);
        CHECK (rc == 0);
    }
}

static void cr_assert_same_state (const rm_state_t *a, const rm_state_t *b)
{
    rm_buf_t first = snapshot_of (a), second = snapshot_of (b);
    CHECK (same_bytes (&first, &second));
    rm_buf_close (&first);
    rm_buf_close (&second);
}

static void cr_assert_every_job_accounted_for (void)
{
    for (uint64_t id = 1; id <= ledger.state.last_id; id++) {
        const rm_record_t *record = ledger_record (id);
        CHECK (story.accepted[id] == 1);
        CHECK (record ? (record->outcome != RM_OUTCOME_NONE) == story.ended[id] : story.ended[id]);
    }
}

Test (story, snapshots_and_replays_equal_the_live_state, .timeout = 400)
{
    static rm_state_t restored, replayed;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        begin_story (seed);
        size_t from = 0; /* where in the log `restored` stands */
        rm_state_init (&restored);
        while (story.entries < ENTRIES) {
            uint64_t look_at = story.entries + STRIDE;
            while (story.entries < look_at)
                tell_some_more ();
            cr_assert_sound (&ledger.state);
            replay (&restored, from);
            cr_assert_same_state (&ledger.state, &restored);
            rm_state_close (&restored);
            restore_into (&restored);
            from = story.log.size;
        }
        cr_assert_every_job_accounted_for ();
        rm_state_init (&replayed);
        replay (&replayed, 0);
        cr_assert_same_state (&ledger.state, &replayed);
        CHECK (ledger.state.format == RM_STATE_FORMAT && story.stopping > 5);
        CHECK (story.released > 5 && story.moved > 5);
        for (int kind = RM_ENTRY_SUBMIT; kind < RM_ENTRY_KINDS; kind++)
            cr_assert (story.applied[kind] > 5 || kind == RM_ENTRY_FORMAT,
                       "seed %d: a story in which kind %d does nothing proves nothing", (int)seed, kind);
        rm_state_close (&replayed);
        rm_state_close (&restored);
        ledger.state.listener = (rm_state_listener_t){0};
        ledger_close ();
    }
    rm_buf_close (&story.log);
}

/* A batch with damaged bytes is refused, or means something else; either way the books balance. */
Test (story, a_damaged_batch_breaks_no_invariant, .timeout = 400)
{
    static rm_state_t victim;
    begin_story (77);
    int refused = 0;
    while (story.entries < ENTRIES) {
        tell_some_more ();
        if (chance (90))
            continue;
        restore_into (&victim);
        for (int round = 0; round < 20; round++) {
            rm_buf_t *batch = ledger_begin_batch ();
            write_some_entry (batch);
            for (uint64_t left = 1 + draw (3); left; left--)
                batch->data[draw (batch->size)] ^= (uint8_t)(1 << draw (8));
            int rc = rm_state_apply (&victim, batch->data, batch->size);
            CHECK (rc == 0 || rc == RM_ECORRUPT);
            refused += rc != 0;
            cr_assert_sound (&victim);
        }
        rm_state_close (&victim);
    }
    cr_assert_gt (refused, 100);
    ledger_close ();
    rm_buf_close (&story.log);
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

/* Applies the story to a new state until memory runs out; how many requests for memory were granted. */
static long apply_with (long granted, int *rc_p)
{
    static rm_state_t state;
    count_allocations (granted);
    cr_assert_eq (rm_state_init (&state), 0);
    rm_reader_t reader = {story.log.data, story.log.data + story.log.size, false};
    int rc = 0;
    while (!rc && reader.at < reader.end) {
        rm_bytes_t batch = rm_read_bytes (&reader);
        rc = rm_state_apply (&state, batch.data, batch.size);
    }
    long used = granted - counted.left;
    rm_state_close (&state);
    cr_assert_eq (counted.blocks, 0, "%ld blocks lost after %ld", counted.blocks, granted);
    count_no_more ();
    *rc_p = rc;
    return used;
}

Test (story, memory_may_run_out_anywhere_in_a_story, .timeout = 400)
{
    begin_story (3);
    while (story.entries < 400)
        tell_some_more ();
    int rc;
    long needed = apply_with (1 << 30, &rc);
    cr_assert_eq (rc, 0);
    cr_assert_gt (needed, 500);
    for (long granted = 0; granted < needed; granted++) {
        apply_with (granted, &rc);
        cr_assert_eq (rc, RM_ENOMEM, "after %ld of %ld", granted, needed);
    }
    ledger_close ();
    rm_buf_close (&story.log);
}
