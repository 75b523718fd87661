#include "net/files.h"

#include <sys/resource.h>

void rm_files_allow_many (void)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit (RLIMIT_NOFILE, &limit); /* where it fails, it is as it was */
}
