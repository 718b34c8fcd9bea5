/* What the first layer looks for, and what each layer makes of one image. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/shape.h"
#include "report/html.h"
#include "report/map_grid.h"
#include "report/thumb.h"

enum {
    MOST_FILTERS = 256,
    MOST_MAPS = 64,
    MOST_SIDE = 64,       /* pixels of a map; larger ones are thinned out */
    LEAST_SIDE = 16,
    ALL_PIXELS = 600000,  /* of all maps of all layers of all runs: what the page has room for */
};

/* ---- filters ---- */

/* The first layer with a kernel (height, width, in, out); node_count: none. */
static size_t find_kernel(const convoy_model *m)
{
    size_t i = 0;
    while (i < m->node_count && !(model_is_first(m, i) && m->nodes[i].layer->param_count > 0 &&
                                  m->nodes[i].layer->param[0].shape.rank == 4))
        i++;
    return i;
}

/* The mean over the inputs, for kernels that are neither grey nor RGB; the caller frees it. */
static float *mean_over_inputs(const float *kernel, size_t taps, size_t in, size_t out)
{
    float *mean = calloc(taps * out, sizeof *mean);
    for (size_t t = 0; mean != NULL && t < taps; t++)
        for (size_t i = 0; i < in; i++)
            for (size_t o = 0; o < out; o++)
                mean[t * out + o] += kernel[(t * in + i) * out + o] / (float)in;
    return mean;
}

static convoy_status add_filters(const section_run *s, const model_node *node, convoy_error *err)
{
    const layer *l = node->layer;
    const int *dim = l->param[0].shape.dim;
    int in = dim[2], out = dim[3], count = out < MOST_FILTERS ? out : MOST_FILTERS;
    bool colour = in == 3 && l->input[0].rank == 3 && l->input[0].dim[2] == 3;
    float *mean = in == 1 || colour ? NULL : mean_over_inputs(node->weights[0], (size_t)dim[0] * (size_t)dim[1], (size_t)in, (size_t)out);
    picture made;
    char alt[512], about[512];
    if (mean == NULL && in != 1 && !colour)
        return OUT_OF_MEMORY(err);
    const map_grid filters = {.values = mean ? mean : node->weights[0], .count = count, .height = dim[0], .width = dim[1],
                           .colours = colour ? 3 : 1, .next = (size_t)out * (size_t)(mean ? 1 : in), .next_map = 1,
                           .next_colour = (size_t)out, .step = 1, .most_enlarge = 16, .gap = 8};
    convoy_status status = map_grid_draw(&filters, &made, err);
    free(mean);
    TRY(status);
    snprintf(alt, sizeof alt, "%d filters of %d x %d weights", count, dim[0], dim[1]);
    snprintf(about, sizeof about, "%d of the %d filters of %.128s, %d x %d weights each, %s. Each from its least weight (black) to "
             "its greatest.", count, out, l->name, dim[0], dim[1],
             colour ? "the weights of red, green and blue as colours" : in == 1 ? "for one channel" : "the mean over the channels");
    return page_picture(s->page, "filters.png", alt, about, &made, err);
}

convoy_status section_filters(const section_run *s, convoy_error *err)
{
    const convoy_model *m = s->run->model;
    size_t node = m ? find_kernel(m) : 0;
    page_section(s->page, "First filters");
    if (m == NULL)
        page_paragraph(s->page, "note", "No filters: there is no model.keras in the run's folder.");
    else if (node == m->node_count)
        page_paragraph(s->page, "note", "No filters: no layer of the model has a kernel over height and width.");
    else
        TRY(add_filters(s, &m->nodes[node], err));
    page_end_section(s->page);
    return CONVOY_OK;
}

/* ---- maps ---- */

/* How the output of a layer becomes maps; false: there is nothing to show. */
static bool choose_maps(const convoy_shape *shape, const float *values, int pixels, map_grid *out)
{
    *out = (map_grid){.values = values, .count = 1, .height = 1, .width = 1, .colours = 1, .next = 1, .next_map = 1, .step = 1,
                   .most_enlarge = 8, .gap = 2};
    if (shape->rank == 1) { /* each value is a map of one pixel */
        out->count = shape->dim[0] < 4096 ? shape->dim[0] : 4096;
        out->columns = 64;
        out->one_range = true;
        out->gap = 0;
        out->most_enlarge = 24;
        return true;
    }
    if (shape->rank != 2 && shape->rank != 3)
        return false;
    int channels = shape->rank == 3 ? shape->dim[2] : 1;
    out->height = shape->dim[0];
    out->width = shape->dim[1];
    out->next = (size_t)channels;
    int longest = out->height > out->width ? out->height : out->width;
    while (longest / out->step > MOST_SIDE ||
           (longest / out->step > LEAST_SIDE && 4 * (out->height / out->step) * (out->width / out->step) > pixels))
        out->step++;
    int each = (out->height / out->step + 1) * (out->width / out->step + 1), most = pixels / each < 4 ? 4 : pixels / each;
    most = most > MOST_MAPS ? MOST_MAPS : most;
    out->count = channels < most ? channels : most;
    return true;
}

