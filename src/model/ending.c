/* What a model's outputs come out of. */
#include "model/model.h"
#include "ops/activation.h"

const activation *model_ending(const convoy_model *model, bool training, size_t *node)
{
    size_t i = model_output_node(model, 0);
    /* Dropout and the like hand on what they are given, outside of training. */
    while (!training && model->nodes[i].layer->class->alias_in_inference)
        i = (size_t)model->nodes[i].input[0];
    *node = i;
    return model->nodes[i].readers == 0 || i != model_output_node(model, 0) ? model->nodes[i].layer->last_activation : NULL;
}

loss_settings model_default_loss(const convoy_model *model)
{
    size_t node;
    const activation *ending = model->node_count > 0 ? model_ending(model, false, &node) : NULL;
    if (ending != NULL && ending == activation_find("sigmoid"))
        return (loss_settings){.class = loss_class_find("binary_crossentropy")};
    return (loss_settings){.class = loss_class_find("sparse_categorical_crossentropy"),
                           .from_logits = ending == NULL || ending != activation_find("softmax")};
}
