// Copies a window of images: from (n, H, W, C) to (n, OH, OW, C):
//   to[oy][ox] = from[oy-TOP][ox-LEFT] where that lies inside, else 0
// TOP and LEFT may be negative: that crops. Padding backward is cropping, and the other way round.
//
// _plain: one value a work-item. _vec: one row of pixels, whose part inside lies behind each other in both images.
#include "vector.clh"

#if VW == 1
kernel void pad2d_plain(global const float *from, global float *to, int count)
{
    int i = get_global_id(0);
    if (i >= count)
        return;
    int x = i / C % OW - LEFT;
    int y = i / (C * OW) % OH - TOP;
    int n = i / (C * OW * OH);
    to[i] = y >= 0 && y < H && x >= 0 && x < W ? from[((n * H + y) * W + x) * C + i % C] : 0.0f;
}
#else
#define FIRST max(LEFT, 0)
#define END min(LEFT + W, OW)

inline void fill(global float *to, int first, int end)
{
    for (int i = first; i < end; i++)
        to[i] = 0.0f;
}

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void pad2d_vec(global const float *restrict from, global float *restrict to, int rows)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    int n = row / OH;
    int y = row % OH - TOP;
    to += row * OW * C;
    if (y < 0 || y >= H || FIRST >= END) {
        fill(to, 0, OW * C);
        return;
    }
    from += ((n * H + y) * W - LEFT) * C;
    fill(to, 0, FIRST * C);
    for (int i = FIRST * C; i < END * C; i += VW)
        store_part(load_part(from + i, END * C - i), to + i, END * C - i);
    fill(to, END * C, OW * C);
}
#endif
