/*  msgpack-c's packer, writing into an rm_buf_t without a call through a pointer for each byte or two: its template, made
 *  for this kind of output as its own pack.h makes it for a callback. The functions are rm_pack_uint64, rm_pack_str,
 *  rm_pack_str_body and so on; they answer 0, and what fails is remembered by the buffer.
 *
 *  Thread rule: the buffer's.
 */
#pragma once

#include <msgpack/pack_define.h>
#include <msgpack/timestamp.h>

#include "proto/buf.h"

#define msgpack_pack_inline_func(name)        static inline int rm_pack##name
#define msgpack_pack_inline_func_cint(name)   static inline int rm_pack##name
#define msgpack_pack_inline_func_fixint(name) static inline int rm_pack_fix##name
#define msgpack_pack_user                     rm_buf_t *
#define msgpack_pack_append_buffer(to, data, size)                                                                     \
    do {                                                                                                               \
        rm_buf_put (to, data, size);                                                                                   \
        return 0;                                                                                                      \
    } while (0)

#include <msgpack/pack_template.h>
