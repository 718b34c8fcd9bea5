/* What losses, metrics and weights are called and told: texts, refusals, and compile_config as Keras writes and reads it. */
#include "loss_help.h"

#include "files/keras_file.h"

/* ---- texts ---- */

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *text, *class_name;
        bool from_logits;
        double smoothing, delta;
    } rows[] = {
        {"mse", "MeanSquaredError", false, 0, 0},
        {"MAE", "MeanAbsoluteError", false, 0, 0},
        {"huber", "Huber", false, 0, 1},
        {"keras.losses.Huber(delta=0.5)", "Huber", false, 0, 0.5},
        {"bce", "BinaryCrossentropy", false, 0, 0},
        {"BinaryCrossentropy(True)", NULL, false, 0, 0},
        {"categorical_crossentropy", "CategoricalCrossentropy", false, 0, 0},
        {"CategoricalCrossentropy(from_logits=True, label_smoothing=0.1, axis=-1)", "CategoricalCrossentropy", true, 0.1, 0},
        {"SparseCategoricalCrossentropy(from_logits=True, ignore_class=None)", "SparseCategoricalCrossentropy", true, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        loss_settings s = {0};
        convoy_error err = {0};
        convoy_status status = loss_parse(rows[i].text, &s, &err);
        if (rows[i].class_name == NULL) {
            assert_int_equal(status, CONVOY_ERROR_ARGUMENT);
            continue;
        }
        if (status != CONVOY_OK)
            fail_msg("%s: %s", rows[i].text, err.message);
        assert_string_equal(s.class->class_name, rows[i].class_name);
        assert_int_equal(s.from_logits, rows[i].from_logits);
        assert_true(s.label_smoothing == rows[i].smoothing && s.delta == rows[i].delta);
    }
}

static void test_metric_names(void **state)
{
    (void)state;
    static const char *const texts[] = {"acc", "Precision()", "Precision", "keras.metrics.Precision(class_id=0)",
                                        "Recall(name='mine')", "accuracy", "acc", "TopKCategoricalAccuracy(k=3)", NULL};
    static const char *const names[] = {"acc", "precision", "Precision", "precision_1", "mine", "accuracy", "acc_1",
                                        "top_k_categorical_accuracy"};
    metric_list list;
    CHECK(metric_list_parse(texts, &list, &err));
    assert_int_equal(list.count, 8);
    for (int i = 0; i < 8; i++)
        assert_string_equal(list.row[i].name, names[i]);
    assert_int_equal(list.row[1].class_id, -1);
    assert_int_equal(list.row[3].class_id, 0);
    assert_int_equal(list.row[7].k, 3);
}

/* ---- refusals ---- */

typedef struct refusal {
    convoy_fit_options options;
    const char *says[3];
} refusal;

