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

static uint64_t connection_of (const sim_t *self, uint32_t peer)
{
    return sim_is_worker (self, peer) ? sim_worker_connection (self, peer) : sim_client_connection (self, peer);
}

bool sim_packet_arrives (const sim_t *self, const sim_packet_t *packet)
{
    uint32_t peer = packet->to == SIM_MASTER ? packet->from : packet->to;
    const sim_process_t *sender = &self->processes[packet->from];
    uint64_t connection = connection_of (self, peer);
    if (packet->sent_us < self->broken_us[peer])
        return false;
    bool died = !sender->up || sender->boot != packet->from_boot;
    if (died && packet->sent_us + packet->sent_us % LATE_WORDS_US > sender->down_us)
        return false;
    if (packet->to == SIM_MASTER)
        return true;
    return connection && (!packet->connection || packet->connection == connection);
}

void sim_break (sim_t *self, uint32_t peer)
{
    self->broken_us[peer] = self->now_us;
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
        uint32_t peer = to == SIM_MASTER ? from : to;
        sim_way_t *way = &self->ways[peer][to == SIM_MASTER ? SIM_TO_MASTER : SIM_TO_PEER];
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
