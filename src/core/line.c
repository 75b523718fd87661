#include "core/line.h"

#include <stdio.h>

enum {
    BUSY_SPREAD = 4,   /* a busy answer's time is stretched by up to a fourth */
    BUSY_MS_MIN = 10,  /* a master that names no time is not asked in a tight loop */
    PAUSE_MS_MIN = 25, /* before the next master is asked who leads … */
    PAUSE_SHARE = 8    /* … and this part of the time that nobody has led for */
};

rm_backoff_t rm_line_policy (void)
{
    return (rm_backoff_t){.delay_ms = RM_LINE_INITIAL_MS,
                          .factor_permille = RM_LINE_FACTOR_PERMILLE,
                          .cap_ms = RM_LINE_CAP_MS,
                          .jitter = RM_JITTER_NONE};
}

int rm_line_init (rm_line_t *self, const char *const *masters, uint32_t count, uint64_t now_ms)
{
    *self = (rm_line_t){.policy = rm_line_policy (), .heard_ms = now_ms};
    int rc = rm_masters_init (&self->masters, masters, count);
    if (!rc)
        rm_retry_budget_init (&self->budget, RM_RETRY_RATIO_PERMILLE, RM_RETRY_FLOOR_PER_S, RM_RETRY_TOKENS_MAX,
                              now_ms);
    return rc;
}

void rm_line_close (rm_line_t *self)
{
    rm_masters_close (&self->masters);
    *self = (rm_line_t){0};
}

int rm_line_configure (rm_line_t *self, const rm_backoff_t *policy, const char **why)
{
    rm_backoff_t taken = *policy;
    taken.jitter = RM_JITTER_NONE;
    int error = rm_backoff_check (&taken, why);
    if (!error)
        self->policy = taken;
    return error;
}

void rm_line_begin (rm_line_t *self, uint64_t now_ms)
{
    self->heard_ms = now_ms;
    self->leaderless = false;
    self->failures = self->redirects = 0;
    *self->alone = *self->words = 0;
}

static uint64_t min_u64 (uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64 (uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* A time with full jitter on top, up to as long again, so that a fleet does not beat in step. */
static uint64_t spread (uint64_t ms, uint64_t random)
{
    return ms + random % (ms + 1);
}

/* It grows without the group's cap only towards a master that is slow and not dead: another one has named it since. */
uint64_t rm_line_listen_ms (const rm_line_t *self)
{
    uint64_t grown_ms = rm_backoff_next (&self->policy, self->failures + 1, 0, 0);
    if (self->masters.count == 1 || self->sure || self->apart)
        return grown_ms;
    return min_u64 (grown_ms, max_u64 ((uint64_t)self->policy.delay_ms, RM_LINE_GROUP_MS));
}

uint64_t rm_line_try_ms (const rm_line_t *self, uint64_t random)
{
    return spread (rm_line_listen_ms (self), random);
}

/* With a third of jitter, so that it stays a glance. */
uint64_t rm_line_glance_ms (uint64_t random)
{
    return RM_LINE_GLANCE_MS + random % (RM_LINE_GLANCE_MS / 3 + 1);
}

void rm_line_heard (rm_line_t *self, uint64_t now_ms)
{
    self->heard_ms = now_ms;
    self->leaderless = false;
    self->failures = self->redirects = 0;
    rm_retry_budget_success (&self->budget);
}

/* The next send goes to the next master, on a socket of its own. */
static void turn_away (rm_line_t *self, uint64_t now_ms)
{
    rm_masters_next (&self->masters, now_ms);
    self->sure = self->connected = false;
}

void rm_line_silent (rm_line_t *self, uint64_t sent_ms, uint64_t now_ms)
{
    self->failures++;
    rm_masters_silent (&self->masters, sent_ms);
    turn_away (self, now_ms);
}

void rm_line_pass_by (rm_line_t *self, uint64_t now_ms)
{
    turn_away (self, now_ms);
}

/* Follows at once to the leader it names, a few times in a row; waits for an election otherwise. */
bool rm_line_turn (rm_line_t *self, const rm_msg_not_leader_t *reply, bool may_follow, uint64_t now_ms)
{
    self->leaderless = true;
    snprintf (self->alone, sizeof self->alone, "%s", reply->leader.size ? "" : rm_masters_current (&self->masters));
    rm_masters_learn (&self->masters, reply->masters, reply->master_count);
    turn_away (self, now_ms);
    if (may_follow && self->redirects < RM_LINE_REDIRECTS_MAX &&
        rm_masters_turn_to (&self->masters, reply->leader, now_ms)) {
        self->sure = true;
        self->redirects++;
        return true;
    }
    self->redirects = 0;
    return false;
}

/* A part of the time that this has lasted, so that an election's end is soon found out, and a long outage is not made worse.
 * Who allows few sends does not spend them within one election. */
uint64_t rm_line_pause_ms (const rm_line_t *self, uint32_t sends, uint64_t now_ms, uint64_t random)
{
    if (self->policy.tries)
        return spread (rm_backoff_next (&self->policy, sends, 0, 0), random);
    uint64_t share_ms = (now_ms - self->heard_ms) / PAUSE_SHARE;
    return spread (min_u64 (max_u64 (share_ms, PAUSE_MS_MIN), (uint64_t)self->policy.cap_ms), random);
}

/* The time it was told, or a little more, so that those who were told the same do not come together. */
uint64_t rm_line_busy_ms (rm_line_t *self, const rm_msg_busy_t *busy, uint64_t random)
{
    rm_line_keep_words (self, busy->text);
    uint64_t told_ms = max_u64 (busy->retry_after_ms, BUSY_MS_MIN);
    return told_ms + random % (told_ms / BUSY_SPREAD + 1);
}

/* Whatever the wire brought, it is one line of text. */
void rm_line_keep_words (rm_line_t *self, rm_bytes_t words)
{
    uint32_t size = 0;
    for (; size < words.size && size < sizeof self->words - 1; size++) {
        unsigned char byte = ((const unsigned char *)words.data)[size];
        self->words[size] = byte < 0x20 || byte == 0x7f ? ' ' : (char)byte;
    }
    self->words[size] = 0;
}

void rm_line_tell_silence (const rm_line_t *self, uint64_t now_ms, char *text, size_t size)
{
    char list[RM_LINE_WORDS_BYTES] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < self->masters.count && used < sizeof list; i++) {
        int more = snprintf (list + used, sizeof list - used, "%s%s", i ? ", " : "", self->masters.all[i].endpoint);
        used += more > 0 ? (size_t)more : 0;
    }
    double seconds = (double)(now_ms - self->heard_ms) / 1000;
    if (self->leaderless && *self->alone)
        snprintf (text, size,
                  "no master led for %.1f s: the one at %s is up, but leads and follows nobody, since no majority of "
                  "the masters answers it (asked %s)",
                  seconds, self->alone, list);
    else
        snprintf (text, size, "no %s %s for %.1f s (asked %s)", self->apart ? "server" : "master",
                  self->leaderless ? "led" : "answered", seconds, list);
}
