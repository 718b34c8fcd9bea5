/* convoy bench */
#include <stdio.h>
#include <string.h>

#include "cli/bench_table.h"
#include "cli/cli.h"

typedef struct benchmark {
    cli_device device;
    const char *model_name; /* as it was given */
    const char *as;         /* the described GPU, NULL: the device itself */
    convoy_bench_options how;
    bool json, csv, quiet;
    char part[64]; /* of the work, told last */
    convoy_context *ctx;
    convoy_model *model;
} benchmark;

static int on_progress(void *user, const char *what, int done, int total)
{
    benchmark *b = user;
    (void)done;
    (void)total;
    if (!b->quiet && strncmp(b->part, what, sizeof b->part - 1) != 0)
        fprintf(stderr, "measuring: %s\n", what);
    snprintf(b->part, sizeof b->part, "%s", what);
    return cli_interrupted();
}

/* ---- JSON ---- */

static json_t *launch_json(const convoy_bench_launch *l)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "label", l->label, "kernel", l->kernel, "variant",
                     l->variant, "microseconds", cli_json_number(l->microseconds), "share", cli_json_number(l->share),
                     "gflops", cli_json_number(l->gflops), "gbytes_per_second", cli_json_number(l->gbytes_per_second),
                     "peak_share", cli_json_number(l->peak_share));
}

static json_t *launches_json(const convoy_bench_result *r)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < r->launch_count; i++)
        json_array_append_new(rows, launch_json(&r->launches[i]));
    return rows;
}

static json_t *rate_json(const convoy_bench_rate *rate)
{
    return json_pack("{s:o, s:o, s:o}", "images_per_second", cli_json_number(rate->images_per_second), "min",
                     cli_json_number(rate->min), "max", cli_json_number(rate->max));
}

static json_t *peak_json(const convoy_peak *peak)
{
    return json_pack("{s:o, s:o, s:o}", "gflops", cli_json_number(peak->gflops), "gbytes_per_second",
                     cli_json_number(peak->gbytes_per_second), "launch_microseconds",
                     cli_json_number(peak->launch_microseconds));
}

static json_t *step_json(const convoy_bench_result *r)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "microseconds", cli_json_number(r->step_microseconds),
                     "launch_microseconds", cli_json_number(r->launch_microseconds), "gflops",
                     cli_json_number(r->step_gflops), "peak_share", cli_json_number(r->step_peak_share));
}

static int print_json(const benchmark *b, const convoy_bench_result *r)
{
    const convoy_device_info *d = convoy_context_device(b->ctx);
    return cli_print_json(json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I, s:I}}", "device", d->name, "driver",
        d->driver, "model", b->model_name, "batch_size", r->batch_size, "steps", r->steps, "repeats",
        r->repeats, "peak", peak_json(&r->peak), "launches", launches_json(r), "step", step_json(r), "training",
        rate_json(&r->training), "prediction", rate_json(&r->prediction), "memory", "peak_bytes",
        (json_int_t)r->peak_bytes, "planned_bytes", (json_int_t)r->planned_bytes, "least_bytes",
        (json_int_t)r->least_bytes));
}

static json_t *size_json(const size_t size[3])
{
    json_t *all = json_array();
    for (int d = 0; d < 3 && size[d] > 0; d++)
        json_array_append_new(all, json_integer((json_int_t)size[d]));
    return all;
}

static json_t *choice_json(const convoy_bench_choice *c)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "label", c->label, "kernel", c->kernel, "variant", c->variant, "source",
                     c->source, "options", c->options, "global", size_json(c->global), "local", size_json(c->local));
}

static int print_choices_json(const benchmark *b, const convoy_bench_choices *c)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < c->launch_count; i++)
        json_array_append_new(rows, choice_json(&c->launches[i]));
    return cli_print_json(json_pack("{s:s, s:s, s:s, s:i, s:o, s:I}", "as", b->as, "device", convoy_context_device(b->ctx)->name,
                                    "model", b->model_name, "batch_size", c->batch_size, "launches", rows, "planned_bytes",
                                    (json_int_t)c->planned_bytes));
}

/* ---- CSV ---- */

/* A field as RFC 4180 has it, with the comma that follows it: quoted where it must be. */
static void print_field(const char *text)
{
    bool plain = strpbrk(text, ",\"\r\n") == NULL;
    if (!plain)
        putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    fputs(plain ? "," : "\",", stdout);
}

static void print_csv(const convoy_bench_result *r)
{
    puts("label,kernel,variant,microseconds,share,gflops,gbytes_per_second,peak_share");
    for (size_t i = 0; i < r->launch_count; i++) {
        const convoy_bench_launch *l = &r->launches[i];
        print_field(l->label);
        print_field(l->kernel);
        print_field(l->variant);
        printf("%.3f,%.6f,%.3f,%.3f,%.6f\n", l->microseconds, l->share, l->gflops, l->gbytes_per_second, l->peak_share);
    }
}

