#include "report/evaluation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "convoy/scale.h"
#include "convoy/train.h"
#include "data/data.h"
#include "runtime/runtime.h"
#include "train/check_fit.h"
#include "train/run.h"

/* As in the run, whose run.json tells where it is not 255. The rule for images of another kind: bytes where there were floats. */
static double scale_of(const report_run *r, const convoy_dataset *images)
{
    double scale = run_number(r, "data.test_scale");
    if (r->model != NULL && images != NULL && convoy_dataset_prepared(images) != json_is_true(run_value(r, "data.prepared")))
        return convoy_pixels_for(r->model, images, 0).scale;
    return scale > 0 ? scale : 255.0;
}

/* ---- images ---- */

static convoy_status open_images(const report_run *r, const char *data, evaluation *l, convoy_error *err)
{
    convoy_dataset_options options = {.coarse_labels = run_has_argument(r, "--coarse-labels")};
    const json_t *shape = run_value(r, "data.shape");
    int *const sizes[] = {&options.height, &options.width, &options.channels};
    for (size_t i = 0; i < 3 && json_array_size(shape) == 3; i++)
        *sizes[i] = (int)json_integer_value(json_array_get(shape, i));
    if (data == NULL)
        data = run_text(r, "data.name");
    if (data == NULL)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s/run.json does not name the data; give --data DATA", r->folder);
    return convoy_dataset_open_with(data, "test", &options, &l->images, err);
}

/* ---- predictions ---- */

/* Float inputs of images [first, first + count). */
static void scale_images(const evaluation *l, size_t first, size_t count, size_t values, double scale, float *out)
{
    float divisor = (float)scale;
    for (size_t i = 0; i < count * values; i++)
        out[i] = dataset_value(l->images, first * values + i) / divisor;
}

static convoy_status predict_all(const report_run *r, convoy_predictor *p, size_t batch, evaluation *l, convoy_error *err)
{
    convoy_shape in = convoy_model_input(r->model);
    size_t values = shape_count(&in), count = convoy_dataset_count(l->images), given = (size_t)l->outputs.values;
    float *inputs = malloc(batch * values * sizeof *inputs), *outputs = malloc(count * given * sizeof *outputs);
    convoy_status status = inputs && outputs ? CONVOY_OK : OUT_OF_MEMORY(err);
    for (size_t first = 0; first < count && status == CONVOY_OK; first += batch) {
        size_t rows = count - first < batch ? count - first : batch;
        scale_images(l, first, rows, values, l->scale, inputs);
        status = convoy_predictor_run(p, inputs, rows, outputs + first * given, err);
    }
    const int32_t *labels = convoy_dataset_labels(l->images);
    for (size_t i = 0; i < count && status == CONVOY_OK; i++) {
        convoy_outputs_probabilities(&l->outputs, outputs + i * given, l->probabilities + i * (size_t)l->classes);
        l->guess[i] = convoy_outputs_class(&l->outputs, outputs + i * given);
        l->right += l->guess[i] == labels[i];
    }
    free(inputs);
    free(outputs);
    return status;
}

static convoy_status keep_layers(const report_run *r, convoy_predictor *p, evaluation *l, convoy_error *err)
{
    convoy_shape in = convoy_model_input(r->model);
    size_t values = shape_count(&in);
    convoy_status status = CONVOY_OK;
    l->layer_count = convoy_model_layer_count(r->model);
    l->activations = calloc(l->layer_count, sizeof *l->activations);
    float *input = malloc(values * sizeof *input), *result = malloc((size_t)l->outputs.values * sizeof *result);
    if (l->activations == NULL || input == NULL || result == NULL)
        TRY_GOTO(OUT_OF_MEMORY(err));
    scale_images(l, l->shown, 1, values, l->scale, input);
    TRY_GOTO(convoy_predictor_run(p, input, 1, result, err));
    for (size_t i = 0; i < l->layer_count; i++) {
        convoy_shape shape = convoy_model_layer_output(r->model, i);
        l->activations[i] = malloc(shape_count(&shape) * sizeof(float));
        if (l->activations[i] == NULL)
            TRY_GOTO(OUT_OF_MEMORY(err));
        TRY_GOTO(convoy_predictor_layer(p, i, 1, l->activations[i], err));
    }
done:
    free(input);
    free(result);
    return status;
}

/* The batch of the run, since its kernels are compiled already; smaller where the device can't hold all layers' outputs so
 * often. */
