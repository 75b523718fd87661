/*  The worker's half against a master that says anything, a shell that starts, finishes and declines jobs as it likes, and
 *  connections that break.
 *
 *  Checked after each step: a job starts only with the lease, in a slot that is open, alone of its key, and never after it
 *  was handed back; what is reported as held is what is held; `upto` and the term never go back for an incarnation; a
 *  current_job stays what it was first answered as; a phase 2 is `ok` only when nothing is left in the lost slots; only what
 *  has finished is reported done; and time alone never makes it spin.
 */
#include <stdlib.h>
#include <string.h>

#include "core/work_parts.h"
#include "fuzz.h"
#include "fuzz_alloc.h"
#include "ringmaster/error.h"

enum { STEPS_MAX = 300, JOBS_MAX = 256, SLOTS = 5, IDS = 24, TURNS_SPARE = 20 };

static struct {
    rm_work_t *half;
    uint64_t now_ms, randoms;
    rm_work_job_t *offered[JOBS_MAX], *running[JOBS_MAX];
    uint32_t offered_count, running_count;
    uint64_t inc, term, upto;                    /* as last reported */
    uint64_t sync_term, sync_epoch, current_job; /* as first answered */
    bool answered;
    bool over;
} self;

/* ---- what it says --------------------------------------------------------------------------------------------------- */

static void check_report (const rm_report_t *report)
{
    CLAIM (report->inc && report->inc == self.half->inc);
    if (report->inc == self.inc) {
        CLAIM (report->term >= self.term, "the term goes back");
        CLAIM (report->term > self.term || report->upto >= self.upto, "the watermark goes back");
    } else {
        self.answered = false; /* another incarnation */
    }
    self.inc = report->inc;
    self.term = report->term;
    self.upto = report->upto;
    CLAIM (report->held_count == self.half->held_count);
    for (uint32_t i = 0; i < report->held_count; i++) {
        CLAIM (rm_work_jobs_find (self.half, report->held[i]), "reports what it does not hold");
        for (uint32_t j = 0; j < i; j++)
            CLAIM (report->held[i] != report->held[j], "holds one job twice");
    }
}

static void check_done (const rm_msg_done_t *done)
{
    check_report (&done->report);
    for (uint32_t i = 0; i < done->job_count; i++) {
        const rm_work_job_t *job = rm_work_jobs_find (self.half, done->jobs[i].id);
        CLAIM (job && job->state == RM_WORK_JOB_SENT && job->token == done->jobs[i].token);
        CLAIM (done->jobs[i].reason.size <= RM_REASON_BYTES_MAX);
    }
}

static void check_sync (const rm_msg_sync_t *sync)
{
    CLAIM (!sync->from_master);
    if (sync->phase == 3)
        return;
    check_report (&sync->report);
    bool same = self.answered && sync->term == self.sync_term && sync->epoch == self.sync_epoch;
    if (sync->phase == 1) {
        CLAIM (!same || sync->current_job == self.current_job, "current_job changes within an epoch");
        self.answered = true;
        self.sync_term = sync->term;
        self.sync_epoch = sync->epoch;
        self.current_job = sync->current_job;
        return;
    }
    for (const rm_work_job_t *job = self.half->held; sync->ok && job; job = job->next_held)
        CLAIM (job->slot == RM_SLOTS || !self.half->closed[job->slot] || self.half->closed[job->slot] != sync->epoch,
               "ok, and job %lu is still in a lost slot", (unsigned long)job->id);
    for (uint32_t i = 0; i < sync->returned_count; i++)
        CLAIM (!rm_work_jobs_find (self.half, sync->returned[i]), "handed back, and held");
}

static bool is_running (const rm_work_job_t *job)
{
    for (uint32_t i = 0; i < self.running_count; i++)
        if (self.running[i] == job)
            return true;
    return false;
}

static void check_send (const rm_msg_t *msg)
{
    rm_buf_t frame = {0};
    rm_msg_t read;
    const char *why = "";
    CLAIM (!rm_msg_encode (msg, &frame));
    CLAIM (!rm_msg_decode (&read, frame.data, frame.size, &why), "%s", why);
    switch (read.type) {
    case RM_MSG_JOIN:
        CLAIM (read.join.inc == self.half->inc && self.half->state == RM_WORK_NEW);
        break;
    case RM_MSG_HEARTBEAT:
        check_report (&read.heartbeat.report);
        break;
    case RM_MSG_DONE:
        check_done (&read.done);
        break;
    case RM_MSG_LEAVE:
        check_report (&read.leave.report);
        break;
    case RM_MSG_PARTIAL:
        CLAIM (read.partial.inc == self.half->inc);
        break;
    case RM_MSG_PROGRESS:
        CLAIM (read.progress.inc == self.half->inc && self.half->state == RM_WORK_LEASED);
        for (uint32_t i = 0; i < read.progress.job_count; i++)
            CLAIM (is_running (rm_work_jobs_find (self.half, read.progress.jobs[i].id)));
        break;
    case RM_MSG_SYNC:
        check_sync (&read.sync);
        break;
    default:
        CLAIM (false, "a worker does not say %s", rm_msg_name (read.type));
    }
    rm_msg_close (&read);
    rm_buf_close (&frame);
}

