/* Flatten: the same memory seen as one row, in H, W, C order; no launches. */
#include <string.h>

#include "layers/layer.h"

typedef struct flatten_state {
    int data_format;
} flatten_state;

static const option options[] = {
    OPTION_DATA_FORMAT(flatten_state),
    {0},
};

static convoy_status build(layer *l, convoy_error *err)
{
    (void)err;
    l->output = (convoy_shape){.rank = 1, .dim = {(int)shape_count(&l->input[0])}};
    return CONVOY_OK;
}

static void formula(const layer *l, int axis, text *out)
{
    (void)axis;
    for (int i = 0; l->input[0].rank > 1 && i < l->input[0].rank; i++)
        text_add(out, i ? " * %d" : "%d", l->input[0].dim[i]);
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    memcpy(r->output, r->input[0], shape_count(&l->output) * (size_t)r->batch * sizeof(double));
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    if (r->d_input[0])
        memcpy(r->d_input[0], r->d_output, shape_count(&l->output) * (size_t)r->batch * sizeof(double));
}

static const layer_sample samples[] = {{"", {3, {2, 3, 4}}}, {"", {1, {7}}}, {0}};

const layer_class flatten_class = {
    .name = "Flatten",
    .snake = "flatten",
    .keeps_range = true,
    .state_size = sizeof(flatten_state),
    .options = options,
    .alias = true,
    .samples = samples,
    .build = build,
    .formula = formula,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
};
