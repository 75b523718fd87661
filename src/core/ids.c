#include "core/ids.h"

#include <stdbool.h>
#include <stddef.h>

#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

enum { LEVELS = (64 + RM_IDS_BITS - 1) / RM_IDS_BITS };

static uint32_t place_of (uint64_t id, uint32_t level)
{
    return id >> level * RM_IDS_BITS & (RM_IDS_PLACES - 1);
}

static bool reaches (const rm_ids_t *self, uint64_t id)
{
    return id <= self->reach;
}

/* The node of the lowest level that has, or would have, the id; NULL: there is none. */
static rm_ids_node_t *leaf_of (const rm_ids_t *self, uint64_t id)
{
    rm_ids_node_t *node = reaches (self, id) ? self->root : NULL;
    for (uint32_t shift = self->level * RM_IDS_BITS; shift && node; shift -= RM_IDS_BITS)
        node = node->places[id >> shift & (RM_IDS_PLACES - 1)];
    return node;
}

void *rm_ids_get (const rm_ids_t *self, uint64_t id)
{
    const rm_ids_node_t *leaf = leaf_of (self, id);
    return leaf ? leaf->places[place_of (id, 0)] : NULL;
}

static void take (rm_ids_node_t *node, uint32_t place, void *value)
{
    node->places[place] = value;
    node->used |= UINT64_C (1) << place;
}

/* Takes nodes without content off the path to the id. */
static void prune (rm_ids_node_t **node_p, uint32_t level, uint64_t id)
{
    rm_ids_node_t *node = *node_p;
    uint32_t place = place_of (id, level);
    if (level && node->places[place]) {
        rm_ids_node_t *below = node->places[place];
        prune (&below, level - 1, id);
        node->places[place] = below;
    }
    if (!node->places[place])
        node->used &= ~(UINT64_C (1) << place);
    if (node->used)
        return;
    rm_free (node);
    *node_p = NULL;
}

/* Levels above the root until it reaches the id. An empty map begins with the level it needs. */
static int rise (rm_ids_t *self, uint64_t id)
{
    while (!reaches (self, id)) {
        rm_ids_node_t *above = self->root ? rm_calloc (1, sizeof *above) : NULL;
        if (self->root && !above)
            return RM_ENOMEM;
        if (above)
            take (above, 0, self->root);
        self->root = above;
        self->level++;
        self->reach = self->level + 1 == LEVELS ? UINT64_MAX : self->reach << RM_IDS_BITS | (RM_IDS_PLACES - 1);
    }
    if (!self->root)
        self->root = rm_calloc (1, sizeof *self->root);
    return self->root ? 0 : RM_ENOMEM;
}

int rm_ids_put (rm_ids_t *self, uint64_t id, void *value)
{
    RM_ASSERT (value);
    if (!self->root) {
        self->level = 0;
        self->reach = RM_IDS_PLACES - 1;
    }
    if (rise (self, id))
        return RM_ENOMEM;
    rm_ids_node_t *node = self->root;
    for (uint32_t level = self->level; level; level--) {
        uint32_t place = place_of (id, level);
        if (!node->places[place]) {
            void *below = rm_calloc (1, sizeof *node);
            if (!below) {
                prune (&self->root, self->level, id);
                return RM_ENOMEM;
            }
            take (node, place, below);
        }
        node = node->places[place];
    }
    RM_ASSERT (!node->places[place_of (id, 0)]);
    take (node, place_of (id, 0), value);
    self->count++;
    return 0;
}

void rm_ids_remove (rm_ids_t *self, uint64_t id)
{
    rm_ids_node_t *leaf = leaf_of (self, id);
    if (!leaf || !leaf->places[place_of (id, 0)])
        return;
    leaf->places[place_of (id, 0)] = NULL;
    self->count--;
    leaf->used &= ~(UINT64_C (1) << place_of (id, 0));
    if (!leaf->used)
        prune (&self->root, self->level, id);
}

/* ---- neighbours ------------------------------------------------------------------------------------------------- */

/* The taken place nearest to `place` and not below it (`up`), or not above; -1: there is none. */
static int nearest (uint64_t used, uint32_t place, bool up)
{
    used &= up ? UINT64_MAX << place : UINT64_MAX >> (RM_IDS_PLACES - 1 - place);
    return !used ? -1 : up ? __builtin_ctzll (used) : 63 - __builtin_clzll (used);
}

/* Only the node on the id's own path may have nothing on that side of it: then it is the first of the next place. */
static void *search (const rm_ids_node_t *node, uint32_t level, uint64_t id, bool up)
{
    const int last = up ? RM_IDS_PLACES - 1 : 0, own = (int)place_of (id, level);
    for (int place = nearest (node->used, (uint32_t)own, up); place >= 0;) {
        if (!level)
            return node->places[place];
        void *found = search (node->places[place], level - 1, place == own ? id : up ? 0 : UINT64_MAX, up);
        if (found)
            return found;
        place = place == last ? -1 : nearest (node->used, (uint32_t)(up ? place + 1 : place - 1), up);
    }
    return NULL;
}

/* Nearly always a neighbour stands in the same node: only where it does not, the tree is searched. */
static void *neighbour (const rm_ids_t *self, uint64_t id, bool up)
{
    const rm_ids_node_t *leaf = leaf_of (self, id);
    int place = leaf ? nearest (leaf->used, place_of (id, 0), up) : -1;
    if (place >= 0)
        return leaf->places[place];
    return self->root ? search (self->root, self->level, id, up) : NULL;
}

void *rm_ids_from (const rm_ids_t *self, uint64_t id)
{
    return reaches (self, id) ? neighbour (self, id, true) : NULL;
}

void *rm_ids_upto (const rm_ids_t *self, uint64_t id)
{
    return neighbour (self, reaches (self, id) ? id : UINT64_MAX, false);
}
