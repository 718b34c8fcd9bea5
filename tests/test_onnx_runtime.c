/* ONNX files in ONNX Runtime (tools/check_onnx.py): every layer with its samples, against its reference in double, and whole models,
 * against what Keras gave. Skipped where Python has no onnx and onnxruntime; CONVOY_PYTHON names a Python that has. */
#include <sys/wait.h>
#include <unistd.h>

#include "convoy/npy.h"
#include "sample_model.h"

enum { BATCH = 3 };

static char folder[] = "/tmp/convoy-onnx-XXXXXX";

/* ---- numbers ---- */

static uint32_t drawn = 1;

/* Within [-1, 1]. */
static float draw(void)
{
    drawn = drawn * 1664525u + 1013904223u;
    return (float)(drawn >> 8) / (float)(1 << 23) - 1;
}

static float *draw_values(size_t count, float most)
{
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = most * draw();
    return values;
}

static double *doubled(const float *values, size_t count)
{
    double *out = malloc(count * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < count; i++)
        out[i] = values[i];
    return out;
}

/* Weights that are neither 0 nor 1; a variance is above 0. */
static void draw_weights(convoy_model *model)
{
    for (size_t i = 0; i < model->node_count; i++)
        for (int p = 0; p < model->nodes[i].layer->param_count; p++)
            for (size_t k = 0; k < model->nodes[i].layer->param[p].count; k++) {
                float *w = &model->nodes[i].weights[p][k];
                *w = draw();
                if (model->nodes[i].layer->param[p].positive)
                    *w = 1.5f + *w;
            }
}

/* ---- cases ---- */

static void save(const char *name, const char *kind, int index, const float *values, size_t count, const convoy_shape *shape)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.%s%d.npy", folder, name, kind, index);
    ASSERT_OK(convoy_npy_write(path, values, count, shape, &err));
}

static void export(const convoy_model *model, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.onnx", folder, name);
    ASSERT_OK(convoy_model_export_onnx(model, path, &err));
}

/* Writes what the reference makes of random inputs. */
static void save_reference(const convoy_model *model, const char *name)
{
    const model_node *node = &model->nodes[model->node_count - 1];
    const layer *l = node->layer;
    layer_reference r = {.batch = BATCH};
    size_t count = BATCH * shape_count(&l->output);
    double *kept[LAYER_MAX_INPUTS + LAYER_MAX_PARAMS];
    int used = 0;
    for (int k = 0; k < l->input_count; k++) {
        size_t values = BATCH * shape_count(&l->input[k]);
        float *x = draw_values(values, 3);
        save(name, "in", k, x, BATCH, &l->input[k]);
        r.input[k] = kept[used++] = doubled(x, values);
        free(x);
    }
    for (int p = 0; p < l->param_count; p++)
        r.param[p] = kept[used++] = doubled(node->weights[p], l->param[p].count);
    r.output = calloc(count, sizeof *r.output);
    float *y = malloc(count * sizeof *y);
    assert_true(r.output != NULL && y != NULL);
    l->class->reference_forward(l, &r);
    for (size_t i = 0; i < count; i++)
        y[i] = (float)r.output[i];
    save(name, "out", 0, y, BATCH, &l->output);
    free(y);
    free(r.output);
    while (used > 0)
        free(kept[--used]);
}

static bool any_image(const convoy_model *model)
{
    for (size_t k = 0; k < model_input_count(model); k++)
        if (convoy_model_input_at(model, k).rank == 3)
            return true;
    return false;
}

/* A sample as it is and, where it reads images, turned; returns how many cases that are. */
static size_t save_sample(const layer_class *class, const layer_sample *sample, const char *name)
{
    size_t cases = 0;
    char full[128];
    for (int turned = 0; turned < 2; turned++) {
        convoy_model *model = sample_model(class, sample, turned);
        draw_weights(model);
        if (!turned || any_image(model)) {
            snprintf(full, sizeof full, "%s%s", name, turned ? "-turned" : "");
            export(model, full);
            save_reference(model, full);
            cases++;
        }
        convoy_model_destroy(model);
    }
    return cases;
}

static size_t save_samples(const layer_class *class)
{
    size_t cases = 0;
    char name[96];
    if (class->onnx == NULL && !class->alias && !class->alias_in_inference)
        return 0; /* refused: tests/test_onnx.c */
    for (int i = 0; class->samples != NULL && class->samples[i].options != NULL; i++) {
        snprintf(name, sizeof name, "%s-%02d", class->snake, i);
        cases += save_sample(class, &class->samples[i], name);
    }
    return cases;
}

