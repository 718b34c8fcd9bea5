/* Where the boxes and lines of a model's diagram go: layers in rows, each below all that it reads. */
#ifndef REPORT_GRAPH_H
#define REPORT_GRAPH_H

#include "model/model.h"

typedef struct graph_item {
    size_t node;      /* of the model; SIZE_MAX: a line that passes the row */
    int row;
    double x;         /* of its middle */
} graph_item;

/* From an item to one in the next row. */
typedef struct graph_edge {
    size_t from, to;
} graph_edge;

typedef struct graph {
    graph_item *items; /* node i is item i; those of lines come behind */
    size_t item_count;
    graph_edge *edges;
    size_t edge_count;
    int rows;
    double width;      /* all x lie between 0 and it, boxes and all */
} graph;

/* Boxes are `box` wide, lines want `lane`, and `gap` is between neighbours. */
convoy_status graph_create(const convoy_model *model, double box, double lane, double gap, graph *out, convoy_error *err);
void graph_free(graph *g);

#endif
