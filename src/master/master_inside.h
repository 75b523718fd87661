/*  What the parts of the master's shell share: master.c (sockets, disk, turns) and clients.c (what clients ask for that the
 *  leader does not decide).
 *
 *  Thread rule: the loop's thread.
 */
#pragma once

#include <uv.h>

#include "core/leader.h"
#include "master/group.h"
#include "master/master.h"
#include "master/raft_ledger.h"
#include "master/turns.h"
#include "master/view.h"
#include "net/clock.h"
#include "net/http.h"
#include "net/watch.h"
#include "ringmaster/catalog.h"

enum { RM_PROPOSALS_MAX = 8 /* batches on their way to the disk; what comes meanwhile makes the next one larger */ };

/* A batch that was proposed; they settle in order. */
typedef struct {
    uint64_t number;
    uint32_t kinds;
    uint64_t leadership; /* of this process; batches are numbered anew in each */
} proposal_t;

struct rm_master {
    const rm_master_config_t *config;
    uv_loop_t loop;
    rm_state_t state;
    rm_leader_t leader;
    rm_ledger_t *ledger;
    rm_ledger_backup_t *backup; /* that is being read over http; NULL: none */
    rm_batch_t *batch;          /* taken from the leader, not proposed yet; NULL: none */
    proposal_t proposals[RM_PROPOSALS_MAX];
    uint64_t proposed, settled, leadership;
    rm_group_desk_t group;
    uint64_t looked_ms; /* at the group */
    uint64_t led_ms; /* when somebody last led a group with a majority: this one, or the one it follows; 0: not yet */
    bool lost;       /* and it was said that nobody does */
    rm_socket_t *jobs, *work, *sync;
    rm_watch_t *jobs_watch, *work_watch;
    rm_http_t *http;
    rm_announcer_t *announcer; /* NULL: it is not to be found by a name */
    rm_http_route_t routes[4];
    char http_text[RM_ENDPOINT_BYTES_MAX + 8];
    uv_timer_t tick;
    uv_prepare_t turn;
    rm_turns_t turns;
    uv_signal_t signals[2];
    uint64_t started_ms;
    bool ready, stopping;
    int exit_code;
};

static inline rm_now_t rm_master_now (void)
{
    return (rm_now_t){rm_clock_ms (), rm_clock_wall_ms ()};
}

rm_view_t rm_master_view (rm_master_t *self);

/* ---- clients.c ---- */

void rm_master_from_client (rm_master_t *self, const rm_address_t *from, const rm_msg_t *msg);
void rm_master_answer_error (rm_master_t *self, const rm_address_t *to, int code, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));
/* What became of a change of the group. */
void rm_master_answer_change (void *arg, const rm_address_t *to, int status, const char *sentence);
