/* convoy train */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/metric_text.h"
#include "cli/objective_flags.h"
#include "cli/progress.h"
#include "cli/run_folder.h"
#include "cli/train_callbacks.h"
#include "cli/train_plot.h"

#define DEFAULT_SEED 1

typedef struct training {
    cli_device device;
    const char *model_name, *weights_name, *data_name, *output, *validation_name;
    double test_scale;
    bool validate, coarse, no_image_cache, json, quiet, plot;
    convoy_fit_options fit;

    objective_flags objective;
    train_callbacks callbacks;
    run_folder run;
    cli_option *options;
    progress progress;
    convoy_epoch *epochs; /* the finished ones */
    int epoch_count;
    convoy_context *ctx;
    convoy_model *model;
    convoy_dataset *train, *test, *validation;
} training;

/* ---- what happens meanwhile ---- */

/* Those before this command included. */
static int epochs_done(const training *t) { return t->fit.initial_epoch + t->epoch_count; }

static int on_progress(void *user, const convoy_progress *now)
{
    training *t = user;
    if (now->epoch == epochs_done(t) + 1) /* neither a validation nor news from an epoch that is over */
        progress_step(&t->progress, now->step, now->steps, &now->so_far);
    return cli_interrupted();
}

static int on_test_progress(void *user, const convoy_progress *now)
{
    training *t = user;
    progress_step(&t->progress, now->step, now->steps, &now->so_far);
    return cli_interrupted();
}

static size_t steps_of(const training *t, size_t images)
{
    size_t batch = (size_t)t->fit.batch_size;
    return (images + batch - 1) / batch;
}

static int on_epoch(void *user, const convoy_epoch *epoch)
{
    training *t = user;
    t->epochs[t->epoch_count++] = *epoch;
    progress_end(&t->progress, epoch->epoch, t->fit.epochs, steps_of(t, epoch->train.images), &epoch->train,
                 epoch->has_validation ? &epoch->validation : NULL);
    if (!epoch->last)
        progress_epoch(&t->progress, epoch->epoch + 1, t->fit.epochs);
    return cli_interrupted();
}

/* ---- before ---- */

static int check_usage(training *t)
{
    convoy_error err = {0};
    if (t->data_name == NULL)
        return cli_usage("train", "--data is missing: which images? (--data sample is built in)");
    if (t->validation_name != NULL && t->fit.validation_split != 0)
        return cli_usage("train", "--validation and --validation-split exclude each other");
    int code = objective_flags_split(&t->objective);
    if (code == CLI_RUN)
        code = train_callbacks_make(&t->callbacks, t->quiet);
    if (code != CLI_RUN)
        return code;
    code = run_folder_check(&t->run);
    if (code != CLI_RUN)
        return code;
    if (t->test_scale == 0)
        t->test_scale = t->fit.train_scale;
    t->fit.validation_scale = t->test_scale;
    t->fit.callbacks = t->callbacks.texts;
    t->fit.loss = t->objective.loss;
    t->fit.metrics = objective_flags_metrics(&t->objective);
    t->fit.class_weight = t->objective.class_weight;
    if (t->objective.class_weight != NULL && t->objective.sample_weight != NULL)
        return cli_usage("train", "--class-weight and --sample-weight exclude each other");
    if (convoy_fit_check(&t->fit, &err) != CONVOY_OK)
        return cli_report(&err);
    if (t->output == NULL)
        return CLI_RUN;
    return cli_check_output(t->output, ".keras");
}

/* The test part, which data may lack: then nothing is tested. */
static int open_test(training *t, const convoy_dataset_options *options)
{
    convoy_error err = {0};
    bool wanted = t->validate && t->validation_name != NULL && strcmp(t->validation_name, "test") == 0;
    convoy_status status = convoy_dataset_open_with(t->data_name, "test", options, &t->test, &err);
    if (status == CONVOY_ERROR_NO_PART && !wanted) {
        cli_say("%s; the model will not be tested", err.message);
        return CLI_RUN;
    }
    if (status != CONVOY_OK || convoy_dataset_match_classes(t->test, t->model, &err) != CONVOY_OK)
        return cli_report(&err);
    cli_report_skipped(t->data_name, t->test);
    return CLI_RUN;
}

