/* Metrics: against plain loops, against Keras (tests/golden/losses.json, made by tools/make_golden_losses.py), their names in
 * history and callbacks, and the confusion matrix. */
#include "loss_help.h"

#include <unistd.h>

#include "train/callback.h"
#include "train/confusion.h"

enum { MOST_ROWS = 40, MOST_OUTPUTS = 33 };

/* ---- the reference ---- */

static int rank_of(const float *z, int outputs, int i)
{
    int before = 0;
    for (int j = 0; j < outputs; j++)
        before += z[j] > z[i] || (z[j] == z[i] && j < i);
    return before;
}

static bool is_positive(const metric_settings *s, const float *z, int outputs, int i)
{
    double threshold = !isnan(s->threshold) ? s->threshold : s->top_k ? -1e10 : 0.5;
    return (double)z[i] > (double)(float)threshold && (s->top_k == 0 || rank_of(z, outputs, i) < s->top_k);
}

/* Adds a row's part of what the metric divides. */
static void add_row(const metric_settings *s, const float *z, int outputs, int label, double *above, double *below)
{
    int larger = 0;
    for (int i = 0; i < outputs; i++)
        larger += outputs > 1 && z[i] > z[label];
    if (strstr(s->class->name, "top_k")) {
        *above += larger < s->k;
        *below += 1;
    } else if (strcmp(s->class->name, "binary_accuracy") == 0) {
        for (int i = 0; i < outputs; i++)
            *above += (z[i] > (float)s->threshold) == (outputs == 1 ? label : i == label);
        *below += outputs;
    } else if (strstr(s->class->name, "accuracy")) {
        *above += outputs == 1 ? (z[0] > 0.5f) == label : rank_of(z, outputs, label) == 0;
        *below += 1;
    } else {
        for (int i = s->class_id < 0 ? 0 : (int)s->class_id; i < (s->class_id < 0 ? outputs : (int)s->class_id + 1); i++) {
            bool wanted = outputs == 1 ? label != 0 : i == label, positive = is_positive(s, z, outputs, i);
            *above += wanted && positive;
            *below += strcmp(s->class->name, "precision") == 0 ? positive : wanted;
        }
    }
}

/* ---- on the device ---- */

/* All metrics of the list over `steps` batches of `rows` rows, each with outputs of its own. */
static void check_list(const metric_list *list, const char *kind, int outputs, int rows, int steps)
{
    float z[MOST_ROWS * MOST_OUTPUTS];
    int32_t labels[MOST_ROWS];
    double above[CONVOY_MOST_METRICS] = {0}, below[CONVOY_MOST_METRICS] = {0};
    const loss_settings s = {.class = loss_class_find("mse")};
    metric_set *m = NULL;
    loss *l = NULL;
    rig r = make_rig(outputs, MOST_ROWS);
    CHECK(loss_create(ctx, MOST_ROWS, 3, &l, &err));
    CHECK(metric_set_create(ctx, list, NULL, outputs, MOST_ROWS, 3, &m, &err));
    judge_rig(&r, &(rig_judges){.l = l, .job = {.how = &s, .outputs = outputs, .z = r.z, .labels = r.labels},
                                .m = m, .metrics = {.given = r.z, .labels = r.labels}});
    for (int step = 0; step < steps; step++) {
        fill_outputs(kind, z, (size_t)(rows * outputs), (size_t)(outputs + 5 * step));
        for (int n = 0; n < rows; n++)
            labels[n] = (n * 11 + step) % (outputs > 1 ? outputs : 2);
        play_rig(&r, z, labels, rows, 0, step);
        for (int i = 0; i < list->count; i++)
            for (int n = 0; n < rows; n++)
                add_row(&list->row[i], z + n * outputs, outputs, labels[n], &above[i], &below[i]);
    }
    convoy_metrics found;
    size_t bad;
    CHECK(loss_read(l, (size_t)steps, (size_t)(rows * steps), &found, &bad, &err));
    CHECK(metric_set_read(m, (size_t)steps, &found, &err));
    assert_int_equal(found.count, list->count + 1);
    for (int i = 0; i < list->count; i++) {
        double value = value_named(&found, list->row[i].name), expected = below[i] > 0 ? above[i] / below[i] : 0;
        if (!(fabs(value - expected) <= 1e-12))
            fail_msg("%s, %d outputs (%s), %d x %d rows: %.9g instead of %.9g", list->row[i].name, outputs, kind, steps, rows,
                     value, expected);
    }
    drop_rig(&r);
    loss_destroy(l);
    metric_set_destroy(m);
}

