/* Where an optimizer's variables stand in a .keras file: one walk for reading and writing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "files/keras_file.h"
#include "model/level.h"

bool keras_rate_is_variable(const convoy_model *model)
{
    return !optimizer_schedule_is_keras(&model->optimizer_settings);
}

typedef struct walk {
    convoy_model *model;
    keras_slot_visit visit;
    void *user;
    const size_t *nodes; /* in Keras's order */
    size_t node_count;
    size_t variable; /* the next one's number */
} walk;

static bool is_variable(const convoy_model *model, size_t node, int param)
{
    return model->nodes[node].layer->param[param].trainable;
}

static convoy_status visit_one(walk *w, const convoy_shape *shape, float *values, convoy_error *err)
{
    char path[64];
    snprintf(path, sizeof path, "optimizer/vars/%zu", w->variable++);
    return w->visit(w->user, path, shape, values, err);
}

/* Slots [first, first + count): those of the first parameter, those of the second, ... */
static convoy_status visit_group(walk *w, int first, int count, convoy_error *err)
{
    const convoy_model *model = w->model;
    for (size_t i = 0; i < w->node_count; i++) {
        const layer *l = model->nodes[w->nodes[i]].layer;
        size_t at = model_packed_offset(model, w->nodes[i]);
        for (int p = 0; p < l->param_count; p++) {
            if (!is_variable(model, w->nodes[i], p))
                continue;
            for (int s = first; s < first + count; s++)
                TRY(visit_one(w, &l->param[p].shape, model->optimizer_slots[s] + at, err));
            at += l->param[p].count;
        }
    }
    return CONVOY_OK;
}

/* Without slots (compiled, never trained) there is nothing to visit. */
static bool has_slots(const convoy_model *model, const optimizer_layout *layout)
{
    return layout->slots == model->optimizer_slot_count && (layout->slots == 0 || model->optimizer_slots[0] != NULL);
}

static convoy_status visit_all(walk *w, const optimizer_layout *layout, convoy_error *err)
{
    const convoy_shape scalar = {0};
    int first = 0;
    for (int g = 0; g < layout->groups; first += layout->group[g++])
        TRY(visit_group(w, first, layout->group[g], err));
    return layout->scalar ? visit_one(w, &scalar, &w->model->optimizer_scalar, err) : CONVOY_OK;
}

convoy_status keras_slots_visit(convoy_model *model, keras_slot_visit visit, void *user, convoy_error *err)
{
    const optimizer_class *class = optimizer_class_find(model->optimizer);
    optimizer_layout layout = optimizer_layout_of(class, &model->optimizer_settings);
    walk w = {.model = model, .visit = visit, .user = user, .variable = keras_rate_is_variable(model) ? 2 : 1};
    size_t *nodes = NULL;
    if (!has_slots(model, &layout))
        return CONVOY_OK;
    TRY(level_order(model, 0, &nodes, &w.node_count, err));
    w.nodes = nodes;
    convoy_status status = visit_all(&w, &layout, err);
    free(nodes);
    return status;
}

size_t keras_slots_count(const convoy_model *model)
{
    const optimizer_class *class = optimizer_class_find(model->optimizer);
    optimizer_layout layout = optimizer_layout_of(class, &model->optimizer_settings);
    size_t variables = 0;
    for (size_t i = 0; i < model->node_count; i++)
        for (int p = 0; model_is_first(model, i) && p < model->nodes[i].layer->param_count; p++)
            variables += is_variable(model, i, p);
    return variables * (size_t)layout.slots + layout.scalar;
}

float keras_nadam_product(const optimizer_settings *settings, uint64_t steps)
{
    float product = OPTIMIZER_SCALAR_START, before = 0;
    for (uint64_t t = 1; t <= steps && product != before; t++) { /* it does not change any more where it is 0 */
        before = product;
        product *= (float)settings->beta_1 * (1.0f - 0.5f * powf(0.96f, (float)t));
    }
    return product;
}
