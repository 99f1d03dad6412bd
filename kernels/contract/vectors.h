/* Test vectors of the fingerprint stage, made once with libxxhash 0.8.1.
 *
 * secret: byte i is i * 7 + 3; input: byte i of n is i * 31 + n, both modulo 256. */
#ifndef SYN_CONTRACT_VECTORS_H
#define SYN_CONTRACT_VECTORS_H

#include <stdint.h>

typedef struct syn_fingerprint_vector {
  uint32_t size;
  uint64_t xxh3_64;
  uint64_t xxh3_128_low;
  uint64_t xxh3_128_high;
} syn_fingerprint_vector;

static const syn_fingerprint_vector syn_fingerprint_vectors[] = {
    {0, 0x1d72a04b493e44e4ull, 0x070953df581d2cf8ull, 0x986d663d212d16baull},
    {1, 0x361650fb25428c5full, 0x361650fb25428c5full, 0xbd66f101910f04e6ull},
    {2, 0x55a46b3b6056a1c6ull, 0x55a46b3b6056a1c6ull, 0xc5772f92eaec4794ull},
    {3, 0xc42572c4840d2741ull, 0xc42572c4840d2741ull, 0x1e56b3e0ee7f3686ull},
    {4, 0x06aa8b11724c7722ull, 0xb59be492ec72ec7dull, 0x4b49f5c963950608ull},
    {5, 0x3d352078b66238e6ull, 0xc5ac810a8ea49c7cull, 0x105c956de5533b44ull},
    {7, 0xae760b70be59dceeull, 0x336946775d52f5ddull, 0x160357b876c5511dull},
    {8, 0x7fe44ee64cc0e8f7ull, 0x21e5cf9d943102b1ull, 0x902c505de3bffaa1ull},
    {9, 0xf9ed1827b6f6dd14ull, 0x7e27137c94070cf6ull, 0xf8c160edbd691a9dull},
    {15, 0xbf02f781e0257073ull, 0x2e46a8a7da003854ull, 0x9e5fcec5fedb1fe1ull},
    {16, 0x944d7d4dfa3cde77ull, 0x9b110440a651cba9ull, 0xe3f92c405a32511aull},
    {17, 0x81922a0fd17e9bdaull, 0xf7551861634634e3ull, 0x7d4271cd26c1a547ull},
    {32, 0x2fde39f48b203dabull, 0x646fac971740ff01ull, 0xd4d4cd84f5037f06ull},
    {33, 0x60ec652101e99954ull, 0x80a6c8bd7fdff4eaull, 0x534acfabb51a0b6cull},
    {64, 0x150477fdfc03d0fdull, 0xc93458900a50880dull, 0x7c712d1b69e7bfb8ull},
    {65, 0x168f894a33fd4046ull, 0xdc30e7fe392f0364ull, 0x7e774149de14eda9ull},
    {96, 0x91a67b7dc1cc18bdull, 0x6c15a8bcfd73a3a6ull, 0xe443d26cb8cb9105ull},
    {97, 0xdad267e6885cfa3bull, 0x32dee216bb61b548ull, 0x54cfcde2eeb4df16ull},
    {128, 0xd605aa7b2e2045dcull, 0xd7b7f619cb5df2adull, 0x59d1494da1f97688ull},
    {129, 0x67e7072a10b4ad5cull, 0x64fc73f2ab4dd99cull, 0xb345e1ae0eb38866ull},
    {160, 0x7305f05bbbdd14b3ull, 0xdfb6602debbc9a6full, 0x2a6814f5b379331cull},
    {240, 0x4e54a36f2d334549ull, 0xf683986e77c38608ull, 0x4441bc2ab6bd289full},
    {241, 0xf5453d33ee3f8cc4ull, 0xf5453d33ee3f8cc4ull, 0xb7c73ded5393b0c7ull},
    {256, 0xa56e46d2b3027e08ull, 0xa56e46d2b3027e08ull, 0xd00646b6a31eaf45ull},
    {512, 0xe589b2fea2614ec7ull, 0xe589b2fea2614ec7ull, 0x119a7f641b4323deull},
    {1024, 0x0bd519af1c4c497dull, 0x0bd519af1c4c497dull, 0x3cd6197d20aef3fcull},
    {1100, 0xa985eca4fdf10f6aull, 0xa985eca4fdf10f6aull, 0x596f6fb1b5cf9d4eull},
};

#endif
