#include "core/heap.h"

#include "proto/alloc.h"
#include "ringmaster/error.h"

static void place (rm_heap_t *self, size_t index, rm_heap_node_t *node)
{
    self->nodes[index] = node;
    node->place = index + 1;
}

static void sift_up (rm_heap_t *self, size_t index)
{
    rm_heap_node_t *node = self->nodes[index];
    while (index) {
        size_t parent = (index - 1) / 2;
        if (self->nodes[parent]->due <= node->due)
            break;
        place (self, index, self->nodes[parent]);
        index = parent;
    }
    place (self, index, node);
}

static void sift_down (rm_heap_t *self, size_t index)
{
    rm_heap_node_t *node = self->nodes[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= self->count)
            break;
        if (child + 1 < self->count && self->nodes[child + 1]->due < self->nodes[child]->due)
            child++;
        if (node->due <= self->nodes[child]->due)
            break;
        place (self, index, self->nodes[child]);
        index = child;
    }
    place (self, index, node);
}

int rm_heap_put (rm_heap_t *self, rm_heap_node_t *node, uint64_t due)
{
    if (!node->place) {
        if (self->count == self->capacity) {
            size_t capacity = self->capacity ? self->capacity * 2 : 64;
            rm_heap_node_t **nodes = rm_realloc (self->nodes, capacity * sizeof *nodes);
            if (!nodes)
                return RM_ENOMEM;
            self->nodes = nodes;
            self->capacity = capacity;
        }
        place (self, self->count++, node);
    }
    node->due = due;
    sift_up (self, node->place - 1);
    sift_down (self, node->place - 1);
    return 0;
}

void rm_heap_remove (rm_heap_t *self, rm_heap_node_t *node)
{
    if (!node->place)
        return;
    size_t index = node->place - 1;
    node->place = 0;
    rm_heap_node_t *last = self->nodes[--self->count];
    if (last == node)
        return;
    place (self, index, last);
    sift_up (self, index);
    sift_down (self, last->place - 1);
}

rm_heap_node_t *rm_heap_top (const rm_heap_t *self)
{
    return self->count ? self->nodes[0] : NULL;
}

void rm_heap_close (rm_heap_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        self->nodes[i]->place = 0;
    rm_free (self->nodes);
    *self = (rm_heap_t){0};
}
