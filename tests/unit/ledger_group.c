#include "ledger_group.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ledger_node.h"
#include "ringmaster/error.h"

enum { IN_FLIGHT = 8, BURST_MS = 3, SLUGGISH_MS = 80 };

uint64_t group_now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void group_rest (void)
{
    nanosleep (&(struct timespec){.tv_nsec = 2000000}, NULL);
}

void group_pass (unsigned ms)
{
    for (uint64_t until = group_now_ms () + ms; group_now_ms () < until;)
        group_rest ();
}

/* ---- in the process --------------------------------------------------------------------------------------------- */

static node_t node;
static seat_page_t *page;
static bool sluggish; /* the next turn is */

/* The batches in flight are the newest ones proposed. */
static void on_acked (uint64_t ticket)
{
    rm_ledger_status_t status;
    rm_ledger_status (node.ledger, &status);
    uint64_t number = node.proposed - status.inflight;
    (void)ticket;
    page->acked = number > page->acked ? number : page->acked;
}

static void on_said (const char *sentence)
{
    size_t used = strlen (page->said);
    snprintf (page->said + used, sizeof page->said - used, "%s\n", sentence);
}

static void on_changed (void *arg, int status, const char *sentence)
{
    (void)arg;
    on_said (sentence);
    page->answer = status;
    page->answered = page->asked;
}

static void on_heard (void *arg, int status, const char *sentence)
{
    (void)arg;
    (void)status;
    on_said (sentence);
}

/* Begins a change, and others while it is under way. 0: those are all refused as busy; 1: one of them is not. */
static int change_both (void)
{
    int rc = rm_ledger_add (node.ledger, page->id, page->text, on_heard, NULL);
    if (rc != 0)
        return rc;
    const int others[] = {rm_ledger_add (node.ledger, page->id + 1, "127.0.0.1:7411", on_heard, NULL),
                          rm_ledger_remove (node.ledger, page->members[0].id, on_heard, NULL),
                          rm_ledger_transfer (node.ledger, 0, on_heard, NULL),
                          rm_ledger_upgrade (node.ledger, 2, on_heard, NULL)};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        rc = others[i] == RM_EBUSY ? rc : 1;
    return rc;
}

/* Writes a backup into a file, in pieces that fit nothing. */
static int save (const char *path)
{
    enum { PIECE_BYTES = 1009 };
    rm_ledger_backup_t *backup, *other;
    uint8_t piece[PIECE_BYTES];
    uint64_t at = 0, checksum;
    size_t got;
    int rc = rm_ledger_backup_new (node.ledger, &backup);
    if (rc != 0)
        return rc;
    rc = rm_ledger_backup_new (node.ledger, &other) == RM_EBUSY ? rm_ledger_backup_seal (backup, &checksum) : RM_EINVAL;
    FILE *file = fopen (path, "w");
    while (rc == 0 && file && (got = rm_ledger_backup_read (backup, at, piece, sizeof piece)) > 0)
        at += fwrite (piece, 1, got, file);
    if (!file || fclose (file) != 0 || at != rm_ledger_backup_bytes (backup))
        rc = rc ? rc : RM_EIO;
    rm_ledger_backup_destroy (&backup);
    return rc;
}

static void answer (void)
{
    if (page->answered == page->asked || page->verb == SEAT_REST || page->verb == SEAT_STOP)
        return;
    int rc = RM_EINVAL;
    seat_verb_t verb = page->verb;
    page->verb = SEAT_REST;
    if (verb == SEAT_QUIT) {
        page->done = true;
        return;
    }
    if (verb == SEAT_ADD)
        rc = rm_ledger_add (node.ledger, page->id, page->text, on_changed, NULL);
    else if (verb == SEAT_REMOVE)
        rc = rm_ledger_remove (node.ledger, page->id, on_changed, NULL);
    else if (verb == SEAT_TRANSFER)
        rc = rm_ledger_transfer (node.ledger, page->id, on_changed, NULL);
    else if (verb == SEAT_UPGRADE)
        rc = rm_ledger_upgrade (node.ledger, page->id, on_changed, NULL);
    else if (verb == SEAT_BACKUP)
        rc = save (page->text);
    else if (verb == SEAT_BOTH)
        rc = change_both ();
    else if (verb == SEAT_SPOIL) {
        node.digest ^= 1; /* a bit of its memory fell over */
        rc = 0;
    }
    if (rc != 0 || verb == SEAT_BACKUP || verb == SEAT_BOTH || verb == SEAT_SPOIL) {
        page->answer = rc;
        page->answered = page->asked;
    }
}

