/* convoy evaluate */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/metric_text.h"
#include "cli/objective_flags.h"
#include "cli/progress.h"

typedef struct evaluation {
    cli_device device;
    const char *model_name, *weights_name, *data_name, *part;
    convoy_evaluate_options how;
    objective_flags objective;
    bool coarse, confusion, no_image_cache, json, quiet;
    progress progress;
    convoy_context *ctx;
    convoy_model *model;
    convoy_dataset *data;
} evaluation;

static int on_progress(void *user, const convoy_progress *now)
{
    evaluation *e = user;
    progress_step(&e->progress, now->step, now->steps, &now->so_far);
    return cli_interrupted();
}

static int print_result(const evaluation *e, const convoy_metrics *m)
{
    class_table classes = {e->model, e->data, e->how.confusion, convoy_confusion_size(e->model, e->data)};
    convoy_outputs outputs;
    convoy_error err = {0};
    if (convoy_model_outputs(e->model, e->how.loss, e->how.from_probabilities, &outputs, &err) != CONVOY_OK)
        return cli_report(&err);
    bool has_classes = outputs.meaning != CONVOY_MEANS_NUMBERS; /* what counts as right is no question for numbers */
    if (!e->json) {
        metric_text_print(e->part, m);
        if (has_classes)
            class_table_print(&classes);
        return CLI_DONE;
    }
    json_t *result = json_pack("{s:s, s:s, s:I, s:o, s:o, s:o}", "device", convoy_context_device(e->ctx)->name, "part",
                               e->part, "images", (json_int_t)m->images, "accuracy", cli_json_number(m->accuracy), "seconds",
                               cli_json_number(m->seconds), "classes",
                               has_classes ? class_table_json(&classes) : json_null());
    json_object_set_new(result, "outputs", json_string(convoy_meaning_name(outputs.meaning)));
    metric_text_json(result, "", m, true);
    if (e->confusion)
        json_object_set_new(result, "confusion", class_table_confusion(&classes));
    return cli_print_json(result);
}

/* Before the model is loaded: what can be seen to be wrong. */
static int check_usage(evaluation *e)
{
    convoy_error err = {0};
    int code = objective_flags_split(&e->objective);
    e->how.loss = e->objective.loss;
    e->how.metrics = objective_flags_metrics(&e->objective);
    convoy_fit_options same = {.loss = e->how.loss, .metrics = e->how.metrics,
                               .from_probabilities = e->how.from_probabilities};
    if (code != CLI_RUN)
        return code;
    if (e->confusion && !e->json)
        return cli_usage("evaluate", "--confusion goes with --json");
    return convoy_fit_check(&same, &err) == CONVOY_OK ? CLI_RUN : cli_report(&err);
}

/* Weights of the images, and room for what is counted. */
static int prepare_counts(evaluation *e)
{
    size_t size = (size_t)convoy_confusion_size(e->model, e->data);
    int code = objective_flags_load(&e->objective, convoy_dataset_count(e->data));
    e->how.sample_weight = e->objective.weights;
    e->how.confusion = calloc(size * size, sizeof *e->how.confusion);
    if (e->how.confusion != NULL || code != CLI_RUN)
        return code;
    cli_say("out of host memory");
    return CLI_FAILED;
}

