/* The part of test_files.c about whole .keras files: Keras's and ours. */
#include "convoy/train.h"

static convoy_model *load(const char *format, ...)
{
    char path[512];
    convoy_model *model = NULL;
    va_list args;
    va_start(args, format);
    vsnprintf(path, sizeof path, format, args);
    va_end(args);
    ASSERT_OK(convoy_model_load(path, &model, &err));
    return model;
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Asserts that a file is refused as damaged or unfit, that the message names the file, and each of the texts. */
static void assert_refused(const char *path, ...)
{
    convoy_model *model = NULL;
    convoy_error err = {0};
    va_list texts;
    va_start(texts, path);
    convoy_status status = convoy_model_load(path, &model, &err);
    assert_null(model);
    assert_true(status == CONVOY_ERROR_FORMAT || status == CONVOY_ERROR_MODEL);
    assert_int_equal(err.status, status);
    if (strncmp(err.message, path, strlen(path)) != 0)
        fail_msg("\"%s\" does not begin with the file's name", err.message);
    for (const char *text; (text = va_arg(texts, const char *)) != NULL;)
        if (strstr(err.message, text) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", text, err.message);
    va_end(texts);
}

/* ---- what Keras wrote ---- */

/* One row of models.txt; false at the end. */
static bool next_model(char **list, char name[64], int *images)
{
    int used = 0;
    if (sscanf(*list, "%63s %d\n%n", name, images, &used) < 2)
        return false;
    *list += used;
    return true;
}

static float *read_floats(const char *name, const char *kind, size_t *count)
{
    char path[512], *data = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, GOLDEN "/keras/%s.%s.f32", name, kind);
    ASSERT_OK(file_read(path, MOST, &data, &size, &err));
    *count = size / sizeof(float);
    return (float *)data;
}

static void assert_weights(convoy_model *model, const char *name)
{
    size_t expected_count, at = 0, count;
    float *expected = read_floats(name, "weights", &expected_count), *values;
    for (size_t l = 0; l < convoy_model_layer_count(model); l++)
        for (size_t i = 0; (count = convoy_model_weights(model, l, i, &values, NULL)) > 0; i++) {
            assert_true(at + count <= expected_count);
            if (memcmp(values, expected + at, count * sizeof(float)) != 0)
                fail_msg("%s: weights %zu of layer '%s' differ", name, i, convoy_model_layer_name(model, l));
            at += count;
        }
    assert_int_equal(at, expected_count);
    free(expected);
}

static void test_reads_what_keras_wrote(void **state)
{
    (void)state;
    char name[64], *list = read_text(GOLDEN "/keras/models.txt"), *at = list;
    int images, models = 0;
    for (; next_model(&at, name, &images); models++) {
        convoy_model *model = load(GOLDEN "/keras/%s.keras", name);
        assert_string_equal(convoy_model_name(model), name);
        assert_weights(model, name);
        convoy_model_destroy(model);
    }
    assert_true(models >= 10);
    free(list);
}

static void assert_slots(const convoy_model *model, const char *name)
{
    size_t expected_count, count = model_trainable_count(model);
    float *expected = read_floats(name, "slots", &expected_count);
    assert_int_equal(expected_count, count * (size_t)model->optimizer_slot_count);
    for (int s = 0; s < model->optimizer_slot_count; s++)
        assert_memory_equal(model->optimizer_slots[s], expected + (size_t)s * count, count * sizeof(float));
    free(expected);
}

static void test_reads_the_optimizer(void **state)
{
    static const struct {
        const char *file, *kind;
        int steps, slots;
        float rate, momentum;
        bool probabilities;
    } rows[] = {
        {"fitted", "adam", 6, 2, 0.001f, 0, false},     {"double", "adam", 6, 2, 0.001f, 0, false},
        {"compiled", "adam", 0, 2, 0.002f, 0, false},   {"fitted_sgd", "sgd", 6, 1, 0.05f, 0.8f, true},
        {"half", "", 0, 0, 0, 0, false},
        {"norms", "adam", 6, 2, 0.001f, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        convoy_model *model = load(GOLDEN "/keras/%s.keras", rows[i].file);
        assert_string_equal(model->optimizer, rows[i].kind);
        assert_int_equal(model->compiled, rows[i].kind[0] != '\0');
        assert_int_equal(model->optimizer_steps, rows[i].steps);
        assert_int_equal(model->optimizer_slot_count, rows[i].slots);
        assert_true((float)model->optimizer_settings.learning_rate == rows[i].rate);
        assert_true((float)model->optimizer_settings.momentum == rows[i].momentum);
        assert_int_equal(model->loss.class != NULL && !model->loss.from_logits, rows[i].probabilities);
        if (rows[i].slots > 0)
            assert_slots(model, rows[i].file);
        convoy_model_destroy(model);
    }
}

/* ---- what Keras computed ---- */

static double *to_doubles(const float *values, size_t count)
{
    double *out = malloc((count ? count : 1) * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < count; i++)
        out[i] = values[i];
    return out;
}

/* One layer by its reference; frees its input. */
static double *run_reference(const model_node *node, double *input, int images)
{
    const layer *l = node->layer;
    layer_reference r = {.batch = images, .input = {input}};
    double *params[LAYER_MAX_PARAMS] = {0};
    for (int p = 0; p < l->param_count; p++)
        r.param[p] = params[p] = to_doubles(node->weights[p], l->param[p].count);
    if (l->class->alias)
        return input;
    r.output = calloc((size_t)images * shape_count(&l->output), sizeof(double));
    assert_non_null(r.output);
    l->class->reference_forward(l, &r);
    for (int p = 0; p < l->param_count; p++)
        free(params[p]);
    free(input);
    return r.output;
}

static void test_references_compute_what_keras_computes(void **state)
{
    (void)state;
    char name[64], *list = read_text(GOLDEN "/keras/models.txt"), *at = list;
    int images;
    while (next_model(&at, name, &images)) {
        size_t count, expected_count;
        convoy_model *model = load(GOLDEN "/keras/%s.keras", name);
        float *inputs = read_floats(name, "inputs", &count), *expected = read_floats(name, "outputs", &expected_count);
        convoy_shape in = convoy_model_input(model), out = convoy_model_output(model);
        assert_int_equal(count, (size_t)images * shape_count(&in));
        assert_int_equal(expected_count, (size_t)images * shape_count(&out));
        double *values = to_doubles(inputs, count);
        for (size_t i = 1; i < model->node_count; i++)
            values = run_reference(&model->nodes[i], values, images);
        for (size_t i = 0; i < expected_count; i++)
            if (!(fabs(values[i] - (double)expected[i]) <= 1e-5 * (1 + fabs((double)expected[i]))))
                fail_msg("%s: output %zu is %.9g; Keras says %.9g", name, i, values[i], (double)expected[i]);
        free(values);
        free(inputs);
        free(expected);
        convoy_model_destroy(model);
    }
    free(list);
}

static void assert_predictions(convoy_context *ctx, const char *name, int images)
{
    size_t count, expected_count;
    convoy_model *model = load(GOLDEN "/keras/%s.keras", name);
    float *inputs = read_floats(name, "inputs", &count), *expected = read_floats(name, "outputs", &expected_count);
    float *found = malloc(expected_count * sizeof *found);
    assert_non_null(found);
    ASSERT_OK(convoy_predict(ctx, model, inputs, (size_t)images, 2, found, &err)); /* the last batch is a partial one */
    for (size_t i = 0; i < expected_count; i++)
        if (!(fabsf(found[i] - expected[i]) <= 1e-4f))
            fail_msg("%s: output %zu is %.9g; Keras says %.9g", name, i, (double)found[i], (double)expected[i]);
    free(found);
    free(inputs);
    free(expected);
    convoy_model_destroy(model);
}

static void test_a_device_computes_what_keras_computes(void **state)
{
    static const char *const variants[] = {NULL, "plain"};
    (void)state;
    char name[64], *list = read_text(GOLDEN "/keras/models.txt");
    int images;
    for (size_t v = 0; v < sizeof variants / sizeof variants[0]; v++) {
        convoy_context *ctx = NULL;
        ASSERT_OK(convoy_context_create(&(convoy_context_options){.variant = variants[v]}, &ctx, &err));
        for (char *at = list; next_model(&at, name, &images);)
            assert_predictions(ctx, name, images);
        convoy_context_destroy(ctx);
    }
    free(list);
}

/* ---- our own files ---- */

static void assert_same_model(convoy_model *a, convoy_model *b)
{
    float *x, *y;
    size_t count;
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->node_count, b->node_count);
    for (size_t l = 0; l < a->node_count; l++) {
        json_t *one = layer_config(a->nodes[l].layer), *other = layer_config(b->nodes[l].layer);
        assert_true(json_equal(one, other));
        json_decref(one);
        json_decref(other);
        for (size_t i = 0; (count = convoy_model_weights(a, l, i, &x, NULL)) > 0; i++) {
            assert_int_equal(convoy_model_weights(b, l, i, &y, NULL), count);
            assert_memory_equal(x, y, count * sizeof(float));
        }
    }
    assert_string_equal(a->optimizer, b->optimizer);
    assert_true(a->optimizer_settings.learning_rate == b->optimizer_settings.learning_rate &&
                a->optimizer_settings.momentum == b->optimizer_settings.momentum);
    assert_int_equal(a->optimizer_steps, b->optimizer_steps);
    assert_ptr_equal(a->loss.class, b->loss.class);
    assert_int_equal(a->loss.from_logits, b->loss.from_logits);
    assert_true(a->loss.label_smoothing == b->loss.label_smoothing && a->loss.delta == b->loss.delta);
    assert_int_equal(a->metrics.count, b->metrics.count);
    for (int i = 0; i < a->metrics.count; i++)
        assert_string_equal(a->metrics.row[i].name, b->metrics.row[i].name);
    assert_int_equal(a->optimizer_slot_count, b->optimizer_slot_count);
    for (int s = 0; s < a->optimizer_slot_count; s++)
        assert_memory_equal(a->optimizer_slots[s], b->optimizer_slots[s], model_trainable_count(a) * sizeof(float));
}

static void test_save_and_load_keep_every_bit(void **state)
{
    (void)state;
    char name[64], *list = read_text(GOLDEN "/keras/models.txt"), *at = list;
    int images;
    while (next_model(&at, name, &images)) {
        convoy_model *model = load(GOLDEN "/keras/%s.keras", name);
        ASSERT_OK(convoy_model_save(model, path_of("again.keras"), &err));
        convoy_model *again = load("%s", path_of("again.keras"));
        assert_same_model(model, again);
        convoy_model_destroy(again);
        convoy_model_destroy(model);
    }
    free(list);
    convoy_model *model = tutorial(NULL, false);
    ASSERT_OK(convoy_model_initialize(model, 5, &err));
    ASSERT_OK(convoy_model_save(model, path_of("again.keras"), &err));
    convoy_model *again = load("%s", path_of("again.keras"));
    assert_same_model(model, again);
    convoy_model_destroy(again);
    convoy_model_destroy(model);
}

static void test_same_model_same_file(void **state)
{
    (void)state;
    char *a = NULL, *b = NULL;
    size_t a_size = 0, b_size = 0;
    convoy_model *model = load(GOLDEN "/keras/fitted.keras");
    ASSERT_OK(convoy_model_save(model, path_of("one.keras"), &err));
    usleep(2100 * 1000); /* zip keeps times to two seconds */
    ASSERT_OK(convoy_model_save(model, path_of("two.keras"), &err));
    ASSERT_OK(file_read(path_of("one.keras"), MOST, &a, &a_size, &err));
    ASSERT_OK(file_read(path_of("two.keras"), MOST, &b, &b_size, &err));
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, a_size);
    /* HDF5's first form, which every release of libhdf5 writes alike: the version behind its signature. */
    size_t at = 0;
    while (at + 8 < a_size && memcmp(a + at, "\x89HDF\r\n\x1a\n", 8) != 0)
        at++;
    assert_true(at + 8 < a_size);
    assert_int_equal(a[at + 8], 0);
    free(a);
    free(b);
    convoy_model_destroy(model);
}
