// PReLU: y = x > 0 ? x : alpha * x, and a slope of 0 at 0, where Keras adds relu(x) and -alpha * relu(-x).
// Images have the sizes D0, D1, D2, D3; alpha has P0 .. P3, each the image's or 1 where the axis is shared.
//   backward: dx = dy * (x > 0 ? 1 : x < 0 ? alpha : 0)        dalpha = sum of min(x, 0) * dy over images and shared axes
#define COUNT (D0 * D1 * D2 * D3)
#define ALPHAS (P0 * P1 * P2 * P3)

// Index in alpha of value i.
inline int alpha_of(int i)
{
    int a0 = i / (D3 * D2 * D1) % D0 % P0;
    int a1 = i / (D3 * D2) % D1 % P1;
    int a2 = i / D3 % D2 % P2;
    int a3 = i % D3 % P3;
    return ((a0 * P1 + a1) * P2 + a2) * P3 + a3;
}

kernel void p_re_lu_forward(global const float *x, global const float *alpha, global float *y, int count)
{
    int i = get_global_id(0);
    if (i < count)
        y[i] = x[i] > 0.0f ? x[i] : alpha[alpha_of(i)] * x[i];
}

kernel void p_re_lu_backward(global const float *x, global const float *alpha, global const float *dy, global float *dx,
                             int count)
{
    int i = get_global_id(0);
    if (i < count)
        dx[i] = dy[i] * (x[i] > 0.0f ? 1.0f : x[i] < 0.0f ? alpha[alpha_of(i)] : 0.0f);
}

// A work-item sums one alpha over a chunk of images: out[chunk][alpha], 0 where there are no images left.
kernel void p_re_lu_backward_alpha(global const float *x, global const float *dy, global float *out, int images, int batch)
{
    int a = get_global_id(0);
    int chunk = get_global_id(1);
    if (a >= ALPHAS)
        return;
    int first = a / (P3 * P2 * P1) % P0 * (D1 * D2 * D3) + a / (P3 * P2) % P1 * (D2 * D3) + a / P3 % P2 * D3 + a % P3;
    float sum = 0.0f;
    for (int n = chunk * images; n < min((chunk + 1) * images, batch); n++)
        for (int i0 = 0; i0 < D0; i0 += P0)
            for (int i1 = 0; i1 < D1; i1 += P1)
                for (int i2 = 0; i2 < D2; i2 += P2)
                    for (int i3 = 0; i3 < D3; i3 += P3) {
                        int i = n * COUNT + first + ((i0 * D1 + i1) * D2 + i2) * D3 + i3;
                        sum += x[i] > 0.0f ? 0.0f : x[i] * dy[i];
                    }
    out[chunk * ALPHAS + a] = sum;
}
