/* convoy export */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"

/* A kind of file, by the ending of its name. A new one is a row. */
typedef struct format {
    const char *ending, *what;
    convoy_status (*save)(const convoy_model *model, const char *path, convoy_error *err);
    bool bare; /* a model without trained weights will do */
} format;

static const format formats[] = {
    {".keras", "the whole model, as Keras 3 loads it", convoy_model_save, false},
    {".onnx", "the model for ONNX Runtime and other runtimes", convoy_model_export_onnx, false},
    {".weights.h5", "its weights, for Keras 3's load_weights", convoy_model_save_weights, false},
    {".safetensors", "its weights, named \"LAYER/kernel\"", convoy_model_save_weights, false},
    {".json", "its layers without weights, a Keras config", convoy_model_save_config, true},
};

#define FORMATS (sizeof formats / sizeof *formats)
#define DETAILS_SIZE 1024

static bool ends_with(const char *path, const char *ending)
{
    size_t length = strlen(path), tail = strlen(ending);
    return length > tail && strcmp(path + length - tail, ending) == 0;
}

/* NULL when nothing is written into such files. */
static const format *find_format(const char *path)
{
    for (size_t i = 0; i < FORMATS; i++)
        if (ends_with(path, formats[i].ending))
            return &formats[i];
    return NULL;
}

static int fail_ending(const char *path)
{
    char list[256];
    size_t used = 0;
    for (size_t i = 0; i < FORMATS && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : i + 1 < FORMATS ? ", " : " or ",
                                 formats[i].ending);
    if (ends_with(path, ".h5") || ends_with(path, ".hdf5"))
        return cli_usage("export", "%s: Keras's older .h5 models are read, but not written; name the file .keras, or for the weights "
                         "alone .weights.h5", path);
    return cli_usage("export", "%s: the file's name must end in %s", path, list);
}

static const char *write_details(char out[DETAILS_SIZE])
{
    size_t used = (size_t)snprintf(out, DETAILS_SIZE, "The ending of FILE says what is written:\n");
    for (size_t i = 0; i < FORMATS && used < DETAILS_SIZE; i++)
        used += (size_t)snprintf(out + used, DETAILS_SIZE - used, "  %-14s %s\n", formats[i].ending, formats[i].what);
    if (used < DETAILS_SIZE)
        snprintf(out + used, DETAILS_SIZE - used, "\nExample: convoy export sample.keras -o sample.safetensors");
    return out;
}

typedef struct export {
    const char *model_name, *weights, *output;
    bool json;
    convoy_model *model;
} export;

static int export_model(export *e)
{
    convoy_error err = {0};
    bool has_weights;
    const format *f = find_format(e->output);
    if (f == NULL)
        return fail_ending(e->output);
    int code = cli_check_output(e->output, f->ending);
    if (code == CLI_RUN)
        code = cli_load_model(e->model_name, &e->model, &has_weights);
    if (code == CLI_RUN)
        code = cli_load_weights(e->weights, e->model, &has_weights);
    if (code != CLI_RUN)
        return code;
    if (!has_weights && !f->bare) {
        cli_say("%s has no trained weights to export: train it first (convoy train %s --data DATA -o FILE.keras), or give them with "
                "--weights", e->model_name, e->model_name);
        return CLI_FAILED;
    }
    if (f->save(e->model, e->output, &err) != CONVOY_OK)
        return cli_report(&err);
    if (e->json)
        return cli_print_json(json_pack("{s:o, s:s}", "output", json_text(e->output), "format", f->ending));
    printf("saved %s\n", e->output);
    return CLI_DONE;
}

int cmd_export(int argc, char **argv)
{
    char details[DETAILS_SIZE];
    export e = {0};
    cli_option options[] = {
        {.name = "output", .letter = 'o', .kind = CLI_TEXT, .value = &e.output, .meta = "FILE", .help = "the file to write"},
        CLI_WEIGHTS_OPTION(&e.weights),
        CLI_JSON_OPTION(&e.json),
        {0},
    };
    cli_command command = {.name = "export",
                           .arguments = "MODEL -o FILE",
                           .purpose = "Writes a model, or its weights, in the form that the file's ending names.",
                           .details = write_details(details),
                           .options = options,
                           .least = 1,
                           .most = 1,
                           .missing = "a MODEL is missing"};
    int code = cli_parse(&command, argc, argv, &e.model_name);
    if (code == CLI_RUN && e.output == NULL)
        code = cli_usage("export", "-o FILE is missing: which file is to be written?");
    if (code == CLI_RUN)
        code = export_model(&e);
    convoy_model_destroy(e.model);
    return code;
}
