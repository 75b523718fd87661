#include "shrink.h"

#include <stdlib.h>
#include <string.h>

#include "lives.h"

static void same_plan (plan_t *plan, uint64_t number, const void *arg)
{
    (void)number;
    memcpy (plan, arg, sizeof *plan);
}

typedef struct {
    plan_t *plan;
    const char *checker;
    sim_result_t *result;
    unsigned tries;
} shrink_t;

/* Keeps the smaller plan if it fails in the same way. */
static bool fails (shrink_t *self, const plan_t *smaller)
{
    const lives_t one = {
        .count = 1, .processes = 1, .plan = same_plan, .arg = smaller, .what = "lives", .number = "number"};
    lives_result_t came_to;
    self->tries++;
    if (!lives_run (&one, &came_to) || !came_to.violated || strcmp (came_to.first.checker, self->checker))
        return false;
    *self->plan = *smaller;
    *self->result = came_to.first;
    return true;
}

/* The plan without the elements [first, first + count) of its faults, or its jobs. */
static plan_t without (const plan_t *plan, bool faults, uint32_t first, uint32_t count)
{
    plan_t less = *plan;
    if (faults) {
        less.fault_count -= count;
        memmove (less.faults + first, less.faults + first + count, (less.fault_count - first) * sizeof *less.faults);
    } else {
        less.item_count -= count;
        memmove (less.items + first, less.items + first + count, (less.item_count - first) * sizeof *less.items);
    }
    return less;
}

/* Leaves out runs of elements, long ones first. True if any could go. */
static bool leave_out (shrink_t *self, bool faults)
{
    bool any = false;
    uint32_t all = faults ? self->plan->fault_count : self->plan->item_count;
    for (uint32_t length = all; length; length /= 2)
        for (uint32_t first = 0; first + length <= (faults ? self->plan->fault_count : self->plan->item_count);) {
            plan_t less = without (self->plan, faults, first, length);
            if (fails (self, &less))
                any = true;
            else
                first += length;
        }
    return any;
}

unsigned shrink (plan_t *plan, const char *checker, sim_result_t *result)
{
    shrink_t self = {plan, checker, result, 0};
    for (bool any = true; any;) {
        any = leave_out (&self, true);
        any = leave_out (&self, false) || any;
    }
    return self.tries;
}
