/* The forward pass on inputs of the caller's. */
#include "convoy/train.h"
#include "model/plan.h"
#include "train/check_fit.h"

/* One batch: rows [first, first + n). */
static convoy_status run_batch(plan *p, const convoy_model *model, const float *const *inputs, size_t first, size_t n,
                               float *const *outputs, convoy_error *err)
{
    for (size_t k = 0; k < model_input_count(model); k++) {
        convoy_shape shape = convoy_model_input_at(model, k);
        size_t count = shape_count(&shape);
        TRY(rt_buffer_write((rt_buffer *)plan_input_at(p, k), 0, inputs[k] + first * count, n * count * sizeof(float), err));
    }
    TRY(rt_list_play(plan_list(p), 0, rt_list_length(plan_list(p)), err));
    for (size_t k = 0; k < model_output_count(model); k++) {
        convoy_shape shape = convoy_model_output_at(model, k);
        size_t count = shape_count(&shape);
        TRY(rt_buffer_read((rt_buffer *)plan_output_at(p, k), 0, outputs[k] + first * count, n * count * sizeof(float), err));
    }
    return CONVOY_OK;
}

static convoy_status run(plan *p, const convoy_model *model, const float *const *inputs, size_t count, int batch,
                         float *const *outputs, convoy_error *err)
{
    rt_list_collect(plan_list(p));
    TRY(plan_add_forward(p, err));
    TRY(rt_list_build(plan_list(p), err));
    TRY(plan_add_forward(p, err));
    for (size_t first = 0; first < count; first += (size_t)batch) {
        size_t n = count - first < (size_t)batch ? count - first : (size_t)batch;
        TRY(rt_list_set_batch(plan_list(p), (int)n, err));
        TRY(run_batch(p, model, inputs, first, n, outputs, err));
    }
    return CONVOY_OK;
}

convoy_status convoy_predict_all(convoy_context *ctx, convoy_model *model, const float *const *inputs, size_t count,
                                 int batch_size, float *const *outputs, convoy_error *err)
{
    plan_options options = {0};
    plan *p = NULL;
    TRY(check_batch(batch_size, count, &options.batch, err));
    TRY(plan_create(ctx, model, &options, &p, err));
    convoy_status status = run(p, model, inputs, count, options.batch, outputs, err);
    plan_destroy(p);
    return status;
}

convoy_status convoy_predict(convoy_context *ctx, convoy_model *model, const float *inputs, size_t count, int batch_size,
                             float *outputs, convoy_error *err)
{
    TRY(check_single(model, "convoy_predict takes", err));
    return convoy_predict_all(ctx, model, &inputs, count, batch_size, &outputs, err);
}
