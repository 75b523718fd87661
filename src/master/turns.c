#include "master/turns.h"

static const uint64_t remembered_ns = 30 * 1000000000ull;

void rm_turns_init (rm_turns_t *self, uv_loop_t *loop)
{
    *self = (rm_turns_t){0};
    uv_loop_configure (loop, UV_METRICS_IDLE_TIME);
}

void rm_turns_look (rm_turns_t *self, uv_loop_t *loop)
{
    uint64_t now_ns = uv_hrtime (), idle_ns = uv_metrics_idle_time (loop);
    uint64_t busy_us = (now_ns - self->looked_ns - (idle_ns - self->idle_ns)) / 1000;
    if (self->looked_ns && busy_us > self->longest_us)
        self->longest_us = busy_us;
    self->looked_ns = now_ns;
    self->idle_ns = idle_ns;
    if (now_ns - self->since_ns < remembered_ns)
        return;
    self->before_us = self->longest_us;
    self->longest_us = 0;
    self->since_ns = now_ns;
}

uint64_t rm_turns_longest_us (const rm_turns_t *self)
{
    return self->longest_us > self->before_us ? self->longest_us : self->before_us;
}
