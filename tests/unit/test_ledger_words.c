/*  What masters say to each other and write down about each other, as bytes: nothing that is changed, cut or made up gets
 *  through. The processes behind it are test_ledger_group.c's and test_ledger_strangers.c's.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger_node.h"
#include "master/raft_bytes.h"
#include "master/raft_hello.h"
#include "master/raft_identity.h"
#include "master/raft_wire.h"
#include "ringmaster/error.h"

/* ---- addresses -------------------------------------------------------------------------------------------------- */

Test (ledger_words, an_address_is_a_host_and_a_port)
{
    char host[RM_RAFT_ADDRESS_BYTES_MAX + 1], port[6], long_one[400];
    const char *good[][3] = {{"127.0.0.1:0", "127.0.0.1", "0"},
                             {"a.example:65535", "a.example", "65535"},
                             {"[::1]:7", "::1", "7"},
                             {"[fe80::1%eth0]:7411", "fe80::1%eth0", "7411"},
                             {"[10.0.0.1]:7411", "10.0.0.1", "7411"}};
    const char *bad[] = {"",        ":",     "host",   "host:", ":7",      "host:65536", "host:-1",
                         "host:7x", "::1:7", "[::1]",  "[]:7",  "[::1:7",  "a b:7",      "a#b:7",
                         "a,b:7",   "a=b:7", "a\tb:7", "a/b:7", "host: 7", "host:007777"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert (rm_raft_address_split (good[i][0], host, port), "%s", good[i][0]);
        cr_assert_str_eq (host, good[i][1]);
        cr_assert_str_eq (port, good[i][2]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_not (rm_raft_address_split (bad[i], host, port), "%s", bad[i]);
    memset (long_one, 'x', sizeof long_one);
    strcpy (long_one + 254, ":7");
    cr_assert_not (rm_raft_address_split (long_one, host, port));
    strcpy (long_one + 253, ":7");
    cr_assert (rm_raft_address_split (long_one, host, port));
}

Test (ledger_words, loopback_is_127_and_1_and_nothing_else)
{
    const char *local[] = {"127.0.0.1", "127.255.3.4", "::1", "::ffff:127.0.0.1"};
    const char *others[] = {"0.0.0.0", "128.0.0.1", "10.0.0.1", "::", "::2", "fe80::1", "::ffff:10.0.0.1"};
    struct sockaddr_storage address;
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        cr_assert (rm_raft_address_is_numeric (local[i], "7", &address));
        cr_assert (rm_raft_address_is_loopback ((struct sockaddr *)&address), "%s", local[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        cr_assert (rm_raft_address_is_numeric (others[i], "7", &address));
        cr_assert_not (rm_raft_address_is_loopback ((struct sockaddr *)&address), "%s", others[i]);
    }
    cr_assert_not (rm_raft_address_is_numeric ("localhost", "7", &address));
}

/* ---- rosters ---------------------------------------------------------------------------------------------------- */

static rm_raft_roster_t three (void)
{
    rm_raft_roster_t roster = {.count = 3};
    for (size_t i = 0; i < 3; i++) {
        roster.members[i].id = i + 1;
        memset (roster.members[i].disk, 16 + (int)i, RM_RAFT_DISK_BYTES);
        sprintf (roster.members[i].address, i == 1 ? "[::1]:%zu" : "10.0.0.1:%zu", 7000 + i);
    }
    return roster;
}

Test (ledger_words, a_roster_comes_back_and_a_cut_or_longer_one_does_not)
{
    uint8_t bytes[RM_RAFT_ROSTER_BYTES_MAX + 8] = {0};
    rm_raft_roster_t roster = three (), read;
    size_t size = rm_raft_roster_put (&roster, bytes);
    cr_assert (rm_raft_roster_get (&read, bytes, size));
    cr_assert_eq (memcmp (&read, &roster, sizeof read), 0);
    for (size_t cut = 0; cut < size; cut++)
        cr_assert_not (rm_raft_roster_get (&read, bytes, cut), "%zu", cut);
    cr_assert_not (rm_raft_roster_get (&read, bytes, size + 1));
    roster.members[2].id = 1;
    cr_assert_not (rm_raft_roster_get (&read, bytes, rm_raft_roster_put (&roster, bytes)), "one id twice");
    memset (bytes, 0xff, 8);
    cr_assert_not (rm_raft_roster_get (&read, bytes, size));
}

Test (ledger_words, a_members_name_holds_address_and_disk)
{
    char name[RM_RAFT_NAME_OF_MEMBER_BYTES];
    rm_raft_roster_t roster = three ();
    rm_raft_member_t read;
    rm_raft_member_name (name, roster.members[1].address, roster.members[1].disk);
    cr_assert_str_eq (name, "[::1]:7001#11111111111111111111111111111111");
    rm_raft_member_parse (&read, 2, name);
    cr_assert_eq (memcmp (&read, &roster.members[1], sizeof read), 0);
    rm_raft_member_parse (&read, 2, "10.0.0.1:7"); /* as groups of one had it */
    cr_assert_str_eq (read.address, "10.0.0.1:7");
    cr_assert_eq (read.disk[0], 0);
}

Test (ledger_words, a_group_as_libraft_spells_it_is_told_from_half_of_one)
{
    struct raft_configuration group;
    struct raft_buffer bytes;
    rm_raft_roster_t roster = three ();
    cr_assert_eq (rm_raft_roster_configure (&roster, &group), 0);
    cr_assert_eq (raft_configuration_encode (&group, &bytes), 0);
    cr_assert (rm_raft_group_is_valid (bytes.base, bytes.len));
    for (size_t cut = 0; cut + 8 < bytes.len; cut++) {
        uint8_t *copy = malloc (cut ? cut : 1); /* so that a sanitizer sees a byte too many */
        memcpy (copy, bytes.base, cut);
        cr_assert_not (rm_raft_group_is_valid (copy, cut), "%zu", cut);
        free (copy);
    }
    ((uint8_t *)bytes.base)[1] = 200;
    cr_assert_not (rm_raft_group_is_valid (bytes.base, bytes.len), "more than there are");
    raft_free (bytes.base);
    raft_configuration_close (&group);
}

/* ---- identity --------------------------------------------------------------------------------------------------- */

Test (ledger_words, an_identity_comes_back_and_a_changed_one_is_refused)
{
    char path[PATH_MAX], error[512];
    rm_raft_dir_t dir;
    uint8_t *data;
    size_t size;
    rm_raft_identity_t read, identity = {.membership = RM_RAFT_JOINED, .id = 7, .generation = 3, .grouped = true};
    identity.founders = three ();
    memset (identity.disk, 0xd1, sizeof identity.disk);
    memset (identity.cluster, 0xc1, sizeof identity.cluster);
    node_directory (path);
    cr_assert_eq (rm_raft_dir_open (&dir, path, error, sizeof error), 0);
    cr_assert_eq (rm_raft_identity_read (&read, &dir), RM_EUNKNOWN);
    cr_assert_eq (rm_raft_identity_write (&identity, &dir), 0);
    cr_assert_eq (rm_raft_identity_read (&read, &dir), 0);
    cr_assert_eq (memcmp (&read, &identity, sizeof read), 0);
    cr_assert_eq (rm_raft_dir_read (&dir, RM_RAFT_IDENTITY_NAME, &data, &size), 0);
    for (size_t i = 0; i < size; i += 3) {
        data[i] ^= 1 << i % 8;
        cr_assert_eq (rm_raft_dir_write (&dir, RM_RAFT_IDENTITY_NAME, data, size), 0);
        cr_assert_eq (rm_raft_identity_read (&read, &dir), RM_ECORRUPT, "byte %zu", i);
        data[i] ^= 1 << i % 8;
    }
    cr_assert_eq (rm_raft_dir_write (&dir, RM_RAFT_IDENTITY_NAME, data, size / 2), 0);
    cr_assert_eq (rm_raft_identity_read (&read, &dir), RM_ECORRUPT);
    free (data);
    rm_raft_dir_close (&dir);
    node_remove (path);
}

/* ---- the hello -------------------------------------------------------------------------------------------------- */

typedef struct {
    rm_raft_hello_t dials, listens;
    uint8_t greeting[RM_RAFT_GREETING_BYTES], proof[RM_RAFT_PROOF_BYTES];
    uint8_t wish[RM_RAFT_STATEMENT_BYTES_MAX], verdict[RM_RAFT_STATEMENT_BYTES_MAX];
    size_t wish_size, verdict_size;
} talk_t;

static uint8_t key[RM_RAFT_KEY_BYTES];

static rm_raft_statement_t statement (unsigned code)
{
    rm_raft_statement_t made = {
        .code = code, .to = 2, .facts.generation = 1, .facts.group_index = 77, .founders = three ()};
    made.facts.member = made.founders.members[0];
    memset (made.facts.cluster, 0xcc, sizeof made.facts.cluster);
    made.facts.peers_hash = 0x123456789abcdef0;
    return made;
}

static void talk (talk_t *self)
{
    rm_raft_statement_t wish = statement (RM_RAFT_TALK), verdict = statement (RM_RAFT_WELCOME), read;
    rm_raft_hello_key (key, "sixteen and more letters", 24);
    rm_raft_hello_greet (&self->dials, self->greeting);
    cr_assert_null (rm_raft_hello_prove (&self->listens, key, self->greeting, self->proof));
    cr_assert_null (rm_raft_hello_check (&self->dials, key, self->proof));
    self->wish_size = rm_raft_hello_state (&self->dials, key, false, &wish, self->wish);
    cr_assert_eq (rm_raft_hello_size (self->wish), self->wish_size);
    cr_assert_null (rm_raft_hello_read (&self->listens, key, false, self->wish, self->wish_size, &read));
    cr_assert_eq (memcmp (&read, &wish, sizeof read), 0);
    self->verdict_size = rm_raft_hello_state (&self->listens, key, true, &verdict, self->verdict);
    cr_assert_null (rm_raft_hello_read (&self->dials, key, true, self->verdict, self->verdict_size, &read));
    cr_assert_eq (memcmp (&read, &verdict, sizeof read), 0);
}

Test (ledger_words, a_hello_of_which_one_bit_was_changed_is_refused)
{
    talk_t talked;
    rm_raft_statement_t read;
    talk (&talked);
    for (size_t bit = 0; bit < 8 * RM_RAFT_PROOF_BYTES; bit++) {
        rm_raft_hello_t dials = talked.dials;
        talked.proof[bit / 8] ^= 1 << bit % 8;
        cr_assert_not_null (rm_raft_hello_check (&dials, key, talked.proof), "bit %zu", bit);
        talked.proof[bit / 8] ^= 1 << bit % 8;
    }
    for (size_t bit = 0; bit < 8 * talked.wish_size; bit++) {
        rm_raft_hello_t listens = talked.listens;
        talked.wish[bit / 8] ^= 1 << bit % 8;
        cr_assert_not_null (rm_raft_hello_read (&listens, key, false, talked.wish, talked.wish_size, &read), "bit %zu",
                            bit);
        talked.wish[bit / 8] ^= 1 << bit % 8;
    }
    for (size_t bit = 0; bit < 8 * talked.verdict_size; bit++) {
        rm_raft_hello_t dials = talked.dials;
        talked.verdict[bit / 8] ^= 1 << bit % 8;
        cr_assert_not_null (rm_raft_hello_read (&dials, key, true, talked.verdict, talked.verdict_size, &read));
        talked.verdict[bit / 8] ^= 1 << bit % 8;
    }
}

Test (ledger_words, what_was_heard_is_worth_nothing_another_time_or_the_other_way_round)
{
    talk_t before, now;
    rm_raft_statement_t read;
    uint8_t other[RM_RAFT_KEY_BYTES];
    talk (&before);
    talk (&now);
    rm_raft_hello_t dials = now.dials, listens = now.listens;
    cr_assert_not_null (rm_raft_hello_check (&dials, key, before.proof));
    cr_assert_not_null (rm_raft_hello_read (&listens, key, false, before.wish, before.wish_size, &read));
    cr_assert_not_null (rm_raft_hello_read (&dials, key, true, before.verdict, before.verdict_size, &read));
    dials = now.dials;
    cr_assert_not_null (rm_raft_hello_read (&dials, key, true, now.wish, now.wish_size, &read), "sent back");
    cr_assert_not_null (rm_raft_hello_read (&listens, key, false, now.verdict, now.verdict_size, &read));
    rm_raft_hello_key (other, "sixteen and more lettres", 24);
    cr_assert_not_null (rm_raft_hello_check (&dials, other, now.proof));
    cr_assert_not_null (rm_raft_hello_read (&listens, other, false, now.wish, now.wish_size, &read));
}

Test (ledger_words, a_statement_is_as_long_as_one_can_be)
{
    uint8_t size[4];
    rm_raft_put32 (size, RM_RAFT_STATEMENT_BYTES_MAX);
    cr_assert_eq (rm_raft_hello_size (size), RM_RAFT_STATEMENT_BYTES_MAX);
    rm_raft_put32 (size, RM_RAFT_STATEMENT_BYTES_MAX + 1);
    cr_assert_eq (rm_raft_hello_size (size), 0);
    rm_raft_put32 (size, RM_RAFT_STATEMENT_FIXED_BYTES + RM_RAFT_MAC_BYTES - 1);
    cr_assert_eq (rm_raft_hello_size (size), 0);
    memset (size, 0xff, sizeof size);
    cr_assert_eq (rm_raft_hello_size (size), 0);
}

/* ---- libraft's messages ----------------------------------------------------------------------------------------- */

enum { COUNT = 5 };

/* Five entries of term 3, the fourth a change of the group, after entry 10 of term 2. */
static size_t entries_header (uint8_t *bytes, const struct raft_buffer *change)
{
    memset (bytes, 0, 16 + 48 + 16 * COUNT);
    bytes[0] = RAFT_APPEND_ENTRIES;
    rm_raft_put64 (bytes + 8, 48 + 16 * COUNT);
    rm_raft_put64 (bytes + 16, 3);
    rm_raft_put64 (bytes + 24, 10);
    rm_raft_put64 (bytes + 32, 2);
    rm_raft_put64 (bytes + 40, 9);
    rm_raft_put64 (bytes + 48, COUNT);
    for (int i = 0; i < COUNT; i++) {
        rm_raft_put64 (bytes + 56 + 16 * i, 3);
        bytes[64 + 16 * i] = i == 3 ? RAFT_CHANGE : RAFT_COMMAND;
        rm_raft_put32 (bytes + 68 + 16 * i, i == 3 ? change->len : 8 * (size_t)(i + 1));
    }
    return 48 + 16 * COUNT;
}

static struct raft_buffer make_change (void)
{
    struct raft_configuration group;
    struct raft_buffer bytes;
    rm_raft_roster_t roster = three ();
    rm_raft_roster_configure (&roster, &group);
    raft_configuration_encode (&group, &bytes);
    raft_configuration_close (&group);
    return bytes;
}

Test (ledger_words, entries_are_read_and_cut_before_a_change_of_the_group)
{
    uint8_t bytes[256];
    struct raft_buffer change = make_change ();
    struct raft_message message, rest;
    uint64_t size;
    size_t header = entries_header (bytes, &change);
    cr_assert_eq (rm_raft_wire_begin (bytes, false), header);
    cr_assert_null (rm_raft_wire_header (bytes, bytes + 16, header, &message, &size));
    cr_assert_eq (size, 8 + 16 + 24 + change.len + 40);
    uint8_t *payload = raft_malloc (size);
    for (uint64_t i = 0; i < size; i++)
        payload[i] = i;
    memcpy (payload + 48, change.base, change.len);
    cr_assert_null (rm_raft_wire_payload (&message, payload));
    cr_assert_eq (rm_raft_wire_cut (&message, 3, &rest), 0);
    const struct raft_append_entries *first = &message.append_entries, *second = &rest.append_entries;
    cr_assert_eq (first->n_entries, 3);
    cr_assert_eq (first->prev_log_index, 10);
    cr_assert_eq (second->n_entries, 2);
    cr_assert_eq (second->prev_log_index, 13);
    cr_assert_eq (second->prev_log_term, 3);
    cr_assert_eq (second->leader_commit, 9);
    cr_assert_neq (second->entries[0].batch, first->entries[0].batch);
    cr_assert_eq (memcmp (second->entries[0].buf.base, change.base, change.len), 0);
    cr_assert_eq (((uint8_t *)second->entries[1].buf.base)[0], (uint8_t)(48 + change.len));
    rm_raft_wire_drop (&message);
    rm_raft_wire_drop (&rest);
    raft_free (change.base);
}

Test (ledger_words, entries_that_cannot_be_are_refused_before_memory_is_taken)
{
    uint8_t bytes[256];
    struct raft_buffer change = make_change ();
    struct raft_message message;
    uint64_t size;
    size_t header = entries_header (bytes, &change);
    struct {
        size_t at;
        uint64_t value;
        const char *why;
    } bad[] = {{48, 6, "more than there are"},   {48, UINT64_MAX, "without end"}, {48, (uint64_t)1 << 60, "goes round"},
               {24, UINT64_MAX, "an index"},     {16, UINT64_MAX, "a term"},      {32, 0, "an entry without a term"},
               {32, 4, "a term after this one"}, {56, 1, "a term goes back"},     {56, 4, "a term after the leader's"},
               {68, 12, "a length not of 8"},    {68, 0, "an empty entry"},       {68, 0xfffffff8, "4 GiB"},
               {64, RAFT_CHANGE + 1, "a kind"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t changed[256];
        memcpy (changed, bytes, sizeof changed);
        if (bad[i].at == 64)
            changed[64] = bad[i].value;
        else if (bad[i].at == 68)
            rm_raft_put32 (changed + 68, bad[i].value);
        else
            rm_raft_put64 (changed + bad[i].at, bad[i].value);
        cr_assert_not_null (rm_raft_wire_header (changed, changed + 16, header, &message, &size), "%s", bad[i].why);
    }
    raft_free (change.base);
}

Test (ledger_words, a_snapshots_header_comes_back)
{
    struct raft_message message = {.type = RAFT_INSTALL_SNAPSHOT}, read;
    struct raft_install_snapshot *args = &message.install_snapshot;
    rm_raft_roster_t roster = three ();
    size_t size;
    uint64_t payload;
    *args = (struct raft_install_snapshot){
        .term = 9, .last_index = 100, .last_term = 8, .conf_index = 50, .data.len = 12345};
    rm_raft_roster_configure (&roster, &args->conf);
    uint8_t *bytes = rm_raft_wire_ship (args, &size);
    cr_assert_eq (rm_raft_wire_begin (bytes, true), size - 16);
    cr_assert_eq (rm_raft_wire_begin (bytes, false), 0, "over a line for messages");
    cr_assert_null (rm_raft_wire_header (bytes, bytes + 16, size - 16, &read, &payload));
    cr_assert_eq (payload, 12345);
    cr_assert_eq (read.install_snapshot.last_index, 100);
    cr_assert_eq (read.install_snapshot.last_term, 8);
    cr_assert_eq (read.install_snapshot.conf_index, 50);
    cr_assert_eq (read.install_snapshot.conf.n, 3);
    rm_raft_wire_drop (&read);
    for (size_t cut = 16; cut < size - 24; cut++)
        if (rm_raft_wire_header (bytes, bytes + 16, cut - 16, &read, &payload) == NULL)
            cr_assert_fail ("%zu", cut);
    raft_configuration_close (&args->conf);
    raft_free (bytes);
}

Test (ledger_words, noise_is_read_without_harm)
{
    unsigned seed = getenv ("RM_SEED") ? (unsigned)atoi (getenv ("RM_SEED")) : (unsigned)getpid ();
    struct raft_buffer change = make_change ();
    cr_log_info ("seed %u", seed);
    for (int round = 0; round < 200000; round++) {
        struct raft_message message;
        uint64_t payload;
        size_t size = 16 + rand_r (&seed) % 200;
        uint8_t *bytes = malloc (16 + size);
        if (round % 2 == 0)
            for (size_t i = 0; i < 16 + size; i++)
                bytes[i] = rand_r (&seed) % 4 ? 0 : rand_r (&seed);
        else {
            uint8_t good[256];
            entries_header (good, &change);
            memcpy (bytes, good, 16 + size);
            for (int i = rand_r (&seed) % 4; i >= 0; i--)
                bytes[rand_r (&seed) % (16 + size)] ^= 1 << rand_r (&seed) % 8;
        }
        bytes[0] = 1 + rand_r (&seed) % 6;
        bytes[2] %= 3;
        if (!rm_raft_wire_header (bytes, bytes + 16, size, &message, &payload)) {
            cr_assert_leq (payload, message.type == RAFT_INSTALL_SNAPSHOT ? RM_RAFT_SHIPPED_BYTES_MAX
                                                                          : (uint64_t)RM_RAFT_ENTRIES_BYTES_MAX);
            rm_raft_wire_drop (&message);
        }
        free (bytes);
    }
    raft_free (change.base);
}
