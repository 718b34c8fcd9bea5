/* Prints docs/layers.md from the tables that read models: a new row is in it by itself. test_pages holds the page to it. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/callback.h"
#include "train/schedule.h"
#include "words/metric_config.h"
#include "words/optimizer_config.h"
#include "words/option.h"

static void must(convoy_status status, const convoy_error *err)
{
    if (status == CONVOY_OK)
        return;
    fprintf(stderr, "layers_page: %s\n", err->message);
    exit(1);
}

/* ---- options ---- */

/* Has it an effect? Others are read because files have them. */
static bool is_shown(const option *row) { return row->kind != OPTION_IGNORED; }

/* The learning rate stands among optimizers' ignored options, because it may be a schedule; its row is printed apart. */
static void print_rows(const option *rows)
{
    for (const option *row = rows; row->name != NULL; row++) {
        convoy_error err = {0};
        text t = {0};
        char *takes = NULL;
        if (!is_shown(row))
            continue;
        option_expected(&t, row);
        must(text_take(&t, &takes, &err), &err);
        const char *standard = row->standard ? row->standard : row->kind == OPTION_NULL ? "null" : NULL;
        printf("| `%s` | %s | %s%s%s |\n", row->name, takes, standard ? "`" : "", standard ? standard : "must be given",
               standard ? "`" : "");
        free(takes);
    }
}

static bool has_rows(const option *rows)
{
    for (; rows != NULL && rows->name != NULL; rows++)
        if (is_shown(rows))
            return true;
    return false;
}

static void print_options(const option *rows)
{
    if (!has_rows(rows))
        return;
    puts("\n| option | takes | default |\n| --- | --- | --- |");
    print_rows(rows);
}

/* "CLASS(key=value, ...)" of what Keras serialises with all its options at their defaults. */
static void print_call(json_t *serialised)
{
    const json_t *config = json_object_get(serialised, "config");
    const char *key, *between = "";
    json_t *value;
    printf("- `%s(", json_string_value(json_object_get(serialised, "class_name")));
    json_object_foreach((json_t *)config, key, value) {
        char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        printf("%s%s=%s", between, key, dump ? dump : "");
        between = ", ";
        free(dump);
    }
    puts(")`");
    json_decref(serialised);
}

/* ---- layers ---- */

static void print_example(const layer_class *class)
{
    convoy_error err = {0};
    char shape[96];
    layer *l = NULL;
    json_t *config = NULL;
    convoy_shape inputs[LAYER_MAX_INPUTS];
    const layer_sample *sample = &class->samples[0];
    if (sample->options == NULL)
        return;
    int count = layer_sample_inputs(class, sample, inputs);
    must(option_parse_text(sample->options, &config, &err), &err);
    must(layer_create(class, config, &l, &err), &err);
    json_decref(config);
    must(layer_connect(l, inputs, count, &err), &err);
    const char *quote = sample->options[0] != '\0' ? "`" : "";
    printf("\nWith %s%s%s it makes", quote, quote[0] ? sample->options : "its defaults", quote);
    for (int i = 0; i < count; i++)
        printf("%s `%s`", i ? " and" : "", shape_text(&inputs[i], shape, sizeof shape));
    printf(" into `%s`", shape_text(&l->output, shape, sizeof shape));
    for (int i = 0; i < l->param_count; i++) {
        printf("%s `%s` (", i ? "," : "; its weights:", l->param[i].name);
        for (int k = 0; k < l->param[i].shape.rank; k++)
            printf("%s%d", k ? ", " : "", l->param[i].shape.dim[k]);
        printf(")%s", l->param[i].trainable ? "" : ", not trained");
    }
    puts(".");
    layer_destroy(l);
}

static void print_layer(const layer_class *class)
{
    printf("\n### %s\n\n", class->name);
    printf("%s.", class->merges ? "Reads several tensors" : strcmp(class->name, "InputLayer") == 0 ? "The images" : "Reads one tensor");
    if (class->module != NULL)
        printf(" Not Keras's own; in files it is of the module `%s`.", class->module);
    if (class->alias)
        printf(" No work on the device: the output is the input's memory.");
    else if (class->alias_in_inference)
        printf(" It works in training only.");
    if (!class->alias && !class->alias_in_inference && class->onnx == NULL && class->forward != NULL)
        printf(" Not exported to ONNX.");
    puts("");
    print_example(class);
    print_options(class->options);
}

static void print_layers(void)
{
    puts("\n## Layers\n\nEach takes `name`, `trainable` and `dtype` (`float32` only) besides.");
    const layer_class *class;
    for (size_t i = 0; (class = layer_class_at(i)) != NULL; i++)
        print_layer(class);
}

/* ---- what options name ---- */

static void print_activations(void)
{
    puts("\n## Activations\n\nIn brackets: the argument of those that have one, where they are named without it.\n");
    const activation *a;
    for (size_t i = 0; (a = activation_at(i)) != NULL; i++)
        if (a->macro != NULL)
            printf("- `%s` (%g)\n", a->name, a->argument);
        else
            printf("- `%s`\n", a->name);
}

static void print_named(void)
{
    initializer init;
    param_rule rule;
    puts("\n## Initializers\n");
    for (size_t i = 0; initializer_at(i, &init); i++)
        print_call(initializer_write(&init));
    puts("\n## Regularizers\n");
    for (size_t i = 0; rule_at(false, i, &rule); i++)
        print_call(rule_write(&rule));
    puts("\n## Constraints\n");
    for (size_t i = 0; rule_at(true, i, &rule); i++)
        print_call(rule_write(&rule));
}

