#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/snapshot.h"
#include "master/master_inside.h"
#include "master/parts.h"
#include "master/points.h"
#include "net/failpoint.h"
#include "net/log.h"
#include "net/peer_address.h"
#include "net/random.h"
#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

enum { RM_TICK_MS = 5, RM_LOOK_MS = 100, /* at the group */ RM_LEADERLESS_MS = 2000 /* several elections */ };

/* core and net do not see each other: an address is what net calls a route. */
_Static_assert(sizeof (rm_address_t) == sizeof (rm_route_t), "a route must fit into an address");
_Static_assert(offsetof (rm_address_t, data) == offsetof (rm_route_t, data), "and look the same");

static void stop (rm_master_t *self, int exit_code)
{
    if (self->stopping)
        return; /* the loop runs on until everything is closed */
    self->exit_code = exit_code;
    self->stopping = true;
    uv_stop (&self->loop);
}

/* ---- what the leader says --------------------------------------------------------------------------------------- */

/* A peer that is gone or full loses the message: whoever waits for it asks again. */
static void send_to (rm_socket_t *socket, const rm_address_t *to, rm_msg_type_t type, uint32_t phase, rm_buf_t *frame)
{
    rm_points_send (type, phase, RM_POINT_BEFORE);
    int rc = rm_socket_send_buf (socket, (const rm_route_t *)to, frame);
    if (rc)
        rm_log (RM_LOG_DEBUG, "event=unsent type=%s why=%s", rm_msg_name (type), RM_QUOTE_TEXT (rm_strerror (rc)));
    rm_points_send (type, phase, RM_POINT_AFTER);
}

static void to_client (void *arg, const rm_address_t *to, rm_msg_type_t type, rm_buf_t *frame)
{
    rm_master_t *self = arg;
    send_to (self->jobs, to, type, 0, frame);
}

static void to_worker (void *arg, const rm_address_t *to, rm_msg_type_t type, uint32_t phase, rm_buf_t *frame)
{
    rm_master_t *self = arg;
    if (to->size)
        send_to (self->work, to, type, phase, frame);
}

static void publish (void *arg, uint32_t phase, rm_buf_t *frame)
{
    rm_master_t *self = arg;
    rm_points_send (RM_MSG_SYNC, phase, RM_POINT_BEFORE);
    rm_socket_send_buf (self->sync, NULL, frame);
    rm_points_send (RM_MSG_SYNC, phase, RM_POINT_AFTER);
}

static void trace (void *arg, const char *line)
{
    (void)arg;
    rm_log (RM_LOG_INFO, "%s", line);
}

static void warn (void *arg, const char *line)
{
    (void)arg;
    rm_log (RM_LOG_WARN, "%s", line);
}

/* ---- what the ledger says --------------------------------------------------------------------------------------- */

static int on_apply (void *arg, const void *batch, size_t size)
{
    rm_master_t *self = arg;
    if (self->leader.out_of_memory)
        return RM_ENOMEM; /* it stops at the end of this turn, and its books are not to be gone on with */
    return rm_state_apply (&self->state, batch, size);
}

static int on_restore (void *arg, const void *snapshot, size_t size)
{
    rm_master_t *self = arg;
    rm_state_listener_t listener = self->state.listener;
    rm_state_close (&self->state);
    int rc = rm_state_init (&self->state);
    if (!rc)
        rc = rm_snapshot_restore (&self->state, snapshot, size);
    self->state.listener = listener;
    return rc;
}

static int on_snapshot (void *arg, rm_ledger_part_t **parts_p, size_t *count_p)
{
    rm_master_t *self = arg;
    uint64_t begun_us = rm_clock_us ();
    int rc = rm_parts_take (&self->state, parts_p, count_p);
    if (!rc)
        rm_log (RM_LOG_INFO, "event=snapshot parts=%zu held_us=%llu", *count_p,
                (unsigned long long)(rm_clock_us () - begun_us));
    return rc;
}

static void on_snapshot_done (void *arg, rm_ledger_part_t *parts, size_t count)
{
    (void)arg;
    (void)count;
    rm_parts_give_back (parts);
}

