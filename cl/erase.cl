// A box of each image is filled: from (n, H, W, C) to the same,
//   y = fill where x0 <= column < x1 and y0 <= row < y1, else x
// boxes: STRIDE floats an image: x0, x1, y0, y1 (cl/augment.cl). The fill is FILLS, one number or one a channel; or NORMAL: element
// i of the batch is then clip(z DEVIATION, LOW, HIGH), z by Box and Muller from words 0 and 1 of block i of the stream
// (.., step, stream, PHILOX_FILL). Backward is the same over gradients with a fill of 0.
#include "vector.clh"
#include "philox.clh"

// A work-item takes a pixel. Only NORMAL reads what is behind `pixels`.
kernel void erase(global const float *x, global const float *boxes, global float *y, int pixels, int key_low, int key_high,
                  int stream, int step)
{
    int i = get_global_id(0);
    if (i >= pixels)
        return;
    float column = (float)(i % W);
    float row = (float)(i / W % H);
    boxes += i / (W * H) * STRIDE;
    bool erased = column >= boxes[0] && column < boxes[1] && row >= boxes[2] && row < boxes[3];
#if NORMAL
    for (int k = i * C; k < i * C + C; k++) {
        uint word[4];
        if (!erased) {
            y[k] = x[k];
            continue;
        }
        stream_words(word, k, key_low, key_high, stream, step, PHILOX_FILL);
        float u = ((float)(word[0] >> 8) + 1.0f) * 0x1p-24f;
        float z = sqrt(-2.0f * log(u)) * cospi((float)(word[1] >> 8) * 0x1p-23f);
        y[k] = clamp(z * DEVIATION, (float)LOW, (float)HIGH);
    }
#else
    const float fills[FILL_COUNT] = {FILLS};
    for (int c = 0; c < C; c++)
        y[i * C + c] = erased ? fills[FILL_COUNT == 1 ? 0 : c] : x[i * C + c];
#endif
}
