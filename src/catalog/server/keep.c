#include <inttypes.h>

#include "catalog/server/inside.h"
#include "net/clock.h"
#include "net/log.h"
#include "ringmaster/error.h"

/* ---- what the disk has ------------------------------------------------------------------------------------------- */

/* One record, as it was when it was last heard of. False: it is none of ours. */
static bool recall (rm_catalog_server_t *self, json_t *object)
{
    const char *why;
    const json_t *heard = json_object_get (object, "lastheardfrom");
    rm_update_t update = {.object = json_incref (object)};
    uint64_t now_ms = rm_catalog_now_ms (self);
    bool good = json_is_object (object) && json_is_integer (heard) && json_integer_value (heard) >= 0 &&
                !rm_update_describe (&update, &why);
    if (good) {
        update.said.heard_ms = (uint64_t)json_integer_value (heard) * 1000;
        if (update.said.heard_ms > now_ms) /* the clock was set back */
            update.said.heard_ms = now_ms;
        int rc = rm_services_put (&self->services, &update.said, &why);
        good = rc == 0 || rc == RM_EBUSY; /* the limits may be lower now */
    }
    rm_update_close (&update);
    return good;
}

static int recall_all (rm_catalog_server_t *self, rm_fault_t *fault)
{
    rm_buf_t text = {0};
    json_t *array = NULL, *object;
    size_t i;
    int rc = rm_store_read (&self->store, &text, fault);
    if (rc || !text.size)
        goto done;
    array = json_loadb ((const char *)text.data, text.size, 0, NULL);
    bool good = json_is_array (array);
    json_array_foreach (array, i, object)
        good = good && recall (self, object);
    if (!good)
        rc = rm_store_refuse (&self->store, "it has what is no record", fault);
done:
    json_decref (array);
    rm_buf_close (&text);
    return rc;
}

bool rm_catalog_recall (rm_catalog_server_t *self)
{
    rm_fault_t fault = {0};
    if (!self->config->data)
        return true;
    int rc = rm_store_init (&self->store, self->config->data, &fault);
    if (!rc)
        rc = recall_all (self, &fault);
    if (rc && rc != RM_ECORRUPT) {
        fprintf (stderr, "ringcatalog: %s\n", fault.text);
        return false;
    }
    if (rc)
        rm_log (RM_LOG_WARN, "event=records_damaged text=%s", RM_QUOTE_TEXT (fault.text));
    rm_services_expire (&self->services, rm_catalog_now_ms (self));
    self->kept_changes = self->services.changes;
    rm_log (RM_LOG_INFO, "event=recalled records=%" PRIu32, self->services.sum.count);
    return true;
}

/* ---- what is written --------------------------------------------------------------------------------------------- */

static void write_records (uv_work_t *work)
{
    rm_catalog_server_t *self = work->data;
    self->write_error =
        rm_store_write (&self->store, self->written->body.data, self->written->body.size, &self->write_fault);
}

/* A disk that fails is no reason to stop: who asks is answered from memory. It is said once. */
static void on_written (uv_work_t *work, int status)
{
    rm_catalog_server_t *self = work->data;
    (void)status;
    if (!self->write_error)
        self->kept_changes = self->written->changes;
    else if (!self->write_complained)
        rm_log (RM_LOG_WARN, "event=not_kept text=%s", RM_QUOTE_TEXT (self->write_fault.text));
    self->write_complained = self->write_error != 0;
    rm_copy_give_back (&self->written);
}

static bool take_records (rm_catalog_server_t *self)
{
    if (!self->config->data || self->written || self->kept_changes == self->services.changes)
        return false;
    self->written = rm_copies_take (&self->json, &self->services);
    return self->written != NULL;
}

void rm_catalog_keep_tick (rm_catalog_server_t *self)
{
    uint64_t now_ms = rm_clock_ms ();
    if (now_ms - self->kept_ms < RM_CATALOG_KEEP_MS || !take_records (self))
        return;
    self->kept_ms = now_ms;
    self->writing.data = self;
    uv_queue_work (&self->loop, &self->writing, write_records, on_written);
}

void rm_catalog_keep_last (rm_catalog_server_t *self)
{
    if (!take_records (self))
        return;
    self->writing.data = self;
    write_records (&self->writing);
    on_written (&self->writing, 0);
}
