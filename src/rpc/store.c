#include "rpc/store.h"

#include <sqlite3.h>
#include <string.h>

#include "ringmaster/error.h"

/* What tells our files from others: "RMRP". */
#define APPLICATION_ID "1380798032"

/* A call that runs has no reply yet; `at` is when it was begun or ended, milliseconds of the calendar. */
static const char schema[] = "PRAGMA application_id = " APPLICATION_ID ";"
                             "CREATE TABLE IF NOT EXISTS sessions (session BLOB PRIMARY KEY, floor INTEGER NOT NULL,"
                             " at INTEGER NOT NULL) WITHOUT ROWID;"
                             "CREATE TABLE IF NOT EXISTS calls (session BLOB, seq INTEGER, hash INTEGER NOT NULL,"
                             " at INTEGER NOT NULL, reply BLOB, PRIMARY KEY (session, seq)) WITHOUT ROWID;";

typedef enum { BEGIN, END, FORGET, FLOOR, BELOW, SWEEP_CALLS, SWEEP_SESSIONS, STATEMENTS } statement_t;

static const char *const texts[STATEMENTS] = {
    [BEGIN] = "INSERT OR REPLACE INTO calls VALUES (?1, ?2, ?3, ?4, NULL)",
    [END] = "UPDATE calls SET reply = ?3, at = ?4 WHERE session = ?1 AND seq = ?2",
    [FORGET] = "DELETE FROM calls WHERE session = ?1 AND seq = ?2",
    [FLOOR] = "INSERT INTO sessions VALUES (?1, ?2, ?4) ON CONFLICT (session) DO UPDATE SET floor = ?2, at = ?4",
    [BELOW] = "DELETE FROM calls WHERE session = ?1 AND seq <= ?2 AND reply IS NOT NULL",
    [SWEEP_CALLS] = "DELETE FROM calls WHERE at < ?4 AND reply IS NOT NULL",
    [SWEEP_SESSIONS] = "DELETE FROM sessions WHERE at < ?4 AND session NOT IN (SELECT session FROM calls)",
};

struct rm_rpc_store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    bool open; /* a transaction is */
    int rc;    /* of the first note since the last commit that failed */
};

static int refuse (rm_rpc_store_t *self, rm_fault_t *fault, const char *what)
{
    int code = sqlite3_errcode (self->db) & 0xff;
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        return rm_fault (fault, RM_ECORRUPT, "cannot %s the table of calls: %s", what, sqlite3_errmsg (self->db));
    if (code == SQLITE_BUSY)
        return rm_fault (fault, RM_EIO, "cannot %s the table of calls: another process has it", what);
    return rm_fault (fault, RM_EIO, "cannot %s the table of calls: %s", what, sqlite3_errmsg (self->db));
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

/* A file that has something in it which is not ours is left alone. */
static int check_ours (rm_rpc_store_t *self, rm_fault_t *fault)
{
    static const char question[] =
        "SELECT (SELECT count (*) FROM sqlite_master) > 0 AND application_id != " APPLICATION_ID
        " FROM pragma_application_id";
    sqlite3_stmt *ask;
    int error = 0;
    if (sqlite3_prepare_v2 (self->db, question, -1, &ask, NULL))
        return refuse (self, fault, "open");
    if (sqlite3_step (ask) != SQLITE_ROW)
        error = refuse (self, fault, "open");
    else if (sqlite3_column_int (ask, 0))
        error = rm_fault (fault, RM_ECORRUPT, "the file is no table of calls: name another one, or none that exists");
    sqlite3_finalize (ask);
    return error;
}

static int prepare (rm_rpc_store_t *self, rm_fault_t *fault)
{
    static const char pragmas[] =
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
    int error = check_ours (self, fault);
    if (error)
        return error;
    if (sqlite3_exec (self->db, pragmas, NULL, NULL, NULL))
        return refuse (self, fault, "open");
    if (sqlite3_exec (self->db, schema, NULL, NULL, NULL))
        return refuse (self, fault, "open");
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v2 (self->db, texts[i], -1, &self->statements[i], NULL))
            return refuse (self, fault, "open");
    return 0;
}

