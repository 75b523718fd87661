#include "ringmaster/error.h"

static const char *const sentences[] = {
    [0] = "success",
    [-RM_ENOMEM] = "memory ran out",
    [-RM_EINVAL] = "an argument is not allowed",
    [-RM_ETIMEDOUT] = "no answer in the time given",
    [-RM_EUNREACHABLE] = "no master could be reached in the time given",
    [-RM_EBUSY] = "the master is full, try again later",
    [-RM_ETOOBIG] = "a payload, result or name is over its limit",
    [-RM_EPROTO] = "a message does not follow the protocol",
    [-RM_ESTALE] = "the reply to this request was already taken",
    [-RM_ECONFLICT] = "this request number was used for another request",
    [-RM_EEXPIRED] = "the session was unheard of for too long, nothing was run",
    [-RM_EGONE] = "the outcome is kept no longer",
    [-RM_EUNKNOWN] = "nothing of that name was ever seen",
    [-RM_ECORRUPT] = "the bytes on the disk are not what was written",
    [-RM_EIO] = "the disk or the system refused",
    [-RM_EINTERRUPTED] = "a signal asked to stop",
    [-RM_EDENIED] = "not allowed",
    [-RM_ESTATE] = "not possible now",
    [-RM_EFAILED] = "the function that was called has failed",
};

const char *rm_strerror (int error)
{
    int count = sizeof sentences / sizeof *sentences;
    return error <= 0 && error > -count ? sentences[-error] : "an unknown error";
}
