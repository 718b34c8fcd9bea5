/* Philox4x32-10, the counter-based generator of Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC'11).
 * A key and a counter give four words: no state, so host and device draw the same numbers in any order. */
#ifndef BASE_PHILOX_H
#define BASE_PHILOX_H

#include <stddef.h>
#include <stdint.h>

/* What a stream is for; a stream of its own for each keeps draws independent. */
typedef enum philox_stream { PHILOX_WEIGHTS = 1, PHILOX_SHUFFLE, PHILOX_TEST, PHILOX_NOISE = 16, PHILOX_FILL } philox_stream;

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Word `index` of (seed, stream, substream). */
uint32_t philox_word(uint64_t seed, philox_stream stream, uint32_t substream, uint64_t index);

/* [0, 1) with 24 bits. */
float philox_uniform(uint64_t seed, philox_stream stream, uint32_t substream, uint64_t index);

/* Standard normal by Box and Muller, from words 2*index and 2*index+1. */
float philox_normal(uint64_t seed, philox_stream stream, uint32_t substream, uint64_t index);

/* A random order of 0 .. count-1 (Fisher and Yates). */
void philox_permutation(uint64_t seed, uint32_t substream, int32_t *out, size_t count);

#endif
