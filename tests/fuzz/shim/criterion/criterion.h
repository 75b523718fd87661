/*  What the fixtures and books of tests/unit use of Criterion, for programs without a test runner: a claim that does not
 *  hold ends the process.
 */
#pragma once

#include <string.h>

#include "fuzz.h"

#define cr_assert(claim, ...)            CLAIM (claim, __VA_ARGS__)
#define cr_expect(claim, ...)            CLAIM (claim, __VA_ARGS__)
#define cr_assert_eq(one, other, ...)    CLAIM ((one) == (other), __VA_ARGS__)
#define cr_assert_lt(one, other, ...)    CLAIM ((one) < (other), __VA_ARGS__)
#define cr_assert_leq(one, other, ...)   CLAIM ((one) <= (other), __VA_ARGS__)
#define cr_assert_null(pointer, ...)     CLAIM (!(pointer), __VA_ARGS__)
#define cr_assert_not_null(pointer, ...) CLAIM (pointer, __VA_ARGS__)
