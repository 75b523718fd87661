/*  Bad messages out of a seed: valid ones that were cut, flipped, spliced or renamed, and bytes that were never one.
 *
 *  The same seed makes the same messages. Thread rule: one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/msg.h"

typedef struct {
    uint64_t state;
} wild_t;

/* From $RM_SEED, else always the same; prints it. */
wild_t wild_begin (void);

uint64_t wild_next (wild_t *self);
/* A number from 0 to `count` - 1. */
size_t wild_below (wild_t *self, size_t count);
bool wild_one_in (wild_t *self, size_t count);
void wild_fill (wild_t *self, void *data, size_t size);
/* Flips `count` bits. */
void wild_flip (wild_t *self, void *data, size_t size, size_t count);

/* Damages `frame`, an encoded message; what comes out may happen to be a message all the same. */
void wild_damage (wild_t *self, rm_buf_t *frame);
/* One of the protocol's messages, of either direction, damaged or (one in eight) as it is, or just bytes. */
void wild_message (wild_t *self, rm_buf_t *frame);
