/* Losses and their gradients: against plain loops in double, against Keras (tests/golden/losses.json, made by
 * tools/make_golden_losses.py), and in training steps with class weights and sample weights. */
#include "loss_help.h"

#include "train/trainer.h"

enum { MOST_ROWS = 64, MOST_OUTPUTS = 130, CELLS = 5 }; /* more outputs than rows: weights have room for both */

/* ---- the reference ---- */

#define TINY ((double)1e-7f)
#define TOP ((double)(1.0f - 1e-7f))

static double clip(double p) { return p < TINY ? TINY : p > TOP ? TOP : p; }
static bool outside(double p) { return p < TINY || p > TOP; }

static double target_of(const loss_settings *s, int i, int label, int outputs)
{
    double y = i == label;
    if (strcmp(s->class->name, "categorical_crossentropy") == 0)
        return y * (1 - s->label_smoothing) + s->label_smoothing / outputs;
    if (outputs == 1)
        y = label;
    if (strcmp(s->class->name, "binary_crossentropy") == 0)
        return y * (1 - s->label_smoothing) + s->label_smoothing / 2;
    return y;
}

/* -sum y log softmax(z) */
static double from_logits(const loss_settings *s, const float *z, int outputs, int label, double *slope)
{
    double top = z[0], sum = 0, loss = 0;
    for (int i = 0; i < outputs; i++)
        top = fmax(top, z[i]);
    for (int i = 0; i < outputs; i++)
        sum += exp(z[i] - top);
    for (int i = 0; i < outputs; i++) {
        double y = target_of(s, i, label, outputs);
        loss += y * (log(sum) + top - z[i]);
        slope[i] = exp(z[i] - top) / sum - y;
    }
    return loss;
}

/* Clipped, then made to sum to one: -log(q[label] / sum q). */
static double sparse_probabilities(const float *z, int outputs, int label, double *slope)
{
    double sum = 0;
    for (int i = 0; i < outputs; i++)
        sum += clip(z[i]);
    for (int i = 0; i < outputs; i++)
        slope[i] = outside(z[i]) ? 0 : 1 / sum - (i == label ? 1 / clip(z[i]) : 0);
    return log(sum) - log(clip(z[label]));
}

/* Made to sum to one, then clipped; the slope by the chain rule over every pair of outputs. */
static double dense_probabilities(const loss_settings *s, const float *z, int outputs, int label, double *slope)
{
    double sum = 0, loss = 0;
    for (int i = 0; i < outputs; i++)
        sum += z[i];
    for (int i = 0; i < outputs; i++)
        loss -= target_of(s, i, label, outputs) * log(clip(z[i] / sum));
    for (int k = 0; k < outputs; k++) {
        slope[k] = 0;
        for (int i = 0; i < outputs; i++) {
            double o = (float)(z[i] / sum), d = (i == k) / sum - z[i] / sum / sum;
            if (!outside(o))
                slope[k] -= target_of(s, i, label, outputs) / clip(z[i] / sum) * d;
        }
    }
    return loss;
}

static double element(const loss_settings *s, double v, double y, double *slope)
{
    double e = v - y;
    if (strcmp(s->class->name, "mean_squared_error") == 0) {
        *slope = 2 * e;
        return e * e;
    }
    if (strcmp(s->class->name, "mean_absolute_error") == 0) {
        *slope = (e > 0) - (e < 0);
        return fabs(e);
    }
    if (strcmp(s->class->name, "huber") == 0) {
        double delta = (float)s->delta;
        *slope = fabs(e) <= delta ? e : e > 0 ? delta : -delta;
        return fabs(e) <= delta ? e * e / 2 : delta * fabs(e) - delta * delta / 2;
    }
    if (s->from_logits) {
        *slope = 1 / (1 + exp(-v)) - y;
        return y * log1p(exp(-v)) + (1 - y) * (v + log1p(exp(-v)));
    }
    *slope = outside(v) ? 0 : (1 - y) / (1 - v) - y / v;
    return -y * log(clip(v)) - (1 - y) * log(1 - clip(v));
}

