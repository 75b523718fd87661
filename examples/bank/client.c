/*  One call to bank_server: deduct ACCOUNT AMOUNT, put KEY VALUE, get KEY. It is sent again until it is answered. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ringmaster/rpc.h>

enum { TIMEOUT_MS = 30 * 1000 };

static int usage (void)
{
    fprintf (stderr, "Usage: bank_client ENDPOINT deduct ACCOUNT AMOUNT | put KEY VALUE | get KEY\n");
    return 2;
}

/* Of a deduction. */
static bool is_amount (const char *text)
{
    char *end;
    errno = 0;
    (void)strtol (text, &end, 10);
    return end != text && !*end && !errno;
}

static int call (rm_rpc_client_t *client, char **words)
{
    rm_rpc_answer_t *answer = NULL;
    rm_rpc_value_t arguments[] = {rm_rpc_text (words[1]), {0}};
    size_t count = 1;
    if (words[2])
        arguments[count++] = strcmp (words[0], "deduct") ? rm_rpc_text (words[2]) : rm_rpc_int (atol (words[2]));
    int error = rm_rpc_client_call (client, words[0], arguments, count, TIMEOUT_MS, &answer);
    if (error)
        fprintf (stderr, "bank_client: %s\n", rm_rpc_client_error (client));
    else
        printf ("%s\n", rm_rpc_answer_text (answer, 0));
    rm_rpc_answer_destroy (&answer);
    return error ? 1 : 0;
}

int main (int argc, char **argv)
{
    if (argc < 4 || argc > 5 || (argc == 4) != !strcmp (argv[2], "get"))
        return usage ();
    if (argc == 5 && !strcmp (argv[2], "deduct") && !is_amount (argv[4])) {
        fprintf (stderr, "bank_client: %s is no amount: write a whole number\n", argv[4]);
        return 2;
    }
    rm_rpc_client_t *client = rm_rpc_client_new (argv[1]);
    if (!client) {
        perror (argv[1]);
        return 2;
    }
    int status = call (client, argv + 2);
    rm_rpc_client_destroy (&client);
    return status;
}