static convoy_status add_layer(const section_run *s, size_t i, int pixels, convoy_error *err)
{
    convoy_model *m = s->run->model;
    convoy_shape shape = convoy_model_layer_output(m, i);
    const char *name = convoy_model_layer_name(m, i);
    char of_shape[96], file[32], alt[400], about[400];
    map_grid maps;
    picture made;
    shape_text(&shape, of_shape, sizeof of_shape);
    snprintf(about, sizeof about, "%.64s %s", convoy_model_layer_class(m, i), of_shape);
    text_add(&s->page->body, "<li>\n<h%d>", s->page->level + 1);
    html_name(&s->page->body, name);
    text_add(&s->page->body, "</h%d>\n", s->page->level + 1);
    if (!choose_maps(&shape, s->evaluation->activations[i], pixels, &maps)) {
        page_paragraph(s->page, "about", "%s: not drawn", about);
        text_add(&s->page->body, "</li>\n");
        return CONVOY_OK;
    }
    size_t used = strlen(about);
    if (shape.rank == 1) {
        snprintf(about + used, sizeof about - used, ": %s%d values", maps.count < shape.dim[0] ? "the first " : "", maps.count);
        snprintf(alt, sizeof alt, "Values of layer %.128s: %d", name, maps.count);
    } else {
        int channels = shape.rank == 3 ? shape.dim[2] : 1;
        snprintf(about + used, sizeof about - used, ": %d of %d map%s%s", maps.count, channels, channels == 1 ? "" : "s",
                 maps.step > 1 ? ", thinned out" : "");
        snprintf(alt, sizeof alt, "Maps of layer %.128s: %d of %d x %d", name, maps.count, maps.height, maps.width);
    }
    TRY(map_grid_draw(&maps, &made, err));
    snprintf(file, sizeof file, "maps-%02zu.png", i);
    TRY(page_picture(s->page, file, alt, about, &made, err));
    text_add(&s->page->body, "</li>\n");
    return CONVOY_OK;
}

static convoy_status add_shown(const section_run *s, convoy_error *err)
{
    thumb t;
    picture made;
    char alt[400], number[16];
    const evaluation *l = s->evaluation;
    TRY(thumb_make(l->images, l->shown, MOST_SIDE, &t, err));
    convoy_status status = picture_of_pixels(t.pixels, t.width, t.height, t.channels, 1, &made, err);
    if (status == CONVOY_OK) {
        snprintf(alt, sizeof alt, "Test image %zu, %.200s", l->shown,
                 evaluation_class_name(l, s->run, convoy_dataset_labels(l->images)[l->shown], number));
        text_add(&s->page->body, "<figure class=\"pixels\">");
        page_image(s->page, &made, 128 * t.width / (t.width > t.height ? t.width : t.height),
                   128 * t.height / (t.width > t.height ? t.width : t.height), alt);
        text_add(&s->page->body, "<figcaption>");
        html_text(&s->page->body, alt);
        text_add(&s->page->body, "</figcaption></figure>\n");
        picture_free(&made);
    }
    thumb_free(&t);
    return status;
}

convoy_status section_maps(const section_run *s, convoy_error *err)
{
    const evaluation *l = s->evaluation;
    page_section(s->page, "Feature maps");
    if (l->activations == NULL) {
        page_paragraph(s->page, "note", "No feature maps: %s", l->why_no_predictions);
        page_end_section(s->page);
        return CONVOY_OK;
    }
    page_paragraph(s->page, "about", "What every layer gives for one image, behind its activation, each map from its least value "
                   "(black) to its greatest (white). A black map is the same everywhere.");
    TRY(add_shown(s, err));
    text_add(&s->page->body, "<ol class=\"maps\">\n");
    int pixels = (int)(ALL_PIXELS / s->run_count / (l->layer_count ? l->layer_count : 1));
    for (size_t i = 1; i < l->layer_count; i++) /* layer 0 is the input */
        TRY(add_layer(s, i, pixels, err));
    text_add(&s->page->body, "</ol>\n");
    page_end_section(s->page);
    return CONVOY_OK;
}
