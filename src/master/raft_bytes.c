#include "master/raft_bytes.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

static uint32_t table[4][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

void rm_raft_put32 (uint8_t *bytes, uint32_t value)
{
    uint32_t little = htole32 (value);
    memcpy (bytes, &little, sizeof little);
}

void rm_raft_put64 (uint8_t *bytes, uint64_t value)
{
    uint64_t little = htole64 (value);
    memcpy (bytes, &little, sizeof little);
}

uint32_t rm_raft_get32 (const uint8_t *bytes)
{
    uint32_t little;
    memcpy (&little, bytes, sizeof little);
    return le32toh (little);
}

uint64_t rm_raft_get64 (const uint8_t *bytes)
{
    uint64_t little;
    memcpy (&little, bytes, sizeof little);
    return le64toh (little);
}

/* table[n][b] is what byte b contributes when n more bytes follow it in the same step. */
static void make_table (void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte << 24;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x80000000u ? (crc << 1) ^ 0x04c11db7u : crc << 1;
        table[0][byte] = crc;
    }
    for (int n = 1; n < 4; n++) {
        for (int byte = 0; byte < 256; byte++) {
            uint32_t before = table[n - 1][byte];
            table[n][byte] = (before << 8) ^ table[0][before >> 24];
        }
    }
}

uint32_t rm_raft_crc (uint32_t crc, const uint8_t *bytes, size_t size)
{
    pthread_once (&table_once, make_table);
    for (; size >= 4; bytes += 4, size -= 4) {
        crc ^= (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
        crc = table[3][crc >> 24] ^ table[2][crc >> 16 & 255] ^ table[1][crc >> 8 & 255] ^ table[0][crc & 255];
    }
    for (; size > 0; bytes++, size--)
        crc = (crc << 8) ^ table[0][(crc >> 24) ^ *bytes];
    return crc;
}