static double reference(const loss_settings *s, const float *z, int outputs, int label, double *slope)
{
    double loss = 0;
    bool sparse = strcmp(s->class->name, "sparse_categorical_crossentropy") == 0;
    if (!s->class->is_dense && s->from_logits)
        return from_logits(s, z, outputs, label, slope);
    if (!s->class->is_dense)
        return sparse ? sparse_probabilities(z, outputs, label, slope) : dense_probabilities(s, z, outputs, label, slope);
    for (int i = 0; i < outputs; i++) {
        loss += element(s, z[i], target_of(s, i, label, outputs), &slope[i]) / outputs;
        slope[i] /= outputs;
    }
    return loss;
}

/* ---- kernels against it ---- */

typedef struct loss_case {
    const char *text, *kind;
    int outputs, weights;
} loss_case;

/* `slack`: what the last bits of terms that cancel each other may come to. */
static void near(const loss_case *c, const char *what, int rows, size_t at, double found, double expected, double slack)
{
    double small = strstr(what, "slope") ? 0.1 / rows : 0.1;
    if (!(fabs(found - expected) <= 1e-5 * fmax(fabs(expected), small) + slack))
        fail_msg("%s, %d outputs (%s), %d rows, weights %d: %s %zu is %.9g, but %.9g is expected", c->text, c->outputs,
                 c->kind, rows, c->weights, what, at, found, expected);
}

static void check_rows(const loss_case *c, rig *r, loss *l, const loss_settings *s, const float *weight, int rows, int step)
{
    static float z[MOST_ROWS * MOST_OUTPUTS], dz[MOST_ROWS * MOST_OUTPUTS];
    int32_t labels[MOST_ROWS];
    double slope[MOST_OUTPUTS], sum = 0, mean;
    size_t outputs = (size_t)c->outputs, count = (size_t)rows * outputs;
    int first = MOST_ROWS - rows, correct = 0;
    fill_outputs(c->kind, z, count, (size_t)(rows + step));
    fill_labels(labels, (size_t)rows, classes_of(c->text, c->outputs));
    play_rig(r, z, labels, rows, first, step);
    CHECK(rt_buffer_read(r->dz, 0, dz, count * sizeof *dz, &err));
    for (int n = 0; n < rows; n++) {
        const float *row = z + (size_t)n * outputs;
        double w = c->weights == WEIGHTS_NONE ? 1 : weight[c->weights == WEIGHTS_OF_CLASSES ? labels[n] : first + n];
        int best = 0;
        sum += w * reference(s, row, c->outputs, labels[n], slope);
        for (size_t i = 0; i < outputs; i++) {
            bool divides = s->class->has_logits && !s->from_logits;
            double terms = divides ? 1 / clip(row[outputs == 1 ? 0 : labels[n]]) + 1 / clip(row[i]) : 0;
            near(c, "slope", rows, (size_t)n * outputs + i, dz[(size_t)n * outputs + i], w * slope[i] / rows,
                 3e-7 * terms * w / rows);
            best = row[i] > row[best] ? (int)i : best;
        }
        correct += (c->outputs == 1 ? row[0] > 0.5f : best) == labels[n];
    }
    CHECK(loss_read_step(l, (size_t)step, rows, &mean, &err));
    near(c, "loss", rows, 0, mean, sum / rows, 0);
    convoy_metrics m;
    size_t bad;
    CHECK(loss_read(l, (size_t)step + 1, (size_t)rows, &m, &bad, &err));
    if (step == 0)
        assert_int_equal(lround(m.accuracy * rows), correct);
    assert_int_equal(bad, step + 1);
}

