/* The model: a diagram, and a table of its layers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/summary.h"
#include "report/graph.h"
#include "report/html.h"
#include "report/sections.h"

enum {
    MOST_BOXES = 400,
    BOX = 280,
    BOX_HEIGHT = 44,
    LANE = 14,
    GAP = 12,      /* between neighbours */
    ROW = 68,      /* from a row to the next */
    MARGIN = 4,
};

static size_t count_parameters(const layer *l)
{
    size_t count = 0;
    for (int p = 0; p < l->param_count; p++)
        count += l->param[p].count;
    return count;
}

/* ---- the diagram ---- */

static double middle_of(const graph_item *item) { return MARGIN + item->x; }
static double top_of(const graph_item *item) { return MARGIN + ROW * item->row; }

static void draw_arrow(drawing *d, double x, double y)
{
    cairo_move_to(d->cr, x, y);
    cairo_line_to(d->cr, x - 4, y - 7);
    cairo_line_to(d->cr, x + 4, y - 7);
    cairo_close_path(d->cr);
    drawing_fill(d, false);
}

static void draw_edge(drawing *d, const graph *g, const graph_edge *edge)
{
    const graph_item *from = &g->items[edge->from], *to = &g->items[edge->to];
    double x0 = middle_of(from), y0 = top_of(from) + BOX_HEIGHT, x1 = middle_of(to), y1 = top_of(to), bend = (y1 - y0) / 2;
    bool passes = to->node == SIZE_MAX;
    drawing_ink(d, INK_FAINT, 1);
    cairo_set_line_width(d->cr, 1.5);
    cairo_move_to(d->cr, x0, y0);
    cairo_curve_to(d->cr, x0, y0 + bend, x1, y1 - bend, x1, y1 - (passes ? 0 : 6));
    if (passes)
        cairo_line_to(d->cr, x1, y1 + BOX_HEIGHT);
    drawing_stroke(d);
    if (!passes)
        draw_arrow(d, x1, y1);
}

static void draw_box(drawing *d, const convoy_model *m, const graph_item *item)
{
    const model_node *node = &m->nodes[item->node];
    const layer *l = node->layer;
    double x = middle_of(item) - BOX / 2.0, y = top_of(item);
    char shape[96], number[40], second[200];
    drawing_round_box(d, x, y, BOX, BOX_HEIGHT, 6);
    drawing_ink(d, INK_BOX, 1);
    drawing_fill(d, true);
    drawing_ink(d, INK_FAINT, 1);
    cairo_set_line_width(d->cr, 1);
    drawing_stroke(d);
    drawing_ink(d, INK_TEXT, 1);
    summary_number(count_parameters(l), true, number, sizeof number);
    label right = {.x = x + BOX - 10, .y = y + 18, .size = 13, .align = ALIGN_RIGHT};
    double taken = 0;
    if (!model_is_first(m, item->node))
        snprintf(number, sizeof number, "again");
    if (l->param_count > 0) {
        taken = drawing_text_width(d, &right, number) + 10;
        drawing_text(d, &right, number);
    }
    drawing_text(d, &(label){.x = x + 10, .y = y + 18, .size = 13, .bold = true, .most = BOX - 20 - taken}, l->name);
    shape_text(&l->output, shape, sizeof shape);
    snprintf(second, sizeof second, "%s  %s", l->class->name, shape);
    drawing_text(d, &(label){.x = x + 10, .y = y + 36, .size = 12, .most = BOX - 20}, second);
}

static convoy_status add_diagram(const section_run *s, convoy_error *err)
{
    const convoy_model *m = s->run->model;
    graph g;
    drawing d;
    picture made;
    char alt[256];
    TRY(graph_create(m, BOX, LANE, GAP, &g, err));
    int width = (int)g.width + 1 + 2 * MARGIN, height = ROW * (g.rows - 1) + BOX_HEIGHT + 2 * MARGIN;
    convoy_status status = drawing_begin(&d, true, width, height, err);
    if (status == CONVOY_OK) {
        for (size_t e = 0; e < g.edge_count; e++)
            draw_edge(&d, &g, &g.edges[e]);
        for (size_t i = 0; i < g.item_count; i++)
            if (g.items[i].node != SIZE_MAX)
                draw_box(&d, m, &g.items[i]);
        status = drawing_end(&d, &made, err);
    }
    graph_free(&g);
    TRY(status);
    snprintf(alt, sizeof alt, "Diagram of the model's %zu layers; the table below lists them", convoy_model_layer_count(m));
    return page_picture(s->page, "model.svg", alt, "From the top down: each layer's name and parameters, class and output shape.",
                        &made, err);
}

/* ---- the table ---- */

/* What goes in and comes out, and how the size follows. */
static convoy_status add_size(text *html, const convoy_model *m, size_t layer_index, convoy_error *err)
{
    const layer *l = m->nodes[model_layer_node(m, layer_index)].layer;
    char *formula = NULL;
    char shape[96];
    for (int k = 0; k < l->input_count; k++) {
        text_add(html, k ? ", " : "");
        html_text(html, shape_text(&l->input[k], shape, sizeof shape));
    }
    text_add(html, l->input_count ? " &rarr; " : "");
    html_text(html, shape_text(&l->output, shape, sizeof shape));
    TRY(convoy_model_layer_formula(m, layer_index, &formula, err));
    if (formula[0] != '\0') {
        text_add(html, "<br><span class=\"formula\">");
        html_text(html, formula);
        text_add(html, "</span>");
    }
    free(formula);
    return CONVOY_OK;
}

static convoy_status add_row(text *html, const convoy_model *m, size_t layer_index, convoy_error *err)
{
    const layer *l = m->nodes[model_layer_node(m, layer_index)].layer;
    text_add(html, "<tr><th scope=\"row\">");
    html_name(html, l->name);
    text_add(html, "</th><td class=\"shape\">%s</td><td class=\"shape\">", l->class->name);
    TRY(add_size(html, m, layer_index, err));
    text_add(html, "</td><td>");
    html_number(html, (double)count_parameters(l));
    text_add(html, "</td></tr>\n");
    return CONVOY_OK;
}

static convoy_status add_table(const section_run *s, convoy_error *err)
{
    const convoy_model *m = s->run->model;
    text *html = &s->page->body;
    page_table(s->page, "Layers", "");
    text_add(html, "<caption><span>Layers: what they read and give, and their parameters; ");
    html_number(html, (double)convoy_model_parameter_count(m));
    text_add(html, " in all</span></caption>\n<thead><tr><th scope=\"col\">layer</th><th scope=\"col\" class=\"shape\">class</th>"
             "<th scope=\"col\" class=\"shape\">input &rarr; output, and how the size follows</th>"
             "<th scope=\"col\">parameters</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < convoy_model_layer_count(m); i++)
        TRY(add_row(html, m, i, err));
    page_end_table(s->page);
    return CONVOY_OK;
}

convoy_status section_model(const section_run *s, convoy_error *err)
{
    const convoy_model *m = s->run->model;
    page_section(s->page, "Model");
    if (m == NULL) {
        page_paragraph(s->page, "note", "No diagram: there is no model.keras in the run's folder.");
    } else {
        if (m->node_count <= MOST_BOXES)
            TRY(add_diagram(s, err));
        else
            page_paragraph(s->page, "note", "%zu layers are too many for a diagram; at most %d are drawn.", m->node_count,
                           MOST_BOXES);
        TRY(add_table(s, err));
    }
    page_end_section(s->page);
    return CONVOY_OK;
}