/* Both ends of a line are some process's; each looks at its own. */
static void look_at_lines (void)
{
    uint64_t lines = 0, slow = 0;
    for (int fd = 3; fd < 64; fd++) {
        struct tcp_info info;
        int yes = 0;
        socklen_t info_size = sizeof info, size = sizeof yes;
        if (getsockopt (fd, IPPROTO_TCP, TCP_INFO, &info, &info_size) != 0 || info.tcpi_state != TCP_ESTABLISHED)
            continue;
        getsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &yes, &size);
        lines++;
        slow += !yes;
    }
    page->lines = lines;
    page->slow_lines = slow;
}

static void write_down (void)
{
    rm_ledger_status_t status;
    rm_ledger_status (node.ledger, &status);
    page->leader = node.leader;
    page->quorum = rm_ledger_has_quorum (node.ledger);
    page->seeking = status.seeking;
    page->digest = node.digest;
    page->state = node.state;
    page->term = status.term;
    page->leader_id = status.leader_id;
    page->restored = status.restored;
    page->snapshots = status.snapshots;
    page->sent = status.sent;
    page->unknown = node.unknown;
    page->settled = node.settled;
    page->format = status.format;
    page->verified = status.verified;
    page->generation = status.generation;
    strcpy (page->leader_address, status.leader_address);
    look_at_lines ();
    page->member_count = rm_ledger_group (node.ledger, page->members, RM_LEDGER_MEMBERS_MAX);
    memcpy ((void *)page->cluster, status.cluster, sizeof status.cluster);
    strcpy (page->failure, node.failure);
}

static void on_turn (uv_prepare_t *prepare)
{
    rm_ledger_status_t status;
    (void)prepare;
    if (sluggish)
        group_pass (SLUGGISH_MS);
    sluggish = false;
    write_down ();
    answer ();
    rm_ledger_status (node.ledger, &status);
    static uint64_t burst_ms;
    if (uv_now (&node.loop) - burst_ms < BURST_MS)
        status.inflight = IN_FLIGHT; /* so that many processes on few processors have time for other things */
    else
        burst_ms = uv_now (&node.loop);
    while (page->load && node.leader && status.inflight < IN_FLIGHT && node_try (&node, page->load) == 0)
        status.inflight++;
    if (*node.failure)
        _exit (1);
}

/* Comes before the ledger's own look after the loop has read what there was: it stops here, and what has come meanwhile is
   read in the next turn, which takes a while to begin. */
static void on_checked (uv_check_t *check)
{
    (void)check;
    if (page->verb != SEAT_STOP)
        return;
    page->verb = SEAT_REST;
    page->answered = page->asked;
    sluggish = true;
    raise (SIGSTOP);
}

static void run_seat (const char *dir, rm_ledger_config_t config, uint64_t filler)
{
    uv_prepare_t turn;
    uv_check_t checked;
    node.filler = filler;
    node.acked = on_acked;
    node.said = on_said;
    int rc = node_begin (&node, dir, &config);
    strcpy (page->failure, node.failure);
    page->started = rc;
    if (rc != 0)
        _exit (1);
    uv_prepare_init (&node.loop, &turn);
    uv_prepare_start (&turn, on_turn);
    uv_check_init (&node.loop, &checked);
    uv_check_start (&checked, on_checked);
    while (!page->done)
        uv_run (&node.loop, UV_RUN_ONCE);
    uv_close ((uv_handle_t *)&turn, NULL);
    uv_close ((uv_handle_t *)&checked, NULL);
    node_close (&node);
    _exit (0);
}

