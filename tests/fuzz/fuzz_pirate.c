/*  The client's half against a master that says anything: requests begin, replies that fit or do not come in any number and
 *  order, time goes by.
 *
 *  Checked after each step: the machine rests exactly when the request is over; a submit is sent under one (session, seq)
 *  as long as its session lives, and never again later than half a session's time to live; what is sent is a message; it
 *  does not send in a tight loop; every request ends.
 */
#include <stdlib.h>
#include <string.h>

#include "core/pirate.h"
#include "fuzz.h"
#include "fuzz_alloc.h"
#include "ringmaster/error.h"

enum { STEPS_MAX = 300, REQUEST_STEPS_SPARE = 100, SENDS_A_MS = 16 };

static struct {
    rm_pirate_t pirate;
    rm_pirate_effects_t effects;
    uint64_t now_ms, random;
    bool open;         /* there is a socket … */
    bool asked;        /* … on which an answer may come */
    uint64_t first_ms; /* when this (session, seq) was sent first */
    rm_session_id_t session;
    uint64_t seq;
    uint64_t sent_ms;       /* the newest send … */
    uint32_t sends_at_once; /* … and how many there were in that millisecond */
    rm_msg_type_t type;     /* of the request */
    uint64_t deadline_ms;
} self;

static rm_session_id_t spare;

/* ---- what is sent -------------------------------------------------------------------------------------------------- */

static void note_submit (const rm_msg_submit_t *submit)
{
    CLAIM (submit->job_count == 1 && submit->floor == submit->jobs[0].seq - 1);
    bool same = !memcmp (&submit->session, &self.session, sizeof self.session) && submit->jobs[0].seq == self.seq;
    if (!same) {
        self.session = submit->session;
        self.seq = submit->jobs[0].seq;
        self.first_ms = self.now_ms;
    }
    CLAIM (self.now_ms - self.first_ms < RM_SESSION_TTL_MS / 2, "sent again too late");
}

static void note_send (const rm_pirate_effects_t *effects)
{
    rm_msg_t msg;
    const char *why = "";
    CLAIM (!rm_msg_decode (&msg, effects->frame.data, effects->frame.size, &why), "%s", why);
    CLAIM (msg.type == self.type);
    if (msg.type == RM_MSG_SUBMIT)
        note_submit (&msg.submit);
    rm_msg_close (&msg);
    self.sends_at_once = self.sent_ms == self.now_ms ? self.sends_at_once + 1 : 1;
    self.sent_ms = self.now_ms;
    CLAIM (self.sends_at_once <= SENDS_A_MS, "%u sends in a millisecond", self.sends_at_once);
}

static void look (void)
{
    const rm_pirate_effects_t *effects = &self.effects;
    if (effects->close)
        self.open = self.asked = false;
    if (effects->open) {
        CLAIM (!self.open && *effects->open && strlen (effects->open) <= RM_ENDPOINT_BYTES_MAX);
        self.open = true;
    }
    if (effects->send) {
        CLAIM (self.open && !self.asked, "sent on a socket that waits for an answer, or on none");
        self.asked = true;
        note_send (effects);
    }
    CLAIM (effects->ended || self.pirate.state == RM_PIRATE_IDLE || effects->until_ms > self.now_ms ||
           effects->until_ms == self.now_ms);
    CLAIM (!effects->ended || self.pirate.state == RM_PIRATE_IDLE);
    CLAIM (!effects->ended || !effects->error || *rm_pirate_text (&self.pirate));
    CLAIM (!effects->reply || (effects->ended && !effects->error));
    CLAIM (self.pirate.seqs.seq >= 1 && self.pirate.seqs.floor == self.pirate.seqs.seq - 1);
    CLAIM (self.pirate.line.masters.at < self.pirate.line.masters.count);
}

static void step (const rm_pirate_event_t *event)
{
    self.random = self.random * 6364136223846793005u + 1442695040888963407u;
    rm_pirate_step (&self.pirate, event, self.now_ms, self.random, &self.effects);
    look ();
}

/* ---- requests ------------------------------------------------------------------------------------------------------ */

static uint64_t wait_id;
static rm_submit_job_t job;

static bool resting (void)
{
    return self.pirate.state == RM_PIRATE_IDLE;
}

