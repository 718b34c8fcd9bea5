#include "base/philox.h"

#include <math.h>

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint32_t philox_word(uint64_t seed, philox_stream stream, uint32_t substream, uint64_t index)
{
    uint64_t block = index / 4;
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), substream, (uint32_t)stream};
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];
    philox4x32(counter, key, out);
    return out[index % 4];
}

float philox_uniform(uint64_t seed, philox_stream stream, uint32_t substream, uint64_t index)
{
    return (float)(philox_word(seed, stream, substream, index) >> 8) * 0x1p-24f;
}

float philox_normal(uint64_t seed, philox_stream stream, uint32_t substream, uint64_t index)
{
    /* (0, 1], so that the logarithm is finite */
    double u = ((philox_word(seed, stream, substream, 2 * index) >> 8) + 1) * 0x1p-24;
    double v = (philox_word(seed, stream, substream, 2 * index + 1) >> 8) * 0x1p-24;
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

void philox_permutation(uint64_t seed, uint32_t substream, int32_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (int32_t)i;
    for (size_t i = count; i > 1; i--) {
        /* The high half of the product maps a word to 0 .. i-1; the bias is below count / 2^32. */
        uint64_t word = philox_word(seed, PHILOX_SHUFFLE, substream, i);
        size_t j = (size_t)((word * i) >> 32);
        int32_t kept = out[i - 1];
        out[i - 1] = out[j];
        out[j] = kept;
    }
}
