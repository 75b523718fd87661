/*  A master without memory: it stops in good order wherever that happens, and the next one knows everything that was told
 *  to anybody.
 */
#include "alloc_world.h"
#include "sweep.h"

static void story (void)
{
    world_story (WORLD_LEADER);
}

Test (alloc_leader, a_master_stops_and_loses_nothing_wherever_memory_runs_out, .timeout = 280)
{
    sweep (story, 200);
}
