/* Functional models: built from C, trained and run; what Keras computes and trains with the same models. */
#include "context_help.h"
#include "graph_models.h"
#include "plan/plan.h"

enum { IMAGES = 5, CLASSES = 3 };

/* ---- building ---- */

static void test_built_from_c(void **state)
{
    (void)state;
    convoy_model *m = shared();
    assert_int_equal(convoy_model_layer_count(m), 19);
    assert_int_equal(m->node_count, 22);
    assert_int_equal(convoy_model_input_count(m), 1);
    assert_int_equal(convoy_model_output_count(m), 1);
    assert_shape(convoy_model_output(m), 1, 3, 0, 0);
    assert_int_equal(convoy_model_parameter_count(m), 57 + 654 + 168 + 42 + 93);
    assert_int_equal(model_trainable_count(m), 57 + 654 + 168 + 42 + 93);
    assert_round_trip(m);
    convoy_model_destroy(m);
    m = residual();
    assert_string_equal(convoy_model_name(m), "residual");
    assert_true(m->scopes[0].functional);
    assert_round_trip(m);
    convoy_model_destroy(m);
}

static void test_default_names_and_outputs(void **state)
{
    (void)state;
    convoy_model *m = empty();
    assert_string_equal(convoy_model_name(m), "sequential");
    connect(m, "InputLayer", "shape=(4,)", NULL);
    connect(m, "InputLayer", "shape=(4,)", NULL);
    assert_string_equal(convoy_model_name(m), "functional");
    connect(m, "Dense", "units=3", "input_layer_1");
    connect(m, "Dense", "units=2", "input_layer");
    connect(m, "Dense", "units=5", "dense");
    assert_string_equal(convoy_model_layer_name(m, 4), "dense_2");
    assert_int_equal(convoy_model_input_count(m), 2);
    assert_int_equal(convoy_model_output_count(m), 2);
    assert_shape(convoy_model_output_at(m, 0), 1, 2, 0, 0);
    assert_shape(convoy_model_output_at(m, 1), 1, 5, 0, 0);
    ASSERT_OK(convoy_model_set_outputs(m, "dense_2, dense, dense_1", &err));
    assert_int_equal(convoy_model_output_count(m), 3);
    assert_shape(convoy_model_output(m), 1, 5, 0, 0);
    assert_shape(convoy_model_output_at(m, 1), 1, 3, 0, 0);
    assert_int_equal(convoy_model_output_at(m, 3).rank, 0);
    assert_round_trip(m);
    convoy_model_destroy(m);
}

static void test_refused(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *m = empty();
    connect(m, "InputLayer", "shape=(8, 8, 3), name=image", NULL);
    connect(m, "Conv2D", "filters=4, kernel_size=3, name=left", "image");
    connect(m, "Conv2D", "filters=5, kernel_size=3, name=right", "image");
    assert_failed(convoy_model_connect(m, "Add", NULL, "left, rigth", &err), CONVOY_ERROR_MODEL, &err, "layer Add",
                  "'rigth'", "did you mean 'right'?", "known: image, left, right", NULL);
    assert_failed(convoy_model_connect(m, "Add", "name=sum", "left, right", &err), CONVOY_ERROR_MODEL, &err,
                  "'sum' (Add)", "(None, 6, 6, 4) and (None, 6, 6, 5)", "4 and 5", NULL);
    assert_failed(convoy_model_connect(m, "Add", "name=sum", "left[1]", &err), CONVOY_ERROR_MODEL, &err, "layer Add 'sum'",
                  "'left[1]'", "not used that often", NULL);
    assert_failed(convoy_model_connect(m, "Add", NULL, "left,,right", &err), CONVOY_ERROR_MODEL, &err, "empty name", NULL);
    assert_failed(convoy_model_connect(m, "Add", NULL, NULL, &err), CONVOY_ERROR_MODEL, &err, "layer Add", "reads nothing",
                  NULL);
    assert_failed(convoy_model_connect(m, "InputLayer", "shape=(3,)", "left", &err), CONVOY_ERROR_MODEL, &err, "InputLayer",
                  "reads no other layer", NULL);
    assert_failed(convoy_model_connect(m, "Flatten", NULL, "left, right", &err), CONVOY_ERROR_MODEL, &err, "Flatten",
                  "2 inputs", "takes one", NULL);
    assert_failed(convoy_model_connect(m, "Subtract", NULL, "left, left, left", &err), CONVOY_ERROR_MODEL, &err, "3 inputs",
                  "takes 2", NULL);
    assert_failed(convoy_model_connect(m, "Concatenate", "axis=0", "left, right", &err), CONVOY_ERROR_MODEL, &err,
                  "axis is 0", "batch", NULL);
    assert_failed(convoy_model_connect(m, "Concatenate", "axis=1", "left, right", &err), CONVOY_ERROR_MODEL, &err,
                  "axis of concatenation (1)", NULL);
    assert_failed(convoy_model_connect(m, "Add", NULL, "left,left,left,left,left,left,left,left,left", &err),
                  CONVOY_ERROR_MODEL, &err, "more than 8", NULL);
    assert_failed(convoy_model_connect(m, "Conv2D", "filters=2, kernel_size=1, name=left", "image", &err),
                  CONVOY_ERROR_MODEL, &err, "same name 'left'", NULL);
    assert_failed(convoy_model_reuse(m, "lef", "image", &err), CONVOY_ERROR_MODEL, &err, "'lef'", "did you mean 'left'?",
                  NULL);
    assert_failed(convoy_model_reuse(m, "left", "right", &err), CONVOY_ERROR_MODEL, &err, "'left' (Conv2D), used again",
                  "'kernel'", "(None, 3, 3, 5, 4)", "(None, 3, 3, 3, 4)", NULL);
    assert_failed(convoy_model_set_outputs(m, "left", &err), CONVOY_ERROR_MODEL, &err, "'right' (Conv2D)",
                  "leads to no output", NULL);
    assert_failed(convoy_model_set_outputs(m, "", &err), CONVOY_ERROR_MODEL, &err, "no layer is named", NULL);
    assert_int_equal(m->node_count, 3);
    ASSERT_OK(convoy_model_set_outputs(m, "left, right", &err));
    assert_failed(convoy_model_connect(m, "Flatten", NULL, "left", &err), CONVOY_ERROR_MODEL, &err, "outputs", "are set",
                  NULL);
    convoy_model_destroy(m);
}

