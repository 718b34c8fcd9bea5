/* What the commands share: option tables, the device, messages and results. */
#ifndef CLI_H
#define CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convoy/convoy.h"

/* Exit codes. CLI_RUN is no exit code: parsing went well, go on. */
enum { CLI_RUN = -1, CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* ---- options: one row each drives parsing, --help and the messages ---- */

typedef enum cli_kind {
    CLI_FLAG,   /* bool: set to true */
    CLI_OFF,    /* bool: set to false */
    CLI_TEXT,   /* const char * (not empty) */
    CLI_OPTIONAL, /* const char *: glued on with =, or the next word when it has a = in it; else "" */
    CLI_CHOICE, /* const char *: one of `choices` */
    CLI_INT,    /* int within [least, most] */
    CLI_SEED,   /* uint64_t */
    CLI_REAL,   /* double within [least, most]; `above` and `below` exclude the bounds */
} cli_kind;

typedef struct cli_option {
    const char *name;  /* without the dashes */
    char letter;       /* 0: none */
    cli_kind kind;
    void *value;       /* where it goes; holds the default before */
    const char *meta;  /* "N", "FILE": what --help calls the value; NULL for flags and choices */
    const char *help;  /* a few words; a newline breaks the line */
    double least, most;
    bool above, below;
    const char *const *choices; /* NULL-terminated */
    const char *given;          /* set by cli_parse: the text given, "" for a flag, NULL when absent */
} cli_option;

typedef struct cli_command {
    const char *name;      /* "train" */
    const char *arguments; /* "MODEL --data DATA"; "" for none */
    const char *purpose;   /* one sentence */
    const char *details;   /* printed after the options by --help; may be NULL */
    cli_option *options;   /* ends with a row whose name is NULL */
    int least, most;       /* how many arguments there must be besides options */
    const char *missing;   /* what to say when there are too few: "a MODEL is missing" */
} cli_command;

/* Reads argv[1 ..]; arguments go to args[0 .. most-1] (NULL past the last one).
 * CLI_RUN, or the code to exit with: --help was printed, or a message about the wrong usage was. */
int cli_parse(cli_command *command, int argc, char **argv, const char **args);

/* Prints what --help of a command says; `form` is its value, NULL for none. Returns the exit code. */
int cli_help(const cli_command *command, const char *form);

/* lists.c: texts for --help that name what the library's tables have; kept for good. Of options, and paragraphs about MODEL and DATA. */
#define CLI_HELP_WIDTH 58
#define CLI_TEXT_WIDTH 104
const char *cli_data_help(void);
const char *cli_optimizer_help(void);
const char *cli_loss_help(void);
const char *cli_metric_help(void);
const char *cli_described_help(void);
const char *cli_models(void);
const char *cli_data(void);

/* ---- the device ---- */

typedef struct cli_device {
    const char *device, *gemm, *variant, *vector_width, *tuning;
    const char *as; /* convoy_context_options.as; no option of all commands */
} cli_device;

extern const char *const cli_gemms[], *const cli_variants[], *const cli_vector_widths[], *const cli_tunings[];

/* Rows for a command's table; `d` is a cli_device *. */
#define CLI_DEVICE_OPTIONS(d)                                                                                          \
    {.name = "device", .letter = 'd', .kind = CLI_TEXT, .value = &(d)->device, .meta = "DEV",                          \
     .help = "P:D as convoy devices lists them, gpu, cpu, accelerator, or a part\n"                                    \
             "of the name (default: CONVOY_DEVICE, else the fastest class)"},                                          \
    {.name = "gemm", .kind = CLI_CHOICE, .value = &(d)->gemm, .choices = cli_gemms,                                    \
     .help = "matrix product of the dense layers (default: what suits the device)"},                                   \
    {.name = "variant", .kind = CLI_CHOICE, .value = &(d)->variant, .choices = cli_variants,                           \
     .help = "kernel family (default: what suits the device)"},                                                        \
    {.name = "vector-width", .kind = CLI_CHOICE, .value = &(d)->vector_width, .choices = cli_vector_widths,            \
     .help = "floats in a vector of the vec kernels (default: the device's)"},                                         \
    {.name = "tuning", .kind = CLI_CHOICE, .value = &(d)->tuning, .choices = cli_tunings,                              \
     .help = "use what convoy tune found, or what ships for such devices\n(default: CONVOY_TUNING, else on)"}

#define CLI_QUIET_OPTION(q)                                                                                            \
    {.name = "quiet", .letter = 'q', .kind = CLI_FLAG, .value = (q), .help = "no progress and no device line"}
#define CLI_JSON_OPTION(j)                                                                                             \
    {.name = "json", .kind = CLI_FLAG, .value = (j), .help = "the result as one JSON object"}

/* Asks PoCL, unless the environment says otherwise, to keep each of its threads on a core of its own: Linux may put two of them on
 * one for a whole run, at half the speed. Call it before anything opens a device. */
void cli_keep_threads_apart(void);

/* Opens the device, sends its warnings to stderr and, unless quiet, says there which device it is. CLI_RUN or an exit
 * code (the message is printed). */
int cli_open_device(const cli_device *device, bool quiet, convoy_context **out);

/* ---- messages and results ---- */

/* "convoy: ..." on stderr. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints err's message and returns the exit code that goes with its status. */
int cli_report(const convoy_error *err);
bool cli_device_failed(void); /* some error was CONVOY_ERROR_DEVICE */

/* A wrong usage: "convoy: ..." and where help is. Returns CLI_USAGE. */
int cli_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What --json prints follows docs/json.md, which this numbers: a member that goes, or means something else, makes it one more. */
#define CLI_JSON_VERSION 1

/* `value` (stolen; NULL stays NULL) with the member version in front. */
json_t *cli_json_versioned(json_t *value);

/* Prints `value` (stolen; NULL: out of memory), an object, with its version on stdout. CLI_DONE or CLI_FAILED. */
int cli_print_json(json_t *value);

/* A number, or null when it is not finite: JSON has no NaN. */
json_t *cli_json_number(double value);

/* A name on stdout, its control characters as \n or \x1b: what a file is called must not steer the terminal. */
void cli_print_safe(const char *name);

/* Of `known` (names at `stride` bytes' distance, the last NULL), the one that `word` may have meant, or NULL. */
const char *cli_nearest(const char *word, const char *const *known, size_t stride);

/* The command line that `options` came from, one row per option given, words quoted for the shell, on stderr. */
void cli_print_options(const cli_option *options);
void cli_print_word(const char *word);

/* Columns of the terminal behind fd, as Python finds them: COLUMNS, else what the terminal says, else 0. */
int cli_columns(int fd);

/* True when the terminal behind fd wants colour and bold (NO_COLOR unset, TERM not dumb). */
bool cli_wants_colour(int fd);

/* Is it worth starting to work for a result in `path`? Its folder must be there and writable, its name must end in
 * `ending`. CLI_RUN or an exit code (the message is printed). */
int cli_check_output(const char *path, const char *ending);

bool cli_is_folder(const char *path);

/* From now on Ctrl-C (and SIGTERM) is only noted; a second one ends the command as usual. */
void cli_watch_interrupts(void);
bool cli_interrupted(void);

/* Seconds since the command started. */
double cli_seconds(void);

/* ---- models and data ---- */

/* On stderr: where the data set was found, if `name` leaves that open. */
void cli_print_place(const char *name);

/* Loads MODEL; *has_weights is false when it came without any (a JSON config, a built-in name). CLI_RUN or an exit code. */
int cli_load_model(const char *name_or_path, convoy_model **out, bool *has_weights);

/* The option --weights, and what it asks for: weights from a file of their own, into a model that was loaded. NULL: none.
 * CLI_RUN or an exit code. */
#define CLI_WEIGHTS_OPTION(w)                                                                                          \
    {.name = "weights", .kind = CLI_TEXT, .value = (w), .meta = "FILE",                                                \
     .help = "take the weights from this .weights.h5, .h5, .keras or\n.safetensors file, or TensorFlow.js's "           \
             "model.json, of a model with\nthese layers"}
int cli_load_weights(const char *path, convoy_model *model, bool *has_weights);

/* Says so when what the model ends in and what the loss takes do not go together. `loss` may be NULL: the model's own. */
void cli_check_outputs(const convoy_model *model, const char *loss, bool from_probabilities);

/* ---- data ---- */

/* The options for opening images that `model` is to take. */
convoy_dataset_options cli_dataset_options(const convoy_model *model, bool coarse_labels);

/* Says how many files of a data set could not be read. */
void cli_report_skipped(const char *name, const convoy_dataset *data);

#define CLI_NO_IMAGE_CACHE_OPTION(n)                                                                                   \
    {.name = "no-image-cache", .kind = CLI_FLAG, .value = (n), .help = "decode a folder's images anew, and keep nothing of it"}
#define CLI_COARSE_OPTION(c)                                                                                           \
    {.name = "coarse-labels", .kind = CLI_FLAG, .value = (c), .help = "CIFAR-100: its 20 superclasses"}

/* What pixels are divided by, a double: 0 stands for the rule. */
#define CLI_SCALE_OPTION(s)                                                                                            \
    {.name = "scale", .kind = CLI_REAL, .value = (s), .meta = "X", .above = true,                                      \
     .help = "pixels are divided by X (default: 1 where the model\nbegins with Rescaling or Normalization, else 255)"}

/* ---- the commands: argv[0] is the command's name; they return the exit code ---- */

int cmd_bench(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_devices(int argc, char **argv);
int cmd_evaluate(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_fetch(int argc, char **argv);
int cmd_predict(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_summary(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_tune(int argc, char **argv);

#endif
