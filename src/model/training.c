/* What a model carries for its training to go on, beside the optimizer's state. */
#include <stdlib.h>
#include <string.h>

#include "model/model.h"

void model_forget_training(convoy_model *model)
{
    json_decref(model->training);
    free(model->kept_weights);
    model->training = NULL;
    model->kept_weights = NULL;
    model->kept_count = 0;
}

convoy_status model_keep_weights(convoy_model *model, size_t more, float **out, convoy_error *err)
{
    size_t values = convoy_model_parameter_count(model), bytes;
    if (__builtin_mul_overflow(model->kept_count + more, values * sizeof(float), &bytes))
        return OUT_OF_MEMORY(err);
    float *all = realloc(model->kept_weights, bytes + 1);
    if (all == NULL)
        return OUT_OF_MEMORY(err);
    model->kept_weights = all;
    *out = all + model->kept_count * values;
    model->kept_count += more;
    return CONVOY_OK;
}

void model_copy_weights(const convoy_model *model, float *row, bool back)
{
    for (size_t i = 0; i < model->node_count; i++)
        for (int p = 0; model_is_first(model, i) && p < model->nodes[i].layer->param_count; p++) {
            size_t count = model->nodes[i].layer->param[p].count;
            float *weights = model->nodes[i].weights[p];
            memcpy(back ? weights : row, back ? row : weights, count * sizeof *row);
            row += count;
        }
}
