/* The random image layers in models: gradients of what lies in front of them, what they are outside of training, that runs repeat
 * and resume bit for bit, and files. */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "config.h"
#include "plan/plan.h"
#include "train_help.h"

/* ---- gradients ---- */

enum { IMAGES = 3, UPDATES = 4, INPUT = SIDE * SIDE * 3 };

/* The plan of one convolution and a random layer behind it. */
typedef struct bench {
    convoy_model *model;
    plan *plan;
    size_t middle, outputs; /* launches of forward; values of the output */
    float inputs[IMAGES * INPUT], *upstream, *found;
} bench;

static void make_bench(bench *b, const char *class_name, const char *options)
{
    const char *layers[] = {"Conv2D", "filters=2, kernel_size=3, padding=same", class_name, options, NULL};
    b->model = make_model(layers);
    CHECK(plan_create(ctx, b->model, &(plan_options){.batch = IMAGES, .training = true, .seed = SEED}, &b->plan, &err));
    CHECK(plan_add_forward(b->plan, &err));
    b->middle = rt_list_length(plan_list(b->plan));
    CHECK(plan_add_backward(b->plan, &err));
    CHECK(rt_list_set_int(plan_list(b->plan), RT_VAR_UPDATES, UPDATES, &err));
    convoy_shape shape = convoy_model_output(b->model);
    b->outputs = shape_count(&shape) * IMAGES;
    b->upstream = malloc(b->outputs * sizeof *b->upstream);
    b->found = malloc(b->outputs * sizeof *b->found);
    assert_true(b->upstream != NULL && b->found != NULL);
    for (size_t i = 0; i < b->outputs; i++)
        b->upstream[i] = cosf((float)i);
    for (size_t i = 0; i < IMAGES * INPUT; i++)
        b->inputs[i] = sinf((float)(3 * i + 1));
}

static void drop_bench(bench *b)
{
    plan_destroy(b->plan);
    convoy_model_destroy(b->model);
    free(b->upstream);
    free(b->found);
}

/* The outputs, weighted by their gradient. */
static double forward(bench *b)
{
    double sum = 0;
    CHECK(rt_buffer_write((rt_buffer *)plan_input(b->plan), 0, b->inputs, sizeof b->inputs, &err));
    CHECK(rt_list_play(plan_list(b->plan), 0, b->middle, &err));
    CHECK(rt_buffer_read((rt_buffer *)plan_output(b->plan), 0, b->found, b->outputs * sizeof(float), &err));
    for (size_t i = 0; i < b->outputs; i++)
        sum += (double)b->found[i] * (double)b->upstream[i];
    return sum;
}

static double moved(bench *b, float *kernel, size_t count, size_t i, float by)
{
    float before = kernel[i];
    kernel[i] += by;
    CHECK(rt_buffer_write((rt_buffer *)plan_parameter(b->plan, 1, 0), 0, kernel, count * sizeof *kernel, &err));
    double sum = forward(b);
    kernel[i] = before;
    return sum;
}

/* Differences of the outputs against backward, for the convolution's kernel. Where nothing is clipped the outputs are linear in it,
 * and a long step loses least. */
static void check_gradients(const char *class_name, const char *options, float step)
{
    enum { KERNEL = 3 * 3 * 3 * 2 };
    bench b;
    float kernel[KERNEL], gradient[KERNEL];
    make_bench(&b, class_name, options);
    CHECK(rt_buffer_read((rt_buffer *)plan_parameter(b.plan, 1, 0), 0, kernel, sizeof kernel, &err));
    (void)forward(&b);
    CHECK(rt_buffer_write((rt_buffer *)plan_d_output(b.plan), 0, b.upstream, b.outputs * sizeof(float), &err));
    CHECK(rt_list_play(plan_list(b.plan), b.middle, rt_list_length(plan_list(b.plan)), &err));
    CHECK(rt_buffer_read((rt_buffer *)plan_parameter_gradient(b.plan, 1, 0), 0, gradient, sizeof gradient, &err));
    double largest = 0;
    for (size_t i = 0; i < KERNEL; i++) {
        double up = moved(&b, kernel, KERNEL, i, step), down = moved(&b, kernel, KERNEL, i, -step);
        double expected = (up - down) / (2.0 * (double)step);
        largest = fmax(largest, fabs(expected));
        if (!(fabs((double)gradient[i] - expected) <= 1e-3 * fmax(1, fabs(expected))))
            fail_msg("%s(%s): the gradient of weight %zu is %g; differences say %g", class_name, options, i,
                     (double)gradient[i], expected);
    }
    assert_true(largest > 0.5); /* there was something to compare */
    drop_bench(&b);
}

