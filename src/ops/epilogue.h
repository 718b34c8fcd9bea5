/* What follows an operation in the same kernel, one value: who hands it on need not know what is in it. The device's side is
 * cl/epilogue.clh. */
#ifndef OPS_EPILOGUE_H
#define OPS_EPILOGUE_H

#include "ops/activation.h"
#include "runtime/runtime.h"

/* A maximum over windows, whole ones inside the image: size and steps, and how many there are. */
typedef struct epilogue_pool {
    int size[2], step[2], out_height, out_width;
    bool keeps_places; /* also which place of its window each maximum has: cl/places.clh, in bytes */
} epilogue_pool;

/* Parts of an epilogue, to be combined. */
typedef enum epilogue_part { EPILOGUE_ADD = 1, EPILOGUE_ACTIVATION = 2, EPILOGUE_SLOPE = 4, EPILOGUE_POOL = 8 } epilogue_part;

/* In this order; all zero: nothing. */
typedef struct epilogue {
    const rt_buffer *addend;   /* as large as the result, and not the result: added; or NULL */
    const activation *act;     /* applied, an elementwise one; or NULL */
    const rt_buffer *outputs;  /* not NULL: instead, the result is multiplied by act's slope where its outputs are these */
    const epilogue_pool *pool; /* what is stored is the maximum over such windows; or NULL. Never with an addend or outputs */
    const rt_buffer *places;   /* where the pool keeps them */
} epilogue;

/* Appends the -D options that tell the kernel, and pushes the arguments that they stand for, behind all that are the kernel's own. */
void epilogue_append(const epilogue *e, rt_launch *launch, char *options, size_t size);

/* Rows and columns that the windows cover: nothing else of what is pooled has a gradient. */
void epilogue_pool_covers(const epilogue_pool *pool, int *height, int *width);

#endif