static void check_case(const loss_case *c)
{
    static const int sizes[] = {1, 5, 33, MOST_ROWS};
    loss_settings s;
    rig r = make_rig(c->outputs, MOST_ROWS);
    loss *l = NULL;
    sample_weights *w = NULL;
    int32_t labels[MOST_ROWS], order[MOST_ROWS];
    float given[MOST_ROWS], weight[MOST_OUTPUTS] = {0.5f, 2.25f};
    int classes = classes_of(c->text, c->outputs);
    fill_labels(labels, MOST_ROWS, classes);
    fill_weights(given, MOST_ROWS);
    convoy_dataset *data = bare_data(labels, MOST_ROWS, classes);
    CHECK(loss_parse(c->text, &s, &err));
    CHECK(loss_create(ctx, MOST_ROWS, 4, &l, &err));
    if (c->weights != WEIGHTS_NONE)
        CHECK(sample_weights_create(ctx, data, c->weights == WEIGHTS_OF_CLASSES ? "{0: 0.5, 1: 2.25}" : NULL,
                             c->weights == WEIGHTS_OF_IMAGES ? given : NULL, &w, &err));
    for (int i = 2; i < MOST_OUTPUTS; i++)
        weight[i] = 1; /* classes that are not named */
    for (int i = 0; i < MOST_ROWS; i++) {
        order[i] = MOST_ROWS - 1 - i;
        if (c->weights == WEIGHTS_OF_IMAGES)
            weight[i] = given[order[i]];
    }
    CHECK(sample_weights_arrange(w, order, &err));
    loss_job job = {.how = &s, .outputs = c->outputs, .z = r.z, .labels = r.labels, .dz = r.dz, .weights = w};
    CHECK(loss_add(l, r.list, &job, &err));
    assert_int_equal(rt_list_length(r.list), 2);
    for (int i = 0; i < 4; i++)
        check_rows(c, &r, l, &s, weight, sizes[i], i);
    drop_rig(&r);
    loss_destroy(l);
    sample_weights_destroy(w);
    convoy_dataset_destroy(data);
}

static void test_kernels_compute_what_the_formulas_say(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "SparseCategoricalCrossentropy(from_logits=True)", "SparseCategoricalCrossentropy()",
        "CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)", "CategoricalCrossentropy()",
        "CategoricalCrossentropy(label_smoothing=0.3)", "BinaryCrossentropy(from_logits=True, label_smoothing=0.2)",
        "BinaryCrossentropy()", "MeanSquaredError()", "MeanAbsoluteError()", "Huber(delta=0.75)"};
    static const int outputs[] = {1, 2, 3, 17, MOST_OUTPUTS};
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
        for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
            loss_settings s;
            CHECK(loss_parse(texts[t], &s, &err));
            if (outputs[i] == 1 && !s.class->is_dense)
                continue;
            bool probabilities = s.class->has_logits && !s.from_logits;
            const char *kind = !probabilities ? "logits" : i % 2 ? "bounds" : "probabilities";
            check_case(&(loss_case){texts[t], kind, outputs[i], (int)((t + i) % 3)});
        }
}

/* A value that is no number makes the loss none, raises the flag, and is found in its step. */
static void test_a_bad_value_is_noticed(void **state)
{
    (void)state;
    static const char *const texts[] = {"SparseCategoricalCrossentropy(from_logits=True)", "SparseCategoricalCrossentropy()",
                                        "CategoricalCrossentropy(from_logits=True)", "CategoricalCrossentropy()",
                                        "BinaryCrossentropy(from_logits=True)", "BinaryCrossentropy()", "mse", "mae", "huber",
                                        "CategoricalFocalCrossentropy()", "BinaryFocalCrossentropy()", "mape", "msle", "LogCosh",
                                        "CosineSimilarity", "kld", "Poisson", "Hinge", "SquaredHinge", "CategoricalHinge", "Dice",
                                        "Dice(axis=-1)", "Tversky"};
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
        loss_settings s;
        loss *l = NULL;
        rig r = make_rig(3, 4);
        float z[12];
        int32_t labels[4] = {0, 1, 2, 1}, flag = 0;
        convoy_metrics m;
        size_t bad;
        CHECK(loss_parse(texts[t], &s, &err));
        CHECK(loss_create(ctx, 4, 2, &l, &err));
        loss_job job = {.how = &s, .outputs = 3, .z = r.z, .labels = r.labels, .dz = r.dz};
        CHECK(loss_add(l, r.list, &job, &err));
        fill_outputs("probabilities", z, 12, 9);
        play_rig(&r, z, labels, 4, 0, 0);
        CHECK(rt_buffer_read((rt_buffer *)loss_bad(l), 0, &flag, sizeof flag, &err));
        assert_int_equal(flag, 0);
        z[3 + labels[1]] = NAN;
        play_rig(&r, z, labels, 4, 0, 1);
        CHECK(rt_buffer_read((rt_buffer *)loss_bad(l), 0, &flag, sizeof flag, &err));
        CHECK(loss_read(l, 2, 8, &m, &bad, &err));
        if (flag == 0 || bad != 1 || !isnan(m.loss))
            fail_msg("%s: flag %d, step %zu, loss %g", texts[t], (int)flag, bad, m.loss);
        drop_rig(&r);
        loss_destroy(l);
    }
}

