#include "train/weight_images.h"

#include <stdlib.h>

#include "data/image.h"

/* TensorFlow's tf.summary.image writes no more. */
enum { MOST = 3 };

/* Pictures within an array: how many, and how far apart neighbours are. */
typedef struct pictures {
    int count, height, width, channels;
    size_t each, row, column, channel;
} pictures;

static convoy_shape squeeze(const convoy_shape *shape)
{
    convoy_shape out = {0};
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] != 1)
            out.dim[out.rank++] = shape->dim[i];
    return out;
}

/* False: Keras shows none of such a shape. */
static bool find_pictures(const convoy_shape *shape, pictures *out)
{
    convoy_shape s = squeeze(shape);
    size_t d0 = (size_t)s.dim[0], d1 = (size_t)s.dim[1], d2 = (size_t)s.dim[2], d3 = (size_t)s.dim[3];
    switch (s.rank) {
    case 1: *out = (pictures){1, s.dim[0], 1, 1, d0, 1, 1, 1}; return true;
    case 2: /* lying, not standing */
        *out = d0 > d1 ? (pictures){1, s.dim[1], s.dim[0], 1, d0 * d1, 1, d1, 1}
                       : (pictures){1, s.dim[0], s.dim[1], 1, d0 * d1, d1, 1, 1};
        return true;
    case 3: *out = (pictures){s.dim[2], s.dim[0], s.dim[1], 1, 1, d1 * d2, d2, 1}; return true;
    case 4: *out = (pictures){s.dim[0], s.dim[1], s.dim[2], s.dim[3], d1 * d2 * d3, d2 * d3, d3, 1};
        return s.dim[3] == 3 || s.dim[3] == 4;
    default: return false;
    }
}

/* As tf.image.convert_image_dtype does it, saturated. */
static uint8_t pixel_of(float value)
{
    float scaled = value * 255.5f;
    return !(scaled > 0.0f) ? 0 : scaled >= 255.0f ? 255 : (uint8_t)scaled;
}

static convoy_status encode(const pictures *p, const float *values, text *png, convoy_error *err)
{
    size_t at = 0;
    uint8_t *pixels = malloc((size_t)p->height * (size_t)p->width * (size_t)p->channels);
    if (pixels == NULL)
        return OUT_OF_MEMORY(err);
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++)
            for (int c = 0; c < p->channels; c++)
                pixels[at++] = pixel_of(values[(size_t)y * p->row + (size_t)x * p->column + (size_t)c * p->channel]);
    convoy_status status = image_encode_png(pixels, p->height, p->width, p->channels, png, err);
    free(pixels);
    return status;
}

convoy_status weight_images_write(event_file *file, const char *tag, int64_t step, const layer_param *param,
                                  const float *values, convoy_error *err)
{
    pictures p;
    text png[MOST] = {{0}};
    convoy_status status = CONVOY_OK;
    if (!find_pictures(&param->shape, &p))
        return CONVOY_OK;
    int count = p.count < MOST ? p.count : MOST;
    for (int i = 0; i < count && status == CONVOY_OK; i++)
        status = encode(&p, values + (size_t)i * p.each, &png[i], err);
    if (status == CONVOY_OK)
        status = event_file_images(file, tag, step, p.height, p.width, png, count, err);
    for (int i = 0; i < count; i++)
        text_free(&png[i]);
    return status;
}
