/* The table of Keras up to 2.12, which the tutorial shows. Its first column breaks a long name after 27 characters
 * although 26 fit, and so pushes the rest of that line one to the right: kept, since the text is to be Keras's own. */
#include "model/summary.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS SUMMARY_MOST_COLUMNS

/* Where the columns end: 0.45, 0.85 and all of 65, or 0.33, 0.55, 0.67 and all of 98. */
static const int ends_of_chain[COLUMNS] = {29, 55, 65}, ends_of_graph[COLUMNS] = {32, 53, 65, 98};

static const int *ends_of(int columns)
{
    return columns == 3 ? ends_of_chain : ends_of_graph;
}

static void add_line(text *out, int columns, char c)
{
    for (int i = 0; i < ends_of(columns)[columns - 1]; i++)
        text_add_bytes(out, &c, 1);
    text_add(out, "\n");
}

/* A line also ends with an element of a list. */
static const char *end_of_element(const char *from, const char *cut)
{
    static const char *const breaks[] = {"),", "},", "],", "',"};
    const char *first = cut;
    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
        const char *found = strstr(from, breaks[i]);
        if (found != NULL && found + 2 <= cut && found + 2 < first)
            first = found + 2;
    }
    return first;
}

/* Puts the next piece of a field into its column; returns what is left of the field. */
static const char *add_piece(text *out, const char *field, int columns, int column, int *width)
{
    const int *ends = ends_of(columns);
    int start = column == 0 ? 0 : ends[column - 1];
    int gap = column == columns - 1 ? 0 : 2;
    const char *stop = field + strlen(field);
    const char *cut = end_of_element(field, summary_advance(field, stop, ends[column] - start - gap));
    if (column == 0)
        *width += 1;
    *width += summary_columns(field, cut) + gap;
    int pad = gap + (*width < ends[column] ? ends[column] - *width : 0);
    *width += pad - gap;
    text_add(out, "%s%.*s%*s", column == 0 ? " " : "", (int)(cut - field), field, pad, "");
    return cut;
}

static bool is_left(const char *const *left, int columns)
{
    bool some = false;
    for (int c = 0; c < columns; c++)
        some = some || left[c][0] != '\0';
    return some;
}

static void add_row(text *out, int columns, char *const cells[COLUMNS])
{
    const char *left[COLUMNS] = {cells[0], cells[1], cells[2], cells[3]};
    while (is_left(left, columns)) {
        int width = 0;
        for (int c = 0; c < columns; c++)
            left[c] = add_piece(out, left[c], columns, c, &width);
        text_add(out, "\n");
    }
}

void summary_classic(const summary_table *table, text *out)
{
    static char *const titles[COLUMNS] = {"Layer (type)", "Output Shape", "Param #", "Connected to"};
    const summary_totals *totals = &table->totals;
    int columns = table->columns;
    char number[32];
    text_add(out, "Model: \"%s\"\n", table->model->name);
    add_line(out, columns, '_');
    add_row(out, columns, titles);
    add_line(out, columns, '=');
    for (size_t i = 0; i < table->count; i++) {
        add_row(out, columns, table->rows[i].cells);
        add_line(out, columns, ' ');
    }
    add_line(out, columns, '=');
    text_add(out, "Total params: %s\n",
             summary_number(totals->trainable + totals->frozen, true, number, sizeof number));
    text_add(out, "Trainable params: %s\n", summary_number(totals->trainable, true, number, sizeof number));
    text_add(out, "Non-trainable params: %s\n", summary_number(totals->frozen, true, number, sizeof number));
    add_line(out, columns, '_');
}