/* ---- the shell ------------------------------------------------------------------------------------------------------ */

static void drop (rm_work_job_t **jobs, uint32_t *count, const rm_work_job_t *job)
{
    for (uint32_t i = 0; i < *count; i++)
        if (jobs[i] == job) {
            jobs[i] = jobs[--*count];
            return;
        }
}

static void follow (const rm_work_effects_t *effects)
{
    for (size_t i = 0; i < effects->send_count; i++)
        check_send (&effects->sends[i]);
    bool reconnect = effects->reconnect, over = effects->end != RM_WORK_GOES_ON;
    CLAIM (!over || (effects->text && self.half->state == RM_WORK_OVER));
    for (rm_work_job_t *job = effects->cancels; job; job = job->next_effect)
        CLAIM (job->cancelled && is_running (job));
    for (rm_work_job_t *job = effects->starts, *next; job; job = next) {
        next = job->next_effect;
        CLAIM (self.offered_count < JOBS_MAX && job->held && job->state == RM_WORK_JOB_QUEUED);
        self.offered[self.offered_count++] = job;
    }
    for (rm_work_job_t *job = effects->withdrawn, *next; job; job = next) {
        next = job->next_effect;
        CLAIM (!is_running (job) && !job->held);
        drop (self.offered, &self.offered_count, job);
        rm_work_declined (self.half, job);
    }
    CLAIM (self.running_count == rm_work_running_count (self.half));
    if (reconnect && !over)
        rm_work_connected (self.half, self.now_ms);
    self.over = self.over || over;
}

static uint64_t turn (void)
{
    rm_work_tick (self.half, self.now_ms, ++self.randoms * 0x9e3779b97f4a7c15u);
    const rm_work_effects_t *effects = rm_work_effects (self.half, self.now_ms);
    uint64_t deadline_ms = effects->deadline_ms;
    follow (effects);
    return deadline_ms;
}

/* No two jobs of a key run at once; one that was forgotten with its incarnation may still come to its end. */
static void check_start (const rm_work_job_t *job)
{
    const rm_work_t *half = self.half;
    CLAIM (half->state == RM_WORK_LEASED && self.now_ms < half->leased_until && job->held);
    CLAIM (job->slot == RM_SLOTS || job->epoch >= half->closed[job->slot], "started in a slot that is closed");
    for (const rm_work_job_t *other = half->held; other; other = other->next_held)
        CLAIM (other == job || !is_running (other) || !job->key.data || !other->key.data ||
                   other->queue != job->queue || !rm_bytes_equal (other->key, job->key),
               "jobs %lu and %lu of one key run at once", (unsigned long)other->id, (unsigned long)job->id);
}

static void start (uint32_t which)
{
    if (!self.offered_count)
        return;
    rm_work_job_t *job = self.offered[which % self.offered_count];
    drop (self.offered, &self.offered_count, job);
    if (rm_work_try_start (self.half, job, self.now_ms)) {
        check_start (job);
        self.running[self.running_count++] = job;
    } else {
        rm_work_declined (self.half, job);
    }
}

static void finish (fuzz_input_t *input)
{
    static const char reason[RM_REASON_BYTES_MAX + 10];
    if (!self.running_count)
        return;
    uint8_t how = fuzz_byte (input);
    rm_work_job_t *job = self.running[(how >> 3) % self.running_count];
    drop (self.running, &self.running_count, job);
    job->result.verdict = how % (RM_VERDICT_DEAD + 1);
    rm_buf_put (&job->result.data, "result", 6);
    rm_buf_put (&job->result.reason, reason, how & 4 ? sizeof reason : 3);
    rm_work_finished (self.half, job);
}

/* A handler says how far it is: unless it was told to stop, it has its whole time again. */
static void say_progress (uint32_t which)
{
    static const char note[RM_NOTE_BYTES_MAX + 10];
    if (!self.running_count)
        return;
    rm_work_job_t *job = self.running[which % self.running_count];
    bool in_time = job->stop == RM_WORK_GO_ON && job->timeout_ms && self.now_ms < job->timeout_at;
    rm_work_progress (self.half, job, 100 * which, (rm_bytes_t){note, which & 1 ? sizeof note : 0}, self.now_ms);
    rm_work_partial_t *partial;
    if (which & 2 && !rm_work_partial_new (self.half, job, note, which, &partial))
        rm_work_partial (self.half, partial);
    CLAIM (!in_time || job->timeout_at == self.now_ms + job->timeout_ms);
}