static int open_data(training *t)
{
    convoy_error err = {0};
    struct stat info;
    convoy_dataset_options options = cli_dataset_options(t->model, t->coarse);
    options.no_image_cache = t->no_image_cache;
    if (convoy_dataset_open_with(t->data_name, "train", &options, &t->train, &err) != CONVOY_OK ||
        convoy_dataset_match_classes(t->train, t->model, &err) != CONVOY_OK)
        return cli_report(&err);
    if (!t->quiet)
        cli_print_place(t->data_name);
    cli_report_skipped(t->data_name, t->train);
    int code = open_test(t, &options);
    if (code != CLI_RUN)
        return code;
    if (stat(t->data_name, &info) == 0 && S_ISREG(info.st_mode) && t->test != NULL &&
        convoy_dataset_same_images(t->train, t->test)) /* a file of records is both parts */
        cli_say("%s is one file: the test images are the training images", t->data_name);
    if (!t->validate)
        t->fit.validation_split = 0;
    if (!t->validate || t->validation_name == NULL)
        return CLI_RUN;
    t->fit.validation = t->test;
    if (strcmp(t->validation_name, "test") == 0)
        return CLI_RUN;
    if (convoy_dataset_open_with(t->validation_name, "test", &options, &t->validation, &err) != CONVOY_OK ||
        convoy_dataset_match_classes(t->validation, t->model, &err) != CONVOY_OK)
        return cli_report(&err);
    cli_report_skipped(t->validation_name, t->validation);
    t->fit.validation = t->validation;
    return CLI_RUN;
}

/* What becomes of the pixels, and of those of other data where that differs. */
static void tell_pixels(const training *t)
{
    convoy_pixels of_train = convoy_pixels_for(t->model, t->train, t->fit.train_scale), others;
    if (t->quiet)
        return;
    fprintf(stderr, "pixels: %s\n", of_train.text);
    others = convoy_pixels_for(t->model, t->test, t->test_scale);
    if (t->test != NULL && strcmp(others.text, of_train.text) != 0)
        fprintf(stderr, "test pixels: %s\n", others.text);
    if (t->validation == NULL)
        return;
    others = convoy_pixels_for(t->model, t->validation, t->test_scale);
    if (strcmp(others.text, of_train.text) != 0)
        fprintf(stderr, "validation pixels: %s\n", others.text);
}

