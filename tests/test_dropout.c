/* Dropout, SpatialDropout2D and GaussianNoise: how much is drawn, that every step, layer and seed draws anew, that backward draws
 * the same again, and that a resumed run meets the same numbers. */
#include <math.h>

#include "layers/layer.h"
#include "train_help.h"

enum { BATCH = 4, HEIGHT = 25, WIDTH = 20, CHANNELS = 50, IMAGE = HEIGHT * WIDTH * CHANNELS, COUNT = BATCH * IMAGE };

/* What a layer makes of ones in one step of training, forward or backward. */
typedef struct drawn {
    const char *class_name, *options;
    uint64_t seed;
    uint32_t stream;
    int step;
    bool backward;
} drawn;

static rt_buffer *buffer_of(size_t count, float value)
{
    rt_buffer *b = NULL;
    CHECK(rt_buffer_create(ctx, count * sizeof value, "test", &b, &err));
    CHECK(rt_buffer_fill(b, value, &err));
    return b;
}

/* COUNT values, the caller frees them. */
static float *draw(const drawn *d)
{
    convoy_shape input = {3, {HEIGHT, WIDTH, CHANNELS}};
    json_t *config = NULL;
    layer *l = NULL;
    rt_list *list = NULL;
    float *out = malloc(COUNT * sizeof *out);
    assert_non_null(out);
    CHECK(option_parse_text(d->options, &config, &err));
    CHECK(layer_create(layer_class_find(d->class_name), config, &l, &err));
    json_decref(config);
    CHECK(layer_connect(l, &input, 1, &err));
    rt_buffer *in = buffer_of(COUNT, 1), *y = buffer_of(COUNT, NAN);
    rt_buffer *scratch = buffer_of(layer_find_needs(l, ctx, BATCH, NULL).forward_scratch, NAN);
    layer_io io = {.ctx = ctx, .batch = BATCH, .training = true, .seed = d->seed, .stream = d->stream, .input = {in},
                   .output = y, .d_output = in, .d_input = {y}, .scratch = scratch};
    CHECK(rt_list_create(ctx, BATCH, &list, &err));
    CHECK((d->backward ? l->class->backward : l->class->forward)(l, &io, list, &err));
    CHECK(rt_list_set_int(list, RT_VAR_UPDATES, d->step, &err));
    CHECK(rt_list_play(list, 0, rt_list_length(list), &err));
    CHECK(rt_buffer_read(y, 0, out, COUNT * sizeof *out, &err));
    rt_list_destroy(list);
    rt_buffer_destroy(in);
    rt_buffer_destroy(y);
    rt_buffer_destroy(scratch);
    layer_destroy(l);
    return out;
}

static bool same(const drawn *a, const drawn *b)
{
    float *x = draw(a), *y = draw(b);
    bool equal = memcmp(x, y, COUNT * sizeof *x) == 0;
    free(x);
    free(y);
    return equal;
}

/* Within five standard deviations of what is expected. */
static void assert_share(size_t found, size_t of, double share)
{
    double spread = sqrt((double)of * share * (1 - share));
    if (!(fabs((double)found - share * (double)of) <= 5 * spread))
        fail_msg("%zu of %zu; a share of %g is expected", found, of, share);
}

static void test_rate_and_scale(void **state)
{
    (void)state;
    static const struct { const char *options; double rate; } cases[] = {
        {"rate=0.5", 0.5}, {"rate=0.2", 0.2}, {"rate=0.9", 0.9}, {"rate=0.001", 0.001}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float *y = draw(&(drawn){"Dropout", cases[i].options, SEED, 1, 0, false});
        size_t zeros = 0, pairs = 0, columns = 0;
        for (size_t k = 0; k < COUNT; k++) {
            if (y[k] != 0.0f && fabs(y[k] * (1 - cases[i].rate) - 1) > 1e-6)
                fail_msg("value %zu is %.9g; 0 or %.9g is expected", k, y[k], 1 / (1 - cases[i].rate));
            zeros += y[k] == 0.0f;
            pairs += k + 1 < COUNT && y[k] == 0.0f && y[k + 1] == 0.0f;
            columns += k + IMAGE < COUNT && y[k] == 0.0f && y[k + IMAGE] == 0.0f;
        }
        /* Neighbours and images are independent of each other. */
        assert_share(zeros, COUNT, cases[i].rate);
        assert_share(pairs, COUNT - 1, cases[i].rate * cases[i].rate);
        assert_share(columns, COUNT - IMAGE, cases[i].rate * cases[i].rate);
        free(y);
    }
}

