/* The layers room: keyword text to JSON, and what the initializers draw. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/shape.h"
#include "words/option.h"
#include "words/param.h"

/* ---- text ---- */

static void assert_parses(const char *text, const char *json)
{
    convoy_error err = {0};
    json_t *found = NULL;
    if (option_parse_text(text, &found, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    char *dump = json_dumps(found, JSON_COMPACT);
    assert_string_equal(dump, json);
    free(dump);
    json_decref(found);
}

static void assert_refused(const char *text, const char *first, const char *second)
{
    convoy_error err = {0};
    json_t *found = NULL;
    assert_int_equal(option_parse_text(text, &found, &err), CONVOY_ERROR_MODEL);
    assert_null(found);
    if (strstr(err.message, first) == NULL || strstr(err.message, second) == NULL)
        fail_msg("\"%s\" or \"%s\" is not in \"%s\"", first, second, err.message);
}

static void text_options(void **state)
{
    (void)state;
    assert_parses(NULL, "{}");
    assert_parses("  ", "{}");
    assert_parses("filters=32, kernel_size=(3, 3), padding='same', use_bias=False, activation=relu",
                  "{\"filters\":32,\"kernel_size\":[3,3],\"padding\":\"same\",\"use_bias\":false,\"activation\":"
                  "\"relu\"}");
    assert_parses("a = None , b=[1,2,],c=(3),d=(3,),e=True,", "{\"a\":null,\"b\":[1,2],\"c\":3,\"d\":[3],\"e\":true}");
    assert_parses("a=null,b=true,c=false", "{\"a\":null,\"b\":true,\"c\":false}");
    assert_parses("a=-1, b=+2, c=.5, d=-1., e=25e-2", "{\"a\":-1,\"b\":2,\"c\":0.5,\"d\":-1.0,\"e\":0.25}");
    assert_parses("a=\"it's\", b='\\'x\\\\', c=''", "{\"a\":\"it's\",\"b\":\"'x\\\\\",\"c\":\"\"}");
    assert_parses("a=keras.activations.relu, name=block.conv", "{\"a\":\"relu\",\"name\":\"block.conv\"}");
    assert_parses("i=HeNormal(seed=3), j={\"class_name\": \"Zeros\"}, k=1",
                  "{\"i\":{\"class_name\":\"HeNormal\",\"config\":{\"seed\":3}},\"j\":{\"class_name\":\"Zeros\"},\"k\":"
                  "1}");
}

static void refused_text(void **state)
{
    (void)state;
    assert_refused("32", "character 1: found '32'", "keyword=value");
    assert_refused("filters 32", "character 9: found '32'", "'='");
    assert_refused("filters=", "character 9: found the end", "a value");
    assert_refused("a=1 b=2", "character 5: found 'b=2'", "','");
    assert_refused("a=1, a=2", "character 6", "at most once");
    assert_refused("a=(1, 2", "found the end", "')'");
    assert_refused("a=[1, 2)", "found ')'", "']'");
    assert_refused("a='same", "character 3", "closing quote");
    assert_refused("a=3x", "found '3x'", "a number");
    assert_refused("a=1e999", "found '1e999'", "a number");
    assert_refused("a=99999999999999999999", "'9999", "a number");
    assert_refused("a='\xff'", "character 3", "UTF-8");
    assert_refused("a=,", "found ','", "a value");
    assert_refused("a={\"b\": }", "character 3", "'}'");
    assert_refused("a=((((((((((((((((((1))))))))))))))))))", "brackets", "character");
    assert_refused("a=HeNormal(seed=1", "found the end", "')'");
}

/* ---- initializers ---- */

#define COUNT 100000

typedef struct moments {
    double mean, deviation, least, most;
} moments;

static float drawn[COUNT], again[COUNT];

static initializer read_initializer(const char *json)
{
    convoy_error err = {0};
    initializer init;
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    if (initializer_read(value, &init, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    json_decref(value);
    return init;
}

static moments draw(const char *json, uint64_t seed, uint32_t stream, float *out)
{
    layer_param param = {.name = "kernel", .count = COUNT, .fan_in = 300, .fan_out = 100};
    initializer init = read_initializer(json);
    assert_int_equal(initializer_fill(&init, &param, seed, stream, out, NULL), CONVOY_OK);
    moments m = {.least = out[0], .most = out[0]};
    for (size_t i = 0; i < COUNT; i++) {
        m.mean += out[i] / COUNT;
        m.least = fmin(m.least, out[i]);
        m.most = fmax(m.most, out[i]);
    }
    for (size_t i = 0; i < COUNT; i++)
        m.deviation += (out[i] - m.mean) * (out[i] - m.mean) / COUNT;
    m.deviation = sqrt(m.deviation);
    return m;
}

/* `spread` is the expected standard deviation, `limit` the largest distance from `mean` (0: none). */
static void assert_drawn(const char *json, double mean, double spread, double limit)
{
    moments m = draw(json, 5, 2, drawn);
    assert_true(fabs(m.mean - mean) <= 5 * spread / sqrt(COUNT) + 1e-7);
    assert_true(fabs(m.deviation - spread) <= 0.01 * spread + 1e-7);
    if (limit > 0) {
        assert_true(m.most <= mean + limit * 1.000001 && m.least >= mean - limit * 1.000001);
        assert_true(m.most > mean + 0.99 * limit && m.least < mean - 0.99 * limit);
    }
}

static void distributions(void **state)
{
    (void)state;
    const double cut = 0.87962566103423978;
    assert_drawn("\"zeros\"", 0, 0, 0);
    assert_drawn("\"Ones\"", 1, 0, 0);
    assert_drawn("{\"class_name\": \"Constant\", \"config\": {\"value\": 0.25}}", 0.25, 0, 0);
    assert_drawn("\"glorot_uniform\"", 0, sqrt(6.0 / 400 / 3), sqrt(6.0 / 400));
    assert_drawn("\"GlorotNormal\"", 0, sqrt(2.0 / 400), 2 * sqrt(2.0 / 400) / cut);
    assert_drawn("\"he_uniform\"", 0, sqrt(6.0 / 300 / 3), sqrt(6.0 / 300));
    assert_drawn("\"he_normal\"", 0, sqrt(2.0 / 300), 2 * sqrt(2.0 / 300) / cut);
    assert_drawn("\"lecun_uniform\"", 0, sqrt(3.0 / 300 / 3), sqrt(3.0 / 300));
    assert_drawn("\"LecunNormal\"", 0, sqrt(1.0 / 300), 2 * sqrt(1.0 / 300) / cut);
    assert_drawn("\"random_uniform\"", 0, 0.05 / sqrt(3), 0.05);
    assert_drawn("\"RandomNormal\"", 0, 0.05, 0);
    assert_drawn("{\"class_name\": \"TruncatedNormal\", \"config\": {\"mean\": 1, \"stddev\": 0.5}}", 1, 0.5 * cut, 1);
    assert_drawn("{\"class_name\": \"VarianceScaling\", \"config\": {\"scale\": 2, \"mode\": \"fan_out\", "
                 "\"distribution\": \"untruncated_normal\"}}", 0, sqrt(2.0 / 100), 0);
    assert_true(draw("\"random_normal\"", 1, 0, drawn).most > 0.05 * 3.5);
}

static void determinism(void **state)
{
    (void)state;
    static const char seeded[] = "{\"class_name\": \"GlorotUniform\", \"config\": {\"seed\": 9}}";
    draw("\"glorot_normal\"", 1, 0, drawn);
    draw("\"glorot_normal\"", 1, 0, again);
    assert_memory_equal(drawn, again, sizeof drawn);
    draw("\"glorot_normal\"", 2, 0, again);
    assert_memory_not_equal(drawn, again, sizeof drawn);
    draw("\"glorot_normal\"", 1, 1, again);
    assert_memory_not_equal(drawn, again, sizeof drawn);
    draw(seeded, 1, 0, drawn); /* a seed of its own comes before the model's */
    draw(seeded, 2, 1, again);
    assert_memory_equal(drawn, again, sizeof drawn);
}

static void initializer_forms(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "3", "{\"class_name\": 3}", "\"orthogonal_\"", "{\"class_name\": \"Zeros\", \"config\": 3}",
        "{\"class_name\": \"Zeros\", \"config\": {\"value\": 3}}",
        "{\"class_name\": \"Constant\", \"config\": {\"value\": \"x\"}}",
        "{\"class_name\": \"GlorotUniform\", \"config\": {\"seed\": 0.5}}",
        "{\"class_name\": \"VarianceScaling\", \"config\": {\"mode\": \"fan\"}}",
        "{\"class_name\": \"VarianceScaling\", \"config\": {\"scale\": 0}}",
    };
    initializer init =
        read_initializer("{\"class_name\": \"RandomUniform\", \"config\": {\"seed\": {\"class_name\": "
                         "\"SeedGenerator\", \"config\": {\"seed\": 12}}, \"minval\": -0.5, \"maxval\": 2}}");
    json_t *written = initializer_write(&init);
    char *dump = json_dumps(written, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(dump,
                        "{\"class_name\":\"RandomUniform\",\"config\":{\"maxval\":2.0,\"minval\":-0.5,\"seed\":12},"
                        "\"module\":\"keras.initializers\",\"registered_name\":null}");
    free(dump);
    json_decref(written);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        convoy_error err = {0};
        json_t *value = json_loads(bad[i], JSON_DECODE_ANY, NULL);
        assert_int_equal(initializer_read(value, &init, &err), CONVOY_ERROR_MODEL);
        assert_true(strlen(err.message) > 20);
        json_decref(value);
    }
}

static void shapes(void **state)
{
    (void)state;
    char out[64], small[8];
    convoy_shape image = {.rank = 3, .dim = {32, 16, 3}},
                 huge = {.rank = 4, .dim = {2000000000, 2000000000, 2000000000, 9}};
    assert_int_equal(shape_count(&image), 32 * 16 * 3);
    assert_true(shape_count(&huge) == SIZE_MAX);
    assert_string_equal(shape_text(&image, out, sizeof out), "(None, 32, 16, 3)");
    assert_string_equal(shape_text(&image, small, sizeof small), "(None, ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_options), cmocka_unit_test(refused_text),      cmocka_unit_test(distributions),
        cmocka_unit_test(determinism),  cmocka_unit_test(initializer_forms), cmocka_unit_test(shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
