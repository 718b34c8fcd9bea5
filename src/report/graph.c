/* After Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures" (1981): rows by the longest
 * way from an input, edges cut into pieces of one row each, the order within rows by the mean place of the neighbours. */
#include "report/graph.h"

#include <stdlib.h>

enum { SWEEPS = 8 };

typedef struct layout {
    graph *g;
    double box, lane, gap;
    size_t *order;       /* items, row by row */
    size_t *row_start;   /* rows + 1 */
    double *place;       /* of an item within its row, as sweeps know it */
    double *wanted;
} layout;

static double width_of(const layout *l, size_t item) { return l->g->items[item].node == SIZE_MAX ? l->lane : l->box; }

/* ---- rows and edges ---- */

static size_t count_pieces(const convoy_model *m, const int *row, size_t *lines)
{
    size_t pieces = 0;
    *lines = 0;
    for (size_t i = 0; i < m->node_count; i++)
        for (int k = 0; k < m->nodes[i].input_count; k++) {
            size_t rows = (size_t)(row[i] - row[m->nodes[i].input[k]]);
            pieces += rows;
            *lines += rows - 1;
        }
    return pieces;
}

static void choose_rows(const convoy_model *m, int *row, graph *g)
{
    for (size_t i = 0; i < m->node_count; i++) {
        row[i] = 0;
        for (int k = 0; k < m->nodes[i].input_count; k++) {
            int below = row[m->nodes[i].input[k]] + 1;
            row[i] = below > row[i] ? below : row[i];
        }
        g->rows = row[i] + 1 > g->rows ? row[i] + 1 : g->rows;
    }
}

static void cut_edges(const convoy_model *m, const int *row, graph *g)
{
    for (size_t i = 0; i < m->node_count; i++)
        for (int k = 0; k < m->nodes[i].input_count; k++) {
            size_t from = (size_t)m->nodes[i].input[k];
            for (int r = row[from] + 1; r < row[i]; r++) {
                g->items[g->item_count] = (graph_item){.node = SIZE_MAX, .row = r};
                g->edges[g->edge_count++] = (graph_edge){from, g->item_count};
                from = g->item_count++;
            }
            g->edges[g->edge_count++] = (graph_edge){from, i};
        }
}

static convoy_status make_items(const convoy_model *m, graph *g, convoy_error *err)
{
    size_t lines;
    int *row = malloc((m->node_count + 1) * sizeof *row);
    if (row == NULL)
        return OUT_OF_MEMORY(err);
    choose_rows(m, row, g);
    size_t pieces = count_pieces(m, row, &lines);
    g->items = calloc(m->node_count + lines + 1, sizeof *g->items);
    g->edges = calloc(pieces + 1, sizeof *g->edges);
    if (g->items != NULL && g->edges != NULL) {
        for (size_t i = 0; i < m->node_count; i++)
            g->items[i] = (graph_item){.node = i, .row = row[i]};
        g->item_count = m->node_count;
        cut_edges(m, row, g);
    }
    free(row);
    return g->items != NULL && g->edges != NULL ? CONVOY_OK : OUT_OF_MEMORY(err);
}

/* ---- the order within rows ---- */

static void fill_order(layout *l)
{
    size_t at = 0;
    for (int r = 0; r < l->g->rows; r++) {
        l->row_start[r] = at;
        for (size_t i = 0; i < l->g->item_count; i++)
            if (l->g->items[i].row == r) {
                l->place[i] = (double)(at - l->row_start[r]);
                l->order[at++] = i;
            }
    }
    l->row_start[l->g->rows] = at;
}

/* The mean of `of` over an item's neighbours above (or below); its own where it has none. */
static double mean_of_neighbours(const layout *l, size_t item, bool above, const double *of)
{
    double sum = 0;
    size_t count = 0;
    for (size_t e = 0; e < l->g->edge_count; e++) {
        const graph_edge *edge = &l->g->edges[e];
        if ((above ? edge->to : edge->from) != item)
            continue;
        sum += of[above ? edge->from : edge->to];
        count++;
    }
    return count ? sum / (double)count : of[item];
}

