/* What the register blocks of the vec variants have in common: VECTORS vectors of VW channels. */
#ifndef OPS_CONV2D_BLOCK_H
#define OPS_CONV2D_BLOCK_H

#include "ops/conv2d/variant.h"

/* The first two parameters of each vec variant. */
#define BLOCK_CHANNEL_PARAMS {"VW", {4, 8, 16}}, {"VECTORS", {1, 2, 3, 4}}
#define BLOCK_OPTIONS " -DVW=%d -DVECTORS=%d"

/* The channels that a pass vectorises over: those of what it writes. */
int block_channels(const conv_problem *p);
/* A tile must not be wider than the channels, and vectors not wider than the device's. */
bool block_fits_channels(const convoy_context *ctx, int channels, int width, int vectors);
/* The widest vector that the channels fill, two of them where they fill two. */
void block_default_channels(const convoy_context *ctx, int channels, int *width, int *vectors);
/* How many rows of accumulators the registers hold: AVX2 has 16, AVX-512 32; weights and one input must fit too. */
int block_rows(int width, int vectors);
/* Images in a register block of images x vectors: what registers and first-level cache hold, or fewer where that leaves less of
 * the last block unused; at most the batch. */
int block_images(int batch, int width, int vectors);
/* Into how many parts, at most so many, each of `items` pieces of work is cut so that no compute unit waits long for the last one. */
int block_parts(const convoy_context *ctx, int items, int most);
/* Can a kernel with such vectors keep the places of maxima, if the pool wants them? */
bool block_keeps_places(const epilogue_pool *pool, int width);
/* Winograd's minimal filtering: 3x3, stride and dilation 1. */
bool winograd_suits(const conv_shape *s);
/* The sizes of what one patch gives: M of cl/winograd.clh. */
bool winograd_has_size(int m);
/* Products for a patch and a pair of channels: N N there. */
int winograd_positions(int m);
/* Patches of m pixels in a row or column. */
int winograd_patches(int pixels, int m);
/* Appends the transformation of weights (3, 3, in, out), for a data gradient of (3, 3, out, in), into the job's scratch; flip: of the
 * kernels turned around. */
typedef struct winograd_weights {
    int in, out, width, m;
    bool flip;
} winograd_weights;
convoy_status winograd_add_weights(rt_list *list, const conv_job *job, winograd_weights w, convoy_error *err);
/* Floats of that scratch. */
size_t winograd_scratch(const conv_problem *p, int m);
/* Can the weights be read the other way round for a data gradient? */
bool winograd_turns(const conv_problem *p, int width);
/* Scratch of a pass that wants the weights transposed. */
size_t block_transposed_scratch(const convoy_context *ctx, const conv_problem *p, const int *params);

#endif
