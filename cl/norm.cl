// Norms of the variables in a flat buffer, in a fixed order of sums, so that the same run gives the same bits. A variable is
// cut into chunks; the gaps between variables are 0, so that a chunk may be read in whole vectors.
#include "vector.clh"

// chunk: pairs of the first float and the number of floats. A work-item takes one: partial[p] = sum of x*x.
kernel void norm_chunks(global const float *x, global const int *chunk, global float *partial)
{
    int p = get_global_id(0);
    if (p >= CHUNKS)
        return;
    int first = chunk[2 * p], count = chunk[2 * p + 1];
    FV sums = 0.0f;
    for (int i = 0; i < count; i += VW) {
        FV value = VLOAD(x + first + i);
        sums += value * value;
    }
#if VW == 1
    partial[p] = sums;
#else
    float values[VW], sum = 0.0f;
    VSTORE(sums, values);
    for (int i = 0; i < VW; i++)
        sum += values[i];
    partial[p] = sum;
#endif
}

// Chunks [begin[v], begin[v + 1]) are those of variable v. A work-item takes one: its norm, or with SQUARED the square.
kernel void norm_variables(global const float *partial, global const int *begin, global float *norm)
{
    int v = get_global_id(0);
    if (v >= VARIABLES)
        return;
    float sum = 0.0f;
    for (int p = begin[v]; p < begin[v + 1]; p++)
        sum += partial[p];
    norm[v] = SQUARED ? sum : sqrt(sum);
}

// One work-item makes the norm of all variables together out of the squares: norm[0].
kernel void norm_all(global float *norm)
{
    if (get_global_id(0) != 0)
        return;
    float sum = 0.0f;
    for (int v = 0; v < VARIABLES; v++)
        sum += norm[v];
    norm[0] = sqrt(sum);
}
