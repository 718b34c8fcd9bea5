// Direct 2D convolution and the max pooling behind it for devices that want explicit vectors (CPUs), where no window meets padding. A
// register tile is whole windows: the PH * PW pixels of a window of each of some images x VECTORS vectors of VW channels. So maxima are
// taken in registers. conv2d_images.cl takes one pixel after another, and any padding. Formulas, shapes and compile-time names as there.
//
// A work-item is a whole work-group and takes a row of windows of IMAGES images (a multiple of PH * PW), IMAGES / (PH * PW) at a time.
// Dimension 0 counts rows of windows, 1 tiles of channels, 2 blocks of images; the last ones are moved back to end with the last one.
#include "vector.clh"
#include "pooled.clh"
#include "multiply_add.clh"

#define WINDOW (PH * PW)
#define TILE_IMAGES (IMAGES / WINDOW)
// Where row j of the register tile begins: its image, and its pixel's place in the window.
#define ROW_START (j / WINDOW * (H * W * IC) + (j % WINDOW / PW * SH * W + j % PW * SW) * IC)

// The activation of each value, or, where that is the same, of the maximum.
#if KEEPS_ORDER
#define BEFORE(value) (value)
#define AFTER(value) FINISH(value, 0)
#else
#define BEFORE(value) FINISH(value, 0)
#define AFTER(value) (value)
#endif

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void conv2d_forward_vec_windows(global const float *restrict x, global const float *restrict w,
                                       global const float *restrict bias, global float *restrict y,
                                       int batch EPILOGUE_ARGS)
{
    int row = get_global_id(0);
    int oc = min((int)get_global_id(1) * VECTORS * VW, OC - VECTORS * VW);
    int first = max(min((int)get_global_id(2) * IMAGES, batch - IMAGES), 0);
    for (int column = 0; column < POW; column++)
        for (int image = first; image < first + IMAGES; image += TILE_IMAGES) {
            FV acc[IMAGES][VECTORS];
            UNROLLED for (int j = 0; j < IMAGES; j++)
                UNROLLED for (int v = 0; v < VECTORS; v++) acc[j][v] = USE_BIAS ? VLOAD(bias + oc + v * VW) : (FV)0.0f;
            for (int kh = 0; kh < KH; kh++) {
                // The taps of one row of the kernel lie behind each other in memory.
                global const float *from = x + ((image * H + row * PSH * SH + kh * DH) * W + column * PSW * SW) * IC;
                global const float *weights = w + kh * KW * IC * OC + oc;
                MULTIPLY_ADD_AT(from, ROW_START, weights, OC, KW * IC)
            }
            UNROLLED for (int i = 0; i < TILE_IMAGES; i++)
                UNROLLED for (int v = 0; v < VECTORS; v++)
                {
                    FV best = BEFORE(acc[i * WINDOW][v]);
                    IV best_place = (IV)0;
                    UNROLLED for (int place = 1; place < WINDOW; place++)
                    {
                        FV value = BEFORE(acc[i * WINDOW + place][v]);
                        TAKE(value, (IV)place, best, best_place)
                    }
                    int at = (((image + i) * POH + row) * POW + column) * OC + oc + v * VW;
                    VSTORE(AFTER(best), y + at);
                    KEEP_PLACES(best_place, at);
                }
        }
}
