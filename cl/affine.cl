// Images seen through a map of pixels: from (n, H, W, C) to (n, OH, OW, C),
//   y[oy][ox] = x at column a0 ox + a1 oy + a2, row b0 ox + b1 oy + b2
// as TensorFlow's ImageProjectiveTransformV3, which Keras uses, has it. A place beyond the edge is mapped inside by FILL, which
// TensorFlow does before it looks for pixels; BILINEAR then takes the four pixels around, else the nearest one is taken, halves
// away from zero. Pixels that are still outside are FILL_VALUE.
//
// maps: STRIDE floats an image, a0 .. b2 first; or MAP, the six numbers for all images.
// Backward is the true adjoint: each pixel gets the gradient by the weight it had. TensorFlow's own gradient is another: it turns
// the image back by the inverse map, which is so only for maps that neither enlarge nor interpolate.
#include "vector.clh"

// Both passes must find the same places.
#pragma OPENCL FP_CONTRACT OFF

#define CONSTANT 0
#define NEAREST 1 // the place in rows TOP .. BOTTOM and columns LEFT .. RIGHT that is nearest
#define REFLECT 2 // dcba|abcd|dcba
#define WRAP 3    // abcd|abcd|abcd

// What place of 0 .. n - 1 stands for `at`. The last clamp is for what lies between the last pixel and the first behind it.
inline float inside(float at, int n)
{
#if FILL == REFLECT
    if (at < 0.0f) {
        at += (float)(2 * n * (int)(-at / (float)(2 * n)));
        at = at < (float)-n ? at + (float)(2 * n) : -at - 1.0f;
    } else if (at > (float)(n - 1)) {
        at -= (float)(2 * n * (int)(at / (float)(2 * n)));
        at = at >= (float)n ? (float)(2 * n) - at - 1.0f : at;
    }
#else
    if (n == 1)
        return 0.0f;
    if (at < 0.0f)
        at += (float)(n * ((int)(-at / (float)(n - 1)) + 1));
    else if (at > (float)(n - 1))
        at -= (float)(n * (int)(at / (float)(n - 1)));
#endif
    return clamp(at, 0.0f, (float)(n - 1));
}

// Where output pixel (ox, oy) of image n looks: column and row.
inline float2 place(global const float *maps, int n, int ox, int oy)
{
#ifdef MAP
    const float m[6] = {MAP};
#else
    global const float *m = maps + n * STRIDE;
#endif
    float x = m[0] * (float)ox + m[1] * (float)oy + m[2];
    float y = m[3] * (float)ox + m[4] * (float)oy + m[5];
#if FILL == NEAREST
    x = clamp(x, (float)LEFT, (float)RIGHT);
    y = clamp(y, (float)TOP, (float)BOTTOM);
#elif FILL != CONSTANT
    x = inside(x, W);
    y = inside(y, H);
#endif
    return (float2)(x, y);
}

#define IS_PIXEL(x, y) ((x) >= 0 && (x) < W && (y) >= 0 && (y) < H)
#define AT(x, y) (((y) * W + (x)) * C)

inline float pixel(global const float *image, int x, int y) { return IS_PIXEL(x, y) ? image[AT(x, y)] : FILL_VALUE; }

// One channel of the image, at a place.
inline float sampled(global const float *image, float2 at)
{
#if BILINEAR
    float2 low = floor(at);
    float2 high = low + 1.0f;
    int x = (int)low.x;
    int y = (int)low.y;
    float upper = (high.x - at.x) * pixel(image, x, y) + (at.x - low.x) * pixel(image, x + 1, y);
    float lower = (high.x - at.x) * pixel(image, x, y + 1) + (at.x - low.x) * pixel(image, x + 1, y + 1);
    return (high.y - at.y) * upper + (at.y - low.y) * lower;
#else
    return pixel(image, (int)round(at.x), (int)round(at.y));
#endif
}

inline void add_to(global float *image, int x, int y, float gradient)
{
    if (IS_PIXEL(x, y))
        image[AT(x, y)] += gradient;
}

inline void spread(global float *image, float2 at, float gradient)
{
#if BILINEAR
    float2 low = floor(at);
    float2 high = low + 1.0f;
    int x = (int)low.x;
    int y = (int)low.y;
    float upper = (high.y - at.y) * gradient;
    float lower = (at.y - low.y) * gradient;
    add_to(image, x, y, (high.x - at.x) * upper);
    add_to(image, x + 1, y, (at.x - low.x) * upper);
    add_to(image, x, y + 1, (high.x - at.x) * lower);
    add_to(image, x + 1, y + 1, (at.x - low.x) * lower);
#else
    add_to(image, (int)round(at.x), (int)round(at.y), gradient);
#endif
}

// A work-item takes a pixel of the output.
kernel void affine_forward(global const float *x, global const float *maps, global float *y, int pixels)
{
    int i = get_global_id(0);
    if (i >= pixels)
        return;
    int n = i / (OW * OH);
    float2 at = place(maps, n, i % OW, i / OW % OH);
    x += n * H * W * C;
    for (int c = 0; c < C; c++)
        y[i * C + c] = sampled(x + c, at);
}

// A work-item owns one channel of an image, so that sums have one order and need no atomics.
kernel void affine_backward(global const float *dy, global const float *maps, global float *dx, int channels)
{
    int i = get_global_id(0);
    if (i >= channels)
        return;
    int n = i / C;
    dx += n * H * W * C + i % C;
    dy += n * OH * OW * C + i % C;
    for (int p = 0; p < H * W; p++)
        dx[p * C] = 0.0f;
    for (int oy = 0; oy < OH; oy++)
        for (int ox = 0; ox < OW; ox++)
            spread(dx, place(maps, n, ox, oy), dy[(oy * OW + ox) * C]);
}
