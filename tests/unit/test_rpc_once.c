/*  What at-most-once is for, beside what happens without it: a reply is lost and the server killed before it can be asked
 *  again; a request is doubled on its way, or a copy of it comes late. Servers are processes of their own, killed with
 *  SIGKILL; the account they pay into is memory that outlives them.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rpc_fixture.h"
#include "rpc_proxy.h"

typedef struct {
    atomic_int balance; /* every run adds 1 */
    atomic_bool hangs;  /* a run does not end */
    atomic_int k, puts; /* the value at k; how often one was put there */
    char endpoint[300];
    atomic_bool listens;
} account_t;

static account_t *account;
static proxy_t proxy;
static char folder[64], table[128];

static int pay (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    int balance = atomic_fetch_add (&account->balance, 1) + 1;
    while (atomic_load (&account->hangs))
        nanosleep (&(struct timespec){.tv_nsec = 1000000}, NULL);
    return rm_rpc_reply (call, rm_rpc_values (rm_rpc_int (balance)));
}

static int put (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    atomic_store (&account->k, (int)rm_rpc_call_int (call, 0));
    atomic_fetch_add (&account->puts, 1);
    return rm_rpc_reply (call, NULL, 0);
}

static int get (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    return rm_rpc_reply (call, rm_rpc_values (rm_rpc_int (atomic_load (&account->k))));
}

static void serve_for_life (bool once)
{
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    rm_rpc_server_t *server = rm_rpc_server_new ();
    rm_rpc_server_add (server, "pay", ":i", pay, NULL);
    rm_rpc_server_add (server, "put_k", "i:", put, NULL);
    rm_rpc_server_add (server, "get_k", ":i", get, NULL);
    rm_rpc_server_set (server, "threads", "1"); /* in the order in which they come */
    rm_rpc_server_set (server, "semantics", once ? "at-most-once" : "at-least-once");
    if (once)
        rm_rpc_server_set (server, "table", table);
    if (rm_rpc_server_bind (server)) {
        fprintf (stderr, "%s\n", rm_rpc_server_error (server));
        _exit (1);
    }
    snprintf (account->endpoint, sizeof account->endpoint, "%s", rm_rpc_server_endpoint (server));
    atomic_store (&account->listens, true);
    rm_rpc_server_run (server);
    _exit (0);
}

static pid_t server_start (bool once)
{
    atomic_store (&account->listens, false);
    pid_t pid = fork ();
    cr_assert_geq (pid, 0);
    if (!pid)
        serve_for_life (once);
    AWAIT (atomic_load (&account->listens));
    return pid;
}

static void server_kill (pid_t pid)
{
    int status;
    kill (pid, SIGKILL);
    cr_assert_eq (waitpid (pid, &status, 0), pid);
    cr_assert (WIFSIGNALED (status), "it ended before it was killed");
}

static void *call_pay (void *arg)
{
    rm_rpc_client_t *client = arg;
    rm_rpc_answer_t *answer;
    int error = rm_rpc_client_call (client, "pay", NULL, 0, PATIENCE_MS, &answer);
    cr_assert_eq (error, 0, "%s", rm_rpc_client_error (client));
    int64_t balance = rm_rpc_answer_int (answer, 0);
    rm_rpc_answer_destroy (&answer);
    return (void *)(intptr_t)balance;
}

/* Slowness alone makes it send nothing again. */
static rm_rpc_client_t *patient_client (void)
{
    rm_rpc_client_t *client = rm_rpc_client_new (proxy.endpoint);
    cr_assert_eq (rm_rpc_client_set (client, "initial", "2000"), 0);
    return client;
}

/* How often three calls have run in the end, and what the first was told. */
static int story (bool once, int *told)
{
    void *balance;
    pthread_t thread;
    atomic_store (&account->balance, 0);
    pid_t server = server_start (once);
    proxy_start (&proxy, account->endpoint);
    rm_rpc_client_t *client = patient_client ();
    atomic_store (&proxy.drop, 1);
    pthread_create (&thread, NULL, call_pay, client);
    AWAIT (atomic_load (&proxy.dropped) == 1); /* it has run, and its client does not know */
    server_kill (server);
    server = server_start (once);
    proxy_move (&proxy, account->endpoint);
    pthread_join (thread, &balance);
    *told = (int)(intptr_t)balance;
    int after_first = atomic_load (&account->balance);
    atomic_store (&proxy.twice, 1);
    call_pay (client);
    cr_assert_eq (atomic_load (&proxy.doubled), 1);
    AWAIT (once || atomic_load (&account->balance) >= after_first + 2);
    rm_rpc_client_destroy (&client); /* with the doubled reply, behind which it would ask again: at least once */
    client = patient_client ();
    call_pay (client); /* the second copy has been dealt with by now: a server reads in order */
    rm_rpc_client_destroy (&client);
    proxy_stop (&proxy);
    server_kill (server);
    return atomic_load (&account->balance);
}