static int prepare(training *t)
{
    convoy_error err = {0};
    bool has_weights;
    int code = cli_load_model(t->model_name, &t->model, &has_weights);
    if (code == CLI_RUN)
        code = cli_load_weights(t->weights_name, t->model, &has_weights);
    if (code == CLI_RUN)
        code = open_data(t);
    if (code == CLI_RUN)
        code = objective_flags_load(&t->objective, convoy_dataset_count(t->train));
    t->fit.sample_weight = t->objective.weights;
    if (code == CLI_RUN)
        cli_check_outputs(t->model, t->fit.loss, t->fit.from_probabilities);
    if (code == CLI_RUN)
        code = cli_open_device(&t->device, t->quiet, &t->ctx);
    if (code != CLI_RUN)
        return code;
    if (!t->quiet)
        fprintf(stderr, "seed: %llu%s\n", (unsigned long long)t->fit.seed,
                has_weights ? " (the order of the images; the weights are those of the file)" : "");
    if (!has_weights && convoy_model_initialize(t->model, t->fit.seed, &err) != CONVOY_OK)
        return cli_report(&err);
    tell_pixels(t);
    t->epochs = calloc((size_t)t->fit.epochs, sizeof *t->epochs);
    if (t->epochs == NULL) {
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    return CLI_RUN;
}

static int begin_run(training *t)
{
    convoy_run_options options = {.model = t->model_name,
                                  .data = t->data_name,
                                  .validation = t->validate ? t->validation_name : NULL,
                                  .test_images = t->test != NULL ? convoy_dataset_count(t->test) : 0,
                                  .test_scale = t->test_scale};
    return run_folder_begin(&t->run, &options, t->ctx, t->model, t->train, &t->fit);
}

/* ---- after ---- */

static int save(training *t, const convoy_fit_result *result)
{
    convoy_error err = {0};
    if (t->output != NULL && convoy_model_save(t->model, t->output, &err) != CONVOY_OK)
        return cli_report(&err);
    return run_folder_save(&t->run, result);
}

/* Changes the options to those of the command that goes on: the file has newer weights, and the optimizer with its rate. */
static void choose_next(training *t, char done[16])
{
    const void *in_file[] = {&t->weights_name, &t->fit.optimizer, &t->fit.learning_rate, &t->fit.learning_rate_schedule,
                             &t->fit.momentum};
    snprintf(done, 16, "%d", epochs_done(t));
    for (cli_option *o = t->options; o->name != NULL; o++) {
        for (size_t i = 0; i < sizeof in_file / sizeof *in_file; i++)
            if (o->value == in_file[i])
                o->given = NULL;
        if (o->value == &t->fit.initial_epoch)
            o->given = epochs_done(t) > 0 ? done : NULL;
        else if (o->value == &t->callbacks.csv_append)
            o->given = t->callbacks.csv_log != NULL ? "" : NULL;
        else if (o->value == &t->run.folder && o->given != NULL)
            o->given = run_folder_next(&t->run);
    }
}

/* The weights so far are kept, and the command that goes on from them is the one that was given, less what is done. */
static int stop(training *t, const convoy_fit_result *result)
{
    int epoch = epochs_done(t) + 1;
    char done[16];
    const char *kept = t->output ? t->output : run_folder_model(&t->run);
    if (kept == NULL) {
        cli_say("interrupted in epoch %d of %d; nothing is kept without -o FILE.keras", epoch, t->fit.epochs);
        return CLI_FAILED;
    }
    if (save(t, result) != CLI_RUN)
        return CLI_FAILED;
    cli_say("interrupted in epoch %d of %d; the weights so far are in %s", epoch, t->fit.epochs, kept);
    choose_next(t, done);
    fputs("To go on: convoy train", stderr);
    cli_print_word(kept);
    cli_print_options(t->options);
    fputc('\n', stderr);
    return CLI_FAILED;
}

static int test(training *t, convoy_metrics *out)
{
    convoy_error err = {0};
    convoy_evaluate_options how = {.batch_size = t->fit.batch_size,
                                   .loss = t->fit.loss,
                                   .metrics = t->fit.metrics,
                                   .from_probabilities = t->fit.from_probabilities,
                                   .scale = t->test_scale,
                                   .stream = t->fit.stream,
                                   .on_progress = on_test_progress,
                                   .user = t};
    progress_epoch(&t->progress, 0, 0);
    if (convoy_evaluate(t->ctx, t->model, t->test, &how, out, &err) != CONVOY_OK)
        return cli_report(&err);
    progress_end(&t->progress, 0, 0, steps_of(t, out->images), out, NULL);
    return CLI_RUN;
}

static json_t *epoch_json(const convoy_epoch *e)
{
    double rate = (double)e->train.images / e->train.seconds;
    json_t *object = json_pack("{s:i, s:o, s:o}", "epoch", e->epoch, "seconds", cli_json_number(e->train.seconds),
                               "images_per_second", cli_json_number(rate));
    metric_text_json(object, "", &e->train, true);
    metric_text_json(object, "val_", e->has_validation ? &e->validation : &e->train, e->has_validation);
    return object;
}

static int print_json(const training *t, double first_step, const convoy_metrics *tested)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    json_t *epochs = json_array(), *test = tested != NULL ? json_object() : json_null();
    if (tested != NULL)
        metric_text_json(test, "", tested, true);
    for (int i = 0; i < t->epoch_count; i++)
        json_array_append_new(epochs, epoch_json(&t->epochs[i]));
    return cli_print_json(json_pack(
        "{s:s, s:o, s:o, s:o, s:I, s:I}", "device", convoy_context_device(t->ctx)->name, "epochs", epochs,
        "first_step_seconds", cli_json_number(first_step), "test", test, "peak_device_bytes",
        (json_int_t)convoy_context_counters(t->ctx).peak_bytes, "peak_host_bytes", (json_int_t)usage.ru_maxrss * 1024));
}

