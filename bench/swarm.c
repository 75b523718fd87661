#include "swarm.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/work.h"
#include "net/clock.h"
#include "net/context.h"
#include "net/files.h"
#include "net/random.h"
#include "process.h"
#include "worker/uplink.h"

enum { PATIENCE_MS = 120000, EVENTS_MAX = 64, THREADS = 2 /* that each says it has */ };

struct swarm_shared {
    atomic_uint joined; /* workers */
};

typedef struct {
    char name[24];
    rm_uplink_t link;
    rm_work_t *half;
    const rm_socket_t *watched[RM_LINK_POLLS]; /* in the epoll set */
    uint64_t deadline_ms;
} drone_t;

static drone_t drones[SWARM_PROCESS_WORKERS]; /* of this process */
static struct swarm_shared *shared;
static int epoll;

/* A socket's descriptor leaves the set when it is closed. */
static void watch_sockets (drone_t *self)
{
    rm_poll_t items[RM_LINK_POLLS];
    rm_uplink_poll (&self->link, items);
    for (int i = 0; i < RM_LINK_POLLS; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = (uint32_t)(self - drones)};
        if (items[i].socket && items[i].socket != self->watched[i])
            epoll_ctl (epoll, EPOLL_CTL_ADD, rm_socket_fd (items[i].socket), &event);
        self->watched[i] = items[i].socket;
    }
}

static bool receive (drone_t *self, rm_socket_t *socket)
{
    rm_frame_t frame = {{0}};
    bool any = false;
    while (socket && rm_socket_recv (socket, NULL, &frame) == 1) {
        rm_msg_t msg;
        any = true;
        if (rm_msg_decode (&msg, rm_frame_data (&frame), rm_frame_size (&frame), NULL))
            harness_fail ("the master sent what is no message");
        rm_work_receive (self->half, &msg, rm_clock_ms ());
        rm_msg_close (&msg);
    }
    rm_frame_close (&frame);
    return any;
}

/* Runs what is to be run, which takes no time. */
static bool run (drone_t *self, rm_work_job_t *jobs)
{
    bool any = false;
    for (rm_work_job_t *job = jobs, *next; job; job = next) {
        next = job->next_effect;
        any = true;
        if (!rm_work_try_start (self->half, job, rm_clock_ms ())) {
            rm_work_declined (self->half, job);
            continue;
        }
        job->result.verdict = RM_VERDICT_OK;
        rm_buf_put (&job->result.data, job->data.data, job->data.size);
        rm_work_finished (self->half, job);
    }
    return any;
}

static bool act (drone_t *self)
{
    const rm_work_effects_t *effects = rm_work_effects (self->half, rm_clock_ms ());
    rm_buf_t frame = {0};
    for (size_t i = 0; i < effects->send_count && self->link.work; i++) {
        rm_buf_clear (&frame);
        if (!rm_msg_encode (&effects->sends[i], &frame))
            rm_socket_send_buf (self->link.work, NULL, &frame);
    }
    rm_buf_close (&frame);
    if (effects->end != RM_WORK_GOES_ON)
        harness_fail ("the worker %s has ended: %s", self->name, effects->text ? effects->text : "no reason");
    if (effects->joined)
        atomic_fetch_add (&shared->joined, 1);
    self->deadline_ms = effects->deadline_ms;
    if (effects->reconnect) {
        rm_work_disconnected (self->half);
        rm_uplink_drop (&self->link, rm_clock_ms ());
    }
    return run (self, effects->starts);
}

static void turn (drone_t *self)
{
    bool again = true;
    while (again) {
        if (rm_uplink_step (&self->link, rm_clock_ms ()))
            rm_work_connected (self->half, rm_clock_ms ());
        watch_sockets (self);
        again = receive (self, self->link.sync);
        again = receive (self, self->link.work) || again;
        rm_work_tick (self->half, rm_clock_ms (), rm_random_u64 ());
        again = act (self) || again;
    }
    uint64_t link_ms = rm_uplink_deadline (&self->link);
    self->deadline_ms = link_ms < self->deadline_ms ? link_ms : self->deadline_ms;
}

static void be_workers (const char *master, uint32_t first, uint32_t count)
{
    static const char *const queues[] = {"crowd"};
    rm_endpoint_t endpoint;
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    rm_files_allow_many ();
    rm_net_init ();
    rm_endpoint_parse (&endpoint, master, NULL);
    epoll = epoll_create1 (EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < count; i++) {
        drone_t *self = &drones[i];
        snprintf (self->name, sizeof self->name, "s%u", first + i);
        self->half = rm_work_new (&(rm_work_config_t){
            .name = self->name, .pool = "default", .queues = queues, .queue_count = 1, .threads = THREADS});
        if (!self->half || rm_uplink_init (&self->link, &endpoint, 1, self->name, rm_clock_ms ()))
            harness_fail ("memory ran out");
    }
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        uint64_t now_ms = rm_clock_ms (), due_ms = now_ms + 1000;
        for (uint32_t i = 0; i < count; i++) {
            if (drones[i].deadline_ms <= now_ms)
                turn (&drones[i]);
            due_ms = drones[i].deadline_ms < due_ms ? drones[i].deadline_ms : due_ms;
        }
        now_ms = rm_clock_ms ();
        int ready = epoll_wait (epoll, events, EVENTS_MAX, due_ms > now_ms ? (int)(due_ms - now_ms) : 0);
        for (int i = 0; i < ready; i++)
            turn (&drones[events[i].data.u32]);
    }
}

void swarm_start (swarm_t *self, const char *master, uint32_t workers)
{
    uint64_t end_ms = rm_clock_ms () + PATIENCE_MS;
    *self = (swarm_t){.processes = (workers + SWARM_PROCESS_WORKERS - 1) / SWARM_PROCESS_WORKERS};
    shared = self->shared = mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        harness_fail ("memory ran out");
    fflush (stdout);
    for (uint32_t i = 0; i < self->processes; i++) {
        uint32_t first = i * SWARM_PROCESS_WORKERS, left = workers - first;
        self->pids[i] = fork ();
        if (!self->pids[i])
            be_workers (master, first, left < SWARM_PROCESS_WORKERS ? left : SWARM_PROCESS_WORKERS);
        if (self->pids[i] < 0)
            harness_fail ("cannot start a process of workers");
    }
    while (atomic_load (&shared->joined) < workers) {
        sleep_ms (1);
        if (rm_clock_ms () > end_ms)
            harness_fail ("after %d s %u of %u workers have joined", PATIENCE_MS / 1000, atomic_load (&shared->joined),
                          workers);
    }
}

void swarm_stop (swarm_t *self)
{
    for (uint32_t i = 0; i < self->processes; i++) {
        kill (self->pids[i], SIGKILL);
        waitpid (self->pids[i], NULL, 0);
    }
    munmap (self->shared, sizeof *self->shared);
}
