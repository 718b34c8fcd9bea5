/* convoy train and evaluate with losses, metrics and weights of the user's choice. */
#include <jansson.h>
#include <math.h>

#include "command.h"

#define SOFTMAX "{\"class_name\":\"Dense\",\"config\":{\"units\":10,\"activation\":\"softmax\"}}"

static json_t *result(void)
{
    json_error_t where;
    expect_success();
    json_t *all = json_loads(last.out, 0, &where);
    if (all == NULL)
        fail_msg("not JSON: %s:\n%s", where.text, last.out);
    return all;
}

static double number(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        fail_msg("%s is not a number in:\n%s", key, last.out);
    return json_number_value(value);
}

/* The model remembers what it was trained with; the progress line, the log and the results name what was asked for. */
static void test_a_loss_of_choice(void **state)
{
    (void)state;
    write_file("p.json", MODEL(FLATTEN "," SOFTMAX));
    shell("convoy train p.json --data t --loss 'CategoricalCrossentropy(label_smoothing=0.1)' --validation test --csv-log l.csv "
          "--metrics 'acc, TopKCategoricalAccuracy(k=3), Precision(class_id=3, name=\"ships\")' --monitor val_ships "
          "--early-stopping mode=max -o p.keras --class-weight '0: 0.5, 3: 2'");
    expect_success();
    expect_text(last.err, " - acc: ");
    expect_text(last.err, " - val_ships: ");
    expect_text(last.out, "test acc 0.");
    expect_text(last.out, ", loss ");
    expect_text(last.out, ", top_k_categorical_accuracy 0.");
    expect_no_text(last.err, "softmax"); /* it fits */
    char *log = slurp("l.csv");
    expect_text(log, "epoch,acc,loss,ships,top_k_categorical_accuracy,val_acc,val_loss,val_ships,val_top_k");
    free(log);
    shell("convoy evaluate p.keras --data t --json");
    json_t *own = result();
    assert_true(number(own, "top_k_categorical_accuracy") >= number(own, "acc"));
    assert_true(number(own, "accuracy") == number(own, "acc"));
    shell("convoy evaluate p.keras --data t --json --loss mse --metrics accuracy");
    json_t *other = result();
    assert_true(number(other, "loss") < number(own, "loss"));
    assert_null(json_object_get(other, "top_k_categorical_accuracy"));
    json_decref(own);
    json_decref(other);
}

/* Numbers belong to no class: evaluate has no table of them. */
static void test_numbers_have_no_classes(void **state)
{
    (void)state;
    shell("convoy train m.json --data t --loss mse -o n.keras -q && convoy evaluate n.keras --data t -q");
    expect_success();
    expect_text(last.out, "loss ");
    expect_no_text(last.out, "class  ");
    shell("convoy evaluate n.keras --data t -q --json");
    json_t *all = result();
    assert_string_equal(json_string_value(json_object_get(all, "outputs")), "numbers");
    assert_true(json_is_null(json_object_get(all, "classes")));
    json_decref(all);
}

static void test_epochs_as_json(void **state)
{
    (void)state;
    shell("convoy train m.json --data t --json --metrics 'Recall(top_k=1),accuracy' --validation-split 0.5");
    json_t *all = result(), *epoch = json_array_get(json_object_get(all, "epochs"), 0);
    assert_int_equal(json_object_size(epoch), 9);
    assert_true(number(epoch, "recall") == number(epoch, "accuracy")); /* recall of the first of all classes is accuracy */
    assert_true(number(epoch, "val_recall") == number(epoch, "val_accuracy"));
    assert_int_equal(json_object_size(json_object_get(all, "test")), 3);
    json_decref(all);
}

