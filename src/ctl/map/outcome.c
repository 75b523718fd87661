#include "ctl/map/outcome.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_OWN_MAX = 4, EXIT_COUNT_MAX = 100 };

const char rm_map_log_head[] = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

bool rm_map_failed (const rm_map_outcome_t *self)
{
    return self->exit || self->signal;
}

void rm_map_log_line (const rm_map_outcome_t *self, uint64_t number, const char *command, rm_buf_t *to)
{
    char head[RM_MAP_HOST_BYTES + 256];
    int size =
        snprintf (head, sizeof head,
                  "%" PRIu64 "\t%s\t%" PRIu64 ".%03" PRIu64 "\t%6" PRIu64 ".%03" PRIu64 "\t0\t%" PRIu64 "\t%d\t%d\t",
                  number, self->host, self->start_ms / 1000, self->start_ms % 1000, self->ran_ms / 1000,
                  self->ran_ms % 1000, self->received, self->exit, self->signal);
    rm_buf_put (to, head, (size_t)size);
    rm_buf_put (to, command, strlen (command));
    rm_buf_put (to, "\n", 1);
}

int rm_map_exit_code (uint64_t failures)
{
    if (!failures || failures > EXIT_COUNT_MAX)
        return failures ? EXIT_COUNT_MAX + 1 : 0;
    return failures <= EXIT_OWN_MAX ? 1 : (int)failures;
}
