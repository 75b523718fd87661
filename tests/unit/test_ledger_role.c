/*  Who leads, and when the owner hears of it. Another leader's messages are given to libraft as they come from a line. */
#include <criterion/criterion.h>
#include <string.h>
#include <xxhash.h>

#include "ledger_node.h"
#include "master/raft_inside.h"

static char dir[PATH_MAX];
static node_t node;

static void open_one (void)
{
    node_directory (dir);
    cr_assert_eq (node_open (&node, dir, NULL), 0, "%s", node.failure);
}

static void clean (void)
{
    node_close (&node);
    node_remove (dir);
}

TestSuite (ledger_role, .init = open_one, .fini = clean, .timeout = 60);

/* What master 2, elected in the term after this one's, says: that it has these entries after `index`, of that term, and that
   all up to `committed` are committed. libraft frees the entries. It does not ask whether that master is of the group. */
static void hear (raft_index index, raft_term term, struct raft_entry *entries, unsigned count, raft_index committed)
{
    struct raft_message message = {
        .type = RAFT_APPEND_ENTRIES,
        .server_id = 2,
        .server_address = "127.0.0.1:1",
        .append_entries = {.version = 1,
                           .term = node.ledger->term + 1,
                           .prev_log_index = index,
                           .prev_log_term = term,
                           .leader_commit = committed,
                           .entries = entries,
                           .n_entries = count},
    };
    node.ledger->recv (&node.ledger->io, &message);
}

/* The next batch of the node, as master 2 logs it. */
static struct raft_entry *next_entry (void)
{
    uint64_t number = node.state + 1;
    rm_raft_link_t link;
    struct raft_entry *entry = raft_malloc (sizeof *entry);
    size_t bytes = rm_raft_batch_bytes (sizeof number);
    uint8_t *batch = raft_malloc (bytes);
    memcpy (batch + RM_RAFT_BATCH_HEADER_BYTES, &number, sizeof number);
    rm_raft_batch_seal (batch, sizeof number, &node.ledger->applied, &link);
    *entry = (struct raft_entry){
        .term = node.ledger->term + 1, .type = RAFT_COMMAND, .buf = {.base = batch, .len = bytes}, .batch = batch};
    return entry;
}

/* A snapshot of its own state, of one batch more, as master 2 would send it. libraft frees what it is given. */
static void hear_snapshot (void)
{
    rm_ledger_part_t *parts;
    size_t count, size = 0;
    node.state++;
    cr_assert_eq (node.ledger->events.snapshot (node.ledger->events.arg, &parts, &count), 0);
    node.state--;
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    uint8_t *bytes = raft_malloc (RM_RAFT_SNAPSHOT_HEADER_BYTES + size), *at = bytes + RM_RAFT_SNAPSHOT_HEADER_BYTES;
    for (size_t i = 0; i < count; at += parts[i++].size)
        memcpy (at, parts[i].data, parts[i].size);
    node.ledger->events.snapshot_done (node.ledger->events.arg, parts, count);
    rm_raft_snapshot_head_t head = {.link = node.ledger->applied, .size = size};
    head.link.number++;
    head.checksum = XXH3_64bits (bytes + RM_RAFT_SNAPSHOT_HEADER_BYTES, size);
    rm_raft_snapshot_seal (bytes, &head);
    struct raft_buffer buffer = {.base = bytes, .len = RM_RAFT_SNAPSHOT_HEADER_BYTES + size};
    cr_assert_eq (node.ledger->fsm.restore (&node.ledger->fsm, &buffer), 0, "%s", rm_ledger_error (node.ledger));
}

/* The node takes no batch that it did not propose as long as it believes that it leads. libraft hears of another leader,
   follows, and applies, all before the loop turns. */
Test (ledger_role, a_leader_is_told_that_it_leads_no_longer_before_it_applies_what_another_one_logged)
{
    cr_assert (node_put (&node, 3, 100));
    cr_assert (node.leader && node.state == 3);
    raft_index last = raft_last_index (&node.ledger->raft);
    raft_term term = node.ledger->term;
    hear (last, term, next_entry (), 1, last);
    hear (last + 1, term + 1, NULL, 0, last + 1);
    cr_assert_not (node.ledger->broken, "%s", rm_ledger_error (node.ledger));
    cr_assert_eq (node.state, 4, "libraft did not apply it at once, so that this shows nothing");
    cr_assert_not (node.leader);
}

/* The same with a snapshot. libraft restores it once it is on the disk; the ledger may not have looked at its role by then. */
Test (ledger_role, a_leader_is_told_that_it_leads_no_longer_before_it_restores_what_another_one_sent)
{
    cr_assert (node_put (&node, 3, 100));
    cr_assert (node.leader && node.state == 3);
    raft_index last = raft_last_index (&node.ledger->raft);
    raft_term term = node.ledger->term;
    hear (last, term, NULL, 0, last); /* libraft follows, and the loop has not turned */
    cr_assert (node.leader);
    hear_snapshot ();
    cr_assert_eq (node.state, 4);
    cr_assert_not (node.leader);
    cr_assert_not (node.led_at_restore);
}
