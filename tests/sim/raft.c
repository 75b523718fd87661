#include "raft.h"

#include <stdlib.h>
#include <string.h>

#include "raft_inside.h"
#include "story.h"

enum { WRITES_MAX = 256, TRAILING = 6 }; /* writes under way; entries kept behind a snapshot */

/* A write under way: entries behind the log, or a snapshot instead of it. */
typedef struct {
    uint64_t number;
    raft_index first; /* of the entries */
    sim_entry_t **entries;
    uint32_t count;
    sim_shot_t shot; /* index 0: it is one of entries */
} write_t;

struct sim_raft {
    struct raft raft;
    sim_log_t log;      /* what libraft believes to be the log, written or not */
    raft_index applied; /* of the state; what a snapshot stands for counts */
    uint64_t batches;   /* of the state */
    write_t writes[WRITES_MAX];
    uint32_t write_count;
    uint64_t write_number;
    bool installing;      /* another one's snapshot */
    raft_time timeout_ms; /* when it wants to be woken, by its clock … */
    uint64_t wake_us;     /* … and when that was found to be: a clock may be set to another rate meanwhile */
    uint64_t
        asked_ms[PLAN_MASTERS_MAX]; /* when, by its clock, each other master sent what it last said as a leader … */
    uint64_t heard_ms[PLAN_MASTERS_MAX]; /* … and when this one said what each other last answered as its follower */
};

/* A message between masters. */
typedef struct {
    uint32_t from, to, from_boot;
    uint64_t sent_us;
    uint64_t asked_ms;       /* when it was sent, by the sender's clock; of an answer: when that was which it answers */
    struct raft_message msg; /* owns what it points to */
    bool given;              /* libraft has taken that over */
} letter_t;

static void *must (void *memory)
{
    if (!memory)
        abort ();
    return memory;
}

static raft_time now_ms (const sim_t *self, uint32_t who)
{
    return sim_clock_ms (self, who);
}

/* ---- letters ----------------------------------------------------------------------------------------------------- */

void sim_raft_letter_free (void *arg)
{
    letter_t *letter = arg;
    struct raft_message *msg = &letter->msg;
    if (msg->type == RAFT_APPEND_ENTRIES) {
        if (!letter->given && msg->append_entries.n_entries)
            raft_free (msg->append_entries.entries[0].batch);
        raft_free (msg->append_entries.entries);
    } else if (msg->type == RAFT_INSTALL_SNAPSHOT && !letter->given) {
        raft_configuration_close (&msg->install_snapshot.conf);
        raft_free (msg->install_snapshot.data.base);
    }
    free (letter);
}

/* Entries are referred to by number; their bytes go along in one piece of memory, as libraft wants to receive them. */
static void enclose_entries (const sim_raft_t *self, struct raft_append_entries *args)
{
    size_t size = 0;
    args->entries = NULL;
    for (unsigned i = 0; i < args->n_entries; i++)
        size += sim_log_get (&self->log, args->prev_log_index + 1 + i)->size;
    if (!args->n_entries)
        return;
    uint8_t *batch = must (raft_malloc (size)), *at = batch;
    args->entries = must (raft_calloc (args->n_entries, sizeof *args->entries));
    for (unsigned i = 0; i < args->n_entries; i++) {
        const sim_entry_t *entry = sim_log_get (&self->log, args->prev_log_index + 1 + i);
        memcpy (at, entry->bytes, entry->size);
        args->entries[i] =
            (struct raft_entry){.term = entry->term, .type = entry->type, .buf = {at, entry->size}, .batch = batch};
        at += entry->size;
    }
}

static void enclose_snapshot (const sim_disk_t *disk, struct raft_install_snapshot *args)
{
    const sim_shot_t *shot = &disk->shot;
    raft_configuration_init (&args->conf);
    if (raft_configuration_decode (&shot->conf, &args->conf))
        abort ();
    args->last_index = shot->index;
    args->last_term = shot->term;
    args->conf_index = shot->conf_index;
    args->data = sim_buffer_copy (shot->data.base, shot->data.len);
}

