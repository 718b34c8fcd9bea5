#include "train/constrain.h"

#include <stdio.h>

#include "ops/elementwise.h"

/* The shape with ones in front, and which of its axes a norm is taken over; returns the number of norms. */
static size_t norms_of(const layer_param *param, int dim[4], int reduced[4])
{
    const option_axes *axes = &param->rules.constraint.axis;
    int rank = param->shape.rank;
    size_t norms = 1;
    for (int d = 0; d < 4; d++) {
        dim[d] = d < 4 - rank ? 1 : param->shape.dim[d - (4 - rank)];
        reduced[d] = 0;
    }
    for (int i = 0; i < axes->count; i++)
        reduced[(axes->axis[i] < 0 ? axes->axis[i] + rank : axes->axis[i]) + 4 - rank] = 1;
    for (int d = 0; d < 4; d++)
        norms *= reduced[d] ? 1 : (size_t)dim[d];
    return norms;
}

static convoy_status add_norm(convoy_context *ctx, const char *label, const layer_param *param, const rt_buffer *w,
                              const rt_buffer *bad, rt_list *list, convoy_error *err)
{
    char options[320];
    int dim[4], reduced[4];
    double least, most, rate;
    size_t norms = norms_of(param, dim, reduced);
    (void)rule_norm(&param->rules.constraint, &least, &most, &rate);
    snprintf(options, sizeof options, "-DD0=%d -DD1=%d -DD2=%d -DD3=%d -DR0=%d -DR1=%d -DR2=%d -DR3=%d -DLEAST=%.9ef "
             "-DMOST=%.9ef -DRATE=%.9ef", dim[0], dim[1], dim[2], dim[3], reduced[0], reduced[1], reduced[2], reduced[3],
             least, most, rate);
    rt_launch launch = {.label = label, .source = "constraint", .kernel = "constrain_norm", .options = options};
    rt_push(&launch, RT_BUFFER(w));
    rt_push(&launch, RT_BUFFER(bad));
    ops_range(&launch, ctx, 0, norms, 1);
    launch.bytes = 12.0 * (double)param->count;
    return rt_list_add(list, &launch, err);
}

static convoy_status add_non_negative(convoy_context *ctx, const char *label, const layer_param *param, const rt_buffer *w,
                                      const rt_buffer *bad, rt_list *list, convoy_error *err)
{
    rt_launch launch = {.label = label, .source = "constraint", .kernel = "constrain_non_negative",
                        .options = "-DD0=1 -DD1=1 -DD2=1 -DD3=1 -DR0=0 -DR1=0 -DR2=0 -DR3=0 -DLEAST=0.0f -DMOST=1.0f "
                                   "-DRATE=1.0f"};
    rt_push(&launch, RT_BUFFER(w));
    rt_push(&launch, RT_BUFFER(bad));
    rt_push(&launch, RT_INT((int)param->count));
    ops_range(&launch, ctx, 0, param->count, 1);
    launch.bytes = 8.0 * (double)param->count;
    return rt_list_add(list, &launch, err);
}

convoy_status constrain_add(convoy_context *ctx, const convoy_model *model, plan *p, const rt_buffer *bad, convoy_error *err)
{
    for (size_t i = 0; i < model->node_count; i++) {
        const layer *l = model->nodes[i].layer;
        for (int k = 0; model_is_first(model, i) && k < l->param_count; k++) {
            const param_rule *rule = &l->param[k].rules.constraint;
            double least, most, rate;
            char label[192];
            if (!l->trainable || !l->param[k].trainable)
                continue;
            snprintf(label, sizeof label, "%s constraint", l->name);
            if (rule_is_non_negative(rule))
                TRY(add_non_negative(ctx, label, &l->param[k], plan_parameter(p, i, k), bad, plan_list(p), err));
            if (rule_norm(rule, &least, &most, &rate))
                TRY(add_norm(ctx, label, &l->param[k], plan_parameter(p, i, k), bad, plan_list(p), err));
        }
    }
    return CONVOY_OK;
}
