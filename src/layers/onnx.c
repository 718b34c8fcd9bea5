/* Building: values and their names, nodes, initializers, layouts. */
#include "layers/onnx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/onnx_inside.h"

/* ---- values and their names ----
 * What a layer gives is called by the layer's path: "conv2d", or "conv2d/nchw" with the channels first. What lies inside has the
 * operator's name, or the weight's, behind the path. No name of a layer has a '/' in it, so no two names are the same. */

static onnx_value out_of_memory(onnx_graph *g)
{
    (void)OUT_OF_MEMORY(&g->failure);
    return 0;
}

onnx_value onnx_refuse(onnx_graph *g, const char *what, const char *name)
{
    (void)base_fail(&g->failure, CONVOY_ERROR_MODEL, "%s '%s' has no form in ONNX yet; the model can't be exported", what,
                    name);
    return 0;
}

/* "path/what", or "path/what_2"; NULL: out of memory. */
static char *join(onnx_graph *g, const char *path, const char *what, size_t number)
{
    text t = {0};
    char *out = NULL;
    text_add(&t, number > 0 ? "%s/%s_%zu" : "%s/%s", path, what, number);
    (void)text_take(&t, &out, &g->failure);
    return out;
}

/* Takes ownership of the name, which may be NULL for now. */
static onnx_value new_value(onnx_graph *g, char *name)
{
    char **names = realloc(g->names, (g->value_count + 1) * sizeof *names);
    if (names == NULL) {
        free(name);
        return out_of_memory(g);
    }
    g->names = names;
    names[g->value_count] = name;
    return (onnx_value)++g->value_count;
}

static onnx_value find_value(const onnx_graph *g, const char *name)
{
    for (size_t i = 0; i < g->value_count; i++)
        if (g->names[i] != NULL && strcmp(g->names[i], name) == 0)
            return (onnx_value)i + 1;
    return 0;
}

/* "path/what" of this use, with a number when it has one of that name already. */
static char *own_name(onnx_graph *g, const char *what)
{
    size_t number = 0;
    char *name = join(g, g->use->path, what, number);
    while (name != NULL && find_value(g, name) != 0) {
        free(name);
        name = join(g, g->use->path, what, ++number);
    }
    return name;
}

static void name_value(onnx_graph *g, onnx_value value, const char *path, onnx_layout layout)
{
    if (value <= 0)
        return;
    g->names[value - 1] = layout == ONNX_FIRST ? join(g, path, "nchw", 0) : strdup(path);
    if (g->names[value - 1] == NULL)
        out_of_memory(g);
}

/* ---- nodes ---- */

onnx_value onnx_add(onnx_graph *g, const onnx_node *node)
{
    onnx_step *steps = realloc(g->steps, (g->step_count + 1) * sizeof *steps);
    if (steps == NULL)
        return out_of_memory(g);
    g->steps = steps;
    onnx_value output = new_value(g, NULL);
    if (output != 0)
        steps[g->step_count++] = (onnx_step){*node, output};
    return output;
}

onnx_value onnx_unary(onnx_graph *g, const char *op, onnx_value x)
{
    return onnx_add(g, &(onnx_node){.op = op, .input = {x}});
}

onnx_value onnx_binary(onnx_graph *g, const char *op, onnx_value x, onnx_value y)
{
    return onnx_add(g, &(onnx_node){.op = op, .input = {x, y}});
}

onnx_value onnx_reshape(onnx_graph *g, onnx_value x, const convoy_shape *shape)
{
    int64_t sizes[CONVOY_MAX_RANK + 1] = {0}; /* 0: as many as the input has, which is the batch */
    for (int i = 0; i < shape->rank; i++)
        sizes[i + 1] = shape->dim[i];
    return onnx_binary(g, "Reshape", x, onnx_ints(g, "shape", sizes, shape->rank + 1));
}

onnx_value onnx_transpose(onnx_graph *g, onnx_value x, int rank, const int *order)
{
    onnx_attribute perm = {.name = "perm", .kind = ONNX_KIND_INTS, .count = rank + 1};
    for (int i = 0; i <= rank; i++)
        perm.ints[i] = order[i];
    return onnx_add(g, &(onnx_node){.op = "Transpose", .input = {x}, .attribute = {perm}});
}

onnx_value onnx_clip(onnx_graph *g, onnx_value x, double least, double most)
{
    onnx_value from = onnx_scalar(g, least), to = onnx_scalar(g, most);
    return onnx_add(g, &(onnx_node){.op = "Clip", .input = {x, from, to}});
}

void onnx_set(onnx_node *node, onnx_attribute attribute)
{
    int i = 0;
    while (node->attribute[i].name != NULL)
        i++;
    node->attribute[i] = attribute;
}

