/* A ledger's other threads under load: snapshots, digests and backups read the owner's pieces at the same time, while the
 * state goes on, and snapshots and digests while the ledger closes. Under the thread sanitizer a piece that somebody
 * changes, or a result that is looked at too early, shows as a race. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
#include <xxhash.h>

#include "master/raft_ledger.h"

enum { STATE_BYTES = 512 << 10, BATCH_BYTES = 2000, LIVES = 6, BACKUPS = 8, DEADLINE_S = 60, DIGEST_REPEATS = 6000 };

#define CHECK(claim)                                                                                                   \
    do {                                                                                                               \
        if (!(claim)) {                                                                                                \
            fprintf (stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);                                       \
            exit (1);                                                                                                  \
        }                                                                                                              \
    } while (0)

/* libuv opens files in its threads and closes them by a bare system call, which the thread sanitizer does not see: when their
 * descriptor has become another's, it takes what is done with that for a use of theirs. */
__attribute__ ((visibility ("default"))) const char *__tsan_default_suppressions (void);
const char *__tsan_default_suppressions (void)
{
    return "race_top:epoll_ctl\n";
}

static uv_loop_t loop;
static rm_ledger_t *ledger;
static uint8_t state[STATE_BYTES];
static char dir[64];
static unsigned lent, most_lent, backups, upgraded, closed;
static size_t repeats = 1;         /* of the state in a snapshot */
static rm_ledger_backup_t *backup; /* that a thread reads; NULL: none */
static pthread_t reader;
static atomic_bool read_whole;

/* Every byte of a batch changes one of the state. */
static int apply (void *arg, const void *batch, size_t size)
{
    const uint8_t *bytes = batch;
    uint32_t at;
    (void)arg;
    memcpy (&at, bytes, sizeof at);
    for (size_t i = sizeof at; i < size; i++)
        state[(at + i * 257) % STATE_BYTES] += bytes[i];
    return 0;
}

static int restore (void *arg, const void *snapshot, size_t size)
{
    (void)arg;
    CHECK (size % STATE_BYTES == 0);
    memcpy (state, snapshot, STATE_BYTES);
    return 0;
}

static int snapshot (void *arg, rm_ledger_part_t **parts, size_t *count)
{
    (void)arg;
    uint8_t *copy = malloc (STATE_BYTES);
    *parts = malloc (2 * repeats * sizeof **parts);
    CHECK (copy && *parts);
    memcpy (copy, state, STATE_BYTES);
    for (size_t i = 0; i < repeats; i++) {
        (*parts)[2 * i] = (rm_ledger_part_t){copy, 1000};
        (*parts)[2 * i + 1] = (rm_ledger_part_t){copy + 1000, STATE_BYTES - 1000};
    }
    *count = 2 * repeats;
    lent++;
    most_lent = lent > most_lent ? lent : most_lent;
    return 0;
}

/* Nobody reads it any more, so it may be written to. */
static void snapshot_done (void *arg, rm_ledger_part_t *parts, size_t count)
{
    (void)arg;
    (void)count;
    memset ((void *)(uintptr_t)parts[0].data, 0xee, STATE_BYTES);
    free ((void *)(uintptr_t)parts[0].data);
    free (parts);
    lent--;
}

static void settled (void *arg, uint64_t ticket, int status)
{
    (void)arg;
    (void)ticket;
    (void)status;
}

static void role (void *arg, bool leader)
{
    (void)arg;
    (void)leader;
}

static void failed (void *arg, const char *sentence)
{
    (void)arg;
    fprintf (stderr, "%s\n", sentence);
    exit (1);
}

static void on_upgraded (void *arg, int status, const char *sentence)
{
    (void)arg;
    (void)sentence;
    upgraded += status == 0;
}

static void *read_backup (void *arg)
{
    static uint8_t piece[4096];
    uint64_t at = 0, checksum;
    size_t got;
    (void)arg;
    CHECK (rm_ledger_backup_seal (backup, &checksum) == 0);
    XXH3_state_t *sum = XXH3_createState ();
    XXH3_64bits_reset (sum);
    while ((got = rm_ledger_backup_read (backup, at, piece, sizeof piece)) > 0) {
        XXH3_64bits_update (sum, piece, got);
        at += got;
    }
    CHECK (at == rm_ledger_backup_bytes (backup) && XXH3_64bits_digest (sum) == checksum);
    XXH3_freeState (sum);
    atomic_store (&read_whole, true);
    return NULL;
}

