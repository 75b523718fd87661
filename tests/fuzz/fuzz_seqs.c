/*  A session's text, which a program may have kept anywhere: it is refused, or it is a session that can be used and that
 *  is the same when it is written and read again.
 */
#include <stdlib.h>
#include <string.h>

#include "core/seqs.h"
#include "fuzz.h"
#include "ringmaster/error.h"

enum { NOW_MS = 5000000 };
#define UNIX_MS 1700000000000

static void there_and_back (const rm_seqs_t *seqs)
{
    char text[RM_SEQS_TEXT_BYTES];
    rm_seqs_t again;
    CLAIM (!rm_seqs_save (seqs, NOW_MS, UNIX_MS, text, sizeof text), "its text does not fit");
    CLAIM (!rm_seqs_load (&again, text, NOW_MS, UNIX_MS), "%s", text);
    CLAIM (!memcmp (&again.session, &seqs->session, sizeof again.session));
    CLAIM (again.seq == seqs->seq && again.floor == seqs->floor && again.pending == seqs->pending);
    CLAIM (!again.pending || again.count == seqs->count);
    CLAIM (again.since_ms == seqs->since_ms && again.inherited == seqs->inherited);
}

/* A few submits, the first of them perhaps the one that the process before had sent. */
static void use (rm_seqs_t *seqs)
{
    static const rm_session_id_t spare = {{1}};
    static const int ends[] = {RM_ESTALE, RM_ECONFLICT, RM_EBUSY, 0, RM_EEXPIRED, 0};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        rm_submit_job_t job = {.queue = rm_bytes ("q"), .tries = (uint32_t)i};
        uint64_t before = seqs->over ? 0 : seqs->seq;
        rm_seqs_begin (seqs, &job, 1, &spare, NOW_MS);
        CLAIM (job.seq == seqs->seq && seqs->floor == seqs->seq - 1 && seqs->seq >= before);
        rm_seqs_too_old (seqs, NOW_MS);
        if (ends[i])
            rm_seqs_refused (seqs, ends[i]);
        else
            rm_seqs_accepted (seqs);
        CLAIM (seqs->seq >= 1 && seqs->floor == seqs->seq - 1);
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const rm_session_id_t session = {{7}};
    char *text = fuzz_text (data, size);
    rm_seqs_t seqs, before;
    memset (&seqs, 0, sizeof seqs);
    rm_seqs_init (&seqs, &session);
    before = seqs;
    int rc = rm_seqs_load (&seqs, text, NOW_MS, UNIX_MS);
    CLAIM (!rc || rc == RM_EINVAL || rc == RM_EEXPIRED);
    CLAIM (!rc || !memcmp (&seqs, &before, sizeof seqs), "a refused text changed the session");
    if (!rc) {
        there_and_back (&seqs);
        use (&seqs);
    }
    free (text);
    return 0;
}
