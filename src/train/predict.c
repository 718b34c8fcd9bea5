/* The forward pass on inputs of the caller's. */
#include <limits.h>
#include <stdlib.h>

#include "convoy/train.h"
#include "plan/plan.h"
#include "train/check_fit.h"

struct convoy_predictor {
    const convoy_model *model;
    plan *plan;
    int batch;
    bool keeps;  /* what every layer gives */
    size_t rows; /* of the last batch that ran; 0: none has */
};

static convoy_status write_pass(void *user, rt_list *list, convoy_error *err)
{
    TRY(plan_add_forward(user, err));
    return rt_list_fuse(list, 0, rt_list_length(list), err);
}

static convoy_status setup(convoy_predictor *p, convoy_context *ctx, convoy_error *err)
{
    plan_options options = {.batch = p->batch, .keep_outputs = p->keeps};
    TRY(plan_create(ctx, p->model, &options, &p->plan, err));
    return rt_list_compile(plan_list(p->plan), write_pass, p->plan, err);
}

static convoy_status create(convoy_context *ctx, const convoy_model *model, int batch, bool keeps, convoy_predictor **out,
                            convoy_error *err)
{
    convoy_predictor *p = calloc(1, sizeof *p);
    if (p == NULL)
        return OUT_OF_MEMORY(err);
    p->model = model;
    p->batch = batch;
    p->keeps = keeps;
    convoy_status status = setup(p, ctx, err);
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

/* One batch: rows [first, first + n). */
static convoy_status run_batch(convoy_predictor *p, const float *const *inputs, size_t first, size_t n,
                               float *const *outputs, convoy_error *err)
{
    rt_list *list = plan_list(p->plan);
    TRY(rt_list_set_batch(list, (int)n, err));
    for (size_t k = 0; k < model_input_count(p->model); k++) {
        convoy_shape shape = convoy_model_input_at(p->model, k);
        size_t count = shape_count(&shape);
        TRY(rt_buffer_write((rt_buffer *)plan_input_at(p->plan, k), 0, inputs[k] + first * count,
                            n * count * sizeof(float), err));
    }
    p->rows = 0;
    TRY(rt_list_play(list, 0, rt_list_length(list), err));
    p->rows = n;
    for (size_t k = 0; k < model_output_count(p->model); k++) {
        convoy_shape shape = convoy_model_output_at(p->model, k);
        size_t count = shape_count(&shape);
        TRY(rt_buffer_read((rt_buffer *)plan_output_at(p->plan, k), 0, outputs[k] + first * count,
                           n * count * sizeof(float), err));
    }
    return CONVOY_OK;
}

static convoy_status run(convoy_predictor *p, const float *const *inputs, size_t count, float *const *outputs,
                         convoy_error *err)
{
    for (size_t first = 0; first < count; first += (size_t)p->batch) {
        size_t left = count - first;
        TRY(run_batch(p, inputs, first, left < (size_t)p->batch ? left : (size_t)p->batch, outputs, err));
    }
    return CONVOY_OK;
}

convoy_status convoy_predictor_create(convoy_context *ctx, convoy_model *model, int batch_size, convoy_predictor **out,
                                      convoy_error *err)
{
    int batch;
    TRY(check_single(model, "convoy_predictor_create takes", err));
    TRY(check_batch(batch_size, INT_MAX, &batch, err));
    return create(ctx, model, batch, false, out, err);
}

convoy_status convoy_predictor_create_keeping(convoy_context *ctx, convoy_model *model, int batch_size,
                                              convoy_predictor **out, convoy_error *err)
{
    int batch;
    TRY(check_single(model, "convoy_predictor_create_keeping takes", err));
    TRY(check_batch(batch_size, INT_MAX, &batch, err));
    return create(ctx, model, batch, true, out, err);
}

convoy_status convoy_predictor_layer(convoy_predictor *p, size_t layer, size_t rows, float *out, convoy_error *err)
{
    size_t node = model_layer_node(p->model, layer);
    if (!p->keeps)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "this predictor does not keep what layers give; make it with "
                         "convoy_predictor_create_keeping");
    if (node == p->model->node_count)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "model '%s' has no layer %zu; it has %zu, numbered from 0", p->model->name,
                         layer, convoy_model_layer_count(p->model));
    if (rows > p->rows)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "%zu rows of layer '%s'; the last batch that ran had %zu", rows,
                         p->model->nodes[node].layer->name, p->rows);
    return rt_buffer_read((rt_buffer *)plan_node_output(p->plan, node), 0, out,
                          rows * shape_count(&p->model->nodes[node].layer->output) * sizeof(float), err);
}

convoy_status convoy_predictor_run(convoy_predictor *p, const float *inputs, size_t count, float *outputs,
                                   convoy_error *err)
{
    return run(p, &inputs, count, &outputs, err);
}

convoy_status convoy_predict_all(convoy_context *ctx, convoy_model *model, const float *const *inputs, size_t count,
                                 int batch_size, float *const *outputs, convoy_error *err)
{
    int batch;
    convoy_predictor *p = NULL;
    TRY(check_batch(batch_size, count, &batch, err));
    TRY(create(ctx, model, batch, false, &p, err));
    convoy_status status = run(p, inputs, count, outputs, err);
    convoy_predictor_destroy(p);
    return status;
}

convoy_status convoy_predict(convoy_context *ctx, convoy_model *model, const float *inputs, size_t count, int batch_size,
                             float *outputs, convoy_error *err)
{
    TRY(check_single(model, "convoy_predict takes", err));
    return convoy_predict_all(ctx, model, &inputs, count, batch_size, &outputs, err);
}
