#include "model/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STANDARD_COLUMNS 80
/* Below this Keras refuses ("Insufficient console width"); a table that a narrow terminal breaks is still a table. */
#define LEAST_COLUMNS 20

bool summary_shows(const model_node *node)
{
    return node->input_count > 0;
}

const char *summary_number(uint64_t value, bool thousands, char *out, size_t size)
{
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, value);
    size_t at = 0;
    for (int i = 0; i < n && at + 2 < size; i++) {
        if (thousands && i > 0 && (n - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

static bool continues_character(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

int summary_columns(const char *from, const char *to)
{
    int count = 0;
    for (; from < to; from++)
        count += !continues_character(*from);
    return count;
}

const char *summary_advance(const char *from, const char *to, int columns)
{
    while (from < to && columns > 0) {
        from++;
        while (from < to && continues_character(*from))
            from++;
        columns--;
    }
    return from;
}

void summary_fill_row(const model_node *node, bool thousands, summary_row *row)
{
    const layer *l = node->layer;
    uint64_t params = 0;
    for (int p = 0; p < l->param_count; p++)
        params += l->param[p].count;
    snprintf(row->name, sizeof row->name, "%s (%s)", l->name, l->class->name);
    shape_text(&l->output, row->shape, sizeof row->shape);
    summary_number(params, thousands, row->params, sizeof row->params);
}

static summary_totals count_totals(const convoy_model *model)
{
    summary_totals totals = {0};
    for (size_t i = 0; i < model->node_count; i++) {
        const layer *l = model->nodes[i].layer;
        for (int p = 0; p < l->param_count; p++) {
            if (l->param[p].trainable)
                totals.trainable += l->param[p].count;
            else
                totals.frozen += l->param[p].count;
        }
    }
    totals.has_optimizer = model->optimizer[0] != '\0';
    if (totals.has_optimizer) /* the step and the learning rate, then the slots */
        totals.optimizer = 2 + totals.trainable * (uint64_t)model->optimizer_slot_count;
    return totals;
}

convoy_status convoy_model_summary(const convoy_model *model, const convoy_summary_options *options, char **out,
                                   convoy_error *err)
{
    static const convoy_summary_options standard = {0};
    text t = {0};
    if (options == NULL)
        options = &standard;
    if (options->columns < 0)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "summary: %d columns; give the width of the terminal, or 0 for %d",
                         options->columns, STANDARD_COLUMNS);
    int columns = options->columns == 0 ? STANDARD_COLUMNS : options->columns;
    if (columns < LEAST_COLUMNS)
        columns = LEAST_COLUMNS;
    summary_totals totals = count_totals(model);
    if (options->classic)
        summary_classic(model, &totals, &t);
    else
        summary_box(model, &totals, columns, options->bold, &t);
    return text_take(&t, out, err);
}
