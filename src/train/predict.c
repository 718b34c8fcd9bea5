/* The forward pass on inputs of the caller's. */
#include "convoy/train.h"
#include "model/plan.h"
#include "train/check_fit.h"

static convoy_status run(plan *p, const convoy_model *model, const float *inputs, size_t count, int batch,
                         float *outputs, convoy_error *err)
{
    convoy_shape in = convoy_model_input(model), out = convoy_model_output(model);
    size_t in_count = shape_count(&in), out_count = shape_count(&out);
    rt_list_collect(plan_list(p));
    TRY(plan_add_forward(p, err));
    TRY(rt_list_build(plan_list(p), err));
    TRY(plan_add_forward(p, err));
    for (size_t first = 0; first < count; first += (size_t)batch) {
        size_t n = count - first < (size_t)batch ? count - first : (size_t)batch;
        TRY(rt_list_set_batch(plan_list(p), (int)n, err));
        TRY(rt_buffer_write((rt_buffer *)plan_input(p), 0, inputs + first * in_count, n * in_count * sizeof(float), err));
        TRY(rt_list_play(plan_list(p), 0, rt_list_length(plan_list(p)), err));
        TRY(rt_buffer_read((rt_buffer *)plan_output(p), 0, outputs + first * out_count, n * out_count * sizeof(float),
                           err));
    }
    return CONVOY_OK;
}

convoy_status convoy_predict(convoy_context *ctx, convoy_model *model, const float *inputs, size_t count, int batch_size,
                             float *outputs, convoy_error *err)
{
    plan_options options = {0};
    plan *p = NULL;
    TRY(check_batch(batch_size, count, &options.batch, err));
    TRY(plan_create(ctx, model, &options, &p, err));
    convoy_status status = run(p, model, inputs, count, options.batch, outputs, err);
    plan_destroy(p);
    return status;
}