/* Insertion keeps what is equal in its order. */
static void sort_row(layout *l, int r, bool above)
{
    size_t *row = l->order + l->row_start[r], count = l->row_start[r + 1] - l->row_start[r];
    for (size_t i = 0; i < count; i++)
        l->wanted[row[i]] = mean_of_neighbours(l, row[i], above, l->place);
    for (size_t i = 1; i < count; i++) {
        size_t item = row[i], k = i;
        for (; k > 0 && l->wanted[row[k - 1]] > l->wanted[item]; k--)
            row[k] = row[k - 1];
        row[k] = item;
    }
    for (size_t i = 0; i < count; i++)
        l->place[row[i]] = (double)i;
}

/* ---- places ---- */

/* As near to where they want to be as order and widths allow. */
static void place_row(layout *l, int r, bool above, double *x)
{
    const size_t *row = l->order + l->row_start[r];
    size_t count = l->row_start[r + 1] - l->row_start[r];
    double shift = 0, edge = -1e30;
    for (size_t i = 0; i < count; i++)
        l->wanted[row[i]] = mean_of_neighbours(l, row[i], above, x);
    for (size_t i = 0; i < count; i++) {
        double half = width_of(l, row[i]) / 2, least = edge + half;
        x[row[i]] = l->wanted[row[i]] > least ? l->wanted[row[i]] : least;
        edge = x[row[i]] + half + l->gap;
        shift += l->wanted[row[i]] - x[row[i]];
    }
    for (size_t i = 0; i < count; i++)
        x[row[i]] += shift / (double)count;
}

static void place_all(layout *l)
{
    double *x = l->place, least = 1e30, most = -1e30;
    for (int r = 0; r < l->g->rows; r++) {
        double at = 0;
        for (size_t i = l->row_start[r]; i < l->row_start[r + 1]; i++) {
            double half = width_of(l, l->order[i]) / 2;
            x[l->order[i]] = at + half;
            at += 2 * half + l->gap;
        }
        for (size_t i = l->row_start[r]; i < l->row_start[r + 1]; i++)
            x[l->order[i]] -= (at - l->gap) / 2; /* rows have one middle to begin with */
    }
    for (int s = 0; s < SWEEPS; s++) {
        for (int r = 1; s % 2 == 0 && r < l->g->rows; r++)
            place_row(l, r, true, x);
        for (int r = l->g->rows - 1; s % 2 == 1 && r-- > 0;)
            place_row(l, r, false, x);
    }
    for (size_t i = 0; i < l->g->item_count; i++) {
        double half = width_of(l, i) / 2;
        least = x[i] - half < least ? x[i] - half : least;
        most = x[i] + half > most ? x[i] + half : most;
    }
    for (size_t i = 0; i < l->g->item_count; i++)
        l->g->items[i].x = x[i] - least;
    l->g->width = most - least;
}

/* ---- life ---- */

static convoy_status lay_out(layout *l, convoy_error *err)
{
    size_t count = l->g->item_count + 1;
    l->order = malloc(count * sizeof *l->order);
    l->row_start = malloc(((size_t)l->g->rows + 1) * sizeof *l->row_start);
    l->place = malloc(count * sizeof *l->place);
    l->wanted = malloc(count * sizeof *l->wanted);
    if (!l->order || !l->row_start || !l->place || !l->wanted)
        return OUT_OF_MEMORY(err);
    fill_order(l);
    for (int s = 0; s < SWEEPS; s++) {
        for (int r = 1; s % 2 == 0 && r < l->g->rows; r++)
            sort_row(l, r, true);
        for (int r = l->g->rows - 1; s % 2 == 1 && r-- > 0;)
            sort_row(l, r, false);
    }
    place_all(l);
    return CONVOY_OK;
}

convoy_status graph_create(const convoy_model *model, double box, double lane, double gap, graph *out, convoy_error *err)
{
    *out = (graph){0};
    layout l = {.g = out, .box = box, .lane = lane, .gap = gap};
    convoy_status status = make_items(model, out, err);
    if (status == CONVOY_OK)
        status = lay_out(&l, err);
    free(l.order);
    free(l.row_start);
    free(l.place);
    free(l.wanted);
    if (status != CONVOY_OK)
        graph_free(out);
    return status;
}

void graph_free(graph *g)
{
    free(g->items);
    free(g->edges);
    *g = (graph){0};
}
