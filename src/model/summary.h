/* What both styles of the summary share. */
#ifndef SUMMARY_H
#define SUMMARY_H

#include "base/text.h"
#include "model/model.h"

typedef struct summary_totals {
    uint64_t trainable, frozen; /* values, float32 each */
    bool has_optimizer;
    uint64_t optimizer;         /* values of the optimizer: float32, but for the int64 step */
} summary_totals;

#define SUMMARY_MOST_COLUMNS 4

/* The texts of one layer's row: name, shape, parameters, and what it is connected to. */
typedef struct summary_row {
    char *cells[SUMMARY_MOST_COLUMNS]; /* owned */
} summary_row;

typedef struct summary_table {
    const convoy_model *model;
    summary_totals totals;
    summary_row *rows;
    size_t count;
    int columns; /* 3; 4 where the layers are no chain */
} summary_table;

/* "225,034" or, without thousands, "225034"; returns out. */
const char *summary_number(uint64_t value, bool thousands, char *out, size_t size);
/* Characters of UTF-8 text in [from, to); each is taken as one column wide. */
int summary_columns(const char *from, const char *to);
/* The end of the first `columns` characters of [from, to). */
const char *summary_advance(const char *from, const char *to, int columns);

void summary_box(const summary_table *table, int columns, bool bold, text *out);
void summary_classic(const summary_table *table, text *out);

#endif
