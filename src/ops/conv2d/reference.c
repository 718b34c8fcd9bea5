/* The specification of the convolution: plain loops in double. */
#include "ops/conv2d/variant.h"

void ops_window(int n, int k, int s, bool same, int *out, int *pad)
{
    if (!same) {
        *out = n < k ? 0 : (n - k) / s + 1;
        *pad = 0;
        return;
    }
    *out = (n + s - 1) / s;
    int total = (*out - 1) * s + k - n;
    *pad = total > 0 ? total / 2 : 0;
}

static void for_taps(const conv_shape *s, int n, int oy, int ox, conv_product *fn, void *state)
{
    int in = conv_group_inputs(s), out = conv_group_outputs(s);
    for (int kh = 0; kh < s->kernel[0]; kh++)
        for (int kw = 0; kw < s->kernel[1]; kw++) {
            int iy = oy * s->stride[0] + kh * s->dilation[0] - s->pad[0];
            int ix = ox * s->stride[1] + kw * s->dilation[1] - s->pad[1];
            if (iy < 0 || iy >= s->height || ix < 0 || ix >= s->width)
                continue;
            size_t x = (((size_t)n * s->height + iy) * s->width + ix) * s->in;
            size_t w = ((size_t)kh * s->kernel[1] + kw) * in * s->out;
            size_t y = (((size_t)n * s->out_height + oy) * s->out_width + ox) * s->out;
            for (int ic = 0; ic < in; ic++)
                for (int oc = 0; oc < s->out; oc++)
                    fn(state, x + (size_t)(oc / out * in + ic), w + (size_t)ic * s->out + oc, y + oc);
        }
}

static void for_products(const conv_shape *s, int batch, conv_product *fn, void *state)
{
    for (int n = 0; n < batch; n++)
        for (int oy = 0; oy < s->out_height; oy++)
            for (int ox = 0; ox < s->out_width; ox++)
                for_taps(s, n, oy, ox, fn, state);
}

void conv_product_forward(void *state, size_t x, size_t w, size_t y)
{
    const conv_operands *t = state;
    t->z[y] += t->x[x] * t->w[w];
}

void conv_product_backward(void *state, size_t x, size_t w, size_t y)
{
    const conv_operands *t = state;
    t->dw[w] += t->x[x] * t->dz[y];
    if (t->dx)
        t->dx[x] += t->w[w] * t->dz[y];
}

void ops_conv2d_reference(const conv_shape *s, int batch, const double *x, const double *w, const double *bias,
                          double *z)
{
    size_t pixels = (size_t)batch * s->out_height * s->out_width;
    for (size_t i = 0; i < pixels * s->out; i++)
        z[i] = bias ? bias[i % s->out] : 0.0;
    conv_operands t = {.x = x, .w = w, .z = z};
    for_products(s, batch, conv_product_forward, &t);
}

void ops_conv2d_reference_backward(const conv_shape *s, int batch, const double *x, const double *w, const double *dz,
                                   double *dx, double *dw, double *dbias)
{
    size_t pixels = (size_t)batch * s->out_height * s->out_width;
    conv_operands t = {.x = x, .w = w, .dz = dz, .dx = dx, .dw = dw};
    for_products(s, batch, conv_product_backward, &t);
    for (size_t i = 0; dbias && i < pixels * s->out; i++)
        dbias[i % s->out] += dz[i];
}
