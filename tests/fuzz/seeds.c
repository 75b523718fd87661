/*  Writes inputs to begin with, for targets whose format is hard to hit blindly: fuzz_seeds DIR makes DIR/<target>/<n>.
 *
 *  What is written follows the code: a new message, or a new entry, is in the corpus after the next run of scripts/fuzz.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/snapshot.h"
#include "core/splitmix.h"
#include "fuzz.h"
#include "fuzz_entries.h"
#include "master/raft_bytes.h"
#include "master/raft_hello.h"
#include "master/raft_wire.h"
#include "msg_samples.h"
#include "proto/news.h"

static const char *folder;

static void seed (const char *target, const void *data, size_t size)
{
    static int number;
    char path[4096];
    snprintf (path, sizeof path, "%s/%s", folder, target);
    mkdir (path, 0777);
    snprintf (path, sizeof path, "%s/%s/seed-%03d", folder, target, number++);
    FILE *file = fopen (path, "wb");
    CLAIM (file && fwrite (data, 1, size, file) == size && !fclose (file), "%s", path);
}

static void seed_text (const char *target, const char *text)
{
    seed (target, text, strlen (text));
}

/* Texts behind a byte that chooses what they are for. */
static void seed_behind (const char *target, uint8_t first, const void *data, size_t size)
{
    rm_buf_t buf = {0};
    rm_buf_put (&buf, &first, 1);
    rm_buf_put (&buf, data, size);
    seed (target, buf.data, buf.size);
    rm_buf_close (&buf);
}

static void messages (void)
{
    samples_init ();
    for (int n = 0; n < SAMPLES; n++) {
        rm_msg_t msg = sample_message (n);
        rm_buf_t frame = {0};
        CLAIM (!rm_msg_encode (&msg, &frame));
        seed ("msg", frame.data, frame.size);
        seed ("scan", frame.data, frame.size);
        rm_buf_put (&frame, "\xc0", 1); /* one byte too many */
        if (n == 0)
            seed ("msg", frame.data, frame.size);
        rm_buf_close (&frame);
    }
}

/* Stories of random entries: their decisions, the log they make, and the snapshot at their end. */
static void stories (void)
{
    static rm_state_t state;
    for (uint64_t n = 1; n <= 24; n++) {
        uint8_t decisions[400];
        uint64_t random = n, epoch = 0;
        rm_buf_t batch = {0}, log = {0};
        for (size_t i = 0; i < sizeof decisions; i++)
            decisions[i] = (uint8_t)rm_splitmix (&random);
        seed_behind ("entry", 1, decisions, sizeof decisions / (n < 12 ? 4 : 1));
        CLAIM (!rm_state_init (&state));
        fuzz_input_t input = {decisions, decisions + sizeof decisions};
        while (fuzz_more (&input)) {
            rm_buf_clear (&batch);
            rm_entry_batch (&batch, 1000 + n);
            fuzz_write_entry (&input, &batch, &epoch);
            CLAIM (!rm_state_apply (&state, batch.data, batch.size));
            uint8_t length[2] = {(uint8_t)batch.size, (uint8_t)(batch.size >> 8)};
            rm_buf_put (&log, length, sizeof length);
            rm_buf_put (&log, batch.data, batch.size);
        }
        if (n % 4 == 0)
            seed_behind ("entry", 0, log.data, log.size < 2000 ? log.size : 2000);
        size_t count;
        rm_snapshot_t *snapshot = rm_snapshot_take (&state);
        const rm_part_t *parts = rm_snapshot_parts (snapshot, &count);
        rm_buf_clear (&log);
        for (size_t i = 0; i < count; i++)
            rm_buf_put (&log, parts[i].data, parts[i].size);
        if (log.size < 4000)
            seed ("snapshot", log.data, log.size);
        rm_snapshot_destroy (&snapshot);
        rm_state_close (&state);
        rm_buf_close (&batch);
        rm_buf_close (&log);
    }
}

