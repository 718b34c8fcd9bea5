/* The random image layers alone: what is drawn, how often and between which bounds; that every step, layer and seed draws anew and
 * the same draws the same; and that backward is the adjoint of forward. tests/test_augment_model.c has them in models. */
#include "augment_help.h"

enum { MOST = 512 };

/* ---- the same and another ---- */

static const char *const layers[][2] = {
    {"RandomFlip", "mode=horizontal_and_vertical"},
    {"RandomTranslation", "height_factor=0.4, width_factor=0.4"},
    {"RandomRotation", "factor=0.2"},
    {"RandomZoom", "height_factor=0.4"},
    {"RandomCrop", "height=8, width=9"},
    {"RandomContrast", "factor=0.9, value_range=(-9, 9)"},
    {"RandomBrightness", "factor=0.4, value_range=(-9, 9)"},
    {"RandomErasing", "factor=(1, 1), scale=(0.1, 0.5), value_range=(0, 1)"},
    {"Cutout", "size=5"},
};

enum { LAYERS = sizeof layers / sizeof layers[0] };

static run run_of(size_t i)
{
    return (run){.class_name = layers[i][0], .options = layers[i][1], .image = {3, {12, 11, 3}}, .batch = 16, .seed = SEED,
                 .stream = 2, .step = 5};
}

static bool same(run a, run b)
{
    play(&a);
    play(&b);
    bool equal = memcmp(a.y, b.y, (size_t)a.batch * a.out * sizeof *a.y) == 0;
    drop(&a);
    drop(&b);
    return equal;
}

static void test_every_draw_is_another(void **state)
{
    (void)state;
    for (size_t i = 0; i < LAYERS; i++) {
        run first = run_of(i), step = first, stream = first, seed = first, high = first;
        step.step++;
        stream.stream++;
        seed.seed++;
        high.seed += (uint64_t)1 << 32;
        assert_true(same(first, first));
        assert_false(same(first, step));
        assert_false(same(first, stream));
        assert_false(same(first, seed));
        assert_false(same(first, high));
    }
}

static void test_own_seed_wins(void **state)
{
    (void)state;
    for (size_t i = 0; i < LAYERS; i++) {
        char eleven[128], twelve[128];
        run a = run_of(i), b, c;
        snprintf(eleven, sizeof eleven, "%s, seed=11", a.options);
        snprintf(twelve, sizeof twelve, "%s, seed=12", a.options);
        a.options = eleven;
        b = c = a;
        b.seed++;
        c.options = twelve;
        assert_true(same(a, b));
        assert_false(same(a, c));
    }
}

/* Images that are the same come out differently; which place they have counts, and not how large the batch could be. */
static void test_every_image_has_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < LAYERS; i++) {
        run a = run_of(i), b = a;
        b.largest = b.batch + 3;
        play(&a);
        play(&b);
        size_t others = 0, count = a.out * (size_t)a.batch;
        for (size_t n = 1; n < (size_t)a.batch; n++)
            others += memcmp(a.y, a.y + n * a.out, a.out * sizeof *a.y) != 0;
        assert_true(others >= (size_t)a.batch / (i == 0 ? 8 : 2));
        assert_memory_equal(a.y, b.y, count * sizeof *a.y);
        for (size_t k = count; k < a.out * (size_t)b.largest; k++)
            assert_true(isnan(b.y[k])); /* nothing is written for images that are not there */
        drop(&a);
        drop(&b);
    }
}

/* ---- flips and windows: whole pixels ---- */

static bool is_flipped(const run *r, size_t n, bool across, bool upside)
{
    int h = r->image.dim[0], w = r->image.dim[1], c = r->image.dim[2];
    for (int i = 0; i < h * w * c; i++) {
        int y = i / (w * c), x = i / c % w;
        int from = ((upside ? h - 1 - y : y) * w + (across ? w - 1 - x : x)) * c + i % c;
        if (r->y[n * r->out + (size_t)i] != r->x[from])
            return false;
    }
    return true;
}

