/*  What those who ask are shown: all records as JSON and as text, a table to read, one record by itself.
 *
 *  Whatever services say of themselves is escaped: it is text, and never markup, a line of its own or a way out of a
 *  string.
 *  Thread rule: one thread.
 */
#pragma once

#include "core/services.h"
#include "proto/buf.h"

enum { RM_PAGE_ROWS_MAX = 2000 /* in the table; more are for programs, not for reading */ };

/* All records: an array, one a line. */
void rm_page_json (rm_buf_t *body, const rm_services_t *services);

/* All records: lines "NAME VALUE", an empty line behind each record. */
void rm_page_text (rm_buf_t *body, const rm_services_t *services);

/* The table, in the order that `rest` says: "", "COLUMN" or "COLUMN/down". False: there is no such column. */
bool rm_page_table (rm_buf_t *body, const rm_services_t *services, uint64_t now_ms, const char *rest);

/* One record. */
void rm_page_detail (rm_buf_t *body, const rm_service_t *service, uint64_t now_ms);