static void test_every_draw_is_another(void **state)
{
    (void)state;
    static const char *const classes[][2] = {
        {"Dropout", "rate=0.3"}, {"SpatialDropout2D", "rate=0.3"}, {"GaussianNoise", "stddev=0.3"}};
    for (size_t i = 0; i < 3; i++) {
        drawn first = {classes[i][0], classes[i][1], SEED, 1, 5, false};
        drawn step = first, stream = first, seed = first, high = first;
        step.step++;
        stream.stream++;
        seed.seed++;
        high.seed += (uint64_t)1 << 32;
        assert_true(same(&first, &first));
        assert_false(same(&first, &step));
        assert_false(same(&first, &stream));
        assert_false(same(&first, &seed));
        assert_false(same(&first, &high));
    }
}

/* Of two steps, the share that both drop is the square of the rate. */
static void test_steps_are_independent(void **state)
{
    (void)state;
    float *a = draw(&(drawn){"Dropout", "rate=0.5", SEED, 1, 0, false});
    float *b = draw(&(drawn){"Dropout", "rate=0.5", SEED, 1, 1, false});
    size_t both = 0;
    for (size_t i = 0; i < COUNT; i++)
        both += a[i] == 0.0f && b[i] == 0.0f;
    assert_share(both, COUNT, 0.25);
    free(a);
    free(b);
}

static void test_backward_draws_the_same(void **state)
{
    (void)state;
    drawn forward = {"Dropout", "rate=0.4", SEED, 2, 9, false}, backward = forward;
    backward.backward = true;
    assert_true(same(&forward, &backward));
    forward.class_name = backward.class_name = "SpatialDropout2D";
    assert_true(same(&forward, &backward));
}

static void test_own_seed_wins(void **state)
{
    (void)state;
    drawn a = {"Dropout", "rate=0.4, seed=11", SEED, 2, 9, false}, b = a, c = a;
    b.seed++;
    c.options = "rate=0.4, seed=12";
    assert_true(same(&a, &b));
    assert_false(same(&a, &c));
}

static void test_spatial_drops_channels(void **state)
{
    (void)state;
    float *y = draw(&(drawn){"SpatialDropout2D", "rate=0.3", SEED, 1, 0, false});
    size_t zeros = 0;
    for (size_t n = 0; n < BATCH; n++)
        for (size_t c = 0; c < CHANNELS; c++) {
            const float *channel = y + n * IMAGE + c;
            for (size_t p = 1; p < HEIGHT * WIDTH; p++)
                assert_true(channel[p * CHANNELS] == channel[0]);
            zeros += channel[0] == 0.0f;
        }
    assert_share(zeros, BATCH * CHANNELS, 0.3);
    free(y);
}

static void test_gaussian_moments(void **state)
{
    (void)state;
    float *y = draw(&(drawn){"GaussianNoise", "stddev=0.5", SEED, 1, 0, false});
    double sum = 0, squares = 0, fourth = 0;
    size_t beyond = 0;
    for (size_t i = 0; i < COUNT; i++) {
        double z = (y[i] - 1) / 0.5;
        sum += z;
        squares += z * z;
        fourth += z * z * z * z;
        beyond += fabs(z) > 2;
    }
    assert_true(fabs(sum / COUNT) < 5 / sqrt(COUNT));
    assert_true(fabs(squares / COUNT - 1) < 5 * sqrt(2.0 / COUNT));
    assert_true(fabs(fourth / COUNT - 3) < 5 * sqrt(96.0 / COUNT));
    assert_share(beyond, COUNT, 0.0455002639);
    free(y);
}

/* ---- in a model ---- */

static const char *const noisy[] = {
    "GaussianNoise", "stddev=0.02", "Conv2D", "filters=8, kernel_size=3", "BatchNormalization", "momentum=0.9", "ReLU", "",
    "SpatialDropout2D", "rate=0.1", "MaxPooling2D", "", "Dropout", "rate=0.25", "Flatten", "", "Dense",
    "units=16, activation=relu", "Dropout", "rate=0.5, seed=3", "Dense", "units=3", NULL};

static void test_resumed_run_draws_the_same(void **state)
{
    (void)state;
    assert_resumes(noisy, (convoy_fit_options){.batch_size = 16, .seed = SEED});
    assert_resumes(noisy, (convoy_fit_options){.batch_size = 16, .seed = SEED, .optimizer = "sgd"});
}

/* With weights that stand still and images in one order, the epochs' losses tell their masks apart. */
static int note_loss(void *user, const convoy_epoch *epoch)
{
    double **at = user;
    *(*at)++ = epoch->train.loss;
    return 0;
}

