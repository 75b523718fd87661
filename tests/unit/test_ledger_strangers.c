/*  Who is let into a group of masters, and who is not: lost disks, other clusters, other secrets, and noise. */
#include "ledger_group.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ledger_node.h"
#include "master/raft_hello.h"
#include "master/raft_transport.h"
#include "ringmaster/error.h"

static group_t group;

static void open_three (void)
{
    group_init (&group, 3);
}

static void clean (void)
{
    group_close (&group);
}

TestSuite (ledger_strangers, .init = open_three, .fini = clean, .timeout = 120);

/* That much goes on as if nothing were there. */
static void goes_on (size_t leader)
{
    uint64_t acked = group_acked (&group), term = group.seats[leader].page->term;
    WAIT_FOR (group_acked (&group) > acked + 200, 20000);
    cr_assert (group.seats[leader].page->leader);
    cr_assert_eq (group.seats[leader].page->term, term);
}

static bool stays_out (size_t seat, unsigned ms)
{
    for (uint64_t until = group_now_ms () + ms; group_now_ms () < until; group_rest ())
        if (!group.seats[seat].page->seeking || group.seats[seat].page->leader)
            return false;
    return true;
}

/* ---- lost disks ------------------------------------------------------------------------------------------------- */

Test (ledger_strangers, a_master_whose_disk_was_wiped_is_refused_and_another_takes_its_place)
{
    static const char advice[] = "remove the number from the group, and add this machine under a new one";
    size_t leader = group_start (&group), wiped = (leader + 1) % 3;
    group_load (&group, 300);
    WAIT_FOR (group_acked (&group) > 200, 10000);
    seat_kill (&group, wiped);
    seat_wipe (&group, wiped);
    seat_start (&group, wiped);
    cr_assert_eq (group.seats[wiped].page->started, 0);
    WAIT_FOR (seat_said (&group, wiped, advice), 5000);
    WAIT_FOR (seat_said (&group, leader, "it was emptied or replaced"), 5000);
    cr_assert (stays_out (wiped, 1500));
    goes_on (leader);
    cr_assert_eq (group.seats[wiped].page->state, 0);
    seat_kill (&group, wiped);

    cr_assert_eq (group_change (&group, SEAT_REMOVE, group.seats[wiped].id, NULL), 0);
    seat_start (&group, 3);
    cr_assert_eq (group_change (&group, SEAT_ADD, 4, group.seats[3].address), 0);
    WAIT_FOR (group_votes (&group, 4), 30000);
    leader = group_leader (&group);
    seat_kill (&group, leader);
    size_t next = group_leader (&group);
    cr_assert_neq (next, leader);
    goes_on (next);
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}

/* The one that founded the cluster would do so again, if it believed its list of peers. */
Test (ledger_strangers, wiped_masters_do_not_found_a_second_cluster_while_one_remembers)
{
    group_start (&group);
    group_load (&group, 300);
    WAIT_FOR (group_acked (&group) > 200, 10000);
    for (size_t i = 0; i < 3; i++)
        seat_kill (&group, i);
    seat_wipe (&group, 0);
    seat_wipe (&group, 1);
    for (size_t i = 0; i < 3; i++)
        seat_start (&group, i);
    cr_assert (stays_out (0, 2500));
    cr_assert (group.seats[1].page->seeking);
    cr_assert_not (group.seats[2].page->leader);
}

Test (ledger_strangers, one_that_waits_can_be_closed_and_started_again)
{
    seat_start (&group, 0);
    seat_start (&group, 1);
    WAIT_FOR (group.seats[0].page->seeking && group.seats[1].page->seeking, 5000);
    seat_quit (&group, 0);
    seat_quit (&group, 1);
    size_t leader = group_start (&group);
    group_load (&group, 300);
    goes_on (leader);
    seat_start (&group, 3); /* one that waits to be added */
    WAIT_FOR (seat_said (&group, 3, "still to be added"), 5000);
    seat_quit (&group, 3);
}

