/* Permute: the axes of an image in another order. Kernel: cl/permute.cl. */
#include <stdio.h>

#include "layers/onnx.h"
#include "ops/elementwise.h"

typedef struct permute_state {
    convoy_shape dims; /* which axis of the input each axis of the output is, counted from 1 */
} permute_state;

static const option options[] = {
    {.name = "dims", .kind = OPTION_LIST, .offset = offsetof(permute_state, dims), .least = 1, .most = CONVOY_MAX_RANK},
    {0},
};

static convoy_status build(layer *l, convoy_error *err)
{
    const permute_state *s = l->state;
    char shape[96];
    bool seen[CONVOY_MAX_RANK] = {false};
    for (int i = 0; i < s->dims.rank; i++) {
        int from = s->dims.dim[i] - 1;
        if (from >= s->dims.rank || seen[from])
            return base_fail(err, CONVOY_ERROR_MODEL, "dims must name each axis from 1 to %d once", s->dims.rank);
        seen[from] = true;
    }
    if (l->input[0].rank != s->dims.rank)
        return base_fail(err, CONVOY_ERROR_MODEL, "dims has %d axes; the input is %s", s->dims.rank,
                         shape_text(&l->input[0], shape, sizeof shape));
    l->output = l->input[0];
    for (int i = 0; i < s->dims.rank; i++)
        l->output.dim[i] = l->input[0].dim[s->dims.dim[i] - 1];
    return CONVOY_OK;
}

/* Floats between neighbours along each axis. */
static void steps_of(const convoy_shape *shape, int *step)
{
    int size = 1;
    for (int i = shape->rank; i-- > 0; size *= shape->dim[i])
        step[i] = size;
}

/* For each axis of the output, the step in the input; backward, for each axis of the input, the step in the output. */
static void walk(const layer *l, bool backward, int *step)
{
    const permute_state *s = l->state;
    int from[CONVOY_MAX_RANK];
    steps_of(backward ? &l->output : &l->input[0], from);
    for (int i = 0; i < s->dims.rank; i++)
        if (backward)
            step[s->dims.dim[i] - 1] = from[i];
        else
            step[i] = from[s->dims.dim[i] - 1];
}

static convoy_status add(const layer *l, const layer_io *io, bool backward, rt_list *list, convoy_error *err)
{
    const convoy_shape *written = backward ? &l->input[0] : &l->output;
    char text[192], label[160];
    int step[CONVOY_MAX_RANK], sizes[4] = {1, 1, 1, 1}, steps[4] = {0, 0, 0, 0};
    size_t values = shape_count(written);
    walk(l, backward, step);
    for (int i = 0; i < written->rank; i++) {
        sizes[4 - written->rank + i] = written->dim[i];
        steps[4 - written->rank + i] = step[i];
    }
    snprintf(text, sizeof text, "-DO0=%d -DO1=%d -DO2=%d -DO3=%d -DS0=%d -DS1=%d -DS2=%d -DS3=%d", sizes[0], sizes[1],
             sizes[2], sizes[3], steps[0], steps[1], steps[2], steps[3]);
    snprintf(label, sizeof label, "%s %s", l->name, backward ? "backward" : "forward");
    rt_launch launch = {.label = label, .source = "permute", .kernel = "permute", .options = text};
    rt_push(&launch, RT_BUFFER(backward ? io->d_output : io->input[0]));
    rt_push(&launch, RT_BUFFER(backward ? io->d_input[0] : io->output));
    rt_push(&launch, RT_BATCH((int)values));
    ops_range(&launch, io->ctx, values, 0, 1);
    launch.bytes_per_image = 8.0 * (double)values;
    return rt_list_add(list, &launch, err);
}

static convoy_status forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return add(l, io, false, list, err);
}

static convoy_status backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    return io->d_input[0] ? add(l, io, true, list, err) : CONVOY_OK;
}

/* By coordinates, axis by axis. */
static void reference(const layer *l, const layer_reference *r, bool backward_pass)
{
    const permute_state *s = l->state;
    size_t values = shape_count(&l->output);
    int step[CONVOY_MAX_RANK];
    steps_of(&l->input[0], step);
    for (size_t i = 0; i < values * (size_t)r->batch; i++) {
        size_t at = i / values * values, rest = i % values;
        for (int k = s->dims.rank; k-- > 0; rest /= (size_t)l->output.dim[k])
            at += rest % (size_t)l->output.dim[k] * (size_t)step[s->dims.dim[k] - 1];
        if (backward_pass)
            r->d_input[0][at] = r->d_output[i];
        else
            r->output[i] = r->input[0][at];
    }
}

static void reference_forward(const layer *l, const layer_reference *r) { reference(l, r, false); }

static void reference_backward(const layer *l, const layer_reference *r)
{
    if (r->d_input[0])
        reference(l, r, true);
}

static convoy_status onnx(const layer *l, onnx_graph *g, convoy_error *err)
{
    const permute_state *s = l->state;
    int order[CONVOY_MAX_RANK + 1] = {0};
    for (int i = 0; i < s->dims.rank; i++)
        order[i + 1] = s->dims.dim[i];
    return onnx_result(g, onnx_transpose(g, onnx_input(g, 0, ONNX_LAST), s->dims.rank, order), ONNX_LAST, err);
}

static const layer_sample samples[] = {
    {"dims=(3, 1, 2)", {3, {3, 4, 5}}}, {"dims=(2, 1)", {2, {7, 3}}}, {"dims=(2, 3, 1)", {3, {2, 5, 16}}},
    {"dims=[1]", {1, {5}}},             {0},
};

const layer_class permute_class = {
    .name = "Permute",
    .snake = "permute",
    .keeps_range = true,
    .state_size = sizeof(permute_state),
    .options = options,
    .samples = samples,
    .build = build,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .onnx = onnx,
};
