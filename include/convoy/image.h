/* Image files: PNG and JPEG, of any size, as a network takes them. */
#ifndef CONVOY_IMAGE_H
#define CONVOY_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convoy/error.h"
#include "convoy/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Images of more pixels are refused before anything is decoded: 100 million. */
#define CONVOY_IMAGE_MOST_PIXELS 100000000

/* False: the library was built without libpng and libjpeg. What reads or writes images then gives CONVOY_ERROR_UNSUPPORTED. */
bool convoy_images_supported(void);

/* Reads an image file into `shape` (H, W, C; C is 1 or 3), H x W x C bytes at `out`. The content tells PNG from JPEG, whatever
 * the name. In this order:
 *   - all kinds become 8-bit grey or RGB: palettes are looked up, 16-bit values rounded to 8 bits, CMYK JPEGs (Adobe's, whose
 *     values are inverted) converted; an alpha channel is dropped, as Keras does, so the colours below it show;
 *   - the image is turned upright as its EXIF orientation says;
 *   - C 1: grey is (299 R + 587 G + 114 B) / 1000; C 3: grey is put into all three;
 *   - it is stretched to H x W with a triangle filter as wide as the reduction (Pillow's BILINEAR, to the bit).
 * Errors: CONVOY_ERROR_FILE; CONVOY_ERROR_FORMAT (neither PNG nor JPEG, damaged, truncated, too large);
 * CONVOY_ERROR_ARGUMENT (the shape isn't such); CONVOY_ERROR_UNSUPPORTED (built without libpng and libjpeg). */
convoy_status convoy_image_read(const char *path, convoy_shape shape, uint8_t *out, convoy_error *err);

/* The same as float32, each value divided by `scale` (0: 255): what convoy_predict takes. */
convoy_status convoy_image_read_scaled(const char *path, convoy_shape shape, double scale, float *out, convoy_error *err);

/* Same bytes in memory; messages do not name a file. */
convoy_status convoy_image_decode(const void *bytes, size_t size, convoy_shape shape, uint8_t *out, convoy_error *err);

/* Writes H x W labels, row by row, each below `classes` (at most 256), as a PNG file whose pixels are the labels themselves, with the
 * palette that PASCAL VOC's label images have, so that classes can be told apart by eye.
 * Errors: CONVOY_ERROR_FILE; CONVOY_ERROR_ARGUMENT (more classes); CONVOY_ERROR_UNSUPPORTED (built without libpng). */
convoy_status convoy_image_write_labels(const char *path, const uint8_t *labels, int height, int width, int classes,
                                        convoy_error *err);

/* The image files in a folder and the folders in it, by their endings (.png, .jpg, .jpeg, and .gif, .bmp, .webp, .tif, .tiff,
 * which are images that can't be read), in the order of their bytes; hidden files and links to folders are left out.
 * Free the list with convoy_image_list_free. */
convoy_status convoy_image_list(const char *folder, char ***paths, size_t *count, convoy_error *err);
void convoy_image_list_free(char **paths, size_t count);

#ifdef __cplusplus
}
#endif
#endif