Test (ledger_strangers, a_directory_whose_log_is_gone_is_refused_though_its_identity_is_left)
{
    size_t leader = group_start (&group), hurt = (leader + 1) % 3;
    group_load (&group, 300);
    WAIT_FOR (group_acked (&group) > 100, 10000);
    seat_kill (&group, hurt);
    node_shell ("cd %s && mv identity keep && rm -rf 0* open* metadata* acked snapshot* && mv keep identity",
                group.seats[hurt].dir);
    seat_start (&group, hurt);
    cr_assert_eq (group.seats[hurt].page->started, RM_ECORRUPT);
    cr_assert_not_null (strstr (group.seats[hurt].page->failure, "the other masters have what is lost here"), "%s",
                        group.seats[hurt].page->failure);
    group.seats[hurt].pid = 0;
    goes_on (leader);
}

static void hear (void *arg, const char *sentence)
{
    snprintf (arg, 2048, "%s", sentence);
}

Test (ledger_strangers, one_of_several_is_not_repaired_but_replaced)
{
    char said[2048] = "";
    size_t leader = group_start (&group), hurt = (leader + 1) % 3;
    group_load (&group, 3000);
    WAIT_FOR (group_acked (&group) > 500, 10000);
    seat_kill (&group, hurt);
    node_shell ("cd %s && rm $(ls 0* | head -n 2 | tail -n 1)", group.seats[hurt].dir);
    cr_assert_eq (rm_ledger_repair (group.seats[hurt].dir, hear, said), RM_ESTATE);
    cr_assert_not_null (strstr (said, "belongs to one of several masters"), "%s", said);
    goes_on (leader);
}

Test (ledger_strangers, masters_with_different_lists_do_not_found_a_cluster)
{
    seat_start (&group, 0);
    seat_start (&group, 1);
    group.listed = 2;
    seat_start (&group, 2); /* with {1, 2, 3} in another order of addresses */
    seat_kill (&group, 2);
    group.listed = 3;
    strcpy (group.seats[1].address, "127.9.9.9:7411");
    seat_start (&group, 2);
    WAIT_FOR (seat_said (&group, 0, "another list of peers"), 5000);
    cr_assert (stays_out (0, 1000) && stays_out (1, 100) && stays_out (2, 100));
}

/* ---- other clusters --------------------------------------------------------------------------------------------- */

Test (ledger_strangers, a_master_of_another_cluster_is_not_added)
{
    size_t leader = group_start (&group);
    group_load (&group, 300);
    group_t alone = group;
    alone.listed = 0; /* seat 3 with itself in the list */
    alone.listens = true;
    seat_start (&alone, 3);
    group.seats[3].pid = alone.seats[3].pid;
    WAIT_FOR (group.seats[3].page->leader, 5000);
    cr_assert_eq (seat_ask (&group, leader, SEAT_ADD, 4, group.seats[3].address), RM_EDENIED);
    WAIT_FOR (seat_said (&group, 3, "it belongs to another cluster"), 5000);
    goes_on (leader);
    cr_assert_eq (group.seats[leader].page->member_count, 3);
}

Test (ledger_strangers, a_group_of_one_grows_to_three)
{
    group.listed = 1;
    seat_start (&group, 0); /* it does not even listen */
    group_load (&group, 300);
    WAIT_FOR (group_acked (&group) > 300, 10000);
    seat_quit (&group, 0);
    group.listens = true;
    seat_start (&group, 0);
    cr_assert_eq (group.seats[0].page->started, 0, "%s", group.seats[0].page->failure);
    WAIT_FOR (group.seats[0].page->quorum, 5000);
    for (size_t i = 1; i < 3; i++) {
        seat_start (&group, i);
        cr_assert_eq (group_change (&group, SEAT_ADD, i + 1, group.seats[i].address), 0);
        WAIT_FOR (group_votes (&group, i + 1), 30000);
    }
    size_t leader = group_leader (&group);
    seat_kill (&group, leader);
    goes_on (group_leader (&group));
    seat_start (&group, leader);
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}

