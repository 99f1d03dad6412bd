/* A zstd frame's head, and where it ends (RFC 8878, 3.1.1): what is known before anything is
 * decoded.
 *
 * Any bytes may come; nothing beyond them is read. Threads: any. C subset: compiles as C, C++, CUDA
 * and OpenCL C. */
#ifndef SYN_BODIES_ZSTD_FRAME_H
#define SYN_BODIES_ZSTD_FRAME_H

#include "kernels/bodies/zstd.h"

#define SYN_ZSTD_OK 0u
#define SYN_ZSTD_CORRUPT 1u
#define SYN_ZSTD_TOO_LONG 2u    /* more content than its place, or less */
#define SYN_ZSTD_UNSUPPORTED 3u /* no content size, a dictionary, a skippable frame */
#define SYN_ZSTD_STRICT 4u      /* libzstd is known to accept some of these */

/* A frame as its bytes lie there. */
typedef struct syn_zstd_frame {
  uint32_t header_size;
  uint32_t has_checksum; /* XXH64's low half in the last four bytes */
  uint64_t content_size;
  uint64_t size; /* of the whole frame */
} syn_zstd_frame;

SYN_INLINE uint64_t syn_zstd_number(SYN_GLOBAL const uint8_t* bytes, uint32_t size) {
  uint64_t value = 0;
  for (uint32_t i = 0; i < size; ++i) value |= (uint64_t)bytes[i] << (8 * i);
  return value;
}

SYN_INLINE uint32_t syn_zstd_read_header(SYN_GLOBAL const uint8_t* bytes, uint64_t size,
                                         syn_zstd_frame* frame) {
  if (size < 5) return SYN_ZSTD_CORRUPT;
  if (syn_zstd_number(bytes, 4) != SYN_ZSTD_MAGIC) return SYN_ZSTD_UNSUPPORTED;
  const uint32_t flags = bytes[4];
  const uint32_t is_single = flags >> 5 & 1;
  const uint32_t id_size = (1u << (flags & 3)) >> 1;
  const uint32_t size_code = flags >> 6;
  const uint32_t size_size = size_code == 0 ? is_single : 1u << size_code;
  const uint32_t id_at = 6 - is_single;
  frame->header_size = id_at + id_size + size_size;
  frame->has_checksum = flags >> 2 & 1;
  if ((flags & 8) != 0 || frame->header_size > size) return SYN_ZSTD_CORRUPT;
  if (!is_single && bytes[5] >> 3 > 21) return SYN_ZSTD_CORRUPT; /* a window beyond 2 GiB */
  if (syn_zstd_number(bytes + id_at, id_size) != 0 || size_size == 0) return SYN_ZSTD_UNSUPPORTED;
  frame->content_size =
      syn_zstd_number(bytes + id_at + id_size, size_size) + (size_code == 1 ? 256 : 0);
  return SYN_ZSTD_OK;
}

SYN_INLINE uint32_t syn_zstd_block_bytes(uint32_t head) {
  return (head >> 1 & 3) == SYN_ZSTD_RLE ? 1 : head >> 3;
}

/* Where the frame at the front of the bytes ends; of its blocks only the heads are read. */
SYN_INLINE uint32_t syn_zstd_walk(SYN_GLOBAL const uint8_t* bytes, uint64_t size,
                                  syn_zstd_frame* frame) {
  const uint32_t status = syn_zstd_read_header(bytes, size, frame);
  if (status != SYN_ZSTD_OK) return status;
  uint64_t at = frame->header_size;
  for (uint32_t is_last = 0; !is_last;) {
    if (size - at < 3) return SYN_ZSTD_CORRUPT;
    const uint32_t head = (uint32_t)syn_zstd_number(bytes + at, 3);
    is_last = head & 1;
    at += 3;
    if ((head >> 1 & 3) == 3 || syn_zstd_block_bytes(head) > size - at) return SYN_ZSTD_CORRUPT;
    at += syn_zstd_block_bytes(head);
  }
  at += frame->has_checksum ? 4 : 0;
  if (at > size) return SYN_ZSTD_CORRUPT;
  frame->size = at;
  return SYN_ZSTD_OK;
}

#endif
