/* Where an optimizer's variables stand in a .keras file: one walk for reading and writing. */
#include <stdio.h>

#include "model/keras_file.h"

bool keras_rate_is_variable(const convoy_model *model)
{
    return !optimizer_schedule_is_keras(&model->optimizer_settings);
}

typedef struct walk {
    convoy_model *model;
    keras_slot_visit visit;
    void *user;
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
    size_t at = 0;
    for (size_t i = 0; i < model->node_count; i++)
        for (int p = 0; p < model->nodes[i].layer->param_count; p++) {
            const layer_param *param = &model->nodes[i].layer->param[p];
            if (!is_variable(model, i, p))
                continue;
            for (int s = first; s < first + count; s++)
                TRY(visit_one(w, &param->shape, model->optimizer_slots[s] + at, err));
            at += param->count;
        }
    return CONVOY_OK;
}

/* Without slots (compiled, never trained) there is nothing to visit. */
static bool has_slots(const convoy_model *model, const optimizer_layout *layout)
{
    return layout->slots == model->optimizer_slot_count && (layout->slots == 0 || model->optimizer_slots[0] != NULL);
}

convoy_status keras_slots_visit(convoy_model *model, keras_slot_visit visit, void *user, convoy_error *err)
{
    const convoy_shape scalar = {0};
    const optimizer_class *class = optimizer_class_find(model->optimizer);
    optimizer_layout layout = optimizer_layout_of(class, &model->optimizer_settings);
    walk w = {model, visit, user, keras_rate_is_variable(model) ? 2 : 1};
    int first = 0;
    if (!has_slots(model, &layout))
        return CONVOY_OK;
    for (int g = 0; g < layout.groups; first += layout.group[g++])
        TRY(visit_group(&w, first, layout.group[g], err));
    return layout.scalar ? visit_one(&w, &scalar, &model->optimizer_scalar, err) : CONVOY_OK;
}

size_t keras_slots_count(const convoy_model *model)
{
    const optimizer_class *class = optimizer_class_find(model->optimizer);
    optimizer_layout layout = optimizer_layout_of(class, &model->optimizer_settings);
    size_t variables = 0;
    for (size_t i = 0; i < model->node_count; i++)
        for (int p = 0; p < model->nodes[i].layer->param_count; p++)
            variables += is_variable(model, i, p);
    return variables * (size_t)layout.slots + layout.scalar;
}