static void test_refused_options(void **state)
{
    (void)state;
    static const float weights[] = {1};
#define METRICS(...) (const char *const[]){__VA_ARGS__, NULL}
    static const char *const many[] = {"acc", "acc", "acc", "acc", "acc", "acc", "acc", "acc", "acc",
                                       "acc", "acc", "acc", "acc", "acc", "acc", "acc", "acc", NULL};
    const refusal rows[] = {
        {{.loss = "categorical_crosentropy"}, {"loss 'categorical_crosentropy' is not known", "did you mean",
                                               "CategoricalCrossentropy"}},
        {{.loss = "CTC()"}, {"loss 'CTC' is not known", "known: SparseCategoricalCrossentropy, CategoricalCrossentropy, BinaryCross"}},
        {{.loss = "CategoricalCrossentropy(smoothing=0.1)"}, {"loss CategoricalCrossentropy: unknown option 'smoothing'",
                                                              "known: from_logits, label_smoothing"}},
        {{.loss = "CategoricalCrossentropy(label_smoothing=2)"}, {"loss CategoricalCrossentropy", "label_smoothing", "0 to 1"}},
        {{.loss = "mse(delta=1)"}, {"loss MeanSquaredError: unknown option 'delta'"}},
        {{.loss = "mse(reduction=most)"}, {"'reduction' is \"most\"", "sum_over_batch_size"}},
        {{.loss = "SparseCategoricalCrossentropy(ignore_class=1.5)"}, {"'ignore_class' is 1.5", "null"}},
        {{.loss = "Dice(axis=0)"}, {"loss Dice: option 'axis' is 0", "-1"}},
        {{.loss = "bce(from_logits=True)", .from_probabilities = true}, {"BinaryCrossentropy takes logits", "probabilities"}},
        {{.metrics = METRICS("acurracy")}, {"metric 'acurracy' is not known; did you mean 'accuracy'?", "TopKCategoricalAccuracy"}},
        {{.metrics = METRICS("acc", "Foo()")}, {"metric 'Foo' is not known", "Precision, Recall"}},
        {{.metrics = METRICS("IoU(num_classes=3, target_class_ids=[0, 3])")}, {"metric IoU: option 'target_class_ids' has 3"}},
        {{.metrics = METRICS("MeanIoU()")}, {"metric MeanIoU: option 'num_classes' is missing"}},
        {{.metrics = METRICS("TopKCategoricalAccuracy(k=0)")}, {"metric TopKCategoricalAccuracy: option 'k' is 0"}},
        {{.metrics = METRICS("Precision(thresholds=[0.1, 0.2])")}, {"metric Precision: option 'thresholds' has 2 values"}},
        {{.metrics = METRICS("Recall(thresholds=1.5)")}, {"option 'thresholds' is 1.5; expected 0 to 1"}},
        {{.metrics = METRICS("Recall(class_id=-1)")}, {"option 'class_id' is -1", "at least 0"}},
        {{.metrics = METRICS("Recall(name='loss')")}, {"option 'name' is 'loss'"}},
        {{.metrics = METRICS("accuracy(k=2)")}, {"metric accuracy is a word without options", "CategoricalAccuracy"}},
        {{.metrics = many}, {"more than 16 metrics"}},
        {{.class_weight = "0: 1", .sample_weight = weights}, {"class weights and sample weights exclude each other"}},
        {{.class_weight = "cat: 2"}, {"class weights \"cat: 2\", character 1: expected CLASS: WEIGHT"}},
        {{.class_weight = "{0: 1, 3: }"}, {"character 11"}},
        {{.class_weight = "{0: 1"}, {"character 6"}},
        {{.class_weight = "0: 1 2: 3"}, {"character 6"}},
        {{.class_weight = ""}, {"character 1"}},
        {{.class_weight = "0: nan"}, {"class 0 weighs nan"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        convoy_error err = {0};
        if (convoy_fit_check(&rows[i].options, &err) != CONVOY_ERROR_ARGUMENT)
            fail_msg("row %zu is not refused: %s", i, err.message);
        for (int k = 0; k < 3 && rows[i].says[k] != NULL; k++)
            if (strstr(err.message, rows[i].says[k]) == NULL)
                fail_msg("\"%s\" is not in: %s", rows[i].says[k], err.message);
    }
}

/* What only model and data show. */
static void test_refused_in_training(void **state)
{
    (void)state;
    static const float bad[ROWS] = {[5] = INFINITY};
    const struct {
        const char *last;
        refusal row;
    } rows[] = {
        {"units=3", {{.class_weight = "0: 1, 3: 2"}, {"class weights: class 3, but the data has 3 classes, 0 to 2"}}},
        {"units=3", {{.class_weight = "1: 1, 1: 2"}, {"class weights: class 1 comes twice"}}},
        {"units=3", {{.sample_weight = bad}, {"sample weights: image 5 weighs inf"}}},
        {"units=3", {{.metrics = METRICS("Precision(class_id=3)")}, {"metric precision: class_id 3, but the model has 3 outputs"}}},
        {"units=3", {{.metrics = METRICS("Recall(top_k=4)")}, {"metric recall: top_k 4, but the model has 3 outputs"}}},
        {"units=1", {{.loss = "mse", .metrics = METRICS("TopKCategoricalAccuracy()")}, {"the model has one output"}}},
        {"units=1", {{.loss = "bce"}, {"loss BinaryCrossentropy", "one output", "the data has 3"}}},
        {"units=1", {{.loss = "CategoricalCrossentropy()"}, {"loss CategoricalCrossentropy wants an output for each of the 3"}}},
        {"units=1", {{0}, {"loss SparseCategoricalCrossentropy wants", "BinaryCrossentropy"}}},
        {"units=3, activation=softmax", {{.loss = "BinaryFocalCrossentropy()"}, {"ends in softmax", "CategoricalFocal"}}},
        {"units=2", {{.loss = "mse"}, {"'dense' gives (None, 2), but the data has 3 classes"}}},
    };
    convoy_dataset *data = small_data();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *const layers[] = {"Flatten", "", "Dense", rows[i].last, NULL};
        convoy_error err = {0};
        convoy_model *m = make_model(layers);
        convoy_status status = convoy_fit(ctx, m, data, &rows[i].row.options, NULL, &err);
        assert_true(status == CONVOY_ERROR_ARGUMENT || status == CONVOY_ERROR_MODEL);
        for (int k = 0; k < 3 && rows[i].row.says[k] != NULL; k++)
            if (strstr(err.message, rows[i].row.says[k]) == NULL)
                fail_msg("\"%s\" is not in: %s", rows[i].row.says[k], err.message);
        convoy_model_destroy(m);
    }
    convoy_dataset_destroy(data);
}

/* ---- whose loss it is ---- */

static void test_loss_stays_with_the_model(void **state)
{
    (void)state;
    static const char *const layers[] = {"Flatten", "", "Dense", "units=3, activation=softmax", NULL};
    convoy_model *m = make_model(layers);
    convoy_dataset *data = small_data();
    convoy_metrics own, same, logits;
    objective o;
    train(m, &(convoy_fit_options){.loss = "CategoricalCrossentropy(label_smoothing=0.1)",
                                   .metrics = METRICS("Recall()", "acc")});
    CHECK(objective_choose(m, NULL, NULL, false, &o, &err));
    assert_string_equal(o.loss.class->class_name, "CategoricalCrossentropy");
    assert_int_equal(o.metrics.count, 2);
    CHECK(convoy_evaluate(ctx, m, data, NULL, &own, &err));
    CHECK(convoy_evaluate(ctx, m, data, &(convoy_evaluate_options){.loss = "CategoricalCrossentropy(label_smoothing=0.1)"},
                          &same, &err));
    CHECK(convoy_evaluate(ctx, m, data, &(convoy_evaluate_options){.loss = "CategoricalCrossentropy(from_logits=True)"},
                          &logits, &err));
    assert_true(own.loss == same.loss && own.loss != logits.loss);
    assert_string_equal(own.metric[0].name, "acc");
    assert_string_equal(own.metric[2].name, "recall");
    convoy_model_destroy(m);
    convoy_dataset_destroy(data);
}

/* ---- compile_config ---- */

static const char *const expected[][2] = {
    {"sparse_categorical_crossentropy", "accuracy "},
    {"mean_squared_error", "acc Precision "},
    {"binary_crossentropy", ""},
    {"mean_absolute_error", "categorical_accuracy "},
    {"sparse_categorical_crossentropy logits", "accuracy "},
    {"categorical_crossentropy logits smoothing=0.1", "top_k_categorical_accuracy(k=2) accuracy one(class 1, above 0.4) "},
    {"binary_crossentropy smoothing=0.25", "recall(top 2) binary_accuracy(above 0.25) "},
    {"huber", "sparse_top_k_categorical_accuracy(k=3) sparse_categorical_accuracy "}, /* Keras loses Huber's delta */
    {"kl_divergence", "auc accuracy "},
};

static const char *describe_loss(const loss_settings *s, char *out, size_t size)
{
    int used = snprintf(out, size, "%s%s", s->class ? s->class->name : "none", s->from_logits ? " logits" : "");
    if (s->label_smoothing > 0)
        snprintf(out + used, size - (size_t)used, " smoothing=%g", s->label_smoothing);
    return out;
}

static const char *describe_metrics(const metric_list *list, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < list->count; i++) {
        const metric_settings *s = &list->row[i];
        used += (size_t)snprintf(out + used, size - used, "%s", s->name);
        if (s->k && !s->is_word)
            used += (size_t)snprintf(out + used, size - used, "(k=%d)", s->k);
        if (s->top_k)
            used += (size_t)snprintf(out + used, size - used, "(top %d)", s->top_k);
        if (s->class->class_name != NULL && strcmp(s->class->class_name, "Precision") == 0 && s->class_id >= 0)
            used += (size_t)snprintf(out + used, size - used, "(class %d, above %g)", (int)s->class_id, s->threshold);
        if (strcmp(s->class->name, "binary_accuracy") == 0)
            used += (size_t)snprintf(out + used, size - used, "(above %g)", s->threshold);
        used += (size_t)snprintf(out + used, size - used, " ");
    }
    return out;
}

