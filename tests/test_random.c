/* A few random networks as Keras saved them (tests/golden/random, made by tools/make_golden_random.py): Convoy predicts what Keras
 * does, and trains them to the same weights. Together they have every layer and every optimizer. */
#include <math.h>
#include <stdio.h>

#include <jansson.h>

#include "base/file.h"
#include "config.h"
#include "model/level.h"
#include "train_help.h"

#ifdef HAVE_KERAS_FILES

/* As in tools/check_random_models.py: of the largest prediction; of a weight's largest value; of its largest change, or of 1e-3 of
 * the weight where it hardly changes. */
static const double most_prediction = 1e-4, most_weight = 1e-3, most_change = 1e-2;

enum { LAYERS = 37 };

static json_t *golden;

static char *read_file(const char *name, const char *kind, size_t *size)
{
    char path[512], *data = NULL;
    snprintf(path, sizeof path, TEST_GOLDEN_DIR "/random/%s%s", name, kind);
    CHECK(file_read(path, (size_t)1 << 24, &data, size, &err));
    return data;
}

static const char *text_of(const json_t *row, const char *key) { return json_string_value(json_object_get(row, key)); }
static int number_of(const json_t *row, const char *key) { return (int)json_integer_value(json_object_get(row, key)); }

static convoy_model *load(const char *name)
{
    char path[512];
    convoy_model *model = NULL;
    snprintf(path, sizeof path, TEST_GOLDEN_DIR "/random/%s.keras", name);
    CHECK(convoy_model_load(path, &model, &err));
    return model;
}

static double largest(const float *values, size_t count)
{
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs(values[i]));
    return most;
}

static void assert_close(const char *name, const char *what, const float *found, const float *expected, size_t count,
                         double tolerance)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)found[i] - expected[i]) <= tolerance))
            fail_msg("network %s: %s: value %zu of %zu is %.9g; Keras has %.9g; at most %.3g apart is expected", name, what, i,
                     count, (double)found[i], (double)expected[i], tolerance);
}

/* ---- predictions ---- */

/* Returns how many values there are. */
static size_t compare_predictions(const char *name, convoy_model *model, const uint8_t *images, size_t rows,
                                  const float *expected, size_t available)
{
    convoy_shape in = convoy_model_input(model), out = convoy_model_output(model);
    size_t inputs = rows * shape_count(&in), outputs = rows * shape_count(&out);
    float *x = malloc(inputs * sizeof *x), *y = malloc(outputs * sizeof *y);
    assert_non_null(x);
    assert_non_null(y);
    assert_true(outputs <= available);
    for (size_t i = 0; i < inputs; i++)
        x[i] = (float)images[i] / 255.0f;
    CHECK(convoy_predict(ctx, model, x, rows, 3, y, &err));
    assert_close(name, "predictions", y, expected, outputs, most_prediction * largest(expected, outputs));
    free(x);
    free(y);
    return outputs;
}

/* ---- training ---- */

static void train_network(const json_t *row, convoy_model *model, const uint8_t *images, size_t rows)
{
    int32_t labels[64];
    convoy_dataset *data = NULL;
    const json_t *list = json_object_get(row, "labels");
    assert_true(rows <= sizeof labels / sizeof labels[0]);
    for (size_t i = 0; i < rows; i++)
        labels[i] = (int32_t)json_integer_value(json_array_get(list, i));
    CHECK(convoy_dataset_create(images, labels, rows, convoy_model_input(model), number_of(row, "classes"), NULL, &data, &err));
    const convoy_fit_options options = {.optimizer = text_of(row, "optimizer"), .batch_size = number_of(row, "batch"),
                                        .no_shuffle = true, .train_scale = 255, /* whatever the model begins with */
                                        .from_probabilities = json_is_true(json_object_get(row, "probabilities"))};
    assert_int_equal((rows + options.batch_size - 1) / options.batch_size, 5);
    CHECK(convoy_fit(ctx, model, data, &options, NULL, &err));
    convoy_dataset_destroy(data);
}