/* Of a model that ends in softmax or sigmoid Keras takes the logits, which know no clipping, whatever from_logits says. */
static void test_logits_behind_the_outputs(void **state)
{
    (void)state;
    static const struct { const char *text, *ending; double loss, slope; } rows[] = {
        {"SparseCategoricalCrossentropy()", "softmax", 40, -1},
        {"SparseCategoricalCrossentropy(from_logits=True)", "softmax", 40, -1},
        {"CategoricalCrossentropy()", "softmax", 40, -1},
        {"SparseCategoricalCrossentropy()", "sigmoid", 40, -1},
        {"BinaryCrossentropy()", "sigmoid", 20, -0.5},
        {"BinaryCrossentropy(from_logits=True)", "sigmoid", 20, -0.5},
        {"BinaryCrossentropy()", "softmax", 20, -0.5},
    };
    for (size_t t = 0; t < sizeof rows / sizeof rows[0]; t++) {
        loss_settings s;
        loss *l = NULL;
        rig r = make_rig(2, 1);
        float z[2] = {-20.0f, 20.0f}, dz[2], given[2];
        int32_t label = 0;
        double mean;
        const activation *ending = activation_find(rows[t].ending);
        CHECK(loss_parse(rows[t].text, &s, &err));
        assert_true(s.class->on_logits);
        CHECK(loss_create(ctx, 1, 1, &l, &err));
        CHECK(loss_set_behind(l, ending, &(convoy_shape){1, {2}}, 1, &err));
        loss_job job = {.how = &s, .outputs = 2, .z = r.z, .labels = r.labels, .dz = r.dz};
        CHECK(loss_add(l, r.list, &job, &err));
        play_rig(&r, z, &label, 1, 0, 0);
        CHECK(loss_read_step(l, 0, 1, &mean, &err));
        CHECK(rt_buffer_read(r.dz, 0, dz, sizeof dz, &err));
        CHECK(rt_buffer_read((rt_buffer *)loss_given(l, r.z), 0, given, sizeof given, &err));
        if (fabs(mean - rows[t].loss) > 1e-4 || fabs((double)dz[0] - rows[t].slope) > 1e-5 ||
            fabs((double)dz[1] + rows[t].slope) > 1e-5 || fabs((double)given[1] - 1) > 1e-6 || given[0] > 1e-8f)
            fail_msg("%s behind %s: loss %g, gradient %g and %g, outputs %g and %g", rows[t].text, rows[t].ending, mean,
                     (double)dz[0], (double)dz[1], (double)given[0], (double)given[1]);
        drop_rig(&r);
        loss_destroy(l);
    }
}

