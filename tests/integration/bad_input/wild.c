#include "wild.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "msg_samples.h"
#include "proto/assert.h"

wild_t wild_begin (void)
{
    const char *text = getenv ("RM_SEED");
    wild_t self = {text && *text ? strtoull (text, NULL, 0) : 20260405};
    printf ("RM_SEED=%llu\n", (unsigned long long)self.state);
    samples_init ();
    return self;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t wild_next (wild_t *self)
{
    uint64_t z = self->state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

size_t wild_below (wild_t *self, size_t count)
{
    return wild_next (self) % count;
}

bool wild_one_in (wild_t *self, size_t count)
{
    return wild_below (self, count) == 0;
}

void wild_fill (wild_t *self, void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)data)[i] = (uint8_t)wild_next (self);
}

void wild_flip (wild_t *self, void *data, size_t size, size_t count)
{
    for (; size && count; count--)
        ((uint8_t *)data)[wild_below (self, size)] ^= (uint8_t)(1u << wild_below (self, 8));
}

/* Bytes that mean something to a decoder, at a random place: headers of arrays, maps, texts that claim the most. */
static void put_claim (wild_t *self, rm_buf_t *frame)
{
    static const uint8_t heads[] = {0xdd, 0xdf, 0xdb, 0xc6, 0xdc, 0xde, 0xda, 0xc5, 0xc1, 0xc9};
    if (frame->size < 8)
        return;
    uint8_t *at = frame->data + wild_below (self, frame->size - 5);
    at[0] = heads[wild_below (self, sizeof heads)];
    memset (at + 1, wild_one_in (self, 2) ? 0xff : 0x7f, 4);
}

/* Puts the tail of another message behind the head of this one. */
static void splice (wild_t *self, rm_buf_t *frame)
{
    rm_buf_t other = {0};
    rm_msg_t msg = sample_message ((int)wild_below (self, SAMPLES));
    RM_ASSERT (!rm_msg_encode (&msg, &other));
    size_t from = wild_below (self, other.size);
    frame->size = wild_below (self, frame->size + 1);
    rm_buf_put (frame, other.data + from, other.size - from);
    rm_buf_close (&other);
}

/* Another version, or another type: `v` and `type` stand first. */
static void rename_it (wild_t *self, rm_buf_t *frame)
{
    static const char version[] = {(char)0xa1, 'v'};
    uint8_t *at = memmem (frame->data, frame->size, version, sizeof version);
    if (at && wild_one_in (self, 2))
        at[2] = (uint8_t)wild_next (self);
    else if (frame->size > 8)
        wild_flip (self, frame->data + 6, 3, 1);
}

void wild_damage (wild_t *self, rm_buf_t *frame)
{
    uint8_t more[64];
    switch (wild_below (self, 7)) {
    case 0:
        frame->size = wild_below (self, frame->size);
        break;
    case 1:
        wild_flip (self, frame->data, frame->size, 1);
        break;
    case 2:
        wild_flip (self, frame->data, frame->size, 2 + wild_below (self, 30));
        break;
    case 3:
        wild_fill (self, more, sizeof more);
        rm_buf_put (frame, more, 1 + wild_below (self, sizeof more));
        break;
    case 4:
        put_claim (self, frame);
        break;
    case 5:
        splice (self, frame);
        break;
    default:
        rename_it (self, frame);
    }
}

void wild_message (wild_t *self, rm_buf_t *frame)
{
    rm_buf_clear (frame);
    if (wild_one_in (self, 8)) {
        uint8_t bytes[300];
        wild_fill (self, bytes, sizeof bytes);
        rm_buf_put (frame, bytes, wild_below (self, sizeof bytes));
        return;
    }
    rm_msg_t msg = sample_message ((int)wild_below (self, SAMPLES));
    RM_ASSERT (!rm_msg_encode (&msg, frame));
    if (!wild_one_in (self, 8))
        wild_damage (self, frame);
}