static void texts (void)
{
    static const char *const endpoints[] = {"127.0.0.1:5550", "tcp://[::1]:5551,tcp://host-1.example:65535", "a:1,b:2",
                                            "tcp://[fe80::1%eth0]:1"};
    static const char *const points[] = {"a=kill", "ab=stop@3,sync.phase2.sent=delay:200@1000000", "aim=delay:1"};
    static const char session[] = "000102030405060708090a0b0c0d0e0f:7:6:1f:1699999999000";
    static const char lines[][64] = {"submit\0a\0--key\0k\0--wait\0--tries=3",
                                     "--json\0wait\0"
                                     "7\0--\0--8",
                                     "serve\0-q\0a=b\0--queue=c=d\0-p0\0--name\0x",
                                     "--data\0d\0--port\0"
                                     "0\0--keep\0"
                                     "1000",
                                     "--help",
                                     "submit\0--version",
                                     "-j\0serve\0--help",
                                     "--data=d\0--bind\0::1\0--insecure"};
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++)
        seed_text ("endpoint", endpoints[i]);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        seed_text ("failpoint", points[i]);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        seed ("options", lines[i], sizeof lines[i] - 1);
    seed_text ("seqs", session);
    seed_text ("seqs", "ffffffffffffffffffffffffffffffff:18446744073709551615:18446744073709551614:0:1700000000000");
    seed_text ("raft_batch", "RMBATCH");
    seed_text ("raft_batch", "RMSTATE");
}

