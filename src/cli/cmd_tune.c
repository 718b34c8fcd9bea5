/* convoy tune */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/progress.h"

typedef struct tuning {
    cli_device device;
    const char *model_name;
    convoy_tune_options how;
    bool json, quiet;
    char how_text[256];

    progress progress;
    convoy_tune_row *rows; /* by index */
    size_t count;
    convoy_context *ctx;
    convoy_model *model;
} tuning;

/* ---- what happens meanwhile ---- */

/* "1.25", or "-" where a time was not measured. */
static const char *ratio(double untuned, double tuned, char out[16])
{
    if (untuned > 0 && tuned > 0)
        snprintf(out, 16, "%.2f", untuned / tuned);
    else
        snprintf(out, 16, "-");
    return out;
}

/* "812.4" microseconds, or "-". */
static const char *microseconds(double value, char out[24])
{
    if (value > 0)
        snprintf(out, 24, "%.1f", value);
    else
        snprintf(out, 24, "-");
    return out;
}

static int on_progress(void *user, const convoy_tune_progress *now)
{
    tuning *t = user;
    char words[256], time[24], times[16];
    const convoy_tune_row *row = now->row;
    if (now->problem == 0)
        snprintf(words, sizeof words, "%.0f/%.0fs untuned: %.60s %s", now->seconds, now->total_seconds, row->layer, row->pass);
    else
        snprintf(words, sizeof words, "%.0f/%.0fs %zu/%zu %.60s %s: %zu tried, %s us, %sx", now->seconds,
                 now->total_seconds, now->problem, now->problems, row->layer, row->pass, row->tried,
                 microseconds(row->tuned_microseconds, time), ratio(row->untuned_microseconds, row->tuned_microseconds, times));
    progress_bar(&t->progress, now->seconds / now->total_seconds, words);
    return cli_interrupted();
}

static int on_row(void *user, const convoy_tune_row *row)
{
    tuning *t = user;
    if (row->index >= t->count) {
        convoy_tune_row *rows = realloc(t->rows, (row->index + 1) * sizeof *rows);
        if (rows == NULL) {
            cli_say("out of host memory");
            return 1;
        }
        memset(rows + t->count, 0, (row->index + 1 - t->count) * sizeof *rows);
        t->rows = rows;
        t->count = row->index + 1;
    }
    t->rows[row->index] = *row;
    if (row->wrong > 0)
        cli_say("%s: %zu candidates computed wrong values and were left out; the first: %s", row->problem, row->wrong,
                row->wrong_text);
    if (!t->quiet && !t->progress.terminal && row->tuned)
        fprintf(stderr, "%s %s: %.1f us, untuned %.1f us, %zu tried\n", row->layer, row->pass, row->tuned_microseconds,
                row->untuned_microseconds, row->tried);
    return cli_interrupted();
}

/* ---- the result ---- */

static json_t *row_json(const convoy_tune_row *r)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:b, s:o, s:o, s:s, s:s, s:I, s:I}", "problem", r->problem, "layer", r->layer,
                     "pass", r->pass, "layers", r->layers, "tuned", r->tuned, "untuned_microseconds",
                     cli_json_number(r->untuned_microseconds), "tuned_microseconds",
                     cli_json_number(r->tuned_microseconds), "untuned_kernel", r->untuned, "tuned_kernel", r->tuned_to,
                     "tried", (json_int_t)r->tried, "wrong", (json_int_t)r->wrong);
}

static int print_json(const tuning *t, const convoy_tune_result *result)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < t->count; i++)
        if (t->rows[i].layers > 0)
            json_array_append_new(rows, row_json(&t->rows[i]));
    return cli_print_json(json_pack(
        "{s:s, s:s, s:i, s:o, s:o, s:o, s:I, s:s, s:o, s:o}", "device", convoy_context_device(t->ctx)->name, "model",
        t->model_name, "batch_size", t->how.batch_size, "seconds", cli_json_number(result->seconds), "untuned_microseconds",
        cli_json_number(result->untuned_microseconds), "tuned_microseconds", cli_json_number(result->tuned_microseconds),
        "improved", (json_int_t)result->improved, "clblast", result->clblast, "saved",
        result->saved[0] ? json_string(result->saved) : json_null(),
        "problems", rows));
}

static void print_row(const convoy_tune_row *r, int width)
{
    char name[200], untuned[24], tuned[24], times[16];
    int n = snprintf(name, sizeof name, "%s %s", r->layer, r->pass);
    if (r->layers > 1)
        snprintf(name + n, sizeof name - (size_t)n, " (%d layers)", r->layers);
    printf("%-*s %10s", width, name, microseconds(r->untuned_microseconds, untuned));
    if (r->tuned)
        printf(" %10s %6s  %s\n", microseconds(r->tuned_microseconds, tuned),
               ratio(r->untuned_microseconds, r->tuned_microseconds, times), r->tuned_to);
    else
        printf(" %10s %6s  (no time to try)\n", "-", "-");
}

