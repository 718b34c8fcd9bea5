/* Writing: the messages of onnx.proto (github.com/onnx/onnx), field by field. */
#include "base/protobuf.h"
#include "layers/onnx_inside.h"

enum { IR_VERSION = 8, OPSET = 17 };
enum { TYPE_FLOAT = 1, TYPE_INT64 = 7 };                                         /* TensorProto.DataType */
enum { MODEL_IR_VERSION = 1, MODEL_PRODUCER = 2, MODEL_PRODUCER_VERSION = 3, MODEL_GRAPH = 7, MODEL_OPSET = 8,
       MODEL_METADATA = 14 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12, GRAPH_VALUE = 13 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_FLOAT = 2, ATTRIBUTE_INT = 3, ATTRIBUTE_TEXT = 4, ATTRIBUTE_INTS = 8,
       ATTRIBUTE_TYPE = 20 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };

/* Puts bytes behind others and frees them. */
static void move(text *to, text *from)
{
    if (from->length > 0)
        text_add_bytes(to, from->data, from->length);
    to->failed |= from->failed;
    text_free(from);
}

/* ---- initializers ---- */

/* A TensorProto up to its values, of which `size` bytes must follow. */
static void begin_tensor(onnx_graph *g, const char *name, const convoy_shape *shape, const int *order, int type, size_t size)
{
    text head = {0};
    for (int i = 0; i < shape->rank; i++)
        proto_number(&head, TENSOR_DIMS, (uint64_t)shape->dim[order ? order[i] : i]);
    proto_number(&head, TENSOR_TYPE, (uint64_t)type);
    proto_string(&head, TENSOR_NAME, name);
    proto_key(&head, TENSOR_RAW, PROTO_BYTES);
    proto_varint(&head, size);
    proto_key(&g->initializers, GRAPH_INITIALIZER, PROTO_BYTES);
    proto_varint(&g->initializers, head.length + size);
    move(&g->initializers, &head);
}

/* Row-major values in the order of their transpose. */
static void add_transposed(text *t, const convoy_shape *shape, const float *values, const int *order)
{
    float chunk[256];
    size_t step[CONVOY_MAX_RANK] = {0}, filled = 0, size = 1;
    for (int i = shape->rank; i-- > 0; size *= (size_t)shape->dim[i])
        step[i] = size;
    for (size_t i = 0; i < size; i++) {
        size_t rest = i, at = 0;
        for (int k = shape->rank; k-- > 0; rest /= (size_t)shape->dim[order[k]])
            at += rest % (size_t)shape->dim[order[k]] * step[order[k]];
        chunk[filled++] = values[at];
        if (filled == sizeof chunk / sizeof *chunk || i + 1 == size) {
            proto_floats(t, chunk, filled);
            filled = 0;
        }
    }
}

void onnx_write_floats(onnx_graph *g, const char *name, const convoy_shape *shape, const float *values, const int *order)
{
    size_t count = shape_count(shape);
    begin_tensor(g, name, shape, order, TYPE_FLOAT, count * sizeof *values);
    if (order != NULL)
        add_transposed(&g->initializers, shape, values, order);
    else
        proto_floats(&g->initializers, values, count);
}

void onnx_write_ints(onnx_graph *g, const char *name, const int64_t *values, int count)
{
    begin_tensor(g, name, &(convoy_shape){1, {count}}, NULL, TYPE_INT64, (size_t)count * sizeof *values);
    for (int i = 0; i < count; i++)
        proto_little(&g->initializers, (uint64_t)values[i], 8);
}

/* ---- nodes ---- */

static void put_attribute(text *node, const onnx_attribute *a)
{
    text out = {0};
    proto_string(&out, ATTRIBUTE_NAME, a->name);
    switch (a->kind) {
    case ONNX_KIND_FLOAT: proto_float(&out, ATTRIBUTE_FLOAT, a->number); break;
    case ONNX_KIND_INT: proto_number(&out, ATTRIBUTE_INT, (uint64_t)a->ints[0]); break;
    case ONNX_KIND_TEXT: proto_string(&out, ATTRIBUTE_TEXT, a->text); break;
    case ONNX_KIND_INTS:
        for (int i = 0; i < a->count; i++)
            proto_number(&out, ATTRIBUTE_INTS, (uint64_t)a->ints[i]);
        break;
    }
    proto_number(&out, ATTRIBUTE_TYPE, (uint64_t)a->kind);
    proto_message(node, NODE_ATTRIBUTE, &out);
}

