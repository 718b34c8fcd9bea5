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

unsigned ops_channel_width(const convoy_context *ctx, int channels)
{
    unsigned width = ops_width(ctx);
    while (channels % (int)width != 0)
        width /= 2;
    return width;
}

void ops_local_2d(const convoy_context *ctx, size_t columns, size_t local[3])
{
    size_t most = rt_wants_vectors(ctx) ? 1 : rt_max_local_size(ctx) < 64 ? rt_max_local_size(ctx) : 64;
    local[0] = 1;
    while (local[0] < columns && 2 * local[0] <= most)
        local[0] *= 2;
    local[1] = most / local[0];
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

/* Softmax and log_softmax. */
static convoy_status rowwise(rt_list *list, const convoy_context *ctx, const char *label, const activation *act,
                             const char *pass, const rt_buffer *const *buffers, int count, int rows, int channels,
                             convoy_error *err)
{
    char options[64], kernel[64];
    snprintf(options, sizeof options, "-DC=%d", channels);
    snprintf(kernel, sizeof kernel, "%s_%s", act->name, pass);
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
        return rowwise(list, ctx, label, act, "forward", (const rt_buffer *[]){z, y}, 2, rows, channels, err);
    char options[256];
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
        return rowwise(list, ctx, label, act, "backward", (const rt_buffer *[]){y, dy, dz}, 3, rows, channels, err);
    char options[256];
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

static bool is_log(const activation *act) { return act == activation_find("log_softmax"); }

static void reference_row(const activation *act, const double *z, double *y, size_t channels)
{
    double top = z[0], sum = 0;
    for (size_t i = 1; i < channels; i++)
        top = fmax(top, z[i]);
    for (size_t i = 0; i < channels; i++)
        sum += exp(z[i] - top);
    for (size_t i = 0; i < channels; i++)
        y[i] = is_log(act) ? z[i] - top - log(sum) : exp(z[i] - top) / sum;
}

static void reference_row_backward(const activation *act, const double *y, const double *dy, double *dz, size_t channels)
{
    double sum = 0;
    for (size_t i = 0; i < channels; i++)
        sum += is_log(act) ? dy[i] : dy[i] * y[i];
    for (size_t i = 0; i < channels; i++)
        dz[i] = is_log(act) ? dy[i] - exp(y[i]) * sum : y[i] * (dy[i] - sum);
}

void ops_activation_reference(const activation *act, const double *z, double *y, size_t rows, size_t channels)
{
    for (size_t r = 0; !act->elementwise && r < rows; r++)
        reference_row(act, z + r * channels, y + r * channels, channels);
    for (size_t i = 0; act->elementwise && i < rows * channels; i++)
        y[i] = act->value(z[i], act->argument);
}

void ops_activation_reference_backward(const activation *act, const double *z, const double *y, const double *dy,
                                       double *dz, size_t rows, size_t channels)
{
    for (size_t r = 0; !act->elementwise && r < rows; r++)
        reference_row_backward(act, y + r * channels, dy + r * channels, dz + r * channels, channels);
    for (size_t i = 0; act->elementwise && i < rows * channels; i++)
        dz[i] = dy[i] * act->slope(z[i], y[i], act->argument);
}

int ops_chunk_images(const convoy_context *ctx, int batch, size_t sums)
{
    /* A CPU's unit takes a work-group of 64 at a time and should get two; a GPU's needs many to hide its memory. */
    size_t wanted = (size_t)convoy_context_device(ctx)->compute_units * (rt_wants_vectors(ctx) ? 128 : 512);
    size_t chunks = (wanted + sums - 1) / sums;
    return chunks < (size_t)batch ? (batch + (int)chunks - 1) / (int)chunks : 1;
}

convoy_status ops_reduce_chunks(rt_list *list, convoy_context *ctx, const char *label, const rt_buffer *partial,
                                const rt_buffer *out, int count, const rt_buffer *rest, int rest_count, int chunks, int stride,
                                convoy_error *err)
{
    char options[32];
    int width = (int)ops_width(ctx), vectors = (count + width - 1) / width, rest_vectors = (rest_count + width - 1) / width;
    snprintf(options, sizeof options, "-DVW=%d", width);
    rt_launch launch = {.label = label, .source = "reduce", .kernel = "reduce_chunks", .options = options};
    rt_push(&launch, RT_BUFFER(partial));
    rt_push(&launch, RT_BUFFER(out));
    rt_push(&launch, RT_BUFFER(rest_count > 0 ? rest : out));
    rt_push(&launch, RT_INT(chunks));
    rt_push(&launch, RT_INT(stride));
    rt_push(&launch, RT_INT(count));
    rt_push(&launch, RT_INT(rest_count));
    ops_range(&launch, ctx, 0, (size_t)vectors + (size_t)rest_vectors, 1);
    launch.bytes = 4.0 * (count + rest_count) * (chunks + 1);
    launch.flops = (double)(count + rest_count) * chunks;
    return rt_list_add(list, &launch, err);
}

convoy_status ops_accumulate(rt_list *list, convoy_context *ctx, const char *label, const rt_buffer *part, const rt_buffer *sum,
                             size_t per_image, size_t fixed, convoy_error *err)
{
    char options[32];
    snprintf(options, sizeof options, "-DVW=%u", ops_width(ctx));
    rt_launch launch = {.label = label, .source = "accumulate", .kernel = "accumulate", .options = options};
    rt_push(&launch, RT_BUFFER(part));
    rt_push(&launch, RT_BUFFER(sum));
    rt_push(&launch, fixed ? RT_INT((int)fixed) : RT_BATCH((int)per_image));
    ops_range(&launch, ctx, per_image, fixed, ops_width(ctx));
    launch.bytes_per_image = 12.0 * (double)per_image;
    launch.bytes = 12.0 * (double)fixed;
    launch.flops_per_image = (double)per_image;
    launch.flops = (double)fixed;
    return rt_list_add(list, &launch, err);
}

convoy_status ops_fold_chunks(rt_list *list, convoy_context *ctx, const char *label, const rt_buffer *partial, int count,
                              int chunks, int stride, int block, convoy_error *err)
{
    char options[32];
    snprintf(options, sizeof options, "-DVW=%u", ops_width(ctx));
    rt_launch launch = {.label = label, .source = "reduce", .kernel = "fold_chunks", .options = options};
    rt_push(&launch, RT_BUFFER(partial));
    rt_push(&launch, RT_INT(chunks));
    rt_push(&launch, RT_INT(block));
    rt_push(&launch, RT_INT(stride));
    rt_push(&launch, RT_INT(count));
    ops_range(&launch, ctx, 0, (size_t)count, ops_width(ctx));
    launch.global[1] = RT_FIXED((size_t)(chunks + block - 1) / block);
    launch.local[1] = 1;
    launch.bytes = 4.0 * count * chunks;
    launch.flops = (double)count * chunks;
    return rt_list_add(list, &launch, err);
}
