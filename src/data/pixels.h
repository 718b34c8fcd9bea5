/* The bytes of a data set's images: shared by a set and its slices, and in a file where they are too many for memory. */
#ifndef DATA_PIXELS_H
#define DATA_PIXELS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct pixels {
    uint8_t *bytes;
    size_t size;       /* that there is room for */
    void *mapping;     /* NULL: `bytes` came from malloc */
    size_t mapped;     /* bytes of the mapping */
    bool outgrown;     /* mapped, and more than pixels_most_memory: reading here and there may wait for the disk */
    int file;          /* what is mapped, as long as it may grow; else -1 */
    atomic_int owners; /* slices may be made and destroyed by several threads */
} pixels;

/* No bytes yet, and one owner. The last one to release them frees them; NULL is fine. */
convoy_status pixels_create(pixels **out, convoy_error *err);
pixels *pixels_share(pixels *p);
void pixels_release(pixels *p);

/* Makes room for `size` bytes in all and keeps those that are there. Up to pixels_most_memory they are memory. More, and what
 * memory can't be had for, is a file without a name in the cache folder, whose pages the system writes out and drops at need. */
convoy_status pixels_reserve(pixels *p, size_t size, convoy_error *err);

/* Owns a mapping from now on, whose bytes from `offset` on are the images. */
void pixels_adopt(pixels *p, void *mapping, size_t mapped, size_t offset);

/* A quarter of the memory that this process may use: the machine's, or less by its limits and its control group's. */
size_t pixels_most_memory(void);

/* Tells the system that these of the mapped bytes are read soon. */
void pixels_expect(const pixels *p, const uint8_t *bytes, size_t size);

#endif