/* Tensors that stand one after another in `values`, as tests/golden/graph has them. */
static void save_all(const convoy_model *model, const char *name, bool outputs, const float *values, size_t count, size_t images)
{
    size_t at = 0;
    for (size_t k = 0; k < (outputs ? model_output_count(model) : model_input_count(model)); k++) {
        convoy_shape shape = outputs ? convoy_model_output_at(model, k) : convoy_model_input_at(model, k);
        save(name, outputs ? "out" : "in", (int)k, values + at, images, &shape);
        at += images * shape_count(&shape);
    }
    assert_int_equal(at, count);
}

/* A model that Keras trained and ran. */
static void save_golden(const char *name)
{
    char file[64];
    size_t in_count, out_count, an_image = 0;
    snprintf(file, sizeof file, "%s.keras", name);
    convoy_model *model = load_golden(file);
    float *x = read_floats(name, "inputs", &in_count), *y = read_floats(name, "outputs", &out_count);
    for (size_t k = 0; k < model_input_count(model); k++) {
        convoy_shape shape = convoy_model_input_at(model, k);
        an_image += shape_count(&shape);
    }
    export(model, name);
    save_all(model, name, false, x, in_count, in_count / an_image);
    save_all(model, name, true, y, out_count, in_count / an_image);
    free(x);
    free(y);
    convoy_model_destroy(model);
}

/* ---- running ---- */

static void empty_folder(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s/*", folder);
    assert_int_equal(system(command), 0);
}

/* Runs the script on the cases that were saved, shows what it says and says whether that begins with `expected`. */
static int run_script(const char *expected, bool *begins)
{
    char command[1024], *said = NULL, path[64];
    size_t size;
    const char *python = getenv("CONVOY_PYTHON");
    snprintf(path, sizeof path, "%s/said", folder);
    snprintf(command, sizeof command, "'%s' '%s' --cases '%s' >'%s' 2>&1", python ? python : TEST_PYTHON, TEST_CHECK_ONNX,
             folder, path);
    int status = system(command);
    ASSERT_OK(file_read(path, MOST, &said, &size, &err));
    fputs(said, stdout);
    *begins = strncmp(said, expected, strlen(expected)) == 0;
    free(said);
    empty_folder();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check_cases(size_t cases)
{
    char expected[32];
    bool all;
    snprintf(expected, sizeof expected, "%zu models, 0 of them wrong", cases);
    assert_int_equal(run_script(expected, &all), 0);
    assert_true(all);
}

/* Before cases are saved for nobody. */
static void skip_without_runtime(void)
{
    bool none;
    if (run_script("", &none) == 77)
        skip();
}

static void test_layers(void **state)
{
    const layer_class *class;
    size_t cases = 0;
    (void)state;
    skip_without_runtime();
    for (size_t i = 0; (class = layer_class_at(i)) != NULL; i++)
        cases += save_samples(class);
    assert_true(cases > 200);
    check_cases(cases);
}

/* Ranks that no sample has. */
static void test_ranks(void **state)
{
    static const struct row {
        const char *class;
        layer_sample sample;
    } rows[] = {
        {"BatchNormalization", {"epsilon=0.01", {4, {2, 3, 4, 5}}}},
        {"GroupNormalization", {"groups=3", {4, {2, 3, 4, 6}}}},
        {"LayerNormalization", {"axis=[2, 3, 4]", {4, {2, 3, 4, 5}}}},
        {"LayerNormalization", {"axis=[3, 4], rms_scaling=True", {4, {2, 3, 4, 5}}}},
        {"LayerNormalization", {"axis=[1, 2], scale=False, epsilon=0.1", {2, {4, 5}}}},
        {"Dense", {"units=3, activation=softmax", {4, {2, 3, 4, 5}}}},
        {"Activation", {"activation=log_softmax", {3, {2, 3, 4}}}},
        {"PReLU", {"shared_axes=(2, 3)", {4, {2, 3, 4, 5}}}},
        {"Permute", {"dims=(4, 1, 3, 2)", {4, {2, 3, 4, 5}}}},
        {"Reshape", {"target_shape=(3, 2, 4, 1)", {3, {2, 3, 4}}}},
        {"Rescaling", {"scale=1, offset=2", {4, {2, 3, 4, 5}}}},
        {"Rescaling", {"scale=1", {3, {2, 3, 4}}}},
        {"Normalization", {"axis=[1, 2], mean=[1, 2, 3, 4, 5, 6], variance=[1, 2, 3, 4, 5, 6]", {2, {2, 3}}}},
    };
    size_t cases = 0;
    char name[32];
    (void)state;
    skip_without_runtime();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(name, sizeof name, "rank-%02zu", i);
        cases += save_sample(layer_class_find(rows[i].class), &rows[i].sample, name);
    }
    check_cases(cases);
}

static void test_models(void **state)
{
    static const char *const names[] = {"chain", "fitted", "nested", "residual", "shared"};
    (void)state;
    skip_without_runtime();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        save_golden(names[i]);
    check_cases(sizeof names / sizeof *names);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    empty_folder();
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_models),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