/* ---- the master ----------------------------------------------------------------------------------------------------- */

static uint64_t some_inc (fuzz_input_t *input)
{
    uint8_t how = fuzz_byte (input);
    return how < 240 && self.half->inc ? self.half->inc : 1 + how % 3u;
}

static uint64_t some_term (fuzz_input_t *input)
{
    uint8_t how = fuzz_byte (input);
    return how < 200 ? self.half->term : how < 230 ? self.half->term + 1 : how % 8u;
}

static uint64_t some_epoch (fuzz_input_t *input)
{
    uint8_t how = fuzz_byte (input);
    return how < 150 ? self.half->resize.epoch : how < 230 ? self.half->resize.epoch + 1 : how % 8u;
}

static uint32_t some_ids (fuzz_input_t *input, uint64_t *ids)
{
    uint32_t count = 1 + fuzz_below (input, 3);
    for (uint32_t i = 0; i < count; i++)
        ids[i] = 1 + fuzz_below (input, IDS);
    return count;
}

static void dispatch (fuzz_input_t *input, rm_msg_t *msg)
{
    static const char *const keys[SLOTS] = {NULL, "bob", "eve", "", "mallory"};
    static const char *const queues[] = {"bank", "mail", "nobody"};
    static rm_dispatch_job_t jobs[3];
    uint32_t count = 1 + fuzz_below (input, 3);
    uint8_t gap = fuzz_byte (input);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t how = fuzz_byte (input);
        uint32_t key = how % SLOTS;
        jobs[i] = (rm_dispatch_job_t){.id = 1 + fuzz_below (input, IDS),
                                      .token = self.randoms++,
                                      .slot = key ? key : RM_SLOTS,
                                      .attempt = 1 + (how >> 7),
                                      .timeout_ms = how & 64 ? 300 : 0,
                                      .queue = rm_bytes (queues[how % 16 == 15 ? 2 : how >> 4 & 1]),
                                      .key = rm_bytes (keys[key]),
                                      .data = {"payload", 7}};
    }
    msg->dispatch = (rm_msg_dispatch_t){.term = some_term (input),
                                        .epoch = some_epoch (input),
                                        .inc = some_inc (input),
                                        .seq = self.half->upto + (gap < 200 ? 1 : gap % 4u),
                                        .jobs = jobs,
                                        .job_count = count};
    msg->dispatch.seq += !msg->dispatch.seq;
}

static void sync_of (fuzz_input_t *input, rm_msg_t *msg)
{
    static rm_sync_member_t members[2];
    static rm_sync_move_t moved[2];
    msg->sync = (rm_msg_sync_t){.from_master = true,
                                .name = rm_bytes ("Master"),
                                .phase = 1 + fuzz_below (input, 3),
                                .term = some_term (input),
                                .epoch = some_epoch (input)};
    if (msg->sync.phase != 2)
        return;
    for (int i = 0; i < 2; i++) {
        uint32_t first = fuzz_below (input, SLOTS), last = first + fuzz_below (input, 3);
        members[i] = (rm_sync_member_t){rm_bytes ("w"), i ? 5 : some_inc (input)};
        moved[i] = (rm_sync_move_t){rm_bytes ("blue"), first, last, some_inc (input), 5};
    }
    msg->sync.sync_to = fuzz_below (input, IDS);
    msg->sync.members = members;
    msg->sync.member_count = 2;
    msg->sync.moved = moved;
    msg->sync.moved_count = fuzz_below (input, 3);
}

