#include "ops/elementwise.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

unsigned ops_width(const convoy_context *ctx) { return rt_wants_vectors(ctx) ? rt_vector_width(ctx) : 1; }

void ops_range(rt_launch *launch, const convoy_context *ctx, size_t per_image, size_t fixed, unsigned width)
{
    launch->global[0] = fixed ? RT_FIXED((fixed + width - 1) / width) : RT_PER_IMAGE(per_image, width);
    launch->local[0] = rt_max_local_size(ctx) < 64 ? rt_max_local_size(ctx) : 64;
}

unsigned ops_row_width(const convoy_context *ctx, int channels)
{
    unsigned width = rt_wants_vectors(ctx) && channels >= 4 ? rt_vector_width(ctx) : 1;
    while (width > (unsigned)channels)
        width /= 2;
    return width;
}

void ops_row_range(rt_launch *launch, const convoy_context *ctx, unsigned width, int rows, int values)
{
    rt_push(launch, RT_BATCH(width > 1 ? rows : rows * values));
    ops_range(launch, ctx, width > 1 ? (size_t)rows : (size_t)rows * (size_t)values, 0, 1);
    if (width > 1)
        launch->local[0] = 1;
}

static convoy_status softmax(rt_list *list, const convoy_context *ctx, const char *label, const char *kernel,
                             const rt_buffer *const *buffers, int count, int rows, int channels, convoy_error *err)
{
    char options[64];
    snprintf(options, sizeof options, "-DC=%d", channels);
    rt_launch launch = {.label = label, .source = "softmax", .kernel = kernel, .options = options};
    for (int i = 0; i < count; i++)
        rt_push(&launch, RT_BUFFER(buffers[i]));
    rt_push(&launch, RT_BATCH(rows));
    ops_range(&launch, ctx, (size_t)rows, 0, 1);
    launch.bytes_per_image = 4.0 * (count + 1) * rows * channels;
    return rt_list_add(list, &launch, err);
}

convoy_status ops_activation_forward(rt_list *list, convoy_context *ctx, const char *label, const activation *act,
                                     const rt_buffer *z, const rt_buffer *y, int rows, int channels, convoy_error *err)
{
    if (!act->elementwise)
        return softmax(list, ctx, label, "softmax_forward", (const rt_buffer *[]){z, y}, 2, rows, channels, err);
    char options[128];
    snprintf(options, sizeof options, "-DVW=%u" ACTIVATION_OPTIONS, ops_width(ctx), act->name, act->name);
    rt_launch launch = {.label = label, .source = "activation", .kernel = "activation_forward", .options = options};
    rt_push(&launch, RT_BUFFER(z));
    rt_push(&launch, RT_BUFFER(y));
    rt_push(&launch, RT_BATCH(rows * channels));
    ops_range(&launch, ctx, (size_t)rows * channels, 0, ops_width(ctx));
    launch.bytes_per_image = 8.0 * rows * channels;
    return rt_list_add(list, &launch, err);
}

convoy_status ops_activation_backward(rt_list *list, convoy_context *ctx, const char *label, const activation *act,
                                      const rt_buffer *from, const rt_buffer *y, const rt_buffer *dy,
                                      const rt_buffer *dz, int rows, int channels, convoy_error *err)
{
    if (!act->elementwise)
        return softmax(list, ctx, label, "softmax_backward", (const rt_buffer *[]){y, dy, dz}, 3, rows, channels, err);
    char options[128];
    snprintf(options, sizeof options, "-DVW=%u" ACTIVATION_OPTIONS, ops_width(ctx), act->name, act->name);
    rt_launch launch = {.label = label, .source = "activation", .kernel = "activation_backward", .options = options};
    rt_push(&launch, RT_BUFFER(from));
    rt_push(&launch, RT_BUFFER(y));
    rt_push(&launch, RT_BUFFER(dy));
    rt_push(&launch, RT_BUFFER(dz));
    rt_push(&launch, RT_BATCH(rows * channels));
    ops_range(&launch, ctx, (size_t)rows * channels, 0, ops_width(ctx));
    launch.bytes_per_image = 12.0 * rows * channels;
    return rt_list_add(list, &launch, err);
}

static void reference_softmax(const double *z, double *y, size_t channels)
{
    double top = z[0], sum = 0;
    for (size_t i = 1; i < channels; i++)
        top = fmax(top, z[i]);
    for (size_t i = 0; i < channels; i++)
        sum += y[i] = exp(z[i] - top);
    for (size_t i = 0; i < channels; i++)
        y[i] /= sum;
}

void ops_activation_reference(const activation *act, const double *z, double *y, size_t rows, size_t channels)
{
    if (!act->elementwise) {
        for (size_t r = 0; r < rows; r++)
            reference_softmax(z + r * channels, y + r * channels, channels);
        return;
    }
    for (size_t i = 0; i < rows * channels; i++)
        y[i] = act->value(z[i]);
}

void ops_activation_reference_backward(const activation *act, const double *z, const double *y, const double *dy,
                                       double *dz, size_t rows, size_t channels)
{
    for (size_t r = 0; r < rows; r++) {
        size_t at = r * channels;
        double dot = 0;
        for (size_t i = at; !act->elementwise && i < at + channels; i++)
            dot += dy[i] * y[i];
        for (size_t i = at; i < at + channels; i++)
            dz[i] = act->elementwise ? dy[i] * act->slope(z[i], y[i]) : y[i] * (dy[i] - dot);
    }
}

convoy_status ops_reduce_chunks(rt_list *list, convoy_context *ctx, const char *label, const rt_buffer *partial,
                                const rt_buffer *out, int count, int chunks, int stride, int first, convoy_error *err)
{
    char options[32];
    snprintf(options, sizeof options, "-DVW=%u", ops_width(ctx));
    rt_launch launch = {.label = label, .source = "reduce", .kernel = "reduce_chunks", .options = options};
    rt_push(&launch, RT_BUFFER(partial));
    rt_push(&launch, RT_BUFFER(out));
    rt_push(&launch, RT_INT(chunks));
    rt_push(&launch, RT_INT(stride));
    rt_push(&launch, RT_INT(first));
    rt_push(&launch, RT_INT(count));
    ops_range(&launch, ctx, 0, (size_t)count, ops_width(ctx));
    launch.bytes = 4.0 * count * (chunks + 1);
    launch.flops = (double)count * chunks;
    return rt_list_add(list, &launch, err);
}
