/* convoy report */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/json.h"
#include "cli/cli.h"

typedef struct reporting {
    cli_device device;
    convoy_report_options what;
    bool json, quiet;
    convoy_context *ctx;
} reporting;

static int print_result(const reporting *r)
{
    char page[PATH_MAX];
    struct stat info = {0};
    snprintf(page, sizeof page, "%s%s/report.html", r->what.output ? r->what.output : r->what.runs[0],
             r->what.output ? "" : "/report");
    (void)stat(page, &info);
    if (r->json)
        return cli_print_json(json_pack("{s:o, s:I, s:o}", "page", json_text(page), "bytes", (json_int_t)info.st_size,
                                        "seconds", cli_json_number(cli_seconds())));
    printf("saved ");
    cli_print_safe(page);
    putchar('\n');
    return CLI_DONE;
}

static int report(reporting *r)
{
    convoy_error err = {0};
    int code = cli_open_device(&r->device, r->quiet, &r->ctx);
    if (code != CLI_RUN)
        return code;
    if (convoy_report_write(r->ctx, &r->what, &err) != CONVOY_OK)
        return cli_report(&err);
    return print_result(r);
}

static size_t count_words(const char *const *words)
{
    size_t count = 0;
    while (words[count] != NULL)
        count++;
    return count;
}

int cmd_report(int argc, char **argv)
{
    reporting r = {0};
    cli_option options[] = {
        {.name = "output", .letter = 'o', .kind = CLI_TEXT, .value = &r.what.output, .meta = "DIR",
         .help = "where the page and its pictures go (default: the\nfolder report in the first RUN)"},
        {.name = "data", .kind = CLI_TEXT, .value = &r.what.data, .meta = "DATA",
         .help = "the test images (default: those of the data that the\nrun was trained on)"},
        {.name = "scale", .kind = CLI_REAL, .value = &r.what.scale, .meta = "X", .above = true,
         .help = "pixels are divided by X (default: as in the run)"},
        CLI_DEVICE_OPTIONS(&r.device),
        CLI_JSON_OPTION(&r.json),
        CLI_QUIET_OPTION(&r.quiet),
        {0},
    };
    cli_command command = {
        .name = "report",
        .arguments = "RUN...",
        .purpose = "Makes a page about a run of convoy train, or about several side by side: report.html, which needs\n"
                   "neither another file nor the network, and its pictures as PNG and SVG files.",
        .details = "RUN is a folder that convoy train MODEL --data DATA --run RUN has written. The model runs once over\n"
                   "the test images. Without them the page is made all the same and says what it lacks.\n\n"
                   "Example: convoy report runs/adam runs/sgd -o comparison",
        .options = options,
        .least = 1,
        .most = argc,
        .missing = "a RUN is missing: the folder of a training, which convoy train --run makes"};
    const char **arguments = calloc((size_t)argc + 1, sizeof *arguments);
    if (arguments == NULL) {
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    int code = cli_parse(&command, argc, argv, arguments);
    r.what.runs = arguments;
    r.what.run_count = count_words(arguments);
    if (code == CLI_RUN)
        code = report(&r);
    convoy_context_destroy(r.ctx);
    free(arguments);
    return code;
}
