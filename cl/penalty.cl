// Regularizers over one parameter w of `count` values:
//   penalty = l1 * sum |w| + l2 * sum w^2        its gradient: l1 * sign(w) + 2 * l2 * w, sign(0) = 0
// PARTS work-items sum a part each, in strides, into partial[first ...]; penalty_sum joins the parts of all parameters in order.
#include "vector.clh"

kernel void penalty_parts(global const float *w, global float *partial, int first, float l1, float l2, int count)
{
    int part = get_global_id(0);
    if (part >= PARTS)
        return;
    FV absolute = (FV)0.0f;
    FV squares = (FV)0.0f;
    for (int i = part * VW; i < count; i += PARTS * VW) {
        FV v = load_part(w + i, count - i);
        absolute += fabs(v);
        squares += v * v;
    }
    FV both = l1 * absolute + l2 * squares;
#if VW == 1
    partial[first + part] = both;
#else
    float values[VW];
    VSTORE(both, values);
    float sum = values[0];
    for (int k = 1; k < VW; k++)
        sum += values[k];
    partial[first + part] = sum;
#endif
}

kernel void penalty_sum(global const float *partial, global float *penalty, int count)
{
    if (get_global_id(0) != 0)
        return;
    float sum = 0.0f;
    for (int i = 0; i < count; i++)
        sum += partial[i];
    penalty[0] = sum;
}

kernel void penalty_gradient(global const float *w, global float *dw, float l1, float l2, int count)
{
    int i = get_global_id(0) * VW;
    int n = count - i;
    if (n <= 0)
        return;
    FV v = load_part(w + i, n);
    store_part(load_part(dw + i, n) + l1 * sign(v) + 2.0f * l2 * v, dw + i, n);
}
