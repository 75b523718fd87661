/*  RM_FAILPOINTS, as a test may have written it: it is refused with a sentence, or it arms what it names. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "net/failpoint.h"
#include "ringmaster/error.h"

static const char *const names[] = {"a", "ab", "sync.phase2.sent", "done.before_send", "aim", NULL};

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    rm_fault_t fault = {0};
    char *text = fuzz_text (data, size);
    setenv ("RM_FAILPOINTS", text, 1);
    int rc = rm_failpoint_table (names, &fault);
    CLAIM (!rc || (rc == RM_EINVAL && *fault.text));
    CLAIM (rc || rm_failpoints_armed == (*text != 0));
    CLAIM (strlen (fault.text) < sizeof fault.text);
    /* The last name is asked for only if nothing is set for it: what is set may kill. */
    if (!rc && !strstr (text, "aim"))
        rm_failpoint ("aim");
    free (text);
    return 0;
}