static void assert_compiled(const convoy_model *m, size_t row)
{
    char loss[128], metrics[512];
    assert_string_equal(describe_loss(&m->loss, loss, sizeof loss), expected[row][0]);
    assert_string_equal(describe_metrics(&m->metrics, metrics, sizeof metrics), expected[row][1]);
}

/* What Keras writes is read, and what is written of it is read as the same. */
static void test_compile_config(void **state)
{
    (void)state;
    static const char *const layers[] = {"Flatten", "", "Dense", "units=3", NULL};
    json_t *root = golden("losses.json"), *row;
    size_t i;
    assert_int_equal(json_array_size(json_object_get(root, "configs")), sizeof expected / sizeof expected[0]);
    json_array_foreach(json_object_get(root, "configs"), i, row) {
        json_t *written = json_object(), *compiled = json_deep_copy(json_object_get(row, "compile_config"));
        convoy_model *m = make_model(layers), *again = make_model(layers);
        json_object_set_new(compiled, "optimizer", json_string("sgd"));
        json_object_set_new(row, "compile_config", compiled);
        CHECK(keras_compile_read(row, m, &err));
        assert_compiled(m, i);
        CHECK(keras_compile_write(m, written, &err));
        CHECK(keras_compile_read(written, again, &err));
        assert_compiled(again, i);
        json_decref(written);
        convoy_model_destroy(m);
        convoy_model_destroy(again);
    }
    json_decref(root);
}