void onnx_set_window(onnx_node *node, const layer *l, const int kernel[2], const int strides[2], const int *dilation,
                     const int pad[2])
{
    int tail[2];
    for (int d = 0; d < 2; d++) { /* what is behind the last window is left out: that is no padding */
        int reach = dilation ? (kernel[d] - 1) * dilation[d] + 1 : kernel[d];
        tail[d] = (l->output.dim[d] - 1) * strides[d] + reach - l->input[0].dim[d] - pad[d];
        tail[d] = tail[d] > 0 ? tail[d] : 0;
    }
    onnx_set(node, (onnx_attribute)ONNX_INTS("kernel_shape", 2, kernel[0], kernel[1]));
    onnx_set(node, (onnx_attribute)ONNX_INTS("strides", 2, strides[0], strides[1]));
    onnx_set(node, (onnx_attribute)ONNX_INTS("pads", 4, pad[0], pad[1], tail[0], tail[1]));
    if (dilation)
        onnx_set(node, (onnx_attribute)ONNX_INTS("dilations", 2, dilation[0], dilation[1]));
}

/* ---- initializers ---- */

const float *onnx_values(const onnx_graph *g, int param)
{
    return g->use->weights[param];
}

onnx_value onnx_weight(onnx_graph *g, const char *name, const convoy_shape *shape, const float *values, const int *order)
{
    char *full = join(g, g->use->weights_path, name, 0);
    onnx_value there = full ? find_value(g, full) : 0;
    if (full == NULL || there != 0) {
        free(full);
        return there;
    }
    onnx_write_floats(g, full, shape, values, order);
    return new_value(g, full);
}

onnx_value onnx_param(onnx_graph *g, int param, const int *order)
{
    const layer_param *p = &g->use->layer->param[param];
    return onnx_weight(g, p->name, &p->shape, onnx_values(g, param), order);
}

onnx_value onnx_filled(onnx_graph *g, const char *name, const convoy_shape *shape, float value)
{
    size_t count = shape_count(shape);
    float *values = malloc(count * sizeof *values);
    if (values == NULL)
        return out_of_memory(g);
    for (size_t i = 0; i < count; i++)
        values[i] = value;
    onnx_value out = onnx_weight(g, name, shape, values, NULL);
    free(values);
    return out;
}

onnx_value onnx_scalar(onnx_graph *g, double value)
{
    float single = (float)value;
    char *name = own_name(g, "constant");
    if (name == NULL)
        return 0;
    onnx_write_floats(g, name, &(convoy_shape){0}, &single, NULL);
    return new_value(g, name);
}

onnx_value onnx_ints(onnx_graph *g, const char *name, const int64_t *values, int count)
{
    char *full = own_name(g, name);
    if (full == NULL)
        return 0;
    onnx_write_ints(g, full, values, count);
    return new_value(g, full);
}

/* ---- tensors ---- */

static onnx_tensor *root_of(const onnx_graph *g, int tensor) { return &g->tensors[g->tensors[tensor].root]; }

static onnx_value value_in(onnx_graph *g, int tensor, onnx_layout layout)
{
    static const int orders[2][4] = {{0, 2, 3, 1}, {0, 3, 1, 2}};
    onnx_tensor *t = root_of(g, tensor);
    onnx_value *value = &t->value[t->shape.rank == 3 ? layout : ONNX_LAST];
    if (*value == 0) {
        *value = onnx_transpose(g, t->value[!layout], 3, orders[layout]);
        name_value(g, *value, t->path, layout);
    }
    return *value;
}

onnx_value onnx_input(onnx_graph *g, int input, onnx_layout layout)
{
    return value_in(g, g->use->inputs[input], layout);
}

onnx_layout onnx_given_layout(const onnx_graph *g)
{
    for (int k = 0; k < g->use->layer->input_count; k++)
        if (root_of(g, g->use->inputs[k])->value[ONNX_FIRST] != 0)
            return ONNX_FIRST;
    return ONNX_LAST;
}

int onnx_axis(const convoy_shape *shape, int axis, onnx_layout layout)
{
    if (layout == ONNX_LAST)
        return axis + 1;
    return axis == shape->rank - 1 ? 1 : axis + 2;
}

convoy_status onnx_result(onnx_graph *g, onnx_value value, onnx_layout layout, convoy_error *err)
{
    onnx_tensor *t = &g->tensors[g->use->tensor];
    if (g->failure.status != CONVOY_OK)
        return base_fail(err, g->failure.status, "%s", g->failure.message);
    if (onnx_name(g, value) == NULL) {
        t->value[layout] = value;
        name_value(g, value, t->path, layout);
        return CONVOY_OK;
    }
    for (int k = 0; k < g->use->layer->input_count; k++) /* an input, handed through */
        if (root_of(g, g->use->inputs[k])->value[layout] == value)
            t->root = g->tensors[g->use->inputs[k]].root;
    return CONVOY_OK;
}

/* ---- the graph ---- */

convoy_status onnx_graph_create(size_t tensors, onnx_graph **out, convoy_error *err)
{
    onnx_graph *g = calloc(1, sizeof *g);
    if (g == NULL)
        return OUT_OF_MEMORY(err);
    g->tensors = calloc(tensors + 1, sizeof *g->tensors);
    if (g->tensors == NULL) {
        free(g);
        return OUT_OF_MEMORY(err);
    }
    g->tensor_count = tensors;
    *out = g;
    return CONVOY_OK;
}

