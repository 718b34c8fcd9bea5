#include "train/check_fit.h"

#include <stdio.h>
#include <string.h>

#include "data/data.h"

convoy_status check_single(const convoy_model *model, const char *who_takes, convoy_error *err)
{
    size_t inputs = model_input_count(model), outputs = model_output_count(model);
    if (inputs <= 1 && outputs <= 1)
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' has %zu input%s and %zu output%s; %s models with one of each, and "
                     "convoy_predict_all any", model->name, inputs, inputs == 1 ? "" : "s", outputs, outputs == 1 ? "" : "s",
                     who_takes);
}

convoy_status check_fit(const convoy_model *model, const convoy_dataset *data, convoy_error *err)
{
    char of_model[96], of_data[96], fits[160], hint[200] = "";
    if (model->node_count == 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' has no layers", model->name);
    TRY(check_single(model, "training and evaluation take", err));
    convoy_shape in = convoy_model_input(model), out = convoy_model_output(model), row = convoy_dataset_shape(data);
    if (builtin_that_fits(model, &row, convoy_dataset_classes(data), fits, sizeof fits) != NULL)
        snprintf(hint, sizeof hint, "; '%s' fits", fits);
    if (in.rank != row.rank || memcmp(in.dim, row.dim, (size_t)in.rank * sizeof(int)) != 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' takes %s, but the images are %s%s", model->name,
                         shape_text(&in, of_model, sizeof of_model), shape_text(&row, of_data, sizeof of_data), hint);
    int at = 0;
    if (!dataset_numbered_as(data, model, &at)) {
        const char *known = convoy_model_class_name(model, (size_t)at);
        return base_fail(err, CONVOY_ERROR_MODEL, "class %d of the data is '%.60s', but that of the model is %s%.60s%s; call "
                         "convoy_dataset_match_classes first", at, convoy_dataset_class_name(data, at), known ? "'" : "",
                         known ? known : "none", known ? "'" : "");
    }
    if (out.rank != 1 || (out.dim[0] > 1 && out.dim[0] < convoy_dataset_classes(data))) /* one: the loss decides */
        return base_fail(err, CONVOY_ERROR_MODEL,
                         "layer '%s' gives %s, but the data has %d classes: the last layer must give one value a class%s",
                         model->nodes[model_output_node(model, 0)].layer->name, shape_text(&out, of_model, sizeof of_model),
                         convoy_dataset_classes(data), hint);
    return CONVOY_OK;
}

convoy_status check_batch(int wanted, size_t rows, int *out, convoy_error *err)
{
    if (wanted < 0)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "batch size %d; at least 1 is expected", wanted);
    if (rows == 0)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "the data set is empty");
    *out = wanted ? wanted : 32;
    if ((size_t)*out > rows)
        *out = (int)rows;
    return CONVOY_OK;
}
