/* Add, Subtract, Multiply, Average, Maximum and Minimum: tensors joined value by value. Shapes are aligned at their last axis; axes
 * of length 1, and missing ones, are repeated. Kernels and formulas: cl/merge.cl. */
#include <stdio.h>

#include "layers/onnx.h"
#include "ops/elementwise.h"

enum { OP_ADD, OP_SUBTRACT, OP_MULTIPLY, OP_AVERAGE, OP_MAXIMUM, OP_MINIMUM };

typedef struct merge_state {
    bool same;                         /* all shapes are equal */
    int shape[CONVOY_MAX_RANK];        /* of the output, with ones in front */
    int in_shape[LAYER_MAX_INPUTS][CONVOY_MAX_RANK];
    int step[LAYER_MAX_INPUTS][CONVOY_MAX_RANK]; /* values; 0: repeated */
} merge_state;

static int op_of(const layer *l);

/* ---- shapes ---- */

static void align(const convoy_shape *shape, int out[CONVOY_MAX_RANK])
{
    for (int i = 0; i < CONVOY_MAX_RANK; i++) {
        int from = i - (CONVOY_MAX_RANK - shape->rank);
        out[i] = from < 0 ? 1 : shape->dim[from];
    }
}

static convoy_status join_shapes(layer *l, convoy_error *err)
{
    merge_state *s = l->state;
    l->output = l->input[0];
    s->same = true;
    align(&l->input[0], s->shape);
    for (int k = 0; k < l->input_count; k++) {
        s->same = s->same && shape_equal(&l->input[k], &l->input[0]);
        align(&l->input[k], s->in_shape[k]);
        if (l->input[k].rank > l->output.rank)
            l->output.rank = l->input[k].rank;
        for (int i = 0; i < CONVOY_MAX_RANK; i++) {
            int *have = &s->shape[i], more = s->in_shape[k][i];
            if (*have != more && *have != 1 && more != 1)
                return base_fail(err, CONVOY_ERROR_MODEL, "%d and %d values along one axis can't be joined; expected equal "
                                 "sizes, or 1", *have, more);
            *have = *have == 1 ? more : *have;
        }
    }
    for (int i = 0; i < l->output.rank; i++)
        l->output.dim[i] = s->shape[CONVOY_MAX_RANK - l->output.rank + i];
    return CONVOY_OK;
}

static convoy_status build(layer *l, convoy_error *err)
{
    merge_state *s = l->state;
    int op = op_of(l);
    if (op == OP_SUBTRACT && l->input_count != 2)
        return base_fail(err, CONVOY_ERROR_MODEL, "%d inputs; Subtract takes 2", l->input_count);
    TRY(join_shapes(l, err));
    for (int k = 0; k < l->input_count; k++)
        for (int i = CONVOY_MAX_RANK - 1, step = 1; i >= 0; step *= s->in_shape[k][i], i--)
            s->step[k][i] = s->in_shape[k][i] == 1 ? 0 : step;
    l->keeps_d_output = true;
    l->takes = EPILOGUE_ACTIVATION;
    l->backward_reads_input = op == OP_MULTIPLY || op == OP_MAXIMUM || op == OP_MINIMUM;
    return CONVOY_OK;
}

static layer_part part(const layer *l)
{
    return (layer_part){.part = ((const merge_state *)l->state)->same && op_of(l) == OP_ADD ? EPILOGUE_ADD : 0};
}

/* ---- launches ---- */

/* -D options; `to`: the input whose gradient is wanted. */
static void write_options(const layer *l, unsigned width, int to, char *out, size_t size)
{
    const merge_state *s = l->state;
    int n = snprintf(out, size, "-DVW=%u -DOP=%d -DN=%d -DSAME=%d -DK=%d", width, op_of(l), l->input_count, s->same, to);
    for (int i = 0; !s->same && i < CONVOY_MAX_RANK; i++)
        n += snprintf(out + n, size - (size_t)n, " -DD%d=%d -DE%d=%d", i, s->shape[i], i, s->in_shape[to][i]);
    for (int k = 0; !s->same && k < l->input_count; k++) {
        n += snprintf(out + n, size - (size_t)n, " -DP%d=%zu", k, shape_count(&l->input[k]));
        for (int i = 0; i < CONVOY_MAX_RANK; i++)
            n += snprintf(out + n, size - (size_t)n, " -DS%d%d=%d", k, i, s->step[k][i]);
    }
}

/* The longest: eight inputs with five numbers each, and an activation. */
#define OPTIONS_SIZE 1664