static void begin (fuzz_input_t *input)
{
    static const rm_msg_type_t types[] = {RM_MSG_SUBMIT, RM_MSG_SUBMIT, RM_MSG_WAIT,
                                          RM_MSG_QUERY,  RM_MSG_DRAIN,  RM_MSG_HELLO};
    static const uint32_t times[] = {0, 1, 250, 5000, 60000, UINT32_MAX};
    static rm_msg_t request;
    if (!resting ())
        return;
    request = (rm_msg_t){.type = types[fuzz_below (input, 6)]};
    uint32_t time_ms = times[fuzz_below (input, 6)], silence_ms = times[fuzz_below (input, 6)];
    self.type = request.type;
    self.deadline_ms = time_ms == UINT32_MAX ? RM_PIRATE_FOREVER : self.now_ms + time_ms;
    if (request.type == RM_MSG_SUBMIT) {
        job = (rm_submit_job_t){.queue = rm_bytes ("q"), .data = {"", 0}, .tries = fuzz_below (input, 3)};
        request.submit.jobs = &job;
        request.submit.job_count = 1;
    } else if (request.type == RM_MSG_WAIT) {
        wait_id = 1 + fuzz_below (input, 3);
        request.wait.ids = &wait_id;
        request.wait.id_count = 1;
        request.wait.follow = wait_id & 1;
    } else if (request.type == RM_MSG_QUERY) {
        request.query.what = rm_bytes ("status");
    } else if (request.type == RM_MSG_DRAIN) {
        request.drain.worker = rm_bytes ("w");
    }
    spare.bytes[0]++;
    self.sends_at_once = 0;
    step (&(rm_pirate_event_t){.type = RM_PIRATE_BEGIN,
                               .msg = &request,
                               .deadline_ms = self.deadline_ms,
                               .silence_ms = silence_ms == UINT32_MAX ? RM_PIRATE_FOREVER : silence_ms,
                               .spare = &spare});
}

/* ---- replies ------------------------------------------------------------------------------------------------------- */

static rm_bytes_t some_text (fuzz_input_t *input)
{
    static const char *const texts[] = {"", "why not", "\033[31m", "tcp://b:1", "tcp://a:1", "tcp://c:9", "b:1"};
    return rm_bytes (texts[fuzz_below (input, 7)]);
}

static rm_msg_t reply_of (fuzz_input_t *input)
{
    static rm_accepted_job_t accepted;
    static rm_result_job_t result;
    static const int codes[] = {RM_ESTALE, RM_ECONFLICT, RM_EEXPIRED, RM_ETOOBIG, RM_EPROTO, -1000, RM_EDENIED};
    rm_msg_t msg = {0};
    uint8_t fits = fuzz_byte (input) & 7; /* mostly it is the answer to what was asked */
    switch (fuzz_below (input, 7)) {
    case 0:
        msg.type = RM_MSG_ACCEPTED;
        accepted = (rm_accepted_job_t){fits ? self.seq : self.seq + 1, 1 + fuzz_below (input, 4)};
        msg.accepted = (rm_msg_accepted_t){fits == 1 ? spare : self.session, &accepted, 1};
        break;
    case 1:
        msg.type = RM_MSG_RESULT;
        result = (rm_result_job_t){.id = fits ? wait_id : wait_id + 1,
                                   .outcome = fuzz_below (input, RM_OUTCOME_UNKNOWN + 1),
                                   .data = some_text (input)};
        result.progress = result.data.size % (RM_PERMILLE_MAX + 2);
        msg.result = (rm_msg_result_t){.jobs = &result, .job_count = 1, .stamp = fits % 3u};
        break;
    case 2:
        msg.type = RM_MSG_BUSY;
        msg.busy = (rm_msg_busy_t){fits == 7 ? UINT32_MAX : fuzz_below (input, 5000), some_text (input)};
        break;
    case 3:
        msg.type = RM_MSG_NOT_LEADER;
        msg.not_leader.leader = some_text (input);
        break;
    case 4:
        msg.type = RM_MSG_ERROR;
        msg.error = (rm_msg_error_t){codes[fuzz_below (input, 7)], some_text (input), fits ? 0 : self.seq + 1};
        break;
    case 5:
        msg.type = RM_MSG_ANSWER;
        msg.answer.json = rm_bytes ("{}");
        break;
    default:
        msg.type = RM_MSG_WELCOME;
    }
    return msg;
}

