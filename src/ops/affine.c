#include "ops/affine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "ops/elementwise.h"

static size_t in_count(const affine *a) { return (size_t)a->height * a->width * a->channels; }
static size_t out_count(const affine *a) { return (size_t)a->out_height * a->out_width * a->channels; }

static convoy_status options_of(const affine *a, char **out, convoy_error *err)
{
    text t = {0};
    text_add(&t, "-DH=%d -DW=%d -DC=%d -DOH=%d -DOW=%d -DFILL=%d -DBILINEAR=%d -DFILL_VALUE=%.9ef", a->height, a->width,
             a->channels, a->out_height, a->out_width, a->fill, a->bilinear, a->fill_value);
    if (a->fill == AFFINE_NEAREST)
        text_add(&t, " -DTOP=%d -DBOTTOM=%d -DLEFT=%d -DRIGHT=%d", a->top, a->bottom, a->left, a->right);
    if (!a->fixed)
        text_add(&t, " -DSTRIDE=%d", a->stride);
    for (int k = 0; a->fixed && k < AUGMENT_DRAWN; k++)
        text_add(&t, "%s%.9ef", k ? "," : " -DMAP=", a->map[k]);
    return text_take(&t, out, err);
}

/* `items`: work-items an image. */
static convoy_status add(rt_list *list, const convoy_context *ctx, const char *label, const char *kernel, const affine *a,
                         const rt_buffer *from, const rt_buffer *maps, const rt_buffer *to, int items, convoy_error *err)
{
    char *options = NULL;
    TRY(options_of(a, &options, err));
    rt_launch launch = {.label = label, .source = "affine", .kernel = kernel, .options = options};
    rt_push(&launch, RT_BUFFER(from));
    rt_push(&launch, RT_BUFFER(a->fixed ? from : maps)); /* a fixed map is not read: any buffer does */
    rt_push(&launch, RT_BUFFER(to));
    rt_push(&launch, RT_BATCH(items));
    ops_range(&launch, ctx, (size_t)items, 0, 1);
    launch.bytes_per_image = 4.0 * (double)(in_count(a) + out_count(a));
    convoy_status status = rt_list_add(list, &launch, err);
    free(options);
    return status;
}

convoy_status ops_affine(rt_list *list, const convoy_context *ctx, const char *label, const affine *a, const rt_buffer *x,
                         const rt_buffer *maps, const rt_buffer *y, convoy_error *err)
{
    return add(list, ctx, label, "affine_forward", a, x, maps, y, a->out_height * a->out_width, err);
}

convoy_status ops_affine_backward(rt_list *list, const convoy_context *ctx, const char *label, const affine *a,
                                  const rt_buffer *dy, const rt_buffer *maps, const rt_buffer *dx, convoy_error *err)
{
    return add(list, ctx, label, "affine_backward", a, dy, maps, dx, a->channels, err);
}

/* ---- the host ---- */

static double reflected(double at, double n)
{
    if (at < 0) {
        at += 2 * n * trunc(-at / (2 * n));
        at = at < -n ? at + 2 * n : -at - 1;
    } else if (at > n - 1) {
        at -= 2 * n * trunc(at / (2 * n));
        at = at >= n ? 2 * n - at - 1 : at;
    }
    return fmin(fmax(at, 0), n - 1);
}

static double wrapped(double at, double n)
{
    if (n == 1)
        return 0;
    if (at < 0)
        at += n * (trunc(-at / (n - 1)) + 1);
    else if (at > n - 1)
        at -= n * trunc(at / (n - 1));
    return fmin(fmax(at, 0), n - 1);
}

static double inside(const affine *a, double at, int n, int first, int last)
{
    switch (a->fill) {
    case AFFINE_NEAREST: return fmin(fmax(at, first), last);
    case AFFINE_REFLECT: return reflected(at, n);
    case AFFINE_WRAP: return wrapped(at, n);
    default: return at;
    }
}

/* A pixel that an output shows, and how much of it. */
typedef struct tap {
    int x, y;
    double weight;
} tap;

/* The taps of output pixel (ox, oy); returns how many. */
static int taps_of(const affine *a, const double *map, int ox, int oy, tap out[4])
{
    double x = inside(a, map[0] * ox + map[1] * oy + map[2], a->width, a->left, a->right);
    double y = inside(a, map[3] * ox + map[4] * oy + map[5], a->height, a->top, a->bottom);
    if (!a->bilinear) {
        out[0] = (tap){(int)round(x), (int)round(y), 1};
        return 1;
    }
    for (int k = 0; k < 4; k++) {
        double at_x = floor(x) + k % 2, at_y = floor(y) + k / 2;
        out[k] = (tap){(int)at_x, (int)at_y, (1 - fabs(x - at_x)) * (1 - fabs(y - at_y))};
    }
    return 4;
}

static bool is_pixel(const affine *a, const tap *t) { return t->x >= 0 && t->x < a->width && t->y >= 0 && t->y < a->height; }

void ops_affine_reference(const affine *a, const double *map, const double *x, double *y)
{
    tap taps[4];
    for (int i = 0; i < a->out_height * a->out_width; i++) {
        int count = taps_of(a, map, i % a->out_width, i / a->out_width, taps);
        for (int c = 0; c < a->channels; c++) {
            double sum = 0;
            for (int k = 0; k < count; k++) {
                size_t at = ((size_t)taps[k].y * a->width + taps[k].x) * a->channels + c;
                sum += taps[k].weight * (is_pixel(a, &taps[k]) ? x[at] : a->fill_value);
            }
            y[(size_t)i * a->channels + c] = sum;
        }
    }
}

void ops_affine_reference_backward(const affine *a, const double *map, const double *dy, double *dx)
{
    tap taps[4];
    for (int i = 0; i < a->out_height * a->out_width; i++) {
        int count = taps_of(a, map, i % a->out_width, i / a->out_width, taps);
        for (int k = 0; k < count; k++)
            for (int c = 0; is_pixel(a, &taps[k]) && c < a->channels; c++)
                dx[((size_t)taps[k].y * a->width + taps[k].x) * a->channels + c] +=
                    taps[k].weight * dy[(size_t)i * a->channels + c];
    }
}

/* Six roundings, and the sine's and cosine's, move a place by up to about four units (2^-23) of the image's sides, and a value by
 * as much of the difference between neighbours, twice the largest value, in both directions. Tolerances follow twice the root. */
size_t ops_affine_reduction(const affine *a)
{
    size_t sides = 8 * (size_t)(a->height + a->width);
    return a->bilinear ? sides * sides : 1;
}
