/* Grey and RGB, and any size: the arithmetic of Pillow's convert and of its resize with BILINEAR, to the bit, so that images
 * prepared with it and images read here are the same. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/image.h"

#define FRACTION 22 /* bits of a weight behind the point */

/* ---- grey and RGB ---- */

static void to_grey(const image *im, uint8_t *out)
{
    size_t count = (size_t)im->height * (size_t)im->width;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *p = im->pixels + 3 * i;
        out[i] = (uint8_t)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16); /* ITU-R 601 */
    }
}

static void to_rgb(const image *im, uint8_t *out)
{
    size_t count = (size_t)im->height * (size_t)im->width;
    for (size_t i = 0; i < count; i++)
        memset(out + 3 * i, im->pixels[i], 3);
}

convoy_status image_set_channels(image *im, int channels, convoy_error *err)
{
    image made = {.orientation = im->orientation};
    if (im->channels == channels)
        return CONVOY_OK;
    TRY(image_allocate(&made, (uint64_t)im->height, (uint64_t)im->width, channels, err));
    (channels == 1 ? to_grey : to_rgb)(im, made.pixels);
    image_free(im);
    *im = made;
    return CONVOY_OK;
}

/* ---- size ---- */

/* For each output position the first input position that counts, how many do, and their weights. */
typedef struct filter {
    int *first, *count, *weights;
    int most; /* weights a position */
} filter;

static void filter_free(filter *f)
{
    free(f->first);
    free(f->count);
    free(f->weights);
}

/* A triangle of half-width `reach` around where the output's pixel lies in the input. */
static void fill_position(filter *f, int position, double scale, double reach, int in, double *room)
{
    double centre = (position + 0.5) * scale, sum = 0;
    int first = (int)(centre - reach + 0.5), end = (int)(centre + reach + 0.5);
    first = first < 0 ? 0 : first;
    end = end > in ? in : end;
    for (int i = 0; i < end - first; i++) {
        double distance = fabs((i + first - centre + 0.5) * (1.0 / reach));
        room[i] = distance < 1.0 ? 1.0 - distance : 0.0;
        sum += room[i];
    }
    f->first[position] = first;
    f->count[position] = end - first;
    for (int i = 0; i < end - first; i++) {
        double weight = sum != 0.0 ? room[i] / sum : room[i];
        f->weights[(size_t)position * (size_t)f->most + (size_t)i] = (int)(0.5 + weight * (1 << FRACTION));
    }
}

static convoy_status filter_create(int in, int out, filter *f, convoy_error *err)
{
    double scale = (double)in / out, reach = scale < 1.0 ? 1.0 : scale;
    f->most = (int)ceil(reach) * 2 + 1;
    double *room = malloc((size_t)f->most * sizeof *room);
    f->first = malloc((size_t)out * sizeof *f->first);
    f->count = malloc((size_t)out * sizeof *f->count);
    f->weights = malloc((size_t)out * (size_t)f->most * sizeof *f->weights);
    bool ok = room != NULL && f->first != NULL && f->count != NULL && f->weights != NULL;
    for (int i = 0; ok && i < out; i++)
        fill_position(f, i, scale, reach, in, room);
    free(room);
    return ok ? CONVOY_OK : OUT_OF_MEMORY(err);
}

static uint8_t rounded(int sum)
{
    int value = sum >> FRACTION;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One row of the output's width; channels side by side, so that their sums grow side by side. */
static void weigh_row(const filter *f, int width, int channels, const uint8_t *row, uint8_t *out)
{
    const int start = 1 << (FRACTION - 1);
    for (int x = 0; x < width; x++) {
        const int *weights = f->weights + (size_t)x * (size_t)f->most;
        const uint8_t *in = row + (size_t)f->first[x] * (size_t)channels;
        int sum[3] = {start, start, start}, count = f->count[x];
        if (channels == 3)
            for (int i = 0; i < count; i++)
                for (int k = 0; k < 3; k++)
                    sum[k] += in[3 * i + k] * weights[i];
        else
            for (int i = 0; i < count; i++)
                sum[0] += in[i] * weights[i];
        for (int k = 0; k < channels; k++)
            *out++ = rounded(sum[k]);
    }
}

static convoy_status resize_rows(const image *im, int width, uint8_t *out, convoy_error *err)
{
    filter f = {0};
    size_t c = (size_t)im->channels;
    convoy_status status = filter_create(im->width, width, &f, err);
    for (int y = 0; status == CONVOY_OK && y < im->height; y++)
        weigh_row(&f, width, im->channels, im->pixels + (size_t)y * (size_t)im->width * c, out + (size_t)y * (size_t)width * c);
    filter_free(&f);
    return status;
}

/* One row of the output out of several; all its sums grow at once, which the compiler makes vectors of. */
static void weigh_column(const filter *f, int position, const uint8_t *in, size_t row, int *sums, uint8_t *out)
{
    const int *weights = f->weights + (size_t)position * (size_t)f->most;
    in += (size_t)f->first[position] * row;
    for (size_t i = 0; i < row; i++)
        sums[i] = 1 << (FRACTION - 1);
    for (int k = 0; k < f->count[position]; k++, in += row)
        for (size_t i = 0; i < row; i++)
            sums[i] += in[i] * weights[k];
    for (size_t i = 0; i < row; i++)
        out[i] = rounded(sums[i]);
}

static convoy_status resize_columns(const uint8_t *in, int from, int height, size_t row, uint8_t *out, convoy_error *err)
{
    filter f = {0};
    int *sums = malloc(row * sizeof *sums);
    convoy_status status = sums ? filter_create(from, height, &f, err) : OUT_OF_MEMORY(err);
    for (int y = 0; status == CONVOY_OK && y < height; y++)
        weigh_column(&f, y, in, row, sums, out + (size_t)y * row);
    filter_free(&f);
    free(sums);
    return status;
}

convoy_status image_resize(const image *im, int height, int width, uint8_t *out, convoy_error *err)
{
    size_t row = (size_t)width * (size_t)im->channels;
    if (im->width == width && im->height == height) {
        memcpy(out, im->pixels, (size_t)height * row);
        return CONVOY_OK;
    }
    if (im->width == width)
        return resize_columns(im->pixels, im->height, height, row, out, err);
    if (im->height == height)
        return resize_rows(im, width, out, err);
    uint8_t *between = malloc((size_t)im->height * row);
    if (between == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = resize_rows(im, width, between, err);
    if (status == CONVOY_OK)
        status = resize_columns(between, im->height, height, row, out, err);
    free(between);
    return status;
}
