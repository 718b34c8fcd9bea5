/* What the files of the tile variants share: a pass seen as a matrix product, and the blocks that suit it. */
#ifndef OPS_CONV2D_TILE_H
#define OPS_CONV2D_TILE_H

#include "ops/conv2d/variant.h"

/* The parameters of each tile variant: a work-group's block, the part of the sum between two barriers, a work-item's share of the
 * block, and in how many parts the sum is split. Each part writes its own result into scratch. */
enum { TILE_M, TILE_N, TILE_K, WORK_M, WORK_N, SPLITS };

/* `rows` x `length` times `length` x `columns`, `phases` times. A row is a pixel (forward; data: of a phase) or a weight's tap and
 * input channel, and the bias (filter). */
typedef struct tile_product {
    double rows, columns, length;
    int phases;
    double wasted; /* part of the products that meet no tap, and which tile_images can leave out */
} tile_product;
tile_product tile_product_of(const conv_problem *p);

/* Work-items of a group, and bytes of its local memory. */
int tile_items(const int *params);
size_t tile_local_bytes(const int *params);

/* Registers that a work-item wants, by a rough count. */
int tile_registers(const conv_problem *p, const int *params);

bool tile_fits(const convoy_context *ctx, const conv_problem *p, const int *params);
/* The block of which the device's busiest compute unit is through first, by a rough count; all 0 where none fits. The second one is
 * for tile_images, and gives 0 where tile is expected to do as well. */
void tile_defaults(const convoy_context *ctx, const conv_problem *p, int *params);
void tile_images_defaults(const convoy_context *ctx, const conv_problem *p, int *params);
/* Half the block; false when a work-group would have fewer than TILE_LEAST_ITEMS work-items. */
bool tile_smaller(const convoy_context *ctx, const conv_problem *p, int *params);
enum { TILE_LEAST_ITEMS = 8 };

#endif
