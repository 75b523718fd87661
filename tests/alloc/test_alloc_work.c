/*  A worker's half without memory: it goes on, and every job ends as if a message had been lost. */
#include "alloc_world.h"
#include "sweep.h"

static void story (void)
{
    world_story (WORLD_WORKER);
}

Test (alloc_work, a_half_goes_on_wherever_memory_runs_out, .timeout = 280)
{
    sweep (story, 20);
}
