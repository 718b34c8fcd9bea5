// Direct 2D convolution, one value a work-item: right on every device and shape, and what the other variants are held to.
//
//   forward          y[n][oy][ox][oc] = bias[oc] + sum x[n][oy*SH+kh*DH-PT][ox*SW+kw*DW-PL][ic] * w[kh][kw][ic][oc]
//   backward_data    dx[n][y][x][ic] = sum dz[n][(y+PT-kh*DH)/SH][(x+PL-kw*DW)/SW][oc] * w[kh][kw][ic][oc], exact quotients only
//   backward_filter  dw[kh][kw][ic][oc] = sum x[n][oy*SH+kh*DH-PT][ox*SW+kw*DW-PL][ic] * dz[n][oy][ox][oc],  db = sum dz
//
// Shapes: x (n, H, W, IC), y and dz (n, OH, OW, OC), w (KH, KW, IC, OC). Padding reads as zero.
// Compile-time: H W IC OH OW OC KH KW SH SW DH DW PT PL USE_BIAS, and what epilogue.clh does to y or dx.
#define VW 1
#include "vector.clh"
#include "epilogue.clh"

kernel void conv2d_forward_plain(global const float *x, global const float *w, global const float *bias,
                                 global float *y, int count EPILOGUE_ARGS)
{
    int i = get_global_id(0);
    if (i >= count)
        return;
    int oc = i % OC;
    int ox = i / OC % OW;
    int oy = i / (OC * OW) % OH;
    int n = i / (OC * OW * OH);
    float sum = 0.0f;
    for (int kh = 0; kh < KH; kh++) {
        int iy = oy * SH + kh * DH - PT;
        if (iy < 0 || iy >= H)
            continue;
        for (int kw = 0; kw < KW; kw++) {
            int ix = ox * SW + kw * DW - PL;
            if (ix < 0 || ix >= W)
                continue;
            global const float *from = x + ((n * H + iy) * W + ix) * IC;
            global const float *weight = w + (kh * KW + kw) * IC * OC + oc;
            for (int ic = 0; ic < IC; ic++)
                sum += from[ic] * weight[ic * OC];
        }
    }
#if USE_BIAS
    sum += bias[oc];
#endif
    y[i] = FINISH(sum, i);
}

kernel void conv2d_backward_data_plain(global const float *dz, global const float *w, global float *dx,
                                       int count EPILOGUE_ARGS)
{
    int i = get_global_id(0);
    if (i >= count)
        return;
    int ic = i % IC;
    int ix = i / IC % W;
    int iy = i / (IC * W) % H;
    int n = i / (IC * W * H);
    float sum = 0.0f;
    for (int kh = 0; kh < KH; kh++) {
        int sy = iy + PT - kh * DH;
        if (sy < 0 || sy % SH != 0 || sy / SH >= OH)
            continue;
        for (int kw = 0; kw < KW; kw++) {
            int sx = ix + PL - kw * DW;
            if (sx < 0 || sx % SW != 0 || sx / SW >= OW)
                continue;
            global const float *from = dz + ((n * OH + sy / SH) * OW + sx / SW) * OC;
            global const float *weight = w + ((kh * KW + kw) * IC + ic) * OC;
            for (int oc = 0; oc < OC; oc++)
                sum += from[oc] * weight[oc];
        }
    }
    dx[i] = FINISH(sum, i);
}

// Work-items KH*KW*IC*OC and above sum the bias.
kernel void conv2d_backward_filter_plain(global const float *x, global const float *dz, global float *dw,
                                         global float *db, int batch)
{
    int i = get_global_id(0);
    float sum = 0.0f;
    if (i >= KH * KW * IC * OC) {
        int oc = i - KH * KW * IC * OC;
        if (!USE_BIAS || oc >= OC)
            return;
        for (int p = 0; p < batch * OH * OW; p++)
            sum += dz[p * OC + oc];
        db[oc] = sum;
        return;
    }
    int oc = i % OC;
    int ic = i / OC % IC;
    int kw = i / (OC * IC) % KW;
    int kh = i / (OC * IC * KW);
    for (int n = 0; n < batch; n++)
        for (int oy = 0; oy < OH; oy++) {
            int iy = oy * SH + kh * DH - PT;
            if (iy < 0 || iy >= H)
                continue;
            for (int ox = 0; ox < OW; ox++) {
                int ix = ox * SW + kw * DW - PL;
                if (ix >= 0 && ix < W)
                    sum += x[((n * H + iy) * W + ix) * IC + ic] * dz[((n * OH + oy) * OW + ox) * OC + oc];
            }
        }
    dw[i] = sum;
}
