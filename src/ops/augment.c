#include "ops/augment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/philox.h"

static const char *const kernels[] = {
    [AUGMENT_FLIP] = "draw_flip",         [AUGMENT_TRANSLATION] = "draw_translation",
    [AUGMENT_ROTATION] = "draw_rotation", [AUGMENT_ZOOM] = "draw_zoom",
    [AUGMENT_CROP] = "draw_crop",         [AUGMENT_CONTRAST] = "draw_contrast",
    [AUGMENT_BRIGHTNESS] = "draw_brightness", [AUGMENT_ERASING] = "draw_erasing",
    [AUGMENT_CUTOUT] = "draw_cutout",
};

convoy_status ops_augment_draw(rt_list *list, const char *label, const augment *a, const rt_buffer *out, convoy_error *err)
{
    char options[192];
    snprintf(options, sizeof options, "-DSTRIDE=%d -DH=%d -DW=%d -DHORIZONTAL=%d -DVERTICAL=%d -DSAME=%d -DROWS=%d -DCOLUMNS=%d",
             a->stride, a->height, a->width, a->flag[0], a->flag[1], a->flag[0], a->rows, a->columns);
    rt_launch launch = {.label = label, .source = "augment", .kernel = kernels[a->kind], .options = options};
    rt_push(&launch, RT_BUFFER(out));
    rt_push(&launch, RT_INT((int)(uint32_t)a->seed));
    rt_push(&launch, RT_INT((int)(uint32_t)(a->seed >> 32)));
    rt_push(&launch, RT_INT((int)a->stream));
    rt_push(&launch, RT_VARIABLE(RT_VAR_UPDATES));
    for (int k = 0; k < 2; k++) {
        rt_push(&launch, RT_FLOAT(a->low[k]));
        rt_push(&launch, RT_FLOAT(a->high[k]));
    }
    rt_push(&launch, RT_BATCH(1));
    launch.global[0] = RT_PER_IMAGE(1, 1);
    launch.bytes_per_image = 4.0 * AUGMENT_DRAWN;
    return rt_list_add(list, &launch, err);
}

/* ---- the host ---- */

static void words_of(const augment *a, uint32_t block, uint32_t step, philox_stream purpose, uint32_t out[4])
{
    uint32_t key[2] = {(uint32_t)a->seed, (uint32_t)(a->seed >> 32)};
    uint32_t counter[4] = {block, step, a->stream, (uint32_t)purpose};
    philox4x32(counter, key, out);
}

static double uniform(uint32_t word) { return (word >> 8) * 0x1p-24; }
static double between(float low, float high, uint32_t word) { return low + uniform(word) * ((double)high - low); }
static double below(int n, uint32_t word) { return (double)((uint64_t)word * (uint32_t)n >> 32); }

static void put_map(double *out, double a0, double a1, double a2, double b0, double b1, double b2)
{
    const double map[AUGMENT_DRAWN] = {a0, a1, a2, b0, b1, b2};
    memcpy(out, map, sizeof map);
}

static void put_box(double *out, double x, double width, double y, double height)
{
    put_map(out, x, x + width, y, y + height, 0, 0);
}

static void draw_flip(const augment *a, const uint32_t *word, double *out)
{
    bool across = a->flag[0] && uniform(word[0]) <= 0.5, upside = a->flag[1] && uniform(word[0]) <= 0.5;
    put_map(out, across ? -1 : 1, 0, across ? a->width - 1 : 0, 0, upside ? -1 : 1, upside ? a->height - 1 : 0);
}

static void draw_rotation(double angle, double x, double y, double *out)
{
    double c = cos(angle), s = sin(angle);
    put_map(out, c, -s, x - x * c + y * s, s, c, y - x * s - y * c);
}

static void draw_erasing(const augment *a, const uint32_t *word, double *out)
{
    double height = sqrt(fmax(between(a->low[0], a->high[0], word[0]), 0)) * a->height;
    double width = sqrt(fmax(between(a->low[0], a->high[0], word[2]), 0)) * a->width;
    bool there = uniform(word[5]) < between(a->low[1], a->high[1], word[1]);
    put_box(out, uniform(word[3]) * (a->width - width), there ? width : 0, uniform(word[4]) * (a->height - height), height);
}

void ops_augment_drawn(const augment *a, uint32_t step, int n, double out[AUGMENT_DRAWN])
{
    uint32_t word[8];
    words_of(a, 2 * (uint32_t)n, step, PHILOX_NOISE, word);
    words_of(a, 2 * (uint32_t)n + 1, step, PHILOX_NOISE, word + 4);
    double h = a->height, w = a->width, first = between(a->low[0], a->high[0], word[0]);
    double second = between(a->low[1], a->high[1], word[1]), zoom = a->flag[0] ? first : second;
    switch (a->kind) {
    case AUGMENT_FLIP: draw_flip(a, word, out); break;
    case AUGMENT_TRANSLATION: put_map(out, 1, 0, -second * w, 0, 1, -first * h); break;
    case AUGMENT_ROTATION: draw_rotation(first * 6.283185307179586, 0.5 * (w - 1), 0.5 * (h - 1), out); break;
    case AUGMENT_ZOOM: put_map(out, 1 + zoom, 0, -0.5 * (w - 1) * zoom, 0, 1 + first, -0.5 * (h - 1) * first); break;
    case AUGMENT_CROP: put_map(out, 1, 0, below(a->columns, word[1]), 0, 1, below(a->rows, word[0])); break;
    case AUGMENT_CONTRAST: put_map(out, first, 0, 0, 0, 0, 0); break;
    case AUGMENT_BRIGHTNESS: put_map(out, 1, first, 0, 0, 0, 0); break;
    case AUGMENT_ERASING: draw_erasing(a, word, out); break;
    case AUGMENT_CUTOUT:
        put_box(out, below(a->width, word[1]) - a->columns / 2, a->columns, below(a->height, word[0]) - a->rows / 2, a->rows);
        break;
    }
}

double ops_augment_normal(const augment *a, uint32_t step, size_t i)
{
    uint32_t word[4];
    words_of(a, (uint32_t)i, step, PHILOX_FILL, word);
    return sqrt(-2.0 * log(uniform(word[0]) + 0x1p-24)) * cos(6.283185307179586 * uniform(word[1]));
}
