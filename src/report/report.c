/* The page from the runs: reads them, looks at the test images, writes part after part. */
#include "convoy/report.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/options.h"
#include "report/sections.h"

static convoy_status check_options(const convoy_report_options *o, convoy_error *err)
{
    if (o->runs == NULL || o->run_count == 0)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "no run is named; give the folder of one, which convoy train MODEL --data "
                         "DATA --run DIR makes");
    if (o->run_count > CONVOY_REPORT_MOST_RUNS)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "%zu runs; at most %d are laid side by side", o->run_count,
                         CONVOY_REPORT_MOST_RUNS);
    for (size_t i = 0; i < o->run_count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(o->runs[i], o->runs[k]) == 0)
                return base_fail(err, CONVOY_ERROR_ARGUMENT, "%s: is named twice", o->runs[i]);
    return CONVOY_OK;
}

/* Runs of one name in several folders are called by their folders. */
static void tell_apart(report *r)
{
    bool twice[CONVOY_REPORT_MOST_RUNS] = {false};
    for (size_t i = 0; i < r->run_count; i++)
        for (size_t k = 0; k < r->run_count; k++)
            twice[i] |= i != k && strcmp(r->runs[i].name, r->runs[k].name) == 0;
    for (size_t i = 0; i < r->run_count; i++)
        if (twice[i])
            text_copy(r->runs[i].name, sizeof r->runs[i].name, r->runs[i].folder);
}

static convoy_status read_runs(report *r, convoy_context *ctx, const convoy_report_options *o, convoy_error *err)
{
    for (; r->run_count < o->run_count; r->run_count++)
        TRY(run_open(o->runs[r->run_count], &r->runs[r->run_count], err));
    tell_apart(r);
    for (size_t i = 0; i < r->run_count; i++)
        TRY(evaluation_run(ctx, &r->runs[i], o->data, o->scale, &r->evaluations[i], err));
    return CONVOY_OK;
}

static convoy_status choose_folder(report *r, const convoy_report_options *o, convoy_error *err)
{
    char *folder = r->page.folder;
    size_t size = sizeof r->page.folder;
    int n = o->output ? snprintf(folder, size, "%s", o->output) : snprintf(folder, size, "%s/report", o->runs[0]);
    if (n <= 0 || (size_t)n >= size)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, n == 0 ? "the name of the folder for the report is empty"
                                                            : "%.60s...: the path is too long", folder);
    return file_make_folder(folder, err);
}

/* Whether the samples of run i were shown before, with an earlier run on the same data. */
static bool has_same_images(const report *r, size_t i)
{
    const convoy_dataset *own = r->evaluations[i].images;
    for (size_t k = 0; own != NULL && k < i; k++) {
        const convoy_dataset *other = r->evaluations[k].images;
        if (other != NULL && convoy_dataset_same_images(own, other))
            return true;
    }
    return false;
}

static convoy_status add_run(report *r, size_t i, convoy_error *err)
{
    const section_run s = {&r->page, &r->runs[i], &r->evaluations[i], r->run_count};
    if (r->run_count > 1) {
        page_run(&r->page, r->runs[i].name);
        snprintf(r->page.prefix, sizeof r->page.prefix, "run%zu-", i + 1);
    }
    if (!has_same_images(r, i))
        TRY(section_samples(&s, err));
    TRY(section_predictions(&s, err));
    TRY(section_confusion(&s, err));
    TRY(section_mistakes(&s, err));
    TRY(section_filters(&s, err));
    TRY(section_maps(&s, err));
    TRY(section_model(&s, err));
    TRY(section_launches(&s, err));
    if (r->run_count > 1)
        page_end_run(&r->page);
    return CONVOY_OK;
}

static convoy_status write_page(report *r, convoy_error *err)
{
    char title[300];
    r->page.level = 2;
    TRY(section_head(r, err));
    TRY(section_curves(r, err));
    TRY(section_classes(r, err));
    for (size_t i = 0; i < r->run_count; i++)
        TRY(add_run(r, i, err));
    if (r->run_count == 1)
        snprintf(title, sizeof title, "Report on %s", r->runs[0].name);
    else
        snprintf(title, sizeof title, "Report on %zu runs", r->run_count);
    return page_write(&r->page, title, err);
}

convoy_status convoy_report_write_sized(convoy_context *ctx, const convoy_report_options *options, size_t options_size,
                                        convoy_error *err)
{
    convoy_status status;
    TAKE_OPTIONS(convoy_report_options, own, options, options_size, err);
    TRY(check_options(&own, err));
    report *r = calloc(1, sizeof *r);
    if (r == NULL)
        return OUT_OF_MEMORY(err);
    r->runs = calloc(own.run_count, sizeof *r->runs);
    r->evaluations = calloc(own.run_count, sizeof *r->evaluations);
    if (r->runs == NULL || r->evaluations == NULL)
        TRY_GOTO(OUT_OF_MEMORY(err));
    TRY_GOTO(read_runs(r, ctx, &own, err));
    TRY_GOTO(choose_folder(r, &own, err));
    TRY_GOTO(write_page(r, err));
done:
    for (size_t i = 0; i < r->run_count; i++) {
        evaluation_free(&r->evaluations[i]);
        run_close(&r->runs[i]);
    }
    page_free(&r->page);
    free(r->runs);
    free(r->evaluations);
    free(r);
    return status;
}
