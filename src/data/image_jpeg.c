/* JPEG by libjpeg-turbo: grey stays grey; YCbCr, RGB and CMYK become RGB. */
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "convoy/image.h"
#include "data/image.h"

#define EXIF_MARKER (JPEG_APP0 + 1)
#define MOST_SCANS 200 /* a progressive picture has about 10; a file of thousands only takes time */

/* All that must be freed when libjpeg jumps out. */
typedef struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    uint8_t *row; /* of a CMYK picture */
    convoy_error *err;
} decoder;

bool image_is_jpeg(const uint8_t *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

static void on_error(j_common_ptr jpeg)
{
    decoder *d = jpeg->client_data;
    char message[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, message);
    base_fail(d->err, CONVOY_ERROR_FORMAT, "a damaged or truncated JPEG image: %s", message);
    longjmp(d->back, 1);
}

/* libjpeg goes on after these, with grey in place of what is missing. */
static void on_message(j_common_ptr jpeg, int level)
{
    int code = jpeg->err->msg_code;
    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE))
        on_error(jpeg);
}

static void on_progress(j_common_ptr jpeg)
{
    decoder *d = jpeg->client_data;
    if (d->jpeg.input_scan_number <= MOST_SCANS)
        return;
    base_fail(d->err, CONVOY_ERROR_FORMAT, "a JPEG image of more than %d scans", MOST_SCANS);
    longjmp(d->back, 1);
}

static int read_orientation(const decoder *d)
{
    for (jpeg_saved_marker_ptr m = d->jpeg.marker_list; m != NULL; m = m->next)
        if (m->marker == EXIF_MARKER && m->data_length > 6 && memcmp(m->data, "Exif\0\0", 6) == 0)
            return image_exif_orientation(m->data + 6, m->data_length - 6);
    return 0;
}

/* a * b / 255, rounded. */
static uint8_t scaled(int a, int b)
{
    int t = a * b + 128;
    return (uint8_t)((t + (t >> 8)) >> 8);
}

/* Adobe's CMYK is stored inverted: 255 is no ink. Every writer of CMYK JPEGs follows it. */
static void cmyk_to_rgb(const uint8_t *cmyk, uint8_t *rgb, int width)
{
    for (int x = 0; x < width; x++)
        for (int c = 0; c < 3; c++) {
            int white = cmyk[4 * x + 3];
            rgb[3 * x + c] = (uint8_t)(white - scaled(255 - cmyk[4 * x + c], white));
        }
}

static convoy_status read_pixels(decoder *d, image *out, convoy_error *err)
{
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    bool cmyk = jpeg->num_components == 4;
    int channels = jpeg->num_components == 1 ? 1 : 3;
    jpeg->out_color_space = cmyk ? JCS_CMYK : channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    TRY(image_allocate(out, jpeg->image_height, jpeg->image_width, channels, err));
    if (cmyk && (d->row = malloc((size_t)out->width * 4)) == NULL)
        return OUT_OF_MEMORY(err);
    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *at = out->pixels + (size_t)jpeg->output_scanline * (size_t)out->width * (size_t)channels;
        JSAMPROW row = cmyk ? d->row : at;
        jpeg_read_scanlines(jpeg, &row, 1);
        if (cmyk)
            cmyk_to_rgb(d->row, at, out->width);
    }
    out->orientation = read_orientation(d); /* what follows the last row, even an end marker, may be missing */
    return CONVOY_OK;
}

/* The only function that libjpeg jumps back to: it keeps everything in memory that it can see. */
static convoy_status run(decoder *d, const uint8_t *bytes, size_t size, image *out, convoy_error *err)
{
    if (setjmp(d->back))
        return CONVOY_ERROR_FORMAT; /* on_error told why */
    jpeg_create_decompress(&d->jpeg);
    d->jpeg.client_data = d;
    d->jpeg.progress = &d->progress;
    jpeg_save_markers(&d->jpeg, EXIF_MARKER, 0xffff);
    jpeg_mem_src(&d->jpeg, bytes, (unsigned long)size);
    jpeg_read_header(&d->jpeg, TRUE);
    return read_pixels(d, out, err);
}

convoy_status image_decode_jpeg(const uint8_t *bytes, size_t size, image *out, convoy_error *err)
{
    decoder *d = calloc(1, sizeof *d);
    if (d == NULL)
        return OUT_OF_MEMORY(err);
    d->err = err;
    d->jpeg.err = jpeg_std_error(&d->errors);
    d->jpeg.client_data = d;
    d->errors.error_exit = on_error;
    d->errors.emit_message = on_message;
    d->progress.progress_monitor = on_progress;
    convoy_status status = run(d, bytes, size, out, err);
    jpeg_destroy_decompress(&d->jpeg);
    free(d->row);
    free(d);
    if (status != CONVOY_OK)
        image_free(out);
    return status;
}
