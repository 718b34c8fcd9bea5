// Direct 2D convolution in groups: filter oc reads the IG channels of its own group, oc / OG. Depthwise convolution has a group for
// each channel. Formulas and names as in conv2d_plain.cl; w is (KH, KW, IG, OC).
//
// _plain: one value a work-item. _vec: IG and OG are 1, and a work-item takes a row of pixels, all channels in vectors of VW.
// The filter gradient is summed over a chunk of images, 0 where there are none left: dw[chunk * stride + ..] and
// db[bias + chunk * stride + ..].
// FORWARD, BACKWARD_DATA or BACKWARD_FILTER chooses the pass.
#define IG (IC / GROUPS)
#define OG (OC / GROUPS)
#define WEIGHTS (KH * KW * IG * OC)
#define C IC
#include "vector.clh"
#include "epilogue.clh"
#include "channels.clh"

// Where tap k of the kernel lands: the input row of output o; the output row that reads input i with it, -1 if none does.
inline int input_of(int o, int k, int stride, int dilation, int before) { return o * stride + k * dilation - before; }
inline int output_of(int i, int k, int stride, int dilation, int before, int outputs)
{
    int at = i + before - k * dilation;
    return at < 0 || at % stride != 0 || at / stride >= outputs ? -1 : at / stride;
}

#if VW == 1
#ifdef FORWARD
kernel void group_conv2d_forward_plain(global const float *x, global const float *w, global const float *bias,
                                       global float *y, int count EPILOGUE_ARGS)
{
    int i = get_global_id(0);
    if (i >= count)
        return;
    int oc = i % OC, ox = i / OC % OW, oy = i / (OC * OW) % OH, n = i / (OC * OW * OH);
    float sum = 0.0f;
    for (int kh = 0; kh < KH; kh++) {
        int iy = input_of(oy, kh, SH, DH, PT);
        if (iy < 0 || iy >= H)
            continue;
        for (int kw = 0; kw < KW; kw++) {
            int ix = input_of(ox, kw, SW, DW, PL);
            if (ix < 0 || ix >= W)
                continue;
            global const float *from = x + ((n * H + iy) * W + ix) * IC + oc / OG * IG;
            global const float *weight = w + (kh * KW + kw) * IG * OC + oc;
            for (int ic = 0; ic < IG; ic++)
                sum += from[ic] * weight[ic * OC];
        }
    }
#if USE_BIAS
    sum += bias[oc];
#endif
    y[i] = FINISH(sum, i);
}
#endif

#ifdef BACKWARD_DATA
kernel void group_conv2d_backward_data_plain(global const float *dz, global const float *w, global float *dx,
                                             int count EPILOGUE_ARGS)
{
    int i = get_global_id(0);
    if (i >= count)
        return;
    int ic = i % IC, ix = i / IC % W, iy = i / (IC * W) % H, n = i / (IC * W * H);
    float sum = 0.0f;
    for (int kh = 0; kh < KH; kh++) {
        int oy = output_of(iy, kh, SH, DH, PT, OH);
        if (oy < 0)
            continue;
        for (int kw = 0; kw < KW; kw++) {
            int ox = output_of(ix, kw, SW, DW, PL, OW);
            if (ox < 0)
                continue;
            global const float *from = dz + ((n * OH + oy) * OW + ox) * OC + ic / IG * OG;
            global const float *weight = w + ((kh * KW + kw) * IG + ic % IG) * OC + ic / IG * OG;
            for (int oc = 0; oc < OG; oc++)
                sum += from[oc] * weight[oc];
        }
    }
    dx[i] = FINISH(sum, i);
}
#endif

#ifdef BACKWARD_FILTER
// Work-items WEIGHTS and above sum the bias.
kernel void group_conv2d_backward_filter_plain(global const float *x, global const float *dz, global float *dw,
                                               global float *db, int bias, int stride, int images, int batch)
{
    int i = get_global_id(0), chunk = get_global_id(1);
    int first = chunk * images, end = min(first + images, batch);
    float sum = 0.0f;
    if (i >= WEIGHTS) {
        int oc = i - WEIGHTS;
        if (!USE_BIAS || oc >= OC)
            return;
        for (int p = first * OH * OW; p < end * OH * OW; p++)
            sum += dz[p * OC + oc];
        db[bias + chunk * stride + oc] = sum;
        return;
    }
    int oc = i % OC, ic = i / OC % IG + oc / OG * IG, kw = i / (OC * IG) % KW, kh = i / (OC * IG * KW);
    for (int n = first; n < end; n++)
        for (int oy = 0; oy < OH; oy++) {
            int iy = input_of(oy, kh, SH, DH, PT);
            if (iy < 0 || iy >= H)
                continue;
            for (int ox = 0; ox < OW; ox++) {
                int ix = input_of(ox, kw, SW, DW, PL);
                if (ix >= 0 && ix < W)
                    sum += x[((n * H + iy) * W + ix) * IC + ic] * dz[((n * OH + oy) * OW + ox) * OC + oc];
            }
        }
    dw[chunk * stride + i] = sum;
}
#endif

