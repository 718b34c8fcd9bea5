/* Weights without their model: one name for every kind of file, and a model that stays as it was when a file is no good. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "files/files.h"
#include "files/tfjs.h"
#include "model/build.h"

/* What a load replaces. */
typedef struct kept {
    float *weights; /* all, one after another */
    float *slots[OPTIMIZER_MAX_SLOTS];
    int slot_count;
    uint64_t steps;
    float scalar;
    double rate;
    char left_out[sizeof ((convoy_model *)0)->optimizer_left_out];
} kept;

static convoy_status keep(convoy_model *model, kept *out, convoy_error *err)
{
    *out = (kept){.weights = malloc((convoy_model_parameter_count(model) + 1) * sizeof *out->weights),
                  .slot_count = model->optimizer_slot_count,
                  .steps = model->optimizer_steps,
                  .scalar = model->optimizer_scalar,
                  .rate = model->optimizer_settings.learning_rate};
    if (out->weights == NULL)
        return OUT_OF_MEMORY(err);
    model_copy_weights(model, out->weights, false);
    text_copy(out->left_out, sizeof out->left_out, model->optimizer_left_out);
    memcpy(out->slots, model->optimizer_slots, sizeof out->slots);
    memset(model->optimizer_slots, 0, sizeof model->optimizer_slots); /* they are ours now */
    model->optimizer_slot_count = 0;
    return CONVOY_OK;
}

static void bring_back(convoy_model *model, kept *k)
{
    model_copy_weights(model, k->weights, true);
    for (int s = 0; s < OPTIMIZER_MAX_SLOTS; s++) {
        free(model->optimizer_slots[s]);
        model->optimizer_slots[s] = k->slots[s];
        k->slots[s] = NULL;
    }
    model->optimizer_slot_count = k->slot_count;
    model->optimizer_steps = k->steps;
    model->optimizer_scalar = k->scalar;
    text_copy(model->optimizer_left_out, sizeof model->optimizer_left_out, k->left_out);
    model->optimizer_settings.learning_rate = k->rate;
}

static void free_kept(kept *k)
{
    for (int s = 0; s < OPTIMIZER_MAX_SLOTS; s++)
        free(k->slots[s]);
    free(k->weights);
}

/* ---- reading ---- */

static convoy_status fail_no_weights(const char *path, convoy_error *err)
{
    return base_fail(err, CONVOY_ERROR_FORMAT, "%s: holds no weights that can be read; expected a .weights.h5, .h5, .keras or "
                     ".safetensors file, or the model.json of a TensorFlow.js layers model", path);
}

static convoy_status read_json(convoy_model *model, const char *path, convoy_error *err)
{
    json_t *root = NULL;
    TRY(config_parse_file(path, &root, err));
    convoy_status status = CONVOY_OK;
    if (!tfjs_is(root))
        status = fail_no_weights(path, err);
    else if ((status = tfjs_read_weights(model, root, path, err)) != CONVOY_OK)
        base_fail_in(err, status, "%s", path);
    json_decref(root);
    return status;
}

static convoy_status read_file(convoy_model *model, const char *path, convoy_error *err)
{
    model_file_kind kind = MODEL_FILE_OTHER;
    TRY(model_file_kind_of(path, &kind, err));
    if (model->optimizer[0] != '\0') /* its state belonged to the weights before; the file may have a newer one */
        TRY(model_begin_optimizer(model, err));
    switch (kind) {
    case MODEL_FILE_ZIP: return keras_file_load_weights(model, path, err);
    case MODEL_FILE_HDF5: return keras_weights_load(model, path, err);
    case MODEL_FILE_SAFETENSORS: return safetensors_load(model, path, err);
    case MODEL_FILE_EMPTY: return base_fail(err, CONVOY_ERROR_FORMAT, "%s: is empty; expected weights", path);
    case MODEL_FILE_JSON: return read_json(model, path, err);
    case MODEL_FILE_OTHER: break;
    }
    return fail_no_weights(path, err);
}

convoy_status convoy_model_load_weights(convoy_model *model, const char *path, convoy_error *err)
{
    kept before;
    TRY(keep(model, &before, err));
    convoy_status status = read_file(model, path, err);
    if (status == CONVOY_OK)
        model->has_weights = true;
    else
        bring_back(model, &before);
    free_kept(&before);
    return status;
}

/* ---- writing ---- */

convoy_status convoy_model_save_weights(const convoy_model *model, const char *path, convoy_error *err)
{
    if (text_ends_with(path, ".weights.h5"))
        return keras_weights_save(model, path, err);
    if (text_ends_with(path, ".safetensors"))
        return safetensors_save(model, path, err);
    return base_fail(err, CONVOY_ERROR_ARGUMENT, "%s: the name of a file of weights must end in .weights.h5 or .safetensors", path);
}
