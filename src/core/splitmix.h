/*  splitmix64: random numbers from a seed, the same on every machine. Good enough for jitter and for what tests draw, not
 *  for secrets. (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.)
 *
 *  Thread rule: a state belongs to one thread. Pure.
 */
#pragma once

#include <stdint.h>

/* The next 64 bits; any state may begin. */
static inline uint64_t rm_splitmix (uint64_t *state)
{
    uint64_t bits = *state += 0x9e3779b97f4a7c15;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
    return bits ^ (bits >> 31);
}
