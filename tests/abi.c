/* A program built against the headers of an earlier Convoy, in which some structs of options were smaller, and one against later ones.
 * It links what is installed. Older structs end where memory ends, so that whoever reads on is killed. Prints what is wrong. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "convoy/convoy.h"

static int wrong;

static void expect(int holds, const char *what)
{
    if (!holds)
        wrong++, printf("wrong: %s\n", what);
}

/* ---- as an earlier version declared them ---- */

typedef struct older_plot_options {
    const char *title;
    int columns;
    int rows;
} older_plot_options;

typedef struct older_fit_options {
    int epochs, initial_epoch, batch_size;
    const char *optimizer;
    double learning_rate;
} older_fit_options;

/* A copy of `size` bytes whose end is that of the memory that may be read. */
static void *at_the_edge(const void *bytes, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (two == MAP_FAILED || mprotect(two + page, page, PROT_NONE) != 0) {
        perror("mmap");
        exit(1);
    }
    return memcpy(two + page - size, bytes, size);
}

static void older_programs(void)
{
    convoy_error err = {0};
    double values[] = {3, 1, 2};
    convoy_plot_curve curve = {"loss", values, 3};
    older_plot_options plot = {"older", 40, 4};
    char *older = NULL, *now = NULL;
    convoy_status status = convoy_plot_text_sized(&curve, 1, at_the_edge(&plot, sizeof plot), sizeof plot, &older, &err);
    expect(status == CONVOY_OK, "a plot asked for by an older program");
    status = convoy_plot_text(&curve, 1, &(convoy_plot_options){.title = "older", .columns = 40, .rows = 4}, &now, &err);
    expect(status == CONVOY_OK && older != NULL && strcmp(older, now) == 0, "it is what zeros in the rest give");
    free(older);
    free(now);

    older_fit_options fit = {.epochs = 2, .learning_rate = 0.5};
    expect(convoy_fit_check_sized(at_the_edge(&fit, sizeof fit), sizeof fit, &err) == CONVOY_OK, "an older program's fit");
    fit.initial_epoch = 3;
    expect(convoy_fit_check_sized(at_the_edge(&fit, sizeof fit), sizeof fit, &err) == CONVOY_ERROR_ARGUMENT,
           "what an older program sets is read");
}

/* ---- as a later version may declare them ---- */

typedef struct later_fit_options {
    convoy_fit_options known;
    int later;
} later_fit_options;

static void later_programs(void)
{
    convoy_error err = {0};
    later_fit_options fit;
    memset(&fit, 0, sizeof fit);
    fit.known.epochs = 2;
    expect(convoy_fit_check_sized(&fit.known, sizeof fit, &err) == CONVOY_OK, "a later program that sets what is known");
    fit.later = 1;
    expect(convoy_fit_check_sized(&fit.known, sizeof fit, &err) == CONVOY_ERROR_ARGUMENT, "what is not known is refused");
    expect(strstr(err.message, "convoy_fit_options") != NULL && strstr(err.message, CONVOY_VERSION) != NULL,
           "the message names the struct and the version");
}

/* ---- what must stay: on 64 bits, where the last member of 0.1.0 stands, and how large the structs were ---- */

#define LAYOUT(type, last, offset, size)                                                                               \
    expect(sizeof(void *) != 8 || (offsetof(type, last) == (offset) && sizeof(type) >= (size)),                        \
           #type "." #last " is where 0.1.0 had it: structs of options grow at their ends (convoy/version.h)")

static void layouts(void)
{
    LAYOUT(convoy_bench_options, user, 24, 32);
    LAYOUT(convoy_check_options, user, 32, 40);
    LAYOUT(convoy_context_options, quiet, 64, 72);
    LAYOUT(convoy_dataset_options, user, 64, 72);
    LAYOUT(convoy_evaluate_options, user, 72, 80);
    LAYOUT(convoy_fetch_options, user, 40, 48);
    LAYOUT(convoy_fit_options, user, 168, 176);
    LAYOUT(convoy_plot_options, colour, 17, 24);
    LAYOUT(convoy_report_options, data, 32, 40);
    LAYOUT(convoy_run_options, test_scale, 48, 56);
    LAYOUT(convoy_summary_options, bold, 8, 12);
    LAYOUT(convoy_tune_options, user, 48, 56);
}

static void versions(void)
{
    char numbers[32];
    snprintf(numbers, sizeof numbers, "%d.%d.%d", CONVOY_VERSION_MAJOR, CONVOY_VERSION_MINOR, CONVOY_VERSION_PATCH);
    expect(strcmp(numbers, CONVOY_VERSION) == 0, "the numbers make up the version");
    expect(strcmp(convoy_version(), CONVOY_VERSION) == 0, "the library is of the headers' version");
    expect(dlvsym(RTLD_DEFAULT, "convoy_version", "CONVOY_0") != NULL, "symbols are versioned CONVOY_0");
    expect(dlsym(RTLD_DEFAULT, "base_options_take") == NULL, "what is not public is not exported");
}

int main(void)
{
    versions();
    layouts();
    older_programs();
    later_programs();
    if (wrong == 0)
        puts("older and later programs get on with this library");
    return wrong != 0;
}
