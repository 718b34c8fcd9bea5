#include "model/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "model/level.h"

#define STANDARD_COLUMNS 80
/* Below this Keras refuses ("Insufficient console width"); a table that a narrow terminal breaks is still a table. */
#define LEAST_COLUMNS 20
#define LEAST_CONNECTED_COLUMNS 25

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

/* ---- rows ---- */

/* Parameters of a layer, or of all layers of an inner model. */
static uint64_t count_params(const convoy_model *model, const level_item *item)
{
    uint64_t count = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        int scope = model->nodes[i].scope;
        while (item->is_scope && scope > 0 && scope != item->at)
            scope = model->scopes[scope].outer;
        if (!model_is_first(model, i) || !(item->is_scope ? scope == item->at : (int)i == item->at))
            continue;
        for (int p = 0; p < model->nodes[i].layer->param_count; p++)
            count += model->nodes[i].layer->param[p].count;
    }
    return count;
}

static const char *class_of(const level *l, const level_item *item)
{
    if (item->is_scope)
        return l->model->scopes[item->at].functional ? "Functional" : "Sequential";
    return l->model->nodes[item->at].layer->class->name;
}

static void add_node_shape(const convoy_model *model, int node, text *out)
{
    char shape[96];
    text_add(out, "%s", shape_text(&model->nodes[node].layer->output, shape, sizeof shape));
}

/* The shape that a use gives; a list where an inner model gives several. */
static void add_use_shape(const level *l, const level_use *use, text *out)
{
    const model_scope *scope = &l->model->scopes[l->items[use->item].is_scope ? use->at : 0];
    if (!l->items[use->item].is_scope || scope->output_count == 1) {
        add_node_shape(l->model, l->items[use->item].is_scope ? scope->outputs[0] : use->at, out);
        return;
    }
    for (int k = 0; k < scope->output_count; k++) {
        text_add(out, k == 0 ? "[" : ", ");
        add_node_shape(l->model, scope->outputs[k], out);
    }
    text_add(out, "]");
}

/* Keras 3 tells what the last use gives. Keras 2 says "multiple" where uses differ, and puts an InputLayer's shape in brackets. */
static convoy_status write_shape(const level *l, size_t item, bool classic, char **out, convoy_error *err)
{
    text t = {0};
    char *last = NULL;
    bool differ = false, input = !l->items[item].is_scope && l->model->nodes[l->items[item].at].layer->input_count == 0;
    for (size_t u = 0; u < l->use_count; u++) {
        if (l->uses[u].item != item)
            continue;
        char *before = last;
        last = NULL;
        add_use_shape(l, &l->uses[u], &t);
        convoy_status status = text_take(&t, &last, err);
        differ = differ || (before && last && strcmp(before, last) != 0);
        free(before);
        TRY(status);
    }
    text_add(&t, classic && input ? "[%s]" : "%s", classic && differ ? "multiple" : last);
    free(last);
    return text_take(&t, out, err);
}

/* Keras 3: "a[0][0], b[0][0]", or "-". Keras 2: "['a[0][0]', 'b[0][0]']". */
static void add_connections(const level *l, size_t item, bool classic, text *out)
{
    size_t count = 0;
    for (size_t u = 0; u < l->use_count; u++)
        for (size_t k = 0; l->uses[u].item == item && k < l->uses[u].input_count; k++) {
            level_ref ref = l->uses[u].inputs[k];
            const char *quote = classic ? "'" : "";
            text_add(out, "%s%s%s[%zu][%zu]%s", count ? ", " : classic ? "[" : "", quote,
                     l->items[l->uses[ref.use].item].name, l->uses[ref.use].index, ref.tensor, quote);
            count++;
        }
    text_add(out, "%s", classic ? (count ? "]" : "[]") : count ? "" : "-");
}

static convoy_status fill_row(const level *l, size_t item, bool classic, bool connected, summary_row *row, convoy_error *err)
{
    char number[32];
    text t = {0};
    text_add(&t, "%s (%s)", l->items[item].name, class_of(l, &l->items[item]));
    TRY(text_take(&t, &row->cells[0], err));
    TRY(write_shape(l, item, classic, &row->cells[1], err));
    text_add(&t, "%s", summary_number(count_params(l->model, &l->items[item]), !classic, number, sizeof number));
    TRY(text_take(&t, &row->cells[2], err));
    if (!connected)
        return CONVOY_OK;
    add_connections(l, item, classic, &t);
    return text_take(&t, &row->cells[3], err);
}

static convoy_status fill_rows(const level *l, bool classic, summary_table *table, convoy_error *err)
{
    table->columns = level_is_chain(l) ? 3 : 4;
    table->rows = calloc(l->item_count + 1, sizeof *table->rows);
    if (table->rows == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t place = 0; place < l->item_count; place++) {
        const level_item *item = &l->items[l->order[place]];
        bool input = !item->is_scope && l->model->nodes[item->at].layer->input_count == 0;
        if (input && !l->model->scopes[0].functional) /* Keras leaves the InputLayer out of a Sequential model's table */
            continue;
        TRY(fill_row(l, l->order[place], classic, table->columns == 4, &table->rows[table->count++], err));
    }
    return CONVOY_OK;
}

static void free_table(summary_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        for (int c = 0; c < SUMMARY_MOST_COLUMNS; c++)
            free(table->rows[i].cells[c]);
    free(table->rows);
}

static summary_totals count_totals(const convoy_model *model)
{
    summary_totals totals = {0};
    for (size_t i = 0; i < model->node_count; i++) {
        const layer *l = model->nodes[i].layer;
        for (int p = 0; model_is_first(model, i) && p < l->param_count; p++) {
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

convoy_status convoy_model_summary_sized(const convoy_model *model, const convoy_summary_options *options, size_t options_size,
                                         char **out, convoy_error *err)
{
    text t = {0};
    TAKE_OPTIONS(convoy_summary_options, own, options, options_size, err);
    if (own.columns < 0)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "summary: %d columns; give the width of the terminal, or 0 for %d",
                         own.columns, STANDARD_COLUMNS);
    int columns = own.columns == 0 ? STANDARD_COLUMNS : own.columns, least;
    summary_table table = {.model = model, .totals = count_totals(model)};
    level l;
    TRY(level_create(model, 0, &l, err));
    convoy_status status = fill_rows(&l, own.classic, &table, err);
    level_destroy(&l);
    least = table.columns == 4 ? LEAST_CONNECTED_COLUMNS : LEAST_COLUMNS;
    if (status == CONVOY_OK && own.classic)
        summary_classic(&table, &t);
    else if (status == CONVOY_OK)
        summary_box(&table, columns < least ? least : columns, own.bold, &t);
    free_table(&table);
    return status == CONVOY_OK ? text_take(&t, out, err) : status;
}
