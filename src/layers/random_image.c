#include "layers/random_image.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- options ---- */

/* "0.5", "[0.1, 2]", "null". */
static const char *values_text(const option_values *v, char *out, size_t size)
{
    snprintf(out, size, "%s", v->count == 0 ? "null" : v->list ? "[" : "");
    for (int i = 0; i < v->count; i++)
        snprintf(out + strlen(out), size - strlen(out), "%s%g", i ? ", " : "", v->value[i]);
    snprintf(out + strlen(out), size - strlen(out), "%s", v->list ? "]" : "");
    return out;
}

static bool is_below(const factor_rule *rule, double v) { return rule->open ? v <= rule->least : v < rule->least; }

static bool is_factor(const option_values *v, const factor_rule *rule)
{
    if (v->count != (v->list ? 2 : 1))
        return false;
    bool low = is_below(rule, v->value[0]) || v->value[0] > rule->most;
    if (!v->list)
        return !low;
    if (!rule->whole)
        return v->value[0] <= rule->most && v->value[1] >= rule->least;
    return !low && !is_below(rule, v->value[1]) && v->value[1] <= rule->most;
}

convoy_status random_image_factor(const char *name, const option_values *given, const factor_rule *rule, float *low,
                                  float *high, convoy_error *err)
{
    char found[256];
    if (!is_factor(given, rule))
        return base_fail(err, CONVOY_ERROR_MODEL, "option '%s' is %s; a number from %g%s to %g, or a pair of them, is expected",
                         name, values_text(given, found, sizeof found), rule->least, rule->open ? " (not itself)" : "",
                         rule->most);
    double first = given->value[0], second = given->value[1];
    if (!given->list) {
        second = fabs(first);
        first = fmax(-second, rule->least);
    }
    *low = (float)fmin(first, second);
    *high = (float)fmax(first, second);
    return CONVOY_OK;
}

convoy_status random_image_range(const char *name, const option_values *given, bool sorts, double out[2], convoy_error *err)
{
    char found[256];
    bool pair = given->list && given->count == 2;
    if (!pair || (!sorts && given->value[0] > given->value[1]))
        return base_fail(err, CONVOY_ERROR_MODEL, "option '%s' is %s; a pair of numbers%s is expected", name,
                         values_text(given, found, sizeof found), sorts ? "" : ", the lower one first,");
    out[0] = fmin(given->value[0], given->value[1]);
    out[1] = fmax(given->value[0], given->value[1]);
    return CONVOY_OK;
}

/* ---- draws ---- */

convoy_status random_image_build(layer *l, augment draw, int stride, convoy_error *err)
{
    random_image *image = l->state;
    TRY(layer_takes_images(l, err));
    l->output = l->input[0];
    l->saved_per_image = (size_t)stride;
    image->draw = draw;
    image->draw.height = l->input[0].dim[0];
    image->draw.width = l->input[0].dim[1];
    image->draw.stride = stride;
    return CONVOY_OK;
}

augment random_image_draw(const layer *l, uint64_t seed, uint32_t stream)
{
    const random_image *image = l->state;
    augment draw = image->draw;
    draw.seed = image->seed < 0 ? seed : (uint64_t)image->seed;
    draw.stream = stream;
    return draw;
}

convoy_status random_image_add_draw(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    char label[160];
    augment draw = random_image_draw(l, io->seed, io->stream);
    snprintf(label, sizeof label, "%s draw", l->name);
    return ops_augment_draw(list, label, &draw, io->saved, err);
}

/* ---- maps ---- */

affine random_image_map(const layer *l)
{
    const int *in = l->input[0].dim;
    return (affine){.height = in[0], .width = in[1], .channels = in[2], .out_height = l->output.dim[0],
                    .out_width = l->output.dim[1], .bottom = in[0] - 1, .right = in[1] - 1,
                    .stride = (int)l->saved_per_image};
}

convoy_status random_image_map_forward(const layer *l, const layer_io *io, const affine *a, rt_list *list, convoy_error *err)
{
    char label[160];
    if (!a->fixed)
        TRY(random_image_add_draw(l, io, list, err));
    snprintf(label, sizeof label, "%s forward", l->name);
    return ops_affine(list, io->ctx, label, a, io->input[0], io->saved, io->output, err);
}

convoy_status random_image_map_backward(const layer *l, const layer_io *io, const affine *a, rt_list *list, convoy_error *err)
{
    char label[160];
    if (io->d_input[0] == NULL)
        return CONVOY_OK;
    snprintf(label, sizeof label, "%s backward", l->name);
    return ops_affine_backward(list, io->ctx, label, a, io->d_output, io->saved, io->d_input[0], err);
}

static void map_of(const layer *l, const layer_reference *r, const affine *a, int n, double map[AUGMENT_DRAWN])
{
    augment draw = random_image_draw(l, r->seed, r->stream);
    if (a->fixed)
        memcpy(map, a->map, sizeof a->map);
    else
        ops_augment_drawn(&draw, r->step, n, map);
}

void random_image_map_reference(const layer *l, const layer_reference *r, const affine *a)
{
    size_t in = shape_count(&l->input[0]), out = shape_count(&l->output);
    for (int n = 0; n < r->batch; n++) {
        double map[AUGMENT_DRAWN];
        map_of(l, r, a, n, map);
        ops_affine_reference(a, map, r->input[0] + n * in, r->output + n * out);
    }
}

void random_image_map_reference_backward(const layer *l, const layer_reference *r, const affine *a)
{
    size_t in = shape_count(&l->input[0]), out = shape_count(&l->output);
    for (int n = 0; r->d_input[0] && n < r->batch; n++) {
        double map[AUGMENT_DRAWN];
        map_of(l, r, a, n, map);
        ops_affine_reference_backward(a, map, r->d_output + n * out, r->d_input[0] + n * in);
    }
}

bool random_image_copies(const layer *l, const layer_reference *r, bool backward)
{
    const double *from = backward ? r->d_output : r->input[0];
    double *to = backward ? r->d_input[0] : r->output;
    if (!r->training && to != NULL)
        memcpy(to, from, shape_count(&l->output) * (size_t)r->batch * sizeof *to);
    return !r->training || to == NULL;
}
