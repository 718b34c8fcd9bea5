#include "ops/bias.h"

#include <stdio.h>

#include "ops/elementwise.h"

convoy_status ops_add_bias(rt_list *list, convoy_context *ctx, const char *layer, const rt_buffer *bias, const rt_buffer *y,
                           const epilogue *end, int rows, int channels, convoy_error *err)
{
    char options[256], label[160];
    snprintf(options, sizeof options, "-DCHANNELS=%d", channels);
    snprintf(label, sizeof label, "%s bias", layer);
    rt_launch launch = {.label = label, .source = "bias", .kernel = "add_bias", .options = options};
    rt_push(&launch, RT_BUFFER(bias));
    rt_push(&launch, RT_BUFFER(y));
    rt_push(&launch, RT_BATCH(rows * channels));
    epilogue_append(end, &launch, options, sizeof options);
    ops_range(&launch, ctx, (size_t)rows * (size_t)channels, 0, 1);
    launch.bytes_per_image = 8.0 * rows * channels;
    return rt_list_add(list, &launch, err);
}

static int bias_chunks(const convoy_context *ctx, int channels, int batch, int *images)
{
    *images = ops_chunk_images(ctx, batch, (size_t)channels);
    return (batch + *images - 1) / *images;
}

size_t ops_bias_gradient_scratch(const convoy_context *ctx, int channels, int batch)
{
    int images, chunks = bias_chunks(ctx, channels, batch, &images);
    return chunks > 1 ? (size_t)chunks * (size_t)channels : 0;
}

convoy_status ops_bias_gradient(rt_list *list, convoy_context *ctx, const char *layer, const rt_buffer *dz,
                                const rt_buffer *dbias, const rt_buffer *scratch, int rows, int channels, int batch,
                                convoy_error *err)
{
    char options[64], label[160];
    int images, chunks = bias_chunks(ctx, channels, batch, &images);
    snprintf(options, sizeof options, "-DROWS=%d -DCHANNELS=%d", rows, channels);
    snprintf(label, sizeof label, "%s backward bias", layer);
    rt_launch launch = {.label = label, .source = "bias_gradient", .kernel = "bias_gradient", .options = options};
    rt_push(&launch, RT_BUFFER(dz));
    rt_push(&launch, RT_BUFFER(chunks > 1 ? scratch : dbias));
    rt_push(&launch, RT_INT(images));
    rt_push(&launch, RT_BATCH(1));
    ops_range(&launch, ctx, 0, (size_t)channels, 1);
    launch.global[1] = RT_FIXED((size_t)chunks);
    launch.local[1] = 1;
    launch.bytes_per_image = 4.0 * rows * channels;
    TRY(rt_list_add(list, &launch, err));
    if (chunks == 1)
        return CONVOY_OK;
    snprintf(label, sizeof label, "%s reduce bias", layer);
    return ops_reduce_chunks(list, ctx, label, scratch, dbias, channels, NULL, 0, chunks, channels, err);
}