static void test_models_inside(void **state)
{
    (void)state;
    convoy_error err = {0};
    convoy_model *m = siamese(), *other = empty();
    assert_int_equal(m->scope_count, 5);
    assert_int_equal(convoy_model_parameter_count(m), 35 + 24 + 15);
    assert_shape(convoy_model_output(m), 1, 3, 0, 0);
    assert_shape(convoy_model_output_at(m, 1), 1, 5, 0, 0);
    assert_round_trip(m);
    assert_failed(convoy_model_connect_model(other, m, "a", &err), CONVOY_ERROR_MODEL, &err, "model 'siamese'", "'a'",
                  "none yet", NULL);
    connect(other, "InputLayer", "shape=(6,), name=x", NULL);
    assert_failed(convoy_model_connect_model(other, m, "x", &err), CONVOY_ERROR_MODEL, &err, "model 'siamese'",
                  "1 tensors; it has 2 inputs", NULL);
    assert_int_equal(other->node_count, 1);
    assert_int_equal(other->scope_count, 1);
    ASSERT_OK(convoy_model_connect_model(other, m, "x, x", &err));
    assert_failed(convoy_model_connect_model(other, m, "x, x", &err), CONVOY_ERROR_MODEL, &err, "same name 'siamese'", NULL);
    assert_failed(convoy_model_connect_model(other, other, "x", &err), CONVOY_ERROR_MODEL, &err, "part of itself", NULL);
    assert_failed(convoy_model_reuse(other, "siamese", "x", &err), CONVOY_ERROR_MODEL, &err, "'siamese'",
                  "1 tensors; it has 2 inputs", NULL);
    assert_failed(convoy_model_connect(other, "Flatten", NULL, "siamese[0][2]", &err), CONVOY_ERROR_MODEL, &err,
                  "'siamese[0][2]'", "gives 2 outputs", NULL);
    assert_failed(convoy_model_connect(other, "Flatten", NULL, "siamese[1][0]", &err), CONVOY_ERROR_MODEL, &err,
                  "'siamese[1][0]'", "not used that often", NULL);
    assert_int_equal(other->scope_count, 6);
    assert_round_trip(other);
    convoy_model_destroy(other);
    convoy_model_destroy(m);
}

/* ---- training ---- */

static convoy_dataset *images_of(const char *name, convoy_model *m)
{
    char file[64];
    size_t size = 0;
    int32_t labels[IMAGES];
    convoy_dataset *data = NULL;
    convoy_shape shape = convoy_model_input(m);
    snprintf(file, sizeof file, "%s.images.u8", name);
    char *images = read_golden(file, &size);
    assert_int_equal(size, IMAGES * shape_count(&shape));
    for (int i = 0; i < IMAGES; i++)
        labels[i] = i % CLASSES;
    ASSERT_OK(convoy_dataset_create((uint8_t *)images, labels, IMAGES, shape, CLASSES, NULL, &data, &err));
    free(images);
    return data;
}

