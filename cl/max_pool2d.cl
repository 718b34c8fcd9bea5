// Max pooling. x (n, H, W, C), y and dy (n, OH, OW, C), window PH x PW, strides SH x SW, PT rows and PL columns of padding, which
// is ignored. On ties the first maximum in row-major order takes the gradient. NaN wins.
//
// _plain: one value a work-item, any shape. _vec: a work-item takes one row of windows and all channels in vectors of VW;
// its backward needs windows that do not overlap and no padding (SH == PH, SW == PW, PT == PL == 0).
// FORWARD chooses the pass. INPUT_SLOPE (1): dx *= SLOPE of the activation whose output x is.
#include "vector.clh"
#include "activation.clh"

#define BEATS(v, best) ((v) > (best) || (v) != (v))

// Index in x of the maximum of window (oy, ox) of channel c in image n.
inline int winner(global const float *x, int n, int oy, int ox, int c)
{
    int found = -1;
    float best = 0.0f;
    for (int py = 0; py < PH; py++) {
        int iy = oy * SH + py - PT;
        if (iy < 0 || iy >= H)
            continue;
        for (int px = 0; px < PW; px++) {
            int ix = ox * SW + px - PL;
            if (ix < 0 || ix >= W)
                continue;
            int at = ((n * H + iy) * W + ix) * C + c;
            float v = x[at];
            if (found < 0 || (BEATS(v, best) && best == best)) {
                found = at;
                best = v;
            }
        }
    }
    return found;
}

#if defined(FORWARD) && VW == 1
kernel void max_pool2d_forward_plain(global const float *x, global float *y, int count)
{
    int i = get_global_id(0);
    if (i >= count)
        return;
    y[i] = x[winner(x, i / (C * OW * OH), i / (C * OW) % OH, i / C % OW, i % C)];
}

#elif VW == 1
// Each input asks every window that covers it.
kernel void max_pool2d_backward_plain(global const float *x, global const float *dy, global float *dx, int count)
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
        for (int ox = first_x; ox < OW && ox * SW <= ix; ox++)
            if (winner(x, n, oy, ox, c) == i)
                sum += dy[((n * OH + oy) * OW + ox) * C + c];
#if INPUT_SLOPE
    sum *= SLOPE(x[i], x[i]);
#endif
    dx[i] = sum;
}
#else
// Comparisons give a mask of all ones or zeros per lane.
#define IV CAT(int, VW)
// First channel of vector v: the last vector is moved back to end with the last channel (C >= VW).
#define CHANNEL(v) min((v) * VW, C - VW)
#define VECTORS ((C + VW - 1) / VW)

#ifdef FORWARD
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void max_pool2d_forward_vec(global const float *restrict x, global float *restrict y, int rows)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    int n = row / OH;
    int oy = row % OH;
    int y_first = max(oy * SH - PT, 0), y_end = min(oy * SH - PT + PH, H);
    for (int ox = 0; ox < OW; ox++) {
        int x_first = max(ox * SW - PL, 0), x_end = min(ox * SW - PL + PW, W);
        for (int v = 0; v < VECTORS; v++) {
            FV best = VLOAD(x + ((n * H + y_first) * W + x_first) * C + CHANNEL(v));
            for (int iy = y_first; iy < y_end; iy++)
                for (int ix = x_first; ix < x_end; ix++) {
                    FV value = VLOAD(x + ((n * H + iy) * W + ix) * C + CHANNEL(v));
                    best = select(best, value, isgreater(value, best) | isnan(value));
                }
            VSTORE(best, y + (row * OW + ox) * C + CHANNEL(v));
        }
    }
}
#else
// A work-item owns input rows oy*SH .. oy*SH+PH-1; the last one of an image also clears what no window covers.
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void max_pool2d_backward_vec(global const float *restrict x, global const float *restrict dy,
                                    global float *restrict dx, int rows)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    int n = row / OH;
    int oy = row % OH;
    x += n * H * W * C;
    dx += n * H * W * C;
    for (int ox = 0; ox < OW; ox++)
        for (int v = 0; v < VECTORS; v++) {
            int corner = (oy * PH * W + ox * PW) * C + CHANNEL(v);
            FV best = VLOAD(x + corner);
            IV at = (IV)0;
            for (int k = 1; k < PH * PW; k++) {
                FV value = VLOAD(x + corner + (k / PW * W + k % PW) * C);
                IV wins = (isgreater(value, best) | isnan(value)) & ~isnan(best);
                best = select(best, value, wins);
                at = select(at, (IV)k, wins);
            }
            FV gradient = VLOAD(dy + (row * OW + ox) * C + CHANNEL(v));
#if INPUT_SLOPE
            gradient *= SLOPE(best, best);
#endif
            for (int k = 0; k < PH * PW; k++)
                VSTORE(select((FV)0.0f, gradient, at == (IV)k), dx + corner + (k / PW * W + k % PW) * C);
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