static void test_gradients_of_a_convolution_in_front(void **state)
{
    (void)state;
    check_gradients("RandomFlip", "", 0.5f);
    check_gradients("RandomTranslation", "height_factor=0.4, width_factor=0.4", 0.5f);
    check_gradients("RandomTranslation", "height_factor=0.4, width_factor=0.4, fill_mode=constant, fill_value=3", 0.5f);
    check_gradients("RandomRotation", "factor=0.3, fill_mode=nearest", 0.5f);
    check_gradients("RandomRotation", "factor=0.3, fill_mode=wrap, interpolation=nearest", 0.5f);
    check_gradients("RandomZoom", "height_factor=0.6, width_factor=0.6", 0.5f);
    check_gradients("RandomCrop", "height=5, width=4", 0.5f);
    check_gradients("RandomCrop", "height=11, width=9", 0.5f);
    check_gradients("RandomContrast", "factor=(0.9, 0.9), value_range=(-99, 99)", 0.5f);
    check_gradients("RandomBrightness", "factor=0.1, value_range=(-99, 99)", 0.5f);
    check_gradients("RandomErasing", "factor=(1, 1), value_range=(-1, 1)", 0.5f);
    check_gradients("Cutout", "size=4, fill_value=0.5", 0.5f);
}

/* ---- outside of training ---- */

#define EVERY_LAYER                                                                                                    \
    "RandomFlip", "mode=horizontal", "RandomTranslation", "height_factor=0.1, width_factor=0.1", "RandomRotation",     \
        "factor=0.03", "RandomZoom", "height_factor=0.1", "RandomContrast", "factor=0.1, value_range=(0, 1)",          \
        "RandomBrightness", "factor=0.05, value_range=(0, 1)", "RandomErasing",                                        \
        "factor=0.5, scale=(0.02, 0.1), value_range=(0, 1)", "Cutout", "size=2"

static void predict(const char *const *layers, float *out)
{
    static float inputs[2 * INPUT];
    convoy_model *m = make_model(layers);
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        inputs[i] = (float)(i % 31) / 31;
    CHECK(convoy_predict(ctx, m, inputs, 2, 2, out, &err));
    convoy_model_destroy(m);
}

static void test_off_outside_of_training(void **state)
{
    (void)state;
    static const char *const quiet[] = {"Conv2D", "filters=8, kernel_size=3", "Flatten", "", "Dense", "units=3", NULL};
    static const char *const loud[] = {EVERY_LAYER, "RandomCrop", "height=9, width=9", "Conv2D", "filters=8, kernel_size=3",
                                       "RandomFlip", "", "Cutout", "", "Flatten", "", "Dense", "units=3", NULL};
    convoy_model *a = make_model(quiet), *b = make_model(loud);
    assert_int_equal(convoy_model_parameter_count(a), convoy_model_parameter_count(b));
    convoy_dataset *data = small_data();
    convoy_metrics x, y;
    CHECK(convoy_evaluate(ctx, a, data, NULL, &x, &err));
    CHECK(convoy_evaluate(ctx, b, data, NULL, &y, &err));
    assert_true(x.loss == y.loss && x.accuracy == y.accuracy);
    float p[6], q[6];
    predict(quiet, p);
    predict(loud, q);
    assert_memory_equal(p, q, sizeof p);
    convoy_model_destroy(a);
    convoy_model_destroy(b);
    convoy_dataset_destroy(data);
}

/* A third of 9 x 9: the middle one of each 3 x 3 pixels. 9 x 3: the three columns in the middle. */
static void test_crop_outside_of_training(void **state)
{
    (void)state;
    static const char *const third[] = {"RandomCrop", "height=3, width=3", NULL};
    static const char *const strip[] = {"RandomCrop", "height=9, width=3", NULL};
    static const char *const whole[] = {"RandomCrop", "height=9, width=9", NULL};
    static float x[2 * INPUT], y[2 * 27], z[2 * 81];
    predict(whole, x);
    predict(third, y);
    predict(strip, z);
    for (size_t i = 0; i < 2 * INPUT; i++)
        assert_true(x[i] == (float)(i % 31) / 31);
    for (size_t i = 0; i < 2 * 27; i++)
        assert_true(y[i] == x[i / 27 * INPUT + ((i / 9 % 3 * 3 + 1) * SIDE + i / 3 % 3 * 3 + 1) * 3 + i % 3]);
    for (size_t i = 0; i < 2 * 81; i++)
        assert_true(z[i] == x[i / 81 * INPUT + (i / 9 % 9 * SIDE + i / 3 % 3 + 3) * 3 + i % 3]);
}

