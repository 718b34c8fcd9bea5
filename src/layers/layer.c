/* One layer's life: from its config to its shapes and parameters. */
#include "layers/layer.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "words/option.h"

/* ---- keys that every layer has ---- */

static convoy_status read_name(layer *l, const json_t *value, convoy_error *err)
{
    char found[200];
    const char *name = json_string_value(value);
    if (json_is_null(value))
        return CONVOY_OK;
    if (name == NULL || name[0] == '\0' || strchr(name, '/') != NULL || strlen(name) >= sizeof l->name)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'name' is %s; expected a text of 1 to %zu bytes without '/'",
                         option_value_text(value, found, sizeof found), sizeof l->name - 1);
    text_copy(l->name, sizeof l->name, name);
    return CONVOY_OK;
}

/* "float32", or a policy object around it. */
static convoy_status read_dtype(const json_t *value, convoy_error *err)
{
    char found[200];
    const json_t *inner = json_object_get(json_object_get(value, "config"), "name");
    const char *name = json_string_value(inner != NULL ? inner : value);
    if (json_is_null(value) || (name != NULL && strcmp(name, "float32") == 0))
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_MODEL, "option 'dtype' is %s; only \"float32\" is supported",
                     option_value_text(value, found, sizeof found));
}

static convoy_status read_common(void *user, const char *key, const json_t *value, bool *known, convoy_error *err)
{
    layer *l = user;
    *known = true;
    if (strcmp(key, "name") == 0)
        return CONVOY_OK; /* read first: messages use it */
    if (strcmp(key, "dtype") == 0)
        return read_dtype(value, err);
    if (strcmp(key, "trainable") == 0) {
        char found[200];
        if (option_read_bool(value, &l->trainable))
            return CONVOY_OK;
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'trainable' is %s; expected true or false",
                         option_value_text(value, found, sizeof found));
    }
    *known = false;
    return CONVOY_OK;
}

/* Puts the layer's class and name before the message. */
static convoy_status fail_in_layer(const layer *l, convoy_status status, convoy_error *err)
{
    if (l->name[0] != '\0')
        return base_fail_in(err, status, "layer '%s' (%s)", l->name, l->class->name);
    return base_fail_in(err, status, "layer %s", l->class->name);
}

convoy_status layer_create(const layer_class *class, const json_t *config, layer **out, convoy_error *err)
{
    layer *l = calloc(1, sizeof *l);
    if (l == NULL)
        return OUT_OF_MEMORY(err);
    l->class = class;
    l->trainable = true;
    l->state = calloc(1, class->state_size + 1);
    if (l->state == NULL) {
        layer_destroy(l);
        return OUT_OF_MEMORY(err);
    }
    const json_t *name = json_object_get(config, "name");
    convoy_status status = name != NULL ? read_name(l, name, err) : CONVOY_OK;
    if (status == CONVOY_OK)
        status = options_read_among(class->options, &(option_others){"name, trainable, dtype", read_common, l}, config, l->state, err);
    if (status != CONVOY_OK) {
        status = fail_in_layer(l, status, err);
        layer_destroy(l);
        return status;
    }
    *out = l;
    return CONVOY_OK;
}

void layer_destroy(layer *l)
{
    if (l == NULL)
        return;
    free(l->state);
    free(l);
}

/* A regularizer or constraint that is not there: Keras's default, and its key is left out. */
static bool is_no_rule(const option *row, const void *state)
{
    bool rule = row->kind == OPTION_REGULARIZER || row->kind == OPTION_CONSTRAINT;
    return rule && ((const param_rule *)((const char *)state + row->offset))->kind == 0;
}

json_t *layer_config(const layer *l)
{
    json_t *config = json_object();
    int failed = config == NULL;
    failed |= json_object_set_new(config, "name", json_string(l->name));
    if (!l->trainable && l->param_count > 0) /* Keras's InputLayer refuses the key; elsewhere it says nothing */
        failed |= json_object_set_new(config, "trainable", json_false());
    for (const option *row = l->class->options; row != NULL && row->name != NULL; row++)
        if (option_is_written(row) && !is_no_rule(row, l->state))
            failed |= json_object_set_new(config, row->name, option_write(row, l->state));
    if (failed) {
        json_decref(config);
        return NULL;
    }
    return config;
}

/* ---- shapes and parameters ---- */

/* Kernels index with int: no tensor of one image, and no parameter, may pass INT_MAX values. */
static convoy_status check_sizes(const layer *l, convoy_error *err)
{
    char shape[96];
    bool positive = true;
    for (int i = 0; i < l->output.rank; i++)
        positive = positive && l->output.dim[i] > 0;
    if (!positive || shape_count(&l->output) > INT_MAX)
        return base_fail(err, CONVOY_ERROR_MODEL, "the output would be %s; each size must be at least 1 and an image "
                         "at most %d values", shape_text(&l->output, shape, sizeof shape), INT_MAX);
    for (int i = 0; i < l->param_count; i++)
        if (l->param[i].count == 0 || l->param[i].count > INT_MAX)
            return base_fail(err, CONVOY_ERROR_MODEL,
                             "'%s' would have the shape %s (without None); 1 to %d values are possible",
                             l->param[i].name, shape_text(&l->param[i].shape, shape, sizeof shape), INT_MAX);
    for (int i = 0; i < l->param_count; i++)
        TRY(initializer_check(&l->param[i], err));
    for (int i = 0; i < l->param_count; i++)
        TRY(rules_check(&l->param[i], err));
    return CONVOY_OK;
}

