#include "proto/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void rm_base64_write (char *text, const void *data, size_t size)
{
    const uint8_t *at = data;
    for (size_t left = size; left; left -= left < 3 ? left : 3, at += 3, text += 4) {
        uint32_t three =
            (uint32_t)at[0] << 16 | (left > 1 ? (uint32_t)at[1] << 8 : 0) | (left > 2 ? (uint32_t)at[2] : 0);
        text[0] = digits[three >> 18];
        text[1] = digits[three >> 12 & 63];
        text[2] = left > 1 ? digits[three >> 6 & 63] : '=';
        text[3] = left > 2 ? digits[three & 63] : '=';
    }
}

/* -1: it is no digit. */
static int digit (char letter)
{
    const char *at = letter ? strchr (digits, letter) : NULL;
    return at ? (int)(at - digits) : -1;
}

bool rm_base64_read (void *data, size_t *size, const char *text, size_t length)
{
    uint8_t *to = data;
    *size = 0;
    if (length % 4)
        return false;
    for (size_t i = 0; i < length; i += 4) {
        size_t pads = i + 4 < length || text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
        uint32_t three = 0;
        for (size_t j = 0; j < 4; j++) {
            int value = j < 4 - pads ? digit (text[i + j]) : 0;
            if (value < 0)
                return false;
            three = three << 6 | (uint32_t)value;
        }
        if (three & ((1u << 8 * pads) - 1))
            return false; /* bits that stand for nothing */
        for (size_t j = 0; j < 3 - pads; j++)
            to[(*size)++] = (uint8_t)(three >> (16 - 8 * j));
    }
    return true;
}