/* What the catalog was told to be wrong was refused at the start: what can fail now is memory. */
static void announce_project (rm_master_t *self)
{
    const rm_endpoint_t *jobs = rm_socket_endpoint (self->jobs);
    const rm_announcement_t what = {.type = "ringmaster",
                                    .project = self->config->project,
                                    .port = jobs->port,
                                    .version = RM_VERSION,
                                    .from = jobs->host};
    self->announcer = rm_announcer_new (self->config->catalog, &what);
    if (!self->announcer)
        rm_log (RM_LOG_WARN, "event=not_announced why=%s", RM_QUOTE_TEXT (strerror (errno)));
}

static void announce (rm_master_t *self)
{
    self->ready = true;
    if (self->config->project)
        announce_project (self);
    printf ("ready jobs=%s work=%s sync=%s http=%s\n", rm_socket_endpoint (self->jobs)->text,
            rm_socket_endpoint (self->work)->text, rm_socket_endpoint (self->sync)->text, self->http_text);
    fflush (stdout);
}

static void on_settled (void *arg, uint64_t ticket, int status)
{
    rm_master_t *self = arg;
    proposal_t proposal = self->proposals[ticket % RM_PROPOSALS_MAX];
    self->settled = ticket;
    if (status || self->stopping)
        return;
    rm_points_commit (proposal.kinds, RM_POINT_AFTER);
    if (proposal.leadership == self->leadership)
        rm_leader_applied (&self->leader, rm_master_now (), proposal.number);
    if (self->leader.leading && !self->ready)
        announce (self);
}

/* Whether the others follow still, and what they all read, is asked before anything is done that another leader might
 * do too: this process may have been asleep. */
static void look_at_ledger (rm_master_t *self)
{
    self->leader.cut_off = (self->leader.leading || self->leader.standing) && !rm_ledger_has_quorum (self->ledger);
    self->leader.format = rm_ledger_format (self->ledger) >= RM_LEDGER_OF_STATE_2 ? RM_STATE_FORMAT : 1;
    self->leader.rising = self->leader.leading && self->state.term == 1 && !self->group.begun;
}

/* Says when a group has lost its majority: nobody leads it, for longer than an election takes. */
static void watch_majority (rm_master_t *self, uint64_t now_ms)
{
    bool led = self->leader.leading ? !self->leader.cut_off : self->leader.group.leader.size > 0;
    unsigned long long for_ms = now_ms - self->led_ms;
    if (self->leader.group.count < 2)
        return;
    if (!led && self->led_ms && !self->lost && for_ms >= RM_LEADERLESS_MS) {
        rm_log (RM_LOG_WARN, "event=majority_lost for_ms=%llu masters=%u text=%s", for_ms, self->leader.group.count,
                RM_QUOTE_TEXT ("this master leads and follows nobody: no majority of the masters answers it"));
        self->lost = true;
    }
    if (led && self->lost)
        rm_log (RM_LOG_WARN, "event=majority_back for_ms=%llu", for_ms);
    self->lost &= !led;
    if (led || !self->led_ms)
        self->led_ms = now_ms;
}

/* Where the masters are changes seldom. */
static void look_at_group (rm_master_t *self)
{
    uint64_t now_ms = rm_clock_ms ();
    if (self->looked_ms && now_ms - self->looked_ms < RM_LOOK_MS)
        return;
    self->looked_ms = now_ms;
    self->leader.group = rm_group_look (&self->group);
    watch_majority (self, now_ms);
    if (self->leader.leading && self->state.term == 1)
        rm_group_begin (&self->group);
    if (self->leader.group.leader.size && !self->ready)
        announce (self);
}

static void on_role (void *arg, bool leads)
{
    rm_master_t *self = arg;
    self->leadership++;
    self->looked_ms = 0;
    if (!leads) {
        rm_leader_step_down (&self->leader);
        rm_batch_destroy (&self->batch);
        return;
    }
    look_at_ledger (self);
    rm_leader_stand (&self->leader, rm_master_now ());
}

/* At once: a thread that is stuck in a write could be neither closed nor waited for. */
static void on_failed (void *arg, const char *sentence)
{
    (void)arg;
    fprintf (stderr, "ringmaster: %s\n", sentence);
    _exit (1);
}

