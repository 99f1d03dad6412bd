/* The one definition of a sealed block's bytes: what any engine seals and any other opens.
 *
 * A block is a row of chunks, each with its own AES-256-GCM tag. Numbers are little endian.
 *
 *   chunk    header (20 bytes) | directory | zstd frames | stored bytes | tag (16 bytes)
 *            |--- clear, authenticated ---|------ encrypted ------------|
 *
 *   header   0  u8   format            SYN_BLOCK_FORMAT
 *            1  u8   engine            SYN_ENGINE_*: who sealed it
 *            2  u16  index             of this chunk in its block, from 0
 *            4  u16  count             chunks of the block, the same in each
 *            6  u16  column_count      entries of the directory
 *            8  u32  directory_size
 *           12  u32  frames_size       zstd frames, one after the other; 0: none
 *           16  u32  stored_size
 *
 * Nonce: u32 prefix, u64 counter + index. Additional data: header, directory, the caller's bytes.
 * docs/formats/block.md describes the directory and the encodings. C subset: compiles as C, C++,
 * CUDA and OpenCL C. */
#ifndef SYN_CONTRACT_BLOCK_H
#define SYN_CONTRACT_BLOCK_H

#define SYN_BLOCK_FORMAT 1u
#define SYN_CHUNK_HEADER_SIZE 20u
#define SYN_TAG_SIZE 16u
#define SYN_NONCE_SIZE 12u

/* Engines. Permanent values. */
#define SYN_ENGINE_CPU 1u
#define SYN_ENGINE_CUDA 2u
#define SYN_ENGINE_OPENCL 3u
#define SYN_ENGINE_XRT 4u

/* Column types. Permanent values. */
#define SYN_COLUMN_BYTES 0u
#define SYN_COLUMN_U8 1u
#define SYN_COLUMN_U32 2u
#define SYN_COLUMN_U64 3u

/* Encodings of a column. Permanent values. */
#define SYN_ENCODING_STORED 0u       /* the column's bytes, among the stored bytes */
#define SYN_ENCODING_FRAMED 1u       /* the column's bytes, within the zstd frames */
#define SYN_ENCODING_OFFSET 2u       /* value - base, packed */
#define SYN_ENCODING_DELTA 3u        /* value - previous - base, packed */
#define SYN_ENCODING_DICTIONARY 4u   /* index of a distinct value, packed */
#define SYN_ENCODING_RUNS 5u         /* value and how often, as varints */
#define SYN_ENCODING_TEXTS 6u        /* index of a distinct text, packed; holds its lengths too */
#define SYN_ENCODING_TEXT_LENGTHS 7u /* lengths of the texts in the next column: nothing here */
#define SYN_ENCODING_COUNT 8u

/* A directory entry begins with a control byte: type, encoding, and what follows. */
#define SYN_CONTROL_TYPE 0x03u
#define SYN_CONTROL_ENCODING_SHIFT 2u
#define SYN_CONTROL_ENCODING 0x3cu
#define SYN_CONTROL_HAS_ID 0x40u      /* else the previous entry's id + 1 */
#define SYN_CONTROL_HAS_ORDINAL 0x80u /* else the previous entry's ordinal + 1 */

/* Limits, checked before anything is allocated. */
#define SYN_COLUMN_SIZE_MAX 0x10000000u /* decoded bytes of one column */
#define SYN_BLOCK_SIZE_MAX 0x40000000u  /* decoded bytes of one block; sealed bytes of a chunk */
#define SYN_COLUMN_COUNT_MAX 4096u      /* columns of one block */
#define SYN_CHUNK_COUNT_MAX 4096u
#define SYN_CHUNK_SIZE_TARGET 0x100000u /* columns are gathered into one chunk up to this size */
#define SYN_PACKED_BITS_MAX 56u         /* low bits of a packed value; the rest are byte planes */

#endif
