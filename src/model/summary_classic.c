/* The table of Keras up to 2.12, which the tutorial shows. Its first column breaks a long name after 27 characters
 * although 26 fit, and so pushes the rest of that line one to the right: kept, since the text is to be Keras's own. */
#include "model/summary.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 65
#define COLUMNS 3

static const int ends[COLUMNS] = {29, 55, 65}; /* 0.45, 0.85 and all of the width */

static void add_line(text *out, char c)
{
    for (int i = 0; i < WIDTH; i++)
        text_add_bytes(out, &c, 1);
    text_add(out, "\n");
}

/* Puts the next piece of a field into its column; returns what is left of the field. */
static const char *add_piece(text *out, const char *field, int column, int *width)
{
    int start = column == 0 ? 0 : ends[column - 1];
    int gap = column == COLUMNS - 1 ? 0 : 2;
    const char *stop = field + strlen(field);
    const char *cut = summary_advance(field, stop, ends[column] - start - gap);
    if (column == 0)
        *width += 1;
    *width += summary_columns(field, cut) + gap;
    int pad = gap + (*width < ends[column] ? ends[column] - *width : 0);
    *width += pad - gap;
    text_add(out, "%s%.*s%*s", column == 0 ? " " : "", (int)(cut - field), field, pad, "");
    return cut;
}

static void add_row(text *out, const char *name, const char *shape, const char *params)
{
    const char *left[COLUMNS] = {name, shape, params};
    while (*left[0] || *left[1] || *left[2]) {
        int width = 0;
        for (int c = 0; c < COLUMNS; c++)
            left[c] = add_piece(out, left[c], c, &width);
        text_add(out, "\n");
    }
}

void summary_classic(const convoy_model *model, const summary_totals *totals, text *out)
{
    char number[32];
    text_add(out, "Model: \"%s\"\n", model->name);
    add_line(out, '_');
    add_row(out, "Layer (type)", "Output Shape", "Param #");
    add_line(out, '=');
    for (size_t i = 0; i < model->node_count; i++) {
        summary_row row;
        if (!summary_shows(&model->nodes[i]))
            continue;
        summary_fill_row(&model->nodes[i], false, &row);
        add_row(out, row.name, row.shape, row.params);
        add_line(out, ' ');
    }
    add_line(out, '=');
    text_add(out, "Total params: %s\n",
             summary_number(totals->trainable + totals->frozen, true, number, sizeof number));
    text_add(out, "Trainable params: %s\n", summary_number(totals->trainable, true, number, sizeof number));
    text_add(out, "Non-trainable params: %s\n", summary_number(totals->frozen, true, number, sizeof number));
    add_line(out, '_');
}
