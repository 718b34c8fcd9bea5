/* Reads ONNX files back, as far as the tests ask: fields of messages by their numbers in onnx.proto, nodes and initializers by name.
 * Written apart from what writes them, so all is static. */
#ifndef ONNX_HELP_H
#define ONNX_HELP_H

#include <unistd.h>

#include "graph_help.h"

/* A message, or the bytes of a field. */
typedef struct message {
    const unsigned char *at;
    size_t size;
} message;

/* One field of a message. */
typedef struct field {
    uint64_t number, value; /* value: of numbers */
    message bytes;          /* of what has a length, or of fixed 32 bits */
} field;

static inline uint64_t take_varint(message *m)
{
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        assert_true(m->size > 0 && shift < 64);
        unsigned char byte = *m->at++;
        m->size--;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return value;
    }
}

/* False at the end of the message. */
static inline bool next_field(message *m, field *out)
{
    if (m->size == 0)
        return false;
    uint64_t key = take_varint(m);
    *out = (field){.number = key >> 3};
    if ((key & 7) == 0) {
        out->value = take_varint(m);
        return true;
    }
    assert_true((key & 7) == 2 || (key & 7) == 5);
    size_t size = (key & 7) == 2 ? take_varint(m) : 4;
    assert_true(size <= m->size);
    out->bytes = (message){m->at, size};
    m->at += size;
    m->size -= size;
    return true;
}

/* The k-th field of this number; false: there are fewer. */
static inline bool find_field(message m, uint64_t number, size_t k, field *out)
{
    while (next_field(&m, out))
        if (out->number == number && k-- == 0)
            return true;
    return false;
}

static inline field field_of(message m, uint64_t number, size_t k)
{
    field found = {0};
    if (!find_field(m, number, k, &found))
        fail_msg("no field %d (%zu)", (int)number, k);
    return found;
}

static inline size_t count_fields(message m, uint64_t number)
{
    field found;
    size_t count = 0;
    while (next_field(&m, &found))
        count += found.number == number;
    return count;
}

static inline bool is_text(message m, const char *text)
{
    return m.size == strlen(text) && memcmp(m.at, text, m.size) == 0;
}

static inline void assert_text(message m, const char *expected)
{
    if (!is_text(m, expected))
        fail_msg("'%.*s' instead of '%s'", (int)m.size, (const char *)m.at, expected);
}

/* ---- files ---- */

/* An exported model; the caller frees *bytes. */
typedef struct exported {
    char *bytes;
    message model, graph;
} exported;

static char onnx_path[] = "/tmp/convoy-test-XXXXXX/model.onnx";

static inline int make_onnx_folder(void **state)
{
    char *slash = strrchr(onnx_path, '/');
    (void)state;
    *slash = '\0';
    bool made = mkdtemp(onnx_path) != NULL;
    *slash = '/';
    return made ? 0 : -1;
}

static inline int remove_onnx_folder(void **state)
{
    (void)state;
    unlink(onnx_path);
    *strrchr(onnx_path, '/') = '\0';
    return rmdir(onnx_path); /* which fails if anything else was left */
}

static inline exported export(const convoy_model *model)
{
    exported out = {0};
    size_t size;
    ASSERT_OK(convoy_model_export_onnx(model, onnx_path, &err));
    ASSERT_OK(file_read(onnx_path, MOST, &out.bytes, &size, &err));
    out.model = (message){(unsigned char *)out.bytes, size};
    out.graph = field_of(out.model, 7, 0).bytes;
    return out;
}

/* ---- graphs ---- */

/* The node that gives a value. */
static inline message node_of(const exported *e, const char *output)
{
    for (size_t i = 0; i < count_fields(e->graph, 1); i++) {
        message node = field_of(e->graph, 1, i).bytes;
        if (is_text(field_of(node, 2, 0).bytes, output))
            return node;
    }
    fail_msg("no node gives '%s'", output);
    return (message){0};
}