static void requests (void)
{
    seed_text ("http", "GET /status HTTP/1.1\r\nHost: a\r\n\r\n");
    seed_text ("http", "HEAD /metrics?x=1&y=%20 HTTP/1.0\r\n\r\n");
    seed_text ("http", "POST /status HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    seed_text ("http",
               "GET /long HTTP/1.1\r\nHost: a\r\n\r\nGET /broken HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    seed_text ("http", "PUT /status HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
}

static void answers (void)
{
    static const char *const texts[] = {
        "{\"leader\":true,\"term\":3,\"epoch\":2,\"uptime_ms\":90061000,\"jobs\":{\"waiting\":1,\"running\":2,\"done\":"
        "3,"
        "\"dead\":0,\"accepted\":6},\"bytes\":123456789,\"sessions\":1,\"resize\":{\"phase\":1,\"epoch\":2},\"ledger\":"
        "{\"batches\":9,\"bytes\":4096,\"snapshots\":0},\"endpoints\":{\"jobs\":\"tcp://"
        "a:1\",\"work\":\"\\u001b[31m\"},"
        "\"workers\":1,\"queues\":[{\"name\":\"q\",\"pool\":\"default\",\"waiting\":1,\"workers\":0}]}",
        "{\"workers\":[{\"name\":\"w1\",\"pool\":\"p\",\"state\":\"live\",\"queues\":[\"a\",\"b\",7],\"threads\":4,"
        "\"slots\":"
        "16384,\"inflight\":1,\"window\":8,\"done\":2,\"last_heard_ms\":12}]}",
        "{\"epoch\":2,\"pools\":[{\"name\":\"p\",\"slots\":16384,\"moving\":0,\"members\":[{\"name\":\"w\",\"inc\":"
        "\"ab\","
        "\"slots\":8192}]}]}",
        "{\"jobs\":[{\"id\":7,\"queue\":\"q\",\"key\":\"\\u0007k\",\"state\":\"delayed\",\"worker\":\"w\",\"attempt\":"
        "1,"
        "\"age_ms\":1}]}",
        "{\"text\":\"Waits for \\u009b2J.\",\"state\":\"waiting\"}",
        "{\"worker\":\"w\",\"text\":\"leaves\"}",
    };
    for (uint8_t i = 0; i < sizeof texts / sizeof *texts; i++)
        seed_behind ("ctl", i, texts[i], strlen (texts[i]));
    seed_behind ("ctl", 6, texts[4], strlen (texts[4]));
    seed_behind ("ctl", 0x80 | 6, texts[4], strlen (texts[4]));
    for (uint32_t phase = 1; phase <= 3; phase++) {
        rm_msg_t msg = sample_sync (true, phase);
        rm_buf_t frame = {0}, all = {0};
        CLAIM (!rm_msg_encode (&msg, &frame));
        uint8_t length[2] = {(uint8_t)frame.size, (uint8_t)(frame.size >> 8)};
        rm_buf_put (&all, length, sizeof length);
        rm_buf_put (&all, frame.data, frame.size);
        seed_behind ("ctl", 7, all.data, all.size);
        rm_buf_close (&frame);
        rm_buf_close (&all);
    }
}

/* ---- between masters --------------------------------------------------------------------------------------------- */

static rm_raft_roster_t three (void)
{
    rm_raft_roster_t roster = {.count = 3};
    for (uint8_t i = 0; i < roster.count; i++) {
        roster.members[i].id = i + 1u;
        memset (roster.members[i].disk, 0xd0 + i, RM_RAFT_DISK_BYTES);
        snprintf (roster.members[i].address, sizeof roster.members[i].address, "10.0.0.%d:7", i + 1);
    }
    return roster;
}

/* A message behind the byte that says over which line it comes: its header as numbers of eight bytes, then its payload. */
static void wire (uint8_t type, const uint64_t *header, size_t count, const void *payload, size_t size)
{
    uint8_t bytes[1 + RM_RAFT_PREAMBLE_BYTES + 128] = {0, type}, *at = bytes + 1 + RM_RAFT_PREAMBLE_BYTES;
    rm_buf_t all = {0};
    rm_raft_put64 (bytes + 9, count * 8);
    for (size_t i = 0; i < count; i++)
        rm_raft_put64 (at + 8 * i, header[i]);
    rm_buf_put (&all, bytes, 1 + RM_RAFT_PREAMBLE_BYTES + 8 * count);
    rm_buf_put (&all, "", 1); /* where entries are cut */
    rm_buf_put (&all, payload, size);
    seed ("raft_wire", all.data, all.size);
    rm_buf_close (&all);
}

static void libraft_says (void)
{
    static const uint64_t answer[] = {3, 0, 10, 1}, vote[] = {3, 2, 10, 2, 1}, voted[] = {3, 1, 1}, now[] = {3, 10, 2};
    rm_raft_roster_t roster = three ();
    struct raft_install_snapshot snapshot = {
        .version = 1, .term = 3, .last_index = 9, .last_term = 2, .conf_index = 1, .data.len = 64};
    struct raft_buffer group;
    size_t size;
    CLAIM (!rm_raft_roster_configure (&roster, &snapshot.conf) && !raft_configuration_encode (&snapshot.conf, &group));
    uint8_t *head = rm_raft_wire_ship (&snapshot, &size);
    CLAIM (head);
    seed_behind ("raft_wire", 1, head, size);
    /* Two entries of term 3 after entry 10 of term 2; the second one changes the group. */
    const uint64_t kinds[] = {RAFT_COMMAND, RAFT_CHANGE};
    uint64_t entries[] = {3, 10, 2, 9, 2, 3, kinds[0] | 8ull << 32, 3, kinds[1] | (uint64_t)group.len << 32};
    uint8_t payload[1024] = {0};
    CLAIM (group.len <= sizeof payload - 8);
    memcpy (payload + 8, group.base, group.len);
    wire (RAFT_APPEND_ENTRIES, entries, sizeof entries / 8, payload, 8 + group.len);
    wire (RAFT_APPEND_ENTRIES, (const uint64_t[]){3, 10, 2, 9, 0}, 5, NULL, 0);
    wire (RAFT_APPEND_ENTRIES_RESULT, answer, sizeof answer / 8, NULL, 0);
    wire (RAFT_REQUEST_VOTE, vote, sizeof vote / 8, NULL, 0);
    wire (RAFT_REQUEST_VOTE_RESULT, voted, sizeof voted / 8, NULL, 0);
    wire (RAFT_TIMEOUT_NOW, now, sizeof now / 8, NULL, 0);
    raft_free (head);
    raft_free (group.base);
    raft_configuration_close (&snapshot.conf);
}

/* The target makes the MAC anew. */
static void masters_greet (void)
{
    static uint8_t bytes[1 + RM_RAFT_STATEMENT_BYTES_MAX];
    const uint8_t key[RM_RAFT_KEY_BYTES] = {0};
    rm_raft_statement_t said = {.code = RM_RAFT_WELCOME, .to = 2, .founders = three ()};
    said.facts.member = said.founders.members[0];
    rm_raft_hello_t hello;
    rm_raft_hello_greet (&hello, bytes);
    seed_behind ("raft_hello", 0, bytes, RM_RAFT_GREETING_BYTES);
    seed_behind ("raft_hello", 1, bytes, RM_RAFT_GREETING_BYTES);
    for (uint8_t verdict = 0; verdict < 2; verdict++) {
        size_t size = rm_raft_hello_state (&hello, key, verdict, &said, bytes + 1) - RM_RAFT_MAC_BYTES;
        *bytes = verdict;
        seed_behind ("raft_hello", 3, bytes, 1 + size);
        *bytes |= 2; /* the target sees to it that the sizes fit */
        seed_behind ("raft_hello", 3, bytes, 1 + size);
        seed_behind ("raft_hello", 2, bytes, 1 + size + RM_RAFT_MAC_BYTES);
        said.founders.count = 0;
    }
}

/* Decisions without a plan, for the targets that make a story of them. */
static void decisions (void)
{
    static const char *const targets[] = {"leader", "work", "pirate", "ledger"};
    uint8_t bytes[300];
    for (size_t t = 0; t < sizeof targets / sizeof *targets; t++)
        for (uint64_t n = 1; n <= 8; n++) {
            uint64_t random = n * 77 + t;
            for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = (uint8_t)rm_splitmix (&random);
            seed (targets[t], bytes, n <= 4 ? sizeof bytes / 4 : sizeof bytes);
        }
}

/* A frame behind its length, as fuzz_news takes them, several in one input. */
static void behind_length (rm_buf_t *all, rm_buf_t *frame)
{
    uint8_t length[2] = {(uint8_t)frame->size, (uint8_t)(frame->size >> 8)};
    rm_buf_put (all, length, sizeof length);
    rm_buf_put (all, frame->data, frame->size);
    rm_buf_clear (frame);
}

static void news (void)
{
    const rm_news_item_t items[] = {{rm_bytes ("t/a"), 1, rm_bytes ("x")}, {rm_bytes ("t/b"), 300, {0}}};
    rm_buf_t all = {0}, frame = {0};
    for (uint64_t seq = 1; seq < 6; seq += 2)
        for (uint64_t inc = 1; inc <= 2; inc++) {
            rm_news_item_t item = {rm_bytes ("t/a"), seq, seq == 3 ? (rm_bytes_t){0} : rm_bytes ("data")};
            CLAIM (!rm_news_encode (&item, inc, &frame));
            behind_length (&all, &frame);
            CLAIM (!rm_news_encode_kept (1, rm_bytes ("t/"), inc, (uint32_t)(seq / 2), seq == 5, items, 2, &frame));
            behind_length (&all, &frame);
            seed ("news", all.data, all.size);
        }
    rm_buf_close (&all);
    rm_buf_close (&frame);
}

int main (int argc, char **argv)
{
    if (argc != 2) {
        fprintf (stderr, "usage: fuzz_seeds DIR\n");
        return 2;
    }
    folder = argv[1];
    mkdir (folder, 0777);
    messages ();
    stories ();
    texts ();
    requests ();
    libraft_says ();
    masters_greet ();
    answers ();
    news ();
    decisions ();
    return 0;
}
