/*  An intrusive binary min-heap of deadlines: what is due first is at the top.
 *  (Williams 1964, "Algorithm 232: Heapsort".)
 *
 *  Invariants: no node is due before its parent; a node's `place` is where it is. `rm_heap_t heap = {0};` is empty and
 *  valid.
 *  Thread rule: belongs to one thread. Ownership: nodes are embedded in the caller's structs, never allocated or freed here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t due; /* the key; milliseconds of whatever clock its owner uses */
    size_t place; /* index + 1 in the heap; 0: in none */
} rm_heap_node_t;

typedef struct {
    rm_heap_node_t **nodes;
    size_t count, capacity;
} rm_heap_t;

/* Puts `node` in with `due`, or moves it if it is in already; 0 or RM_ENOMEM. */
int rm_heap_put (rm_heap_t *self, rm_heap_node_t *node, uint64_t due);

/* Takes `node` out; does nothing if it is in no heap. */
void rm_heap_remove (rm_heap_t *self, rm_heap_node_t *node);

/* What is due first, NULL if there is nothing. */
rm_heap_node_t *rm_heap_top (const rm_heap_t *self);

/* Frees the heap's memory; nodes left are out of it. */
void rm_heap_close (rm_heap_t *self);