static convoy_status add(const layer *l, const layer_io *io, int to, bool forward, rt_list *list, convoy_error *err)
{
    const merge_state *s = l->state;
    char text[OPTIONS_SIZE], label[160];
    unsigned width = s->same ? ops_width(io->ctx) : 1;
    size_t values = shape_count(forward ? &l->output : &l->input[to]);
    write_options(l, width, to, text, sizeof text);
    snprintf(label, sizeof label, "%s %s", l->name, forward ? "forward" : "backward");
    rt_launch launch = {.label = label, .source = "merge", .kernel = forward ? "merge_forward" : "merge_backward",
                        .options = text};
    for (int k = 0; (forward || l->backward_reads_input) && k < l->input_count; k++)
        rt_push(&launch, RT_BUFFER(io->input[k]));
    if (!forward)
        rt_push(&launch, RT_BUFFER(io->d_output));
    rt_push(&launch, RT_BUFFER(forward ? io->output : io->d_input[to]));
    rt_push(&launch, RT_BATCH((int)values));
    ops_range(&launch, io->ctx, values, 0, width);
    launch.bytes_per_image = 4.0 * (launch.arg_count - 1) * (double)shape_count(&l->output);
    if (forward)
        epilogue_append(&io->end, &launch, text, sizeof text);
    launch.flops_per_image = (double)(l->input_count - 1) * (double)shape_count(&l->output);
    return rt_list_add(list, &launch, err);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return add(l, io, 0, true, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    for (int k = 0; k < l->input_count; k++)
        if (io->d_input[k] != NULL)
            TRY(add(l, io, k, false, list, err));
    return CONVOY_OK;
}

/* ---- reference ---- */

/* Where output value `at` reads input k. */
static size_t place(const layer *l, size_t at, int k)
{
    const merge_state *s = l->state;
    size_t per_image = shape_count(&l->output), index = at / per_image * shape_count(&l->input[k]);
    for (int i = CONVOY_MAX_RANK - 1; i >= 0; at /= (size_t)s->shape[i], i--)
        index += at % (size_t)s->shape[i] * (size_t)s->step[k][i];
    return index;
}

static double joined(int op, double a, double b)
{
    switch (op) {
    case OP_SUBTRACT: return a - b;
    case OP_MULTIPLY: return a * b;
    case OP_MAXIMUM: return b > a ? b : a;
    case OP_MINIMUM: return b < a ? b : a;
    default: return a + b;
    }
}

static void reference_forward(const layer *l, const layer_reference *r)
{
    int op = op_of(l);
    for (size_t i = 0; i < shape_count(&l->output) * (size_t)r->batch; i++) {
        double value = r->input[0][place(l, i, 0)];
        for (int k = 1; k < l->input_count; k++)
            value = joined(op, value, r->input[k][place(l, i, k)]);
        r->output[i] = op == OP_AVERAGE ? value / l->input_count : value;
    }
}

static double slope(const layer *l, const layer_reference *r, size_t at, int to)
{
    int op = op_of(l);
    double s = op == OP_AVERAGE ? 1.0 / l->input_count : op == OP_SUBTRACT && to == 1 ? -1.0 : 1.0;
    if (!l->backward_reads_input)
        return s;
    double own = r->input[to][place(l, at, to)];
    for (int k = 0; k < l->input_count; k++) {
        double other = r->input[k][place(l, at, k)];
        bool beaten = op == OP_MAXIMUM ? other > own : other < own;
        if (k != to)
            s *= op == OP_MULTIPLY ? other : !(beaten || (other == own && k < to));
    }
    return s;
}

static void reference_backward(const layer *l, const layer_reference *r)
{
    for (int k = 0; k < l->input_count; k++)
        for (size_t i = 0; r->d_input[k] && i < shape_count(&l->output) * (size_t)r->batch; i++)
            r->d_input[k][place(l, i, k)] += r->d_output[i] * slope(l, r, i, k);
}

/* The longest: the gradient of one value that is repeated everywhere. */
static size_t reduction(const layer *l, int batch)
{
    const merge_state *s = l->state;
    (void)batch;
    return s->same ? (size_t)l->input_count : shape_count(&l->output);
}

/* ---- ONNX ---- */

/* Input k with ones in front of its shape where others have more axes: ONNX would align them at the batch otherwise. */
static onnx_value aligned(const layer *l, onnx_graph *g, int k, onnx_layout layout)
{
    const merge_state *s = l->state;
    onnx_value x = onnx_input(g, k, layout);
    convoy_shape shape = {.rank = l->output.rank};
    if (l->input[k].rank == l->output.rank)
        return x;
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = s->in_shape[k][CONVOY_MAX_RANK - shape.rank + i];
    return onnx_reshape(g, x, &shape);
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    /* Operators of two inputs are repeated, others take all at once. */
    static const struct operator {
        const char *op;
        bool two;
    } operators[] = {[OP_ADD] = {"Add", true}, [OP_SUBTRACT] = {"Sub", true}, [OP_MULTIPLY] = {"Mul", true},
                     [OP_AVERAGE] = {"Mean", false}, [OP_MAXIMUM] = {"Max", false}, [OP_MINIMUM] = {"Min", false}};
    const struct operator *o = &operators[op_of(l)];
    bool ranks_differ = false;
    for (int k = 0; k < l->input_count; k++)
        ranks_differ = ranks_differ || l->input[k].rank != l->output.rank;
    onnx_layout layout = ranks_differ ? ONNX_LAST : onnx_given_layout(g);
    onnx_node all = {.op = o->op};
    for (int k = 0; k < l->input_count; k++)
        all.input[k] = aligned(l, g, k, layout);
    if (!o->two)
        return onnx_result(g, onnx_add(g, &all), layout, err);
    onnx_value y = all.input[0];
    for (int k = 1; k < l->input_count; k++)
        y = onnx_binary(g, o->op, y, all.input[k]);
    return onnx_result(g, y, layout, err);
}

/* ---- classes ---- */

/* The first five are also Subtract's: they have two inputs. */
#define SAMPLES_OF_TWO {"", {3, {3, 4, 5}}}, {"", {1, {19}}}, {"", {3, {4, 3, 6}}}, {"", {3, {2, 1, 5}}}, {"", {1, {4}}}

static const layer_sample samples_of_two[] = {SAMPLES_OF_TWO, {0}};
static const layer_sample samples[] = {SAMPLES_OF_TWO, {"", {2, {4, 9}}}, {"", {1, {5}}}, {"", {3, {1, 2, 3}}}, {0}};
static const convoy_shape more_inputs[][LAYER_MAX_INPUTS - 1] = {
    {{3, {3, 4, 5}}},
    {{1, {19}}},
    {{3, {1, 1, 6}}},
    {{3, {2, 3, 1}}},
    {{3, {3, 2, 4}}},
    {{2, {4, 9}}, {2, {4, 9}}},
    {{1, {5}}, {1, {5}}, {1, {5}}, {1, {5}}, {1, {5}}, {1, {5}}, {1, {5}}},
    {{1, {3}}, {2, {2, 1}}, {3, {4, 1, 1}}, {1, {1}}, {3, {4, 2, 3}}, {1, {3}}, {2, {2, 3}}},
};

enum { TWO = 5 }; /* samples of two inputs */

/* `first`: of the samples, and of their inputs. */
#define MERGE_CLASS(symbol, class_name, snake_name, its_samples, first)                                                \
    const layer_class symbol##_class = {                                                                               \
        .name = class_name,                                                                                            \
        .snake = snake_name,                                                                                           \
        .state_size = sizeof(merge_state),                                                                             \
        .merges = true,                                                                                                \
        .samples = (its_samples) + (first),                                                                            \
        .more_inputs = more_inputs + (first),                                                                          \
        .build = build,                                                                                                \
        .part = part,                                                                                                  \
        .forward = forward,                                                                                            \
        .backward = backward,                                                                                          \
        .reference_forward = reference_forward,                                                                        \
        .reference_backward = reference_backward,                                                                      \
        .reduction = reduction,                                                                                        \
        .onnx = onnx,                                                                                                  \
    }

/* Average differs from Add, and Minimum from Maximum, by one formula: they need no more than three samples. */
MERGE_CLASS(add, "Add", "add", samples, 0);
MERGE_CLASS(subtract, "Subtract", "subtract", samples_of_two, 0);
MERGE_CLASS(multiply, "Multiply", "multiply", samples, 0);
MERGE_CLASS(average, "Average", "average", samples, TWO);
MERGE_CLASS(maximum, "Maximum", "maximum", samples, 0);
MERGE_CLASS(minimum, "Minimum", "minimum", samples, TWO);

static int op_of(const layer *l)
{
    static const layer_class *const order[] = {&add_class, &subtract_class, &multiply_class, &average_class, &maximum_class,
                                               &minimum_class};
    int op = OP_ADD;
    while (order[op] != l->class)
        op++;
    return op;
}
