// Copies rows of LENGTH values, VW a work-item: row r goes from from[r * FROM_ROW + FROM_AT] to to[r * TO_ROW + TO_AT].
// A tensor's place in a concatenation is such rows: all that lies behind the axis is one row.
#include "vector.clh"

kernel void concatenate_rows(global const float *from, global float *to, int count)
{
    int i = get_global_id(0) * VW;
    if (i >= count)
        return;
    int row = i / LENGTH, column = i % LENGTH;
    VSTORE(VLOAD(from + row * FROM_ROW + FROM_AT + column), to + row * TO_ROW + TO_AT + column);
}
