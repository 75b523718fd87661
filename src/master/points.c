#include "master/points.h"

#include "net/failpoint.h"

#define PAIR(name)                                                                                                     \
    {                                                                                                                  \
        name ".before", name ".after"                                                                                  \
    }

static const char *const sends[RM_MSG_TYPES][2] = {
    [RM_MSG_ACCEPTED] = PAIR ("master.send.accepted"), [RM_MSG_RESULT] = PAIR ("master.send.result"),
    [RM_MSG_JOINED] = PAIR ("master.send.joined"),     [RM_MSG_HEARTBEAT_OK] = PAIR ("master.send.heartbeat_ok"),
    [RM_MSG_DISPATCH] = PAIR ("master.send.dispatch"), [RM_MSG_COMMITTED] = PAIR ("master.send.committed"),
    [RM_MSG_REJOIN] = PAIR ("master.send.rejoin"),     [RM_MSG_LEFT] = PAIR ("master.send.left"),
};

static const char *const syncs[3][2] = {
    PAIR ("master.send.sync1"),
    PAIR ("master.send.sync2"),
    PAIR ("master.send.sync3"),
};

static const char *const commits[RM_ENTRY_KINDS][2] = {
    [RM_ENTRY_LEAD] = PAIR ("master.commit.lead"),
    [RM_ENTRY_SUBMIT] = PAIR ("master.commit.submit"),
    [RM_ENTRY_START] = PAIR ("master.commit.start"),
    [RM_ENTRY_UNSTART] = PAIR ("master.commit.unstart"),
    [RM_ENTRY_DONE] = PAIR ("master.commit.done"),
    [RM_ENTRY_FAIL] = PAIR ("master.commit.fail"),
    [RM_ENTRY_BURY] = PAIR ("master.commit.bury"),
    [RM_ENTRY_MEMBER_ADD] = PAIR ("master.commit.member_add"),
    [RM_ENTRY_MEMBER_REMOVE] = PAIR ("master.commit.member_remove"),
    [RM_ENTRY_RESIZE_BEGIN] = PAIR ("master.commit.resize_begin"),
    [RM_ENTRY_RESIZE_COMMIT] = PAIR ("master.commit.resize_commit"),
    [RM_ENTRY_SESSION_EXPIRE] = PAIR ("master.commit.session_expire"),
    [RM_ENTRY_RESULT_EXPIRE] = PAIR ("master.commit.result_expire"),
    [RM_ENTRY_FORMAT] = PAIR ("master.commit.format"),
    [RM_ENTRY_SUBMIT_MORE] = PAIR ("master.commit.submit_more"),
    [RM_ENTRY_STOP] = PAIR ("master.commit.stop"),
    [RM_ENTRY_KICK] = PAIR ("master.commit.kick"),
    [RM_ENTRY_QUEUE_SET] = PAIR ("master.commit.queue_set"),
};

enum { RM_POINTS_MAX = 2 * (RM_MSG_TYPES + 3 + RM_ENTRY_KINDS) + 1 };

static size_t add (const char **names, size_t count, const char *const (*pairs)[2], size_t pair_count)
{
    for (size_t i = 0; i < pair_count; i++)
        for (int side = 0; side < 2; side++)
            if (pairs[i][side])
                names[count++] = pairs[i][side];
    return count;
}

const char *const *rm_points_names (void)
{
    static const char *names[RM_POINTS_MAX];
    size_t count = add (names, 0, sends, RM_MSG_TYPES);
    count = add (names, count, syncs, 3);
    count = add (names, count, commits, RM_ENTRY_KINDS);
    names[count] = NULL;
    return names;
}

void rm_points_send (rm_msg_type_t type, uint32_t phase, rm_point_side_t side)
{
    const char *name = type == RM_MSG_SYNC ? syncs[phase - 1][side] : sends[type][side];
    if (name)
        rm_failpoint (name);
}

void rm_points_commit (uint32_t kinds, rm_point_side_t side)
{
    if (!rm_failpoints_armed)
        return;
    for (int kind = 0; kind < RM_ENTRY_KINDS; kind++)
        if (kinds >> kind & 1 && commits[kind][side])
            rm_failpoint (commits[kind][side]);
}
