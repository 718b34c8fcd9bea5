#include "ops/conv2d/sample.h"

#include "base/philox.h"

size_t conv_result_count(const conv_problem *p)
{
    const conv_shape *s = p->shape;
    switch (p->pass) {
    case CONV_FORWARD: return conv_outputs(s) * (size_t)p->batch;
    case CONV_BACKWARD_DATA: return conv_inputs(s) * (size_t)p->batch;
    default: return conv_weights(s) + (s->bias ? (size_t)s->out : 0);
    }
}

double conv_sample_length(const conv_problem *p)
{
    const conv_shape *s = p->shape;
    double taps = (double)s->kernel[0] * s->kernel[1];
    switch (p->pass) {
    case CONV_FORWARD: return taps * conv_group_inputs(s);
    case CONV_BACKWARD_DATA: return taps * conv_group_outputs(s);
    default: return (double)p->batch * s->out_height * s->out_width;
    }
}

/* ---- one value ---- */

/* An image's pixel; NULL where that is padding. */
static const float *input_pixel(const conv_shape *s, const float *x, int n, int y, int x_)
{
    if (y < 0 || y >= s->height || x_ < 0 || x_ >= s->width)
        return NULL;
    return x + (((size_t)n * s->height + y) * s->width + x_) * s->in;
}

static const float *output_pixel(const conv_shape *s, const float *z, int n, int y, int x)
{
    return z + (((size_t)n * s->out_height + y) * s->out_width + x) * s->out;
}

static double forward(const conv_shape *s, const activation *act, const conv_tensors *t, size_t i)
{
    int oc = (int)(i % s->out), ox = (int)(i / s->out % s->out_width);
    int oy = (int)(i / s->out / s->out_width % s->out_height), n = (int)(i / conv_outputs(s));
    int in = conv_group_inputs(s), group = oc / conv_group_outputs(s);
    double sum = s->bias ? t->bias[oc] : 0.0;
    for (int kh = 0; kh < s->kernel[0]; kh++)
        for (int kw = 0; kw < s->kernel[1]; kw++) {
            const float *x = input_pixel(s, t->x, n, oy * s->stride[0] + kh * s->dilation[0] - s->pad[0],
                                         ox * s->stride[1] + kw * s->dilation[1] - s->pad[1]);
            const float *w = t->w + ((size_t)kh * s->kernel[1] + kw) * in * s->out + oc;
            for (int ic = 0; x != NULL && ic < in; ic++)
                sum += (double)x[group * in + ic] * w[(size_t)ic * s->out];
        }
    return act ? act->value(sum, act->argument) : sum;
}

/* The output that reads input position `at` by tap k; -1: none. */
static int reader(int at, int k, int pad, int dilation, int stride, int size)
{
    int from = at + pad - k * dilation;
    return from >= 0 && from % stride == 0 && from / stride < size ? from / stride : -1;
}

static double backward_data(const conv_shape *s, const activation *act, const conv_tensors *t, size_t i)
{
    int ic = (int)(i % s->in), ix = (int)(i / s->in % s->width);
    int iy = (int)(i / s->in / s->width % s->height), n = (int)(i / conv_inputs(s));
    int in = conv_group_inputs(s), out = conv_group_outputs(s), group = ic / in;
    double sum = 0.0;
    for (int kh = 0; kh < s->kernel[0]; kh++)
        for (int kw = 0; kw < s->kernel[1]; kw++) {
            int oy = reader(iy, kh, s->pad[0], s->dilation[0], s->stride[0], s->out_height);
            int ox = reader(ix, kw, s->pad[1], s->dilation[1], s->stride[1], s->out_width);
            if (oy < 0 || ox < 0)
                continue;
            const float *dz = output_pixel(s, t->dz, n, oy, ox) + group * out;
            const float *w = t->w + (((size_t)kh * s->kernel[1] + kw) * in + ic % in) * s->out + group * out;
            for (int oc = 0; oc < out; oc++)
                sum += (double)dz[oc] * w[oc];
        }
    return act ? sum * act->slope(t->x[i], t->x[i], act->argument) : sum;
}

/* i beyond the weights: the bias. */
static double backward_filter(const conv_problem *p, const conv_tensors *t, size_t i)
{
    const conv_shape *s = p->shape;
    bool bias = i >= conv_weights(s);
    int oc = (int)((bias ? i - conv_weights(s) : i) % s->out), in = conv_group_inputs(s);
    int ic = (int)(i / s->out % in) + oc / conv_group_outputs(s) * in;
    int kw = (int)(i / s->out / in % s->kernel[1]), kh = (int)(i / s->out / in / s->kernel[1]);
    double sum = 0.0;
    for (int n = 0; n < p->batch; n++)
        for (int oy = 0; oy < s->out_height; oy++)
            for (int ox = 0; ox < s->out_width; ox++) {
                double dz = output_pixel(s, t->dz, n, oy, ox)[oc];
                const float *x = bias ? NULL : input_pixel(s, t->x, n, oy * s->stride[0] + kh * s->dilation[0] - s->pad[0],
                                                           ox * s->stride[1] + kw * s->dilation[1] - s->pad[1]);
                sum += bias ? dz : x ? dz * x[ic] : 0.0;
            }
    return sum;
}

double conv_sample_value(const conv_problem *p, const activation *act, const conv_tensors *t, size_t i)
{
    switch (p->pass) {
    case CONV_FORWARD: return forward(p->shape, act, t, i);
    case CONV_BACKWARD_DATA: return backward_data(p->shape, act, t, i);
    default: return backward_filter(p, t, i);
    }
}

/* ---- which values ---- */

typedef struct places {
    size_t *out, count, most, end;
} places;

static void add(places *l, size_t i)
{
    if (l->count < l->most && i < l->end)
        l->out[l->count++] = i;
}

/* Corners, edges and the middle of a (rows, columns, channels) block that begins at `from`. */
static void add_block(places *l, size_t from, int rows, int columns, int channels)
{
    int ys[] = {0, rows / 2, rows - 1}, xs[] = {0, columns / 2, columns - 1}, cs[] = {0, channels - 1};
    for (int y = 0; y < 3; y++)
        for (int x = 0; x < 3; x++)
            for (int c = 0; c < 2; c++)
                add(l, from + ((size_t)ys[y] * columns + xs[x]) * channels + cs[c]);
}

size_t conv_sample_places(const conv_problem *p, uint64_t seed, size_t *out, size_t most)
{
    const conv_shape *s = p->shape;
    places l = {.out = out, .most = most, .end = conv_result_count(p)};
    add(&l, 0);
    add(&l, l.end - 1);
    if (p->pass == CONV_BACKWARD_FILTER) {
        add_block(&l, 0, s->kernel[0], s->kernel[1], conv_group_inputs(s) * s->out);
        add(&l, conv_weights(s)); /* the first bias */
    } else {
        bool forward = p->pass == CONV_FORWARD;
        int rows = forward ? s->out_height : s->height, columns = forward ? s->out_width : s->width;
        int channels = forward ? s->out : s->in;
        size_t image = (size_t)rows * columns * channels;
        add_block(&l, 0, rows, columns, channels);
        add_block(&l, image * (size_t)(p->batch - 1), rows, columns, channels);
    }
    for (uint64_t k = 0; l.count < most; k++)
        add(&l, (size_t)(((uint64_t)philox_word(seed, PHILOX_TEST, 17, 2 * k) << 32 |
                          philox_word(seed, PHILOX_TEST, 17, 2 * k + 1)) % l.end));
    return l.count;
}