static int evaluate(evaluation *e)
{
    convoy_error err = {0};
    convoy_metrics metrics;
    bool has_weights;
    int code = cli_load_model(e->model_name, &e->model, &has_weights);
    if (code == CLI_RUN)
        code = cli_load_weights(e->weights_name, e->model, &has_weights);
    if (code != CLI_RUN)
        return code;
    if (!has_weights) {
        cli_say("%s has no trained weights: train it first (convoy train %s --data %s -o FILE.keras)", e->model_name,
                e->model_name, e->data_name);
        return CLI_FAILED;
    }
    convoy_dataset_options options = cli_dataset_options(e->model, e->coarse);
    options.no_image_cache = e->no_image_cache;
    if (convoy_dataset_open_with(e->data_name, e->part, &options, &e->data, &err) != CONVOY_OK ||
        convoy_dataset_match_classes(e->data, e->model, &err) != CONVOY_OK)
        return cli_report(&err);
    if (!e->quiet)
        cli_print_place(e->data_name);
    cli_report_skipped(e->data_name, e->data);
    cli_check_outputs(e->model, e->how.loss, e->how.from_probabilities);
    code = prepare_counts(e);
    if (code != CLI_RUN)
        return code;
    code = cli_open_device(&e->device, e->quiet, &e->ctx);
    if (code != CLI_RUN)
        return code;
    if (!e->quiet)
        fprintf(stderr, "pixels: %s\n", convoy_pixels_for(e->model, e->data, e->how.scale).text);
    progress_begin(&e->progress, e->quiet);
    progress_epoch(&e->progress, 0, 0);
    cli_watch_interrupts();
    e->how.on_progress = on_progress;
    e->how.user = e;
    if (convoy_evaluate(e->ctx, e->model, e->data, &e->how, &metrics, &err) != CONVOY_OK)
        return cli_report(&err);
    size_t batch = (size_t)e->how.batch_size;
    progress_end(&e->progress, 0, 0, (metrics.images + batch - 1) / batch, &metrics, NULL);
    return print_result(e, &metrics);
}

int cmd_evaluate(int argc, char **argv)
{
    static const char *const parts[] = {"test", "train", NULL};
    evaluation e = {.part = parts[0], .how = {.batch_size = 32}};
    cli_option options[] = {
        {.name = "data", .kind = CLI_TEXT, .value = &e.data_name, .meta = "DATA",
         .help = cli_data_help()},
        CLI_WEIGHTS_OPTION(&e.weights_name),
        {.name = "part", .kind = CLI_CHOICE, .value = &e.part, .choices = parts,
         .help = "which images (default: test)"},
        {.name = "batch-size", .kind = CLI_INT, .value = &e.how.batch_size, .meta = "N", .least = 1, .most = 1e6,
         .help = "images in a batch (default: 32)"},
        CLI_SCALE_OPTION(&e.how.scale),
        {.name = "from-probabilities", .kind = CLI_FLAG, .value = &e.how.from_probabilities,
         .help = "the model ends in probabilities, not logits"},
        OBJECTIVE_OPTIONS(&e.objective),
        CLI_COARSE_OPTION(&e.coarse),
        CLI_NO_IMAGE_CACHE_OPTION(&e.no_image_cache),
        {.name = "stream", .kind = CLI_FLAG, .value = &e.how.stream, .help = "keep the images on the host"},
        CLI_DEVICE_OPTIONS(&e.device),
        CLI_JSON_OPTION(&e.json),
        {.name = "confusion", .kind = CLI_FLAG, .value = &e.confusion,
         .help = "with --json: how many images of each class were\ntaken for which"},
        CLI_QUIET_OPTION(&e.quiet),
        {0},
    };
    cli_command command = {.name = "evaluate",
                           .arguments = "MODEL --data DATA",
                           .purpose = "Loss and accuracy of a trained model, of all images and of each class.",
                           .options = options,
                           .least = 1,
                           .most = 1,
                           .missing = "a MODEL is missing"};
    int code = cli_parse(&command, argc, argv, &e.model_name);
    if (code == CLI_RUN && e.data_name == NULL)
        code = cli_usage("evaluate", "--data is missing: which images? (--data sample is built in)");
    if (code == CLI_RUN)
        code = check_usage(&e);
    if (code == CLI_RUN)
        code = evaluate(&e);
    free(e.how.confusion);
    objective_flags_free(&e.objective);
    convoy_dataset_destroy(e.data);
    convoy_model_destroy(e.model);
    convoy_context_destroy(e.ctx);
    return code;
}
