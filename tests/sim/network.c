/*  The network: every message goes through the real encoder and decoder, may be lost, doubled, late or overtaken, and dies
 *  with the connection or the process it is for. */
#include <stdlib.h>

#include "sim.h"
#include "story.h"

enum {
    LATE_WORDS_US = 1000, /* what a process said so shortly before it was killed may not have left it */
    AGAIN_US = 300000,    /* the second copy of what is doubled comes so much later at most */
};

/* ---- packets ----------------------------------------------------------------------------------------------------- */

void sim_packet_free (sim_packet_t *packet)
{
    if (--packet->refs)
        return;
    rm_msg_close (&packet->msg);
    rm_buf_close (&packet->frame);
    free (packet);
}

static sim_packet_t *wrap (sim_t *self, uint32_t from, uint32_t to, uint64_t connection, rm_buf_t *frame)
{
    sim_packet_t *packet = calloc (1, sizeof *packet);
    if (!packet)
        abort ();
    *packet = (sim_packet_t){.refs = 1,
                             .from = from,
                             .to = to,
                             .from_boot = self->processes[from].boot,
                             .sent_us = self->now_us,
                             .connection = connection,
                             .frame = *frame};
    *frame = (rm_buf_t){0};
    const char *why = "";
    if (rm_msg_decode (&packet->msg, packet->frame.data, packet->frame.size, &why)) {
        rm_buf_close (&packet->frame);
        free (packet);
        sim_violation (self, "wire", "%s sent what cannot be read: %s", self->processes[from].name, why);
    }
    return packet;
}

bool sim_has_left (const sim_t *self, uint32_t from, uint32_t from_boot, uint64_t sent_us)
{
    const sim_process_t *sender = &self->processes[from];
    bool died = !sender->up || sender->boot != from_boot;
    return !died || sent_us + sent_us % LATE_WORDS_US <= sender->down_us;
}

bool sim_packet_arrives (const sim_t *self, const sim_packet_t *packet)
{
    if (packet->sent_us < self->ways[packet->from][packet->to].broken_us ||
        !sim_has_left (self, packet->from, packet->from_boot, packet->sent_us))
        return false;
    if (sim_is_master (self, packet->to))
        return true;
    uint64_t connection = sim_is_worker (self, packet->to) ? sim_worker_connection (self, packet->to, packet->from)
                                                           : sim_client_connection (self, packet->to, packet->from);
    return connection && (!packet->connection || packet->connection == connection);
}

void sim_break (sim_t *self, uint32_t one, uint32_t other)
{
    self->ways[one][other].broken_us = self->ways[other][one].broken_us = self->now_us;
}

/* ---- ways -------------------------------------------------------------------------------------------------------- */

static uint64_t arrival_us (sim_t *self, sim_way_t *way)
{
    uint64_t way_us = self->plan->way_us;
    uint64_t at_us = self->now_us + way_us / 2 + sim_draw (self, way_us + 1);
    if (way->delay_us)
        at_us += sim_draw (self, way->delay_us);
    if (at_us < way->held_us)
        at_us = way->held_us + sim_draw (self, way_us + 1);
    if (!way->reorders && at_us <= way->last_us)
        at_us = way->last_us + 1;
    if (at_us > way->last_us)
        way->last_us = at_us;
    return at_us;
}

/* Between masters nothing is lost or doubled but with its connection, as TCP has it. */
uint64_t sim_way_arrival_us (sim_t *self, uint32_t from, uint32_t to)
{
    sim_way_t *way = &self->ways[from][to];
    return way->cut ? 0 : arrival_us (self, way);
}

static void post (sim_t *self, sim_way_t *way, sim_packet_t *packet, uint64_t late_us)
{
    if (way->loss_permille && sim_draw (self, 1000) < way->loss_permille) {
        story (self, packet->from, "… which is lost");
        return;
    }
    const sim_process_t *receiver = &self->processes[packet->to];
    uint64_t at_us = arrival_us (self, way) + late_us;
    if (!receiver->up) { /* what waits at the sender goes out when the other side is back */
        if (sim_once_in (self, 2))
            return;
        if (at_us <= receiver->back_us)
            at_us = way->last_us = receiver->back_us + 1 + sim_draw (self, self->plan->way_us);
    }
    packet->refs++;
    sim_events_add (&self->events, (sim_event_t){.at_us = at_us,
                                                 .kind = SIM_ARRIVES,
                                                 .who = packet->to,
                                                 .boot = receiver->up ? receiver->boot : receiver->boot + 1,
                                                 .what = packet});
}

void sim_send (sim_t *self, uint32_t from, uint32_t to, uint64_t connection, rm_buf_t *frame)
{
    sim_process_t *sender = &self->processes[from];
    if (sender->dying) {
        rm_buf_close (frame);
        return;
    }
    sim_packet_t *packet = wrap (self, from, to, connection, frame);
    sim_point (self, from, rm_msg_name (packet->msg.type), "before it sends");
    if (!sender->dying) {
        if (story_out) {
            char text[2048];
            story_message (&packet->msg, text, sizeof text);
            story (self, from, "→ %-3s %s", self->processes[to].name, text);
        }
        check_sent (self->check, packet);
        sim_way_t *way = &self->ways[from][to];
        if (way->cut)
            story (self, from, "… which does not get through");
        else
            post (self, way, packet, 0);
        if (!way->cut && way->double_permille && sim_draw (self, 1000) < way->double_permille)
            post (self, way, packet, sim_draw (self, AGAIN_US));
        sim_point (self, from, rm_msg_name (packet->msg.type), "after it sent");
    }
    sim_packet_free (packet);
}
