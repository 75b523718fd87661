/*  One request to the hash table of a project. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ringmaster/rpc.h>

#include "found.h"

enum { TIMEOUT_MS = 10 * 1000, WORDS_MAX = 2 };

static const struct {
    const char *name;
    int words;
} requests[] = {{"insert", 2}, {"lookup", 1}, {"remove", 1}, {"size", 0}, {"query", 1}};

static int usage (FILE *to)
{
    fprintf (to, "Usage: hashtable PROJECT|ENDPOINT REQUEST    ($CATALOG_HOST says where the catalog is)\n"
                 "  insert KEY VALUE   lookup KEY   remove KEY   size   query PREFIX\n");
    return to == stderr ? 2 : 0;
}

static void print (const char *request, const rm_rpc_answer_t *answer)
{
    size_t count = rm_rpc_answer_count (answer);
    if (!strcmp (request, "size"))
        printf ("%" PRId64 "\n", rm_rpc_answer_int (answer, 0));
    else if (!strcmp (request, "query"))
        for (size_t i = 0; i + 1 < count; i += 2)
            printf ("%s\t%s\n", rm_rpc_answer_text (answer, i), rm_rpc_answer_text (answer, i + 1));
    else if (count)
        printf ("%s\n", rm_rpc_answer_text (answer, 0));
}

static int words_of (const char *request)
{
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        if (!strcmp (requests[i].name, request))
            return requests[i].words;
    return -1;
}

int main (int argc, char **argv)
{
    if (argc == 2 && !strcmp (argv[1], "--help"))
        return usage (stdout);
    if (argc < 3 || words_of (argv[2]) != argc - 3)
        return usage (stderr);
    const char *server = found ("hashtable", argv[1], NULL);
    rm_rpc_client_t *client = server ? rm_rpc_client_new (server) : NULL;
    if (!client) {
        if (server)
            perror (server);
        return 3;
    }
    rm_rpc_value_t words[WORDS_MAX];
    for (int i = 3; i < argc; i++)
        words[i - 3] = rm_rpc_text (argv[i]);
    rm_rpc_answer_t *answer = NULL;
    int error = rm_rpc_client_call (client, argv[2], words, (size_t)argc - 3, TIMEOUT_MS, &answer);
    if (error)
        fprintf (stderr, "hashtable: %s\n", rm_rpc_client_error (client));
    else
        print (argv[2], answer);
    rm_rpc_answer_destroy (&answer);
    rm_rpc_client_destroy (&client);
    return error == RM_EUNREACHABLE || error == RM_ETIMEDOUT ? 3 : error ? 1 : 0;
}
