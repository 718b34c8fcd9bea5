#include "ops/conv2d_tiles.h"

int tile_channels(const conv_problem *p) { return p->pass == CONV_BACKWARD_DATA ? p->shape->in : p->shape->out; }

bool tile_fits_channels(const convoy_context *ctx, int channels, int width, int vectors)
{
    bool power_of_two = width > 0 && (width & (width - 1)) == 0;
    return power_of_two && vectors > 0 && width <= (int)rt_vector_width(ctx) && width * vectors <= channels;
}

void tile_default_channels(const convoy_context *ctx, int channels, int *width, int *vectors)
{
    *width = (int)rt_vector_width(ctx);
    while (*width > channels)
        *width /= 2;
    *vectors = channels >= 2 * *width ? 2 : 1;
}

int tile_rows(int width, int vectors)
{
    return width >= 16 ? (vectors == 2 ? 13 : 14) : (vectors == 2 ? 6 : 10);
}

size_t tile_transposed_scratch(const convoy_context *ctx, const conv_problem *p, const int *params)
{
    (void)ctx;
    (void)params;
    return conv_weights(p->shape);
}