/* ---- the command ---- */

static int print_result(const benchmark *b, const convoy_bench_result *r)
{
    if (b->json)
        return print_json(b, r);
    if (b->csv)
        print_csv(r);
    else
        bench_table_print(b->ctx, b->model_name, r);
    return CLI_DONE;
}

static int plan(benchmark *b)
{
    convoy_error err = {0};
    convoy_bench_choices choices;
    int code = CLI_DONE;
    if (convoy_bench_plan(b->ctx, b->model, &b->how, &choices, &err) != CONVOY_OK)
        return cli_report(&err);
    if (b->json)
        code = print_choices_json(b, &choices);
    else
        bench_table_print_choices(b->ctx, b->model_name, &choices);
    convoy_bench_plan_clear(&choices);
    return code;
}

static int run(benchmark *b)
{
    convoy_error err = {0};
    convoy_bench_result result;
    bool has_weights;
    int code = cli_load_model(b->model_name, &b->model, &has_weights);
    if (code != CLI_RUN)
        return code;
    if (!has_weights && convoy_model_initialize(b->model, 1, &err) != CONVOY_OK)
        return cli_report(&err);
    b->device.as = b->as;
    code = cli_open_device(&b->device, b->quiet, &b->ctx);
    if (code != CLI_RUN)
        return code;
    if (b->as != NULL)
        return plan(b);
    cli_watch_interrupts();
    b->how.on_progress = on_progress;
    b->how.user = b;
    if (convoy_bench(b->ctx, b->model, &b->how, &result, &err) != CONVOY_OK)
        return cli_report(&err);
    code = print_result(b, &result);
    convoy_bench_clear(&result);
    return code;
}

int cmd_bench(int argc, char **argv)
{
    benchmark b = {.how = {.batch_size = 64, .steps = 30, .repeats = 5}};
    cli_option options[] = {
        {.name = "batch-size", .kind = CLI_INT, .value = &b.how.batch_size, .meta = "N", .least = 1, .most = 1e6,
         .help = "images in a step (default: 64)"},
        {.name = "steps", .kind = CLI_INT, .value = &b.how.steps, .meta = "N", .least = 1, .most = 1e5,
         .help = "steps of a repetition, and how often each\nlaunch is timed (default: 30)"},
        {.name = "repeats", .kind = CLI_INT, .value = &b.how.repeats, .meta = "N", .least = 1, .most = 1e4,
         .help = "repetitions of training and of prediction (default: 5)"},
        {.name = "as", .kind = CLI_TEXT, .value = &b.as, .meta = "GPU", .help = cli_described_help()},
        {.name = "csv", .kind = CLI_FLAG, .value = &b.csv, .help = "the launches only, a line each"},
        CLI_DEVICE_OPTIONS(&b.device),
        CLI_JSON_OPTION(&b.json),
        CLI_QUIET_OPTION(&b.quiet),
        {0},
    };
    cli_command command = {
        .name = "bench",
        .arguments = "[MODEL]",
        .purpose = "How fast a model (default: cifar10) trains and predicts, and how much of the device each launch uses.",
        .details = "The device's peak is measured first, by kernels made for that: float32 multiply-adds from registers,\n"
                   "and a triad over arrays larger than caches. A launch's operands may well be in caches: then its GB/s\n"
                   "are above the memory's. Images are random and resident on the device. Training: whole steps with\n"
                   "Adam. Prediction: gather and forward pass, no loss, the outputs stay on the device. Times of launches\n"
                   "are medians of profiled steps; all else is timed without profiling, and on PoCL a step's\n"
                   "launches are one persistent kernel then, unless other programs make that slower.\n\n"
                   "--as shows what would be launched on a GPU that isn't there: kernels, their blocks and sizes,\n"
                   "work-groups. Nothing is built, nothing runs, so there are no times.",
        .options = options,
        .most = 1};
    int code = cli_parse(&command, argc, argv, &b.model_name);
    if (code == CLI_RUN && b.json && b.csv)
        code = cli_usage("bench", "--json and --csv exclude each other");
    if (code == CLI_RUN && b.as != NULL && (b.csv || options[1].given || options[2].given))
        code = cli_usage("bench", "--as measures nothing: --csv, --steps and --repeats are not for it");
    if (b.model_name == NULL)
        b.model_name = "cifar10";
    if (code == CLI_RUN)
        code = run(&b);
    convoy_model_destroy(b.model);
    convoy_context_destroy(b.ctx);
    return code;
}