static void put_node(const onnx_graph *g, const onnx_step *step, text *graph)
{
    text node = {0};
    const onnx_node *n = &step->node;
    for (int k = 0; k < LAYER_MAX_INPUTS && n->input[k] != 0; k++)
        proto_string(&node, NODE_INPUT, onnx_name(g, n->input[k]));
    proto_string(&node, NODE_OUTPUT, onnx_name(g, step->output));
    proto_string(&node, NODE_NAME, onnx_name(g, step->output));
    proto_string(&node, NODE_OP, n->op);
    for (int i = 0; i < ONNX_MOST_ATTRIBUTES && n->attribute[i].name != NULL; i++)
        put_attribute(&node, &n->attribute[i]);
    proto_message(graph, GRAPH_NODE, &node);
}

/* ---- shapes: ValueInfoProto, TypeProto, TypeProto.Tensor, TensorShapeProto and its Dimension ---- */

static void put_size(text *shape, int size)
{
    text dimension = {0};
    if (size > 0)
        proto_number(&dimension, 1, (uint64_t)size);
    else
        proto_string(&dimension, 2, "N"); /* any: the batch */
    proto_message(shape, 1, &dimension);
}

static void put_value(text *graph, int field, const char *name, const convoy_shape *s, onnx_layout layout)
{
    text value = {0}, type = {0}, tensor = {0}, shape = {0};
    put_size(&shape, 0);
    if (layout == ONNX_FIRST)
        put_size(&shape, s->dim[s->rank - 1]);
    for (int i = 0; i < s->rank - (layout == ONNX_FIRST); i++)
        put_size(&shape, s->dim[i]);
    proto_number(&tensor, 1, TYPE_FLOAT);
    proto_message(&tensor, 2, &shape);
    proto_message(&type, 1, &tensor);
    proto_string(&value, 1, name);
    proto_message(&value, 2, &type);
    proto_message(graph, field, &value);
}

static void put_ends(const onnx_graph *g, const onnx_ends *ends, int field, text *graph)
{
    for (size_t i = 0; i < ends->count; i++)
        put_value(graph, field, onnx_name(g, ends->value[i]), &g->tensors[ends->tensor[i]].shape, ONNX_LAST);
}

/* What layers give, but for what is an input or output of the graph. */
static void put_inner_values(const onnx_graph *g, text *graph)
{
    for (size_t i = 0; i < g->tensor_count; i++)
        for (int layout = ONNX_LAST; layout <= ONNX_FIRST; layout++) {
            const onnx_tensor *t = &g->tensors[i];
            onnx_value value = t->value[layout];
            if (value != 0 && !onnx_is_end(g, value))
                put_value(graph, GRAPH_VALUE, onnx_name(g, value), &t->shape, (onnx_layout)layout);
        }
}

/* ---- the file ---- */

/* Puts the parts together without another copy of the initializers, which are often large. */
static void put_graph(onnx_graph *g, const char *name, text *model)
{
    text nodes = {0}, rest = {0}, *parts[] = {&nodes, &g->initializers, &rest};
    size_t size = 0;
    for (size_t i = 0; i < g->step_count; i++)
        put_node(g, &g->steps[i], &nodes);
    proto_string(&nodes, GRAPH_NAME, name);
    put_ends(g, &g->inputs, GRAPH_INPUT, &rest);
    put_ends(g, &g->outputs, GRAPH_OUTPUT, &rest);
    put_inner_values(g, &rest);
    for (int i = 0; i < 3; i++)
        size += parts[i]->length;
    proto_key(model, MODEL_GRAPH, PROTO_BYTES);
    proto_varint(model, size);
    for (int i = 0; i < 3; i++)
        move(model, parts[i]);
}

static void put_pair(text *model, const char *key, const char *value)
{
    text pair = {0};
    proto_string(&pair, 1, key);
    proto_string(&pair, 2, value);
    proto_message(model, MODEL_METADATA, &pair);
}

convoy_status onnx_graph_take(onnx_graph *g, const onnx_about *about, char **out, size_t *size, convoy_error *err)
{
    text model = {0}, opset = {0};
    proto_number(&model, MODEL_IR_VERSION, IR_VERSION);
    proto_string(&model, MODEL_PRODUCER, "convoy");
    proto_string(&model, MODEL_PRODUCER_VERSION, about->version);
    put_graph(g, about->name, &model);
    proto_string(&opset, 1, ""); /* ONNX's own operators */
    proto_number(&opset, 2, OPSET);
    proto_message(&model, MODEL_OPSET, &opset);
    for (size_t i = 0; about->metadata[i][0] != NULL; i++)
        put_pair(&model, about->metadata[i][0], about->metadata[i][1]);
    *size = model.length;
    return text_take(&model, out, err);
}