static void test_flips(void **state)
{
    (void)state;
    static const struct { const char *options; bool across, upside; } cases[] = {
        {"", true, true}, {"mode=horizontal", true, false}, {"mode=vertical", false, true}};
    for (size_t i = 0; i < 3; i++) {
        size_t flipped = 0;
        run r = {.class_name = "RandomFlip", .options = cases[i].options, .image = {3, {5, 4, 2}}, .batch = MOST, .seed = SEED};
        play(&r);
        for (size_t n = 0; n < MOST; n++) {
            bool turned = is_flipped(&r, n, cases[i].across, cases[i].upside);
            assert_true(turned || is_flipped(&r, n, false, false));
            flipped += turned;
        }
        assert_share(cases[i].options, flipped, MOST, 0.5);
        drop(&r);
    }
}

static void test_windows(void **state)
{
    (void)state;
    size_t found[3][4] = {{0}};
    run r = {.class_name = "RandomCrop", .options = "height=4, width=3", .image = {3, {6, 6, 2}}, .batch = MOST, .seed = SEED};
    play(&r);
    for (size_t n = 0; n < MOST; n++) {
        size_t places = 0;
        for (size_t place = 0; place < 12; place++) {
            bool here = true;
            for (size_t i = 0; i < r.out; i++)
                here = here && r.y[n * r.out + i] == r.x[((i / 6 + place / 4) * 6 + i / 2 % 3 + place % 4) * 2 + i % 2];
            found[place / 4][place % 4] += here;
            places += here;
        }
        assert_int_equal(places, 1);
    }
    for (size_t place = 0; place < 12; place++)
        assert_share("place of a window", found[place / 4][place % 4], MOST, 1.0 / 12);
    drop(&r);
}

/* ---- boxes ---- */

/* A box of 3 x 2 pixels around each pixel of 6 x 5, as often as around any other; it hangs over the edge. */
static void test_cutout(void **state)
{
    (void)state;
    size_t found[30] = {0};
    run r = {.class_name = "Cutout", .options = "size=(3, 2), fill_value=-2", .image = {3, {6, 5, 2}}, .batch = MOST,
             .seed = SEED};
    play(&r);
    for (size_t n = 0; n < MOST; n++) {
        size_t places = 0;
        for (int place = 0; place < 30; place++) {
            bool here = true;
            for (int i = 0; i < 60; i++) {
                int dy = i / 10 - place / 5, dx = i / 2 % 5 - place % 5;
                float expected = dy >= -1 && dy <= 1 && dx >= -1 && dx <= 0 ? -2.0f : r.x[i];
                here = here && r.y[n * r.out + (size_t)i] == expected;
            }
            found[place] += here;
            places += here;
        }
        assert_int_equal(places, 1);
    }
    for (size_t place = 0; place < 30; place++)
        assert_share("middle of a box", found[place], MOST, 1.0 / 30);
    drop(&r);
}

