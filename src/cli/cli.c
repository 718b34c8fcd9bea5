/* Messages, results, the device and the model: what every command does the same way. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "cli/cli.h"

#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/suggest.h"
#include "cli/progress.h"

const char *const cli_gemms[] = {"clblast", "builtin", NULL};
const char *const cli_variants[] = {"vec", "tile", "plain", NULL};
const char *const cli_vector_widths[] = {"4", "8", "16", NULL};
const char *const cli_tunings[] = {"on", "off", NULL};

/* ---- messages ---- */

void cli_say(const char *format, ...)
{
    va_list args;
    progress_break_line();
    fputs("convoy: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* What the library calls by its own names, and the command by its flags. */
static const struct { const char *name, *flag; } flags[] = {
    {"option 'mirror'", "--mirror URL"}, {"option 'gemm'", "--gemm"}, {"option 'optimizer'", "--optimizer"},
    {"option 'loss'", "--loss"}, {"option 'metrics'", "--metrics"},
    {"convoy_model_load_weights", "--weights"}};

static void say_with_flags(const char *message)
{
    static const char device[] = "device '";
    char text[2 * sizeof((convoy_error){0}.message)];
    size_t n = 0, rows = sizeof flags / sizeof *flags, i;
    if (strncmp(message, device, sizeof device - 1) == 0)
        n = (size_t)snprintf(text, sizeof text, "-d/--");
    while (*message != '\0' && n + 32 < sizeof text) {
        for (i = 0; i < rows && strncmp(message, flags[i].name, strlen(flags[i].name)) != 0; i++)
            ;
        if (i == rows) {
            text[n++] = *message++;
            continue;
        }
        n += (size_t)snprintf(text + n, sizeof text - n, "%s", flags[i].flag);
        message += strlen(flags[i].name);
    }
    text[n] = '\0';
    cli_say("%s", text);
}

static bool device_failed;

bool cli_device_failed(void) { return device_failed; }

int cli_report(const convoy_error *err)
{
    say_with_flags(err->message);
    device_failed = device_failed || err->status == CONVOY_ERROR_DEVICE;
    bool usage = err->status == CONVOY_ERROR_ARGUMENT || err->status == CONVOY_ERROR_NO_DEVICE;
    return usage ? CLI_USAGE : CLI_FAILED;
}

int cli_usage(const char *command, const char *format, ...)
{
    va_list args;
    fputs("convoy: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry 'convoy %s%s--help'.\n", command, *command ? " " : "");
    return CLI_USAGE;
}

bool cli_wants_colour(int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fd) && (no == NULL || *no == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
}

int cli_columns(int fd)
{
    const char *columns = getenv("COLUMNS");
    char *end;
    if (columns != NULL && *columns != '\0') {
        long n = strtol(columns, &end, 10);
        if (*end == '\0' && n > 0 && n <= 10000)
            return (int)n;
    }
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0)
        return size.ws_col;
    return 0;
}

double cli_seconds(void)
{
    static double start;
    if (start == 0)
        start = clock_seconds(); /* main calls this first */
    return clock_seconds() - start;
}

/* ---- results ---- */

json_t *cli_json_versioned(json_t *value)
{
    json_t *all = value != NULL ? json_pack("{s:i}", "version", CLI_JSON_VERSION) : NULL;
    if (all != NULL && json_object_update_missing(all, value) != 0) {
        json_decref(all);
        all = NULL;
    }
    json_decref(value);
    return all;
}

int cli_print_json(json_t *value)
{
    value = cli_json_versioned(value);
    if (value == NULL) {
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    /* A write that fails is seen by main, which flushes stdout. */
    (void)json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
    json_decref(value);
    putchar('\n');
    return CLI_DONE;
}

json_t *cli_json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

void cli_print_safe(const char *name)
{
    for (; *name != '\0'; name++)
        if (*name == '\n')
            fputs("\\n", stdout);
        else if ((unsigned char)*name < 0x20 || *name == 0x7f)
            printf("\\x%02x", (unsigned char)*name);
        else
            putchar(*name);
}

/* ---- the nearest word ---- */

const char *cli_nearest(const char *word, const char *const *known, size_t stride)
{
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (const char *at = (const char *)known; *(const char *const *)at != NULL; at += stride) {
        const char *name = *(const char *const *)at;
        size_t d = suggest_distance(word, name, strlen(name));
        if (d < least) {
            least = d;
            nearest = name;
        }
    }
    return nearest;
}

/* ---- the device ---- */

void cli_keep_threads_apart(void)
{
    long processors = sysconf(_SC_NPROCESSORS_CONF);
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    /* PoCL takes the first processors, and ends the process where it may not run on one of them. */
    if (processors > 0 && CPU_COUNT(&allowed) == processors)
        setenv("POCL_AFFINITY", "1", 0);
}

static void on_message(void *user, const char *text)
{
    (void)user;
    cli_say("%s", text);
}

int cli_open_device(const cli_device *device, bool quiet, convoy_context **out)
{
    convoy_error err = {0};
    convoy_context_options options = {.device = device->device,
                                      .gemm = device->gemm,
                                      .variant = device->variant,
                                      .quiet = quiet,
                                      .as = device->as,
                                      .tuning = device->tuning,
                                      .vector_width = device->vector_width ? (unsigned)atoi(device->vector_width) : 0};
    if (convoy_context_create(&options, out, &err) != CONVOY_OK)
        return cli_report(&err);
    convoy_context_on_message(*out, on_message, NULL);
    if (!quiet) {
        const convoy_device_info *d = convoy_context_device(*out);
        fprintf(stderr, "device: %d:%d %s (%s, %u compute units; %s)\n", d->platform, d->device, d->name,
                convoy_device_type_name(d->type), d->compute_units, d->platform_name);
    }
    return CLI_RUN;
}

/* ---- models and data ---- */

void cli_print_place(const char *name)
{
    char path[CONVOY_PATH_SIZE];
    bool is_name = false;
    convoy_fetch_info info;
    for (size_t i = 0; i < convoy_fetch_count(); i++)
        is_name = is_name || (convoy_fetch_describe(i, ".", &info, NULL) == CONVOY_OK && strcmp(info.name, name) == 0);
    if (is_name && convoy_dataset_locate(name, path, NULL) == CONVOY_OK)
        fprintf(stderr, "data: %s%s\n", path[0] == '/' ? "" : "./", path);
}

int cli_load_model(const char *name_or_path, convoy_model **out, bool *has_weights)
{
    convoy_error err = {0};
    if (convoy_model_load(name_or_path, out, &err) != CONVOY_OK)
        return cli_report(&err);
    *has_weights = convoy_model_has_weights(*out);
    return CLI_RUN;
}

int cli_load_weights(const char *path, convoy_model *model, bool *has_weights)
{
    convoy_error err = {0};
    if (path == NULL)
        return CLI_RUN;
    if (convoy_model_load_weights(model, path, &err) != CONVOY_OK)
        return cli_report(&err);
    *has_weights = true;
    return CLI_RUN;
}

void cli_check_outputs(const convoy_model *model, const char *loss, bool from_probabilities)
{
    convoy_outputs o;
    if (convoy_model_outputs(model, loss, from_probabilities, &o, NULL) != CONVOY_OK)
        return; /* who trains or evaluates says why */
    if (o.meaning == CONVOY_MEANS_NUMBERS || o.logits || o.squashed)
        return;
    if (from_probabilities)
        cli_say("--from-probabilities, but the model does not end in softmax or sigmoid: its outputs must be probabilities");
    else
        cli_say("the loss%s%s takes probabilities, but the model does not end in softmax or sigmoid: add from_logits=True in "
                "brackets", loss ? " " : " of the model", loss ? loss : "");
}

/* ---- data ---- */

/* Both parts of a data set have the same to say. */
static void on_data_message(void *user, const char *text)
{
    static char before[512];
    char now[sizeof before];
    (void)user;
    snprintf(now, sizeof now, "%s", text);
    if (strcmp(before, now) != 0)
        cli_say("%s", text);
    memcpy(before, now, sizeof before);
}

convoy_dataset_options cli_dataset_options(const convoy_model *model, bool coarse_labels)
{
    convoy_shape in = convoy_model_input(model);
    convoy_dataset_options options = {.coarse_labels = coarse_labels, .on_message = on_data_message};
    if (in.rank == 3) {
        options.height = in.dim[0];
        options.width = in.dim[1];
        options.channels = in.dim[2];
    }
    return options;
}

void cli_report_skipped(const char *name, const convoy_dataset *data)
{
    const char *first;
    size_t skipped = convoy_dataset_skipped(data, &first);
    if (skipped > 0)
        cli_say("%s: %zu image%s could not be read and %s left out; the first: %s", name, skipped, skipped > 1 ? "s" : "",
                skipped > 1 ? "are" : "is", first);
}