static void on_said (void *arg, const char *sentence)
{
    (void)arg;
    rm_log (RM_LOG_WARN, "event=masters text=%s", RM_QUOTE_TEXT (sentence));
}

/* ---- turns ------------------------------------------------------------------------------------------------------ */

/* Gives the ledger what it takes; the rest waits and grows. */
static void propose (rm_master_t *self)
{
    while (self->proposed - self->settled < RM_PROPOSALS_MAX) {
        if (!self->batch)
            self->batch = rm_leader_take_batch (&self->leader, rm_master_now ());
        if (!self->batch)
            return;
        uint64_t ticket;
        rm_points_commit (self->batch->kinds, RM_POINT_BEFORE);
        int rc = rm_ledger_propose (self->ledger, self->batch->bytes.data, self->batch->bytes.size, &ticket);
        if (rc == RM_ENOMEM)
            rm_leader_out_of_memory (&self->leader);
        if (rc)
            return;
        self->proposals[ticket % RM_PROPOSALS_MAX] =
            (proposal_t){self->batch->number, self->batch->kinds, self->leadership};
        self->proposed = ticket;
        rm_batch_destroy (&self->batch);
    }
}

static void look_at_disk (rm_master_t *self)
{
    bool full = rm_ledger_full (self->ledger);
    if (full && !self->leader.disk_full)
        rm_log (RM_LOG_WARN, "event=disk_full data=%s clients=busy", RM_QUOTE_TEXT (self->config->data));
    if (!full && self->leader.disk_full)
        rm_log (RM_LOG_INFO, "event=disk_has_room data=%s", RM_QUOTE_TEXT (self->config->data));
    self->leader.disk_full = full;
}

static void on_turn (uv_prepare_t *handle)
{
    rm_master_t *self = handle->data;
    rm_turns_look (&self->turns, &self->loop);
    if (self->stopping)
        return;
    look_at_ledger (self);
    look_at_group (self);
    look_at_disk (self);
    rm_leader_flush (&self->leader, rm_master_now ());
    propose (self);
    if (self->leader.out_of_memory) {
        fprintf (stderr, "ringmaster: memory ran out; what was accepted is in the ledger: start again with a lower "
                         "--max-bytes\n");
        stop (self, 1);
    }
}

static void on_tick (uv_timer_t *handle)
{
    rm_master_t *self = handle->data;
    if (self->stopping)
        return;
    look_at_ledger (self);
    rm_leader_tick (&self->leader, rm_master_now ());
}

static void on_signal (uv_signal_t *handle, int signum)
{
    rm_master_t *self = handle->data;
    rm_log (RM_LOG_INFO, "event=stopping signal=%d", signum);
    stop (self, 0);
}

/* ---- what peers say --------------------------------------------------------------------------------------------- */

static void on_jobs (void *arg, const rm_route_t *route, rm_frame_t *frame)
{
    rm_master_t *self = arg;
    const rm_address_t *from = (const rm_address_t *)route;
    rm_msg_t msg;
    const char *why;
    int rc = rm_msg_decode (&msg, rm_frame_data (frame), rm_frame_size (frame), &why);
    if (rc == RM_EPROTO) {
        rm_log (RM_LOG_WARN, "event=bad_message socket=jobs why=%s", RM_QUOTE_TEXT (why));
        rm_master_answer_error (self, from, rc, "%s", why);
    }
    if (rc)
        return;
    look_at_ledger (self);
    rm_master_from_client (self, from, &msg);
    rm_msg_close (&msg);
}

static void on_work (void *arg, const rm_route_t *route, rm_frame_t *frame)
{
    rm_master_t *self = arg;
    rm_msg_t msg;
    const char *why;
    int rc = rm_msg_decode (&msg, rm_frame_data (frame), rm_frame_size (frame), &why);
    if (rc == RM_EPROTO)
        rm_log (RM_LOG_WARN, "event=bad_message socket=work why=%s", RM_QUOTE_TEXT (why));
    if (rc)
        return;
    look_at_ledger (self);
    rm_leader_from_worker (&self->leader, rm_master_now (), (const rm_address_t *)route, &msg);
    rm_msg_close (&msg);
}

