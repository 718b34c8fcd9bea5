/* convoy evaluate */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/progress.h"

typedef struct evaluation {
    cli_device device;
    const char *model_name, *data_name, *part;
    convoy_evaluate_options how;
    bool coarse, no_image_cache, json, quiet;
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
    if (!e->json) {
        printf("%s accuracy %.4f, loss %.4f (%zu images)\n", e->part, m->accuracy, m->loss, m->images);
        return CLI_DONE;
    }
    return cli_print_json(json_pack("{s:s, s:s, s:I, s:o, s:o, s:o}", "device", convoy_context_device(e->ctx)->name,
                                    "part", e->part, "images", (json_int_t)m->images, "loss", cli_json_number(m->loss),
                                    "accuracy", cli_json_number(m->accuracy), "seconds", cli_json_number(m->seconds)));
}

static int evaluate(evaluation *e)
{
    convoy_error err = {0};
    convoy_metrics metrics;
    bool has_weights;
    int code = cli_load_model(e->model_name, &e->model, &has_weights);
    if (code != CLI_RUN)
        return code;
    if (!has_weights) {
        cli_say("%s has no trained weights: train it first (convoy train %s --data %s -o FILE.keras)", e->model_name,
                e->model_name, e->data_name);
        return CLI_FAILED;
    }
    convoy_dataset_options options = cli_dataset_options(e->model, e->coarse);
    options.no_image_cache = e->no_image_cache;
    if (convoy_dataset_open_with(e->data_name, e->part, &options, &e->data, &err) != CONVOY_OK)
        return cli_report(&err);
    if (!e->quiet)
        cli_print_place(e->data_name);
    cli_report_skipped(e->data_name, e->data);
    cli_check_probabilities(e->model, e->how.from_probabilities);
    code = cli_open_device(&e->device, e->quiet, &e->ctx);
    if (code != CLI_RUN)
        return code;
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
    evaluation e = {.part = parts[0], .how = {.batch_size = 32, .scale = 255}};
    cli_option options[] = {
        {.name = "data", .kind = CLI_TEXT, .value = &e.data_name, .meta = "DATA",
         .help = CLI_DATA_HELP},
        {.name = "part", .kind = CLI_CHOICE, .value = &e.part, .choices = parts,
         .help = "which images (default: test)"},
        {.name = "batch-size", .kind = CLI_INT, .value = &e.how.batch_size, .meta = "N", .least = 1, .most = 1e6,
         .help = "images in a batch (default: 32)"},
        {.name = "scale", .kind = CLI_REAL, .value = &e.how.scale, .meta = "X", .least = 0, .above = true,
         .help = "pixels are divided by X (default: 255; the\ntutorial as written: 225)"},
        {.name = "from-probabilities", .kind = CLI_FLAG, .value = &e.how.from_probabilities,
         .help = "the model ends in probabilities, not logits"},
        CLI_COARSE_OPTION(&e.coarse),
        CLI_NO_IMAGE_CACHE_OPTION(&e.no_image_cache),
        {.name = "stream", .kind = CLI_FLAG, .value = &e.how.stream, .help = "keep the images on the host"},
        CLI_DEVICE_OPTIONS(&e.device),
        CLI_JSON_OPTION(&e.json),
        CLI_QUIET_OPTION(&e.quiet),
        {0},
    };
    cli_command command = {.name = "evaluate",
                           .arguments = "MODEL --data DATA",
                           .purpose = "Loss and accuracy of a trained model.",
                           .options = options,
                           .least = 1,
                           .most = 1,
                           .missing = "a MODEL is missing"};
    int code = cli_parse(&command, argc, argv, &e.model_name);
    if (code == CLI_RUN && e.data_name == NULL)
        code = cli_usage("evaluate", "--data is missing: which images? (--data sample is built in)");
    if (code == CLI_RUN)
        code = evaluate(&e);
    convoy_dataset_destroy(e.data);
    convoy_model_destroy(e.model);
    convoy_context_destroy(e.ctx);
    return code;
}
