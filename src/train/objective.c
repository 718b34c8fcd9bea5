#include "train/objective.h"

#include <string.h>

#include "convoy/train.h"

static convoy_status choose_loss(const convoy_model *model, const char *text, bool from_probabilities, loss_settings *out,
                                 convoy_error *err)
{
    if (text != NULL) {
        TRY(loss_parse(text, out, err));
        if (from_probabilities && out->class->has_logits && out->from_logits)
            return base_fail(err, CONVOY_ERROR_ARGUMENT, "loss %s takes logits (from_logits=True), but the outputs are said "
                             "to be probabilities", out->class->class_name);
        return CONVOY_OK;
    }
    if (model != NULL && model->loss_refused[0] != '\0')
        return base_fail(err, CONVOY_ERROR_MODEL, "the loss that the model was compiled with can't be used: %s; name another one to "
                         "train or evaluate with (option 'loss')", model->loss_refused);
    if (model == NULL)
        *out = (loss_settings){.class = loss_class_find("sparse_categorical_crossentropy"), .from_logits = true};
    else
        *out = model->loss.class != NULL ? model->loss : model_default_loss(model);
    if (from_probabilities)
        out->from_logits = false;
    return CONVOY_OK;
}

convoy_status objective_choose(const convoy_model *model, const char *text, const char *const *metrics,
                               bool from_probabilities, objective *out, convoy_error *err)
{
    static const char *const standard[] = {"accuracy", NULL};
    *out = (objective){0};
    TRY(choose_loss(model, text, from_probabilities, &out->loss, err));
    TRY(metric_list_parse(metrics, &out->metrics, err));
    if (out->metrics.count == 0 && model != NULL && model->metrics_refused[0] != '\0')
        return base_fail(err, CONVOY_ERROR_MODEL, "the metrics that the model was compiled with can't be used: %s; name others to "
                         "train or evaluate with (option 'metrics')", model->metrics_refused);
    if (out->metrics.count == 0 && model != NULL)
        out->metrics = model->metrics;
    return out->metrics.count > 0 ? CONVOY_OK : metric_list_parse(standard, &out->metrics, err);
}

static bool is_binary_focal(const loss_settings *s) { return strcmp(s->class->name, "binary_focal_crossentropy") == 0; }

bool objective_takes_logits(const loss_settings *s, const activation *ending)
{
    if (ending != activation_find("sigmoid") && ending != activation_find("softmax"))
        return false;
    return s->class->on_logits && s->ignore.count == 0 &&
           (!is_binary_focal(s) || (!s->from_logits && ending == activation_find("sigmoid")));
}

const activation *objective_ending(const objective *o, const convoy_model *model, bool training)
{
    size_t node;
    const activation *ending = o->loss.class->on_logits ? model_ending(model, training, &node) : NULL;
    return ending != NULL && objective_takes_logits(&o->loss, ending) ? ending : NULL;
}

convoy_status objective_check(const objective *o, const convoy_model *model, int classes, convoy_error *err)
{
    const loss_class *class = o->loss.class;
    int outputs = convoy_model_output(model).dim[0];
    size_t node;
    if (is_binary_focal(&o->loss) && model_ending(model, false, &node) == activation_find("softmax"))
        return base_fail(err, CONVOY_ERROR_MODEL, "loss %s on a model that ends in softmax, '%s': Keras mixes the softmax's logits, taken "
                         "for those of sigmoids, with its outputs, which Convoy does not; end the model in sigmoid, or take "
                         "CategoricalFocalCrossentropy", class->class_name, model->name);
    if (outputs > 1)
        return CONVOY_OK;
    if (!class->is_dense && classes > 1)
        return base_fail(err, CONVOY_ERROR_MODEL, "loss %s wants an output for each of the %d classes, but model '%s' has "
                         "one; BinaryCrossentropy takes one for two classes", class->class_name, classes, model->name);
    if (class->is_binary && classes > 2)
        return base_fail(err, CONVOY_ERROR_MODEL, "loss %s: model '%s' has one output, which tells 2 classes apart, but the "
                         "data has %d", class->class_name, model->name, classes);
    return CONVOY_OK;
}
