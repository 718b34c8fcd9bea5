/* How output sizes are computed, with the numbers put in: what layers that slide a window write for layer_class.formula. */
#ifndef LAYERS_FORMULA_H
#define LAYERS_FORMULA_H

#include "layers/layer.h"

/* "(32 - 3) / 1 + 1"; with floor() where the division leaves a rest; "ceil(32 / 2)" for padding='same'. */
void formula_window(int n, int kernel, int dilation, int stride, bool same, text *out);

/* What a kernel covers: "3", or, when it is dilated, "(2 * (3 - 1) + 1)". */
void formula_kernel(int kernel, int dilation, text *out);

#endif