static void test_classes_and_confusion(void **state)
{
    (void)state;
    shell("convoy train m.json --data sample -o c.keras");
    expect_success();
    shell("convoy evaluate c.keras --data sample --json --confusion");
    json_t *all = result(), *classes = json_object_get(all, "classes"), *confusion = json_object_get(all, "confusion");
    double right = 0, images = 0;
    assert_int_equal(json_array_size(classes), 10);
    assert_int_equal(json_array_size(confusion), 10);
    for (size_t i = 0; i < 10; i++) {
        const json_t *row = json_array_get(confusion, i), *class = json_array_get(classes, i);
        double sum = 0;
        for (size_t k = 0; k < 10; k++)
            sum += (double)json_integer_value(json_array_get(row, k));
        assert_true(sum == number(class, "images"));
        images += sum;
        right += (double)json_integer_value(json_array_get(row, i));
    }
    assert_true(images == number(all, "images"));
    assert_int_equal(lround(number(all, "accuracy") * images), (long)right);
    assert_string_equal(json_string_value(json_object_get(json_array_get(classes, 9), "name")), "dots");
    json_decref(all);
    shell("convoy evaluate c.keras --data sample");
    expect_success();
    expect_text(last.out, "\nclass                 images  accuracy\n");
    expect_text(last.out, "\nhorizontal stripes        30    ");
    shell("convoy evaluate c.keras --data sample --confusion");
    expect_failure(2, "--confusion goes with --json");
}

/* Writes a .npy file of `count` float32, each the same. */
static void write_weights(const char *path, int count, float value)
{
    char header[128];
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d,), }", count);
    fprintf(f, "\x93NUMPY%c%c%c%c%-117s\n", 1, 0, 118, 0, header);
    for (int i = 0; i < count; i++)
        fwrite(&value, sizeof value, 1, f);
    fclose(f);
}

static void test_sample_weights(void **state)
{
    (void)state;
    double loss[2];
    write_weights("two.npy", 200, 2.0f);
    write_weights("few.npy", 7, 2.0f);
    shell("convoy train m.json --data t --quiet -o w.keras --sample-weight two.npy");
    expect_success();
    for (int i = 0; i < 2; i++) {
        shell("convoy evaluate w.keras --data t --json %s", i ? "--sample-weight two.npy" : "");
        json_t *all = result();
        loss[i] = number(all, "loss");
        json_decref(all);
    }
    assert_true(loss[1] > 1.99999 * loss[0] && loss[1] < 2.00001 * loss[0]);
    shell("convoy train m.json --data t --quiet --sample-weight few.npy");
    expect_failure(1, "few.npy: 7 rows of 1 number; one number for each of the 200 images is expected");
    shell("convoy train m.json --data t --quiet --sample-weight none.npy");
    expect_failure(1, "none.npy");
}

static void test_messages(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
        int code;
    } rows[] = {
        {"train m.json --data t --loss nll", "loss 'nll' is not known", 2},
        {"train m.json --data t --metrics 'accuracy, f1'", "metric 'f1' is not known", 2},
        {"train m.json --data t --metrics 'Precision(class_id=10)'", "class_id 10, but the model has 10 outputs", 2},
        {"train m.json --data t --class-weight '0=1'", "expected CLASS: WEIGHT", 2},
        {"train m.json --data t --class-weight '10: 1'", "class 10, but the data has 10 classes", 2},
        {"train m.json --data t --class-weight '0: 1' --sample-weight x.npy", "--class-weight and --sample-weight", 2},
        {"evaluate m.json --data t --loss nll", "loss 'nll' is not known", 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        shell("convoy %s", rows[i].line);
        expect_failure(rows[i].code, rows[i].says);
    }
    shell("convoy train m.json --data t --loss CategoricalCrossentropy");
    expect_text(last.err, "takes probabilities, but the model does not end in softmax or sigmoid: add from_logits=True");
    write_file("p.json", MODEL(FLATTEN "," SOFTMAX));
    shell("convoy train p.json --data t --loss 'bce(from_logits=True)'");
    expect_no_text(last.err, "from_logits"); /* the loss is taken on the softmax's logits all the same */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_loss_of_choice),
        cmocka_unit_test(test_numbers_have_no_classes),
        cmocka_unit_test(test_epochs_as_json),
        cmocka_unit_test(test_classes_and_confusion),
        cmocka_unit_test(test_sample_weights),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests_name("cli_losses", tests, make_folder, remove_folder);
}