/* ---- in the test ------------------------------------------------------------------------------------------------ */

static const group_t *present;

void group_tell (void)
{
    for (size_t i = 0; present && i < SEATS_MAX; i++) {
        const seat_t *seat = &present->seats[i];
        const seat_page_t *one = seat->page;
        if (!seat->pid && !one->said[0])
            continue;
        fprintf (
            stderr,
            "seat %zu pid %d: started %d leader %d quorum %d seeking %d leader_id %llu term %llu state %llu acked %llu "
            "settled %llu unknown %llu members %zu snapshots %llu sent %llu restored %llu\n  failure: %s\n%s",
            i, (int)seat->pid, one->started, one->leader, one->quorum, one->seeking, (unsigned long long)one->leader_id,
            (unsigned long long)one->term, (unsigned long long)one->state, (unsigned long long)one->acked,
            (unsigned long long)one->settled, (unsigned long long)one->unknown, one->member_count,
            (unsigned long long)one->snapshots, (unsigned long long)one->sent, (unsigned long long)one->restored,
            one->failure, one->said);
    }
}

void group_init (group_t *self, size_t listed)
{
    unsigned key = (unsigned)getpid ();
    *self = (group_t){.listed = listed, .config = {.segment_bytes = 256 << 10, .stuck_ms = 10000}};
    present = self;
    for (size_t i = 0; i < SEATS_MAX; i++) {
        seat_t *seat = &self->seats[i];
        seat->id = i + 1;
        snprintf (seat->address, sizeof seat->address, "127.%u.%u.%zu:7411", 1 + key / 250 % 250, 1 + key % 250, i + 1);
        node_directory (seat->dir);
        seat->page = mmap (NULL, sizeof *seat->page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        cr_assert_neq (seat->page, MAP_FAILED);
    }
}

void group_close (group_t *self)
{
    for (size_t i = 0; i < SEATS_MAX; i++) {
        if (self->seats[i].pid)
            seat_kill (self, i);
        munmap (self->seats[i].page, sizeof *self->seats[i].page);
        node_remove (self->seats[i].dir);
    }
}

void seat_start (group_t *self, size_t number)
{
    seat_t *seat = &self->seats[number];
    seat_page_t *fresh = seat->page;
    rm_ledger_peer_t peers[SEATS_MAX];
    rm_ledger_config_t config = self->config;
    for (size_t i = 0; i < SEATS_MAX; i++)
        peers[i] = (rm_ledger_peer_t){self->seats[i].id, self->seats[i].address};
    /* One that is to be added names itself beside the others. */
    if (number >= self->listed)
        peers[self->listed] = (rm_ledger_peer_t){seat->id, seat->address};
    config.id = seat->id;
    config.format_max = self->formats[number];
    config.bind = self->listens ? seat->address : NULL;
    config.peers = peers;
    config.peer_count = self->listed + (number >= self->listed);
    fresh->started = 1;
    fresh->leader = fresh->quorum = fresh->done = false;
    fresh->verb = SEAT_REST;
    fresh->answered = fresh->asked;
    fresh->state = fresh->digest = fresh->leader_id = fresh->member_count = 0;
    fresh->verified = fresh->format = fresh->lines = fresh->slow_lines = 0;
    *fresh->failure = 0;
    fflush (NULL);
    seat->pid = fork ();
    cr_assert_geq (seat->pid, 0);
    if (seat->pid == 0) {
        prctl (PR_SET_PDEATHSIG, SIGKILL);
        page = seat->page;
        run_seat (seat->dir, config, self->filler);
    }
    WAIT_FOR (fresh->started != 1 || waitpid (seat->pid, NULL, WNOHANG) != 0, 20000);
}

void seat_kill (group_t *self, size_t number)
{
    seat_t *seat = &self->seats[number];
    kill (seat->pid, SIGKILL);
    waitpid (seat->pid, NULL, 0);
    seat->pid = 0;
    seat->page->leader = seat->page->quorum = false;
}

void seat_quit (group_t *self, size_t number)
{
    seat_t *seat = &self->seats[number];
    int status = 0;
    seat->page->verb = SEAT_QUIT;
    seat->page->asked++;
    for (uint64_t until = group_now_ms () + 10000; waitpid (seat->pid, &status, WNOHANG) == 0; group_rest ())
        cr_assert_lt (group_now_ms (), until, "seat %zu does not close", number);
    seat->pid = 0;
    seat->page->leader = seat->page->quorum = false;
    cr_assert (WIFEXITED (status) && WEXITSTATUS (status) == 0, "seat %zu: status %x, %s", number, status,
               seat->page->failure);
}

void seat_wipe (group_t *self, size_t number)
{
    node_shell ("rm -rf %s/*", self->seats[number].dir);
}

size_t group_start (group_t *self)
{
    for (size_t i = 0; i < self->listed; i++)
        seat_start (self, i);
    return group_leader (self);
}

static size_t find_leader (const group_t *self)
{
    for (size_t i = 0; i < SEATS_MAX; i++)
        if (self->seats[i].pid && self->seats[i].page->leader && self->seats[i].page->quorum)
            return i;
    return SEATS_MAX;
}

size_t group_leader (group_t *self)
{
    WAIT_FOR (find_leader (self) < SEATS_MAX, 15000);
    return find_leader (self);
}

int seat_ask (group_t *self, size_t number, seat_verb_t verb, uint64_t id, const char *text)
{
    seat_page_t *to = self->seats[number].page;
    snprintf (to->text, sizeof to->text, "%s", text ? text : "");
    to->id = id;
    for (uint64_t until = group_now_ms () + 10000;; group_rest ()) {
        to->asked++;
        to->verb = verb;
        WAIT_FOR (to->answered == to->asked, 15000);
        if (to->answer != RM_EBUSY || group_now_ms () > until)
            return to->answer;
    }
}

int group_change (group_t *self, seat_verb_t verb, uint64_t id, const char *text)
{
    int rc = RM_ESTATE;
    for (uint64_t until = group_now_ms () + 20000; group_now_ms () < until;) {
        rc = seat_ask (self, group_leader (self), verb, id, text);
        if (rc != RM_ESTATE && rc != RM_ETIMEDOUT)
            return rc == RM_ECONFLICT && verb == SEAT_ADD ? 0 : rc; /* it was added, by a leader that could not tell */
    }
    return rc;
}

bool group_votes (group_t *self, uint64_t id)
{
    const seat_page_t *leader = self->seats[group_leader (self)].page;
    for (size_t i = 0; i < leader->member_count; i++)
        if (leader->members[i].id == id)
            return leader->members[i].role == RM_LEDGER_VOTER;
    return false;
}

void group_load (group_t *self, uint64_t bytes)
{
    for (size_t i = 0; i < SEATS_MAX; i++)
        self->seats[i].page->load = bytes;
}

uint64_t group_acked (const group_t *self)
{
    uint64_t acked = 0;
    for (size_t i = 0; i < SEATS_MAX; i++)
        acked = self->seats[i].page->acked > acked ? self->seats[i].page->acked : acked;
    return acked;
}

static bool all_agree (const group_t *self, uint64_t least)
{
    const seat_page_t *first = NULL;
    for (size_t i = 0; i < SEATS_MAX; i++) {
        const seat_page_t *one = self->seats[i].page;
        if (!self->seats[i].pid || one->seeking || one->member_count == 0)
            continue;
        first = first ? first : one;
        if (one->state != first->state || one->digest != first->digest || one->state < least)
            return false;
    }
    return first != NULL;
}

void group_agree (group_t *self, uint64_t least)
{
    WAIT_FOR (all_agree (self, least), 20000);
}

bool seat_said (const group_t *self, size_t number, const char *text)
{
    return strstr (self->seats[number].page->said, text) != NULL;
}
