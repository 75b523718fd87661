/*  A client that lives on: submits each line of stdin, in one session, to the queue it was told.
 *
 *      talker MASTERS QUEUE
 *
 *  Says "id ID" or "error NUMBER SENTENCE" for each.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ringmaster/client.h"

int main (int argc, char **argv)
{
    char line[256];
    rm_client_t *client = argc == 3 ? rm_client_new (argv[1]) : NULL;
    if (!client)
        return 2;
    setvbuf (stdout, NULL, _IOLBF, 0);
    while (fgets (line, sizeof line, stdin)) {
        uint64_t id;
        int rc = rm_client_submit (client, rm_spec (argv[2], .data = line, .size = strcspn (line, "\n")), 100000, &id);
        if (rc)
            printf ("error %d %s\n", rc, rm_client_error (client));
        else
            printf ("id %" PRIu64 "\n", id);
    }
    rm_client_destroy (&client);
    return 0;
}
