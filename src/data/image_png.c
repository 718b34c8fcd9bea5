/* PNG by libpng: any depth, palette or interlace to 8-bit grey or RGB. */
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "convoy/image.h"
#include "data/image.h"

/* Ancillary chunks beyond this are no part of an honest picture. */
#define MOST_CHUNKS 1000
#define MOST_CHUNK_BYTES (16u << 20)

/* All that must be freed when libpng jumps out. */
typedef struct decoder {
    png_structp png;
    png_infop info;
    const uint8_t *bytes;
    size_t left;
    png_bytep *rows;
    convoy_error *err;
} decoder;

bool image_is_png(const uint8_t *bytes, size_t size)
{
    return size >= 8 && png_sig_cmp(bytes, 0, 8) == 0;
}

static void on_error(png_structp png, png_const_charp message)
{
    decoder *d = png_get_error_ptr(png);
    base_fail(d->err, CONVOY_ERROR_FORMAT, "a damaged or truncated PNG image: %s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png, (void)message; /* what is wrong, but does not matter */
}

static void read_bytes(png_structp png, png_bytep out, size_t count)
{
    decoder *d = png_get_io_ptr(png);
    if (count > d->left)
        png_error(png, "the file ends early");
    memcpy(out, d->bytes, count);
    d->bytes += count;
    d->left -= count;
}

/* Whatever is stored becomes 8-bit grey or RGB. */
static void ask_for_bytes(decoder *d)
{
    int colour = png_get_color_type(d->png, d->info);
    png_set_scale_16(d->png);
    if (colour == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(d->png);
    if (colour == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(d->png, d->info) < 8)
        png_set_expand_gray_1_2_4_to_8(d->png);
    png_set_strip_alpha(d->png); /* a palette's transparency becomes alpha too */
    png_set_interlace_handling(d->png);
    png_read_update_info(d->png, d->info);
}

static void read_orientation(decoder *d, image *out)
{
    png_uint_32 size = 0;
    png_bytep exif = NULL;
    if (png_get_eXIf_1(d->png, d->info, &size, &exif) && exif != NULL)
        out->orientation = image_exif_orientation(exif, size);
}

static convoy_status read_pixels(decoder *d, image *out, convoy_error *err)
{
    png_read_info(d->png, d->info);
    ask_for_bytes(d);
    int channels = png_get_channels(d->png, d->info);
    png_uint_32 height = png_get_image_height(d->png, d->info), width = png_get_image_width(d->png, d->info);
    size_t row = png_get_rowbytes(d->png, d->info);
    if ((channels != 1 && channels != 3) || row != (size_t)width * (size_t)channels)
        return base_fail(err, CONVOY_ERROR_FORMAT, "a PNG image of %d channels; 1 or 3 are expected", channels);
    TRY(image_allocate(out, height, width, channels, err));
    d->rows = malloc(height * sizeof *d->rows);
    if (d->rows == NULL)
        return OUT_OF_MEMORY(err);
    for (png_uint_32 y = 0; y < height; y++)
        d->rows[y] = out->pixels + y * row;
    png_read_image(d->png, d->rows);
    png_read_end(d->png, d->info); /* EXIF may come last */
    read_orientation(d, out);
    return CONVOY_OK;
}

/* The only function that libpng jumps back to: it keeps everything in memory that it can see. */
static convoy_status run(decoder *d, image *out, convoy_error *err)
{
    if (setjmp(png_jmpbuf(d->png)))
        return CONVOY_ERROR_FORMAT; /* on_error told why */
    png_set_read_fn(d->png, d, read_bytes);
    png_set_user_limits(d->png, 0x7fffffff, 0x7fffffff); /* image_allocate refuses by name */
    png_set_chunk_cache_max(d->png, MOST_CHUNKS);
    png_set_chunk_malloc_max(d->png, MOST_CHUNK_BYTES);
    return read_pixels(d, out, err);
}

convoy_status image_decode_png(const uint8_t *bytes, size_t size, image *out, convoy_error *err)
{
    decoder d = {.bytes = bytes, .left = size, .err = err};
    d.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &d, on_error, on_warning);
    d.info = d.png ? png_create_info_struct(d.png) : NULL;
    convoy_status status = d.info ? run(&d, out, err) : OUT_OF_MEMORY(err);
    png_destroy_read_struct(&d.png, &d.info, NULL);
    free(d.rows);
    if (status != CONVOY_OK)
        image_free(out);
    return status;
}

/* ---- writing ---- */

static convoy_status encode(png_image *head, const uint8_t *pixels, const void *palette, text *out, convoy_error *err)
{
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(*head);
    void *bytes = malloc(size);
    if (bytes == NULL)
        return OUT_OF_MEMORY(err);
    bool good = png_image_write_to_memory(head, bytes, &size, 0, pixels, 0, palette) != 0;
    if (good)
        text_add_bytes(out, bytes, size);
    free(bytes);
    if (!good)
        return base_fail(err, CONVOY_ERROR_FORMAT, "can't make a PNG image of %u x %u pixels: %s", head->height, head->width,
                         head->message);
    return out->failed ? OUT_OF_MEMORY(err) : CONVOY_OK;
}

convoy_status image_encode_png(const uint8_t *pixels, int height, int width, int channels, text *out, convoy_error *err)
{
    png_image head = {.version = PNG_IMAGE_VERSION, .width = (png_uint_32)width, .height = (png_uint_32)height,
                      .format = channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA};
    return encode(&head, pixels, NULL, out, err);
}

/* PASCAL VOC's colours: the bits of a class, three at a time, become the high bits of red, green and blue. */
static void fill_palette(uint8_t palette[256][3])
{
    memset(palette, 0, 256 * sizeof palette[0]);
    for (int class = 0; class < 256; class++)
        for (int bit = 0; bit < 8; bit++)
            palette[class][bit % 3] |= (uint8_t)((class >> bit & 1) << (7 - bit / 3));
}

convoy_status image_encode_labels(const uint8_t *labels, int height, int width, int classes, text *out, convoy_error *err)
{
    uint8_t palette[256][3];
    png_image head = {.version = PNG_IMAGE_VERSION, .width = (png_uint_32)width, .height = (png_uint_32)height,
                      .format = PNG_FORMAT_RGB_COLORMAP, .colormap_entries = (png_uint_32)classes};
    fill_palette(palette);
    return encode(&head, labels, palette, out, err);
}