/* Options that Keras has but loses itself are kept in our files. */
static void test_delta_is_kept(void **state)
{
    (void)state;
    loss_settings s, again;
    CHECK(loss_parse("Huber(delta=0.5)", &s, &err));
    json_t *json = loss_to_json(&s);
    CHECK(loss_from_json(json, &again, &err));
    assert_true(again.delta == 0.5);
    json_decref(json);
}

/* ---- what is kept ---- */

typedef struct kept {
    const char *compile;  /* ' for " */
    const char *loss, *metrics; /* that are read, as described above; NULL: what is said in their place */
    const char *loss_says, *metrics_says; /* then they are written as they were; NULL: they can be used */
} kept;

static json_t *parsed(const char *text)
{
    char copy[1024];
    size_t i = 0;
    for (; text[i] != '\0'; i++)
        copy[i] = text[i] == '\'' ? '"' : text[i];
    json_t *json = json_loadb(copy, i, 0, NULL);
    if (json == NULL)
        fail_msg("broken: %s", text);
    return json;
}

static void check_kept(const kept *k)
{
    static const char *const layers[] = {"Flatten", "", "Dense", "units=3", NULL};
    static const char *const keys[] = {"optimizer", "loss", "loss_weights", "metrics", "weighted_metrics"};
    char text[512];
    json_t *config = json_pack("{s:o}", "compile_config", parsed(k->compile)), *written = json_object();
    convoy_model *m = make_model(layers);
    objective o;
    CHECK(keras_compile_read(config, m, &err));
    if (k->loss != NULL)
        assert_string_equal(describe_loss(&m->loss, text, sizeof text), k->loss);
    if (k->metrics != NULL)
        assert_string_equal(describe_metrics(&m->metrics, text, sizeof text), k->metrics);
    CHECK(keras_compile_write(m, written, &err));
    bool optimizer = strstr(k->compile, "'sgd'") == NULL;
    const bool kept[] = {optimizer, k->loss_says != NULL, k->loss_says != NULL, k->metrics_says != NULL, k->metrics_says != NULL};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const json_t *before = json_object_get(json_object_get(config, "compile_config"), keys[i]);
        if (kept[i] && before != NULL && !json_equal(before, json_object_get(json_object_get(written, "compile_config"), keys[i])))
            fail_msg("%s: %s is not written as it was", k->compile, keys[i]);
    }
    const char *says[] = {k->loss_says, k->metrics_says};
    for (int i = 0; i < 2; i++) {
        convoy_error why = {0};
        convoy_status status = objective_choose(m, i ? "mse" : NULL, i ? NULL : METRICS("acc"), false, &o, &why);
        assert_int_equal(status, says[i] ? CONVOY_ERROR_MODEL : CONVOY_OK);
        if (says[i] != NULL && (strstr(why.message, says[i]) == NULL || strstr(why.message, "name ") == NULL))
            fail_msg("\"%s\" is not in: %s", says[i], why.message);
    }
    CHECK(objective_choose(m, "mse", METRICS("acc"), false, &o, &err)); /* the caller's own */
    json_decref(config);
    json_decref(written);
    convoy_model_destroy(m);
}

