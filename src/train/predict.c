/* The forward pass on inputs of the caller's. */
#include <limits.h>
#include <stdlib.h>

#include "convoy/train.h"
#include "model/plan.h"
#include "train/check_fit.h"

struct convoy_predictor {
    plan *plan;
    size_t in_count, out_count; /* of one input and its output */
    int batch;
};

static convoy_status setup(convoy_predictor *p, convoy_context *ctx, const convoy_model *model, convoy_error *err)
{
    convoy_shape in = convoy_model_input(model), out = convoy_model_output(model);
    plan_options options = {.batch = p->batch};
    p->in_count = shape_count(&in);
    p->out_count = shape_count(&out);
    TRY(plan_create(ctx, model, &options, &p->plan, err));
    rt_list_collect(plan_list(p->plan));
    TRY(plan_add_forward(p->plan, err));
    TRY(rt_list_build(plan_list(p->plan), err));
    return plan_add_forward(p->plan, err);
}

convoy_status convoy_predictor_create(convoy_context *ctx, convoy_model *model, int batch_size, convoy_predictor **out,
                                      convoy_error *err)
{
    convoy_predictor *p = calloc(1, sizeof *p);
    if (p == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = check_batch(batch_size, INT_MAX, &p->batch, err);
    if (status == CONVOY_OK)
        status = setup(p, ctx, model, err);
    if (status != CONVOY_OK) {
        convoy_predictor_destroy(p);
        return status;
    }
    *out = p;
    return CONVOY_OK;
}

void convoy_predictor_destroy(convoy_predictor *p)
{
    if (p == NULL)
        return;
    plan_destroy(p->plan);
    free(p);
}

convoy_status convoy_predictor_run(convoy_predictor *p, const float *inputs, size_t count, float *outputs,
                                   convoy_error *err)
{
    rt_list *list = plan_list(p->plan);
    for (size_t first = 0; first < count; first += (size_t)p->batch) {
        size_t n = count - first < (size_t)p->batch ? count - first : (size_t)p->batch;
        TRY(rt_list_set_batch(list, (int)n, err));
        TRY(rt_buffer_write((rt_buffer *)plan_input(p->plan), 0, inputs + first * p->in_count,
                            n * p->in_count * sizeof(float), err));
        TRY(rt_list_play(list, 0, rt_list_length(list), err));
        TRY(rt_buffer_read((rt_buffer *)plan_output(p->plan), 0, outputs + first * p->out_count,
                           n * p->out_count * sizeof(float), err));
    }
    return CONVOY_OK;
}

convoy_status convoy_predict(convoy_context *ctx, convoy_model *model, const float *inputs, size_t count, int batch_size,
                             float *outputs, convoy_error *err)
{
    int batch;
    convoy_predictor *p = NULL;
    TRY(check_batch(batch_size, count, &batch, err));
    TRY(convoy_predictor_create(ctx, model, batch, &p, err));
    convoy_status status = convoy_predictor_run(p, inputs, count, outputs, err);
    convoy_predictor_destroy(p);
    return status;
}