static void test_same_seed_same_bits(void **state)
{
    (void)state;
    float *weights[2];
    size_t count[2];
    for (int run = 0; run < 2; run++) {
        convoy_model *m = shared();
        convoy_dataset *data = images_of("shared", m);
        convoy_fit_options options = {.epochs = 4, .batch_size = 2, .seed = SEED, .stream = run == 1};
        ASSERT_OK(convoy_model_initialize(m, SEED, &err));
        ASSERT_OK(convoy_fit(ctx, m, data, &options, NULL, &err));
        weights[run] = weights_of(m, &count[run]);
        convoy_dataset_destroy(data);
        convoy_model_destroy(m);
    }
    assert_int_equal(count[0], count[1]);
    assert_memory_equal(weights[0], weights[1], count[0] * sizeof(float));
    free(weights[0]);
    free(weights[1]);
}

static void test_fit_takes_one_input_and_output(void **state)
{
    (void)state;
    convoy_error err = {0};
    float values[64] = {0};
    convoy_model *m = two_outputs(), *other = shared();
    convoy_dataset *data = images_of("shared", other);
    assert_failed(convoy_fit(ctx, m, data, NULL, NULL, &err), CONVOY_ERROR_MODEL, &err, "2 inputs and 3 outputs",
                  "one of each", NULL);
    assert_failed(convoy_predict(ctx, m, values, 1, 0, values, &err), CONVOY_ERROR_MODEL, &err, "2 inputs and 3 outputs",
                  "convoy_predict_all", NULL);
    convoy_dataset_destroy(data);
    convoy_model_destroy(m);
    convoy_model_destroy(other);
}

#ifdef HAVE_KERAS_FILES
static void train_and_compare(const char *name, int steps, float rate, float momentum)
{
    char file[64], kind[16];
    size_t count, expected_count;
    snprintf(file, sizeof file, "%s.keras", name);
    snprintf(kind, sizeof kind, "step%d", steps);
    convoy_model *m = load_golden(file);
    convoy_dataset *data = images_of(name, m);
    convoy_fit_options options = {.epochs = steps, .batch_size = IMAGES, .optimizer = "sgd", .learning_rate = (double)rate,
                                  .momentum = (double)momentum, .no_shuffle = true};
    ASSERT_OK(convoy_fit(ctx, m, data, &options, NULL, &err));
    float *found = weights_of(m, &count), *expected = read_floats(name, kind, &expected_count);
    assert_int_equal(count, expected_count);
    assert_near(file, found, expected, count, 2e-5f);
    free(found);
    free(expected);
    convoy_dataset_destroy(data);
    convoy_model_destroy(m);
}

static void test_trains_as_keras(void **state)
{
    (void)state;
    size_t size;
    char name[64], *list = read_golden("trained.txt", &size), *at = list;
    int used = 0, models = 0;
    for (; sscanf(at, "%63s\n%n", name, &used) == 1; at += used, models++) {
        train_and_compare(name, 1, 1.0f, 0.0f);
        train_and_compare(name, 3, 0.1f, 0.9f);
    }
    assert_int_equal(models, 3);
    free(list);
}

/* What C builds is what Keras wrote: its config, in Keras's own order of layers, differs in nothing. */
static void test_c_builds_what_keras_built(void **state)
{
    (void)state;
    convoy_model *built[] = {residual(), shared()};
    static const char *const files[] = {"residual.keras", "shared.keras"};
    for (size_t i = 0; i < 2; i++) {
        char *a = NULL, *b = NULL;
        convoy_model *loaded = load_golden(files[i]);
        ASSERT_OK(convoy_model_to_json(built[i], &a, &err));
        ASSERT_OK(convoy_model_to_json(loaded, &b, &err));
        size_t same = 0;
        while (a[same] != '\0' && a[same] == b[same])
            same++;
        if (a[same] != b[same])
            fail_msg("built: ... %.100s; read: ... %.100s", a + (same > 40 ? same - 40 : 0), b + (same > 40 ? same - 40 : 0));
        free(a);
        free(b);
        convoy_model_destroy(loaded);
        convoy_model_destroy(built[i]);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built_from_c),
        cmocka_unit_test(test_default_names_and_outputs),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_models_inside),
        cmocka_unit_test(test_same_seed_same_bits),
        cmocka_unit_test(test_fit_takes_one_input_and_output),
#ifdef HAVE_KERAS_FILES
        cmocka_unit_test(test_trains_as_keras),
        cmocka_unit_test(test_c_builds_what_keras_built),
#endif
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