static void test_kernels_count_what_the_definitions_say(void **state)
{
    (void)state;
    static const char *const any[] = {"accuracy", "BinaryAccuracy(threshold=0.25)", "BinaryAccuracy", "Precision()", "Recall()",
                                      "Precision(thresholds=0.75, name='high')", "Recall(thresholds=0, class_id=0)",
                                      "Precision(top_k=1)", NULL};
    static const char *const many[] = {"SparseCategoricalAccuracy()", "categorical_accuracy", "TopKCategoricalAccuracy(k=2)",
                                       "SparseTopKCategoricalAccuracy()", "Precision(top_k=2)", "Recall(top_k=2, class_id=1)",
                                       "Recall(thresholds=0.25, top_k=1)", "acc", NULL};
    static const char *const kinds[] = {"logits", "levels", "probabilities"};
    static const int outputs[] = {1, 2, 3, 10, MOST_OUTPUTS}, rows[] = {1, 7, MOST_ROWS};
    for (int o = 0; o < 5; o++)
        for (int k = 0; k < 3; k++) {
            metric_list list;
            CHECK(metric_list_parse(any, &list, &err));
            check_list(&list, kinds[k], outputs[o], rows[(o + k) % 3], 1 + k);
            CHECK(metric_list_parse(many, &list, &err));
            if (outputs[o] > 1)
                check_list(&list, kinds[k], outputs[o], rows[(o + k + 1) % 3], 3 - k);
        }
}

