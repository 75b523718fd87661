/*  A client process that can be killed at any moment and started again: it keeps its session in a file.
 *
 *      submitter MASTER FILE QUEUE KEY PAYLOAD
 *
 *  Takes the session in FILE over, or writes a new one there; says "session SESSION:SEQ", submits, says "id ID", waits,
 *  says "result ATTEMPT BYTES".
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ringmaster/client.h"

static int fail (const rm_client_t *client, const char *what)
{
    fprintf (stderr, "submitter: %s: %s\n", what, client ? rm_client_error (client) : "no memory");
    return 1;
}

/* The file holds what the process before this one wrote there before it submitted. */
static int take_session (rm_client_t *client, const char *path)
{
    char text[128] = "";
    FILE *file = fopen (path, "r");
    if (file) {
        if (!fgets (text, sizeof text, file))
            *text = 0;
        fclose (file);
        text[strcspn (text, "\n")] = 0;
        if (rm_client_resume (client, text))
            return fail (client, "resume");
    } else {
        if (rm_client_session (client, text, sizeof text) || !(file = fopen (path, "w")))
            return fail (client, "session");
        fprintf (file, "%s\n", text);
        fclose (file);
    }
    char *end = strchr (text, ':');
    end = end ? strchr (end + 1, ':') : NULL;
    if (!end)
        return fail (client, "not a session's text");
    printf ("session %.*s\n", (int)(end - text), text);
    return 0;
}

int main (int argc, char **argv)
{
    if (argc != 6)
        return 2;
    setvbuf (stdout, NULL, _IOLBF, 0);
    rm_client_t *client = rm_client_new (argv[1]);
    rm_result_t *result;
    uint64_t id;
    if (!client || take_session (client, argv[2]))
        return fail (client, "start");
    rm_spec_t *spec = rm_spec (argv[3], .key = argv[4], .data = argv[5], .size = strlen (argv[5]));
    if (rm_client_submit (client, spec, 60000, &id))
        return fail (client, "submit");
    printf ("id %" PRIu64 "\n", id);
    if (rm_client_wait (client, id, 60000, &result))
        return fail (client, "wait");
    printf ("result %u %s\n", rm_result_attempt (result), rm_result_text (result));
    rm_result_destroy (&result);
    rm_client_destroy (&client);
    return 0;
}
