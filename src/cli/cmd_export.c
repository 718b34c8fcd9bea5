/* convoy export */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

typedef convoy_status export_fn(const convoy_model *model, const char *path, convoy_error *err);

/* Files by their names' endings. */
static const struct format {
    const char *ending, *what;
    export_fn *write;
} formats[] = {
    {".onnx", "ONNX, for ONNX Runtime and other runtimes", convoy_model_export_onnx},
};

#define FORMATS (sizeof formats / sizeof *formats)

static const struct format *format_of(const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < FORMATS; i++) {
        size_t tail = strlen(formats[i].ending);
        if (length > tail && strcmp(path + length - tail, formats[i].ending) == 0)
            return &formats[i];
    }
    return NULL;
}

static int export_model(const char *model_name, const char *path)
{
    convoy_error err = {0};
    convoy_model *model = NULL;
    const struct format *format = path ? format_of(path) : NULL;
    bool has_weights;
    if (path == NULL)
        return cli_usage("export", "-o FILE is missing: where the model goes; its ending says in which format");
    if (format == NULL)
        return cli_usage("export", "%s: unknown ending; known: %s", path, formats[0].ending);
    int code = cli_check_output(path, format->ending);
    if (code == CLI_RUN)
        code = cli_load_model(model_name, &model, &has_weights);
    if (code != CLI_RUN)
        return code;
    if (!has_weights) {
        cli_say("%s has no trained weights: train it first (convoy train %s --data DATA -o FILE.keras)", model_name,
                model_name);
        code = CLI_FAILED;
    } else if (format->write(model, path, &err) != CONVOY_OK) {
        code = cli_report(&err);
    } else {
        printf("saved %s\n", path);
        code = CLI_DONE;
    }
    convoy_model_destroy(model);
    return code;
}

int cmd_export(int argc, char **argv)
{
    const char *model_name, *path = NULL;
    cli_option options[] = {
        {.name = "output", .letter = 'o', .kind = CLI_TEXT, .value = &path, .meta = "FILE", .help = "where the model goes"},
        {0},
    };
    cli_command command = {.name = "export",
                           .arguments = "MODEL -o FILE",
                           .purpose = "Writes a model for other programs, in the format that the file's ending says.",
                           .details = "Formats: .onnx (ONNX, for ONNX Runtime and other runtimes).",
                           .options = options,
                           .least = 1,
                           .most = 1,
                           .missing = "a MODEL is missing"};
    int code = cli_parse(&command, argc, argv, &model_name);
    return code == CLI_RUN ? export_model(model_name, path) : code;
}
