/* convoy predict */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/shape.h"
#include "cli/cli.h"
#include "cli/predictions.h"

typedef struct prediction {
    cli_device device;
    const char *model_name, *weights_name, *input, *output;
    double scale;
    int batch_size, top;
    bool from_probabilities, stream, json, quiet;
    const char **images; /* as they were given, ended by NULL */

    convoy_context *ctx;
    convoy_model *model;
    convoy_predictor *predictor;
    predictions results;
    char **waiting; /* paths of the batch that is being filled, owned */
    float *x, *y;   /* its inputs and outputs */
    int filled;
} prediction;

/* ---- images ---- */

/* Runs what waits and shows it. */
static int run_batch(prediction *p)
{
    convoy_error err = {0};
    if (p->filled == 0)
        return CLI_RUN;
    if (convoy_predictor_run(p->predictor, p->x, (size_t)p->filled, p->y, &err) != CONVOY_OK)
        return cli_report(&err);
    convoy_shape out = convoy_model_output(p->model);
    size_t values = shape_count(&out);
    int code = CLI_RUN;
    for (int i = 0; i < p->filled && code == CLI_RUN; i++)
        code = predictions_add(&p->results, p->waiting[i], p->y + (size_t)i * values);
    for (int i = 0; i < p->filled; i++)
        free(p->waiting[i]);
    p->filled = 0;
    return code;
}

/* A file that can't be read is told and left out; the others go on. */
static int take_image(prediction *p, const char *path)
{
    convoy_error err = {0};
    convoy_shape in = convoy_model_input(p->model);
    float *at = p->x + (size_t)p->filled * shape_count(&in);
    if (convoy_image_read_scaled(path, in, p->scale, at, &err) != CONVOY_OK) {
        if (err.status == CONVOY_ERROR_UNSUPPORTED || err.status == CONVOY_ERROR_ARGUMENT)
            return cli_report(&err);
        predictions_add_failure(&p->results, path, err.message);
        return CLI_RUN;
    }
    p->waiting[p->filled] = strdup(path);
    if (p->waiting[p->filled] == NULL) {
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    return ++p->filled == p->batch_size ? run_batch(p) : CLI_RUN;
}

static int take_folder(prediction *p, const char *folder)
{
    convoy_error err = {0};
    char **paths = NULL;
    size_t count = 0;
    if (convoy_image_list(folder, &paths, &count, &err) != CONVOY_OK)
        return cli_report(&err);
    if (count == 0)
        predictions_add_failure(&p->results, folder, "no images are in this folder (.png, .jpg, .jpeg)");
    int code = CLI_RUN;
    for (size_t i = 0; i < count && code == CLI_RUN; i++)
        code = take_image(p, paths[i]);
    convoy_image_list_free(paths, count);
    return code;
}

static int take_path(prediction *p, const char *path)
{
    return cli_is_folder(path) ? take_folder(p, path) : take_image(p, path);
}

/* A path a line; with --stream each is answered before the next is read. */
static int take_lines(prediction *p)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int code = CLI_RUN;
    while (code == CLI_RUN && (length = getline(&line, &room, stdin)) > 0) {
        if (line[length - 1] == '\n')
            line[--length] = '\0';
        if (length == 0)
            continue;
        code = take_path(p, line);
        if (code == CLI_RUN && p->stream)
            code = run_batch(p);
        if (p->stream && fflush(stdout) != 0)
            code = CLI_FAILED; /* nobody listens any more */
    }
    free(line);
    return code;
}

static int predict_images(prediction *p)
{
    int code = CLI_RUN;
    predictions_begin(&p->results);
    if (p->stream)
        code = take_lines(p);
    for (const char **image = p->images; *image != NULL && code == CLI_RUN; image++)
        code = strcmp(*image, "-") == 0 ? take_lines(p) : take_path(p, *image);
    if (code == CLI_RUN)
        code = run_batch(p);
    if (code != CLI_RUN)
        return code;
    return predictions_end(&p->results, p->model_name, convoy_context_device(p->ctx)->name);
}

/* ---- arrays ---- */