/* `tested` NULL: the data has no test part. The result goes to stdout; with --json that holds the JSON alone. */
static int print_results(const training *t, double first_step, const convoy_metrics *tested)
{
    if (t->plot) {
        int code = train_plot_print(t->epochs, t->epoch_count, t->json ? stderr : stdout, t->progress.utf8);
        if (code != CLI_RUN)
            return code;
    }
    if (t->json)
        return print_json(t, first_step, tested);
    if (tested != NULL)
        metric_text_print("test", tested);
    if (t->output != NULL)
        printf("saved %s\n", t->output);
    if (t->run.folder != NULL)
        printf("the run is in %s\n", t->run.folder);
    return CLI_DONE;
}

static int train(training *t)
{
    convoy_error err = {0};
    convoy_fit_result result = {0};
    convoy_metrics tested;
    int code = prepare(t);
    if (code == CLI_RUN)
        code = begin_run(t);
    if (code != CLI_RUN)
        return code;
    progress_begin(&t->progress, t->quiet);
    progress_epoch(&t->progress, t->fit.initial_epoch + 1, t->fit.epochs);
    cli_watch_interrupts();
    double before = cli_seconds();
    convoy_status status = convoy_fit(t->ctx, t->model, t->train, &t->fit, &result, &err);
    if (status == CONVOY_ERROR_INTERRUPTED && epochs_done(t) < t->fit.epochs)
        return stop(t, &result);
    if (status != CONVOY_OK && status != CONVOY_ERROR_INTERRUPTED)
        return cli_report(&err);
    if (result.streamed && !t->quiet && !t->fit.stream)
        cli_say("the images did not fit the device and were streamed");
    code = save(t, &result); /* before the test: an interrupt there loses nothing */
    const convoy_metrics *told = t->test != NULL ? &tested : NULL;
    if (code == CLI_RUN && told != NULL)
        code = test(t, &tested);
    if (code == CLI_RUN)
        code = run_folder_finish(&t->run, told);
    if (code != CLI_RUN)
        return code;
    code = print_results(t, before + result.first_step_seconds, told);
    return code == CLI_DONE ? run_folder_profile(&t->run, t->quiet) : code;
}