#else
#ifdef FORWARD
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void group_conv2d_forward_vec(global const float *restrict x, global const float *restrict w,
                                     global const float *restrict bias, global float *restrict y, int rows EPILOGUE_ARGS)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    int n = row / OH, oy = row % OH;
    for (int v = 0; v < VECTORS; v++) {
        FV weight[KH * KW];
#pragma unroll
        for (int k = 0; k < KH * KW; k++)
            weight[k] = VLOAD(w + k * C + CHANNEL(v));
        for (int ox = 0; ox < OW; ox++) {
            FV sum = (FV)0.0f;
#pragma unroll
            for (int k = 0; k < KH * KW; k++) {
                int iy = input_of(oy, k / KW, SH, DH, PT), ix = input_of(ox, k % KW, SW, DW, PL);
                if (iy >= 0 && iy < H && ix >= 0 && ix < W)
                    sum += VLOAD(x + ((n * H + iy) * W + ix) * C + CHANNEL(v)) * weight[k];
            }
#if USE_BIAS
            sum += VLOAD(bias + CHANNEL(v));
#endif
            int at = (row * OW + ox) * C + CHANNEL(v);
            VSTORE(FINISH(sum, at), y + at);
        }
    }
}
#endif

#ifdef BACKWARD_DATA
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void group_conv2d_backward_data_vec(global const float *restrict dz, global const float *restrict w,
                                           global float *restrict dx, int rows EPILOGUE_ARGS)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    int n = row / H, iy = row % H;
    for (int v = 0; v < VECTORS; v++) {
        FV weight[KH * KW];
#pragma unroll
        for (int k = 0; k < KH * KW; k++)
            weight[k] = VLOAD(w + k * C + CHANNEL(v));
        for (int ix = 0; ix < W; ix++) {
            int at = (row * W + ix) * C + CHANNEL(v);
            FV sum = (FV)0.0f;
#pragma unroll
            for (int k = 0; k < KH * KW; k++) {
                int oy = output_of(iy, k / KW, SH, DH, PT, OH), ox = output_of(ix, k % KW, SW, DW, PL, OW);
                if (oy >= 0 && ox >= 0)
                    sum += VLOAD(dz + ((n * OH + oy) * OW + ox) * C + CHANNEL(v)) * weight[k];
            }
            VSTORE(FINISH(sum, at), dx + at);
        }
    }
}
#endif

#ifdef BACKWARD_FILTER
// A work-item sums one row of the kernel; row KH stands for the bias.
__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void group_conv2d_backward_filter_vec(global const float *restrict x, global const float *restrict dz,
                                             global float *dw, global float *db, int bias, int stride, int images, int batch)
{
    int kh = get_global_id(0), chunk = get_global_id(1);
    int first = chunk * images, end = min(first + images, batch);
    for (int v = 0; v < VECTORS; v++) {
        FV sum[KW];
        for (int kw = 0; kw < KW; kw++)
            sum[kw] = (FV)0.0f;
        if (kh == KH) {
            for (int p = first * OH * OW; p < end * OH * OW; p++)
                sum[0] += VLOAD(dz + p * C + CHANNEL(v));
            VSTORE(sum[0], db + bias + chunk * stride + CHANNEL(v));
            continue;
        }
        for (int row = first * OH; row < end * OH; row++) {
            int iy = input_of(row % OH, kh, SH, DH, PT);
            if (iy < 0 || iy >= H)
                continue;
            global const float *from = x + (row / OH * H + iy) * W * C + CHANNEL(v);
            for (int ox = 0; ox < OW; ox++) {
                FV gradient = VLOAD(dz + (row * OW + ox) * C + CHANNEL(v));
#pragma unroll
                for (int kw = 0; kw < KW; kw++) {
                    int ix = input_of(ox, kw, SW, DW, PL);
                    if (ix >= 0 && ix < W)
                        sum[kw] += VLOAD(from + ix * C) * gradient;
                }
            }
        }
        for (int kw = 0; kw < KW; kw++)
            VSTORE(sum[kw], dw + chunk * stride + (kh * KW + kw) * C + CHANNEL(v));
    }
}
#endif
#endif