static void begin_backup (void)
{
    atomic_store (&read_whole, false);
    if (rm_ledger_backup_new (ledger, &backup) == 0)
        CHECK (pthread_create (&reader, NULL, read_backup, NULL) == 0);
}

/* Waits for it. */
static void end_backup (void)
{
    pthread_join (reader, NULL);
    rm_ledger_backup_destroy (&backup);
    backups++;
}

static void on_closed (void *arg)
{
    (void)arg;
    closed++;
}

static void propose (unsigned *seed)
{
    uint8_t batch[BATCH_BYTES];
    rm_ledger_status_t status;
    rm_ledger_status (ledger, &status);
    for (size_t i = 0; i < sizeof batch; i++)
        batch[i] = rand_r (seed);
    uint64_t ticket;
    while (status.leader && status.inflight++ < 16)
        rm_ledger_propose (ledger, batch, sizeof batch, &ticket);
}

static void tick (uv_timer_t *timer)
{
    (void)timer;
}

static void begin (uint64_t snapshot_bytes)
{
    const rm_ledger_config_t config = {.dir = dir,
                                       .id = 1,
                                       .address = "127.0.0.1:7411",
                                       .segment_bytes = 256 << 10,
                                       .snapshot_bytes = snapshot_bytes,
                                       .digest_bytes = 64 << 10,
                                       .stuck_ms = 10000};
    const rm_ledger_events_t events = {NULL, apply, restore, snapshot, snapshot_done, settled, role, failed, NULL};
    ledger = rm_ledger_new (&loop, &config, &events);
    CHECK (ledger && rm_ledger_start (ledger) == 0);
}

static void end (void)
{
    unsigned before = closed;
    if (backup)
        end_backup ();
    rm_ledger_close (&ledger, on_closed, NULL);
    while (closed == before)
        uv_run (&loop, UV_RUN_ONCE);
    CHECK (lent == 0);
}

/* Works until all three were at work often enough, and closes in the midst of it. */
static void live (unsigned *seed)
{
    rm_ledger_status_t status = {0};
    uint64_t verified = 0, checks = 0;
    unsigned wanted = backups + BACKUPS;
    begin (256 << 10);
    while (backups < wanted || status.snapshots < 3 || checks < 3 || !lent) {
        uv_run (&loop, UV_RUN_ONCE);
        propose (seed);
        if (!upgraded)
            rm_ledger_upgrade (ledger, 2, on_upgraded, NULL);
        else if (!backup)
            begin_backup ();
        else if (atomic_load (&read_whole))
            end_backup ();
        rm_ledger_status (ledger, &status);
        checks += status.verified > verified;
        verified = status.verified;
    }
    end ();
}

/* The digest of much is waited for. */
static void close_during_a_digest (unsigned *seed)
{
    repeats = DIGEST_REPEATS;
    begin (1 << 30);
    while (!lent) {
        uv_run (&loop, UV_RUN_ONCE);
        propose (seed);
    }
    end ();
    repeats = 1;
}

int main (void)
{
    uv_timer_t timer;
    unsigned seed = 1;
    char command[256];
    alarm (DEADLINE_S);
    snprintf (dir, sizeof dir, "%s", "/tmp/rm-ledger-stress-XXXXXX");
    CHECK (mkdtemp (dir));
    uv_loop_init (&loop);
    uv_timer_init (&loop, &timer);
    uv_timer_start (&timer, tick, 5, 5);
    for (int i = 0; i < LIVES; i++)
        live (&seed);
    CHECK (most_lent >= 2);
    close_during_a_digest (&seed);
    uv_close ((uv_handle_t *)&timer, NULL);
    uv_run (&loop, UV_RUN_DEFAULT);
    CHECK (uv_loop_close (&loop) == 0);
    snprintf (command, sizeof command, "rm -rf %s", dir);
    CHECK (system (command) == 0);
    printf ("%d lives: %u backups, %u pieces at a time at most\n", LIVES, backups, most_lent);
    return 0;
}