rm_rpc_store_t *rm_rpc_store_open (const char *path, rm_fault_t *fault)
{
    rm_rpc_store_t *self = rm_calloc (1, sizeof *self);
    if (!self) {
        rm_fault (fault, RM_ENOMEM, "memory ran out");
        return NULL;
    }
    if (sqlite3_open (path, &self->db)) {
        rm_fault (fault, RM_EIO, "cannot open %s: %s", path, sqlite3_errmsg (self->db));
        rm_rpc_store_close (&self);
    } else if (prepare (self, fault))
        rm_rpc_store_close (&self);
    return self;
}

void rm_rpc_store_close (rm_rpc_store_t **self_p)
{
    rm_rpc_store_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize (self->statements[i]);
    sqlite3_close (self->db);
    rm_free (self);
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

/* When something was, on the table's clock. */
static uint64_t moment (int64_t at, uint64_t now_ms, uint64_t unix_ms)
{
    uint64_t age_ms = at >= 0 && (uint64_t)at < unix_ms ? unix_ms - (uint64_t)at : 0;
    return age_ms < now_ms ? now_ms - age_ms : 0;
}

static bool session_at (sqlite3_stmt *row, rm_session_id_t *session)
{
    bool good = sqlite3_column_bytes (row, 0) == RM_SESSION_BYTES;
    if (good)
        memcpy (session->bytes, sqlite3_column_blob (row, 0), RM_SESSION_BYTES);
    return good;
}

/* The frame that answers a call which was being run when the process died. */
static int unsure_reply (const rm_session_id_t *session, uint64_t seq, rm_buf_t *frame)
{
    rm_msg_t msg = {
        .type = RM_MSG_RPC_ERROR,
        .rpc_error = {.session = *session,
                      .seq = seq,
                      .code = RM_EINTERRUPTED,
                      .text = rm_bytes ("the server ended while the call ran: it may have been done or not, "
                                        "and is not run again")}};
    return rm_msg_encode (&msg, frame);
}

static int load_call (sqlite3_stmt *row, rm_rpc_table_t *table, uint64_t now_ms, uint64_t unix_ms)
{
    rm_session_id_t session;
    rm_buf_t frame = {0};
    if (!session_at (row, &session))
        return RM_ECORRUPT;
    uint64_t seq = (uint64_t)sqlite3_column_int64 (row, 1);
    if (sqlite3_column_type (row, 4) == SQLITE_NULL)
        unsure_reply (&session, seq, &frame);
    else
        rm_buf_put (&frame, sqlite3_column_blob (row, 4), (size_t)sqlite3_column_bytes (row, 4));
    int rc = frame.failed ? RM_ENOMEM
                          : rm_rpc_table_restore (table, &session, seq, (uint64_t)sqlite3_column_int64 (row, 2),
                                                  moment (sqlite3_column_int64 (row, 3), now_ms, unix_ms), frame.data,
                                                  (uint32_t)frame.size, now_ms);
    if (rc)
        rm_buf_close (&frame);
    return rc;
}

static int load_session (sqlite3_stmt *row, rm_rpc_table_t *table, uint64_t now_ms, uint64_t unix_ms)
{
    rm_session_id_t session;
    if (!session_at (row, &session))
        return RM_ECORRUPT;
    return rm_rpc_table_restore_floor (table, &session, (uint64_t)sqlite3_column_int64 (row, 1),
                                       moment (sqlite3_column_int64 (row, 2), now_ms, unix_ms));
}

typedef int load_fn (sqlite3_stmt *row, rm_rpc_table_t *table, uint64_t now_ms, uint64_t unix_ms);

static int load_all (rm_rpc_store_t *self, const char *text, load_fn *load, rm_rpc_table_t *table, uint64_t now_ms,
                     uint64_t unix_ms, rm_fault_t *fault)
{
    sqlite3_stmt *rows;
    int rc, error = 0;
    if (sqlite3_prepare_v2 (self->db, text, -1, &rows, NULL))
        return refuse (self, fault, "read");
    while ((rc = sqlite3_step (rows)) == SQLITE_ROW && !error)
        error = load (rows, table, now_ms, unix_ms);
    if (error)
        rm_fault (fault, error, "cannot read the table of calls: %s", rm_strerror (error));
    else if (rc != SQLITE_DONE)
        error = refuse (self, fault, "read");
    sqlite3_finalize (rows);
    return error;
}

int rm_rpc_store_load (rm_rpc_store_t *self, rm_rpc_table_t *table, uint64_t now_ms, uint64_t unix_ms,
                       rm_fault_t *fault)
{
    /* Floors first: replies below them, of calls that ran when the floor rose, are discarded as they come. */
    int error = load_all (self, "SELECT session, floor, at FROM sessions ORDER BY at", load_session, table, now_ms,
                          unix_ms, fault);
    return error ? error
                 : load_all (self, "SELECT session, seq, hash, at, reply FROM calls ORDER BY at", load_call, table,
                             now_ms, unix_ms, fault);
}

/* ---- noting ------------------------------------------------------------------------------------------------------ */

/* The statement, bound to a session (NULL: none), a number and a moment; NULL if a note failed before. */
static sqlite3_stmt *bind (rm_rpc_store_t *self, statement_t which, const rm_session_id_t *session, uint64_t number,
                           uint64_t unix_ms)
{
    if (!self->open && !self->rc) {
        self->rc = sqlite3_exec (self->db, "BEGIN", NULL, NULL, NULL);
        self->open = !self->rc;
    }
    if (self->rc)
        return NULL;
    sqlite3_stmt *statement = self->statements[which];
    if (session)
        sqlite3_bind_blob (statement, 1, session->bytes, sizeof session->bytes, SQLITE_STATIC);
    sqlite3_bind_int64 (statement, 2, (sqlite3_int64)number); /* a statement without such a place ignores it */
    sqlite3_bind_int64 (statement, 4, (sqlite3_int64)unix_ms);
    return statement;
}

static void step (rm_rpc_store_t *self, sqlite3_stmt *statement)
{
    if (!statement)
        return;
    int rc = sqlite3_step (statement);
    if (rc != SQLITE_DONE)
        self->rc = rc;
    sqlite3_reset (statement);
}

void rm_rpc_store_begin (rm_rpc_store_t *self, const rm_rpc_entry_t *entry, uint64_t unix_ms)
{
    sqlite3_stmt *statement = bind (self, BEGIN, &entry->session->id, entry->seq, unix_ms);
    if (statement)
        sqlite3_bind_int64 (statement, 3, (sqlite3_int64)entry->hash);
    step (self, statement);
}

void rm_rpc_store_end (rm_rpc_store_t *self, const rm_rpc_entry_t *entry, uint64_t unix_ms)
{
    sqlite3_stmt *statement = bind (self, END, &entry->session->id, entry->seq, unix_ms);
    if (statement)
        sqlite3_bind_blob (statement, 3, entry->reply, (int)entry->reply_size, SQLITE_STATIC);
    step (self, statement);
}

void rm_rpc_store_forget (rm_rpc_store_t *self, const rm_session_id_t *session, uint64_t seq)
{
    step (self, bind (self, FORGET, session, seq, 0));
}

void rm_rpc_store_floor (rm_rpc_store_t *self, const rm_rpc_session_t *session, uint64_t unix_ms)
{
    step (self, bind (self, FLOOR, &session->id, session->floor, unix_ms));
    step (self, bind (self, BELOW, &session->id, session->floor, 0));
}

void rm_rpc_store_sweep (rm_rpc_store_t *self, uint64_t before_unix_ms)
{
    step (self, bind (self, SWEEP_CALLS, NULL, 0, before_unix_ms));
    step (self, bind (self, SWEEP_SESSIONS, NULL, 0, before_unix_ms));
}

int rm_rpc_store_commit (rm_rpc_store_t *self, rm_fault_t *fault)
{
    int error = 0;
    if (self->open && !self->rc)
        self->rc = sqlite3_exec (self->db, "COMMIT", NULL, NULL, NULL);
    if (self->rc) {
        error = refuse (self, fault, "write");
        if (!sqlite3_get_autocommit (self->db))
            sqlite3_exec (self->db, "ROLLBACK", NULL, NULL, NULL);
    }
    self->open = false;
    self->rc = 0;
    return error;
}
