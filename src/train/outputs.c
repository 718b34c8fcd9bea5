/* The one home of what a model's outputs mean. */
#include "convoy/outputs.h"

#include <math.h>
#include <string.h>

#include "convoy/train.h"
#include "train/objective.h"

/* ---- what the model ends in ---- */

static bool is_concatenation(const layer *l) { return strcmp(l->class->name, "Concatenate") == 0; }
static bool is_average(const layer *l) { return strcmp(l->class->name, "Average") == 0; }

/* The activation behind node i's values, or NULL. What only reshapes hands on what they mean, and so do several of the same kind that
 * are averaged; sigmoids side by side are sigmoids, but two softmaxes side by side are no softmax. */
static const activation *ending_of(const convoy_model *model, size_t i)
{
    const model_node *node = &model->nodes[i];
    const layer *l = node->layer;
    bool hands_on = l->class->alias || l->class->alias_in_inference || l->class->forward == NULL;
    if (l->last_activation != NULL && !(l->is_only_activation && l->last_activation == activation_find("linear")))
        return l->last_activation;
    if (node->input_count == 0 || !(hands_on || l->is_only_activation || is_concatenation(l) || is_average(l)))
        return NULL;
    const activation *first = ending_of(model, (size_t)node->input[0]);
    for (int k = 1; k < node->input_count; k++)
        if (ending_of(model, (size_t)node->input[k]) != first)
            return NULL;
    return is_concatenation(l) && first == activation_find("softmax") ? NULL : first;
}

/* ---- what follows ---- */

/* LOSS_OF_SCORES: hinges, overlaps and the like, which say little of what the values are. */
typedef enum loss_kind { LOSS_UNKNOWN, LOSS_OF_CATEGORIES, LOSS_OF_YES_OR_NO, LOSS_OF_NUMBERS, LOSS_OF_SCORES } loss_kind;

static loss_kind kind_of(const loss_settings *s)
{
    if (s->class == NULL)
        return LOSS_UNKNOWN;
    if (!s->class->is_dense)
        return LOSS_OF_CATEGORIES;
    return s->class->has_logits ? LOSS_OF_YES_OR_NO : s->class->of_numbers ? LOSS_OF_NUMBERS : LOSS_OF_SCORES;
}

static bool is_one_of(const activation *a, const char *one, const char *other)
{
    return a != NULL && (a == activation_find(one) || a == activation_find(other));
}

static convoy_meaning yes_or_no(const convoy_outputs *o) { return o->values == 1 ? CONVOY_MEANS_BINARY : CONVOY_MEANS_LABELS; }

static bool has_names(const convoy_model *model, const convoy_outputs *o)
{
    return model->class_count > 0 && model->class_count == (size_t)(o->values == 1 ? 2 : o->values);
}

static void follow_sigmoid(const convoy_model *model, loss_kind kind, convoy_outputs *o)
{
    if (kind == LOSS_OF_CATEGORIES && o->values > 1)
        o->meaning = CONVOY_MEANS_CLASSES;
    else
        o->meaning = kind == LOSS_OF_NUMBERS && !has_names(model, o) ? CONVOY_MEANS_NUMBERS : yes_or_no(o);
}

static void follow_loss(const convoy_model *model, const loss_settings *s, bool from_probabilities, bool linear, convoy_outputs *o)
{
    loss_kind kind = kind_of(s);
    o->logits = s->class != NULL ? s->from_logits : linear;
    if (kind == LOSS_OF_CATEGORIES)
        o->meaning = CONVOY_MEANS_CLASSES;
    else if (kind == LOSS_OF_YES_OR_NO)
        o->meaning = yes_or_no(o);
    else if (kind != LOSS_UNKNOWN || (!linear && !from_probabilities) || (o->values == 1 && !has_names(model, o)))
        o->meaning = CONVOY_MEANS_NUMBERS;
    else
        o->meaning = o->values == 1 ? CONVOY_MEANS_BINARY : CONVOY_MEANS_CLASSES;
    o->assumed = kind == LOSS_UNKNOWN && !has_names(model, o) && !from_probabilities;
    o->logits = o->logits && o->meaning != CONVOY_MEANS_NUMBERS && !from_probabilities;
}

convoy_status convoy_model_outputs(const convoy_model *model, const char *loss, bool from_probabilities, convoy_outputs *out,
                                   convoy_error *err)
{
    loss_settings s = model->loss;
    if (model->node_count == 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "model '%s' has no layers", model->name);
    if (loss != NULL)
        TRY(loss_parse(loss, &s, err));
    convoy_shape shape = convoy_model_output(model);
    const activation *ending = ending_of(model, model_output_node(model, 0));
    int values = shape.rank > 0 ? shape.dim[shape.rank - 1] : 1;
    *out = (convoy_outputs){.values = values, .pixels = shape_count(&shape) / (size_t)values};
    out->squashed = is_one_of(ending, "softmax", "log_softmax") || is_one_of(ending, "sigmoid", "hard_sigmoid");
    if (is_one_of(ending, "softmax", "log_softmax"))
        out->logits = ending == activation_find("log_softmax"); /* whose softmax is the softmax */
    else if (out->squashed)
        follow_sigmoid(model, kind_of(&s), out);
    else
        follow_loss(model, &s, from_probabilities, ending == NULL || ending == activation_find("linear"), out);
    out->classes = out->meaning == CONVOY_MEANS_BINARY ? 2 : values;
    return CONVOY_OK;
}

/* ---- values ---- */

static double sigmoid(double z) { return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z)); }

static void softmax(const float *values, int count, float *out)
{
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < count; i++)
        most = values[i] > most ? values[i] : most;
    for (int i = 0; i < count; i++)
        sum += exp(values[i] - most);
    for (int i = 0; i < count; i++)
        out[i] = (float)(exp(values[i] - most) / sum);
}

void convoy_outputs_probabilities(const convoy_outputs *o, const float *values, float *probabilities)
{
    if (o->meaning == CONVOY_MEANS_CLASSES && o->logits) {
        softmax(values, o->values, probabilities);
        return;
    }
    if (o->meaning == CONVOY_MEANS_BINARY) {
        double p = o->logits ? sigmoid(values[0]) : values[0];
        probabilities[0] = (float)(1 - p);
        probabilities[1] = (float)p;
        return;
    }
    for (int i = 0; i < o->values; i++)
        probabilities[i] = o->logits ? (float)sigmoid(values[i]) : values[i];
}

int convoy_outputs_class(const convoy_outputs *o, const float *values)
{
    int best = 0;
    if (o->values == 1)
        return values[0] > (o->logits && o->meaning == CONVOY_MEANS_BINARY ? 0.0f : 0.5f);
    for (int i = 1; i < o->values; i++)
        if (values[i] > values[best] || isnan(values[best]))
            best = i;
    return best;
}

const char *convoy_meaning_name(convoy_meaning meaning)
{
    static const char *const names[] = {"classes", "binary", "labels", "numbers"};
    return names[meaning];
}