static void reply (fuzz_input_t *input)
{
    rm_msg_t msg = reply_of (input);
    if (!self.asked)
        return; /* a REQ socket hands out one reply for each request */
    bool in_state = self.pirate.state == RM_PIRATE_ASKED;
    self.asked = false;
    step (&(rm_pirate_event_t){.type = RM_PIRATE_REPLY, .msg = &msg});
    if (msg.type == RM_MSG_ERROR && self.effects.ended)
        self.seq = 0; /* refused: the number is free for another submit */
    /* Nonsense was dropped: with a REQ socket nothing else comes on it. */
    if (in_state && self.pirate.state == RM_PIRATE_ASKED && !self.effects.send)
        self.asked = true;
}

/* ---- time ---------------------------------------------------------------------------------------------------------- */

static void pass (uint64_t ms)
{
    self.now_ms += ms;
    step (&(rm_pirate_event_t){.type = RM_PIRATE_TIME});
}

/* Nobody answers any more: a request with an end ends, the others go on without spinning. */
static void let_it_end (void)
{
    bool paused = self.pirate.state == RM_PIRATE_PAUSED; /* a master may have said to come back in a month */
    bool has_end = self.deadline_ms != RM_PIRATE_FOREVER || self.pirate.silence_ms != RM_PIRATE_FOREVER ||
                   (!paused && (self.pirate.line.policy.tries || self.type == RM_MSG_SUBMIT));
    uint64_t before_ms = self.now_ms;
    for (uint64_t i = 0; !resting (); i++) {
        CLAIM (i < REQUEST_STEPS_SPARE + self.now_ms - before_ms, "it spins");
        uint64_t until_ms = self.effects.until_ms;
        if (until_ms == RM_PIRATE_FOREVER || self.now_ms - before_ms > (has_end ? 1000000 : 20000))
            break;
        pass (until_ms > self.now_ms ? until_ms - self.now_ms : 0);
    }
    CLAIM (!has_end || resting (), "it does not end");
}

/* The text that another process would go on with. */
static void hand_over (fuzz_input_t *input)
{
    char text[RM_SEQS_TEXT_BYTES];
    if (!resting ())
        return;
    CLAIM (!rm_seqs_save (&self.pirate.seqs, (int64_t)self.now_ms, 1700000000000, text, sizeof text));
    uint64_t passed_ms = fuzz_byte (input) * 4000u;
    int rc = rm_seqs_load (&self.pirate.seqs, text, (int64_t)self.now_ms, 1700000000000 + (int64_t)passed_ms);
    CLAIM (rc == 0 || rc == RM_EEXPIRED);
    if (!rc)
        self.first_ms -= passed_ms;
}

static void begin_life (fuzz_input_t *input)
{
    static const char *const masters[] = {"tcp://a:1", "tcp://b:1", "tcp://c:1"};
    static const rm_session_id_t session = {{0xaa}};
    memset (&self, 0, sizeof self);
    spare = (rm_session_id_t){{1}};
    self.now_ms = 10000000;
    uint8_t how = fuzz_byte (input);
    CLAIM (!rm_pirate_init (&self.pirate, masters, 1 + how % 3, &session, self.now_ms));
    self.effects.until_ms = RM_PIRATE_FOREVER;
    rm_backoff_t policy = rm_line_policy ();
    policy.tries = how >> 2 & 7;
    if (how & 32)
        policy.delay_ms = policy.cap_ms = 40;
    CLAIM (!rm_pirate_configure (&self.pirate, &policy, NULL));
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    fuzz_input_t input = {data, data + size};
    fuzz_alloc_begin ();
    begin_life (&input);
    for (int left = STEPS_MAX; left && fuzz_more (&input); left--) {
        switch (fuzz_below (&input, 8)) {
        case 0:
        case 1:
            begin (&input);
            break;
        case 2:
        case 3:
        case 4:
            reply (&input);
            break;
        case 5:
            pass (fuzz_byte (&input));
            break;
        case 6:
            pass (fuzz_below (&input, 65536) * 8);
            break;
        default:
            hand_over (&input);
        }
    }
    let_it_end ();
    rm_pirate_close (&self.pirate);
    fuzz_alloc_end ();
    return 0;
}
