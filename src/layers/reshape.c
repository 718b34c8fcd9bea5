/* Reshape: the same memory seen in another shape, row-major; no launches. */
#include <limits.h>
#include <string.h>

#include "layers/layer.h"

typedef struct reshape_state {
    convoy_shape target; /* one size may be -1: what is left */
} reshape_state;

static const option options[] = {
    {.name = "target_shape", .kind = OPTION_LIST, .offset = offsetof(reshape_state, target), .least = -1, .most = INT_MAX - 1},
    {0},
};

static convoy_status build(layer *l, convoy_error *err)
{
    const reshape_state *s = l->state;
    size_t count = shape_count(&l->input[0]);
    convoy_shape known = s->target;
    int open = -1;
    for (int i = 0; i < s->target.rank; i++) {
        if (s->target.dim[i] != -1)
            continue;
        if (open >= 0)
            return base_fail(err, CONVOY_ERROR_MODEL, "target_shape has -1 twice; one size at most can follow from the rest");
        open = i;
        known.dim[i] = 1;
    }
    size_t product = shape_count(&known);
    l->output = known;
    if (product == 0 || (open < 0 ? product != count : count % product != 0))
        return base_fail(err, CONVOY_ERROR_MODEL, "the %zu values of an image can't take the shape given as target_shape "
                         "(%zu values%s)", count, product, open < 0 ? "" : " times a whole number");
    if (open >= 0)
        l->output.dim[open] = (int)(count / product);
    return CONVOY_OK;
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

static const layer_sample samples[] = {{"target_shape=(4, -1)", {3, {2, 3, 4}}}, {"target_shape=(7, 1, 1)", {1, {7}}}, {0}};

const layer_class reshape_class = {
    .name = "Reshape",
    .snake = "reshape",
    .keeps_range = true,
    .state_size = sizeof(reshape_state),
    .options = options,
    .alias = true,
    .samples = samples,
    .build = build,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
};
