/*  The bytes of the ledger's files: little endian numbers, and the checksum that libraft keeps beside its entries.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Writes a number at `bytes`, which need not be aligned. */
void rm_raft_put32 (uint8_t *bytes, uint32_t value);
void rm_raft_put64 (uint8_t *bytes, uint64_t value);

/* Reads a number at `bytes`, which need not be aligned. */
uint32_t rm_raft_get32 (const uint8_t *bytes);
uint64_t rm_raft_get64 (const uint8_t *bytes);

/* The CRC-32 of libraft's files (polynomial 0x04c11db7, most significant bit first, no final inversion), going on
   from `crc`; 0 to begin. */
uint32_t rm_raft_crc (uint32_t crc, const uint8_t *bytes, size_t size);
