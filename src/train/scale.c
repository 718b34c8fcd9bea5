/* The one rule for what pixels are divided by. */
#include "convoy/scale.h"

#include <stdio.h>

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

convoy_pixels convoy_pixels_for(const convoy_model *model, const convoy_dataset *data, double scale)
{
    const char *taker = taker_of(model);
    convoy_pixels p = {.scale = scale > 0 ? scale : taker != NULL ? 1 : 255};
    (void)data;
    if (taker == NULL)
        snprintf(p.text, sizeof p.text, "divided by %g", p.scale);
    else if (p.scale == 1)
        snprintf(p.text, sizeof p.text, "0 to 255, the model rescales them itself (%.128s)", taker);
    else
        snprintf(p.text, sizeof p.text, "divided by %g, and the model rescales them again (%.128s)", p.scale, taker);
    return p;
}
