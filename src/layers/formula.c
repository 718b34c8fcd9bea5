#include "layers/formula.h"

void formula_kernel(int kernel, int dilation, text *out)
{
    if (dilation == 1 || kernel == 1)
        text_add(out, "%d", kernel);
    else
        text_add(out, "(%d * (%d - 1) + 1)", dilation, kernel);
}

void formula_window(int n, int kernel, int dilation, int stride, bool same, text *out)
{
    if (same) {
        text_add(out, "ceil(%d / %d)", n, stride);
        return;
    }
    long reach = (long)(kernel - 1) * dilation + 1;
    bool rest = (n - reach) % stride != 0;
    text_add(out, rest ? "floor((%d - " : "(%d - ", n);
    formula_kernel(kernel, dilation, out);
    text_add(out, rest ? ") / %d) + 1" : ") / %d + 1", stride);
}
