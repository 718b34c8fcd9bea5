/* The page while it is written: its body, its contents, and the files beside it. */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include "report/drawing.h"

typedef struct page {
    text body, contents;
    char folder[4096];  /* where the files go */
    int sections;
    int level;          /* of the next heading that page_section writes: 2, or 3 within a run of several */
    char prefix[32];    /* of the names of files: "run2-" where there are several runs */
} page;

/* A section begins; page_end_section ends it. */
void page_section(page *p, const char *title);
void page_end_section(page *p);
/* The same for a run that is one of several; its own sections follow. */
void page_run(page *p, const char *name);
void page_end_run(page *p);

/* A paragraph of any text, escaped. `kind` is "note" (what is missing, and why) or "about" (what is shown). */
void page_paragraph(page *p, const char *kind, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A table, which can be scrolled where it is too wide. Who fills it begins with <caption> or <thead>. `label` says what it is;
 * `kind` is its class, "" for none. */
void page_table(page *p, const char *label, const char *kind);
void page_end_table(page *p);

/* Writes the file PREFIX + name and puts the picture into the page with a caption (may be NULL), in which the file's name stands.
 * `alt` is for those who can't see it. Frees the picture, also on failure. */
convoy_status page_picture(page *p, const char *name, const char *alt, const char *caption, picture *made, convoy_error *err);
/* The file alone. */
convoy_status page_file(page *p, const char *name, const picture *made, convoy_error *err);
/* An <img> with the picture, a PNG, in it: nothing is written. */
void page_image(page *p, const picture *made, int width, int height, const char *alt);

/* Writes FOLDER/report.html. */
convoy_status page_write(page *p, const char *title, convoy_error *err);
void page_free(page *p);

#endif
