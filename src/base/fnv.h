/* FNV-1a (Fowler, Noll, Vo), 64 bits: names of files, checksums. */
#ifndef BASE_FNV_H
#define BASE_FNV_H

#include <stddef.h>
#include <stdint.h>

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)

/* `basis` starts or continues a hash. */
static inline uint64_t fnv1a(uint64_t basis, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        basis = (basis ^ bytes[i]) * UINT64_C(0x100000001b3);
    return basis;
}

#endif
