/* Concatenate: tensors behind one another along an axis. Kernel: cl/concatenate.cl. */
#include <stdio.h>
#include <string.h>

#include "layers/onnx.h"
#include "ops/elementwise.h"

typedef struct concatenate_state {
    int axis; /* as Keras counts: the batch is axis 0 */
} concatenate_state;

static const option options[] = {
    {.name = "axis", .kind = OPTION_INT, .offset = offsetof(concatenate_state, axis), .standard = "-1", .least = -8,
     .most = 8},
    {0},
};

/* The axis among the dimensions without the batch. */
static int axis_of(const layer *l)
{
    const concatenate_state *s = l->state;
    return s->axis < 0 ? l->input[0].rank + s->axis : s->axis - 1;
}

/* Values of a shape from dimension `first` on. */
static size_t count_from(const convoy_shape *shape, int first)
{
    size_t count = 1;
    for (int i = first; i < shape->rank; i++)
        count *= (size_t)shape->dim[i];
    return count;
}

static convoy_status build(layer *l, convoy_error *err)
{
    const concatenate_state *s = l->state;
    int axis = axis_of(l);
    if (axis < 0 || axis >= l->input[0].rank)
        return base_fail(err, CONVOY_ERROR_MODEL, "axis is %d; expected 1 to %d, or -1 to %d: the batch's axis can't be "
                         "concatenated", s->axis, l->input[0].rank, -l->input[0].rank);
    l->output = l->input[0];
    for (int k = 1; k < l->input_count; k++) {
        bool fits = l->input[k].rank == l->output.rank;
        for (int i = 0; fits && i < l->output.rank; i++)
            fits = i == axis || l->input[k].dim[i] == l->output.dim[i];
        if (!fits || __builtin_add_overflow(l->output.dim[axis], l->input[k].dim[axis], &l->output.dim[axis]))
            return base_fail(err, CONVOY_ERROR_MODEL, "the shapes may differ in the axis of concatenation (%d) only",
                             s->axis);
    }
    return CONVOY_OK;
}

static void formula(const layer *l, int axis, text *out)
{
    for (int k = 0; axis == axis_of(l) && l->input_count > 1 && k < l->input_count; k++)
        text_add(out, k ? " + %d" : "%d", l->input[k].dim[axis]);
}

/* Between input k and its place in the whole. */
static convoy_status add_copy(const layer *l, const layer_io *io, int k, bool forward, rt_list *list, convoy_error *err)
{
    char text[160], label[160];
    int axis = axis_of(l);
    size_t whole = count_from(&l->output, axis), length = count_from(&l->input[k], axis), at = 0;
    size_t values = shape_count(&l->input[k]);
    unsigned width = ops_width(io->ctx);
    for (int i = 0; i < k; i++)
        at += count_from(&l->input[i], axis);
    while (length % width != 0) /* a vector must not cross the end of a row */
        width /= 2;
    snprintf(text, sizeof text, "-DVW=%u -DLENGTH=%zu -DFROM_ROW=%zu -DFROM_AT=%zu -DTO_ROW=%zu -DTO_AT=%zu", width, length,
             forward ? length : whole, forward ? 0 : at, forward ? whole : length, forward ? at : 0);
    snprintf(label, sizeof label, "%s %s", l->name, forward ? "forward" : "backward");
    rt_launch launch = {.label = label, .source = "concatenate", .kernel = "concatenate_rows", .options = text};
    rt_push(&launch, RT_BUFFER(forward ? io->input[k] : io->d_output));
    rt_push(&launch, RT_BUFFER(forward ? io->output : io->d_input[k]));
    rt_push(&launch, RT_BATCH((int)values));
    ops_range(&launch, io->ctx, values, 0, width);
    launch.bytes_per_image = 8.0 * (double)values;
    return rt_list_add(list, &launch, err);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    for (int k = 0; k < l->input_count; k++)
        TRY(add_copy(l, io, k, true, list, err));
    return CONVOY_OK;
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    for (int k = 0; k < l->input_count; k++)
        if (io->d_input[k] != NULL)
            TRY(add_copy(l, io, k, false, list, err));
    return CONVOY_OK;
}

static void copy_reference(const layer *l, int batch, int k, size_t at, const double *from, double *to, bool forward)
{
    int axis = axis_of(l);
    size_t whole = count_from(&l->output, axis), length = count_from(&l->input[k], axis);
    size_t rows = (size_t)batch * shape_count(&l->output) / whole;
    for (size_t r = 0; r < rows; r++)
        memcpy(to + (forward ? r * whole + at : r * length), from + (forward ? r * length : r * whole + at),
               length * sizeof *to);
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    size_t at = 0;
    for (int k = 0; k < l->input_count; k++) {
        copy_reference(l, r->batch, k, at, r->input[k], r->output, true);
        at += count_from(&l->input[k], axis_of(l));
    }
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    size_t at = 0;
    for (int k = 0; k < l->input_count; k++) {
        if (r->d_input[k])
            copy_reference(l, r->batch, k, at, r->d_output, r->d_input[k], false);
        at += count_from(&l->input[k], axis_of(l));
    }
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    onnx_layout layout = onnx_given_layout(g);
    onnx_node node = {.op = "Concat", .attribute = {ONNX_INT("axis", onnx_axis(&l->output, axis_of(l), layout))}};
    for (int k = 0; k < l->input_count; k++)
        node.input[k] = onnx_input(g, k, layout);
    return onnx_result(g, onnx_add(g, &node), layout, err);
}

static const layer_sample samples[] = {
    {"", {3, {3, 4, 5}}}, {"", {3, {2, 3, 16}}}, {"", {1, {33}}}, {"axis=1", {3, {2, 3, 5}}}, {"axis=-2", {3, {2, 3, 4}}},
    {"axis=3", {3, {3, 3, 2}}}, {0},
};
static const convoy_shape more_inputs[][LAYER_MAX_INPUTS - 1] = {
    {{3, {3, 4, 7}}},
    {{3, {2, 3, 8}}, {3, {2, 3, 4}}},
    {{1, {1}}},
    {{3, {4, 3, 5}}},
    {{3, {2, 1, 4}}, {3, {2, 7, 4}}},
    {{3, {3, 3, 2}}, {3, {3, 3, 3}}, {3, {3, 3, 1}}, {3, {3, 3, 2}}, {3, {3, 3, 9}}, {3, {3, 3, 1}}, {3, {3, 3, 2}}},
};

const layer_class concatenate_class = {
    .name = "Concatenate",
    .snake = "concatenate",
    .keeps_range = true,
    .state_size = sizeof(concatenate_state),
    .options = options,
    .merges = true,
    .samples = samples,
    .more_inputs = more_inputs,
    .build = build,
    .formula = formula,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .onnx = onnx,
};
