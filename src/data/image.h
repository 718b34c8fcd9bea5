/* Pictures in memory and the steps from a file to a network's input. */
#ifndef DATA_IMAGE_H
#define DATA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/* 8-bit pixels, row by row. */
typedef struct image {
    uint8_t *pixels; /* owned; free with image_free */
    int height, width, channels; /* 1 grey, 3 RGB */
    int orientation; /* EXIF's, 1 to 8; 0: none is given */
} image;

void image_free(image *im);

/* Allocates the pixels; refuses what has too many. Messages do not name the file. */
convoy_status image_allocate(image *im, uint64_t height, uint64_t width, int channels, convoy_error *err);

/* Can they be read and written? If not, says what to install. (image_decode.c) */
convoy_status image_supported(convoy_error *err);
/* By the kind that the content tells; on failure `out` holds nothing. */
convoy_status image_decode(const uint8_t *bytes, size_t size, image *out, convoy_error *err);

/* image_png.c, image_jpeg.c: on failure `out` holds nothing. */
bool image_is_png(const uint8_t *bytes, size_t size);
bool image_is_jpeg(const uint8_t *bytes, size_t size);
convoy_status image_decode_png(const uint8_t *bytes, size_t size, image *out, convoy_error *err);
convoy_status image_decode_jpeg(const uint8_t *bytes, size_t size, image *out, convoy_error *err);

/* A PNG file: 1 grey, 3 RGB or 4 RGBA channels of 8 bits, row by row; appended to `out`. CONVOY_ERROR_UNSUPPORTED: built without
 * libpng. */
convoy_status image_encode_png(const uint8_t *pixels, int height, int width, int channels, text *out, convoy_error *err);

/* The same of pixels that are classes, each below `classes`, with a palette. */
convoy_status image_encode_labels(const uint8_t *labels, int height, int width, int classes, text *out, convoy_error *err);

/* image_exif.c: the orientation in a block of EXIF data (a TIFF header and its first directory); 0: none. */
int image_exif_orientation(const uint8_t *bytes, size_t size);
/* Turns and mirrors so that the orientation becomes 1. */
convoy_status image_turn_upright(image *im, convoy_error *err);

/* image_resize.c */
convoy_status image_set_channels(image *im, int channels, convoy_error *err);
/* height x width x channels of the image go to `out`. */
convoy_status image_resize(const image *im, int height, int width, uint8_t *out, convoy_error *err);

#endif