static void test_what_is_not_known_is_kept(void **state)
{
    (void)state;
    static const kept rows[] = {
        {"{'optimizer': 'sgd', 'loss': 'my_loss', 'metrics': ['accuracy']}", "none", "accuracy ", "'my_loss' is not known", NULL},
        {"{'optimizer': {'class_name': 'Ftrl', 'config': {'l': 1}}, 'loss': {'class_name': 'Circle', 'config': {'gamma': 80.0}}, "
         "'loss_weights': 0.5, 'metrics': null}", "none", "", "'Circle' is not known; ", NULL},
        {"{'optimizer': 'sgd', 'loss': 'mse', 'metrics': ['accuracy', {'class_name': 'Mine', 'config': {'a': [1, 2]}}], "
         "'weighted_metrics': ['mae']}", "mean_squared_error", "", NULL, "'Mine' is not known"},
        {"{'optimizer': 'sgd', 'loss': ['mse', 'mae'], 'metrics': null}", "none", "", "there are 2 losses", NULL},
        {"{'optimizer': 'sgd', 'loss': {'a': 'mse', 'b': 'mae'}, 'loss_weights': {'a': 1.0, 'b': 0.5}}", "none", "",
         "there are 2 losses", NULL},
        {"{'optimizer': 'sgd', 'loss': 'mse', 'loss_weights': [0.5, 1.0]}", "none", "", "loss_weights is [0.5,1.0]", NULL},
        {"{'optimizer': 'sgd', 'loss': {'class_name': 'MeanSquaredError', 'config': {}, 'registered_name': 'Custom>MeanSquaredError'}}",
         "none", "", "is not one of Keras's", NULL},
        {"{'optimizer': 'sgd', 'loss': 'mse', 'metrics': [{'class_name': 'Precision', 'config': {'thresholds': [0.1, 0.2]}}]}",
         "mean_squared_error", "", NULL, "'thresholds' has 2 values"},
        {"{'optimizer': 'sgd', 'loss': {'dense': 'mse'}, 'metrics': {'dense': ['acc']}}", "mean_squared_error", "acc ", NULL, NULL},
        {"{'optimizer': 'sgd', 'loss': ['mse'], 'metrics': [['accuracy'], null], 'loss_weights': {'dense': 2}}", "mean_squared_error",
         "accuracy ", NULL, NULL},
        {"{'optimizer': 'sgd', 'loss': {'class_name': '__tuple__', 'items': ['mae']}, 'metrics': {'class_name': '__tuple__', 'items': "
         "['mse', 'acc']}, 'weighted_metrics': ['acc', 'mse', 'AUC']}", "mean_absolute_error", "mse acc weighted_acc weighted_mse AUC ",
         NULL, NULL},
        {"{'optimizer': 'sgd', 'loss': {'class_name': 'LossFunctionWrapper', 'config': {'name': 'l', 'fn': {'class_name': 'function', "
         "'config': 'huber'}, 'delta': 0.5}}, 'metrics': [{'class_name': 'MeanMetricWrapper', 'config': {'name': 'accuracy', 'dtype': "
         "'float32', 'fn': 'categorical_accuracy'}}]}", "huber", "accuracy ", NULL, NULL},
        {"{'optimizer': 'sgd', 'loss': null, 'metrics': null}", "none", "", NULL, NULL},
        {"{'optimizer': null, 'loss': null, 'metrics': null}", "none", "", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_kept(&rows[i]);
}

/* As in Keras, a config without an optimizer means RMSprop. */
static void test_without_an_optimizer(void **state)
{
    (void)state;
    convoy_model *m = NULL;
    static const char json[] = "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [{\"class_name\": \"Dense\", \"config\": "
                               "{\"units\": 2, \"batch_input_shape\": [null, 4]}}]}, \"compile_config\": {\"loss\": \"mse\", "
                               "\"loss_weights\": [0.5], \"metrics\": [\"mae\"]}}";
    CHECK(convoy_model_from_json(json, strlen(json), &m, &err));
    assert_string_equal(m->optimizer, "rmsprop");
    assert_string_equal(m->loss.class->class_name, "MeanSquaredError");
    assert_true(m->loss.has_weight && m->loss.weight == 0.5);
    assert_string_equal(m->metrics.row[0].name, "mae");
    CHECK(convoy_model_initialize(m, 1, &err));
    assert_string_equal(m->optimizer, "rmsprop");
    convoy_model_destroy(m);
}

/* What Keras 2 wrote: its reduction "auto", functions in wrappers, metrics in lists of lists. */
static void test_older_files(void **state)
{
    (void)state;
    static const char *const layers[] = {"Flatten", "", "Dense", "units=3", NULL};
    char text[512];
    json_t *training = parsed("{'optimizer_config': {'class_name': 'Custom>SGD', 'config': {'lr': 0.5}}, 'loss': {'class_name': "
                              "'CategoricalCrossentropy', 'config': {'reduction': 'auto', 'fn': 'categorical_crossentropy', "
                              "'from_logits': true}}, 'loss_weights': [], 'metrics': [[{'class_name': 'MeanMetricWrapper', 'config': "
                              "{'name': 'accuracy', 'dtype': 'float32', 'fn': 'categorical_accuracy'}}, 'mae']], 'weighted_metrics': "
                              "null, 'sample_weight_mode': null}");
    json_t *compile = keras_legacy_compile(training);
    convoy_model *m = make_model(layers);
    CHECK(keras_compile_read(compile, m, &err));
    assert_string_equal(m->optimizer, "sgd");
    assert_true(m->optimizer_settings.learning_rate == 0.5);
    assert_string_equal(describe_loss(&m->loss, text, sizeof text), "categorical_crossentropy logits");
    assert_string_equal(describe_metrics(&m->metrics, text, sizeof text), "accuracy mae ");
    assert_string_equal(m->metrics.row[0].class->class_name, "CategoricalAccuracy");
    json_decref(training);
    json_decref(compile);
    convoy_model_destroy(m);
}

/* A run with a loss of its own takes the place of what the file had. */
static void test_training_replaces(void **state)
{
    (void)state;
    static const char *const layers[] = {"Flatten", "", "Dense", "units=3", NULL};
    json_t *config = json_pack("{s:o}", "compile_config", parsed("{'optimizer': 'Ftrl', 'loss': 'my_loss', 'loss_weights': 2.0, "
                                                                 "'metrics': ['mine']}"));
    json_t *written = json_object();
    convoy_model *m = make_model(layers);
    CHECK(keras_compile_read(config, m, &err));
    train(m, &(convoy_fit_options){.optimizer = "sgd", .loss = "mse", .metrics = METRICS("acc")});
    CHECK(keras_compile_write(m, written, &err));
    const json_t *compile = json_object_get(written, "compile_config");
    assert_string_equal(json_string_value(json_object_get(json_object_get(compile, "optimizer"), "class_name")), "SGD");
    assert_string_equal(json_string_value(json_object_get(json_object_get(compile, "loss"), "class_name")), "MeanSquaredError");
    assert_string_equal(json_string_value(json_array_get(json_object_get(compile, "metrics"), 0)), "acc");
    assert_null(json_object_get(compile, "loss_weights"));
    json_decref(config);
    json_decref(written);
    convoy_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_metric_names),
        cmocka_unit_test(test_refused_options),
        cmocka_unit_test(test_refused_in_training),
        cmocka_unit_test(test_loss_stays_with_the_model),
        cmocka_unit_test(test_compile_config),
        cmocka_unit_test(test_delta_is_kept),
        cmocka_unit_test(test_what_is_not_known_is_kept),
        cmocka_unit_test(test_without_an_optimizer),
        cmocka_unit_test(test_older_files),
        cmocka_unit_test(test_training_replaces),
    };
    return cmocka_run_group_tests_name("objective", tests, make_context, drop_context);
}
