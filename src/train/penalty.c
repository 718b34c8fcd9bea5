#include "train/penalty.h"

#include <stdio.h>
#include <stdlib.h>

#include "ops/elementwise.h"

/* Values that a work-item sums, and how many work-items there are at most for one parameter. */
enum { PART = 1024, MOST_PARTS = 64 };

struct penalty {
    convoy_context *ctx;
    const convoy_model *model;
    plan *plan;
    int parts; /* of all parameters */
    rt_buffer *partial, *value;
};

/* One trained parameter that has a regularizer. */
typedef struct part {
    size_t node, count;
    int k, parts;
    double l1, l2;
} part;

/* The next one after (node, k); false at the end. Begins with node 0, k -1. */
static bool next_part(const convoy_model *model, part *p)
{
    for (; p->node < model->node_count; p->node++, p->k = -1) {
        const layer *l = model->nodes[p->node].layer;
        while (++p->k < l->param_count && model_is_first(model, p->node)) {
            const layer_param *param = &l->param[p->k];
            if (!l->trainable || !param->trainable || !rule_penalty(&param->rules.regularizer, &p->l1, &p->l2))
                continue;
            p->count = param->count;
            p->parts = (int)((param->count + PART - 1) / PART);
            p->parts = p->parts < MOST_PARTS ? p->parts : MOST_PARTS;
            return true;
        }
    }
    return false;
}

convoy_status penalty_create(convoy_context *ctx, const convoy_model *model, plan *p, penalty **out, convoy_error *err)
{
    convoy_status status;
    part each = {.k = -1};
    int parts = 0;
    *out = NULL;
    while (next_part(model, &each))
        parts += each.parts;
    if (parts == 0)
        return CONVOY_OK;
    penalty *t = calloc(1, sizeof *t);
    if (t == NULL)
        return OUT_OF_MEMORY(err);
    *t = (penalty){.ctx = ctx, .model = model, .plan = p, .parts = parts};
    TRY_GOTO(rt_buffer_create(ctx, (size_t)parts * sizeof(float), "parts of penalties", &t->partial, err));
    TRY_GOTO(rt_buffer_create(ctx, sizeof(float), "penalty", &t->value, err));
    *out = t;
    return CONVOY_OK;
done:
    penalty_destroy(t);
    return status;
}

void penalty_destroy(penalty *t)
{
    if (t == NULL)
        return;
    rt_buffer_destroy(t->partial);
    rt_buffer_destroy(t->value);
    free(t);
}

const rt_buffer *penalty_value(const penalty *t) { return t ? t->value : NULL; }

static convoy_status add_parts(const penalty *t, const part *p, int first, convoy_error *err)
{
    char options[64], label[160];
    snprintf(options, sizeof options, "-DVW=%u -DPARTS=%d", ops_width(t->ctx), p->parts);
    snprintf(label, sizeof label, "%s penalty", t->model->nodes[p->node].layer->name);
    rt_launch launch = {.label = label, .source = "penalty", .kernel = "penalty_parts", .options = options};
    rt_push(&launch, RT_BUFFER(plan_parameter(t->plan, p->node, p->k)));
    rt_push(&launch, RT_BUFFER(t->partial));
    rt_push(&launch, RT_INT(first));
    rt_push(&launch, RT_FLOAT((float)p->l1));
    rt_push(&launch, RT_FLOAT((float)p->l2));
    rt_push(&launch, RT_INT((int)p->count));
    ops_range(&launch, t->ctx, 0, (size_t)p->parts, 1);
    if (rt_wants_vectors(t->ctx))
        launch.local[0] = 1;
    launch.bytes = 4.0 * (double)p->count;
    return rt_list_add(plan_list(t->plan), &launch, err);
}

convoy_status penalty_add(const penalty *t, convoy_error *err)
{
    part p = {.k = -1};
    if (t == NULL)
        return CONVOY_OK;
    for (int first = 0; next_part(t->model, &p); first += p.parts)
        TRY(add_parts(t, &p, first, err));
    rt_launch sum = {.label = "penalty", .source = "penalty", .kernel = "penalty_sum", .options = "-DVW=1 -DPARTS=1"};
    rt_push(&sum, RT_BUFFER(t->partial));
    rt_push(&sum, RT_BUFFER(t->value));
    rt_push(&sum, RT_INT(t->parts));
    sum.global[0] = RT_FIXED(1);
    sum.local[0] = 1;
    return rt_list_add(plan_list(t->plan), &sum, err);
}

convoy_status penalty_add_gradient(const penalty *t, convoy_error *err)
{
    part p = {.k = -1};
    while (t != NULL && next_part(t->model, &p)) {
        char options[64], label[160];
        snprintf(options, sizeof options, "-DVW=%u -DPARTS=%d", ops_width(t->ctx), p.parts);
        snprintf(label, sizeof label, "%s penalty gradient", t->model->nodes[p.node].layer->name);
        rt_launch launch = {.label = label, .source = "penalty", .kernel = "penalty_gradient", .options = options};
        rt_push(&launch, RT_BUFFER(plan_parameter(t->plan, p.node, p.k)));
        rt_push(&launch, RT_BUFFER(plan_parameter_gradient(t->plan, p.node, p.k)));
        rt_push(&launch, RT_FLOAT((float)p.l1));
        rt_push(&launch, RT_FLOAT((float)p.l2));
        rt_push(&launch, RT_INT((int)p.count));
        ops_range(&launch, t->ctx, 0, p.count, ops_width(t->ctx));
        launch.bytes = 12.0 * (double)p.count;
        TRY(rt_list_add(plan_list(t->plan), &launch, err));
    }
    return CONVOY_OK;
}