/* ---- training ---- */

static const char *const augmented[] = {
    EVERY_LAYER, "RandomCrop", "height=8, width=7", "Conv2D", "filters=8, kernel_size=3, activation=relu", "RandomTranslation",
    "height_factor=0.1, width_factor=0.1, fill_mode=constant, seed=3", "RandomContrast", "factor=0.1, value_range=(0, 9)",
    "MaxPooling2D", "", "Flatten", "", "Dense", "units=3", NULL};

static int note_loss(void *user, const convoy_epoch *epoch)
{
    double **at = user;
    *(*at)++ = epoch->train.loss;
    return 0;
}

static void test_trains(void **state)
{
    (void)state;
    double losses[12], *at = losses;
    convoy_fit_options options = {.epochs = 12, .batch_size = 16, .seed = SEED, .learning_rate = 0.01, .on_epoch = note_loss,
                                  .user = &at};
    convoy_model *m = make_model(augmented);
    convoy_metrics after;
    train(m, &options);
    convoy_dataset *data = small_data();
    CHECK(convoy_evaluate(ctx, m, data, NULL, &after, &err));
    assert_true(losses[11] < 0.6 * losses[0]);
    assert_true(after.accuracy > 0.9);
    convoy_dataset_destroy(data);
    convoy_model_destroy(m);
}

static void test_resumed_run_draws_the_same(void **state)
{
    (void)state;
    assert_resumes(augmented, (convoy_fit_options){.batch_size = 16, .seed = SEED});
    assert_resumes(augmented, (convoy_fit_options){.batch_size = 16, .seed = SEED, .optimizer = "sgd", .stream = true});
}

static void test_same_seed_same_bits(void **state)
{
    (void)state;
    convoy_fit_options options = {.epochs = 2, .batch_size = 16, .seed = SEED, .no_shuffle = true};
    convoy_model *a = make_model(augmented), *b = make_model(augmented), *c = make_model(augmented);
    train(a, &options);
    train(b, &options);
    options.seed++;
    train(c, &options);
    assert_same_weights(a, b);
    assert_non_null(first_difference(a, c)); /* the images come in one order: only what happens to them differs */
    convoy_model_destroy(a);
    convoy_model_destroy(b);
    convoy_model_destroy(c);
}

/* ---- files ---- */

#ifdef HAVE_KERAS_FILES
/* Options, weights and the optimizer: a run that goes on from the file meets the same bits. */
static void test_saved_and_loaded(void **state)
{
    (void)state;
    char folder[] = "/tmp/convoy-test-augment-XXXXXX", path[64], *first = NULL, *second = NULL;
    convoy_fit_options options = {.epochs = 1, .batch_size = 16, .seed = SEED};
    convoy_model *m = make_model(augmented), *loaded = NULL;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m.keras", folder);
    train(m, &options);
    CHECK(convoy_model_save(m, path, &err));
    CHECK(convoy_model_load(path, &loaded, &err));
    unlink(path);
    rmdir(folder);
    CHECK(convoy_model_to_json(m, &first, &err));
    CHECK(convoy_model_to_json(loaded, &second, &err));
    assert_string_equal(first, second);
    assert_same_weights(m, loaded);
    train(m, &options);
    train(loaded, &options);
    assert_same_weights(m, loaded);
    free(first);
    free(second);
    convoy_model_destroy(m);
    convoy_model_destroy(loaded);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients_of_a_convolution_in_front),
        cmocka_unit_test(test_off_outside_of_training),
        cmocka_unit_test(test_crop_outside_of_training),
        cmocka_unit_test(test_trains),
        cmocka_unit_test(test_resumed_run_draws_the_same),
        cmocka_unit_test(test_same_seed_same_bits),
#ifdef HAVE_KERAS_FILES
        cmocka_unit_test(test_saved_and_loaded),
#endif
    };
    print_message("seed %d\n", SEED);
    return cmocka_run_group_tests_name("augment in models", tests, make_context, drop_context);
}
