/* The one rule for what pixels are divided by. */
#include "convoy/scale.h"

#include <stdio.h>

#include "data/data.h"
#include "model/model.h"

/* Does the node give what the model was given, moved or varied at most? */
static bool is_pristine(const convoy_model *model, size_t i)
{
    const model_node *node = &model->nodes[i];
    for (size_t k = 0; k < model_input_count(model); k++)
        if (model_input_node(model, k) == i)
            return true;
    for (int k = 0; node->layer->class->keeps_range && k < node->input_count; k++)
        if (is_pristine(model, (size_t)node->input[k]))
            return true;
    return false;
}

static bool reads_pristine(const convoy_model *model, const model_node *node)
{
    for (int k = 0; k < node->input_count; k++)
        if (is_pristine(model, (size_t)node->input[k]))
            return true;
    return false;
}

/* The first layer of a model that wants 0 to 255; NULL: another one computes with its input too, or none of them does. */
static const char *taker_of(const convoy_model *model)
{
    const char *name = NULL;
    for (size_t i = 0; i < model->node_count; i++) {
        const model_node *node = &model->nodes[i];
        const layer_class *class = node->layer->class;
        if (class->keeps_range || !reads_pristine(model, node))
            continue;
        if (class->takes_bytes == NULL || !class->takes_bytes(node->layer, node->weights))
            return NULL;
        name = name != NULL ? name : node->layer->name;
    }
    return name;
}

/* Of floats that nobody is asked to divide. */
static void describe_prepared(const convoy_dataset *data, const char *taker, char *out, size_t size)
{
    int n = snprintf(out, size, "floats from %g to %g, as they are", (double)data->least, (double)data->most);
    if (taker != NULL && data->least >= -1 && data->most <= 1)
        snprintf(out + n, size - (size_t)n, "; the model rescales them as if they were 0 to 255 (%.128s)", taker);
}

convoy_pixels convoy_pixels_for(const convoy_model *model, const convoy_dataset *data, double scale)
{
    const char *taker = taker_of(model);
    bool prepared = data != NULL && data->prepared;
    convoy_pixels p = {.scale = scale > 0 ? scale : taker != NULL || prepared ? 1 : 255};
    if (prepared && p.scale == 1)
        describe_prepared(data, taker, p.text, sizeof p.text);
    else if (taker == NULL || prepared)
        snprintf(p.text, sizeof p.text, "divided by %g", p.scale);
    else if (p.scale == 1)
        snprintf(p.text, sizeof p.text, "0 to 255, the model rescales them itself (%.128s)", taker);
    else
        snprintf(p.text, sizeof p.text, "divided by %g, and the model rescales them again (%.128s)", p.scale, taker);
    return p;
}