static void receive (fuzz_input_t *input)
{
    static uint64_t ids[3];
    static rm_committed_job_t committed[3];
    static const int codes[] = {RM_EBUSY, RM_EDENIED, RM_EPROTO, RM_EIO};
    rm_msg_t msg = {.type = RM_MSG_JOINED + fuzz_below (input, RM_MSG_TYPES - RM_MSG_JOINED + 1)};
    switch (msg.type) {
    case RM_MSG_JOINED:
        msg.joined = (rm_msg_joined_t){some_term (input), some_epoch (input), some_inc (input), 1000, 250, 250, 4096};
        msg.joined.term += !self.half->term; /* no leader has term 0 */
        break;
    case RM_MSG_HEARTBEAT_OK:
        msg.heartbeat_ok = (rm_msg_heartbeat_ok_t){.term = some_term (input), .inc = some_inc (input)};
        msg.heartbeat_ok.n = self.half->beat - (fuzz_byte (input) % 8 ? 0 : self.half->beat ? 1 : 0);
        msg.heartbeat_ok.last_seq = self.half->upto + fuzz_below (input, 3);
        break;
    case RM_MSG_DISPATCH:
        dispatch (input, &msg);
        break;
    case RM_MSG_COMMITTED:
        msg.committed = (rm_msg_committed_t){some_term (input), some_inc (input), committed, some_ids (input, ids)};
        for (uint32_t i = 0; i < msg.committed.job_count; i++)
            committed[i] = (rm_committed_job_t){ids[i], 1};
        break;
    case RM_MSG_REJOIN:
        msg.rejoin = (rm_msg_rejoin_t){some_term (input), some_inc (input)};
        break;
    case RM_MSG_LEFT:
        msg.left = (rm_msg_left_t){some_term (input), some_inc (input)};
        break;
    case RM_MSG_SYNC:
        sync_of (input, &msg);
        break;
    default:
        msg.type = RM_MSG_ERROR;
        msg.error = (rm_msg_error_t){.code = codes[fuzz_below (input, 4)], .text = rm_bytes ("no")};
    }
    uint64_t upto = self.half->upto, term = self.half->term;
    rm_work_receive (self.half, &msg, self.now_ms);
    if (self.half->term != term)
        upto = 0; /* a newer term counts anew */
    if (msg.type == RM_MSG_DISPATCH && msg.dispatch.seq > upto + 1)
        CLAIM (self.half->upto == upto, "what is behind a gap counts as received");
}

/* The common way in and on, which is long to find by chance: joins, and answers the newest heartbeat. */
static void answer (void)
{
    rm_msg_t msg = {.type = RM_MSG_JOINED};
    msg.joined = (rm_msg_joined_t){self.half->term + !self.half->term, 1, self.half->inc, 1000, 250, 250, 4096};
    if (self.half->state == RM_WORK_NEW) {
        rm_work_receive (self.half, &msg, self.now_ms);
        return;
    }
    msg = (rm_msg_t){.type = RM_MSG_HEARTBEAT_OK};
    msg.heartbeat_ok = (rm_msg_heartbeat_ok_t){
        .term = self.half->term, .inc = self.half->inc, .n = self.half->beat, .last_seq = self.half->upto};
    if (self.half->beat)
        rm_work_receive (self.half, &msg, self.now_ms);
}

/* ---- a life --------------------------------------------------------------------------------------------------------- */

static void step (fuzz_input_t *input)
{
    static const uint16_t times[] = {1, 10, 100, 250, 300, 999, 1500, 12000};
    uint8_t op = fuzz_byte (input);
    switch (op % 16) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        receive (input);
        break;
    case 5:
    case 6:
        answer ();
        break;
    case 7:
        self.now_ms += times[op >> 5];
        break;
    case 8:
    case 9:
        start (op >> 4);
        break;
    case 10:
    case 11:
        finish (input);
        break;
    case 12:
        if (op < 64)
            rm_work_disconnected (self.half);
        else
            rm_work_connected (self.half, self.now_ms);
        break;
    case 13:
        if (op == 13)
            rm_work_stop (self.half, self.now_ms);
        break;
    case 14:
        say_progress (op >> 5);
        break;
    default:
        break;
    }
    if (op & 0x10)
        turn ();
}

/* Nobody says anything any more, and what runs ends: each turn comes at the time the one before named. */
static void let_time_go_by (void)
{
    uint64_t begun_ms = self.now_ms;
    for (uint32_t turns = 0; !self.over && self.now_ms < begun_ms + 20000; turns++) {
        CLAIM (turns < TURNS_SPARE + (self.now_ms - begun_ms) / 10, "it spins");
        while (self.running_count) {
            fuzz_input_t nothing = {0};
            finish (&nothing);
        }
        uint64_t deadline_ms = turn ();
        if (deadline_ms > self.now_ms)
            self.now_ms = deadline_ms < begun_ms + 20000 ? deadline_ms : begun_ms + 20000;
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const char *const queues[] = {"bank", "mail"};
    static const rm_work_config_t config = {
        .name = "w", .pool = "blue", .queues = queues, .queue_count = 2, .threads = 2};
    fuzz_input_t input = {data, data + size};
    fuzz_alloc_begin ();
    memset (&self, 0, sizeof self);
    self.now_ms = 100000;
    self.half = rm_work_new (&config);
    CLAIM (self.half);
    turn ();
    rm_work_connected (self.half, self.now_ms);
    turn ();
    for (int left = STEPS_MAX; left && fuzz_more (&input) && !self.over; left--)
        step (&input);
    let_time_go_by ();
    rm_work_destroy (&self.half);
    fuzz_alloc_end ();
    return 0;
}