static int print_table(const tuning *t, const convoy_tune_result *result)
{
    int width = 5;
    char untuned[24], tuned[24], times[16];
    for (size_t i = 0; i < t->count; i++) {
        int n = (int)(strlen(t->rows[i].layer) + strlen(t->rows[i].pass)) + (t->rows[i].layers > 1 ? 13 : 1);
        width = n > width ? n : width;
    }
    printf("%-*s %10s %10s %6s  %s\n", width, "", "untuned us", "tuned us", "ratio", "kernel");
    for (size_t i = 0; i < t->count; i++)
        if (t->rows[i].layers > 0)
            print_row(&t->rows[i], width);
    printf("%-*s %10s %10s %6s\n", width, "total", microseconds(result->untuned_microseconds, untuned),
           microseconds(result->tuned_microseconds, tuned),
           ratio(result->untuned_microseconds, result->tuned_microseconds, times));
    if (result->clblast[0])
        printf("CLBlast: %.1f us instead of %.1f for its products, by %s\n", result->clblast_tuned_microseconds,
               result->clblast_untuned_microseconds, result->clblast);
    if (result->saved[0])
        printf("saved in %s\n", result->saved);
    return CLI_DONE;
}

static int print_result(const tuning *t, const convoy_tune_result *result)
{
    if (result->problems == 0) {
        cli_say("%s has no layer whose kernels have a choice: nothing to tune", t->model_name);
        return CLI_FAILED;
    }
    if (result->saved[0] == '\0' && result->untuned_microseconds > 0)
        cli_say("nothing is kept: %s", result->improved > 0 ? "there is no cache folder (XDG_CACHE_HOME, HOME)"
                                                            : "the time was too short to try anything; give more --seconds");
    return t->json ? print_json(t, result) : print_table(t, result);
}

static int tune(tuning *t)
{
    convoy_error err = {0};
    convoy_tune_result result = {0};
    bool has_weights;
    int code = cli_load_model(t->model_name, &t->model, &has_weights);
    if (code == CLI_RUN)
        code = cli_open_device(&t->device, t->quiet, &t->ctx);
    if (code != CLI_RUN)
        return code;
    progress_begin(&t->progress, t->quiet);
    cli_watch_interrupts();
    convoy_status status = convoy_tune(t->ctx, t->model, &t->how, &result, &err);
    if (status != CONVOY_OK && status != CONVOY_ERROR_INTERRUPTED)
        return cli_report(&err);
    char words[64];
    snprintf(words, sizeof words, "%.0fs, %zu of %zu passes made faster", result.seconds, result.improved, result.problems);
    progress_bar_end(&t->progress, words);
    if (status == CONVOY_OK)
        return print_result(t, &result);
    if (result.saved[0])
        cli_say("interrupted after %.0f seconds; what was found so far is in %s", result.seconds, result.saved);
    else
        cli_say("interrupted after %.0f seconds; nothing was found yet", result.seconds);
    return CLI_FAILED;
}

int cmd_tune(int argc, char **argv)
{
    tuning t = {.how = {.batch_size = 64, .seconds = 30, .on_progress = on_progress, .on_row = on_row}};
    cli_option options[] = {
        {.name = "batch-size", .kind = CLI_INT, .value = &t.how.batch_size, .meta = "N", .least = 1, .most = 1e6,
         .help = "images in a step (default: 64); sizes up to four times\nsmaller or larger make use of what is found, too"},
        {.name = "seconds", .kind = CLI_REAL, .value = &t.how.seconds, .meta = "X", .least = 0, .above = true,
         .help = "how long to try (default: 30)"},
        {.name = "export", .kind = CLI_TEXT, .value = &t.how.export_file, .meta = "FILE.txt",
         .help = "also add what is better than untuned to FILE, in the form\nin which it ships for a class of devices"},
        CLI_DEVICE_OPTIONS(&t.device),
        CLI_JSON_OPTION(&t.json),
        CLI_QUIET_OPTION(&t.quiet),
        {0},
    };
    cli_command command = {
        .name = "tune",
        .arguments = "MODEL",
        .purpose = "Finds, by trying, the fastest kernels for MODEL on your device, and remembers them.",
        .details = "What is found is kept for this device and driver, and used from then on (--tuning off: not).\n"
                   "Every kernel's values are compared with plain loops before it may win. Ctrl-C keeps what was found.\n"
                   "Nothing else should be running: times are compared.",
        .options = options,
        .least = 1,
        .most = 1,
        .missing = "a MODEL is missing"};
    int code = cli_parse(&command, argc, argv, &t.model_name);
    if (code == CLI_RUN && t.how.export_file != NULL)
        code = cli_check_output(t.how.export_file, ".txt");
    if (code == CLI_RUN) {
        snprintf(t.how_text, sizeof t.how_text, "convoy tune %.120s --batch-size %d --seconds %g", t.model_name,
                 t.how.batch_size, t.how.seconds);
        t.how.how = t.how_text;
        t.how.user = &t;
        code = tune(&t);
    }
    convoy_model_destroy(t.model);
    convoy_context_destroy(t.ctx);
    free(t.rows);
    return code;
}
