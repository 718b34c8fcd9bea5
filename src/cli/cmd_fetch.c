/* convoy fetch */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/progress.h"

#define MANY_BYTES 50000000 /* fewer are checked and unpacked before one could read it; more take seconds */

typedef struct fetching {
    const char *name;
    bool list, json, quiet;
    convoy_fetch_options how;
    cli_option *options;
    progress progress;
} fetching;

static int on_progress(void *user, const convoy_fetch_progress *now)
{
    fetching *f = user;
    bool downloads = strcmp(now->doing, "downloading") == 0;
    if (downloads)
        progress_bytes(&f->progress, now->file, now->done, now->total);
    else if (f->progress.terminal && now->total >= MANY_BYTES)
        progress_bytes(&f->progress, now->doing, now->done, now->total);
    return cli_interrupted();
}

static void on_message(void *user, const char *text)
{
    fetching *f = user;
    if (!f->quiet)
        cli_say("%s", text);
}

/* ---- the list ---- */

static json_t *info_json(const convoy_fetch_info *info)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:b}", "name", info->name, "title", info->title, "home", info->home,
                     "bytes", (json_int_t)info->bytes, "path", info->path, "here", info->here);
}

static void print_info(const convoy_fetch_info *info)
{
    printf("%-14s %s\n%14s %.1f MB from %s\n%14s %s%s\n", info->name, info->title, "", (double)info->bytes / 1e6,
           info->home, "", info->here ? "here: " : "not here yet: ", info->path);
}

static int list(const fetching *f)
{
    convoy_error err = {0};
    convoy_fetch_info info;
    json_t *sets = json_array();
    for (size_t i = 0; i < convoy_fetch_count(); i++) {
        if (convoy_fetch_describe(i, f->how.folder, &info, &err) != CONVOY_OK) {
            json_decref(sets);
            return cli_report(&err);
        }
        if (!f->json)
            print_info(&info);
        json_array_append_new(sets, info_json(&info));
    }
    if (f->json)
        return cli_print_json(json_pack("{s:o}", "datasets", sets));
    json_decref(sets);
    return CLI_DONE;
}

/* ---- one data set ---- */

/* A mistyped name is wrong usage: say which one is near. */
static int check_name(const fetching *f)
{
    const char *names[16] = {NULL};
    convoy_fetch_info info;
    for (size_t i = 0; i < convoy_fetch_count() && i + 1 < sizeof names / sizeof *names; i++) {
        if (convoy_fetch_describe(i, ".", &info, NULL) == CONVOY_OK)
            names[i] = info.name;
        if (names[i] != NULL && strcmp(names[i], f->name) == 0)
            return CLI_RUN;
    }
    const char *near = cli_nearest(f->name, names, sizeof *names);
    if (near != NULL)
        return cli_usage("fetch", "unknown data set '%s'; did you mean '%s'?", f->name, near);
    return cli_usage("fetch", "unknown data set '%s'; 'convoy fetch --list' names them", f->name);
}

static int report(const fetching *f, const convoy_error *err)
{
    int code = cli_report(err);
    if (err->status != CONVOY_ERROR_INTERRUPTED)
        return code;
    fputs("To go on: convoy fetch", stderr);
    cli_print_word(f->name);
    cli_print_options(f->options);
    fputc('\n', stderr);
    return code;
}

static int fetch(fetching *f)
{
    convoy_error err = {0};
    convoy_fetch_result result;
    progress_begin(&f->progress, f->quiet);
    cli_watch_interrupts();
    if (convoy_fetch(f->name, &f->how, &result, &err) != CONVOY_OK)
        return report(f, &err);
    if (f->json)
        return cli_print_json(
            json_pack("{s:s, s:s, s:b}", "name", f->name, "path", result.path, "was_here", result.was_here));
    if (result.was_here && !f->quiet)
        cli_say("%s was here already; --force fetches it again", f->name);
    printf("%s: %s\n", f->name, result.path);
    return CLI_DONE;
}

int cmd_fetch(int argc, char **argv)
{
    fetching f = {.how = {.on_progress = on_progress, .on_message = on_message}};
    cli_option options[] = {
        {.name = "list", .kind = CLI_FLAG, .value = &f.list, .help = "which data sets there are, and which are here"},
        {.name = "output", .letter = 'o', .kind = CLI_TEXT, .value = &f.how.folder, .meta = "DIR",
         .help = "put the folder NAME into DIR (default:\n$XDG_DATA_HOME/convoy, else ~/.local/share/convoy)"},
        {.name = "mirror", .kind = CLI_TEXT, .value = &f.how.mirror, .meta = "URL",
         .help = "take the files from there: the address of their\nfolder, or of a file (http, https, file)"},
        {.name = "force", .kind = CLI_FLAG, .value = &f.how.force, .help = "fetch it even if it is here"},
        CLI_JSON_OPTION(&f.json),
        {.name = "quiet", .letter = 'q', .kind = CLI_FLAG, .value = &f.quiet, .help = "no progress"},
        {0},
    };
    cli_command command = {
        .name = "fetch",
        .arguments = "NAME",
        .purpose = "Downloads a data set, compares it with its published size and digest and unpacks it.",
        .details = "NAME is cifar10, cifar100, mnist or fashion-mnist. Then --data NAME finds it.\n"
                   "What was downloaded before an interruption is kept: the same command goes on from there.\n"
                   "Proxies: http_proxy, https_proxy, no_proxy. Certificates: SSL_CERT_FILE, CURL_CA_BUNDLE.\n\n"
                   "Example: convoy fetch cifar10 && convoy train cifar10 --data cifar10 -o cifar10.keras",
        .options = options,
        .least = 0,
        .most = 1,
        .missing = "a NAME is missing"};
    f.options = options;
    f.how.user = &f;
    int code = cli_parse(&command, argc, argv, &f.name);
    if (code != CLI_RUN)
        return code;
    if (f.list && f.name != NULL)
        return cli_usage("fetch", "--list takes no NAME");
    if (f.list)
        return list(&f);
    if (f.name == NULL)
        return cli_usage("fetch", "a NAME is missing; 'convoy fetch --list' names the data sets");
    code = check_name(&f);
    return code == CLI_RUN ? fetch(&f) : code;
}