static convoy_status check_count(const layer *l, int count, convoy_error *err)
{
    bool reads = l->class->forward != NULL || l->class->alias; /* InputLayer does not */
    if (count > 1 && !l->class->merges)
        return base_fail(err, CONVOY_ERROR_MODEL, "%d inputs; it takes one", count);
    if ((count > 0) != reads)
        return base_fail(err, CONVOY_ERROR_MODEL, reads ? "no input" : "it takes no input");
    return CONVOY_OK;
}

convoy_status layer_connect(layer *l, const convoy_shape *inputs, int count, convoy_error *err)
{
    char shapes[512] = "";
    if (count > LAYER_MAX_INPUTS)
        return fail_in_layer(l, base_fail(err, CONVOY_ERROR_MODEL, "%d inputs; at most %d are possible", count,
                                          LAYER_MAX_INPUTS), err);
    l->input_count = count;
    l->param_count = 0;
    for (int i = 0; i < count; i++) {
        size_t used = strlen(shapes);
        l->input[i] = inputs[i];
        text_copy(shapes + used, sizeof shapes - used, i ? " and " : ", input ");
        used = strlen(shapes);
        shape_text(&inputs[i], shapes + used, sizeof shapes - used);
    }
    convoy_status status = check_count(l, count, err);
    if (status == CONVOY_OK)
        status = l->class->build(l, err);
    if (status == CONVOY_OK)
        status = check_sizes(l, err);
    if (status != CONVOY_OK && l->name[0] != '\0')
        return base_fail_in(err, status, "layer '%s' (%s)%s", l->name, l->class->name, shapes);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "layer %s%s", l->class->name, shapes);
    return CONVOY_OK;
}

layer_part layer_find_part(const layer *l) { return l->class->part ? l->class->part(l) : (layer_part){0}; }

layer_needs layer_find_needs(const layer *l, const convoy_context *ctx, int batch, const epilogue_pool *pool)
{
    layer_needs needs = {0};
    if (l->class->needs)
        l->class->needs(l, ctx, batch, pool, &needs);
    return needs;
}

convoy_status layer_takes_images(const layer *l, convoy_error *err)
{
    char shape[96];
    if (l->input[0].rank == 3)
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_MODEL, "the input is %s; (height, width, channels) images are expected",
                     shape_text(&l->input[0], shape, sizeof shape));
}

void layer_add_param(layer *l, const char *name, convoy_shape shape, initializer init, int fan_in, int fan_out)
{
    assert(l->param_count < LAYER_MAX_PARAMS);
    l->param[l->param_count++] = (layer_param){
        .name = name,
        .shape = shape,
        .count = shape_count(&shape),
        .init = init,
        .fan_in = fan_in,
        .fan_out = fan_out,
        .trainable = l->trainable,
    };
}

void layer_add_rules(layer *l, const param_rules *rules)
{
    assert(l->param_count > 0);
    l->param[l->param_count - 1].rules = *rules;
}

convoy_status layer_last_axes(const layer *l, const option_axes *axes, int *first, convoy_error *err)
{
    int rank = l->input[0].rank, taken = 0;
    char shape[96];
    bool good = true;
    for (int i = 0; i < axes->count; i++) {
        int axis = axes->axis[i] < 0 ? axes->axis[i] + rank : axes->axis[i] - 1;
        good = good && axis >= 0 && axis < rank && !(taken & 1 << axis);
        if (good)
            taken |= 1 << axis;
    }
    *first = rank - axes->count;
    for (int axis = *first; good && axis < rank; axis++)
        good = (taken & 1 << axis) != 0;
    if (good)
        return CONVOY_OK;
    char found[96] = "";
    for (int i = 0; i < axes->count; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%d", i ? ", " : "", axes->axis[i]);
    return base_fail(err, CONVOY_ERROR_MODEL, "option 'axis' is %s with %s; only the last axis, -1, or several up to the last "
                     "are supported", found, shape_text(&l->input[0], shape, sizeof shape));
}

int layer_sample_inputs(const layer_class *class, const layer_sample *sample, convoy_shape out[LAYER_MAX_INPUTS])
{
    const convoy_shape *more = class->more_inputs ? class->more_inputs[sample - class->samples] : NULL;
    int count = 1;
    out[0] = sample->input;
    for (; more && count < LAYER_MAX_INPUTS && more[count - 1].rank > 0; count++)
        out[count] = more[count - 1];
    return count;
}