static const char *letter_name (const struct raft_message *msg)
{
    static const char *const names[] = {"?", "append", "appended", "ask for a vote", "vote", "snapshot", "your turn"};
    return msg->type <= RAFT_TIMEOUT_NOW ? names[msg->type] : names[0];
}

static void post (sim_t *self, uint32_t who, const sim_raft_t *raft, const struct raft_message *msg)
{
    sim_process_t *process = &self->processes[who];
    uint32_t to = (uint32_t)msg->server_id - 1;
    sim_point (self, who, letter_name (msg), "before it sends");
    if (process->dying)
        return;
    uint64_t at_us = sim_way_arrival_us (self, who, to);
    if (msg->type != RAFT_APPEND_ENTRIES || msg->append_entries.n_entries)
        story (self, who, "→ %-3s %s%s", self->processes[to].name, letter_name (msg), at_us ? "" : ", which is lost");
    if (at_us && self->processes[to].up) {
        letter_t *letter = must (calloc (1, sizeof *letter));
        bool answers = msg->type == RAFT_APPEND_ENTRIES_RESULT;
        *letter = (letter_t){.from = who,
                             .to = to,
                             .from_boot = process->boot,
                             .sent_us = self->now_us,
                             .asked_ms = answers ? raft->asked_ms[to] : now_ms (self, who),
                             .msg = *msg};
        letter->msg.server_id = who + 1;
        letter->msg.server_address = process->name;
        if (msg->type == RAFT_APPEND_ENTRIES)
            enclose_entries (raft, &letter->msg.append_entries);
        else if (msg->type == RAFT_INSTALL_SNAPSHOT)
            enclose_snapshot (self->disks[who], &letter->msg.install_snapshot);
        sim_events_add (
            &self->events,
            (sim_event_t){
                .at_us = at_us, .kind = SIM_LETTER, .who = to, .boot = self->processes[to].boot, .what = letter});
    }
    sim_point (self, who, letter_name (msg), "after it sent");
}

/* ---- writes ------------------------------------------------------------------------------------------------------ */

static write_t *issue (sim_t *self, uint32_t who, sim_raft_t *raft)
{
    if (raft->write_count == WRITES_MAX)
        abort ();
    write_t *write = &raft->writes[raft->write_count++];
    *write = (write_t){.number = ++raft->write_number};
    uint64_t done_us = sim_disk_write_us (self, who);
    sim_after (self, done_us - self->now_us, SIM_WRITTEN, who, NULL, write->number);
    return write;
}

static void close_write (write_t *write)
{
    for (uint32_t i = 0; i < write->count; i++)
        sim_entry_unref (write->entries[i]);
    free (write->entries);
    sim_shot_close (&write->shot);
}

/* What was to be written from `index` on is not wanted any more. */
static void cut_writes (sim_raft_t *raft, raft_index index)
{
    for (uint32_t w = 0; w < raft->write_count; w++) {
        write_t *write = &raft->writes[w];
        while (write->count && write->first + write->count > index)
            sim_entry_unref (write->entries[--write->count]);
    }
}

static void put_on_disk (sim_disk_t *disk, write_t *write)
{
    if (write->shot.index) {
        sim_shot_close (&disk->shot);
        disk->shot = write->shot;
        write->shot = (sim_shot_t){0};
        sim_log_truncate (&disk->log, disk->log.first);
        disk->log.first = disk->shot.index + 1;
        return;
    }
    sim_log_truncate (&disk->log, write->first);
    for (uint32_t i = 0; i < write->count; i++)
        sim_log_append (&disk->log, write->entries[i]);
}

static void write_entries (sim_t *self, uint32_t who, sim_raft_t *raft, raft_index first, struct raft_entry *entries,
                           unsigned count)
{
    sim_log_truncate (&raft->log, first);
    cut_writes (raft, first);
    write_t *write = issue (self, who, raft);
    write->first = first;
    write->entries = must (calloc (count, sizeof *write->entries));
    write->count = count;
    for (unsigned i = 0; i < count; i++) {
        write->entries[i] = sim_entry_new (entries[i].term, entries[i].type, entries[i].buf.base, entries[i].buf.len);
        sim_log_append (&raft->log, write->entries[i]);
    }
    raft_free (entries[0].batch);
}