/* The values go in as they are, and what the model gives comes out: no scaling, no softmax. */
static int predict_array(prediction *p)
{
    convoy_error err = {0};
    float *x = NULL, *y = NULL;
    size_t count = 0;
    int code = CLI_RUN;
    convoy_shape shape = {0}, in = convoy_model_input(p->model), out = convoy_model_output(p->model);
    if (convoy_npy_read(p->input, &x, &count, &shape, &err) != CONVOY_OK)
        return cli_report(&err);
    if (!shape_equal(&shape, &in)) {
        char found[96], expected[96];
        shape_text(&shape, found, sizeof found);
        shape_text(&in, expected, sizeof expected);
        cli_say("%s: an array %s; the model takes %s", p->input, found, expected);
        code = CLI_FAILED;
    }
    if (code == CLI_RUN && (y = malloc(count * shape_count(&out) * sizeof *y)) == NULL) {
        cli_say("out of host memory");
        code = CLI_FAILED;
    }
    if (code == CLI_RUN && (convoy_predictor_run(p->predictor, x, count, y, &err) != CONVOY_OK ||
                            convoy_npy_write(p->output, y, count, &out, &err) != CONVOY_OK))
        code = cli_report(&err);
    free(x);
    free(y);
    if (code == CLI_RUN && !p->json)
        printf("saved %s\n", p->output);
    if (code == CLI_RUN && p->json)
        return cli_print_json(json_pack("{s:s, s:o, s:I}", "device", convoy_context_device(p->ctx)->name, "output",
                                        json_text(p->output), "inputs", (json_int_t)count));
    return code == CLI_RUN ? CLI_DONE : code;
}

/* ---- before ---- */

static int check_usage(const prediction *p)
{
    bool images = p->images[0] != NULL;
    if (p->input != NULL && p->output == NULL)
        return cli_usage("predict", "--input and --output go together: the array to read and the one to write");
    if (p->input != NULL && (images || p->stream))
        return cli_usage("predict", "--input takes the place of images and of --stream");
    if (p->stream && images)
        return cli_usage("predict", "--stream reads the images' paths from standard input; '%s' is one too many",
                         p->images[0]);
    if (p->input == NULL && !images && !p->stream)
        return cli_usage("predict", "an IMAGE is missing: a PNG or JPEG file, a folder, or - for paths on standard input");
    return p->input != NULL ? cli_check_output(p->output, ".npy") : CLI_RUN;
}

static int load_model(prediction *p)
{
    bool has_weights;
    int code = cli_load_model(p->model_name, &p->model, &has_weights);
    if (code == CLI_RUN)
        code = cli_load_weights(p->weights_name, p->model, &has_weights);
    if (code != CLI_RUN)
        return code;
    if (!has_weights) {
        cli_say("%s has no trained weights: train it first (convoy train %s --data DATA -o FILE.keras)", p->model_name,
                p->model_name);
        return CLI_FAILED;
    }
    convoy_shape in = convoy_model_input(p->model);
    if (p->input == NULL && (in.rank != 3 || (in.dim[2] != 1 && in.dim[2] != 3))) {
        cli_say("%s does not take an image (H, W, 1) or (H, W, 3); use --input and --output", p->model_name);
        return CLI_FAILED;
    }
    return CLI_RUN;
}

/* What the outputs of images mean, and whether that can be shown. */
static int prepare_results(prediction *p)
{
    convoy_error err = {0};
    bool one = !p->stream && p->images[0] != NULL && p->images[1] == NULL && !cli_is_folder(p->images[0]) &&
               strcmp(p->images[0], "-") != 0;
    p->results = (predictions){.model = p->model, .top = p->top, .place = p->output, .json = p->json, .lines = p->stream};
    if (convoy_model_outputs(p->model, NULL, p->from_probabilities, &p->results.outputs, &err) != CONVOY_OK)
        return cli_report(&err);
    return predictions_check(&p->results, p->model_name, one);
}

