/* convoy check */
#include <stdio.h>

#include "cli/cli.h"

typedef struct check_output {
    bool quiet, json;
    json_t *rows;
    size_t count;
} check_output;

static void on_row(void *user, const convoy_check_row *row)
{
    check_output *out = user;
    out->count++;
    if (out->json)
        json_array_append_new(out->rows, json_pack("{s:s, s:s, s:s, s:b, s:o, s:s}", "layer", row->layer, "options",
                                                   row->options, "input", row->input, "passed", row->passed, "error",
                                                   cli_json_number(row->error), "message", row->message));
    else if (!row->passed || !out->quiet)
        printf("%s %5.2f  %-12s %-26s %s%s%s\n", row->passed ? "ok  " : "FAIL", row->error, row->layer, row->input,
               row->options, row->passed ? "" : "\n     ", row->message);
    fflush(stdout);
}

int cmd_check(int argc, char **argv)
{
    cli_device device = {0};
    check_output out = {0};
    convoy_check_options how = {.seed = 1, .on_row = on_row, .user = &out};
    int most = 0;
    cli_option options[] = {
        CLI_DEVICE_OPTIONS(&device),
        {.name = "layer", .kind = CLI_TEXT, .value = &how.layer, .meta = "CLASS", .help = "only this layer: Conv2D"},
        {.name = "seed", .kind = CLI_SEED, .value = &how.seed, .meta = "N", .help = "of inputs and weights (default: 1)"},
        {.name = "most-values", .kind = CLI_INT, .value = &most, .meta = "N", .least = 0, .most = 1e9,
         .help = "skip inputs larger than this (for slow devices)"},
        CLI_JSON_OPTION(&out.json),
        CLI_QUIET_OPTION(&out.quiet),
        {0},
    };
    cli_command command = {.name = "check",
                           .arguments = "",
                           .purpose = "Compares every layer's kernels, forward and backward, with plain loops in double.",
                           .details = "The second column is the worst error as a multiple of what rounding allows: "
                                      "at most 1 passes.",
                           .options = options};
    convoy_error err = {0};
    convoy_context *ctx = NULL;
    size_t failed = 0;
    int code = cli_parse(&command, argc, argv, NULL);
    if (code != CLI_RUN || (code = cli_open_device(&device, out.quiet, &ctx)) != CLI_RUN)
        return code;
    how.most_values = (size_t)most;
    out.rows = json_array();
    code = convoy_check(ctx, &how, &failed, &err) == CONVOY_OK ? CLI_DONE : cli_report(&err);
    if (code == CLI_DONE && out.json)
        code = cli_print_json(json_pack("{s:s, s:I, s:I, s:O}", "device", convoy_context_device(ctx)->name, "passed",
                                        (json_int_t)(out.count - failed), "failed", (json_int_t)failed, "rows", out.rows));
    else if (code == CLI_DONE)
        printf("%zu passed, %zu failed, seed %llu\n", out.count - failed, failed, (unsigned long long)how.seed);
    json_decref(out.rows);
    convoy_context_destroy(ctx);
    return code == CLI_DONE && failed > 0 ? CLI_FAILED : code;
}
