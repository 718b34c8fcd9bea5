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

/* In float, like the device: a place between two pixels that Keras's float32 finds is then found here too. */
static float uniform(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }
static float between(float low, float high, uint32_t word) { return low + uniform(word) * (high - low); }
static float below(int n, uint32_t word) { return (float)((uint64_t)word * (uint32_t)n >> 32); }

static void put_map(double *out, float a0, float a1, float a2, float b0, float b1, float b2)
{
    const double map[AUGMENT_DRAWN] = {a0, a1, a2, b0, b1, b2};
    memcpy(out, map, sizeof map);
}

static void put_box(double *out, float x, float width, float y, float height)
{
    put_map(out, x, x + width, y, y + height, 0, 0);
}

static void draw_flip(const augment *a, const uint32_t *word, double *out)
{
    bool across = a->flag[0] && uniform(word[0]) <= 0.5f, upside = a->flag[1] && uniform(word[0]) <= 0.5f;
    put_map(out, across ? -1 : 1, 0, across ? (float)a->width - 1 : 0, 0, upside ? -1 : 1, upside ? (float)a->height - 1 : 0);
}

static void draw_rotation(float angle, float x, float y, double *out)
{
    float c = cosf(angle), s = sinf(angle);
    put_map(out, c, -s, x - x * c + y * s, s, c, y - x * s - y * c);
}

static void draw_zoom(float x, float y, float width, float height, double *out)
{
    put_map(out, x, 0, 0.5f * (width - 1) * (1 - x), 0, y, 0.5f * (height - 1) * (1 - y));
}

static void draw_erasing(const augment *a, const uint32_t *word, double *out)
{
    float height = sqrtf(fmaxf(between(a->low[0], a->high[0], word[0]), 0)) * (float)a->height;
    float width = sqrtf(fmaxf(between(a->low[0], a->high[0], word[2]), 0)) * (float)a->width;
    bool there = uniform(word[5]) < between(a->low[1], a->high[1], word[1]);
    put_box(out, uniform(word[3]) * ((float)a->width - width), there ? width : 0,
            uniform(word[4]) * ((float)a->height - height), height);
}

static void draw_cutout(const augment *a, const uint32_t *word, double *out)
{
    float x = below(a->width, word[1]) - (float)(a->columns / 2), y = below(a->height, word[0]) - (float)(a->rows / 2);
    put_box(out, x, (float)a->columns, y, (float)a->rows);
}

void ops_augment_drawn(const augment *a, uint32_t step, int n, double out[AUGMENT_DRAWN])
{
    uint32_t word[8];
    words_of(a, 2 * (uint32_t)n, step, PHILOX_NOISE, word);
    words_of(a, 2 * (uint32_t)n + 1, step, PHILOX_NOISE, word + 4);
    float h = (float)a->height, w = (float)a->width;
    float first = between(a->low[0], a->high[0], word[0]), second = between(a->low[1], a->high[1], word[1]);
    switch (a->kind) {
    case AUGMENT_FLIP: draw_flip(a, word, out); break;
    case AUGMENT_TRANSLATION: put_map(out, 1, 0, -second * w, 0, 1, -first * h); break;
    case AUGMENT_ROTATION: draw_rotation(first * 6.28318530717958647692f, 0.5f * (w - 1), 0.5f * (h - 1), out); break;
    case AUGMENT_ZOOM: draw_zoom(1 + (a->flag[0] ? first : second), 1 + first, w, h, out); break;
    case AUGMENT_CROP: put_map(out, 1, 0, below(a->columns, word[1]), 0, 1, below(a->rows, word[0])); break;
    case AUGMENT_CONTRAST: put_map(out, first, 0, 0, 0, 0, 0); break;
    case AUGMENT_BRIGHTNESS: put_map(out, 1, first, 0, 0, 0, 0); break;
    case AUGMENT_ERASING: draw_erasing(a, word, out); break;
    case AUGMENT_CUTOUT: draw_cutout(a, word, out); break;
    }
}

double ops_augment_normal(const augment *a, uint32_t step, size_t i)
{
    uint32_t word[4];
    words_of(a, (uint32_t)i, step, PHILOX_FILL, word);
    return sqrt(-2.0 * log(((word[0] >> 8) + 1) * 0x1p-24)) * cos(6.283185307179586 * (word[1] >> 8) * 0x1p-24);
}