static void on_status (rm_http_answer_t *answer, void *arg)
{
    rm_view_t shown = rm_master_view (arg);
    rm_msg_query_t query = {.what = rm_bytes ("status")};
    answer->content_type = "application/json";
    if (rm_view_query (&shown, &query, &answer->body))
        answer->status = 503;
}

static void on_metrics (rm_http_answer_t *answer, void *arg)
{
    rm_view_t shown = rm_master_view (arg);
    answer->content_type = "text/plain; version=0.0.4";
    rm_view_metrics (&shown, &answer->body);
}

static bool begin_backup (void *arg, uint64_t *checksum)
{
    rm_master_t *self = arg;
    return rm_ledger_backup_seal (self->backup, checksum) == 0;
}

static size_t read_backup (void *arg, uint64_t at, void *to, size_t size)
{
    rm_master_t *self = arg;
    return rm_ledger_backup_read (self->backup, at, to, size);
}

static void end_backup (void *arg)
{
    rm_master_t *self = arg;
    rm_log (RM_LOG_INFO, "event=backup_ended");
    rm_ledger_backup_destroy (&self->backup);
}

/* Any master gives one, whoever leads; one at a time, since each holds memory. */
static void on_backup (rm_http_answer_t *answer, void *arg)
{
    rm_master_t *self = arg;
    int rc = self->stopping ? RM_EIO : rm_ledger_backup_new (self->ledger, &self->backup);
    if (rc) {
        const char *why = rc == RM_ESTATE  ? "this master belongs to no group yet, and has nothing to back up"
                          : rc == RM_EBUSY ? "busy: another backup is being taken from this master, try again later"
                                           : rm_strerror (rc);
        answer->status = 503;
        rm_buf_put (&answer->body, why, strlen (why));
        rm_buf_put (&answer->body, "\n", 1);
        return;
    }
    uint64_t bytes = rm_ledger_backup_bytes (self->backup);
    rm_log (RM_LOG_INFO, "event=backup_begun bytes=%llu", (unsigned long long)bytes);
    answer->content_type = "application/octet-stream";
    answer->stream = (rm_http_stream_t){self, bytes, begin_backup, read_backup, end_backup};
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

rm_master_t *rm_master_new (const rm_master_config_t *config)
{
    rm_master_t *self = rm_calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->config = config;
    self->started_ms = rm_clock_ms ();
    if (uv_loop_init (&self->loop) || rm_net_init ()) {
        rm_free (self);
        return NULL;
    }
    rm_state_init (&self->state);
    const rm_leader_out_t out = {self, to_client, to_worker, publish, trace, warn};
    rm_leader_init (&self->leader, &self->state, &config->leader, &out, rm_random_u64 ());
    uv_timer_init (&self->loop, &self->tick);
    uv_prepare_init (&self->loop, &self->turn);
    rm_turns_init (&self->turns, &self->loop);
    self->tick.data = self->turn.data = self;
    for (int i = 0; i < 2; i++) {
        uv_signal_init (&self->loop, &self->signals[i]);
        self->signals[i].data = self;
    }
    return self;
}

static bool open_ledger (rm_master_t *self)
{
    const rm_peers_t *peers = &self->config->peers;
    char bind[RM_LEDGER_ADDRESS_BYTES] = "", address[sizeof bind], texts[RM_ENDPOINTS_MAX][sizeof bind];
    rm_ledger_peer_t list[RM_ENDPOINTS_MAX];
    rm_endpoint_t here = {0};
    if (!rm_endpoint_set (&here, self->config->bind, (unsigned)self->config->port, NULL))
        rm_peer_address_write (&here, bind, sizeof bind);
    rm_master_config_address (self->config, address, sizeof address);
    for (uint32_t i = 0; i < peers->count; i++) {
        rm_peer_address_write (&peers->endpoints[i], texts[i], sizeof texts[i]);
        list[i] = (rm_ledger_peer_t){peers->ids[i], texts[i]};
    }
    const rm_ledger_config_t config = {.dir = self->config->data,
                                       .id = (uint64_t)self->config->id,
                                       .address = address,
                                       .bind = peers->count ? bind : NULL,
                                       .peers = list,
                                       .peer_count = peers->count,
                                       .secret = self->config->secret,
                                       .secret_bytes = self->config->secret_bytes,
                                       .snapshot_bytes = (uint64_t)self->config->snapshot_bytes,
                                       .digest_bytes = self->config->digest_bytes,
                                       .format_max = self->config->format_max};
    const rm_ledger_events_t events = {self,       on_apply, on_restore, on_snapshot, on_snapshot_done,
                                       on_settled, on_role,  on_failed,  on_said};
    self->ledger = rm_ledger_new (&self->loop, &config, &events);
    rm_group_init (&self->group, self->ledger, rm_master_answer_change, self);
    if (!self->ledger || rm_ledger_start (self->ledger)) {
        fprintf (stderr, "ringmaster: %s\n", self->ledger ? rm_ledger_error (self->ledger) : "memory ran out");
        return false;
    }
    return true;
}

static bool open_sockets (rm_master_t *self)
{
    rm_fault_t fault = {0};
    const char *host = self->config->bind;
    unsigned base = (unsigned)self->config->port, step = base ? 1 : 0;
    self->routes[0] = (rm_http_route_t){"/status", on_status, self};
    self->routes[1] = (rm_http_route_t){"/metrics", on_metrics, self};
    self->routes[2] = (rm_http_route_t){"/backup", on_backup, self};
    bool ok = (self->jobs = rm_socket_bind (RM_SOCKET_JOBS_ROUTER, host, base, &fault)) &&
              (self->work = rm_socket_bind (RM_SOCKET_WORK_ROUTER, host, base + step, &fault)) &&
              (self->sync = rm_socket_bind (RM_SOCKET_SYNC_PUB, host, base + 2 * step, &fault)) &&
              (self->http = rm_http_new (&self->loop, host, base + 3 * step, self->routes, &fault));
    if (!ok) {
        fprintf (stderr, "ringmaster: %s\n", fault.text);
        return false;
    }
    const rm_endpoint_t *http = rm_http_endpoint (self->http);
    snprintf (self->http_text, sizeof self->http_text, "http%s", strstr (http->text, "://"));
    self->jobs_watch = rm_watch_new (&self->loop, self->jobs, on_jobs, NULL, self);
    self->work_watch = rm_watch_new (&self->loop, self->work, on_work, NULL, self);
    return self->jobs_watch && self->work_watch;
}

static void on_ledger_closed (void *arg)
{
    rm_master_t *self = arg;
    uv_close ((uv_handle_t *)&self->tick, NULL);
    uv_close ((uv_handle_t *)&self->turn, NULL);
    for (int i = 0; i < 2; i++)
        uv_close ((uv_handle_t *)&self->signals[i], NULL);
}

/* Nothing of the disk is in flight afterwards; what clients were not told they ask for again. */
static void close_all (rm_master_t *self)
{
    self->stopping = true;
    rm_announcer_destroy (&self->announcer);
    rm_watch_close (&self->jobs_watch);
    rm_watch_close (&self->work_watch);
    rm_http_destroy (&self->http);
    if (self->ledger)
        rm_ledger_close (&self->ledger, on_ledger_closed, self);
    else
        on_ledger_closed (self);
    uv_run (&self->loop, UV_RUN_DEFAULT);
    rm_socket_close (&self->jobs);
    rm_socket_close (&self->work);
    rm_socket_close (&self->sync);
}

int rm_master_run (rm_master_t *self)
{
    self->exit_code = 1;
    if (open_ledger (self) && !self->stopping && open_sockets (self)) {
        self->exit_code = 0;
        uv_timer_start (&self->tick, on_tick, RM_TICK_MS, RM_TICK_MS);
        uv_prepare_start (&self->turn, on_turn);
        uv_signal_start (&self->signals[0], on_signal, SIGTERM);
        uv_signal_start (&self->signals[1], on_signal, SIGINT);
        uv_run (&self->loop, UV_RUN_DEFAULT);
    }
    close_all (self);
    return self->exit_code;
}

void rm_master_destroy (rm_master_t **self_p)
{
    rm_master_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    rm_batch_destroy (&self->batch);
    rm_leader_close (&self->leader);
    rm_state_close (&self->state);
    RM_ASSERT (uv_loop_close (&self->loop) == 0);
    rm_net_term ();
    rm_free (self);
}
