/*  A map from ids to pointers: ids that grow and lie close together cost eight bytes each, a gap between them nothing.
 *
 *  A tree of nodes with 64 places: as many levels as the largest id has digits of six bits. Nothing is ever rehashed, so
 *  that no call takes longer because many ids are in.
 *
 *      root ── 4096 · n ── 64 · n ── ids 64 · n … 64 · n + 63
 *
 *  Invariants: a node has a bit in `used` for each place that is not NULL, and no node but the root's path is without
 *  one; the root's level is the lowest that holds the largest id put in since the map was empty.
 *  `rm_ids_t ids = {0};` is empty and valid. Every call takes O(levels): four for the first 16 million ids.
 *  Thread rule: belongs to one thread. Ownership: what the pointers point to is the caller's.
 */
#pragma once

#include <stdint.h>

enum { RM_IDS_BITS = 6, RM_IDS_PLACES = 1 << RM_IDS_BITS };

typedef struct rm_ids_node {
    uint64_t used;               /* a bit for each place that is taken */
    void *places[RM_IDS_PLACES]; /* nodes of the level below; on the lowest one what was put in */
} rm_ids_node_t;

typedef struct {
    rm_ids_node_t *root; /* NULL: nothing is in */
    uint32_t level;      /* of the root; 0: the lowest */
    uint64_t reach;      /* the highest id that has a place below the root */
    uint64_t count;
} rm_ids_t;

/* Puts `value` in, which is not NULL, under an id that is not in. 0, or RM_ENOMEM with nothing changed. */
int rm_ids_put (rm_ids_t *self, uint64_t id, void *value);

/* Takes the id out; does nothing if it is not in. What is left empty is freed. */
void rm_ids_remove (rm_ids_t *self, uint64_t id);

/* What was put in under that id; NULL: nothing. */
void *rm_ids_get (const rm_ids_t *self, uint64_t id);

/* What stands under the lowest id from `id` on, or under the highest one up to it. NULL: there is none. */
void *rm_ids_from (const rm_ids_t *self, uint64_t id);
void *rm_ids_upto (const rm_ids_t *self, uint64_t id);
