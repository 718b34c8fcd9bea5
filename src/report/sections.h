/* The parts of the page. Each writes its pictures' files and appends to the page's body. */
#ifndef REPORT_SECTIONS_H
#define REPORT_SECTIONS_H

#include "convoy/report.h"
#include "report/evaluation.h"
#include "report/page.h"

typedef struct report {
    page page;
    report_run *runs; /* owned, as are the evaluations */
    evaluation *evaluations;      /* one for each run */
    size_t run_count;
} report;

/* ---- of all runs together ---- */

convoy_status section_head(report *r, convoy_error *err);    /* section_head.c: device, settings, timings, result */
convoy_status section_curves(report *r, convoy_error *err);  /* section_curves.c */
convoy_status section_classes(report *r, convoy_error *err); /* section_confusion.c: the accuracy of each class */

/* ---- of one run ---- */

typedef struct section_run {
    page *page;
    const report_run *run;
    const evaluation *evaluation;
    size_t run_count; /* how many share the page, and its bytes */
} section_run;

convoy_status section_samples(const section_run *s, convoy_error *err);     /* section_images.c */
convoy_status section_predictions(const section_run *s, convoy_error *err);
convoy_status section_mistakes(const section_run *s, convoy_error *err);
convoy_status section_confusion(const section_run *s, convoy_error *err);
convoy_status section_filters(const section_run *s, convoy_error *err);     /* section_maps.c */
convoy_status section_maps(const section_run *s, convoy_error *err);
convoy_status section_model(const section_run *s, convoy_error *err);
convoy_status section_launches(const section_run *s, convoy_error *err);

#endif
