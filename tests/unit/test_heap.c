/*  The heap of deadlines: what is due first is on top, whatever was put, moved and taken out before. */
#include <criterion/criterion.h>

#include "core/heap.h"
#include "core/splitmix.h"
#include "counting_alloc.h"
#include "ringmaster/error.h"

enum { NODES = 200 };

static rm_heap_t heap;
static rm_heap_node_t nodes[NODES];

/* The earliest deadline, found by looking at every node. */
static uint64_t earliest (void)
{
    uint64_t due = UINT64_MAX;
    for (int i = 0; i < NODES; i++)
        if (nodes[i].place && nodes[i].due < due)
            due = nodes[i].due;
    return due;
}

static size_t inside (void)
{
    size_t count = 0;
    for (int i = 0; i < NODES; i++)
        count += nodes[i].place != 0;
    return count;
}

Test (heap, an_empty_heap_has_no_top)
{
    cr_assert_null (rm_heap_top (&heap));
    rm_heap_remove (&heap, &nodes[0]);
    cr_assert_null (rm_heap_top (&heap));
    rm_heap_close (&heap);
}

Test (heap, putting_a_node_again_moves_it)
{
    rm_heap_put (&heap, &nodes[0], 10);
    rm_heap_put (&heap, &nodes[1], 20);
    rm_heap_put (&heap, &nodes[0], 30);
    cr_assert_eq (heap.count, 2);
    cr_assert_eq (rm_heap_top (&heap), &nodes[1]);
    rm_heap_put (&heap, &nodes[0], 5);
    cr_assert_eq (rm_heap_top (&heap), &nodes[0]);
    rm_heap_close (&heap);
}

Test (heap, the_top_is_always_the_earliest)
{
    uint64_t seed = 7;
    for (int step = 0; step < 20000; step++) {
        rm_heap_node_t *node = &nodes[rm_splitmix (&seed) % NODES];
        if (rm_splitmix (&seed) % 3)
            cr_assert_eq (rm_heap_put (&heap, node, rm_splitmix (&seed) % 1000), 0);
        else
            rm_heap_remove (&heap, node);
        const rm_heap_node_t *top = rm_heap_top (&heap);
        cr_assert_eq (top ? top->due : UINT64_MAX, earliest (), "at step %d", step);
        cr_assert_eq (heap.count, inside ());
    }
    rm_heap_close (&heap);
}

static void empty_in_order (void)
{
    uint64_t before = 0;
    for (rm_heap_node_t *top; (top = rm_heap_top (&heap));) {
        cr_assert_geq (top->due, before);
        before = top->due;
        rm_heap_remove (&heap, top);
        cr_assert_eq (top->place, 0);
    }
}

/* What takes the place of a node taken from the middle may have to go up as well as down. */
Test (heap, nodes_come_out_in_order_whatever_was_taken_from_the_middle)
{
    uint64_t seed = 11;
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < NODES; i++)
            rm_heap_put (&heap, &nodes[i], rm_splitmix (&seed) % 500);
        for (int i = 0; i < NODES / 4; i++)
            rm_heap_remove (&heap, &nodes[rm_splitmix (&seed) % NODES]);
        empty_in_order ();
    }
    rm_heap_close (&heap);
}

Test (heap, closing_lets_the_nodes_go)
{
    rm_heap_put (&heap, &nodes[0], 1);
    rm_heap_put (&heap, &nodes[1], 2);
    rm_heap_close (&heap);
    cr_assert_eq (inside (), 0);
    cr_assert_eq (rm_heap_put (&heap, &nodes[1], 3), 0);
    cr_assert_eq (rm_heap_top (&heap), &nodes[1]);
    rm_heap_close (&heap);
}

Test (heap, without_memory_a_node_stays_out)
{
    count_allocations (0);
    cr_assert_eq (rm_heap_put (&heap, &nodes[0], 1), RM_ENOMEM);
    cr_assert_eq (nodes[0].place, 0);
    cr_assert_null (rm_heap_top (&heap));
    rm_heap_close (&heap);
    count_no_more ();
}