static void make_account (void)
{
    account = mmap (NULL, sizeof *account, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq (account, MAP_FAILED);
    snprintf (folder, sizeof folder, "/tmp/rpc_once.XXXXXX");
    cr_assert (mkdtemp (folder));
    snprintf (table, sizeof table, "%s/calls.db", folder);
}

static void drop_account (void)
{
    char command[160];
    snprintf (command, sizeof command, "rm -rf '%s'", folder);
    cr_assert_eq (system (command), 0);
}

Test (rpc_once, a_lost_reply_a_restart_and_a_doubled_request_run_once_with_the_table_and_twice_without,
      .init = make_account, .fini = drop_account)
{
    int told, runs = story (false, &told);
    cr_assert_eq (runs, 5, "at-least-once: lost and again, doubled, and one more are 5 runs, not %d", runs);
    cr_assert_eq (told, 2, "the client was told of run %d, not of the second", told);
    runs = story (true, &told);
    cr_assert_eq (runs, 3, "at-most-once: each of three calls once, not %d runs", runs);
    cr_assert_eq (told, 1, "the client was told of run %d, and not what came of the first, which another server ran",
                  told);
}

static void *call_in_vain (void *arg)
{
    return (void *)(intptr_t)rm_rpc_client_call (arg, "pay", NULL, 0, PATIENCE_MS, NULL);
}

Test (rpc_once, a_call_that_ran_when_the_server_died_is_not_run_again_and_its_client_is_told, .init = make_account,
      .fini = drop_account)
{
    void *error;
    pthread_t thread;
    atomic_store (&account->hangs, true);
    pid_t server = server_start (true);
    proxy_start (&proxy, account->endpoint);
    rm_rpc_client_t *client = rm_rpc_client_new (proxy.endpoint);
    pthread_create (&thread, NULL, call_in_vain, client);
    AWAIT (atomic_load (&account->balance) == 1);
    server_kill (server);
    atomic_store (&account->hangs, false);
    server = server_start (true);
    proxy_move (&proxy, account->endpoint);
    pthread_join (thread, &error);
    cr_assert_eq ((int)(intptr_t)error, RM_EINTERRUPTED, "%s", rm_rpc_client_error (client));
    cr_assert (strstr (rm_rpc_client_error (client), "may have been done or not"));
    cr_assert_eq ((int)(intptr_t)call_pay (client), 2, "the next call runs as ever");
    rm_rpc_client_destroy (&client);
    proxy_stop (&proxy);
    server_kill (server);
}

/* What is at k after a 10, a 20, and a copy of the 10 that was slow. */
static int put_twice (bool once)
{
    rm_rpc_answer_t *answer;
    atomic_store (&account->puts, 0);
    pid_t server = server_start (once);
    proxy_start (&proxy, account->endpoint);
    rm_rpc_client_t *client = patient_client ();
    atomic_store (&proxy.late, 1);
    for (int value = 10; value <= 20; value += 10)
        cr_assert_eq (rm_rpc_client_call (client, "put_k", rm_rpc_values (rm_rpc_int (value)), PATIENCE_MS, NULL), 0,
                      "%s", rm_rpc_client_error (client));
    AWAIT (once || atomic_load (&account->puts) >= 3);
    cr_assert_eq (rm_rpc_client_call (client, "get_k", NULL, 0, PATIENCE_MS, &answer), 0, "%s",
                  rm_rpc_client_error (client));
    int value = (int)rm_rpc_answer_int (answer, 0);
    rm_rpc_answer_destroy (&answer);
    cr_assert_eq (atomic_load (&account->puts), once ? 2 : 3);
    rm_rpc_client_destroy (&client);
    proxy_stop (&proxy);
    server_kill (server);
    return value;
}

Test (rpc_once, a_late_copy_of_an_old_put_overwrites_a_newer_one_at_least_once_and_nothing_at_most_once,
      .init = make_account, .fini = drop_account)
{
    cr_assert_eq (put_twice (false), 10, "at-least-once: the late copy of 10 comes after 20");
    cr_assert_eq (put_twice (true), 20, "at-most-once: the late copy is not run");
}

Test (rpc_once, a_late_copy_of_a_reply_holds_up_nothing, .init = make_account, .fini = drop_account)
{
    pid_t server = server_start (true);
    proxy_start (&proxy, account->endpoint);
    rm_rpc_client_t *client = rm_rpc_client_new (proxy.endpoint);
    char initial[16]; /* who waited for a try to time out would be too late */
    snprintf (initial, sizeof initial, "%d", 2 * PATIENCE_MS);
    cr_assert_eq (rm_rpc_client_set (client, "cap", initial), 0);
    cr_assert_eq (rm_rpc_client_set (client, "initial", initial), 0);
    atomic_store (&proxy.stale, 1);
    for (int balance = 1; balance <= 3; balance++)
        cr_assert_eq ((int)(intptr_t)call_pay (client), balance, "the copy of the first reply is not the second's");
    rm_rpc_client_destroy (&client);
    proxy_stop (&proxy);
    server_kill (server);
}
