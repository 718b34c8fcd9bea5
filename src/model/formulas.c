/* How the sizes in a model follow from one another, with the numbers put in. */
#include <stdio.h>

#include "base/text.h"
#include "model/model.h"

/* "rows" of an image, "values" of a row; else the axis as Keras counts it. */
static void add_size(const convoy_shape *shape, int axis, text *out)
{
    static const char *const of_image[] = {"row", "column", "channel"};
    int n = shape->dim[axis];
    if (shape->rank == 1 || shape->rank == 3)
        text_add(out, "%d %s%s", n, shape->rank == 1 ? "value" : of_image[axis], n == 1 ? "" : "s");
    else
        text_add(out, "%d along axis %d", n, axis + 1);
}

static void add_formula(const layer *l, text *out)
{
    bool some = false;
    for (int axis = 0; l->class->formula != NULL && axis < l->output.rank; axis++) {
        text one = {0};
        l->class->formula(l, axis, &one);
        if (one.length > 0) {
            text_add(out, "%s%s = ", some ? ", " : "", one.data);
            add_size(&l->output, axis, out);
            some = true;
        }
        out->failed = out->failed || one.failed;
        text_free(&one);
    }
}

convoy_status convoy_model_layer_formula(const convoy_model *model, size_t layer, char **out, convoy_error *err)
{
    text t = {0};
    size_t at = layer;
    for (size_t i = 0; i < model->node_count; i++)
        if (model_is_first(model, i) && at-- == 0) {
            add_formula(model->nodes[i].layer, &t);
            return text_take(&t, out, err);
        }
    return base_fail(err, CONVOY_ERROR_ARGUMENT, "layer %zu of model '%s', which has %zu", layer, model->name,
                     convoy_model_layer_count(model));
}

convoy_status convoy_model_formulas(const convoy_model *model, char **out, convoy_error *err)
{
    text t = {0};
    bool some = false;
    text_add(&t, "Output sizes: (input - kernel) / stride + 1, rounded down;\n"
                 "with padding='same': input / stride, rounded up.\n");
    for (size_t i = 0; i < model->node_count; i++) {
        text one = {0};
        if (!model_is_first(model, i))
            continue;
        add_formula(model->nodes[i].layer, &one);
        if (one.length > 0)
            text_add(&t, "  %s: %s\n", model->nodes[i].layer->name, one.data);
        some = some || one.length > 0;
        t.failed = t.failed || one.failed;
        text_free(&one);
    }
    if (!some)
        text_add(&t, "  (no layer computes one)\n");
    return text_take(&t, out, err);
}