/* A node's operator and inputs: "Conv(x, kernel, bias)". */
static inline void assert_node(const exported *e, const char *output, const char *expected)
{
    char found[512];
    message node = node_of(e, output), op = field_of(node, 4, 0).bytes;
    snprintf(found, sizeof found, "%.*s(", (int)op.size, (const char *)op.at);
    for (size_t k = 0; k < count_fields(node, 1); k++) {
        message input = field_of(node, 1, k).bytes;
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%.*s", k ? ", " : "", (int)input.size,
                 (const char *)input.at);
    }
    strcat(found, ")");
    assert_string_equal(found, expected);
}

/* How many nodes have this operator. */
static inline size_t count_ops(const exported *e, const char *op)
{
    size_t count = 0;
    for (size_t i = 0; i < count_fields(e->graph, 1); i++)
        count += is_text(field_of(field_of(e->graph, 1, i).bytes, 4, 0).bytes, op);
    return count;
}

/* An attribute of a node that is a list of numbers: "0 0 1 1". */
static inline void assert_ints(const exported *e, const char *output, const char *attribute, const char *expected)
{
    char found[256] = "";
    message node = node_of(e, output);
    for (size_t i = 0; i < count_fields(node, 5); i++) {
        message a = field_of(node, 5, i).bytes;
        if (!is_text(field_of(a, 1, 0).bytes, attribute))
            continue;
        assert_int_equal(field_of(a, 20, 0).value, 7);
        for (size_t k = 0; k < count_fields(a, 8); k++)
            snprintf(found + strlen(found), sizeof found - strlen(found), "%s%lld", k ? " " : "",
                     (long long)field_of(a, 8, k).value);
    }
    assert_string_equal(found, expected);
}

static inline message initializer_of(const exported *e, const char *name)
{
    for (size_t i = 0; i < count_fields(e->graph, 5); i++) {
        message tensor = field_of(e->graph, 5, i).bytes;
        if (is_text(field_of(tensor, 8, 0).bytes, name))
            return tensor;
    }
    fail_msg("no initializer '%s'", name);
    return (message){0};
}

/* An initializer's shape, "8 3 3 3", and its values, which are floats or 64-bit numbers. */
static inline const void *initializer_values(const exported *e, const char *name, const char *shape, size_t width)
{
    char found[128] = "";
    message tensor = initializer_of(e, name), raw = field_of(tensor, 9, 0).bytes;
    size_t count = 1;
    for (size_t k = 0; k < count_fields(tensor, 1); k++) {
        uint64_t size = field_of(tensor, 1, k).value;
        count *= size;
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%d", k ? " " : "", (int)size);
    }
    assert_string_equal(found, shape);
    assert_int_equal(field_of(tensor, 2, 0).value, width == sizeof(float) ? 1 : 7);
    assert_int_equal(raw.size, count * width);
    return raw.at;
}

/* Name and shape of an input (field 11), output (12) or inner value (13): "image: N 8 8 3". */
static inline void assert_value(const exported *e, int kind, size_t k, const char *expected)
{
    char found[256];
    message value = field_of(e->graph, (uint64_t)kind, k).bytes, name = field_of(value, 1, 0).bytes;
    message tensor = field_of(field_of(value, 2, 0).bytes, 1, 0).bytes, shape = field_of(tensor, 2, 0).bytes;
    assert_int_equal(field_of(tensor, 1, 0).value, 1);
    snprintf(found, sizeof found, "%.*s:", (int)name.size, (const char *)name.at);
    for (size_t i = 0; i < count_fields(shape, 1); i++) {
        field size;
        message dimension = field_of(shape, 1, i).bytes;
        if (find_field(dimension, 1, 0, &size))
            snprintf(found + strlen(found), sizeof found - strlen(found), " %d", (int)size.value);
        else
            snprintf(found + strlen(found), sizeof found - strlen(found), " %.*s", (int)field_of(dimension, 2, 0).bytes.size,
                     (const char *)field_of(dimension, 2, 0).bytes.at);
    }
    assert_string_equal(found, expected);
}

#endif
