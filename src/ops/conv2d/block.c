#include "ops/conv2d/block.h"

int block_channels(const conv_problem *p) { return p->pass == CONV_BACKWARD_DATA ? p->shape->in : p->shape->out; }

bool block_fits_channels(const convoy_context *ctx, int channels, int width, int vectors)
{
    bool power_of_two = width > 0 && (width & (width - 1)) == 0;
    return power_of_two && vectors > 0 && width <= (int)rt_vector_width(ctx) && width * vectors <= channels;
}

void block_default_channels(const convoy_context *ctx, int channels, int *width, int *vectors)
{
    *width = (int)rt_vector_width(ctx);
    while (*width > channels)
        *width /= 2;
    *vectors = channels >= 2 * *width ? 2 : 1;
}

int block_rows(int width, int vectors)
{
    return width >= 16 ? (vectors == 2 ? 13 : 14) : (vectors == 2 ? 6 : 10);
}

/* Eight images suit 32 registers as well as the eight ways of a first-level cache, in which images often fall on the same set;
 * 16 registers hold six. */
int block_images(int batch, int width, int vectors)
{
    int most = width >= 16 || vectors == 1 ? 8 : 6;
    int chosen = 1;
    double best = 0;
    for (int images = 1; images <= most && images <= batch; images++) {
        double used = (double)batch / ((batch + images - 1) / images * images);
        double rate = used * images / (images + 1.0); /* the larger a tile, the fewer loads for a product */
        if (rate < best)
            continue;
        best = rate;
        chosen = images;
    }
    return chosen;
}

enum { ITEMS_OF_A_UNIT = 4 };

int block_parts(const convoy_context *ctx, int items, int most)
{
    int wanted = (ITEMS_OF_A_UNIT * (int)convoy_context_device(ctx)->compute_units + items - 1) / items;
    return wanted < most ? wanted : most;
}

bool block_keeps_places(const epilogue_pool *pool, int width)
{
    return !pool->keeps_places || (width >= 4 && pool->size[0] * pool->size[1] <= 256);
}

bool winograd_suits(const conv_shape *s)
{
    return s->kernel[0] == 3 && s->kernel[1] == 3 && s->stride[0] == 1 && s->stride[1] == 1 && s->dilation[0] == 1 &&
           s->dilation[1] == 1;
}

bool winograd_has_size(int m) { return m == 2 || m == 4; }

int winograd_positions(int m) { return (m + 2) * (m + 2); }

int winograd_patches(int pixels, int m) { return (pixels + m - 1) / m; }

size_t block_transposed_scratch(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    (void)ctx;
    (void)params;
    return conv_weights(p->shape);
}
