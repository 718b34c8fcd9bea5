/* Which weight of a TensorFlow.js model's manifest is which of the model's. Their names end in "LAYER/kernel", as Keras 2 names
 * variables ("LAYER/kernel:0" too); in front may stand the models that the layer is in, or that once built it. Of Keras 3's own files
 * the converter makes "LAYER/0", "LAYER/1", ... */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "files/safetensors.h"
#include "files/tfjs.h"
#include "model/level.h"

/* A weight of the model. */
typedef struct target {
    const model_node *node;
    int param;
    tfjs_weight *source;
} target;

typedef struct matching {
    const convoy_model *model;
    tfjs_manifest manifest;
    target *targets;
    size_t count;
} matching;

/* ---- names ---- */

static bool is_word(const char *last, const char *word)
{
    size_t length = strcspn(last, ":");
    return length == strlen(word) && strncmp(last, word, length) == 0;
}

/* Is the name's last part that of this weight? Keras 2 calls the kernel of a DepthwiseConv2D otherwise than Keras 3. */
static bool is_param(const layer *l, int param, const char *last)
{
    const char *name = l->param[param].name;
    if (isdigit((unsigned char)last[0])) {
        char *end;
        return strtol(last, &end, 10) == param && *end == '\0';
    }
    if (strcmp(name, "kernel") == 0 && strcmp(l->class->name, "DepthwiseConv2D") == 0 && is_word(last, "depthwise_kernel"))
        return true;
    return is_word(last, name);
}

/* Takes `part` off the end of the first *length characters, and the '/' in front of it; gives its length, or 0. */
static size_t take_off(const char *name, size_t *length, const char *part)
{
    size_t size = strlen(part);
    if (size == 0 || size > *length || memcmp(name + *length - size, part, size) != 0)
        return 0;
    if (size < *length && name[*length - size - 1] != '/')
        return 0;
    *length -= size < *length ? size + 1 : size;
    return size;
}

/* How many characters of the name say that it is this weight, those of its layer and of models around it; 0: it is another's. */
static size_t likeness(const convoy_model *model, const target *t, const char *name)
{
    const char *slash = strrchr(name, '/');
    size_t length = slash ? (size_t)(slash - name) : 0;
    if (slash == NULL || !is_param(t->node->layer, t->param, slash + 1))
        return 0;
    size_t like = take_off(name, &length, t->node->layer->name), more = like;
    for (int s = t->node->scope; s > 0 && more > 0; s = model->scopes[s].outer) {
        more = take_off(name, &length, model->scopes[s].name);
        like += more;
    }
    return like;
}

/* ---- who belongs to whom ---- */

/* The weight of the manifest that is likest; of several the one that says least beside it. */
static tfjs_weight *likest_source(const matching *m, const target *t)
{
    tfjs_weight *best = NULL;
    size_t most = 0;
    for (size_t i = 0; i < m->manifest.count; i++) {
        tfjs_weight *w = &m->manifest.weights[i];
        size_t like = w->is_optimizers ? 0 : likeness(m->model, t, w->name);
        if (like > most || (like > 0 && like == most && strlen(w->name) < strlen(best->name))) {
            best = w;
            most = like;
        }
    }
    return best;
}

/* Is any other weight of the model likelier to be this one? Of equals the outermost is. */
static bool is_likest_target(const matching *m, const target *t, const char *name)
{
    size_t like = likeness(m->model, t, name);
    for (size_t i = 0; i < m->count; i++) {
        size_t other = likeness(m->model, &m->targets[i], name);
        if (other > like || (other == like && m->targets[i].node->scope < t->node->scope))
            return false;
    }
    return true;
}

static const char *first_unused(const matching *m)
{
    for (size_t i = 0; i < m->manifest.count; i++)
        if (!m->manifest.weights[i].used && !m->manifest.weights[i].is_optimizers)
            return m->manifest.weights[i].name;
    return NULL;
}

static convoy_status match(matching *m, convoy_error *err)
{
    char path[LEVEL_WEIGHT_PATH];
    const target *missing = NULL;
    for (size_t i = 0; i < m->count; i++) {
        target *t = &m->targets[i];
        tfjs_weight *w = likest_source(m, t);
        if (w != NULL && !w->used && is_likest_target(m, t, w->name)) {
            t->source = w;
            w->used = true;
        } else if (missing == NULL)
            missing = t;
    }
    const char *unused = first_unused(m);
    if (missing != NULL) {
        TRY(level_weight_path(m->model, missing->node, missing->param, path, err));
        return base_fail(err, CONVOY_ERROR_FORMAT, "no weight is called '%s', which the model has%s%.200s%s", path,
                         unused ? "; '" : "", unused ? unused : "", unused ? "' is none of the model's" : "");
    }
    if (unused != NULL)
        return base_fail(err, CONVOY_ERROR_FORMAT, "the model has no weight for '%.200s'", unused);
    return CONVOY_OK;
}

static convoy_status check_shapes(const matching *m, convoy_error *err)
{
    for (size_t i = 0; i < m->count; i++) {
        const target *t = &m->targets[i];
        TRY(safetensors_check_shape(t->source->name, t->source->shape, &t->node->layer->param[t->param].shape, err));
    }
    return CONVOY_OK;
}

/* ---- all of it ---- */

static convoy_status list_targets(matching *m, convoy_error *err)
{
    size_t *nodes = NULL, count = 0;
    TRY(level_order(m->model, 0, &nodes, &count, err));
    m->targets = calloc(count * LAYER_MAX_PARAMS + 1, sizeof *m->targets);
    for (size_t i = 0; i < count && m->targets != NULL; i++)
        for (int p = 0; p < m->model->nodes[nodes[i]].layer->param_count; p++)
            m->targets[m->count++] = (target){.node = &m->model->nodes[nodes[i]], .param = p};
    free(nodes);
    return m->targets != NULL ? CONVOY_OK : OUT_OF_MEMORY(err);
}

static convoy_status read_group(const matching *m, size_t group, const char *path, convoy_error *err)
{
    unsigned char *bytes = NULL;
    TRY(tfjs_manifest_read(&m->manifest, group, path, &bytes, err));
    for (size_t i = 0; i < m->count; i++)
        if (m->targets[i].source->group == group)
            tfjs_manifest_values(m->targets[i].source, bytes, m->targets[i].node->weights[m->targets[i].param]);
    free(bytes);
    return CONVOY_OK;
}

convoy_status tfjs_weights_read(convoy_model *model, const json_t *groups, const char *path, bool *state, convoy_error *err)
{
    matching m = {.model = model};
    convoy_status status = tfjs_manifest_parse(groups, &m.manifest, err);
    if (status == CONVOY_OK)
        status = list_targets(&m, err);
    if (status == CONVOY_OK)
        status = match(&m, err);
    if (status == CONVOY_OK)
        status = check_shapes(&m, err);
    if (status != CONVOY_OK)
        base_fail_in(err, status, "weightsManifest");
    for (size_t g = 0; g < json_array_size(groups) && status == CONVOY_OK; g++)
        status = read_group(&m, g, path, err);
    *state = false;
    for (size_t i = 0; i < m.manifest.count; i++)
        *state = *state || m.manifest.weights[i].is_optimizers;
    free(m.targets);
    tfjs_manifest_free(&m.manifest);
    return status;
}