/* ---- strangers -------------------------------------------------------------------------------------------------- */

static int dial (size_t seat)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons (7411)};
    char host[64];
    snprintf (host, sizeof host, "%.*s", (int)strcspn (group.seats[seat].address, ":"), group.seats[seat].address);
    inet_pton (AF_INET, host, &to.sin_addr);
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq (connect (fd, (struct sockaddr *)&to, sizeof to), 0, "%s", strerror (errno));
    setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 5}, sizeof (struct timeval));
    return fd;
}

static bool is_closed (int fd)
{
    char byte;
    ssize_t got = recv (fd, &byte, 1, 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

static uint8_t key[RM_RAFT_KEY_BYTES];

/* Says hello as far as a statement; what the verdict was, 0: the line was closed. */
static unsigned say (size_t seat, const rm_raft_statement_t *mine, rm_raft_statement_t *theirs)
{
    uint8_t greeting[RM_RAFT_GREETING_BYTES], proof[RM_RAFT_PROOF_BYTES], bytes[RM_RAFT_STATEMENT_BYTES_MAX];
    rm_raft_hello_t hello;
    int fd = dial (seat);
    rm_raft_hello_greet (&hello, greeting);
    cr_assert_eq (send (fd, greeting, sizeof greeting, 0), (ssize_t)sizeof greeting);
    cr_assert_eq (recv (fd, proof, sizeof proof, MSG_WAITALL), (ssize_t)sizeof proof);
    bool trusted = rm_raft_hello_check (&hello, key, proof) == NULL;
    size_t size = rm_raft_hello_state (&hello, key, false, mine, bytes);
    cr_assert_eq (send (fd, bytes, size, 0), (ssize_t)size);
    ssize_t got = recv (fd, bytes, 4, MSG_WAITALL);
    unsigned verdict = 0;
    if (got == 4) {
        size = rm_raft_hello_size (bytes);
        cr_assert_eq (recv (fd, bytes + 4, size - 4, MSG_WAITALL), (ssize_t)size - 4);
        cr_assert_null (rm_raft_hello_read (&hello, key, true, bytes, size, theirs));
        verdict = theirs->code;
    }
    cr_assert_eq (trusted, verdict != 0, "who knows the secret hears a verdict, and nobody else");
    close (fd);
    return verdict;
}

static rm_raft_statement_t statement_of (size_t from, size_t to, unsigned wish)
{
    rm_raft_statement_t mine = {.code = wish, .to = group.seats[to].id};
    mine.facts.member.id = group.seats[from].id;
    strcpy (mine.facts.member.address, group.seats[from].address);
    memcpy (mine.facts.cluster, (const void *)group.seats[to].page->cluster, RM_RAFT_DISK_BYTES);
    mine.facts.generation = 1;
    return mine;
}

Test (ledger_strangers, a_peer_is_judged_by_cluster_number_and_disk)
{
    rm_raft_statement_t theirs, mine;
    size_t leader = group_start (&group), other = (leader + 1) % 3;
    group_load (&group, 300);
    rm_raft_hello_key (key, NULL, 0);
    mine = statement_of (other, leader, RM_RAFT_TALK);
    cr_assert_eq (say (leader, &mine, &theirs), RM_RAFT_OTHER_DISK);
    mine = statement_of (3, leader, RM_RAFT_TALK);
    cr_assert_eq (say (leader, &mine, &theirs), RM_RAFT_NOT_MEMBER);
    mine.facts.cluster[3] ^= 1;
    cr_assert_eq (say (leader, &mine, &theirs), RM_RAFT_OTHER_CLUSTER);
    mine = statement_of (3, leader, RM_RAFT_TALK);
    mine.facts.generation = 2;
    cr_assert_eq (say (leader, &mine, &theirs), RM_RAFT_OTHER_CLUSTER);
    mine = statement_of (other, leader, RM_RAFT_TALK);
    mine.to = 77;
    cr_assert_eq (say (leader, &mine, &theirs), RM_RAFT_NOT_ME);
    mine = statement_of (leader, leader, RM_RAFT_TALK);
    cr_assert_eq (say (leader, &mine, &theirs), RM_RAFT_NOT_ME, "nobody talks to himself");
    mine = statement_of (other, leader, 99);
    cr_assert_eq (say (leader, &mine, &theirs), RM_RAFT_NOT_READY);
    goes_on (leader);
}

Test (ledger_strangers, another_secret_gets_no_word_out_of_a_master)
{
    static const char secret[] = "a secret of sixteen and more";
    rm_raft_statement_t theirs, mine;
    group.config.secret = secret;
    group.config.secret_bytes = sizeof secret - 1;
    size_t leader = group_start (&group);
    group_load (&group, 300);
    mine = statement_of (3, leader, RM_RAFT_ASK);
    rm_raft_hello_key (key, "another secret of sixteen", 25);
    cr_assert_eq (say (leader, &mine, &theirs), 0);
    rm_raft_hello_key (key, NULL, 0);
    cr_assert_eq (say (leader, &mine, &theirs), 0);
    WAIT_FOR (seat_said (&group, leader, "a peer at 127.0.0.1 was refused: its secret is another one"), 2000);
    rm_raft_hello_key (key, secret, sizeof secret - 1);
    cr_assert_eq (say (leader, &mine, &theirs), RM_RAFT_NOT_MEMBER);
    goes_on (leader);

    group.config.secret = "another secret of sixteen";
    group.config.secret_bytes = 25;
    seat_start (&group, 3);
    WAIT_FOR (seat_said (&group, 3, "its secret is another one"), 5000);
    cr_assert_eq (seat_ask (&group, leader, SEAT_ADD, 4, group.seats[3].address), RM_EUNREACHABLE);
    cr_assert (group.seats[3].page->seeking);
}

Test (ledger_strangers, without_a_secret_only_loopback_is_listened_on)
{
    node_t node = {0};
    char dir[PATH_MAX];
    const rm_ledger_config_t open = {.bind = "0.0.0.0:0", .segment_bytes = 256 << 10};
    const rm_ledger_config_t word = {.bind = "127.0.0.1:0", .secret = "too short", .secret_bytes = 9};
    node_directory (dir);
    cr_assert_eq (node_begin (&node, dir, &open), RM_EDENIED);
    cr_assert_not_null (strstr (node.failure, "without a cluster secret"), "%s", node.failure);
    node_close (&node);
    node_t again = {0};
    cr_assert_eq (node_begin (&again, dir, &word), RM_EINVAL);
    node_close (&again);
    node_remove (dir);
}

Test (ledger_strangers, noise_and_half_open_lines_change_nothing)
{
    enum { LINES = 120 };
    int lines[LINES];
    uint8_t noise[4096];
    unsigned seed = getpid ();
    size_t leader = group_start (&group), follower = (leader + 1) % 3;
    group_load (&group, 300);
    for (int round = 0; round < 60; round++) {
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = rand_r (&seed);
        if (round % 2) /* as far as the magic it is right */
            memcpy (noise, "RMLEDGE\0\1\0\0\0", 12);
        int fd = dial (round % 3 ? leader : follower);
        send (fd, noise, 1 + rand_r (&seed) % sizeof noise, MSG_NOSIGNAL);
        shutdown (fd, SHUT_WR);
        close (fd);
    }
    for (int i = 0; i < LINES; i++)
        lines[i] = dial (leader);
    uint64_t dialled = group_now_ms ();
    cr_assert (is_closed (lines[0]), "the oldest makes room");
    cr_assert_leq (group_now_ms () - dialled, RM_RAFT_HELLO_MS / 2, "at once");
    seat_kill (&group, follower); /* and whoever means it gets in between them */
    seat_start (&group, follower);
    goes_on (leader);
    WAIT_FOR (group.seats[follower].page->state > 100, 10000);
    uint64_t began = group_now_ms ();
    cr_assert (is_closed (lines[LINES - 1]), "the newest in 2 s");
    cr_assert_leq (group_now_ms () - began, RM_RAFT_HELLO_MS + 500);
    for (int i = 0; i < LINES; i++)
        close (lines[i]);
    goes_on (leader);
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}

/* A member that has gone mad: what it sends after a good hello is read with the same care. */
Test (ledger_strangers, nonsense_after_a_good_hello_closes_the_line_and_no_more)
{
    const uint8_t messages[][24] = {
        {9, 0, 0, 0, 0, 0, 0, 0, 24},                                       /* of no type */
        {1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, /* a header without end */
        {5, 0, 0, 0, 0, 0, 0, 0, 64},                                       /* a snapshot where none may be */
        {3, 0, 9, 0, 0, 0, 0, 0, 16},                                       /* of a newer version */
    };
    size_t leader = group_start (&group), other = (leader + 1) % 3;
    rm_raft_statement_t mine = statement_of (other, leader, RM_RAFT_TALK), theirs;
    group_load (&group, 300);
    rm_raft_hello_key (key, NULL, 0);
    mine.facts.group_index = 1 << 20; /* whoever knows a newer group is believed: this is how it gets in */
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        uint8_t greeting[RM_RAFT_GREETING_BYTES], proof[RM_RAFT_PROOF_BYTES], bytes[RM_RAFT_STATEMENT_BYTES_MAX];
        rm_raft_hello_t hello;
        int fd = dial (leader);
        rm_raft_hello_greet (&hello, greeting);
        send (fd, greeting, sizeof greeting, 0);
        recv (fd, proof, sizeof proof, MSG_WAITALL);
        cr_assert_null (rm_raft_hello_check (&hello, key, proof));
        send (fd, bytes, rm_raft_hello_state (&hello, key, false, &mine, bytes), 0);
        cr_assert_eq (recv (fd, bytes, 4, MSG_WAITALL), 4);
        size_t size = rm_raft_hello_size (bytes);
        recv (fd, bytes + 4, size - 4, MSG_WAITALL);
        cr_assert_null (rm_raft_hello_read (&hello, key, true, bytes, size, &theirs));
        cr_assert_eq (theirs.code, RM_RAFT_WELCOME);
        send (fd, messages[i], sizeof messages[i], MSG_NOSIGNAL);
        shutdown (fd, SHUT_WR);
        cr_assert (is_closed (fd));
        close (fd);
    }
    WAIT_FOR (seat_said (&group, leader, "something that is no message"), 2000);
    goes_on (leader);
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}

/* ---- addresses -------------------------------------------------------------------------------------------------- */

static bool has_ipv6 (void)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket (AF_INET6, SOCK_STREAM, 0);
    bool can = fd >= 0 && bind (fd, (struct sockaddr *)&at, sizeof at) == 0;
    close (fd);
    return can;
}

static void go_round (void)
{
    size_t leader = group_start (&group);
    group_load (&group, 300);
    goes_on (leader);
    seat_kill (&group, leader);
    goes_on (group_leader (&group));
    seat_start (&group, leader);
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}

Test (ledger_strangers, masters_find_each_other_over_ipv6)
{
    for (size_t i = 0; i < 3 && has_ipv6 (); i++)
        sprintf (group.seats[i].address, "[::1]:%zu", 10000 + getpid () % 7000 * 3 + i);
    go_round ();
}

Test (ledger_strangers, masters_find_each_other_by_name)
{
    for (size_t i = 0; i < 3; i++)
        sprintf (group.seats[i].address, "localhost:%zu", 10000 + getpid () % 7000 * 3 + i);
    go_round ();
}