static void test_every_epoch_draws_anew(void **state)
{
    (void)state;
    static const char *const still[] = {"Flatten", "", "Dropout", "rate=0.5", "Dense", "units=3", NULL};
    double whole[4], parts[4], *at = whole;
    convoy_fit_options options = {.epochs = 4, .batch_size = 16, .seed = SEED, .no_shuffle = true, .learning_rate = 1e-30,
                                  .on_epoch = note_loss, .user = &at};
    convoy_model *a = make_model(still), *b = make_model(still);
    train(a, &options);
    options.epochs = 2;
    at = parts;
    train(b, &options);
    train(b, &options);
    for (int i = 0; i < 4; i++) {
        assert_true(whole[i] == parts[i]);
        for (int k = 0; k < i; k++)
            assert_true(whole[i] != whole[k]);
    }
    convoy_model_destroy(a);
    convoy_model_destroy(b);
}

static void test_same_seed_same_bits(void **state)
{
    (void)state;
    convoy_fit_options options = {.epochs = 2, .batch_size = 16, .seed = SEED, .no_shuffle = true};
    convoy_model *a = make_model(noisy), *b = make_model(noisy), *c = make_model(noisy);
    train(a, &options);
    train(b, &options);
    options.seed++;
    train(c, &options);
    assert_same_weights(a, b);
    assert_non_null(first_difference(a, c)); /* the images come in one order: only the masks differ */
    convoy_model_destroy(a);
    convoy_model_destroy(b);
    convoy_model_destroy(c);
}

/* Outside of training the layers are not there: the outputs are those of the model without them. */
static void test_off_outside_of_training(void **state)
{
    (void)state;
    static const char *const quiet[] = {"Conv2D", "filters=8, kernel_size=3", "Flatten", "", "Dense", "units=3", NULL};
    static const char *const loud[] = {
        "GaussianNoise", "stddev=1.0", "Conv2D", "filters=8, kernel_size=3", "SpatialDropout2D", "rate=0.5", "Dropout",
        "rate=0.5", "Flatten", "", "Dropout", "rate=1.0", "Dense", "units=3", "Dropout", "rate=0.9", NULL};
    convoy_model *a = make_model(quiet), *b = make_model(loud);
    assert_int_equal(convoy_model_parameter_count(a), convoy_model_parameter_count(b));
    convoy_dataset *data = small_data();
    convoy_metrics x, y;
    CHECK(convoy_evaluate(ctx, a, data, NULL, &x, &err));
    CHECK(convoy_evaluate(ctx, b, data, NULL, &y, &err));
    assert_true(x.loss == y.loss && x.accuracy == y.accuracy);
    static float inputs[2 * SIDE * SIDE * 3];
    float p[6], q[6];
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        inputs[i] = (float)(i % 31) / 31;
    CHECK(convoy_predict(ctx, a, inputs, 2, 2, p, &err));
    CHECK(convoy_predict(ctx, b, inputs, 2, 2, q, &err));
    assert_memory_equal(p, q, sizeof p);
    convoy_model_destroy(a);
    convoy_model_destroy(b);
    convoy_dataset_destroy(data);
}

static void test_refused_options(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"Dropout", "", "'rate' is missing"},
        {"Dropout", "rate=1.5", "'rate' is 1.5"},
        {"Dropout", "rate=0.5, seed=-1", "'seed' is -1"},
        {"Dropout", "rate=0.5, seed=1.5", "'seed' is 1.5"},
        {"Dropout", "rate=0.5, noise_shape=(1, 2)", "'noise_shape'"},
        {"SpatialDropout2D", "rate=0.5, data_format=channels_first", "channels_last"},
        {"GaussianNoise", "stddev=2", "'stddev' is 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        convoy_error err = {0};
        convoy_model *m = NULL;
        CHECK(convoy_model_create(NULL, &m, &err));
        CHECK(convoy_model_add(m, "InputLayer", "shape=(9, 9, 3)", &err));
        assert_int_equal(convoy_model_add(m, cases[i][0], cases[i][1], &err), CONVOY_ERROR_MODEL);
        if (strstr(err.message, cases[i][2]) == NULL)
            fail_msg("\"%s\" is not in: %s", cases[i][2], err.message);
        convoy_model_destroy(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_and_scale),
        cmocka_unit_test(test_every_draw_is_another),
        cmocka_unit_test(test_steps_are_independent),
        cmocka_unit_test(test_backward_draws_the_same),
        cmocka_unit_test(test_own_seed_wins),
        cmocka_unit_test(test_spatial_drops_channels),
        cmocka_unit_test(test_gaussian_moments),
        cmocka_unit_test(test_resumed_run_draws_the_same),
        cmocka_unit_test(test_every_epoch_draws_anew),
        cmocka_unit_test(test_same_seed_same_bits),
        cmocka_unit_test(test_off_outside_of_training),
        cmocka_unit_test(test_refused_options),
    };
    print_message("seed %d\n", SEED);
    return cmocka_run_group_tests_name("dropout", tests, make_context, drop_context);
}