static int prepare(prediction *p)
{
    convoy_error err = {0};
    int code = load_model(p);
    if (code == CLI_RUN && p->input == NULL)
        code = prepare_results(p);
    if (code == CLI_RUN)
        code = cli_open_device(&p->device, p->quiet, &p->ctx);
    if (code != CLI_RUN)
        return code;
    convoy_shape in = convoy_model_input(p->model), out = convoy_model_output(p->model);
    convoy_pixels pixels = convoy_pixels_for(p->model, NULL, p->scale);
    p->scale = pixels.scale;
    if (!p->quiet && p->input == NULL)
        fprintf(stderr, "pixels: %s\n", pixels.text);
    if (p->stream)
        p->batch_size = 1;
    if (convoy_predictor_create(p->ctx, p->model, p->batch_size, &p->predictor, &err) != CONVOY_OK)
        return cli_report(&err);
    size_t batch = (size_t)p->batch_size;
    p->waiting = calloc(batch, sizeof *p->waiting);
    p->x = calloc(batch * shape_count(&in), sizeof *p->x);
    p->y = calloc(batch * shape_count(&out), sizeof *p->y);
    if (p->waiting == NULL || p->x == NULL || p->y == NULL) {
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    return CLI_RUN;
}

static void clear(prediction *p)
{
    for (int i = 0; i < p->filled; i++)
        free(p->waiting[i]);
    free(p->waiting);
    free(p->x);
    free(p->y);
    free(p->images);
    predictions_clear(&p->results);
    convoy_predictor_destroy(p->predictor);
    convoy_model_destroy(p->model);
    convoy_context_destroy(p->ctx);
}

static int predict(prediction *p)
{
    int code = check_usage(p);
    if (code == CLI_RUN)
        code = prepare(p);
    if (code == CLI_RUN)
        code = p->input != NULL ? predict_array(p) : predict_images(p);
    return code;
}

int cmd_predict(int argc, char **argv)
{
    prediction p = {.batch_size = 32, .top = 5};
    cli_option options[] = {
        {.name = "top", .letter = 'k', .kind = CLI_INT, .value = &p.top, .meta = "N", .least = 1, .most = 1e6,
         .help = "how many classes to show, the likeliest first (default: 5)"},
        CLI_WEIGHTS_OPTION(&p.weights_name),
        CLI_SCALE_OPTION(&p.scale),
        {.name = "from-probabilities", .kind = CLI_FLAG, .value = &p.from_probabilities,
         .help = "the model ends in probabilities, not logits (known by\nitself where it ends in softmax or sigmoid)"},
        {.name = "stream", .kind = CLI_FLAG, .value = &p.stream,
         .help = "read paths from standard input, a line each, and answer\neach at once; with --json one object a line"},
        {.name = "input", .kind = CLI_TEXT, .value = &p.input, .meta = "FILE.npy",
         .help = "an array (N, ...) in place of images, taken as it is"},
        {.name = "output", .letter = 'o', .kind = CLI_TEXT, .value = &p.output, .meta = "FILE",
         .help = "where the model's outputs for --input go, as they are\n(.npy); or the labels of an image's pixels (.png, or a\n"
                 "folder for several; "
                 "default: NAME.labels.png, here)"},
        {.name = "batch-size", .kind = CLI_INT, .value = &p.batch_size, .meta = "N", .least = 1, .most = 1e6,
         .help = "images that go through the model at once (default: 32)"},
        CLI_DEVICE_OPTIONS(&p.device),
        CLI_JSON_OPTION(&p.json),
        CLI_QUIET_OPTION(&p.quiet),
        {0},
    };
    cli_command command = {
        .name = "predict",
        .arguments = "MODEL IMAGE...",
        .purpose = "Says what a model makes of images: the class of each, a yes or no, numbers, or the class of each pixel.",
        .details = "IMAGE is a PNG or JPEG file of any size, a folder of them, or - for paths on standard input, a\n"
                   "line each. Images are made to fit the model as those of a data set are. Class names are those that\n"
                   "training stored in the model. What its outputs mean follows from its last activation and its loss:\n"
                   "probabilities of classes, of two classes from one value, of several labels, or numbers as they are. "
                   "An image that can't be read is told, and the exit code is 1.\n\n"
                   "Example: convoy predict flowers.keras rose.jpg tulip.png",
        .options = options,
        .least = 1,
        .most = argc,
        .missing = "a MODEL is missing"};
    const char **arguments = calloc((size_t)argc + 1, sizeof *arguments);
    if (arguments == NULL) {
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    int code = cli_parse(&command, argc, argv, arguments);
    p.model_name = arguments[0];
    memmove(arguments, arguments + 1, (size_t)argc * sizeof *arguments);
    p.images = arguments;
    if (code == CLI_RUN)
        code = predict(&p);
    clear(&p);
    return code;
}