/* ---- training ---- */

static void print_also(const char *name, const char *also)
{
    printf("\n\nAlso `%s`", name);
    while (also != NULL && *also != '\0') {
        size_t length = strcspn(also, ",");
        printf(", `%.*s`", (int)length, also);
        also += length + (also[length] == ',');
    }
    printf(".");
}

static void print_losses(void)
{
    const loss_class *c;
    puts("\n## Losses");
    for (size_t i = 0; (c = loss_class_at(i)) != NULL; i++) {
        printf("\n### %s (loss)", c->class_name);
        print_also(c->name, c->also);
        if (c->on_logits)
            printf(" Taken on the logits behind a last sigmoid or softmax.");
        puts("");
        print_options(c->options);
    }
}

static void print_metrics(void)
{
    static const char *const directions[] = {"More is better.", "Less is better.", "Neither more nor less is better by itself: say `mode`."};
    const metric_class *c;
    puts("\n## Metrics");
    for (size_t i = 0; (c = metric_class_at(i)) != NULL; i++) {
        printf("\n### %s (metric)", c->class_name ? c->class_name : c->name);
        if (c->class_name == NULL)
            printf("\n\nA word without options, also `%s`: BinaryAccuracy, CategoricalAccuracy or SparseCategoricalAccuracy, whichever suits "
                   "the model.", c->also);
        else
            print_also(c->name, c->also);
        printf(" %s", directions[c->direction]);
        if (c->loss != NULL)
            printf(" Made of the loss %s, whose options it takes.", c->loss);
        puts("");
        if (c->loss == NULL && c->class_name != NULL)
            print_options(c->options);
    }
}

static void print_optimizers(void)
{
    const optimizer_class *c;
    puts("\n## Optimizers");
    for (size_t i = 0; (c = optimizer_class_at(i)) != NULL; i++) {
        printf("\n### %s\n\n| option | takes | default |\n| --- | --- | --- |\n", c->class_name);
        printf("| `learning_rate` | a number of at least 0, or a schedule | `%g` |\n", optimizer_standard_rate(c));
        print_rows(c->options);
    }
}

static void print_schedules_and_callbacks(void)
{
    const option *options = NULL;
    const char *name;
    const callback_class *c;
    puts("\n## Learning rate schedules");
    for (size_t i = 0; (name = schedule_kind_at(i, &options)) != NULL; i++) {
        printf("\n### %s\n", name);
        print_options(options);
    }
    puts("\n## Callbacks");
    for (size_t i = 0; (c = callback_class_at(i)) != NULL; i++) {
        printf("\n### %s\n", c->name);
        print_options(c->options);
    }
}

/* ---- the index ---- */

/* GitHub's name of a heading: lower case, spaces as dashes, brackets left out. */
static void print_link(size_t i, const char *name, const char *kind)
{
    printf("%s[%s](#", i ? ", " : " ", name);
    for (const char *c = name; *c != '\0'; c++)
        putchar(tolower((unsigned char)*c));
    printf("%s%s)", *kind ? "-" : "", kind);
}

static void print_index(void)
{
    const layer_class *layer;
    const loss_class *loss;
    const metric_class *metric;
    const optimizer_class *optimizer;
    const callback_class *callback;
    const option *options = NULL;
    const char *schedule;
    printf("\nLayers:");
    for (size_t i = 0; (layer = layer_class_at(i)) != NULL; i++)
        print_link(i, layer->name, "");
    printf(".\n\nFor their options: [activations](#activations), [initializers](#initializers), [regularizers](#regularizers), "
           "[constraints](#constraints).\n\nLosses:");
    for (size_t i = 0; (loss = loss_class_at(i)) != NULL; i++)
        print_link(i, loss->class_name, "loss");
    printf(".\n\nMetrics:");
    for (size_t i = 0; (metric = metric_class_at(i)) != NULL; i++)
        print_link(i, metric->class_name ? metric->class_name : metric->name, "metric");
    printf(".\n\nOptimizers:");
    for (size_t i = 0; (optimizer = optimizer_class_at(i)) != NULL; i++)
        print_link(i, optimizer->class_name, "");
    printf(".\n\nLearning rate schedules:");
    for (size_t i = 0; (schedule = schedule_kind_at(i, &options)) != NULL; i++)
        print_link(i, schedule, "");
    printf(".\n\nCallbacks:");
    for (size_t i = 0; (callback = callback_class_at(i)) != NULL; i++)
        print_link(i, callback->name, "");
    puts(".");
}

int main(void)
{
    puts("# Layers, losses, metrics, optimizers, schedules and callbacks\n\n"
         "Made by `build/tests/layers_page` from the tables that read models: don't edit it. What has a name of Keras's means what it\n"
         "means there, and its options have Keras's defaults. An option, or a value, that is not listed is refused by name.\n"
         "In text, as in `--optimizer 'adam(beta_1=0.8)'` or `convoy_model_add(model, \"Conv2D\", \"filters=8, kernel_size=3\", &err)`,\n"
         "values are spelled as in Python: `None`, `True`, `(3, 2)`. Defaults stand here as JSON has them.");
    print_index();
    print_layers();
    print_activations();
    print_named();
    print_losses();
    print_metrics();
    print_optimizers();
    print_schedules_and_callbacks();
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
