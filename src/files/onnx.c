/* A model as an ONNX file. What each layer is there, its own file says; the graph is built and written by layers/onnx.c. */
#include <limits.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/text.h"
#include "convoy/version.h"
#include "files/keras_file.h"
#include "layers/onnx.h"
#include "model/model.h"

/* ---- names: "conv2d"; in a model inside the model "block/conv2d"; the second use of a layer, or of such a model, "conv2d//1" ---- */

static void add_use(text *t, const char *name, size_t before)
{
    text_add(t, before > 0 ? "%s//%zu" : "%s", name, before);
}

static void add_scope(const convoy_model *model, int at, text *t)
{
    const model_scope *scope = &model->scopes[at];
    size_t before = 0;
    if (scope->outer < 0)
        return;
    add_scope(model, scope->outer, t);
    for (int i = 0; i < at; i++)
        before += model->scopes[i].outer == scope->outer && model->scopes[i].first == scope->first;
    add_use(t, scope->name, before);
    text_add(t, "/");
}

static convoy_status path_of(const convoy_model *model, size_t at, char **out, convoy_error *err)
{
    const model_node *node = &model->nodes[at];
    size_t before = 0;
    text t = {0};
    add_scope(model, node->scope, &t);
    for (size_t i = 0; i < at; i++)
        before += model->nodes[i].scope == node->scope && model->nodes[i].first == node->first;
    add_use(&t, node->layer->name, before);
    return text_take(&t, out, err);
}

/* ---- the graph ---- */

static convoy_status add_node(const convoy_model *model, size_t i, char *const *paths, onnx_graph *g, convoy_error *err)
{
    const model_node *node = &model->nodes[i];
    onnx_use use = {.layer = node->layer, .path = paths[i], .weights_path = paths[node->first], .weights = node->weights,
                    .inputs = node->input, .tensor = (int)i};
    return node->input_count > 0 ? onnx_graph_add(g, &use, err) : CONVOY_OK;
}

static convoy_status add_all(const convoy_model *model, char **paths, onnx_graph *g, convoy_error *err)
{
    for (size_t i = 0; i < model->node_count; i++)
        TRY(path_of(model, i, &paths[i], err));
    for (size_t k = 0; k < model_input_count(model); k++) {
        size_t i = model_input_node(model, k);
        TRY(onnx_graph_input(g, (int)i, paths[i], &model->nodes[i].layer->output, err));
    }
    for (size_t i = 0; i < model->node_count; i++)
        TRY(add_node(model, i, paths, g, err));
    for (size_t k = 0; k < model_output_count(model); k++) {
        size_t i = model_output_node(model, k);
        TRY(onnx_graph_output(g, (int)i, paths[i], err));
    }
    return CONVOY_OK;
}

static convoy_status build(const convoy_model *model, onnx_graph *g, convoy_error *err)
{
    char **paths = calloc(model->node_count, sizeof *paths);
    if (paths == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = add_all(model, paths, g, err);
    for (size_t i = 0; i < model->node_count; i++)
        free(paths[i]);
    free(paths);
    return status;
}

/* ---- the file ---- */

/* Names of classes as a JSON list; NULL: there are none. */
static convoy_status class_names(const convoy_model *model, char **out, convoy_error *err)
{
    json_t *root = NULL;
    *out = NULL;
    if (model->class_count == 0)
        return CONVOY_OK;
    TRY(keras_names_build(model, &root, err));
    *out = json_dumps(json_object_get(root, "class_names"), JSON_COMPACT);
    json_decref(root);
    return *out ? CONVOY_OK : OUT_OF_MEMORY(err);
}

static convoy_status write(const convoy_model *model, onnx_graph *g, const char *path, convoy_error *err)
{
    char *names = NULL, *bytes = NULL;
    size_t size = 0;
    convoy_status status = class_names(model, &names, err);
    const char *const metadata[][2] = {{names ? "class_names" : NULL, names}, {NULL, NULL}};
    onnx_about about = {.name = model->name, .version = CONVOY_VERSION, .metadata = metadata};
    if (status == CONVOY_OK)
        status = onnx_graph_take(g, &about, &bytes, &size, err);
    if (status == CONVOY_OK && size > INT_MAX)
        status = base_fail(err, CONVOY_ERROR_MODEL, "%s: would have %zu bytes; an ONNX file holds at most %d", path, size,
                           INT_MAX);
    if (status == CONVOY_OK)
        status = file_write(path, bytes, size, err);
    free(bytes);
    free(names);
    return status;
}

convoy_status convoy_model_export_onnx(const convoy_model *model, const char *path, convoy_error *err)
{
    onnx_graph *g = NULL;
    if (model->node_count == 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' has no layers", model->name);
    if (convoy_model_parameter_count(model) > INT_MAX / sizeof(float)) /* before gigabytes are copied */
        return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' has %zu parameters; an ONNX file, of at most %d bytes, holds "
                         "fewer", model->name, convoy_model_parameter_count(model), INT_MAX);
    TRY(onnx_graph_create(model->node_count, &g, err));
    convoy_status status = build(model, g, err);
    if (status == CONVOY_OK)
        status = write(model, g, path, err);
    onnx_graph_destroy(g);
    return status;
}