/* Takes the snapshot's bytes and group over. */
static void write_snapshot (sim_t *self, uint32_t who, sim_raft_t *raft, struct raft_snapshot_metadata *metadata,
                            const struct raft_buffer *data)
{
    raft->installing = true;
    cut_writes (raft, 0);
    sim_log_truncate (&raft->log, raft->log.first);
    raft->log.first = metadata->index + 1;
    write_t *write = issue (self, who, raft);
    write->shot = (sim_shot_t){
        .index = metadata->index, .term = metadata->term, .conf_index = metadata->configuration_index, .data = *data};
    if (raft_configuration_encode (&metadata->configuration, &write->shot.conf))
        abort ();
    raft_configuration_close (&metadata->configuration);
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static int step (sim_t *self, uint32_t who, sim_raft_t *raft, struct raft_event *event);

static void change_group (sim_t *self, uint32_t who, sim_raft_t *raft, raft_index index, const sim_entry_t *entry)
{
    struct raft_event event = {.type = RAFT_CONFIGURATION, .configuration = {.index = index}};
    struct raft_buffer encoded = {(void *)entry->bytes, entry->size};
    raft_configuration_init (&event.configuration.conf);
    if (raft_configuration_decode (&encoded, &event.configuration.conf))
        abort ();
    step (self, who, raft, &event);
}

static void apply_committed (sim_t *self, uint32_t who, sim_raft_t *raft)
{
    while (raft->applied < raft_commit_index (&raft->raft) && !raft->installing && !self->processes[who].dying) {
        raft_index index = raft->applied + 1;
        sim_entry_t *entry = sim_log_get (&raft->log, index);
        if (!entry)
            return;
        raft->applied = index;
        entry->refs++;
        if (entry->type == RAFT_COMMAND) {
            raft->batches++;
            const uint64_t *header = entry->bytes; /* its size, and when it was written */
            sim_master_applies (self, who, index, entry->term, entry->bytes + 2, header[0], header[1]);
        } else if (entry->type == RAFT_CHANGE && index > 1)
            change_group (self, who, raft, index, entry);
        sim_entry_unref (entry);
    }
}

static void set_timer (sim_t *self, uint32_t who, sim_raft_t *raft)
{
    raft->wake_us = sim_when_us (self, who, raft->timeout_ms);
    sim_after (self, raft->wake_us - self->now_us, SIM_RAFT, who, NULL, 0);
}

/* What must be on the disk is there before what is said (term and vote), or its write is issued. */
static int step (sim_t *self, uint32_t who, sim_raft_t *raft, struct raft_event *event)
{
    struct raft_update update;
    event->time = now_ms (self, who);
    event->capacity = 1 << 15;
    int rc = raft_step (&raft->raft, event, &update);
    if (rc)
        return rc;
    if (update.flags & (RAFT_UPDATE_CURRENT_TERM | RAFT_UPDATE_VOTED_FOR)) {
        self->disks[who]->term = raft_current_term (&raft->raft);
        self->disks[who]->vote = raft_voted_for (&raft->raft);
    }
    if (update.flags & RAFT_UPDATE_ENTRIES)
        write_entries (self, who, raft, update.entries.index, update.entries.batch, update.entries.n);
    if (update.flags & RAFT_UPDATE_SNAPSHOT)
        write_snapshot (self, who, raft, &update.snapshot.metadata, &update.snapshot.chunk);
    if (update.flags & RAFT_UPDATE_MESSAGES)
        for (unsigned i = 0; i < update.messages.n && !self->processes[who].dying; i++)
            post (self, who, raft, &update.messages.batch[i]);
    raft->timeout_ms = raft_timeout (&raft->raft);
    set_timer (self, who, raft);
    if (update.flags & RAFT_UPDATE_COMMIT_INDEX)
        apply_committed (self, who, raft);
    sim_want_turn (self, who);
    return 0;
}

void sim_raft_wake (sim_t *self, uint32_t who, sim_raft_t *raft)
{
    if (self->now_us < raft->wake_us)
        return; /* it was to be woken earlier once */
    if (now_ms (self, who) >= raft->timeout_ms)
        step (self, who, raft, &(struct raft_event){.type = RAFT_TIMEOUT});
    else
        set_timer (self, who, raft);
}

/* A leader whose answers were lost sends entries again that this log has no more, since a snapshot stands for them. libraft
 * 0.22 takes those for new ones, and appends them once more behind its log: they are left out here. Whatever a snapshot
 * stands for is committed, so the leader has it too. */
static void leave_out_known (const sim_disk_t *disk, struct raft_append_entries *args)
{
    const sim_shot_t *shot = &disk->shot;
    if (args->prev_log_index + 1 >= disk->log.first || args->prev_log_index >= shot->index)
        return;
    raft_index upto = args->prev_log_index + args->n_entries;
    unsigned known = upto < shot->index ? args->n_entries : (unsigned)(shot->index - args->prev_log_index);
    args->prev_log_index = shot->index;
    args->prev_log_term = shot->term;
    args->n_entries -= known;
    if (args->n_entries) {
        memmove (args->entries, args->entries + known, args->n_entries * sizeof *args->entries);
    } else if (args->entries) {
        raft_free (args->entries[0].batch);
        raft_free (args->entries);
        args->entries = NULL;
    }
}

/* An answer counts from when that was sent which it answers, and only if it is a follower's of this term: none of a majority
 * whose answers are younger than an election's time has voted for another one before that time, however late its words are. */
static void note_contact (sim_raft_t *raft, const letter_t *letter)
{
    const struct raft_message *msg = &letter->msg;
    raft_term term = raft_current_term (&raft->raft);
    bool asks = (msg->type == RAFT_APPEND_ENTRIES && msg->append_entries.term >= term) ||
                (msg->type == RAFT_INSTALL_SNAPSHOT && msg->install_snapshot.term >= term);
    uint64_t *heard_ms = &raft->heard_ms[letter->from];
    if (asks)
        raft->asked_ms[letter->from] = letter->asked_ms;
    else if (msg->type == RAFT_APPEND_ENTRIES_RESULT && msg->append_entries_result.term == term &&
             letter->asked_ms > *heard_ms)
        *heard_ms = letter->asked_ms;
}

void sim_raft_receive (sim_t *self, uint32_t who, sim_raft_t *raft, void *arg)
{
    letter_t *letter = arg;
    if (!sim_has_left (self, letter->from, letter->from_boot, letter->sent_us) ||
        letter->sent_us < self->ways[letter->from][who].broken_us)
        return;
    note_contact (raft, letter);
    if (letter->msg.type == RAFT_APPEND_ENTRIES && !raft->installing)
        leave_out_known (self->disks[who], &letter->msg.append_entries);
    letter->given = true;
    step (self, who, raft, &(struct raft_event){.type = RAFT_RECEIVE, .receive = {&letter->msg}});
}

static void snapshot_written (sim_t *self, uint32_t who, sim_raft_t *raft)
{
    const sim_shot_t *shot = &self->disks[who]->shot;
    struct raft_event event = {.type = RAFT_PERSISTED_SNAPSHOT, .persisted_snapshot = {.last = true}};
    event.persisted_snapshot.metadata = (struct raft_snapshot_metadata){
        .index = shot->index, .term = shot->term, .configuration_index = shot->conf_index};
    raft_configuration_init (&event.persisted_snapshot.metadata.configuration);
    if (raft_configuration_decode (&shot->conf, &event.persisted_snapshot.metadata.configuration))
        abort ();
    uint64_t batches;
    memcpy (&batches, shot->data.base, sizeof batches);
    raft->installing = false;
    raft->applied = shot->index;
    raft->batches = batches;
    sim_master_restores (self, who, (uint8_t *)shot->data.base + 8, shot->data.len - 8, batches);
    step (self, who, raft, &event);
    apply_committed (self, who, raft);
}

void sim_raft_written (sim_t *self, uint32_t who, sim_raft_t *raft, uint64_t number)
{
    if (!raft->write_count || raft->writes[0].number != number)
        return;
    write_t write = raft->writes[0];
    memmove (raft->writes, raft->writes + 1, --raft->write_count * sizeof write);
    bool shot = write.shot.index, any = write.count;
    raft_index last = write.first + write.count - 1;
    if (shot || any)
        put_on_disk (self->disks[who], &write);
    close_write (&write);
    if (shot)
        snapshot_written (self, who, raft);
    else if (any && !raft->installing)
        step (self, who, raft,
              &(struct raft_event){.type = RAFT_PERSISTED_ENTRIES, .persisted_entries = {.index = last}});
}

/* ---- what its owner wants ---------------------------------------------------------------------------------------- */

bool sim_raft_propose (sim_t *self, uint32_t who, sim_raft_t *raft, const void *batch, size_t size, uint64_t *index,
                       uint64_t *term)
{
    size_t padded = (size + 7) / 8 * 8;
    uint8_t *bytes = must (raft_calloc (1, padded + 16));
    memcpy (bytes, (uint64_t[]){size, self->now_us}, 16);
    memcpy (bytes + 16, batch, size);
    struct raft_entry entry = {
        .term = raft_current_term (&raft->raft), .type = RAFT_COMMAND, .buf = {bytes, padded + 16}, .batch = bytes};
    *index = raft_last_index (&raft->raft) + 1;
    *term = entry.term;
    if (step (self, who, raft, &(struct raft_event){.type = RAFT_SUBMIT, .submit = {&entry, 1}})) {
        raft_free (bytes);
        return false;
    }
    return true;
}

/* Few are read in earnest: each is, to see that all is in it. */
static void read_back (sim_t *self, uint32_t who, uint64_t batches)
{
    const struct raft_buffer *data = &self->disks[who]->shot.data;
    rm_state_t state;
    if (rm_state_init (&state))
        abort ();
    if (rm_snapshot_restore (&state, (uint8_t *)data->base + 8, data->len - 8))
        sim_violation (self, "rebuilt", "the snapshot of batch %llu cannot be read", (unsigned long long)batches);
    check_restored (self->check, who, &state, batches);
    rm_state_close (&state);
}

void sim_raft_snapshot (sim_t *self, uint32_t who, sim_raft_t *raft, const rm_state_t *state, uint64_t batches)
{
    sim_disk_t *disk = self->disks[who];
    bool changing = raft->raft.configuration_uncommitted_index != 0;
    if (raft->installing || changing || raft->applied <= disk->shot.index || raft->applied > sim_log_last (&disk->log))
        return;
    rm_snapshot_t *snapshot = must (rm_snapshot_take (state));
    size_t count, size = 8;
    const rm_part_t *parts = rm_snapshot_parts (snapshot, &count);
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    uint8_t *bytes = must (raft_malloc (size)), *at = bytes + 8;
    memcpy (bytes, &batches, 8);
    for (size_t i = 0; i < count; at += parts[i].size, i++)
        if (parts[i].size)
            memcpy (at, parts[i].data, parts[i].size);
    rm_snapshot_destroy (&snapshot);
    sim_shot_t shot = {.index = raft->applied,
                       .term = sim_log_get (&raft->log, raft->applied)->term,
                       .conf_index = raft->raft.configuration_committed_index,
                       .data = {bytes, size}};
    if (raft_configuration_encode (&raft->raft.configuration, &shot.conf))
        abort ();
    sim_shot_close (&disk->shot);
    disk->shot = shot;
    story (self, who, "has a snapshot of batch %llu", (unsigned long long)batches);
    read_back (self, who, batches);
    struct raft_event event = {.type = RAFT_SNAPSHOT, .snapshot = {.trailing = TRAILING}};
    event.snapshot.metadata =
        (struct raft_snapshot_metadata){.index = shot.index, .term = shot.term, .configuration_index = shot.conf_index};
    raft_configuration_init (&event.snapshot.metadata.configuration);
    if (raft_configuration_decode (&shot.conf, &event.snapshot.metadata.configuration))
        abort ();
    step (self, who, raft, &event);
    raft_index gone = shot.index > TRAILING ? shot.index - TRAILING : 0;
    sim_log_shorten (&raft->log, gone);
    sim_log_shorten (&disk->log, gone);
}

void sim_raft_transfer (sim_t *self, uint32_t who, sim_raft_t *raft, uint32_t to)
{
    step (self, who, raft, &(struct raft_event){.type = RAFT_TRANSFER, .transfer = {.server_id = to + 1}});
}

bool sim_raft_leads (const sim_raft_t *raft)
{
    struct raft *core = (struct raft *)&raft->raft;
    return raft_state (core) == RAFT_LEADER && raft->applied == raft_last_index (core);
}

bool sim_raft_is_cut_off (const sim_t *self, uint32_t who, const sim_raft_t *raft)
{
    uint32_t heard = 1;
    for (uint32_t other = 0; other < self->plan->master_count; other++)
        heard += other != who && raft->heard_ms[other] + SIM_ELECTION_MS > now_ms (self, who);
    return heard <= self->plan->master_count / 2;
}

uint32_t sim_raft_leader (const sim_t *self, const sim_raft_t *raft)
{
    raft_id id;
    const char *address;
    raft_leader ((struct raft *)&raft->raft, &id, &address);
    return id ? (uint32_t)id - 1 : self->plan->master_count;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

void sim_raft_start (sim_t *self, uint32_t who, sim_raft_t *raft)
{
    const sim_disk_t *disk = self->disks[who];
    struct raft_snapshot_metadata metadata = {
        .index = disk->shot.index, .term = disk->shot.term, .configuration_index = disk->shot.conf_index};
    struct raft_event event = {
        .type = RAFT_START,
        .start = {
            .term = disk->term, .voted_for = disk->vote, .start_index = disk->log.first, .n_entries = disk->log.count}};
    if (disk->shot.index) {
        raft_configuration_init (&metadata.configuration);
        if (raft_configuration_decode (&disk->shot.conf, &metadata.configuration))
            abort ();
        event.start.metadata = &metadata;
    }
    struct raft_entry *entries = must (calloc (disk->log.count + 1, sizeof *entries));
    for (uint32_t i = 0; i < disk->log.count; i++) {
        sim_entry_t *entry = disk->log.entries[i];
        entries[i] = (struct raft_entry){.term = entry->term, .type = entry->type, .buf = {entry->bytes, entry->size}};
        sim_log_append (&raft->log, entry);
    }
    event.start.entries = entries;
    step (self, who, raft, &event);
    free (entries);
}

sim_raft_t *sim_raft_boot (sim_t *self, uint32_t who, rm_state_t *state, uint64_t *batches)
{
    const sim_disk_t *disk = self->disks[who];
    sim_raft_t *raft = must (calloc (1, sizeof *raft));
    if (raft_init (&raft->raft, NULL, NULL, who + 1, self->processes[who].name))
        abort ();
    raft->raft.tracer = NULL;
    raft_seed (&raft->raft, (unsigned)sim_draw (self, 1u << 31));
    raft_set_election_timeout (&raft->raft, SIM_ELECTION_MS);
    raft_set_heartbeat_timeout (&raft->raft, SIM_HEARTBEAT_MS);
    raft_set_pre_vote (&raft->raft, true);
    raft->log.first = disk->log.first;
    if (disk->shot.index) {
        memcpy (&raft->batches, disk->shot.data.base, 8);
        raft->applied = disk->shot.index;
        if (rm_snapshot_restore (state, (uint8_t *)disk->shot.data.base + 8, disk->shot.data.len - 8))
            sim_violation (self, "rebuilt", "a snapshot cannot be read");
    }
    *batches = raft->batches;
    return raft;
}

void sim_raft_down (sim_t *self, uint32_t who, sim_raft_t **raft_p)
{
    sim_raft_t *raft = *raft_p;
    *raft_p = NULL;
    uint64_t done = raft->write_count ? sim_draw (self, raft->write_count + 1) : 0;
    for (uint32_t i = 0; i < raft->write_count; i++) {
        write_t *write = &raft->writes[i];
        uint32_t torn = i == done && write->count ? write->count - (uint32_t)sim_draw (self, write->count) : 0;
        while (torn--)
            sim_entry_unref (write->entries[--write->count]);
        if (i < done ? write->shot.index || write->count : i == done && write->count)
            put_on_disk (self->disks[who], write);
        close_write (write);
    }
    self->disks[who]->busy_us = self->disks[who]->group_us = 0;
    raft_close (&raft->raft, NULL);
    sim_log_close (&raft->log);
    free (raft);
}
