// Max pooling. x (n, H, W, C), y and dy (n, OH, OW, C), window PH x PW, strides SH x SW, PT rows and PL columns of padding, which
// is ignored. On ties the first maximum in row-major order takes the gradient. NaN wins. Training keeps in `won` which place of its
// window each maximum has, py * PW + px, so that the way back needs neither x nor the comparisons.
//
// _plain: one value a work-item, any shape. _vec: a work-item takes one row of windows and all channels in vectors of VW;
// its backward needs windows that do not overlap and no padding (SH == PH, SW == PW, PT == PL == 0).
// FORWARD chooses the pass, TRAINING (1) whether it writes `won`. On the way back it is dy that is finished (epilogue.clh): `outputs` is y.
#include "vector.clh"
#include "epilogue.clh"

// PLACE holds any place of a window.
#if PH * PW <= 256
#define PLACE uchar
#else
#define PLACE int
#endif

#if defined(FORWARD) && VW == 1
#define BEATS(v, best) ((v) > (best) || (v) != (v))

kernel void max_pool2d_forward_plain(global const float *x, global float *y, global PLACE *won, int count)
{
    int i = get_global_id(0);
    if (i >= count)
        return;
    int c = i % C;
    int ox = i / C % OW;
    int oy = i / (C * OW) % OH;
    int n = i / (C * OW * OH);
    int place = -1;
    float best = 0.0f;
    for (int k = 0; k < PH * PW; k++) {
        int iy = oy * SH + k / PW - PT;
        int ix = ox * SW + k % PW - PL;
        if (iy < 0 || iy >= H || ix < 0 || ix >= W)
            continue;
        float v = x[((n * H + iy) * W + ix) * C + c];
        if (place < 0 || (BEATS(v, best) && best == best)) {
            place = k;
            best = v;
        }
    }
    y[i] = best;
#if TRAINING
    won[i] = place;
#endif
}

#elif VW == 1
// Each input asks every window that covers it.
kernel void max_pool2d_backward_plain(global const PLACE *won, global const float *dy, global float *dx, int count EPILOGUE_ARGS)
{
    int i = get_global_id(0);
    if (i >= count)
        return;
    int c = i % C;
    int ix = i / C % W + PL;
    int iy = i / (C * W) % H + PT;
    int n = i / (C * W * H);
    int first_y = iy < PH ? 0 : (iy - PH) / SH + 1;
    int first_x = ix < PW ? 0 : (ix - PW) / SW + 1;
    float sum = 0.0f;
    for (int oy = first_y; oy < OH && oy * SH <= iy; oy++)
        for (int ox = first_x; ox < OW && ox * SW <= ix; ox++) {
            int o = ((n * OH + oy) * OW + ox) * C + c;
            if (won[o] == (iy - oy * SH) * PW + ix - ox * SW)
                sum += FINISH(dy[o], o);
        }
    dx[i] = sum;
}
#else
#define PLACE_CHANNELS C
#include "places.clh"
// First channel of vector v: the last vector is moved back to end with the last channel (C >= VW).
#define CHANNEL(v) min((v) * VW, C - VW)
#define VECTORS ((C + VW - 1) / VW)

#ifdef FORWARD
// Without padding all windows are whole, and the loops over them have fixed bounds.
#define WHOLE (PT == 0 && PL == 0 && (OH - 1) * SH + PH <= H && (OW - 1) * SW + PW <= W)

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void max_pool2d_forward_vec(global const float *restrict x, global float *restrict y, global PLACE *restrict won,
                                   int rows)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    int n = row / OH;
    int oy = row % OH;
    int y_first = WHOLE ? 0 : max(PT - oy * SH, 0), y_end = WHOLE ? PH : min(PH, H + PT - oy * SH);
    for (int ox = 0; ox < OW; ox++) {
        int x_first = WHOLE ? 0 : max(PL - ox * SW, 0), x_end = WHOLE ? PW : min(PW, W + PL - ox * SW);
        for (int v = 0; v < VECTORS; v++) {
            global const float *corner = x + ((n * H + oy * SH - PT) * W + ox * SW - PL) * C + CHANNEL(v);
            FV best = VLOAD(corner + (y_first * W + x_first) * C);
            IV place = (IV)(y_first * PW + x_first);
            for (int py = y_first; py < y_end; py++)
                for (int px = x_first; px < x_end; px++) {
                    FV value = VLOAD(corner + (py * W + px) * C);
                    IV wins = WINS(value, best);
                    best = wins ? value : best;
                    place = wins ? (IV)(py * PW + px) : place;
                }
            int at = (row * OW + ox) * C + CHANNEL(v);
            VSTORE(best, y + at);
#if TRAINING
            store_places(place, won + at);
#endif
        }
    }
}
#else
// A work-item owns input rows oy*SH .. oy*SH+PH-1; the last one of an image also clears what no window covers.
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void max_pool2d_backward_vec(global const PLACE *restrict won, global const float *restrict dy, global float *restrict dx,
                                    int rows EPILOGUE_ARGS)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    int oy = row % OH;
    dx += row / OH * H * W * C;
    for (int ox = 0; ox < OW; ox++)
        for (int v = 0; v < VECTORS; v++) {
            int at = (row * OW + ox) * C + CHANNEL(v);
            int corner = (oy * PH * W + ox * PW) * C + CHANNEL(v);
            IV place = load_places(won + at);
            FV gradient = FINISH(VLOAD(dy + at), at);
            for (int k = 0; k < PH * PW; k++)
                VSTORE(place == (IV)k ? gradient : (FV)0.0f, dx + corner + (k / PW * W + k % PW) * C);
        }
    for (int iy = oy * PH; iy < (oy + 1) * PH; iy++)
        for (int i = (iy * W + OW * PW) * C; i < (iy + 1) * W * C; i++)
            dx[i] = 0.0f;
    if (oy == OH - 1)
        for (int i = OH * PH * W * C; i < H * W * C; i++)
            dx[i] = 0.0f;
}
#endif
#endif