void onnx_graph_destroy(onnx_graph *g)
{
    if (g == NULL)
        return;
    for (size_t i = 0; i < g->value_count; i++)
        free(g->names[i]);
    for (size_t i = 0; i < g->tensor_count; i++)
        free(g->tensors[i].path);
    text_free(&g->initializers);
    free(g->inputs.value);
    free(g->inputs.tensor);
    free(g->outputs.value);
    free(g->outputs.tensor);
    free(g->names);
    free(g->steps);
    free(g->tensors);
    free(g);
}

static convoy_status set_tensor(onnx_graph *g, int tensor, const char *path, const convoy_shape *shape, convoy_error *err)
{
    g->tensors[tensor] = (onnx_tensor){.root = tensor, .path = strdup(path), .shape = *shape};
    return g->tensors[tensor].path ? CONVOY_OK : OUT_OF_MEMORY(err);
}

static convoy_status append(onnx_ends *ends, onnx_value value, int tensor, convoy_error *err)
{
    onnx_value *values = realloc(ends->value, (ends->count + 1) * sizeof *values);
    ends->value = values ? values : ends->value;
    int *tensors = realloc(ends->tensor, (ends->count + 1) * sizeof *tensors);
    ends->tensor = tensors ? tensors : ends->tensor;
    if (values == NULL || tensors == NULL)
        return OUT_OF_MEMORY(err);
    values[ends->count] = value;
    tensors[ends->count++] = tensor;
    return CONVOY_OK;
}

bool onnx_is_end(const onnx_graph *g, onnx_value value)
{
    for (size_t i = 0; i < g->inputs.count; i++)
        if (g->inputs.value[i] == value)
            return true;
    for (size_t i = 0; i < g->outputs.count; i++)
        if (g->outputs.value[i] == value)
            return true;
    return false;
}

convoy_status onnx_graph_input(onnx_graph *g, int tensor, const char *name, const convoy_shape *shape, convoy_error *err)
{
    TRY(set_tensor(g, tensor, name, shape, err));
    onnx_value value = new_value(g, strdup(name));
    if (value == 0 || onnx_name(g, value) == NULL)
        return OUT_OF_MEMORY(err);
    g->tensors[tensor].value[ONNX_LAST] = value;
    return append(&g->inputs, value, tensor, err);
}

/* What the nodes of a use give, besides its result, is called by their operators. */
static convoy_status name_rest(onnx_graph *g, convoy_error *err)
{
    for (size_t i = g->first_step; i < g->step_count; i++) {
        const onnx_step *step = &g->steps[i];
        if (onnx_name(g, step->output) == NULL)
            g->names[step->output - 1] = own_name(g, step->node.op);
    }
    return g->failure.status == CONVOY_OK ? CONVOY_OK : base_fail(err, g->failure.status, "%s", g->failure.message);
}

/* An alias has no form of its own: it is its input, in its own shape. */
static convoy_status add_layer(onnx_graph *g, const layer *l, convoy_error *err)
{
    const layer_class *class = l->class;
    onnx_layout layout = onnx_given_layout(g);
    if (class->onnx != NULL)
        return class->onnx(l, g, err);
    if (class->alias)
        return onnx_result(g, onnx_reshape(g, onnx_input(g, 0, ONNX_LAST), &l->output), ONNX_LAST, err);
    if (class->alias_in_inference)
        return onnx_result(g, onnx_input(g, 0, layout), layout, err);
    return base_fail(err, CONVOY_ERROR_MODEL, "this class has no form in ONNX yet; the model can't be exported");
}

convoy_status onnx_graph_add(onnx_graph *g, const onnx_use *use, convoy_error *err)
{
    const layer *l = use->layer;
    TRY(set_tensor(g, use->tensor, use->path, &l->output, err));
    g->use = use;
    g->first_step = g->step_count;
    convoy_status status = CONVOY_OK;
    if (l->input_count == 0) /* the InputLayer of a model inside the model is what that model is called with */
        g->tensors[use->tensor].root = g->tensors[use->inputs[0]].root;
    else
        status = add_layer(g, l, err);
    if (status == CONVOY_OK)
        status = name_rest(g, err);
    g->use = NULL;
    return status == CONVOY_OK ? CONVOY_OK : base_fail_in(err, status, "layer '%s' (%s)", l->name, l->class->name);
}

/* What has another name, is an input or is an output already is given out by an Identity. */
convoy_status onnx_graph_output(onnx_graph *g, int tensor, const char *name, convoy_error *err)
{
    onnx_value value = value_in(g, tensor, ONNX_LAST);
    if (value == 0 || onnx_name(g, value) == NULL)
        return OUT_OF_MEMORY(err);
    if (strcmp(onnx_name(g, value), name) == 0 && !onnx_is_end(g, value))
        return append(&g->outputs, value, tensor, err);
    onnx_value copy = onnx_unary(g, "Identity", value);
    char *own = find_value(g, name) == 0 ? strdup(name) : join(g, name, "/output", g->outputs.count);
    if (copy == 0 || own == NULL) {
        free(own);
        return OUT_OF_MEMORY(err);
    }
    g->names[copy - 1] = own;
    return append(&g->outputs, copy, tensor, err);
}
