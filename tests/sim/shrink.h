/*  Makes a failing plan small: leaves out faults and jobs as long as the same checker still finds a violation.
 *  (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002.)
 *
 *  Thread rule: one thread; each try is a process of its own.
 */
#pragma once

#include "sim.h"

/* `plan` must violate `checker`. Afterwards it is as small as can be had; what it then came to is in `result`.
 * How many lives that took. */
unsigned shrink (plan_t *plan, const char *checker, sim_result_t *result);
