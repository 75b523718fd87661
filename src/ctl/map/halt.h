/*  When a map stops early: --halt never | now|soon,fail|success|done=N[%].
 *
 *  Thread rule: none of its own; pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum { RM_MAP_GO_ON, RM_MAP_HALT_SOON, RM_MAP_HALT_NOW } rm_map_halting_t;

typedef struct {
    rm_map_halting_t when; /* RM_MAP_GO_ON: never */
    enum { RM_MAP_ON_FAIL, RM_MAP_ON_SUCCESS, RM_MAP_ON_DONE } why;
    uint64_t count;
    bool percent; /* `count` is one */
} rm_map_halt_t;

/* Reads a text; false: it is not such a one. */
bool rm_map_halt_read (rm_map_halt_t *self, const char *text);

/* What is to be done when of `all` commands so many have failed and succeeded. */
rm_map_halting_t rm_map_halt_now (const rm_map_halt_t *self, uint64_t failed, uint64_t succeeded, uint64_t all);
