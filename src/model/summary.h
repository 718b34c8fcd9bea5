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

/* The texts of one layer's row. */
typedef struct summary_row {
    char name[256], shape[128], params[32];
} summary_row;

/* Keras leaves the InputLayer out of a Sequential model's table. */
bool summary_shows(const model_node *node);
void summary_fill_row(const model_node *node, bool thousands, summary_row *row);

/* "225,034" or, without thousands, "225034"; returns out. */
const char *summary_number(uint64_t value, bool thousands, char *out, size_t size);
/* Characters of UTF-8 text in [from, to); each is taken as one column wide. */
int summary_columns(const char *from, const char *to);
/* The end of the first `columns` characters of [from, to). */
const char *summary_advance(const char *from, const char *to, int columns);

void summary_box(const convoy_model *model, const summary_totals *totals, int columns, bool bold, text *out);
void summary_classic(const convoy_model *model, const summary_totals *totals, text *out);

#endif
