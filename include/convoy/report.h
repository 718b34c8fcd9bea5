/* A page about one or several runs of training: curves, pictures and tables in one HTML file. */
#ifndef CONVOY_REPORT_H
#define CONVOY_REPORT_H

#include <stddef.h>

#include "convoy/device.h"
#include "convoy/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONVOY_REPORT_MOST_RUNS 8

typedef struct convoy_report_options {
    /* Folders that `convoy train ... --run DIR` wrote. Of the files in them only run.json must be there; what others would tell is
     * left out, and the page says so: history.csv, model.keras, launches.json. */
    const char *const *runs;
    size_t run_count;   /* 1 to CONVOY_REPORT_MOST_RUNS; several are laid side by side */
    const char *output; /* the folder for the page, made where it isn't there; NULL: "report" in the first run's folder */
    double scale;       /* what pixels are divided by; 0: as in the run, by its run.json */
    const char *data;   /* the data set, as convoy_dataset_open takes it; NULL: the one that each run.json names */
} convoy_report_options;

convoy_status convoy_report_write_sized(convoy_context *ctx, const convoy_report_options *options, size_t options_size,
                                        convoy_error *err);
/* Writes report.html, which needs no other file, no script and no network, and the PNG and SVG pictures that are in it as files of
 * their own beside it: learning curves; test images; predictions, right and wrong; the confusion matrix; the most confident
 * mistakes; the first layer's filters; what every layer gives for one image; the model; the time of each kernel. Each file is
 * written under a temporary name, synced and renamed, the page last.
 *
 * The model runs on the device once over all test images of the data. Where there is no such data, or it does not fit the model,
 * the page is made without what needs it and says why; the context's on_message gets the same text.
 * Errors: CONVOY_ERROR_ARGUMENT (no run, too many, the same twice), CONVOY_ERROR_FILE and CONVOY_ERROR_FORMAT (a folder that is no
 * run's, a file that can't be read, is damaged or can't be written; the message names it), CONVOY_ERROR_DEVICE_MEMORY,
 * CONVOY_ERROR_UNSUPPORTED (built without cairo). */
static inline convoy_status convoy_report_write(convoy_context *ctx, const convoy_report_options *options, convoy_error *err)
{
    return convoy_report_write_sized(ctx, options, sizeof *options, err);
}

#ifdef __cplusplus
}
#endif
#endif