/* Of logits 95 apart the softmax is a subnormal number: its slope is 0, and no layer computes on with such a number. */
static void test_no_slope_is_subnormal(void **state)
{
    (void)state;
    static const char *const texts[] = {"SparseCategoricalCrossentropy(from_logits=True)", "CategoricalCrossentropy(from_logits=True)",
                                        "BinaryCrossentropy(from_logits=True)"};
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
        loss_settings s;
        loss *l = NULL;
        rig r = make_rig(2, 1);
        float z[2] = {0.0f, -95.0f}, dz[2];
        int32_t label = 0;
        CHECK(loss_parse(texts[t], &s, &err));
        CHECK(loss_create(ctx, 1, 1, &l, &err));
        loss_job job = {.how = &s, .outputs = 2, .z = r.z, .labels = r.labels, .dz = r.dz};
        CHECK(loss_add(l, r.list, &job, &err));
        play_rig(&r, z, &label, 1, 0, 0);
        CHECK(rt_buffer_read(r.dz, 0, dz, sizeof dz, &err));
        for (int i = 0; i < 2; i++)
            if (fpclassify(dz[i]) == FP_SUBNORMAL)
                fail_msg("%s: slope %d is %g", texts[t], i, (double)dz[i]);
        drop_rig(&r);
        loss_destroy(l);
    }
}

/* ---- against Keras ---- */

static void check_value(const json_t *row)
{
    loss_case c = {golden_text(row, "loss"), golden_text(row, "kind"),
                   (int)json_integer_value(json_object_get(row, "outputs")), WEIGHTS_OF_IMAGES};
    size_t count = CELLS * (size_t)c.outputs;
    float z[CELLS * 8], dz[CELLS * 8], given[CELLS];
    int32_t labels[CELLS];
    static const int32_t order[CELLS] = {0, 1, 2, 3, 4};
    loss_settings s;
    loss *l = NULL;
    sample_weights *w = NULL;
    double mean;
    rig r = make_rig(c.outputs, CELLS);
    fill_outputs(c.kind, z, count, (size_t)json_integer_value(json_object_get(row, "seed")));
    fill_labels(labels, CELLS, classes_of(c.text, c.outputs));
    fill_weights(given, CELLS);
    convoy_dataset *data = bare_data(labels, CELLS, classes_of(c.text, c.outputs));
    CHECK(loss_parse(c.text, &s, &err));
    CHECK(loss_create(ctx, CELLS, 1, &l, &err));
    CHECK(sample_weights_create(ctx, data, NULL, given, &w, &err));
    CHECK(sample_weights_arrange(w, order, &err));
    loss_job job = {.how = &s, .outputs = c.outputs, .z = r.z, .labels = r.labels, .dz = r.dz, .weights = w};
    CHECK(loss_add(l, r.list, &job, &err));
    play_rig(&r, z, labels, CELLS, 0, 0);
    CHECK(loss_read_step(l, 0, CELLS, &mean, &err));
    CHECK(rt_buffer_read(r.dz, 0, dz, count * sizeof *dz, &err));
    near(&c, "Keras's loss", CELLS, 0, mean, json_number_value(json_object_get(row, "value")), 0);
    assert_int_equal(json_array_size(json_object_get(row, "gradient")), count);
    for (size_t i = 0; i < count; i++)
        near(&c, "Keras's slope", CELLS, i, dz[i],
             json_number_value(json_array_get(json_object_get(row, "gradient"), i)), 0);
    drop_rig(&r);
    loss_destroy(l);
    sample_weights_destroy(w);
    convoy_dataset_destroy(data);
}

static void test_values_are_those_of_keras(void **state)
{
    (void)state;
    size_t i;
    const json_t *row;
    assert_true(json_array_size(json_object_get(root, "values")) >= 20);
    json_array_foreach(json_object_get(root, "values"), i, row)
        check_value(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels_compute_what_the_formulas_say),
        cmocka_unit_test(test_a_bad_value_is_noticed),
        cmocka_unit_test(test_logits_behind_the_outputs),
        cmocka_unit_test(test_no_slope_is_subnormal),
        cmocka_unit_test(test_values_are_those_of_keras),
    };
    return cmocka_run_group_tests_name("losses", tests, open_golden, close_golden);
}