static convoy_status create_predictor(convoy_context *ctx, const report_run *r, size_t count, convoy_predictor **out,
                                      size_t *batch, convoy_error *err)
{
    *batch = (size_t)run_report_batch(run_number(r, "fit.batch_size"));
    *batch = *batch < count ? *batch : count;
    for (;; *batch /= 2) {
        convoy_status status = convoy_predictor_create_keeping(ctx, r->model, (int)*batch, out, err);
        if (status != CONVOY_ERROR_DEVICE_MEMORY || *batch == 1)
            return status;
    }
}

/* The image that layers are shown for: the first that the model is right about. */
static size_t choose_shown(const evaluation *l)
{
    const int32_t *labels = convoy_dataset_labels(l->images);
    for (size_t i = 0; i < convoy_dataset_count(l->images); i++)
        if (l->guess[i] == labels[i])
            return i;
    return 0;
}

static convoy_status predict(convoy_context *ctx, const report_run *r, evaluation *l, convoy_error *err)
{
    size_t count = convoy_dataset_count(l->images), batch = 0;
    convoy_predictor *p = NULL;
    l->classes = l->outputs.classes;
    l->probabilities = malloc(count * (size_t)l->classes * sizeof *l->probabilities);
    l->guess = malloc(count * sizeof *l->guess);
    if (l->probabilities == NULL || l->guess == NULL)
        return OUT_OF_MEMORY(err);
    TRY(create_predictor(ctx, r, count, &p, &batch, err));
    convoy_status status = predict_all(r, p, batch, l, err);
    if (status == CONVOY_OK) {
        l->shown = choose_shown(l);
        status = keep_layers(r, p, l, err);
    }
    convoy_predictor_destroy(p);
    return status;
}

/* Can what the model gives be told as the classes that the images have? */
static convoy_status check_classes(const report_run *r, evaluation *l, convoy_error *err)
{
    int classes = convoy_dataset_classes(l->images);
    TRY(convoy_model_outputs(r->model, NULL, run_has_argument(r, "--from-probabilities"), &l->outputs, err));
    if (l->outputs.meaning == CONVOY_MEANS_NUMBERS)
        return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' gives numbers, not classes", r->model->name);
    if (l->outputs.classes < classes)
        return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' tells %d classes apart, but the images have %d", r->model->name,
                         l->outputs.classes, classes);
    return CONVOY_OK;
}

convoy_status evaluation_run(convoy_context *ctx, const report_run *r, const char *data, double scale, evaluation *l,
                      convoy_error *err)
{
    convoy_error why = {0};
    *l = (evaluation){0};
    if (open_images(r, data, l, &why) == CONVOY_ERROR_MEMORY)
        return OUT_OF_MEMORY(err);
    if (l->images == NULL) {
        snprintf(l->why_no_images, sizeof l->why_no_images, "%.2000s", why.message);
        rt_message(ctx, "%s: without pictures of images and predictions: %s", r->folder, why.message);
    }
    l->scale = scale > 0 ? scale : scale_of(r, l->images);
    if (r->model == NULL)
        snprintf(l->why_no_predictions, sizeof l->why_no_predictions, "There is no model.keras in the run's folder.");
    else if (l->images == NULL)
        text_copy(l->why_no_predictions, sizeof l->why_no_predictions, l->why_no_images);
    else if ((l->unmatched = convoy_dataset_match_classes(l->images, r->model, &why) != CONVOY_OK) ||
             check_fit(r->model, l->images, &why) != CONVOY_OK || check_classes(r, l, &why) != CONVOY_OK)
        snprintf(l->why_no_predictions, sizeof l->why_no_predictions, "%.2000s", why.message);
    else
        return predict(ctx, r, l, err);
    if (l->images != NULL)
        rt_message(ctx, "%s: without predictions: %s", r->folder, l->why_no_predictions);
    return CONVOY_OK;
}

const char *evaluation_class_name(const evaluation *l, const report_run *r, int label, char number[16])
{
    const char *name = run_class_name(r, label, number);
    const char *of_images = l->images != NULL ? convoy_dataset_class_name(l->images, label) : NULL;
    return of_images != NULL && (name == number || l->unmatched) ? of_images : name;
}

void evaluation_free(evaluation *l)
{
    for (size_t i = 0; l->activations != NULL && i < l->layer_count; i++)
        free(l->activations[i]);
    free(l->activations);
    free(l->probabilities);
    free(l->guess);
    convoy_dataset_destroy(l->images);
    *l = (evaluation){0};
}