static void test_results_are_those_of_keras(void **state)
{
    (void)state;
    enum { GOLDEN_ROWS = 11, FIRST_ROWS = 8 };
    static const int32_t order[GOLDEN_ROWS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    size_t at;
    const json_t *row;
    assert_true(json_array_size(json_object_get(root, "metrics")) >= 20);
    json_array_foreach(json_object_get(root, "metrics"), at, row) {
        const char *texts[] = {golden_text(row, "metric"), NULL};
        int outputs = (int)json_integer_value(json_object_get(row, "outputs"));
        double expected = json_number_value(json_object_get(row, "value"));
        float z[GOLDEN_ROWS * 8], given[GOLDEN_ROWS];
        sample_weights *w = NULL;
        int32_t labels[GOLDEN_ROWS];
        metric_list list;
        metric_set *m = NULL;
        loss *l = NULL;
        convoy_metrics found;
        size_t bad;
        const loss_settings s = {.class = loss_class_find("mse")};
        rig r = make_rig(outputs, GOLDEN_ROWS);
        fill_outputs(golden_text(row, "kind"), z, (size_t)(GOLDEN_ROWS * outputs),
                     (size_t)json_integer_value(json_object_get(row, "seed")));
        int classes = classes_of(texts[0], outputs);
        fill_labels(labels, GOLDEN_ROWS, classes);
        fill_weights(given, GOLDEN_ROWS);
        convoy_dataset *data = bare_data(labels, GOLDEN_ROWS, classes);
        CHECK(metric_list_parse(texts, &list, &err));
        list.row[0].weighted = json_is_true(json_object_get(row, "weighted"));
        if (list.row[0].weighted)
            CHECK(sample_weights_create(ctx, data, NULL, given, &w, &err));
        CHECK(sample_weights_arrange(w, order, &err));
        CHECK(loss_create(ctx, GOLDEN_ROWS, 2, &l, &err));
        CHECK(metric_set_create(ctx, &list, w, outputs, GOLDEN_ROWS, 2, &m, &err));
        judge_rig(&r, &(rig_judges){.l = l, .job = {.how = &s, .outputs = outputs, .z = r.z, .labels = r.labels},
                                    .m = m, .metrics = {.given = r.z, .labels = r.labels}});
        for (int pass = 0; pass < 2; pass++) { /* the second begins anew */
            play_rig(&r, z, labels, FIRST_ROWS, 0, 0);
            play_rig(&r, z + FIRST_ROWS * outputs, labels + FIRST_ROWS, GOLDEN_ROWS - FIRST_ROWS, FIRST_ROWS, 1);
        }
        CHECK(loss_read(l, 2, GOLDEN_ROWS, &found, &bad, &err));
        CHECK(metric_set_read(m, 2, &found, &err));
        double value = value_named(&found, list.row[0].name);
        if (!golden_near(value, expected, 1e-6, 1))
            fail_msg("%s, %d outputs (%s): %.9g; Keras has %.9g", texts[0], outputs, golden_text(row, "kind"), value, expected);
        drop_rig(&r);
        loss_destroy(l);
        metric_set_destroy(m);
        sample_weights_destroy(w);
        convoy_dataset_destroy(data);
    }
}

/* ---- names ---- */

static void test_names_are_in_order(void **state)
{
    (void)state;
    convoy_metrics m = {0};
    static const char *const given[] = {"loss", "precision", "accuracy", "Precision", "loss", "acc"};
    static const char *const expected[] = {"Precision", "acc", "accuracy", "loss", "precision"};
    for (int i = 0; i < 6; i++)
        metric_put(&m, given[i], i);
    assert_int_equal(m.count, 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(m.metric[i].name, expected[i]);
    assert_true(value_named(&m, "loss") == 4);
}

/* All of a run's names reach callbacks, which may watch any of them. */
static void test_callbacks_know_metrics(void **state)
{
    (void)state;
    static const char *const layers[] = {"Flatten", "", "Dense", "units=3, activation=softmax", NULL};
    static const char *const metrics[] = {"accuracy", "Precision()", "TopKCategoricalAccuracy(k=2)", "Precision(class_id=1)",
                                          NULL};
    static const char stop[] = "EarlyStopping(monitor='val_precision_1', patience=1, min_delta=10)";
    char line[512] = "", folder[] = "/tmp/convoy-metrics-XXXXXX", path[64], logger[96];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log.csv", folder);
    snprintf(logger, sizeof logger, "CSVLogger(filename='%s')", path);
    const char *const callbacks[] = {stop, logger, NULL};
    convoy_model *m = make_model(layers);
    train(m, &(convoy_fit_options){.batch_size = 16, .epochs = 9, .loss = "CategoricalCrossentropy()", .metrics = metrics,
                                   .validation_split = 0.25, .callbacks = callbacks});
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "epoch,accuracy,loss,precision,precision_1,top_k_categorical_accuracy,val_accuracy,val_loss,"
                              "val_precision,val_precision_1,val_top_k_categorical_accuracy\r\n");
    int lines = 0;
    while (fgets(line, sizeof line, file) != NULL)
        lines++;
    assert_int_equal(lines, 2); /* the second epoch is not better by 10, which nothing is */
    fclose(file);
    remove(path);
    rmdir(folder);
    convoy_model_destroy(m);
}

/* ---- the confusion matrix ---- */

static void check_confusion(int outputs, int rows)
{
    float z[MOST_ROWS * MOST_OUTPUTS];
    int32_t labels[MOST_ROWS];
    int size = outputs > 1 ? outputs : 2;
    size_t found[MOST_OUTPUTS * MOST_OUTPUTS], expected[MOST_OUTPUTS * MOST_OUTPUTS];
    confusion *c = NULL;
    rig r = make_rig(outputs, MOST_ROWS);
    CHECK(confusion_create(ctx, outputs, size, 0.5, &c, &err));
    CHECK(confusion_add(c, r.list, r.z, r.labels, &err));
    for (int pass = 0; pass < 2; pass++) { /* the second begins anew */
        memset(expected, 0, sizeof expected);
        CHECK(confusion_clear(c, &err));
        for (int step = 0; step < 3; step++) {
            fill_outputs("levels", z, (size_t)(rows * outputs), (size_t)(step + pass));
            fill_labels(labels, (size_t)rows, size);
            play_rig(&r, z, labels, rows, 0, step);
            for (int n = 0; n < rows; n++) {
                int best = 0;
                for (int i = 0; i < outputs; i++)
                    best = rank_of(z + n * outputs, outputs, i) == 0 ? i : best;
                expected[labels[n] * size + (outputs == 1 ? z[n] > 0.5f : best)]++;
            }
        }
        CHECK(confusion_read(c, found, &err));
        assert_memory_equal(found, expected, (size_t)(size * size) * sizeof *found);
    }
    drop_rig(&r);
    confusion_destroy(c);
}

static void test_confusion(void **state)
{
    (void)state;
    static const int outputs[] = {1, 2, 3, 10, MOST_OUTPUTS};
    for (int i = 0; i < 5; i++)
        check_confusion(outputs[i], i % 2 ? MOST_ROWS : 17);
}

/* Its diagonal is what accuracy counts, its rows are the classes' images. */
static void test_evaluate_counts_classes(void **state)
{
    (void)state;
    static const char *const layers[] = {"Flatten", "", "Dense", "units=5", NULL};
    convoy_model *m = make_model(layers);
    convoy_dataset *data = small_data();
    convoy_metrics found;
    size_t counts[25], right = 0, images[5] = {0};
    assert_int_equal(convoy_confusion_size(m, data), 5);
    train(m, &(convoy_fit_options){.epochs = 2});
    CHECK(convoy_evaluate(ctx, m, data, &(convoy_evaluate_options){.batch_size = 16, .confusion = counts}, &found, &err));
    for (size_t n = 0; n < ROWS; n++)
        images[convoy_dataset_labels(data)[n]]++;
    for (size_t i = 0; i < 5; i++) {
        size_t sum = 0;
        for (size_t k = 0; k < 5; k++)
            sum += counts[i * 5 + k];
        assert_int_equal(sum, images[i]);
        right += counts[i * 5 + i];
    }
    assert_true(right == (size_t)lround(found.accuracy * ROWS));
    convoy_model_destroy(m);
    convoy_dataset_destroy(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels_count_what_the_definitions_say),
        cmocka_unit_test(test_results_are_those_of_keras),
        cmocka_unit_test(test_names_are_in_order),
        cmocka_unit_test(test_callbacks_know_metrics),
        cmocka_unit_test(test_confusion),
        cmocka_unit_test(test_evaluate_counts_classes),
    };
    return cmocka_run_group_tests_name("metrics", tests, open_golden, close_golden);
}