int cmd_train(int argc, char **argv)
{
    training t = {.validate = true,
                  .run = {.argc = argc, .argv = argv, .profile = true},
                  .fit = {.epochs = 1, .batch_size = 32, .seed = DEFAULT_SEED, .on_progress = on_progress, .on_epoch = on_epoch}};
    cli_option options[] = {
        {.name = "data", .kind = CLI_TEXT, .value = &t.data_name, .meta = "DATA",
         .help = cli_data_help()},
        {.name = "output", .letter = 'o', .kind = CLI_TEXT, .value = &t.output, .meta = "FILE.keras",
         .help = "save the trained model"},
        CLI_WEIGHTS_OPTION(&t.weights_name),
        {.name = "epochs", .kind = CLI_INT, .value = &t.fit.epochs, .meta = "N", .least = 1, .most = 1e6,
         .help = "times through the training images (default: 1)"},
        {.name = "initial-epoch", .kind = CLI_INT, .value = &t.fit.initial_epoch, .meta = "N", .most = 1e6,
         .help = "go on with a run that has done N of its epochs, with\nwhat its callbacks know by the .keras file "
                 "(default: 0,\na new run)"},
        {.name = "batch-size", .kind = CLI_INT, .value = &t.fit.batch_size, .meta = "N", .least = 1, .most = 1e6,
         .help = "images in a step (default: 32)"},
        {.name = "optimizer", .kind = CLI_TEXT, .value = &t.fit.optimizer, .meta = "NAME",
         .help = cli_optimizer_help()},
        {.name = "learning-rate", .kind = CLI_REAL, .value = &t.fit.learning_rate, .meta = "X", .above = true,
         .help = "default: the optimizer's, as in Keras"},
        {.name = "learning-rate-schedule", .kind = CLI_TEXT, .value = &t.fit.learning_rate_schedule, .meta = "TEXT",
         .help = "'CosineDecay(initial_learning_rate=0.1, decay_steps=1000)'\nand Keras's other schedules, or OneCycle"},
        {.name = "momentum", .kind = CLI_REAL, .value = &t.fit.momentum, .meta = "X", .most = 1, .below = true,
         .help = "of an optimizer that has one (default: that of the .keras\nfile, else 0)"},
        {.name = "seed", .kind = CLI_SEED, .value = &t.fit.seed, .meta = "N",
         .help = "first weights and order of the images (default: 1)"},
        {.name = "no-shuffle", .kind = CLI_FLAG, .value = &t.fit.no_shuffle, .help = "keep the order of the images"},
        {.name = "validation-split", .kind = CLI_REAL, .value = &t.fit.validation_split, .meta = "X", .above = true,
         .most = 1, .below = true, .help = "hold out this last fraction (of each class, where the\nimages stand class after class), "
                                           "evaluate it after\neach epoch"},
        {.name = "validation", .kind = CLI_TEXT, .value = &t.validation_name, .meta = "DATA",
         .help = "evaluate the test images of DATA after each epoch;\nthe word test: those of --data"},
        {.name = "no-validation", .kind = CLI_OFF, .value = &t.validate, .help = "no such evaluation (the default)"},
        CLI_SCALE_OPTION(&t.fit.train_scale),
        {.name = "test-scale", .kind = CLI_REAL, .value = &t.test_scale, .meta = "X", .above = true,
         .help = "test pixels are divided by X (default: as all; the\ntutorial as written: 225)"},
        OBJECTIVE_OPTIONS(&t.objective),
        CLASS_WEIGHT_OPTION(&t.objective),
        {.name = "from-probabilities", .kind = CLI_FLAG, .value = &t.fit.from_probabilities,
         .help = "the model ends in probabilities, not logits"},
        CLI_COARSE_OPTION(&t.coarse),
        CLI_NO_IMAGE_CACHE_OPTION(&t.no_image_cache),
        {.name = "stream", .kind = CLI_FLAG, .value = &t.fit.stream, .help = "keep the images on the host"},
        TRAIN_CALLBACK_OPTIONS(&t.callbacks),
        {.name = "plot", .kind = CLI_FLAG, .value = &t.plot,
         .help = "draw loss and accuracy of the epochs at the end"},
        RUN_FOLDER_OPTIONS(&t.run),
        CLI_DEVICE_OPTIONS(&t.device),
        CLI_JSON_OPTION(&t.json),
        CLI_QUIET_OPTION(&t.quiet),
        {0},
    };
    cli_command command = {
        .name = "train",
        .arguments = "MODEL --data DATA",
        .purpose = "Trains a model on the training images of DATA, then tests it on its test images.",
        .details = "A .keras file goes on from its weights; a JSON config or a built-in name starts from the seed.\n"
                   "Ctrl-C saves the weights so far to the -o file and says how to go on; the epoch that was stopped is\n"
                   "done again then, from those weights.\n\n"
                   "Example: convoy train cifar10 --data sample --epochs 10 --batch-size 64 -o sample.keras",
        .options = options,
        .least = 1,
        .most = 1,
        .missing = "a MODEL is missing"};
    t.options = options;
    t.fit.user = &t;
    int code = cli_parse(&command, argc, argv, &t.model_name);
    if (code == CLI_RUN)
        code = check_usage(&t);
    if (code == CLI_RUN)
        code = train(&t);
    run_folder_free(&t.run);
    convoy_dataset_destroy(t.validation);
    convoy_dataset_destroy(t.test);
    convoy_dataset_destroy(t.train);
    convoy_model_destroy(t.model);
    convoy_context_destroy(t.ctx);
    train_callbacks_free(&t.callbacks);
    objective_flags_free(&t.objective);
    free(t.epochs);
    return code;
}
