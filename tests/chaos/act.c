#include "act.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net.h"

void act_open (act_t *self, stage_t *stage)
{
    *self = (act_t){.stage = stage};
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

__attribute__ ((format (printf, 3, 4))) static void append (char *text, size_t size, const char *format, ...)
{
    size_t used = strlen (text);
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (text + used, size - used, format, arguments);
    va_end (arguments);
}

void act_tell (const stage_t *stage, const step_t *step, char *text, size_t size)
{
    snprintf (text, size, "%" PRIu64 ".%03u %s", step->at_ms / 1000, (unsigned)(step->at_ms % 1000),
              step_name (step->kind));
    if (step_harms (step->kind)) {
        for (unsigned i = 0; i < cast_size (&stage->cast); i++)
            if (step->peers >> i & 1 && (stage->cast.masters > 1 || i != CAST_MASTER))
                append (text, size, " %s", stage->actors[i].name);
        if (step->kind == STEP_LOSS)
            append (text, size, ", %u%%", step->amount);
    } else if (step->kind < STEP_LOSS || step_splits (step->kind))
        append (text, size, " %s", stage->actors[step->actor].name);
    if (step->kind == STEP_FAINT)
        append (text, size, ", %u%%", step->amount);
    append (text, size, ", %" PRIu64 " ms", step->for_ms);
}

void act_describe (const act_t *self, char *text, size_t size)
{
    *text = 0;
    for (unsigned i = 0; i < ACT_ACTIVE_MAX; i++) {
        const step_t *step = &self->active[i].step;
        if (!self->active[i].end_us)
            continue;
        append (text, size, "%s%s", *text ? ", " : "", step_name (step->kind));
        if (step->kind < STEP_LOSS || step_splits (step->kind))
            append (text, size, " %s", self->stage->actors[step->actor].name);
    }
    for (unsigned i = 0; i < cast_size (&self->stage->cast); i++)
        if (!self->stage->actors[i].process && !stage_is_guest (self->stage, i) &&
            (i != CAST_PROXY || cast_has_proxy (&self->stage->cast)))
            append (text, size, "%sno %s", *text ? ", " : "", self->stage->actors[i].name);
    if (!*text)
        snprintf (text, size, "nothing");
}

/* ---- processes --------------------------------------------------------------------------------------------------- */

static void kill_one (act_t *self, unsigned actor, uint64_t back_ms)
{
    if (!self->stage->actors[actor].process)
        self->counts.idle++;
    else if (cast_is_master (&self->stage->cast, actor))
        self->counts.master_kills++;
    else if (stage_is_client (self->stage, actor))
        self->counts.client_kills++;
    else if (stage_is_worker (self->stage, actor))
        self->counts.worker_kills++;
    stage_kill (self->stage, actor, back_ms);
}

static void arm (act_t *self, const step_t *step)
{
    actor_t *actor = &self->stage->actors[step->actor];
    kill_one (self, step->actor, step->for_ms);
    const cast_t *cast = &self->stage->cast;
    if (step->actor < CAST_PEER + cast->workers + cast->guests || cast_is_master (cast, step->actor)) {
        actor->point = stage_point (self->stage, step->actor, step->random);
        actor->point_at = step->amount;
    }
}

/* An operator's own process, outside of what is harmed. */
static void drain (act_t *self, const step_t *step)
{
    char program[600], endpoint[STAGE_ENDPOINTS_BYTES];
    actor_t *actor = &self->stage->actors[step->actor];
    ssize_t size = readlink ("/proc/self/exe", program, sizeof program - 32);
    if (size < 0 || !actor->process) {
        self->counts.idle++;
        return;
    }
    program[size] = 0;
    strcpy (strrchr (program, '/'), "/ringctl");
    stage_endpoint (self->stage, endpoint, sizeof endpoint);
    process_destroy (&self->ringctl);
    self->ringctl =
        process_start ("ringctl", (char *[]){program, "--master", endpoint, "drain", actor->name, NULL}, NULL);
}

static void begin_process (act_t *self, const step_t *step)
{
    switch (step->kind) {
    case STEP_KILL:
        kill_one (self, step->actor, step->for_ms);
        break;
    case STEP_POINT:
        arm (self, step);
        break;
    case STEP_STOP:
    case STEP_STOP_LONG:
    case STEP_STOP_KILL:
        stage_stop (self->stage, step->actor);
        break;
    case STEP_LEAVE:
        stage_leave (self->stage, step->actor, step->for_ms, false);
        break;
    case STEP_DRAIN:
        drain (self, step);
        break;
    case STEP_JOIN:
        if (!self->stage->actors[step->actor].process)
            stage_start (self->stage, step->actor);
        break;
    default: /* STEP_KILL_BOTH */
        kill_one (self, step->actor, step->for_ms);
        kill_one (self, step->master, step->for_ms / 2);
    }
}

/* ---- the network ------------------------------------------------------------------------------------------------- */

static void harm (active_t *active, unsigned from, unsigned into, net_harm_t what)
{
    active->harms[active->harm_count++] = net_harm (from, into, what, active->step.amount);
}

/* When it has begun, and before it ends: the judge holds workers to their lease in between. */
static void tell_cut (const act_t *self, unsigned actor, const char *what)
{
    history_pen_write (&self->stage->pen, "%s %" PRIu64 " 0 %s", what, history_now_us (),
                       self->stage->actors[actor].name);
}

static void tell_cuts (const act_t *self, const step_t *step, const char *what)
{
    const cast_t *cast = &self->stage->cast;
    for (unsigned i = 0; i < cast->masters; i++)
        if (!(step->peers >> cast_master (cast, i) & 1))
            return; /* it hears one of them */
    for (unsigned i = CAST_PEER; i < cast_peers_end (cast); i++)
        if (step->peers >> i & 1)
            tell_cut (self, i, what);
}

static void harm_peer (act_t *self, active_t *active, unsigned seat, unsigned master)
{
    step_kind_t kind = active->step.kind;
    net_harm_t what = kind == STEP_LOSS ? NET_LOSS : kind == STEP_RESET ? NET_RESET : NET_CUT;
    if (kind != STEP_CUT_TO)
        harm (active, seat, net_is_far (seat) ? self->stage->proxy_far : master, what);
    if (kind != STEP_CUT_FROM && kind != STEP_RESET)
        harm (active, master, seat, what);
}

static bool is_cut (step_kind_t kind)
{
    return kind >= STEP_CUT_TO && kind <= STEP_CUT;
}

static void begin_harm (act_t *self, active_t *active)
{
    const cast_t *cast = &self->stage->cast;
    for (unsigned i = CAST_PEER; i < cast_peers_end (cast); i++)
        for (unsigned m = 0; m < cast->masters && active->step.peers >> i & 1; m++)
            if (active->step.peers >> cast_master (cast, m) & 1)
                harm_peer (self, active, self->stage->actors[i].seat, self->stage->actors[cast_master (cast, m)].seat);
    if (is_cut (active->step.kind))
        tell_cuts (self, &active->step, "cut");
}

/* Between a master and each of the others. */
static void begin_split (act_t *self, active_t *active)
{
    step_kind_t kind = active->step.kind;
    unsigned seat = self->stage->actors[active->step.actor].seat;
    net_harm_t what = kind == STEP_FAINT ? NET_LOSS : NET_CUT;
    for (unsigned m = 0; m < self->stage->cast.masters; m++) {
        unsigned other = self->stage->actors[cast_master (&self->stage->cast, m)].seat;
        if (other != seat && kind != STEP_SPLIT_FROM)
            harm (active, other, seat, what);
        if (other != seat && kind != STEP_SPLIT_TO)
            harm (active, seat, other, what);
    }
}

/* Each port by itself: what travels on one comes long before what was said earlier on another. */
static void begin_proxy (act_t *self, const step_t *step)
{
    uint64_t random = step->random;
    int port = (int)step->amount - 1;
    if (step->kind == STEP_DELAY)
        for (int i = 0; i < 3; i++, random >>= 16)
            stage_command (self->stage, "delay %u %u %d\n", (unsigned)(random & 0xff) * step->amount / 255,
                           (unsigned)(random >> 8 & 0xff) * step->amount / 255, i);
    else if (step->kind == STEP_STALL)
        stage_command (self->stage, "stall %" PRIu64 "\n", step->for_ms);
    else if (step->kind == STEP_KILL_PROXY)
        stage_kill (self->stage, CAST_PROXY, step->for_ms);
    else
        stage_command (self->stage, "%s %d\n", step_name (step->kind), port);
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static void end (act_t *self, active_t *active)
{
    const step_t *step = &active->step;
    uint64_t packets = 0;
    if (is_cut (step->kind))
        tell_cuts (self, step, "uncut");
    for (unsigned i = 0; i < active->harm_count; i++)
        packets += net_heal (active->harms[i]);
    self->counts.packets += packets;
    if (step->kind == STEP_STOP || step->kind == STEP_STOP_LONG)
        stage_cont (self->stage, step->actor);
    else if (step->kind == STEP_STOP_KILL)
        kill_one (self, step->actor, step->for_ms / 2);
    else if (step->kind == STEP_JOIN)
        stage_leave (self->stage, step->actor, 0, true);
    else if (step->kind == STEP_DELAY || step->kind == STEP_STALL)
        stage_command (self->stage, "calm\n");
    active->end_us = 0;
    if (active->harm_count)
        history_pen_write (&self->stage->pen, "# %" PRIu64 " healed %s after %" PRIu64 " packets", history_now_us (),
                           step_name (step->kind), packets);
    else if (step->kind == STEP_DELAY || step->kind == STEP_STALL)
        history_pen_write (&self->stage->pen, "# %" PRIu64 " healed %s", history_now_us (), step_name (step->kind));
}

void act_begin (act_t *self, const step_t *step)
{
    char text[ACT_TEXT_BYTES];
    active_t *active = self->active;
    while (active < self->active + ACT_ACTIVE_MAX && active->end_us)
        active++;
    if (active == self->active + ACT_ACTIVE_MAX)
        harness_fail ("too much at a time");
    act_tell (self->stage, step, text, sizeof text);
    history_pen_write (&self->stage->pen, "# %" PRIu64 " fault %s", history_now_us (), text);
    *active = (active_t){.step = *step, .end_us = history_now_us () + step->for_ms * 1000 + 1};
    self->counts.steps[step->kind]++;
    if (step_harms (step->kind))
        begin_harm (self, active);
    else if (step_splits (step->kind))
        begin_split (self, active);
    else if (step->kind >= STEP_DELAY)
        begin_proxy (self, step);
    else
        begin_process (self, step);
}

void act_tick (act_t *self)
{
    for (unsigned i = 0; i < ACT_ACTIVE_MAX; i++)
        if (self->active[i].end_us && self->active[i].end_us <= history_now_us ())
            end (self, &self->active[i]);
    if (self->ringctl && !process_alive (self->ringctl))
        process_destroy (&self->ringctl);
}

void act_end_all (act_t *self)
{
    stage_t *stage = self->stage;
    for (unsigned i = 0; i < ACT_ACTIVE_MAX; i++)
        if (self->active[i].end_us)
            end (self, &self->active[i]);
    stage_command (stage, "calm\n");
    for (unsigned i = 0; i < cast_size (&stage->cast); i++) {
        actor_t *actor = &stage->actors[i];
        stage_cont (stage, i);
        if (actor->process && actor->point)
            kill_one (self, i, 0);
        actor->point = NULL;
        if (!actor->process && actor->due_us != STAGE_NEVER)
            actor->due_us = history_now_us ();
    }
}