/* A number is drawn from 0 on; a pair of equal ones is the probability itself. */
static void test_erasing_is_as_likely_as_said(void **state)
{
    (void)state;
    static const struct { const char *options; double share; } cases[] = {
        {"", 0.5}, {"factor=0.4", 0.2}, {"factor=(0.3, 0.3)", 0.3}, {"factor=0", 0}, {"factor=(1, 1)", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char options[128];
        size_t erased = 0;
        snprintf(options, sizeof options, "%s%sscale=(0.2, 0.6), fill_value=0, value_range=(0, 1)", cases[i].options,
                 cases[i].options[0] ? ", " : "");
        run r = {.class_name = "RandomErasing", .options = options, .image = {3, {9, 8, 1}}, .batch = MOST, .seed = SEED};
        play(&r);
        for (size_t n = 0; n < MOST; n++)
            erased += memcmp(r.y + n * r.out, r.x, r.out * sizeof *r.x) != 0;
        assert_share(cases[i].options, erased, MOST, cases[i].share);
        drop(&r);
    }
}

/* Whole images of noise, z of a standard normal distribution clipped to -5 .. 1. */
static void test_erasing_with_noise(void **state)
{
    (void)state;
    size_t above = 0, below_0 = 0, below_1 = 0, pairs = 0, images = 0;
    run r = {.class_name = "RandomErasing", .options = "factor=(1, 1), scale=(1, 1), value_range=(-5, 1)",
             .image = {3, {9, 8, 3}}, .batch = 64, .seed = SEED};
    play(&r);
    size_t count = 64 * r.out;
    for (size_t i = 0; i < count; i++) {
        assert_true(r.y[i] >= -5 && r.y[i] <= 1);
        above += r.y[i] == 1;
        below_0 += r.y[i] < 0;
        below_1 += r.y[i] < -1;
        pairs += i + 1 < count && r.y[i] < 0 && r.y[i + 1] < 0;
        images += i + r.out < count && r.y[i] < 0 && r.y[i + r.out] < 0;
    }
    assert_share("clipped noise", above, count, 0.158655254);
    assert_share("negative noise", below_0, count, 0.5);
    assert_share("noise below -1", below_1, count, 0.158655254);
    assert_share("neighbours", pairs, count - 1, 0.25);
    assert_share("the same place of two images", images, count - r.out, 0.25);
    drop(&r);
}

/* ---- factors ---- */

/* What was drawn for an image of 9 x 8. */
static double shift_y(const float *d) { return -d[5] / 9; }
static double shift_x(const float *d) { return -d[2] / 8; }
static double turn(const float *d) { return atan2(d[3], d[0]) / 6.283185307179586; }
static double turn_back(const float *d) { return atan2(-d[1], d[4]) / 6.283185307179586; }
static double zoom_x(const float *d) { return (double)d[0] - 1; }
static double zoom_y(const float *d) { return (double)d[4] - 1; }
static double zooms_differ(const float *d) { return (double)d[0] - d[4]; }
static double contrast(const float *d) { return d[0]; }
static double added(const float *d) { return d[1]; }
static double share_x(const float *d) { return pow((d[1] - d[0]) / 8, 2); }
static double share_y(const float *d) { return pow((d[3] - d[2]) / 9, 2); }
static double place_x(const float *d) { return d[0] / (8 - (d[1] - d[0])); }
static double place_y(const float *d) { return d[2] / (9 - (d[3] - d[2])); }

/* All lie between the bounds, spread evenly, and reach near both. */
static void assert_between(const char *label, const run *r, double (*of)(const float *), double low, double high)
{
    double least = INFINITY, most = -INFINITY, sum = 0, width = high - low, rounding = 1e-6 * (1 + width);
    for (size_t n = 0; n < (size_t)r->batch; n++) {
        double v = of(r->saved + n * r->stride);
        least = fmin(least, v);
        most = fmax(most, v);
        sum += v / r->batch;
    }
    bool good = least >= low - rounding && most <= high + rounding && least <= low + 0.03 * width + rounding &&
                most >= high - 0.03 * width - rounding &&
                fabs(sum - (low + high) / 2) <= 5 * width / sqrt(12.0 * r->batch) + rounding;
    if (!good)
        fail_msg("%s: %g to %g, mean %g; %g to %g are expected", label, least, most, sum, low, high);
}

static void test_factors(void **state)
{
    (void)state;
    static const struct { const char *class_name, *options; double (*of)(const float *); double low, high; } cases[] = {
        {"RandomTranslation", "height_factor=0.3, width_factor=(0.1, -0.4)", shift_y, -0.3, 0.3},
        {"RandomTranslation", "height_factor=0.3, width_factor=(0.1, -0.4)", shift_x, -0.4, 0.1},
        {"RandomTranslation", "height_factor=-1, width_factor=0", shift_y, -1, 1},
        {"RandomTranslation", "height_factor=-1, width_factor=0", shift_x, 0, 0},
        {"RandomRotation", "factor=0.45", turn, -0.45, 0.45},
        {"RandomRotation", "factor=(0.1, 0.2)", turn, 0.1, 0.2},
        {"RandomRotation", "factor=(0.1, 0.2)", turn_back, 0.1, 0.2},
        {"RandomZoom", "height_factor=(-0.5, 0.2), width_factor=0.4", zoom_y, -0.5, 0.2},
        {"RandomZoom", "height_factor=(-0.5, 0.2), width_factor=0.4", zoom_x, -0.4, 0.4},
        {"RandomZoom", "height_factor=1", zoom_y, -1, 1},
        {"RandomZoom", "height_factor=1", zooms_differ, 0, 0},
        {"RandomContrast", "factor=0.4", contrast, 1, 1.4}, /* as Keras: a number is 0 to it */
        {"RandomContrast", "factor=(0.4, 0.8)", contrast, 0.6, 1.8},
        {"RandomContrast", "factor=(0.4, 0.8)", added, 0, 0},
        {"RandomBrightness", "factor=0.2", added, -51, 51},
        {"RandomBrightness", "factor=(0.1, -0.3), value_range=(1, -1)", added, -0.6, 0.2},
        {"RandomErasing", "factor=(1, 1)", share_x, 0.02, 0.33},
        {"RandomErasing", "factor=(1, 1)", share_y, 0.02, 0.33},
        {"RandomErasing", "factor=(1, 1), scale=(0.3, 0.1)", share_y, 0.1, 0.3},
        {"RandomErasing", "factor=(1, 1), scale=0.5", share_x, 0, 0.5},
        {"RandomErasing", "factor=(1, 1)", place_x, 0, 1},
        {"RandomErasing", "factor=(1, 1)", place_y, 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char label[160];
        run r = {.class_name = cases[i].class_name, .options = cases[i].options, .image = {3, {9, 8, 1}}, .batch = MOST,
                 .seed = SEED};
        snprintf(label, sizeof label, "case %zu, %s(%s)", i, r.class_name, r.options);
        play(&r);
        assert_between(label, &r, cases[i].of, cases[i].low, cases[i].high);
        drop(&r);
    }
}

/* ---- gradients ---- */

/* Layers that are linear in the image, when what comes from outside is 0: the products (y, dy) and (x, dx) are the same. */
static void test_backward_is_the_adjoint(void **state)
{
    (void)state;
    static const struct { const char *class_name, *options; } cases[] = {
        {"RandomFlip", ""},
        {"RandomTranslation", "height_factor=0.6, width_factor=0.7"},
        {"RandomTranslation", "height_factor=0.6, width_factor=0.7, fill_mode=constant"},
        {"RandomRotation", "factor=0.5"},
        {"RandomRotation", "factor=0.5, fill_mode=wrap"},
        {"RandomRotation", "factor=0.5, fill_mode=nearest, interpolation=nearest"},
        {"RandomZoom", "height_factor=0.9, width_factor=0.9, fill_mode=nearest"},
        {"RandomZoom", "height_factor=0.9, fill_mode=constant, interpolation=nearest"},
        {"RandomCrop", "height=4, width=6"},
        {"RandomCrop", "height=9, width=10"},
        {"RandomContrast", "factor=0.9, value_range=(-9, 9)"},
        {"RandomErasing", "factor=0.9, fill_value=0"},
        {"Cutout", "size=4"},
    };
    enum { IMAGES = 8, COUNT = IMAGES * 9 * 10 * 3 };
    static float dy[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        dy[i] = sinf((float)(3 * i + 1));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double left = 0, right = 0, sum = 0;
        run r = {.class_name = cases[i].class_name, .options = cases[i].options, .image = {3, {8, 7, 3}}, .batch = IMAGES,
                 .seed = SEED, .dy = dy};
        play(&r);
        for (size_t k = 0; k < r.out * IMAGES; k++) {
            left += (double)r.y[k] * (double)dy[k];
            sum += fabs((double)r.y[k] * (double)dy[k]);
        }
        for (size_t k = 0; k < r.in * IMAGES; k++)
            right += (double)r.x[k] * (double)r.dx[k];
        if (!(fabs(left - right) <= 3e-6 * sum))
            fail_msg("case %zu, %s(%s): %.9g and %.9g", i, r.class_name, r.options, left, right);
        drop(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_draw_is_another),
        cmocka_unit_test(test_own_seed_wins),
        cmocka_unit_test(test_every_image_has_its_own),
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_cutout),
        cmocka_unit_test(test_erasing_is_as_likely_as_said),
        cmocka_unit_test(test_erasing_with_noise),
        cmocka_unit_test(test_factors),
        cmocka_unit_test(test_backward_is_the_adjoint),
    };
    print_message("seed %d\n", SEED);
    return cmocka_run_group_tests_name("augment", tests, make_context, drop_context);
}