/* `expected` has all weights in Keras's order; `before` is the model as it was. */
static void compare_weights(const char *name, const convoy_model *model, const convoy_model *before, const float *expected,
                            size_t available)
{
    size_t *nodes = NULL, node_count = 0, at = 0;
    CHECK(level_order(model, 0, &nodes, &node_count, &err));
    for (size_t i = 0; i < node_count; i++) {
        const model_node *node = &model->nodes[nodes[i]], *old = &before->nodes[nodes[i]];
        for (int p = 0; p < node->layer->param_count; p++) {
            size_t count = node->layer->param[p].count;
            double change = 0, size;
            char what[256];
            assert_true(at + count <= available);
            size = largest(expected + at, count);
            for (size_t k = 0; k < count; k++)
                change = fmax(change, fabs((double)expected[at + k] - old->weights[p][k]));
            snprintf(what, sizeof what, "%s of %s", node->layer->param[p].name, node->layer->name);
            assert_close(name, what, node->weights[p], expected + at, count,
                         fmin(most_weight * fmax(size, 1e-6), most_change * fmax(change + 1e-3 * size, 1e-6)));
            at += count;
        }
    }
    free(nodes);
    assert_int_equal(at, available);
}

static void run_network(const json_t *row)
{
    const char *name = text_of(row, "name");
    size_t size, bytes, rows = json_array_size(json_object_get(row, "labels"));
    convoy_model *model = load(name), *before = load(name);
    convoy_shape in = convoy_model_input(model);
    uint8_t *images = (uint8_t *)read_file(name, ".images.u8", &bytes);
    float *expected = (float *)read_file(name, ".expected.f32", &size);
    size /= sizeof *expected;
    assert_int_equal(bytes, rows * shape_count(&in));
    size_t outputs = compare_predictions(name, model, images, rows, expected, size);
    train_network(row, model, images, rows);
    compare_weights(name, model, before, expected + outputs, size - outputs);
    free(images);
    free(expected);
    convoy_model_destroy(model);
    convoy_model_destroy(before);
}

static void run_all(const char *variant)
{
    size_t i;
    const json_t *row;
    CHECK(convoy_context_create(&(convoy_context_options){.variant = variant, .gemm = getenv("CONVOY_TEST_GEMM")}, &ctx, &err));
    json_array_foreach(json_object_get(golden, "models"), i, row)
        run_network(row);
    drop_context(NULL);
}

static void test_default_kernels(void **state) { (void)state; run_all(NULL); }
static void test_plain_kernels(void **state) { (void)state; run_all("plain"); }

/* The layers that there were when the networks were drawn. */
static void test_all_layers_are_there(void **state)
{
    (void)state;
    size_t i, classes = 0;
    const json_t *row;
    for (size_t c = 0; layer_class_at(c) != NULL; c++) {
        const char *class_name = layer_class_at(c)->name;
        bool found = false;
        json_array_foreach(json_object_get(golden, "models"), i, row) {
            convoy_model *model = load(text_of(row, "name"));
            for (size_t l = 0; l < convoy_model_layer_count(model) && !found; l++)
                found = strcmp(convoy_model_layer_class(model, l), class_name) == 0;
            convoy_model_destroy(model);
        }
        classes += found;
    }
    assert_uint_in_range(classes, LAYERS, 1000);
}

static int setup(void **state)
{
    (void)state;
    json_error_t where;
    golden = json_load_file(TEST_GOLDEN_DIR "/random/models.json", 0, &where);
    return json_array_size(json_object_get(golden, "models")) > 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(golden);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_layers_are_there),
        cmocka_unit_test(test_default_kernels),
        cmocka_unit_test(test_plain_kernels),
    };
    return cmocka_run_group_tests_name("random", tests, setup, teardown);
}

#else

int main(void) { return 77; } /* skipped: built without .keras files */

#endif
